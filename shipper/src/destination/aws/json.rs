//! Requests of AWS's JSON 1.1 protocol, and the list of records in base64 that Kinesis and Firehose take. Pure.

use std::io;

use ::http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::destination::body::{Body, BodyWriter, Level};
use crate::destination::{Compression, SentDigest};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// Bytes that an entry has in a request beside its data and its key: names, marks, a comma.
const FRAMING: usize = 31;

/// A request for an operation: `target` is the API's name with its version and the operation, as
/// `Kinesis_20131202.PutRecords`.
pub(in crate::destination) fn operation(url: &Uri, target: &'static str, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    headers.insert(TARGET, HeaderValue::from_static(target));
    request
}

/// The same for a body of records, with what journal and signer want to know of it.
pub(in crate::destination) fn put(
    url: &Uri,
    target: &'static str,
    body: Body,
    compression: Compression,
) -> Request<Vec<u8>> {
    let mut request = operation(url, target, body.bytes);
    let extensions = request.extensions_mut();
    extensions.insert(body.digest);
    if compression == Compression::None {
        extensions.insert(SentDigest(body.digest.0));
    }
    if let Some(encoding) = compression.content_encoding() {
        let encoding = HeaderValue::from_static(encoding);
        request.headers_mut().insert(header::CONTENT_ENCODING, encoding);
    }
    request
}

/// Writes `{"NAME":"VALUE","Records":[{"Data":"BASE64","PartitionKey":"KEY"},...]}`, entry by entry.
pub(in crate::destination) struct RecordList {
    body: BodyWriter,
    entry: Vec<u8>,
    data: Vec<u8>,
    between: &'static [u8],
}

impl RecordList {
    /// Begins a body that names its stream by the member `name`, for about `entries` entries of `bytes` in all.
    pub(in crate::destination) fn new(
        (name, value): (&str, &str),
        compression: Compression,
        entries: usize,
        bytes: usize,
    ) -> io::Result<Self> {
        let plain_max = bytes / 3 * 4 + (FRAMING + 4) * entries + 2_048;
        let mut body = BodyWriter::new(compression, Level::default(), plain_max)?;
        body.put(b"{")?;
        body.put(serde_json::to_string(name)?.as_bytes())?;
        body.put(b":")?;
        body.put(serde_json::to_string(value)?.as_bytes())?;
        body.put(b",\"Records\":[")?;
        Ok(Self {
            body,
            entry: Vec::new(),
            data: Vec::new(),
            between: b"",
        })
    }

    /// Adds an entry: its records, each with a newline behind it, and the key if the service has one.
    pub(in crate::destination) fn put<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
        key: Option<&str>,
    ) -> io::Result<()> {
        self.data.clear();
        for record in records {
            self.data.extend_from_slice(record);
            self.data.push(b'\n');
        }
        self.entry.clear();
        self.entry.extend_from_slice(self.between);
        self.entry.extend_from_slice(b"{\"Data\":\"");
        let start = self.entry.len();
        self.entry.resize(start + self.data.len().div_ceil(3) * 4, 0);
        STANDARD
            .encode_slice(&self.data, &mut self.entry[start..])
            .map_err(io::Error::other)?;
        self.entry.push(b'"');
        if let Some(key) = key {
            self.entry.extend_from_slice(b",\"PartitionKey\":");
            serde_json::to_writer(&mut self.entry, key)?;
        }
        self.entry.push(b'}');
        self.between = b",";
        self.body.put(&self.entry)
    }

    /// Ends the body.
    pub(in crate::destination) fn finish(mut self) -> io::Result<Body> {
        self.body.put(b"]}")?;
        self.body.finish()
    }
}
