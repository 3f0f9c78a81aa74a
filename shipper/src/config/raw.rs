//! The keys as they are written: one struct a table, one field a key. [`super::validate`] makes sense of the values.
//!
//! A field here is a key of TOML; which of them a stanza has, and under which name, is in [`super::stanza`].

use std::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::quantity::{Age, ByteSize, NotQuantity, Share};
use crate::selection::RawRules;

/// The keys above the first table.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Top {
    /// Who ships: `embedded` (the plugin itself, default) or `external` (`auditship run`).
    pub(crate) shipper: Option<Shipper>,
    /// Dotted path of the record's id; default `event.id`.
    pub(crate) id_key: Option<String>,
    /// Dotted path of the event time; default `@timestamp`.
    pub(crate) time_key: Option<String>,
    /// Dotted path of the categories; default `event.category`.
    pub(crate) category_key: Option<String>,
}

/// `[spool]`
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Spool {
    /// The spool's directory, absolute.
    pub(crate) path: Option<String>,
    /// The spool's and the instance's stable id; default `auditship`.
    pub(crate) id: Option<String>,
    /// A size or a share of the filesystem; default 10 GiB or 10 %, whichever is less.
    pub(crate) max_bytes: Option<MaxBytes>,
    /// How long delivered records are kept to be replayed; default `30d`.
    pub(crate) retain: Option<Age>,
    /// What gives way when undelivered records fill the spool: `refuse` (default) or `drop_oldest`.
    pub(crate) on_full: Option<OnFull>,
    /// How blocks are compressed: `zstd` (default), `gzip` or `none`.
    pub(crate) compression: Option<Compression>,
}

/// `[exclude]`
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Exclude {
    /// Names of ECS categories; `auth` is `authentication`.
    pub(crate) categories: Option<Vec<String>>,
}

/// `[[destination]]`: what every kind has.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Destination {
    /// Its stable id.
    pub(crate) id: Option<String>,
    /// Its kind.
    #[serde(rename = "type")]
    #[expect(
        dead_code,
        reason = "read by name before the rest, because it says which keys the rest may have"
    )]
    pub(crate) kind: Option<String>,
    /// For people.
    pub(crate) name: Option<String>,
    /// For people.
    pub(crate) description: Option<String>,
    /// For people.
    pub(crate) tags: Option<Vec<String>>,
    /// `active` (default) or `inactive`; a desired-state file beats it.
    pub(crate) initial_state: Option<InitialState>,
    /// Which records it gets: those for which one of these rules holds.
    pub(crate) include: Option<RawRules>,
    /// Which records it does not get.
    pub(crate) exclude: Option<RawRules>,
    /// Uncompressed bytes after which a batch is closed.
    pub(crate) batch_max_bytes: Option<ByteSize>,
    /// Records after which a batch is closed.
    pub(crate) batch_max_records: Option<u32>,
    /// Age after which a batch is closed.
    pub(crate) batch_max_age: Option<Age>,
    /// The share of rejected records in a minute above which the destination is held; default `1%`.
    pub(crate) dead_letter_rate: Option<Share>,
}

/// See [`Top::shipper`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shipper {
    Embedded,
    External,
}

/// See [`Spool::on_full`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFull {
    Refuse,
    DropOldest,
}

/// See [`Spool::compression`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// See [`Destination::initial_state`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InitialState {
    Active,
    Inactive,
}

/// A size, or a share of the filesystem.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MaxBytes {
    Size(ByteSize),
    Share(Share),
}

impl FromStr for MaxBytes {
    type Err = NotQuantity;

    fn from_str(text: &str) -> Result<Self, NotQuantity> {
        if text.trim_end().ends_with('%') {
            return text.parse().map(Self::Share);
        }
        text.parse().map(Self::Size)
    }
}

impl<'de> Deserialize<'de> for MaxBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
