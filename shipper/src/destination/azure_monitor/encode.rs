//! A batch as a request: an array of rows.

use ::http::{HeaderName, HeaderValue, Method, Request, header};

use super::config::Config;
use super::left_out::{LeftOut, Why, stamp};
use super::limits::limits;
use super::row;
use crate::destination::body::{Body, BodyWriter};
use crate::destination::{Batch, Context, EncodeError};
use crate::hex::hex;

/// Compression is the journal's: it holds for every sending of the batch. What is left out is said in the extensions.
pub(super) fn encode(
    config: &Config,
    batch: &Batch<'_>,
    context: &Context,
) -> Result<Request<Vec<u8>>, EncodeError> {
    let (body, left_out) = body(config, batch, context)
        .map_err(|error| EncodeError::Request(format!("compressing failed: {error}")))?;
    let mut request = asked(config, body.bytes);
    if let Some(encoding) = batch.attempt.compression.content_encoding() {
        let encoding = HeaderValue::from_static(encoding);
        request.headers_mut().insert(header::CONTENT_ENCODING, encoding);
    }
    if let Ok(id) = HeaderValue::try_from(request_id(&batch.attempt.name)) {
        request
            .headers_mut()
            .insert(HeaderName::from_static("x-ms-client-request-id"), id);
    }
    request.extensions_mut().insert(body.digest);
    request.extensions_mut().insert(left_out);
    Ok(request)
}

/// A request to the stream.
pub(super) fn asked(config: &Config, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    request.uri_mut().clone_from(&config.uri);
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

fn body(config: &Config, batch: &Batch<'_>, context: &Context) -> std::io::Result<(Body, LeftOut)> {
    let attempt = batch.attempt;
    let framing = limits().overhead as usize;
    let bytes = batch
        .records
        .iter()
        .map(|record| record.json.len() + framing)
        .sum();
    let mut body = BodyWriter::new(attempt.compression, config.level, bytes)?;
    let mut row = Vec::with_capacity(4_096);
    let mut before: &[u8] = b"[";
    let mut left_out = Vec::new();
    for (place, record) in batch.records.iter().enumerate() {
        row.clear();
        let why = stamp(config, record, attempt.made_at, context.now)
            .and_then(|at| row::write(config, record.json, at, &mut row).map_err(Why::Cut));
        if let Err(why) = why {
            left_out.push((place, why));
            continue;
        }
        body.put(before)?;
        body.put(&row)?;
        before = b",";
    }
    body.put(if before == b"[" { b"[]" } else { b"]" })?;
    Ok((body.finish()?, LeftOut(left_out.into())))
}

/// The batch's name in the form that the service wants: for its support, not for recognising a batch.
fn request_id(name: &str) -> String {
    let hash = blake3::hash(name.as_bytes());
    let digits = hex(&hash.as_bytes()[..16]).to_string();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
