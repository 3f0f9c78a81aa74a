//! The file of a dead letter: its name and its JSON. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{DeadLetter, RawValue};
use crate::spool::identity::{Epoch, Key, RecordId};
use crate::time::Timestamp;

/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;
const SUFFIX: &str = ".json";

/// `<epoch>-<seq>.json`: 16 hexadecimal digits, 20 decimal ones, so that names sort as records of one epoch do.
pub(super) fn name(epoch: Epoch, seq: u64) -> String {
    format!("{epoch}-{seq:020}{SUFFIX}")
}

/// The reverse of [`name`]; `None` for every name that it does not make.
pub(super) fn parse_name(text: &str) -> Option<(Epoch, u64)> {
    let (epoch, seq) = text.strip_suffix(SUFFIX)?.split_once('-')?;
    let parsed = (epoch.parse().ok()?, seq.parse().ok()?);
    (name(parsed.0, parsed.1) == text).then_some(parsed)
}

/// What the file holds. `R` is the record: borrowed to write, owned to read.
#[derive(Serialize, Deserialize)]
struct Content<R> {
    version: u32,
    destination: String,
    id: RecordId,
    key: Key,
    #[serde(default)]
    time: Option<Timestamp>,
    code: String,
    reason: String,
    at: Timestamp,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    record: Option<R>,
    /// In place of `record` when its bytes are not JSON, which the spool never makes: a letter has to be written even
    /// so, or the destination would stand still for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    record_base64: Option<String>,
}

/// One line of JSON, and a newline.
pub(super) fn encode(destination: &str, letter: &DeadLetter) -> serde_json::Result<Vec<u8>> {
    let record: Option<&RawValue> = serde_json::from_slice(&letter.record).ok();
    // Blanks around a value are not a part of it, and would not come back; no value but an object is a record.
    let record = record.filter(|raw| raw.get().len() == letter.record.len() && raw.get().starts_with('{'));
    let content = Content {
        version: VERSION,
        destination: destination.to_owned(),
        id: letter.id,
        key: letter.key,
        time: Some(letter.time),
        code: letter.code.clone(),
        reason: letter.reason.clone(),
        at: letter.at,
        attempts: letter.attempts,
        record,
        record_base64: record.is_none().then(|| STANDARD.encode(&letter.record)),
    };
    let mut bytes = serde_json::to_vec(&content)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The destination and the letter; the error says what is wrong.
pub(super) fn decode(bytes: &[u8]) -> Result<(String, DeadLetter), String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if version > VERSION {
        return Err(format!(
            "it has format {version}, this auditship reads up to format {VERSION}"
        ));
    }
    let content: Content<Box<RawValue>> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let record = match (content.record, content.record_base64) {
        (Some(raw), None) => raw.get().as_bytes().to_vec(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|error| error.to_string())?,
        _ => return Err("it has not exactly one record".to_owned()),
    };
    let letter = DeadLetter {
        id: content.id,
        key: content.key,
        // The first letters had none.
        time: content.time.unwrap_or(content.at),
        code: content.code,
        reason: content.reason,
        at: content.at,
        attempts: content.attempts,
        record,
    };
    Ok((content.destination, letter))
}
