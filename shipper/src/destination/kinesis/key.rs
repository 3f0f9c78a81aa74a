//! Partition keys: the value of a record's field, or the record's own key. Pure.
//!
//! The field is found as everywhere in auditship: a dotted path matches nested objects, literal dots in a name, and any
//! mixture of the two; the first that is a text, a number, `true` or `false` counts.

use std::borrow::Cow;
use std::fmt;

use md5::{Digest as _, Md5};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::destination::Record;
use crate::hex::hex;

/// What the service takes, in UTF-16 code units: the strictest reading of "256 characters".
const MAX_UNITS: usize = 256;

/// What decides to which shard a record goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    /// The value of the configured field.
    Field(Cow<'a, str>),
    /// The record's own: no field is configured, or the record has none.
    Own(String),
}

impl<'a> Key<'a> {
    /// The key of `record`, given the path of the field.
    pub(super) fn of(path: Option<&str>, record: &Record<'a>) -> Self {
        let field = path
            .and_then(|path| find(path, record.json))
            .filter(|value| !value.is_empty());
        match field {
            Some(value) => Self::Field(shortened(value)),
            None => Self::Own(hex(&record.entry.key.0).to_string()),
        }
    }

    /// As it is sent.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Field(value) => value,
            Self::Own(key) => key,
        }
    }

    /// Where the service puts it in the key space that the shards share: the MD5 of the key, as a number.
    pub(super) fn place(&self) -> u128 {
        u128::from_be_bytes(Md5::digest(self.text()).into())
    }
}

/// A value that is too long is cut: equal values stay equal, so their order is kept; different ones may meet.
fn shortened(value: Cow<'_, str>) -> Cow<'_, str> {
    let mut units = 0;
    let cut = value.char_indices().find(|(_, found)| {
        units += found.len_utf16();
        units > MAX_UNITS
    });
    match (cut, value) {
        (None, value) => value,
        (Some((at, _)), Cow::Borrowed(value)) => Cow::Borrowed(&value[..at]),
        (Some((at, _)), Cow::Owned(mut value)) => {
            value.truncate(at);
            Cow::Owned(value)
        }
    }
}

fn find<'a>(path: &str, json: &'a [u8]) -> Option<Cow<'a, str>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Find(path).deserialize(&mut deserializer).ok()?
}

/// Looks for what is left of the path; at its end for a value that can be a key.
#[derive(Clone, Copy)]
struct Find<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Find<'_> {
    fn scalar<'de>(self, value: impl FnOnce() -> Cow<'de, str>) -> Option<Cow<'de, str>> {
        self.0.is_empty().then(value)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let below = if found.is_some() || self.0.is_empty() {
                None
            } else {
                match self.0.strip_prefix(&*name) {
                    Some("") => Some(""),
                    Some(rest) => rest.strip_prefix('.').filter(|rest| !rest.is_empty()),
                    None => None,
                }
            };
            match below {
                Some(rest) => found = members.next_value_seed(Find(rest))?,
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(self.scalar(|| Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.scalar(|| Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.scalar(|| number.to_string().into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.scalar(|| number.to_string().into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.scalar(|| number.to_string().into()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(self.scalar(|| flag.to_string().into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, json: &str) -> Option<String> {
        find(path, json.as_bytes()).map(Cow::into_owned)
    }

    #[test]
    fn dots_nest_or_belong_to_the_name() {
        for json in [
            r#"{"a":{"b":{"c":"x"}}}"#,
            r#"{"a.b":{"c":"x"}}"#,
            r#"{"a":{"b.c":"x"}}"#,
            r#"{"a.b.c":"x"}"#,
            r#"{"a":7,"a.b":{"d":1},"a.b.c":"x","a.b.c":"y"}"#,
        ] {
            assert_eq!(found("a.b.c", json).as_deref(), Some("x"), "{json}");
        }
        for json in [
            r#"{"a":{"b":"x"}}"#,
            r#"{"a":{"b":{"c":{"c":"x"}}}}"#,
            r#"{"a":[{"b":{"c":"x"}}]}"#,
            r#"{"a":{"b":{"c":null}}}"#,
            r#"{"a":{"b":{"c":["x"]}}}"#,
            r#"{"ab":{"c":"x"}}"#,
            r#"{"a.b.c":"#,
            r#""a.b.c""#,
            "{}",
        ] {
            assert_eq!(found("a.b.c", json), None, "{json}");
        }
    }

    #[test]
    fn what_is_no_text_is_a_key_by_its_text() {
        for (value, text) in [
            ("7", "7"),
            ("-7", "-7"),
            ("1.5", "1.5"),
            ("true", "true"),
            ("\"a\\\"\\u00e4\"", "a\"ä"),
        ] {
            assert_eq!(
                found("k", &format!("{{\"k\":{value}}}")).as_deref(),
                Some(text),
                "{value}"
            );
        }
    }

    #[test]
    fn a_long_value_is_cut_between_two_characters() {
        let cut = |text: &str| shortened(Cow::Borrowed(text)).into_owned();
        assert_eq!(cut(&"a".repeat(256)), "a".repeat(256));
        assert_eq!(cut(&"a".repeat(257)), "a".repeat(256));
        assert_eq!(cut(&"ä".repeat(300)), "ä".repeat(256));
        // Two code units each: 128 of them fit, and none in half.
        assert_eq!(cut(&"\u{1f600}".repeat(200)), "\u{1f600}".repeat(128));
        assert_eq!(
            cut(&format!("a{}", "\u{1f600}".repeat(200))),
            format!("a{}", "\u{1f600}".repeat(127))
        );
    }
}
