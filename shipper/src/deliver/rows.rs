//! The records of one batch, owned. Pure.

use std::ops::Range;

use crate::destination::{Bounds, Record};
use crate::spool::cursor::{Disposition, Settled};
use crate::spool::draft::TableEntry;
use crate::spool::identity::RecordId;

/// Records with their places in a journal entry. The JSON lies in one buffer, so that a batch is two allocations.
#[derive(Debug, Default)]
pub(super) struct Rows {
    json: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    place: u32,
    id: RecordId,
    entry: TableEntry,
    json: Range<usize>,
}

impl Rows {
    /// Adds the record at `place`; places are added in order.
    pub(super) fn push(&mut self, place: u32, record: &Record<'_>) {
        let start = self.json.len();
        self.json.extend_from_slice(record.json);
        self.rows.push(Row {
            place,
            id: record.id,
            entry: *record.entry,
            json: start..self.json.len(),
        });
    }

    /// The records of `range` that are pending in `settled`: what a request for the range holds.
    pub(super) fn pending(&self, range: &Range<u32>, settled: &Settled) -> Vec<Record<'_>> {
        self.inside(range)
            .iter()
            .filter(|row| settled.disposition(row.place) == Some(Disposition::Pending))
            .map(|row| self.record(row))
            .collect()
    }

    /// Every record, with its place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Record<'_>)> {
        self.rows.iter().map(|row| (row.place, self.record(row)))
    }

    /// The record at `place`.
    pub(super) fn at(&self, place: u32) -> Option<Record<'_>> {
        self.inside(&(place..place.saturating_add(1)))
            .first()
            .map(|row| self.record(row))
    }

    fn inside(&self, range: &Range<u32>) -> &[Row] {
        let before = |end: u32| self.rows.partition_point(|row| row.place < end);
        &self.rows[before(range.start)..before(range.end)]
    }

    fn record<'a>(&'a self, row: &'a Row) -> Record<'a> {
        Record {
            id: row.id,
            entry: &row.entry,
            json: &self.json[row.json.clone()],
        }
    }
}

/// From where to where `records` go; `None` without a record.
pub(super) fn bounds(records: &[Record<'_>]) -> Option<Bounds> {
    let (first, last) = (records.first()?, records.last()?);
    let times = || records.iter().map(|record| record.entry.time);
    Some(Bounds {
        first: first.id,
        last: last.id,
        earliest: times().min()?,
        latest: times().max()?,
        count: u32::try_from(records.len()).ok()?,
    })
}
