//! Which records a destination gets. Pure.
//!
//! A record that is filtered is settled at once and counted `filtered`; it never enters a batch. The decision is made
//! once, when the record's batch is formed, and journalled: a changed filter holds for the records behind.

use crate::destination::Record;
use crate::exclude::Exclusion;
use crate::record::Categories;
use crate::selection::Selection;

/// Decides which records go to a destination. What it looks at (categories, event time, the JSON) is all there.
pub trait RecordFilter: Send + Sync {
    /// Whether `record` goes or stays.
    fn decide(&self, record: &Record<'_>) -> Decision;
}

/// Whether a destination gets a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two cases")]
pub enum Decision {
    /// It gets it.
    Ship,
    /// It does not; the record is counted `filtered`.
    Filter,
}

/// Lets every record through.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "nothing to configure")]
pub struct ShipAll;

impl RecordFilter for ShipAll {
    fn decide(&self, _: &Record<'_>) -> Decision {
        Decision::Ship
    }
}

/// What is configured: the destination's own selection, and the exclusion of `auditship run`, where ingest is another's.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by configuration")]
pub struct Configured {
    /// Filters records of which every category is excluded.
    pub exclusion: Exclusion,
    /// Filters what it does not select.
    pub selection: Selection,
}

impl RecordFilter for Configured {
    fn decide(&self, record: &Record<'_>) -> Decision {
        let categories = Categories::from_bits(record.entry.categories);
        match !self.exclusion.excludes(categories) && self.selection.selects(categories, record.json) {
            true => Decision::Ship,
            false => Decision::Filter,
        }
    }
}
