//! Which records of a batch stand in one request, and in which entry of it. Pure.
//!
//! # Invariants
//! 1. The plan is a function of the batch and the configuration: sending again and reading an answer after a crash find
//!    the same one.
//! 2. With `order = "partition_key"` all records of a field's value in a request are the first ones of the batch that have
//!    it, in the order of the spool, and all in **one** entry. An entry is stored as a whole or fails as a whole, the lane
//!    has one request on its way, and what is left out or failed goes first the next time: so no record is stored before
//!    one of its key that came in earlier, whatever order the service gives to a request's entries (it promises none).
//!    Beside the order are only records that the service has refused by themselves, replays, and dead letters that are
//!    sent again.
//! 3. A request has at most [`MAX_ENTRIES`] entries. What does not fit is left out, and goes with the next.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as At;

use super::key::Key;
use super::limits::{AGGREGATE, MAX_ENTRIES};
use super::{Aggregation, Config, Order};
use crate::destination::Record;

/// One record of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) key: Key<'a>,
    /// The places in the batch of what is in it.
    pub(super) places: Vec<usize>,
    /// Of data and key, as the service counts them.
    pub(super) bytes: u64,
}

/// The entries of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    pub(super) entries: Vec<Entry<'a>>,
}

/// Where the next record of a group may go.
#[derive(Clone, Copy)]
enum Group {
    /// Into this entry, while there is room.
    In(usize),
    /// Not into this request: one of it was left out.
    LeftOut,
}

/// Records that may share an entry: those with one value of the field, and those without one.
#[derive(PartialEq, Eq, Hash)]
enum Name<'a> {
    Field(Cow<'a, str>),
    Own,
}

impl<'a> Plan<'a> {
    pub(super) fn new(config: &Config, records: &[Record<'a>]) -> Self {
        let mut plan = Self::default();
        let mut groups = HashMap::new();
        for (place, record) in records.iter().enumerate() {
            let key = Key::of(config.partition_key.as_deref(), record);
            let (name, ordered) = match &key {
                Key::Field(value) => (Name::Field(value.clone()), config.order == Order::PartitionKey),
                Key::Own(_) => (Name::Own, false),
            };
            let data = data_bytes(record);
            let group = groups.entry(name);
            let last = match &group {
                At::Occupied(group) => Some(*group.get()),
                At::Vacant(_) => None,
            };
            let next = match last {
                Some(Group::LeftOut) => continue,
                Some(Group::In(at))
                    if config.aggregation == Aggregation::Ndjson && plan.append(at, place, data) =>
                {
                    continue;
                }
                Some(Group::In(_)) if ordered => Group::LeftOut,
                _ if plan.entries.len() == MAX_ENTRIES as usize => Group::LeftOut,
                _ => {
                    plan.entries.push(Entry {
                        bytes: data + key.text().len() as u64,
                        places: vec![place],
                        key,
                    });
                    Group::In(plan.entries.len() - 1)
                }
            };
            group.insert_entry(next);
        }
        plan
    }

    /// Puts a record into an entry if there is room.
    fn append(&mut self, at: usize, place: usize, data: u64) -> bool {
        let Some(entry) = self
            .entries
            .get_mut(at)
            .filter(|entry| entry.bytes + data <= AGGREGATE)
        else {
            return false;
        };
        entry.bytes += data;
        entry.places.push(place);
        true
    }
}

/// A record's JSON and a newline.
pub(super) fn data_bytes(record: &Record<'_>) -> u64 {
    record.json.len() as u64 + 1
}
