//! From a [`Section`] to a struct that derives serde's `Deserialize`, with messages for people.
//!
//! One deserializer serves TOML and stanzas: a stanza's [`Value::Word`] becomes what the struct asks for (`on` a switch,
//! `5` a number, `a, b` a list), while TOML's values have a type of their own and must match.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{ConfigError, Problem};
use super::nearest::nearest;
use super::section::{Entry, Section, Value};

/// Reads `section` as a `T`. Keys that `T` has no field for must have been taken out before.
pub(crate) fn read<'de, T: Deserialize<'de>>(section: &'de Section) -> Result<T, ConfigError> {
    T::deserialize(SectionDeserializer(section)).map_err(|error| error.at(section))
}

/// The names of the fields that `T` reads, as serde knows them.
pub(crate) fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The answer is in `fields`; the deserializer has no value to give and always fails.
    let _ = T::deserialize(FieldNames(&mut fields));
    fields
}

/// A message that does not know its key yet.
#[derive(Debug)]
struct Failure {
    key: Option<String>,
    what: What,
}

#[derive(Debug)]
enum What {
    Reason(String),
    Missing(&'static str),
}

impl Failure {
    fn of(reason: impl Into<String>) -> Self {
        Self {
            key: None,
            what: What::Reason(reason.into()),
        }
    }

    /// The outermost key wins: its place is the one that is known.
    fn in_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    fn at(self, section: &Section) -> ConfigError {
        match self.what {
            What::Reason(reason) => section.refuse(&self.key.unwrap_or_default(), reason),
            What::Missing(field) => ConfigError::new(
                &section.place,
                Problem::Missing {
                    key: field.to_owned(),
                    section: section.name.clone(),
                    hint: "it has no default".to_owned(),
                },
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Reason(reason) => f.write_str(reason),
            What::Missing(field) => write!(f, "`{field}` is missing"),
        }
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(message.to_string())
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // serde's words for what TOML calls otherwise.
        let expected = match expected.to_string() {
            sequence if sequence == "a sequence" => "a list".to_owned(),
            other => other,
        };
        Self::of(format!("{unexpected} is not {expected}"))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::of(format!("{unexpected} is not {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known = expected.join(", ");
        Self::of(match nearest(variant, expected.iter().copied()) {
            Some(nearest) => format!("`{variant}` is not one of {known}; did you mean `{nearest}`?"),
            None => format!("`{variant}` is not one of {known}"),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            key: None,
            what: What::Missing(field),
        }
    }
}

struct SectionDeserializer<'de>(&'de Section);

impl<'de> Deserializer<'de> for SectionDeserializer<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_map(Keys {
            entries: self.0.entries.iter(),
            current: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Keys<'de> {
    entries: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Keys<'de> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        self.current = self.entries.next();
        let key: Option<StrDeserializer<'_, Failure>> =
            self.current.map(|entry| entry.key.as_str().into_deserializer());
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let Some(entry) = self.current else {
            return Err(Failure::of("a value was asked for before its key"));
        };
        seed.deserialize(ValueDeserializer(&entry.value))
            .map_err(|failure| failure.in_key(&entry.key))
    }
}

struct ValueDeserializer<'de>(&'de Value);

impl<'de> ValueDeserializer<'de> {
    fn word(&self) -> Option<&'de str> {
        match self.0 {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }

    /// A stanza's word as a number, for whatever integer the struct has.
    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let number = match self.0 {
            Value::Integer(number) => *number,
            Value::Word(word) => word
                .parse()
                .map_err(|_| Failure::of(format!("`{word}` is not a whole number")))?,
            _ => return Err(Failure::of("it must be a whole number, without quotes or a unit")),
        };
        visitor
            .visit_i64(number)
            .map_err(|_: Failure| Failure::of(format!("{number} is out of range")))
    }
}

macro_rules! numbers {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            self.number(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            Value::Word(text) | Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::List(values) => visitor.visit_seq(Items(values.iter())),
            Value::Table(section) => SectionDeserializer(section).deserialize_any(visitor),
            Value::Tables(sections) => visitor.visit_seq(Tables(sections.iter())),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.word().map(str::to_ascii_lowercase).as_deref() {
            None => self.deserialize_any(visitor),
            Some("on" | "true" | "yes") => visitor.visit_bool(true),
            Some("off" | "false" | "no") => visitor.visit_bool(false),
            Some(other) => Err(Failure::of(format!("`{other}` is not on or off"))),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.word() {
            None => self.deserialize_any(visitor),
            Some(word) => visitor.visit_seq(Parts(word.split(','))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let folded;
        let text = match self.0 {
            // The host's users write values in any case.
            Value::Word(word) => {
                folded = word.to_ascii_lowercase();
                &folded
            }
            Value::Text(text) => text,
            _ => return Err(Failure::of(format!("write one of {}", variants.join(", ")))),
        };
        let text: StrDeserializer<'_, Failure> = text.as_str().into_deserializer();
        text.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Value>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.0
            .next()
            .map(|value| seed.deserialize(ValueDeserializer(value)))
            .transpose()
    }
}

struct Tables<'de>(std::slice::Iter<'de, Section>);

impl<'de> SeqAccess<'de> for Tables<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.0
            .next()
            .map(|section| seed.deserialize(SectionDeserializer(section)))
            .transpose()
    }
}

/// The parts of `a, b`; a trailing comma adds nothing.
struct Parts<'de>(std::str::Split<'de, char>);

impl<'de> SeqAccess<'de> for Parts<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let part = self.0.by_ref().map(str::trim).find(|part| !part.is_empty());
        let part: Option<StrDeserializer<'_, Failure>> = part.map(IntoDeserializer::into_deserializer);
        part.map(|part| seed.deserialize(part)).transpose()
    }
}

/// Asks a struct for its fields.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Failure> {
        Err(Failure::of("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Failure> {
        *self.0 = fields;
        Err(Failure::of("only the names were asked for"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
