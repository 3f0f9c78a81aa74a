//! A stanza of the host's configuration: flat keys in any case, everything for one destination, or `Config_File`. Pure.
//!
//! The host keeps some names for itself and never shows them to a plugin; no key of ours has such a name (a test holds
//! that). `name` is one of them, so a stanza's destination has no name of its own.

use super::de::fields_of;
use super::document::{Concerns, Document, Misplaced};
use super::error::{ConfigError, Problem};
use super::kind;
use super::place::Place;
use super::raw;
use super::section::{Entry, Section, Value};
use crate::destination::KindConfig;

/// A stanza's keys that stand in another table, or under another name, than in TOML.
const MOVED: [(&str, Table, &str); 13] = [
    ("shipper", Table::Top, "shipper"),
    ("id_key", Table::Top, "id_key"),
    ("time_key", Table::Top, "time_key"),
    ("category_key", Table::Top, "category_key"),
    ("spool", Table::Spool, "path"),
    ("id", Table::Spool, "id"),
    ("max_bytes", Table::Spool, "max_bytes"),
    ("retain", Table::Spool, "retain"),
    ("on_full", Table::Spool, "on_full"),
    ("excluded_categories", Table::Exclude, "categories"),
    ("audit_log_excluded_categories", Table::Exclude, "categories"),
    ("destination", Table::Destination, "type"),
    ("destination_id", Table::Destination, "id"),
];

/// Keys that may stand beside `Config_File`: enough to spool when the file cannot be read.
const BESIDE_FILE: [&str; 3] = ["shipper", "spool", "id"];

/// The stanza's key for a TOML file.
pub(crate) const CONFIG_FILE: &str = "config_file";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Top,
    Spool,
    Exclude,
    Destination,
}

/// One key of a stanza as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever reads the host's files")]
pub struct Property {
    /// The key, in any case.
    pub key: String,
    /// The value, `${NAME}` already expanded.
    pub value: String,
    /// Where it stands.
    pub place: Place,
}

/// Every key that a stanza may have, for whatever kind of destination.
pub fn keys() -> Vec<&'static str> {
    let moved = MOVED.iter().map(|(name, ..)| *name);
    let common = fields_of::<raw::Destination>().iter().copied();
    let common = common.filter(|key| !["id", "type", "name"].contains(key));
    let own = KindConfig::KINDS
        .iter()
        .filter_map(|kind| KindConfig::keys(kind))
        .flatten();
    let mut keys: Vec<&str> = moved.chain([CONFIG_FILE]).chain(common).chain(own).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Reads every known key through the host's look-up. There is no way to list what the user wrote.
pub(crate) fn look_up(lookup: &dyn Fn(&str) -> Option<String>, place: &Place) -> Vec<Property> {
    keys()
        .into_iter()
        .filter_map(|key| {
            Some(Property {
                key: key.to_owned(),
                value: lookup(key)?,
                place: place.clone(),
            })
        })
        .collect()
}

/// The value of `Config_File`, when it is there.
pub(crate) fn config_file(properties: &[Property]) -> Option<&Property> {
    properties
        .iter()
        .find(|property| property.key.eq_ignore_ascii_case(CONFIG_FILE))
}

/// Whether the stanza itself says where the spool is.
pub(crate) fn has_spool(properties: &[Property]) -> bool {
    properties
        .iter()
        .any(|property| property.key.eq_ignore_ascii_case("spool"))
}

/// Takes a stanza apart that has everything for one destination.
pub(crate) fn document(properties: &[Property], place: &Place) -> Document {
    let mut tables = Tables::at(place);
    for property in properties {
        tables.place(property);
    }
    tables.document()
}

/// Puts what stands beside `Config_File` into the file's document. Where both say something, they must agree.
pub(crate) fn beside_file(properties: &[Property], document: &mut Document) {
    for property in properties {
        let key = property.key.to_ascii_lowercase();
        if key == CONFIG_FILE {
            continue;
        }
        let known = MOVED
            .iter()
            .find(|(name, ..)| *name == key && BESIDE_FILE.contains(name));
        let Some((_, table, name)) = known else {
            let problem = format!(
                "`{}` has no effect beside `Config_File`: write it in that file, or leave `Config_File` out",
                property.key
            );
            let error = ConfigError::new(&property.place, Problem::Conflict(problem));
            let concerns = Concerns::Destinations;
            document.errors.push(Misplaced { error, concerns });
            continue;
        };
        let section = match table {
            Table::Spool => &mut document.spool,
            _ => &mut document.top,
        };
        match section.entry(name) {
            None => section.entries.push(entry(property, name)),
            Some(there) => {
                let same = section.text(name).is_some_and(|text| text == property.value);
                if !same {
                    let problem = format!(
                        "`{}` is `{}` here and something else at {}: let one of them say it",
                        property.key, property.value, there.place
                    );
                    let error = ConfigError::new(&property.place, Problem::Conflict(problem));
                    let concerns = Concerns::Spool;
                    document.errors.push(Misplaced { error, concerns });
                }
            }
        }
    }
}

fn entry(property: &Property, key: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        written: property.key.clone(),
        value: Value::Word(property.value.clone()),
        place: property.place.clone(),
    }
}

struct Tables {
    top: Section,
    spool: Section,
    exclude: Section,
    destination: Section,
    errors: Vec<Misplaced>,
}

impl Tables {
    fn at(place: &Place) -> Self {
        let section = || Section::empty("the stanza", place);
        Self {
            top: section(),
            spool: section(),
            exclude: section(),
            destination: section(),
            errors: Vec::new(),
        }
    }

    fn place(&mut self, property: &Property) {
        let key = property.key.to_ascii_lowercase();
        let moved = MOVED.iter().find(|(name, ..)| *name == key);
        let (table, name) = moved.map_or((Table::Destination, key.as_str()), |(_, table, name)| {
            (*table, *name)
        });
        let section = match table {
            Table::Top => &mut self.top,
            Table::Spool => &mut self.spool,
            Table::Exclude => &mut self.exclude,
            Table::Destination => &mut self.destination,
        };
        match section.entry(name) {
            None => section.entries.push(entry(property, name)),
            Some(there) => {
                let problem = format!(
                    "`{}` is already set by `{}`: leave one of them out",
                    property.key, there.written
                );
                let error = ConfigError::new(&property.place, Problem::Conflict(problem));
                let concerns = match table {
                    Table::Destination => Concerns::Destinations,
                    _ => Concerns::Spool,
                };
                self.errors.push(Misplaced { error, concerns });
            }
        }
    }

    fn document(mut self) -> Document {
        let destinations = if self.destination.entries.is_empty() {
            Vec::new()
        } else {
            self.destination.name = match self.destination.text("type") {
                Some(kind) => format!("a stanza with `Destination {kind}`"),
                None => format!("a stanza with `Destination {}`, the default", kind::DEFAULT),
            };
            vec![self.destination]
        };
        Document {
            top: self.top,
            spool: self.spool,
            exclude: self.exclude,
            destinations,
            errors: self.errors,
        }
    }
}
