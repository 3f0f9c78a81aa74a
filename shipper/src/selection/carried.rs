//! What a record carries in the fields that rules may name. Pure.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Field;

/// The values of one field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) texts: Vec<String>,
    /// Whether there is a value that is no text; `null` is no value.
    pub(super) others: bool,
}

/// The values of every field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Carried([Values; Field::ALL.len()]);

impl Carried {
    /// Those of a record. What is no JSON object carries nothing.
    pub(super) fn of(json: &[u8]) -> Self {
        let mut carried = Self::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        // A record of the spool is a JSON object; of another one what was found up to the fault counts.
        let _ = Level::Record.walk(&mut carried).deserialize(&mut deserializer);
        carried
    }

    pub(super) fn of_field(&self, field: Field) -> &Values {
        &self.0[field as usize]
    }
}

/// Where the walk is.
#[derive(Clone, Copy)]
enum Level {
    Record,
    /// In the record's `event`.
    Event,
    Value(Field),
}

impl Level {
    fn walk(self, carried: &mut Carried) -> Walk<'_> {
        Walk { level: self, carried }
    }

    /// What the member `name` is; `None` when nothing in it matters.
    fn member(self, name: &str) -> Option<Self> {
        let name = match self {
            Self::Record if name == "event" => return Some(Self::Event),
            Self::Record => name.strip_prefix("event.")?,
            Self::Event => name,
            Self::Value(_) => return None,
        };
        let (field, _) = Field::ALL.iter().find(|(_, known)| *known == name)?;
        Some(Self::Value(*field))
    }
}

struct Walk<'a> {
    level: Level,
    carried: &'a mut Carried,
}

impl Walk<'_> {
    fn other<E>(self) -> Result<(), E> {
        if let Level::Value(field) = self.level {
            self.carried.0[field as usize].others = true;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Level::Value(field) = self.level {
            self.carried.0[field as usize].others = true;
        }
        while let Some(name) = map.next_key::<Name>()? {
            match self.level.member(&name.0) {
                Some(level) => map.next_value_seed(level.walk(self.carried))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let Level::Value(_) = self.level {
            while seq.next_element_seed(self.level.walk(self.carried))?.is_some() {}
            return Ok(());
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if let Level::Value(field) = self.level {
            self.carried.0[field as usize].texts.push(text.to_owned());
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.other()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.other()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.other()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.other()
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);
