//! A batch as an `entries:write` request.

use ::http::{HeaderValue, Method, Request, Uri, header};
use serde_json::{Map, Value, json};

use super::entry::Shape;
use super::resource::{self, Resource, WithoutResource};
use crate::destination::body::{BodyWriter, Level};
use crate::destination::{Batch, Compression, EncodeError, body};

/// What every request of a destination has.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) url: Uri,
    pub(super) level: Level,
    /// What is before the entries, from `{` to `[`.
    before: Vec<u8>,
    /// The project of a VM that is not known yet.
    without_resource: Option<WithoutResource>,
}

/// After the entries.
const AFTER: &[u8] = b"]}";

impl Frame {
    pub(super) fn new(
        url: Uri,
        level: Level,
        project: &str,
        log_name: &str,
        resource: &Resource,
        labels: &[(String, String)],
    ) -> Self {
        let mut members = Map::new();
        members.insert(String::from("logName"), Value::from(log_name));
        members.insert(String::from("partialSuccess"), Value::Bool(true));
        if !labels.is_empty() {
            let labels = labels
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect();
            members.insert(String::from("labels"), Value::Object(labels));
        }
        let mut without_resource = None;
        match resource {
            Resource::Known { kind, labels } => {
                members.insert(String::from("resource"), resource::json(kind, labels));
            }
            Resource::ThisVm => {
                without_resource = Some(WithoutResource {
                    project: project.to_owned(),
                });
            }
        }
        let mut before = Value::Object(members).to_string().into_bytes();
        // The entries come last, for the sake of those who read.
        before.truncate(before.len() - 1);
        before.extend_from_slice(b",\"entries\":[");
        Self {
            url,
            level,
            before,
            without_resource,
        }
    }

    /// Bytes beside the entries.
    pub(super) fn around(&self) -> usize {
        self.before.len() + AFTER.len()
    }

    /// Compression is the journal's: it holds for every sending of the batch.
    pub(super) fn encode(&self, shape: &Shape, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
        let compression = batch.attempt.compression;
        let body = self
            .body(shape, batch, compression)
            .map_err(|error| EncodeError::Request(format!("compressing failed: {error}")))?;
        let mut request = self.request(body.bytes);
        request.extensions_mut().insert(body.digest);
        if let Some(encoding) = compression.content_encoding() {
            request
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(request)
    }

    fn body(
        &self,
        shape: &Shape,
        batch: &Batch<'_>,
        compression: Compression,
    ) -> std::io::Result<body::Body> {
        let plain: usize = batch.records.iter().map(|record| record.json.len() + 256).sum();
        let mut body = BodyWriter::new(compression, self.level, plain + self.around())?;
        body.put(&self.before)?;
        let mut entry = Vec::new();
        for (at, record) in batch.records.iter().enumerate() {
            entry.clear();
            if at > 0 {
                entry.push(b',');
            }
            shape.write(record, &mut entry);
            body.put(&entry)?;
        }
        body.put(AFTER)?;
        body.finish()
    }

    /// A request that is checked like any other and stores nothing.
    pub(super) fn dry_run(&self, shape: &Shape) -> Request<Vec<u8>> {
        let message = json!({ "message": "auditship check: would this be stored?" }).to_string();
        let mut body = b"{\"dryRun\":true,".to_vec();
        body.extend_from_slice(self.before.get(1..).unwrap_or_default());
        body.extend_from_slice(b"{\"jsonPayload\":");
        body.extend_from_slice(&shape.envelope.before);
        body.extend_from_slice(message.as_bytes());
        body.extend_from_slice(&shape.envelope.after);
        body.extend_from_slice(b"}");
        body.extend_from_slice(AFTER);
        self.request(body)
    }

    fn request(&self, body: Vec<u8>) -> Request<Vec<u8>> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(without) = &self.without_resource {
            request.extensions_mut().insert(without.clone());
        }
        request
    }
}
