//! A batch as a request.

use ::http::{Method, Request, header};

use super::Config;
use crate::destination::{Batch, EncodeError, body};

/// Name, format and compression are the journal's: they hold for every sending of the batch.
pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let attempt = batch.attempt;
    let records = batch.records.iter().map(|record| record.json);
    let body = body::assemble(records, attempt.format, attempt.compression, config.level)
        .map_err(|error| EncodeError::Request(format!("compressing failed: {error}")))?;
    Request::builder()
        .method(Method::PUT)
        .uri(format!("/{}", attempt.name))
        .header(header::IF_NONE_MATCH, "*")
        .extension(body.digest)
        .body(body.bytes)
        .map_err(|error| EncodeError::Request(format!("the batch's name is no path: {error}")))
}
