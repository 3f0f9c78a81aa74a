//! What the object stores have in common: one object for each batch, written once under a name of its own. Pure.
//!
//! # In scope
//! The keys of layout and name, the body, what an object says of itself in its metadata, and what it means that a name
//! is taken.
//!
//! # Invariants
//! 1. An object is only ever created. A name that is taken is looked at, and never written over.
//! 2. What has our digest of the plain body is this batch, since no other batch has the same records: unless the store tells
//!    another checksum of its bytes than came with them. What an object says of itself came with it, what the store tells of
//!    it did not.
//! 3. Compressed objects carry no `Content-Encoding`: it would make some readers unpack them on the way, so that their
//!    bytes were others than those whose checksum was stored.

mod config;
mod found;

pub(super) use config::{Layout, RawObject};
pub use found::Found;
pub(super) use found::{Damaged, Tells, Told};

use ::http::HeaderMap;

use super::body::{self, Body};
use super::{Batch, BodyDigest, Compression, EncodeError, Format, Limits, Record};
use crate::hex::hex;
use crate::time::Timestamp;

/// What one object may hold. The stores allow terabytes. Objects have no order, so several are on their way at a time.
pub(super) fn limits(format: Format) -> Limits {
    Limits::of_body(format, Limits::MAX_IN_FLIGHT)
}

/// Format and compression are the journal's: they hold for every sending of the batch, whatever is configured now.
pub(super) fn body(batch: &Batch<'_>, layout: &Layout) -> Result<Body, EncodeError> {
    let records = batch.records.iter().map(|record| record.json);
    body::assemble(
        records,
        batch.attempt.format,
        batch.attempt.compression,
        layout.level,
    )
    .map_err(|error| EncodeError::Request(format!("compressing failed: {error}")))
}

/// Of the object as it is stored.
pub(super) fn content_type(format: Format, compression: Compression) -> &'static str {
    match compression {
        Compression::None => format.content_type(),
        Compression::Gzip => "application/gzip",
        Compression::Zstd => "application/zstd",
    }
}

/// The name of the metadata entry that holds the SHA-256 of the plain body, in hexadecimal digits.
pub(super) const DIGEST: &str = "auditship-sha256";

/// The name of the metadata entry that holds the checksum of the bytes as they were sent, in the store's own form. Another
/// sending of the batch may have other bytes: what compresses changes.
pub(super) const CHECKSUM: &str = "auditship-checksum";

/// What an object says of itself, by name and value: printable ASCII, some 400 bytes together. `checksum` is the one that is
/// sent with it, where that is one that the store tells later.
pub(super) fn metadata(
    batch: &Batch<'_>,
    digest: BodyDigest,
    checksum: Option<&str>,
) -> Vec<(&'static str, String)> {
    let times = || batch.records.iter().map(|record| record.entry.time);
    let id = |record: Option<&Record<'_>>| {
        record.map_or_else(String::new, |record| {
            format!("{}-{}-{}", record.id.spool, record.id.epoch, record.id.seq)
        })
    };
    let time = |time: Option<Timestamp>| time.unwrap_or_default().to_rfc3339();
    let mut metadata = vec![
        (DIGEST, hex(&digest.0).to_string()),
        ("auditship-records", batch.records.len().to_string()),
        ("auditship-earliest", time(times().min())),
        ("auditship-latest", time(times().max())),
        ("auditship-first", id(batch.records.first())),
        ("auditship-last", id(batch.records.last())),
    ];
    metadata.extend(checksum.map(|checksum| (CHECKSUM, checksum.to_owned())));
    metadata
}

/// The value of a header, where it is there and text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The command that prints the first record of `batch` from what `fetch` writes to standard output.
pub(super) fn query(fetch: &str, batch: &Batch<'_>) -> String {
    let unpack = match batch.attempt.compression {
        Compression::None => "",
        Compression::Gzip => " | gzip -dc",
        Compression::Zstd => " | zstd -dc",
    };
    let seq = batch.records.first().map(|record| record.id.seq);
    let seq = seq.unwrap_or_default();
    format!("{fetch}{unpack} | grep '\"seq\":{seq}}}'")
}
