//! The keys of a kind's own: the one place where configuration meets [`crate::destination`]. Pure.

use std::path::Path;

use super::environment::Environment;
use super::error::{ConfigError, Problem};
use super::nearest::nearest;
use super::place::Place;
use super::section::{Entry, Section, Value};
use crate::destination::{self, KindConfig};

/// The kind that is meant when none is written.
pub(crate) const DEFAULT: &str = "file";

/// Why there is no such kind.
pub(crate) fn unknown(kind: &str) -> String {
    let known = KindConfig::KINDS.join(", ");
    match nearest(kind, KindConfig::KINDS.iter().copied()) {
        Some(nearest) => format!("there is no kind `{kind}`; did you mean `{nearest}`? There are {known}"),
        None => format!("there is no kind `{kind}`; there are {known}"),
    }
}

/// Reads the keys of a kind's own, all of which it knows.
pub(crate) fn read(kind: &str, own: &Section, environment: &Environment) -> Result<KindConfig, ConfigError> {
    let table = table_of(own);
    KindConfig::from_table(kind, table.clone(), environment).map_err(|error| match &error {
        destination::ConfigError::Missing { key, expected } => ConfigError::new(
            &own.place,
            Problem::Missing {
                key: (*key).to_owned(),
                section: own.name.clone(),
                hint: (*expected).to_owned(),
            },
        ),
        destination::ConfigError::Invalid { key, problem } => own.refuse(key, problem.as_str()),
        other => own.refuse(
            guilty(kind, &table, environment).unwrap_or_default(),
            other.to_string(),
        ),
    })
}

/// The key whose value has the wrong type: the one that fails alone with the same kind of error.
fn guilty<'a>(kind: &str, table: &'a toml::Table, environment: &Environment) -> Option<&'a str> {
    table.iter().find_map(|(key, value)| {
        let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
        let error = KindConfig::from_table(kind, alone, environment).err()?;
        matches!(error, destination::ConfigError::Type { .. }).then_some(key.as_str())
    })
}

/// A destination's keys for a local directory.
pub(crate) fn local_directory(path: &Path, place: &Place) -> Section {
    let mut section = Section::empty("the default destination", place);
    section.entries.push(Entry {
        key: "path".to_owned(),
        written: "path".to_owned(),
        value: Value::Text(path.to_string_lossy().into_owned()),
        place: place.clone(),
    });
    section
}

fn table_of(section: &Section) -> toml::Table {
    section
        .entries
        .iter()
        .map(|entry| (entry.key.clone(), value_of(&entry.value)))
        .collect()
}

fn value_of(value: &Value) -> toml::Value {
    match value {
        Value::Word(text) | Value::Text(text) => toml::Value::String(text.clone()),
        Value::Integer(number) => toml::Value::Integer(*number),
        Value::Float(number) => toml::Value::Float(*number),
        Value::Boolean(value) => toml::Value::Boolean(*value),
        Value::List(values) => toml::Value::Array(values.iter().map(value_of).collect()),
        Value::Table(section) => toml::Value::Table(table_of(section)),
        Value::Tables(sections) => toml::Value::Array(
            sections
                .iter()
                .map(|section| toml::Value::Table(table_of(section)))
                .collect(),
        ),
    }
}
