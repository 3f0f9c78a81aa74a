//! A template around the record, with one hole for its JSON: `{"data": {{{ log_message }}}}`, or a whole request of the API's
//! as Workato documents it. Pure.
//!
//! What is not JSON around a record is refused by [`hole`].

use serde_json::{Map, Value};

use super::payload::Count;
use super::{names, payload};
use crate::destination::config::ConfigError;
use crate::destination::hole::{self, invalid};

/// Stands for the hole while the template is taken apart. As long as no template holds it, whatever else it holds.
const MARK: &str = "\u{f8ff}auditship's record\u{f8ff}";

/// What stands before and after the record in `jsonPayload`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
    /// What it adds to the API's form of a record, at most.
    pub(super) weight: u64,
}

/// A template, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) envelope: Envelope,
    /// Of a whole request: what it says beside the entry.
    pub(super) log_name: Option<String>,
    pub(super) resource_type: Option<String>,
    pub(super) resource_labels: Vec<(String, String)>,
    pub(super) labels: Vec<(String, String)>,
}

/// Reads a template of the payload, or of a whole request: the object then has `entries`.
pub(super) fn parse(text: &str) -> Result<Template, ConfigError> {
    let (before, after) = hole::split(text)?;
    let filled = |with: &str| [before, with, after].concat();
    let marked = filled(&Value::from(MARK).to_string());
    let object = match serde_json::from_str(&marked) {
        Ok(Value::Object(object)) => object,
        // Nothing but the record.
        Ok(Value::String(_)) => return Ok(Template::default()),
        _ => return Err(invalid("is no JSON object: `jsonPayload` must be one")),
    };
    if !object.contains_key("entries") {
        return Ok(Template {
            envelope: envelope(&Value::Object(object))?,
            ..Template::default()
        });
    }
    request(object)
}

/// The payload with its hole.
fn envelope(payload: &Value) -> Result<Envelope, ConfigError> {
    let text = payload.to_string();
    let mark = Value::from(MARK).to_string();
    let (Some((before, after)), 1) = (text.split_once(&mark), text.matches(&mark).count()) else {
        return Err(invalid("the hole must be in the payload"));
    };
    Ok(Envelope {
        before: before.as_bytes().to_vec(),
        after: after.as_bytes().to_vec(),
        weight: payload::write(text.as_bytes(), &mut Count::default()).weight,
    })
}

/// A whole request: `logName`, `resource`, `labels`, and one entry with a `jsonPayload`.
fn request(mut object: Map<String, Value>) -> Result<Template, ConfigError> {
    let mut template = Template::default();
    for (name, value) in std::mem::take(&mut object) {
        match (name.as_str(), value) {
            ("logName", Value::String(name)) => {
                names::full(&name).map_err(|problem| invalid(&format!("`logName` {problem}")))?;
                template.log_name = Some(name);
            }
            ("resource", Value::Object(mut resource)) => {
                match resource.remove("type") {
                    Some(Value::String(kind)) => template.resource_type = Some(kind),
                    _ => return Err(invalid("`resource` has no `type`")),
                }
                if let Some(labels) = resource.remove("labels") {
                    template.resource_labels = texts("resource.labels", labels)?;
                }
                nothing_else("resource", &resource)?;
            }
            ("labels", labels) => template.labels = texts("labels", labels)?,
            ("entries", Value::Array(mut entries)) if entries.len() == 1 => match entries.pop() {
                Some(Value::Object(mut entry)) => {
                    match entry.remove("jsonPayload") {
                        Some(payload @ (Value::Object(_) | Value::String(_))) => {
                            template.envelope = envelope(&payload)?
                        }
                        _ => return Err(invalid("its entry has no `jsonPayload` that is an object")),
                    }
                    nothing_else("entries", &entry)?;
                }
                _ => return Err(invalid("its entry is no object")),
            },
            ("entries", _) => return Err(invalid("`entries` must be a list of one entry")),
            ("partialSuccess", Value::Bool(true)) => {}
            (name, _) => {
                return Err(invalid(&format!(
                    "`{name}` cannot be set there, or not to that: a request has `logName`, `resource`, `labels` and \
                     `entries`"
                )));
            }
        }
    }
    Ok(template)
}

fn nothing_else(place: &str, left: &Map<String, Value>) -> Result<(), ConfigError> {
    match left.keys().next() {
        None => Ok(()),
        Some(name) => Err(invalid(&format!("`{place}.{name}` cannot be set there"))),
    }
}

fn texts(place: &str, value: Value) -> Result<Vec<(String, String)>, ConfigError> {
    let Value::Object(labels) = value else {
        return Err(invalid(&format!("`{place}` is no object")));
    };
    labels
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(value) => Ok((name, value)),
            _ => Err(invalid(&format!("`{place}.{name}` is no text"))),
        })
        .collect()
}
