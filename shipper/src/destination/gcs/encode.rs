//! A batch as a request: what is to be known of the object, and its bytes, as two parts of one body.

use ::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use serde_json::json;

use super::config::{Config, CustomTime};
use crate::destination::body::Body;
use crate::destination::{Batch, EncodeError, object};
use crate::hex::hex;

/// CRC32C of an object as it is sent, in Google's form; put into the request's extensions to be compared with the answer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crc32c(pub(super) String);

/// Name, format and compression are the journal's: they hold for every sending of the batch.
pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let attempt = batch.attempt;
    let Body { bytes, digest } = object::body(batch, &config.layout)?;
    let content_type = object::content_type(attempt.format, attempt.compression);
    let crc = Crc32c(BASE64.encode(crc32c::crc32c(&bytes).to_be_bytes()));
    let metadata: serde_json::Map<_, _> = object::metadata(batch, digest, Some(&crc.0))
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let mut resource = json!({
        "name": attempt.name,
        "contentType": content_type,
        "crc32c": crc.0,
        "md5Hash": BASE64.encode(Md5::digest(&bytes)),
        "metadata": metadata,
    });
    let times = || batch.records.iter().map(|record| record.entry.time);
    let custom_time = match config.custom_time {
        CustomTime::Latest => times().max(),
        CustomTime::Earliest => times().min(),
        CustomTime::MadeAt => Some(attempt.made_at),
        CustomTime::None => None,
    };
    if let Some(at) = custom_time {
        resource["customTime"] = at.to_rfc3339().into();
    }
    if let Some(class) = &config.storage_class {
        resource["storageClass"] = class.as_str().into();
    }
    // No body has the digest of what it holds in it.
    let boundary = format!("auditship-{}", hex(&digest.0));
    let head = format!(
        "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{resource}\r\n\
         --{boundary}\r\nContent-Type: {content_type}\r\n\r\n"
    );
    let end = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), &bytes, end.as_bytes()].concat();
    let key = config.kms_key.as_deref().map(|key| ("kmsKeyName", key));
    let parameters: Vec<_> = [("ifGenerationMatch", "0"), ("fields", "name,generation,crc32c")]
        .into_iter()
        .chain(key)
        .collect();
    Request::post(config.address.upload(&parameters))
        .header(
            header::CONTENT_TYPE,
            format!("multipart/related; boundary={boundary}"),
        )
        .extension(digest)
        .extension(crc)
        .body(body)
        .map_err(|error| EncodeError::Request(format!("the bucket has no URL: {error}")))
}
