//! A batch as a request.

use ::http::{Request, header};

use super::Config;
use crate::destination::{Batch, EncodeError, body};

/// The header by which a receiver may recognise a batch that comes again.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Format, compression and key are the journal's: they hold for every sending of the batch, whatever is configured now.
pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let attempt = batch.attempt;
    let records = batch.records.iter().map(|record| record.json);
    let around = &config.around;
    let body = body::assemble_around(records, around, attempt.format, attempt.compression, config.level)
        .map_err(|error| EncodeError::Request(format!("compressing failed: {error}")))?;
    let content_type = if attempt.format == config.format {
        config.content_type.clone()
    } else {
        ::http::HeaderValue::from_static(attempt.format.content_type())
    };
    let mut request = Request::builder()
        .method(config.method.clone())
        .uri(config.endpoint.uri().clone())
        .header(header::CONTENT_TYPE, content_type)
        .header(IDEMPOTENCY_KEY, attempt.name.as_str())
        .extension(body.digest);
    if let Some(encoding) = attempt.compression.content_encoding() {
        request = request.header(header::CONTENT_ENCODING, encoding);
    }
    request
        .body(body.bytes)
        .map_err(|error| EncodeError::Request(format!("the batch's name is no header value: {error}")))
}
