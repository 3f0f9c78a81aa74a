//! A batch as an array of logs.

use ::http::Request;

use super::{Config, limits, stamp};
use crate::destination::body::{Body, BodyWriter};
use crate::destination::{Batch, EncodeError, preset};

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let compression = batch.attempt.compression;
    let body = body(config, batch).map_err(preset::not_compressed)?;
    Ok(preset::post(
        &config.logs_url,
        "application/json",
        compression,
        body,
    ))
}

fn body(config: &Config, batch: &Batch<'_>) -> std::io::Result<Body> {
    let sizes = batch
        .records
        .iter()
        .map(|record| limits::size(config, record) + 1);
    let plain = usize::try_from(sizes.sum::<u64>() + 2).unwrap_or(usize::MAX);
    let mut body = BodyWriter::new(batch.attempt.compression, config.level, plain)?;
    let mut between: &[u8] = b"[";
    for record in batch.records {
        let time = stamp::stamp(config, batch.attempt, record).as_millis();
        body.put(between)?;
        body.put(config.head.as_bytes())?;
        body.put(itoa::Buffer::new().format(time).as_bytes())?;
        body.put(config.middle.as_bytes())?;
        body.put(record.json)?;
        body.put(b"}")?;
        between = b",";
    }
    body.put(if batch.records.is_empty() { b"[]" } else { b"]" })?;
    body.finish()
}
