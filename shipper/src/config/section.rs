//! Keys and values with their places: what a TOML file and a stanza have in common. Pure.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Problem};
use super::place::{Lines, Place};

/// A table of keys.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// For messages: `[spool]`.
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) place: Place,
    /// In no order that matters; each key once.
    pub(crate) entries: Vec<Entry>,
}

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The name by which it is read.
    pub(crate) key: String,
    /// The name that the user wrote, for messages.
    pub(crate) written: String,
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// What a key is set to.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A stanza's value: text that may be meant as a number, a switch or a list.
    Word(String),
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Value>),
    Table(Section),
    /// Tables of one name, `[[destination]]`.
    Tables(Vec<Section>),
}

impl Section {
    pub(crate) fn empty(name: &str, place: &Place) -> Self {
        Self {
            name: name.to_owned(),
            place: place.clone(),
            entries: Vec::new(),
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// An error about the value of `key`, at its place and under the name that the user wrote.
    pub(crate) fn refuse(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        let written = self.entry(key).map_or(key, |entry| &entry.written);
        ConfigError::value(self.place_of(key), written, reason)
    }

    /// The place of `key`, or of the section when the key is not there.
    pub(crate) fn place_of(&self, key: &str) -> &Place {
        self.entry(key).map_or(&self.place, |entry| &entry.place)
    }

    /// The text of `key`, when it is text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.entry(key)?.value {
            Value::Word(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes the entries out whose keys are in `keys`.
    pub(crate) fn split(&mut self, keys: &[&str]) -> Self {
        let (taken, left) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| keys.contains(&entry.key.as_str()));
        self.entries = left;
        Self {
            name: self.name.clone(),
            place: self.place.clone(),
            entries: taken,
        }
    }

    /// An error for each key that is not in `known`.
    pub(crate) fn unknown_keys(&self, known: &[&str]) -> Vec<ConfigError> {
        self.entries
            .iter()
            .filter(|entry| !known.contains(&entry.key.as_str()))
            .map(|entry| ConfigError::unknown_key(&entry.place, &entry.written, &self.name, known))
            .collect()
    }
}

/// Reads TOML. What cannot be understood is an error, and the rest is returned: a broken line must not hide the others.
pub(crate) fn of_toml(text: &str, place: &Place) -> (Section, Vec<ConfigError>) {
    let lines = Lines::of(text, place.clone());
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors
        .iter()
        .map(|error| {
            let place = error
                .span()
                .map_or_else(|| place.clone(), |span| lines.at(span.start));
            let reason = error.message().lines().collect::<Vec<_>>().join(", ");
            ConfigError::new(&place, Problem::Syntax(format!("not TOML: {reason}")))
        })
        .collect();
    let section = table_of("the file", place, table.get_ref(), &lines);
    (section, errors)
}

fn table_of(name: &str, place: &Place, table: &DeTable<'_>, lines: &Lines<'_>) -> Section {
    let entries = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            written: key.get_ref().to_string(),
            value: value_of(key.get_ref(), value, lines),
            place: lines.at(key.span().start),
        })
        .collect();
    Section {
        name: name.to_owned(),
        place: place.clone(),
        entries,
    }
}

// Recursion is bounded: the TOML parser refuses values that are nested deeper than its own limit.
fn value_of(key: &str, value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        // An integer of another radix or beyond 64 bits is kept as what was written, and refused where it is read.
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Text(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::Text(number.to_string()),
        },
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
        DeValue::Array(array) => {
            let tables: Vec<Section> = array
                .iter()
                .filter_map(|value| {
                    let place = lines.at(value.span().start);
                    let table = value.get_ref().as_table()?;
                    Some(table_of(&format!("[[{key}]]"), &place, table, lines))
                })
                .collect();
            if !array.is_empty() && tables.len() == array.len() {
                Value::Tables(tables)
            } else {
                Value::List(array.iter().map(|value| value_of(key, value, lines)).collect())
            }
        }
        DeValue::Table(table) => {
            let place = lines.at(value.span().start);
            Value::Table(table_of(&format!("[{key}]"), &place, table, lines))
        }
    }
}
