//! What both encoders do at each key and each value: find the fields that auditship reads, keep names unique. Pure.

use std::borrow::Cow;
use std::ops::Range;

use super::categories::Categories;
use super::names::{Mark, Names};
use super::path::{Field, Fields, Paths, Watch};
use crate::time::Timestamp;

/// What was found in a record on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Where in the output the event id's JSON text stands, without quotes. See [`Meta::id`].
    pub(super) id: Option<Range<usize>>,
    /// The record's own time: the first valid one at `time_key`.
    pub time: Option<Timestamp>,
    /// The time that the host gave the record; lines of JSON have none.
    pub host_time: Option<Timestamp>,
    /// All categories that the record carries.
    pub categories: Categories,
    /// How many members the outermost object has.
    pub members: usize,
    /// Whether the outermost object has a member `@timestamp`, valid or not.
    pub has_timestamp: bool,
    /// Whether some text was not UTF-8 and was replaced.
    pub repaired: bool,
}

impl Meta {
    /// The event id as text, out of the output it was written to. A number counts as its JSON text.
    pub fn id<'o>(&self, out: &'o [u8]) -> Option<Cow<'o, str>> {
        let text = out.get(self.id.clone()?)?;
        unescaped(text)
    }
}

/// The text that the inside of a JSON string stands for.
pub(super) fn unescaped(inside: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', inside).is_none() {
        return std::str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}

/// The collecting side of an encoder.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    pub(super) paths: &'a Paths,
    pub(super) names: &'a mut Names,
    pub(super) meta: Meta,
}

/// The name of what auditship adds to each record.
const OURS: &[u8] = b"auditship";
const TIMESTAMP: &[u8] = b"@timestamp";

impl Collector<'_> {
    /// The key that `out` ends with, from `start` on, was written: makes its name unique, and tells what its value is.
    ///
    /// `canonical` is the key with the shortest escapes, where `out` has others.
    #[inline]
    pub(super) fn key(
        &mut self,
        mark: Mark,
        watch: Watch,
        out: &mut Vec<u8>,
        start: usize,
        canonical: Option<&[u8]>,
    ) -> (Fields, Watch) {
        let text = canonical.unwrap_or(&out[start..]);
        let found = self.paths.enter(watch, text);
        if watch == Watch::START {
            self.meta.members += 1;
            if text == TIMESTAMP {
                self.meta.has_timestamp = true;
            } else if text == OURS {
                out.truncate(start);
                out.extend_from_slice(b"auditship_original");
                self.names.enter(mark, out, start);
                return found;
            }
        }
        match canonical {
            None => self.names.enter(mark, out, start),
            Some(canonical) => self.names.enter_as(mark, out, canonical),
        }
        found
    }

    /// The value `json` of `fields`, which ends `out`, was written at `start`.
    #[inline]
    pub(super) fn value(&mut self, fields: Fields, out: &[u8], start: usize) {
        if !fields.is_empty() {
            self.field(fields, out, start);
        }
    }

    fn field(&mut self, fields: Fields, out: &[u8], start: usize) {
        let json = &out[start..];
        let inside = json.strip_prefix(b"\"").and_then(|json| json.strip_suffix(b"\""));
        if fields.has(Field::Id) && self.meta.id.is_none() {
            self.meta.id = match (inside, json.first()) {
                (Some(inside), _) if !inside.is_empty() => Some(start + 1..out.len() - 1),
                (None, Some(b'-' | b'0'..=b'9')) => Some(start..out.len()),
                _ => None,
            };
        }
        if fields.has(Field::Time) && self.meta.time.is_none() {
            self.meta.time = inside.and_then(unescaped).and_then(|text| parse_time(&text));
        }
        if fields.has(Field::Category) {
            self.meta.categories = self.meta.categories.union(categories(json));
        }
    }
}

/// RFC 3339, and what else of ISO 8601 names a point in time, within the range of [`Timestamp`].
fn parse_time(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

/// The categories that a string or an array of strings names. `json` is valid.
fn categories(json: &[u8]) -> Categories {
    let mut found = Categories::NONE;
    let mut rest = json.strip_prefix(b"[").unwrap_or(json);
    loop {
        rest = match rest {
            [] | [b']', ..] => return found,
            [b',' | b' ' | b'\t' | b'\r', rest @ ..] => rest,
            [b'n', rest @ ..] => rest.get(3..).unwrap_or_default(),
            [b'"', rest @ ..] => {
                let end = string_end(rest);
                found = found.union(category(&rest[..end]));
                rest.get(end + 1..).unwrap_or_default()
            }
            // A number, an object, an array inside the array: in a category's place, but no name.
            _ => {
                found = found.union(Categories::UNKNOWN);
                after_value(rest)
            }
        };
    }
}

/// What follows the first value of `json`: the comma or the bracket behind it, or nothing.
fn after_value(json: &[u8]) -> &[u8] {
    let mut rest = json;
    let mut depth = 0_u32;
    loop {
        rest = match (rest, depth) {
            ([], _) | ([b',' | b']', ..], 0) => return rest,
            ([b'"', rest @ ..], _) => rest.get(string_end(rest) + 1..).unwrap_or_default(),
            ([b'[' | b'{', rest @ ..], _) => {
                depth += 1;
                rest
            }
            ([b']' | b'}', rest @ ..], _) => {
                depth = depth.saturating_sub(1);
                rest
            }
            ([_, rest @ ..], _) => rest,
        };
    }
}

/// How many bytes stand before the quote that ends a string.
fn string_end(inside: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match inside.get(at) {
            None | Some(b'"') => return at.min(inside.len()),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

fn category(inside: &[u8]) -> Categories {
    unescaped(inside)
        .and_then(|name| Categories::from_name(&name))
        .unwrap_or(Categories::UNKNOWN)
}
