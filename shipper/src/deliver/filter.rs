//! Which records a destination gets. Pure.
//!
//! A record that is filtered is settled at once and counted `filtered`; it never enters a batch. The decision is made
//! once, when the record's batch is formed, and journalled: a changed filter holds for the records behind.

use crate::destination::Record;
use crate::exclude::Exclusion;
use crate::record::Categories;

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

/// Filters records of which every category is excluded: the exclusion of `auditship run`, where ingest is another's.
#[derive(Clone, Debug)]
pub struct ExcludeCategories(Exclusion);

impl ExcludeCategories {
    /// A filter for what `exclusion` excludes.
    pub fn new(exclusion: Exclusion) -> Self {
        Self(exclusion)
    }
}

impl RecordFilter for ExcludeCategories {
    fn decide(&self, record: &Record<'_>) -> Decision {
        if self.0.excludes(Categories::from_bits(record.entry.categories)) {
            Decision::Filter
        } else {
            Decision::Ship
        }
    }
}
