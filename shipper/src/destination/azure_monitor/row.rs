//! A record as a row: `TimeGenerated`, the columns that are configured, and one column with all the rest. Pure.
//!
//! # Invariants
//! 1. Nothing of a record is left out of its row: what has no column of its own is in the record's column.
//! 2. No value is longer than [`FIELD`]: the service would cut it without a word. A record that has one has no row.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::config::Config;
use super::limits::FIELD;
use crate::time::Timestamp;

/// A value that is too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    pub(super) column: String,
    pub(super) bytes: usize,
}

/// The longest name of a column.
pub(super) const MAX_NAME: usize = 45;

/// The members of an object in their order, values as they stand.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A key, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Appends the row of `json`, of the time `at`, to `row`. After an error what was appended is of no use.
pub(super) fn write(config: &Config, json: &[u8], at: Timestamp, row: &mut Vec<u8>) -> Result<(), TooLong> {
    row.extend_from_slice(b"{\"TimeGenerated\":\"");
    row.extend_from_slice(time(at).as_bytes());
    row.push(b'"');
    let members = match config.columns.is_empty() {
        true => None,
        false => serde_json::from_slice::<Members<'_>>(json).ok(),
    };
    match members {
        None => put(row, &config.record_column, json)?,
        Some(Members(members)) => spread(config, &members, row)?,
    }
    row.push(b'}');
    Ok(())
}

fn spread(config: &Config, members: &[(Cow<'_, str>, &RawValue)], row: &mut Vec<u8>) -> Result<(), TooLong> {
    let mut rest = Vec::new();
    let mut taken = Vec::new();
    for (name, value) in members {
        let value = value.get().as_bytes();
        let column = column(name).filter(|column| config.columns.contains(column) && !taken.contains(column));
        match column {
            Some(column) => {
                put(row, &column, value)?;
                taken.push(column);
            }
            None => {
                rest.push(if rest.is_empty() { b'{' } else { b',' });
                // Writing to memory cannot fail.
                let _ = serde_json::to_writer(&mut rest, name.as_ref());
                rest.push(b':');
                rest.extend_from_slice(value);
            }
        }
    }
    if !rest.is_empty() {
        rest.push(b'}');
        put(row, &config.record_column, &rest)?;
    }
    Ok(())
}

fn put(row: &mut Vec<u8>, column: &str, value: &[u8]) -> Result<(), TooLong> {
    if value.len() > FIELD {
        return Err(TooLong {
            column: column.to_owned(),
            bytes: value.len(),
        });
    }
    row.extend_from_slice(b",\"");
    row.extend_from_slice(column.as_bytes());
    row.extend_from_slice(b"\":");
    row.extend_from_slice(value);
    Ok(())
}

/// The column that a field of this name may have: what columns cannot have in their names is `_`, and before the first letter
/// nothing. `@timestamp` is `timestamp`, `event.action` is `event_action`.
pub(super) fn column(name: &str) -> Option<String> {
    let start = name.find(|found: char| found.is_ascii_alphabetic())?;
    let name = &name[start..];
    let allowed = |found: char| match found.is_ascii_alphanumeric() {
        true => found,
        false => '_',
    };
    (name.len() <= MAX_NAME).then(|| name.chars().map(allowed).collect())
}

/// With the seven digits of a second that the service keeps.
fn time(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    match text.strip_suffix('Z') {
        Some(text) => format!("{}Z", &text[..text.len().saturating_sub(2)]),
        None => text,
    }
}
