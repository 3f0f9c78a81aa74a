//! Further headers, as a configuration writes them. Pure.

use std::fmt;

use ::http::HeaderName;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::destination::config::ConfigError;

/// Names that the request itself needs: a second value would change where a request ends, or who sends it.
const RESERVED: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The header's name; `has_authorization` when something else fills `Authorization`.
pub(super) fn header_name(name: &str, has_authorization: bool) -> Result<HeaderName, ConfigError> {
    let invalid = |problem: String| Err(ConfigError::invalid("header", problem));
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return invalid(format!("{name:?} is no header name; write `Name: value`"));
    };
    if RESERVED.contains(&parsed.as_str()) {
        return invalid(format!("`{parsed}` is set by the request itself: remove it"));
    }
    if parsed == ::http::header::AUTHORIZATION && has_authorization {
        return invalid(String::from(
            "`authorization` is set by `auth` as well: remove one of them",
        ));
    }
    Ok(parsed)
}

/// Header names and values, as a table, a list of `Name: value` texts, or one such text.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    /// A colon or blanks stand between name and value; the host writes blanks in a stanza.
    fn split(line: &str) -> (String, String) {
        let line = line.trim();
        let end = line.find([':', ' ', '\t']).unwrap_or(line.len());
        let (name, value) = line.split_at(end);
        let value = value.trim_start();
        (
            name.to_owned(),
            value.strip_prefix(':').unwrap_or(value).trim().to_owned(),
        )
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsHeaders;

        impl<'de> Visitor<'de> for AsHeaders {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of header names and values, or `Name: value`")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<Headers, E> {
                Ok(Headers(vec![Headers::split(line)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(line) = lines.next_element::<String>()? {
                    headers.push(Headers::split(&line));
                }
                Ok(Headers(headers))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(entry) = table.next_entry()? {
                    headers.push(entry);
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_any(AsHeaders)
    }
}
