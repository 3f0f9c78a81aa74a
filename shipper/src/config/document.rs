//! A configuration, taken apart into its tables but not yet understood: the same for TOML and for a stanza. Pure.

use super::de::fields_of;
use super::error::{ConfigError, Problem};
use super::place::Place;
use super::raw;
use super::section::{self, Section, Value};

/// The tables of one configuration.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) top: Section,
    pub(crate) spool: Section,
    pub(crate) exclude: Section,
    pub(crate) destinations: Vec<Section>,
    /// What could not be taken apart. Where an error concerns only destinations, they can be held for it.
    pub(crate) errors: Vec<Misplaced>,
}

/// An error with what it concerns.
#[derive(Debug)]
pub(crate) struct Misplaced {
    pub(crate) error: ConfigError,
    pub(crate) concerns: Concerns,
}

/// What an error makes impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concerns {
    /// Spooling: nothing can start.
    Spool,
    /// Shipping: records can be spooled meanwhile.
    Destinations,
}

const TABLES: [&str; 3] = ["spool", "exclude", "destination"];

impl Document {
    /// Takes TOML apart. Never fails as a whole: what is wrong is in `errors`.
    pub(crate) fn of_toml(text: &str, place: &Place) -> Self {
        let (mut top, syntax) = section::of_toml(text, place);
        let tables = top.split(&TABLES);
        let mut document = Self {
            top,
            spool: Section::empty("[spool]", place),
            exclude: Section::empty("[exclude]", place),
            destinations: Vec::new(),
            errors: Vec::new(),
        };
        for error in syntax {
            let concerns = table_at(&tables, &error.place);
            document.errors.push(Misplaced { error, concerns });
        }
        for entry in tables.entries {
            match (entry.key.as_str(), entry.value) {
                ("spool", Value::Table(section)) => document.spool = section,
                ("exclude", Value::Table(section)) => document.exclude = section,
                ("destination", Value::Tables(sections)) => document.destinations = sections,
                (key, _) => {
                    let (form, concerns) = match key {
                        "destination" => ("[[destination]]", Concerns::Destinations),
                        "spool" => ("[spool]", Concerns::Spool),
                        _ => ("[exclude]", Concerns::Spool),
                    };
                    let error = ConfigError::value(&entry.place, key, format!("write it as a table, {form}"));
                    document.errors.push(Misplaced { error, concerns });
                }
            }
        }
        document.find_unknown_keys();
        document
    }

    /// Stands for a file that cannot be read: no keys, and nothing can be shipped.
    pub(crate) fn unreadable(error: ConfigError, place: &Place) -> Self {
        let mut document = Self::of_toml("", place);
        let concerns = Concerns::Destinations;
        document.errors.push(Misplaced { error, concerns });
        document
    }

    /// Moves the keys that nobody reads from the tables that are the same for every destination into `errors`.
    fn find_unknown_keys(&mut self) {
        let with_tables: Vec<&str> = fields_of::<raw::Top>().iter().copied().chain(TABLES).collect();
        let known = [
            (&mut self.top, with_tables.as_slice(), Concerns::Destinations),
            (&mut self.spool, fields_of::<raw::Spool>(), Concerns::Spool),
            (&mut self.exclude, fields_of::<raw::Exclude>(), Concerns::Spool),
        ];
        for (section, known, concerns) in known {
            let unknown = section.unknown_keys(known);
            self.errors
                .extend(unknown.into_iter().map(|error| Misplaced { error, concerns }));
            *section = section.split(known);
        }
    }
}

/// What a syntax error makes impossible: that of the last table that begins before it.
fn table_at(tables: &Section, place: &Place) -> Concerns {
    let begins = tables.entries.iter().flat_map(|entry| match &entry.value {
        Value::Tables(sections) => sections
            .iter()
            .map(|section| (&section.place, "destination"))
            .collect(),
        Value::Table(section) => vec![(&section.place, entry.key.as_str())],
        _ => vec![(&entry.place, entry.key.as_str())],
    });
    let last = begins
        .filter(|(begin, _)| begin.line_number() <= place.line_number())
        .max_by_key(|(begin, _)| begin.line_number());
    match last {
        Some((_, "destination")) => Concerns::Destinations,
        _ => Concerns::Spool,
    }
}

/// The error for a key that must be there.
pub(crate) fn missing(section: &Section, key: &str, hint: &str) -> ConfigError {
    let problem = Problem::Missing {
        key: key.to_owned(),
        section: section.name.clone(),
        hint: hint.to_owned(),
    };
    ConfigError::new(&section.place, problem)
}
