//! A batch as lines.

use ::http::Request;

use super::Config;
use crate::destination::{Batch, EncodeError, Format, body, preset};

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let compression = batch.attempt.compression;
    let records = batch.records.iter().map(|record| record.json);
    let body =
        body::assemble(records, Format::Ndjson, compression, config.level).map_err(preset::not_compressed)?;
    let mut request = preset::post(
        config.endpoint.uri(),
        "text/plain; charset=utf-8",
        compression,
        body,
    );
    request.headers_mut().extend(config.headers.iter().cloned());
    Ok(request)
}
