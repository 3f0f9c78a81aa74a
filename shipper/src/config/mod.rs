//! One validated [`Config`], from a TOML file or from a stanza of the host's configuration.
//!
//! # In scope
//! Names, types, ranges and places of keys; messages that say file, line, key and what to do; the nearest name for a
//! misspelt one. Secrets are read here (`env:NAME`, `file:PATH`), by [`crate::destination`].
//!
//! # Out of scope
//! Whether the spool can be opened, whether a destination answers, the host's own keys.
//!
//! # Invariants
//! 1. Both sources become one `document::Document`, are validated by one function and fail with the same words.
//! 2. No key is ignored: one that nobody reads is an error with its nearest name.
//! 3. The environment is an argument ([`Environment`]), and nothing here depends on the working directory.
//! 4. Where destinations are wrong but the spool is not, [`Strictness::HoldDestinations`] gives a `Config` that spools.
//!
//! # How text becomes a `Config`
//! ```text
//! TOML   ► section ┐
//!                  ├► document (tables) ► raw (one field a key) ► validate ► Config
//! stanza ► stanza  ┘
//! ```

mod de;
mod document;
pub mod environment;
pub mod error;
mod kind;
mod load;
pub mod nearest;
pub mod place;
pub mod quantity;
mod raw;
mod section;
pub mod stanza;
#[cfg(test)]
mod tests;
mod validate;

use std::path::PathBuf;
use std::time::Duration;

pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors, Problem};
pub use place::Place;
pub use quantity::{Age, ByteSize, Share};

pub use crate::spool::OnFull;

use crate::destination::{Compression, KindConfig};
use crate::exclude::Exclusion;
use crate::selection::Selection;
use crate::spool::WriterOptions;

/// Everything that is configured, checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Where and how records are kept.
    pub spool: SpoolConfig,
    /// The categories that are not kept.
    pub exclusion: Exclusion,
    /// Where a record has its id, time and categories.
    pub record: RecordKeys,
    /// Who ships.
    pub shipper: ShipperMode,
    /// Where records go. Ids are unique, over `held` too. Empty only when all are held or the shipper is external.
    pub destinations: Vec<DestinationConfig>,
    /// Destinations that cannot be used as they are written. Empty unless loaded with
    /// [`Strictness::HoldDestinations`].
    pub held: Vec<HeldDestination>,
}

/// `[spool]`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolConfig {
    /// The directory: an absolute path.
    pub path: PathBuf,
    /// The spool's and the instance's id.
    pub id: String,
    /// How large the spool may grow.
    pub max_bytes: MaxBytes,
    /// How long delivered records are kept to be replayed.
    pub retain: Duration,
    /// What gives way when undelivered records fill the spool.
    pub on_full: OnFull,
    /// How blocks are compressed.
    pub compression: Compression,
}

/// Where a record has what we read of it: dotted paths, which match nested maps as well as literal dotted keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordKeys {
    /// The event's id.
    pub id: String,
    /// The event's time.
    pub time: String,
    /// The event's categories.
    pub category: String,
}

impl RecordKeys {
    /// ECS's place for the id.
    pub const ID: &'static str = "event.id";
    /// ECS's place for the time.
    pub const TIME: &'static str = "@timestamp";
    /// ECS's place for the categories.
    pub const CATEGORY: &'static str = "event.category";
}

/// How large a spool may grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxBytes {
    /// 10 GiB, or 10 % of the filesystem when that is less.
    #[default]
    Auto,
    /// So many bytes.
    Size(ByteSize),
    /// A share of the filesystem.
    Share(Share),
}

impl MaxBytes {
    /// In bytes, on a filesystem of `total` bytes.
    pub fn on(self, total: u64) -> u64 {
        match self {
            Self::Auto => Share::percent(10).of(total).min(WriterOptions::DEFAULT_MAX_BYTES),
            Self::Size(size) => size.0,
            Self::Share(share) => share.of(total),
        }
    }
}

/// Who ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShipperMode {
    /// The process that writes the spool.
    Embedded,
    /// `auditship run`.
    External,
}

/// `[[destination]]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DestinationConfig {
    /// Stable: its cursor has this name.
    pub id: String,
    /// What it is, with the keys of its own.
    pub kind: KindConfig,
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub tags: Vec<String>,
    /// Before anybody asked for anything else.
    pub initial_state: InitialState,
    /// Which records it gets.
    pub selection: Selection,
    /// When a batch is closed.
    pub batch: BatchConfig,
    /// The share of rejected records in a minute above which the destination is held.
    pub dead_letter_rate: Share,
}

impl DestinationConfig {
    /// What `dead_letter_rate` is when nothing else is said.
    pub const DEFAULT_DEAD_LETTER_RATE: Share = Share::percent(1);

    /// A destination with defaults for everything that all kinds have.
    pub fn new(id: &str, kind: KindConfig) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            name: None,
            description: None,
            tags: Vec::new(),
            initial_state: InitialState::Active,
            selection: Selection::default(),
            batch: BatchConfig::default(),
            dead_letter_rate: Self::DEFAULT_DEAD_LETTER_RATE,
        }
    }
}

/// Whether a destination ships before anybody paused or resumed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitialState {
    /// It ships.
    Active,
    /// It waits to be resumed; records are kept for it.
    Inactive,
}

/// When a batch is closed. `None`: as the destination's own limits and default say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchConfig {
    /// Uncompressed bytes.
    pub max_bytes: Option<u64>,
    /// Records.
    pub max_records: Option<u32>,
    /// Since its first record could have been sent.
    pub max_age: Option<Duration>,
}

impl BatchConfig {
    /// The least `batch_max_bytes`: less only makes requests, no progress.
    pub const LEAST_MAX_BYTES: ByteSize = ByteSize(1 << 10);
}

impl SpoolConfig {
    /// The least `max_bytes`: a segment, its reserve and room to work.
    pub const LEAST_MAX_BYTES: ByteSize = ByteSize(16 << 20);

    /// A spool at `path`, an absolute path, with defaults for everything else.
    pub fn at(path: impl Into<PathBuf>, id: &str) -> Self {
        Self {
            path: path.into(),
            id: id.to_owned(),
            max_bytes: MaxBytes::Auto,
            retain: Self::DEFAULT_RETAIN,
            on_full: OnFull::Refuse,
            compression: Compression::Zstd,
        }
    }
}

/// A destination that waits for its configuration to be put right, while records are kept for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldDestination {
    /// Its id; `None` when the file could not be read so far that it has one: then every destination is held.
    pub id: Option<String>,
    /// What is wrong, for its status.
    pub error: ConfigErrors,
}

/// What a mistake in a destination leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strictness {
    /// Nothing starts: for a first start, where somebody watches.
    Strict,
    /// The destination is held and everything is spooled: for a hot reload, where a failed start ends the host. What
    /// concerns the spool itself (its path, id, exclusion) is an error all the same.
    HoldDestinations,
    /// A destination is held for what is wrong in its own block; everything else is an error: for a reload that may be
    /// left undone.
    HoldBlocks,
}
