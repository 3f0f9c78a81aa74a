//! A batch as a request.

use ::http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use ::http::{HeaderMap, HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::config::{Checksum, Config};
use crate::destination::{Batch, Compression, Context, EncodeError, Format, SentDigest, object};
use crate::time::Timestamp;

/// What is asked of the store for an object, whatever is in it: a batch is put with these, and a check asks with them.
pub(super) fn demands(config: &Config, made_at: Timestamp, now: Timestamp) -> HeaderMap {
    let mut headers: HeaderMap = HeaderMap::from_iter(config.encryption.headers());
    headers.extend(config.lock.headers(made_at, now));
    headers.extend(config.fixed.iter().cloned());
    headers.extend(owner(config));
    headers
}

/// The header that lets a bucket of another owner get nothing.
pub(super) fn owner(config: &Config) -> Option<(HeaderName, HeaderValue)> {
    let owner = config.owner.clone()?;
    Some((HeaderName::from_static("x-amz-expected-bucket-owner"), owner))
}

/// The type of objects of `format` and `compression`.
pub(super) fn content_type(format: Format, compression: Compression) -> HeaderValue {
    HeaderValue::from_static(object::content_type(format, compression))
}

/// Name, format and compression are the journal's. The digest of what is sent is computed once, for checksum and signature.
pub(super) fn encode(
    config: &Config,
    batch: &Batch<'_>,
    context: &Context,
) -> Result<Request<Vec<u8>>, EncodeError> {
    let attempt = batch.attempt;
    let body = object::body(batch, &config.layout)?;
    let sent = SentDigest(Sha256::digest(&body.bytes).into());
    let mut request = Request::put(config.address.object(&attempt.name))
        .header(IF_NONE_MATCH, "*")
        .header(CONTENT_TYPE, content_type(attempt.format, attempt.compression));
    let checksum = (config.checksum == Checksum::Sha256).then(|| BASE64.encode(sent.0));
    for (name, value) in object::metadata(batch, body.digest, checksum.as_deref()) {
        request = request.header(format!("x-amz-meta-{name}"), value);
    }
    for (name, value) in &demands(config, attempt.made_at, context.now) {
        request = request.header(name, value);
    }
    request = match config.checksum {
        Checksum::Sha256 => request
            .header("x-amz-sdk-checksum-algorithm", "SHA256")
            .header(SHA256, BASE64.encode(sent.0)),
        Checksum::Md5 => request.header("content-md5", BASE64.encode(Md5::digest(&body.bytes))),
        Checksum::None => request,
    };
    request
        .extension(body.digest)
        .extension(sent)
        .body(body.bytes)
        .map_err(|error| EncodeError::Request(format!("the batch's name is no path: {error}")))
}

/// The header of the checksum, in requests and in answers.
pub(super) const SHA256: &str = "x-amz-checksum-sha256";
