//! A batch as pairs of lines: an action and its document.

use ::http::Request;

use super::Config;
use super::limits;
use crate::destination::body::{Body, BodyWriter};
use crate::destination::{Batch, EncodeError, preset};

pub(super) const ACTION_BEFORE: &[u8] = b"{\"create\":{\"_id\":\"";
pub(super) const ACTION_AFTER: &[u8] = b"\"}}\n";

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let compression = batch.attempt.compression;
    let body = body(config, batch).map_err(preset::not_compressed)?;
    Ok(preset::post(
        &config.bulk_url,
        "application/x-ndjson",
        compression,
        body,
    ))
}

fn body(config: &Config, batch: &Batch<'_>) -> std::io::Result<Body> {
    let sizes = batch.records.iter().map(limits::size);
    let plain = usize::try_from(sizes.sum::<u64>()).unwrap_or(usize::MAX);
    let mut body = BodyWriter::new(batch.attempt.compression, config.level, plain)?;
    for record in batch.records {
        body.put(ACTION_BEFORE)?;
        body.put(record.entry.key.to_string().as_bytes())?;
        body.put(ACTION_AFTER)?;
        body.put(record.json)?;
        body.put(b"\n")?;
    }
    body.finish()
}
