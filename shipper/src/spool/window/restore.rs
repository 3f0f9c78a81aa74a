//! A window from the keys that are on the disk: all entries first, then each table at once.
//!
//! A million keys are put into tables of several megabytes. In the order of the records nearly each would wait for memory
//! that is in no cache; so they are put in the order of their places, roughly: in [`PARTS`] heaps, each for a piece of the
//! table that the cache holds.

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::{Entry, Number, Window, spread};
use crate::spool::identity::Key;

/// How many pieces a table is filled in: a power of two. Of a full window's tables each has 40 KB.
const PARTS: usize = 256;

/// A window that is being restored. It tells nothing yet.
#[derive(Debug)]
pub(crate) struct Restoring {
    capacity: usize,
    entries: VecDeque<Entry>,
}

impl Restoring {
    /// For a window over the last `capacity` records, of which there were `records` in all.
    pub(crate) fn new(capacity: usize, records: u64) -> Self {
        let records = usize::try_from(records).unwrap_or(usize::MAX);
        let mut entries = VecDeque::new();
        // Growing on the way would move each of them several times.
        entries.reserve_exact(records.min(capacity));
        Self { capacity, entries }
    }

    /// Puts older records before all others: of `records`, the oldest first, as many of the newest as there is room for.
    pub(crate) fn older(&mut self, records: &[(Key, u64)]) {
        let room = self.capacity.saturating_sub(self.entries.len());
        let records = &records[records.len().saturating_sub(room)..];
        self.entries.reserve(records.len());
        for &(key, id_hash) in records.iter().rev() {
            self.entries.push_front(Entry { key, id_hash });
        }
    }

    /// Whether no older record has room.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.capacity
    }

    /// How many records' keys it holds.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The window. All of it is committed.
    pub(crate) fn finish(self) -> Window {
        let Self { capacity, entries } = self;
        let mut heaps = Vec::new();
        let mut filled = |hash: fn(&Entry) -> u32, same: fn(&Entry, &Entry) -> bool| {
            table(&entries, &mut heaps, hash, same)
        };
        let keys = filled(Entry::of_key, |one, other| one.key == other.key);
        let ids = filled(Entry::of_id, |one, other| one.id_hash == other.id_hash);
        let len = entries.len();
        Window {
            capacity,
            entries,
            base: 0,
            keys,
            ids,
            committed: len,
            appended: len,
            displaced: VecDeque::new(),
        }
    }
}

/// hash → number, of the entries with an id: the newest one where several are the same. `heaps` is room to work in.
fn table(
    entries: &VecDeque<Entry>,
    heaps: &mut Vec<(u32, Number)>,
    hash: fn(&Entry) -> u32,
    same: fn(&Entry, &Entry) -> bool,
) -> HashTable<Number> {
    let with_id = || entries.iter().filter(|entry| entry.id_hash != 0);
    let mut table = HashTable::with_capacity(with_id().count());
    // The table's length is a power of two, and a place is looked for first at the hash's lower bits. Were it not so,
    // this would be slower and nothing else.
    let places = table.capacity().next_power_of_two();
    let part = |hash: u32| (hash as usize & (places - 1)) / places.div_ceil(PARTS);
    let mut starts = [0_usize; PARTS];
    for entry in with_id() {
        starts[part(hash(entry))] += 1;
    }
    let mut total = 0;
    for start in &mut starts {
        total += std::mem::replace(start, total);
    }
    heaps.clear();
    heaps.resize(total, (0, 0));
    for (nth, entry) in entries.iter().enumerate().rev() {
        if entry.id_hash != 0 {
            let hash = hash(entry);
            let next = &mut starts[part(hash)];
            heaps[*next] = (hash, nth as Number);
            *next += 1;
        }
    }
    let at = |number: Number| &entries[number as usize];
    for &(place, number) in &*heaps {
        // The newest comes first in its heap.
        let is_it = |other: &Number| same(at(*other), at(number));
        let slot = table.entry(spread(place), is_it, |other| spread(hash(at(*other))));
        if let Slot::Vacant(slot) = slot {
            slot.insert(number);
        }
    }
    table
}
