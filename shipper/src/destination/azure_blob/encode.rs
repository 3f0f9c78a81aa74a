//! A batch as a request.

use ::http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use ::http::request::Builder;
use ::http::{HeaderMap, HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};

use super::config::{Checksum, Config};
use super::crc64::crc64;
use crate::destination::{Batch, Context, EncodeError, object};
use crate::time::Timestamp;

/// The version of the service's protocol: the first that knows the tier `cold`, and old enough for every cloud and emulator.
const VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-ms-version"),
    HeaderValue::from_static("2021-12-02"),
);

/// A request that the service understands.
pub(super) fn asked(request: Builder) -> Builder {
    let (name, version) = VERSION;
    request.header(name, version)
}

/// What is asked of the service for a blob, whatever is in it: a batch is put with these, and a check asks with them.
pub(super) fn demands(config: &Config, made_at: Timestamp, now: Timestamp) -> HeaderMap {
    let mut headers: HeaderMap = HeaderMap::from_iter(config.immutability.headers(made_at, now));
    headers.extend(config.fixed.iter().cloned());
    headers.insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
    headers
}

impl Checksum {
    /// The header of the sum, in requests and in answers.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Md5 => "content-md5",
            Self::Crc64 => "x-ms-content-crc64",
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Md5 => BASE64.encode(Md5::digest(bytes)),
            Self::Crc64 => BASE64.encode(crc64(bytes).to_le_bytes()),
        }
    }
}

/// A name of metadata: letters, digits and `_`. A hyphen would be no part of the order in which the service signs.
pub(super) fn metadata_header(name: &str) -> String {
    format!("x-ms-meta-{}", name.replace('-', "_"))
}

/// Name, format and compression are the journal's: they hold for every sending of the batch.
pub(super) fn encode(
    config: &Config,
    batch: &Batch<'_>,
    context: &Context,
) -> Result<Request<Vec<u8>>, EncodeError> {
    let attempt = batch.attempt;
    let body = object::body(batch, &config.layout)?;
    let content_type = object::content_type(attempt.format, attempt.compression);
    let checksum = config.checksum.of(&body.bytes);
    let mut request = asked(Request::put(config.address.blob(&attempt.name)))
        .header(IF_NONE_MATCH, "*")
        .header(CONTENT_TYPE, content_type)
        .header(config.checksum.header(), &checksum);
    for (name, value) in object::metadata(batch, body.digest, Some(&checksum)) {
        request = request.header(metadata_header(name), value);
    }
    for (name, value) in &demands(config, attempt.made_at, context.now) {
        request = request.header(name, value);
    }
    request
        .extension(body.digest)
        .body(body.bytes)
        .map_err(|error| EncodeError::Request(format!("the batch's name is no path: {error}")))
}
