//! A batch as a `PutLogEvents` request, written in one pass.

use ::http::{HeaderName, HeaderValue, Method, Request, Uri, header};

use super::create::CreateWhatIsMissing;
use super::escape::escape;
use super::{Config, order};
use crate::destination::body::{Body, BodyWriter};
use crate::destination::{Batch, Compression, EncodeError, SentDigest};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// Bytes that an event has in the request beside its message: marks, names, a time of 13 digits.
const EVENT_FRAMING: usize = 41;
/// One of so many bytes of a record needs a reverse solidus, at most; more cost a move of the body.
const ESCAPED: usize = 4;

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let compression = batch.attempt.compression;
    let body =
        body(config, batch).map_err(|error| EncodeError::Request(format!("compressing failed: {error}")))?;
    let mut request = operation(config.endpoint.uri(), "PutLogEvents", body.bytes);
    let extensions = request.extensions_mut();
    extensions.insert(body.digest);
    extensions.insert(CreateWhatIsMissing);
    if compression == Compression::None {
        extensions.insert(SentDigest(body.digest.0));
    }
    if let Some(encoding) = compression.content_encoding() {
        let encoding = HeaderValue::from_static(encoding);
        request.headers_mut().insert(header::CONTENT_ENCODING, encoding);
    }
    Ok(request)
}

/// A request for an operation of the API.
pub(super) fn operation(url: &Uri, name: &'static str, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    let target = HeaderValue::try_from(format!("Logs_20140328.{name}"));
    // Names of operations are letters.
    headers.insert(TARGET, target.unwrap_or(HeaderValue::from_static("")));
    request
}

fn body(config: &Config, batch: &Batch<'_>) -> std::io::Result<Body> {
    let bytes: usize = batch.records.iter().map(|record| record.json.len()).sum();
    let plain_max = bytes + bytes / ESCAPED + EVENT_FRAMING * batch.records.len() + 2_048;
    let mut body = BodyWriter::new(batch.attempt.compression, config.level, plain_max)?;
    let mut event = Vec::with_capacity(4_096);
    event.extend_from_slice(b"{\"logGroupName\":\"");
    escape(&mut event, config.group.as_bytes());
    event.extend_from_slice(b"\",\"logStreamName\":\"");
    escape(&mut event, config.stream.as_bytes());
    event.extend_from_slice(b"\",\"logEvents\":[");
    let mut between: &[u8] = b"";
    for (time, place) in order::order(config, batch) {
        let Some(record) = batch.records.get(place) else {
            continue;
        };
        event.extend_from_slice(between);
        event.extend_from_slice(b"{\"timestamp\":");
        event.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        event.extend_from_slice(b",\"message\":\"");
        escape(&mut event, record.json);
        event.extend_from_slice(b"\"}");
        body.put(&event)?;
        event.clear();
        between = b",";
    }
    body.put(b"]}")?;
    body.finish()
}
