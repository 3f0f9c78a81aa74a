//! The last records' keys: what tells a record that is handed over twice. Pure: memory only.
//!
//! # Invariants
//! 1. After a commit the window holds the keys of the last [`Window::DEFAULT_CAPACITY`] written records, in order, those
//!    without an id included (they count, but are never asked for).
//! 2. An entry is *entered* (its record is in a draft), then *appended* (its record is written), then *committed* (its
//!    record is synced). What becomes void is taken back exactly: [`Window::forget_entered`] after a refused draft,
//!    [`Window::roll_back`] after a failed sync. A key that stayed would make the host's repetition a duplicate of a
//!    record that does not exist: a loss.
//! 3. Eviction happens at commit only, so taking back needs no memory of what was evicted.
//! 4. Every operation is O(1), also when all records share one id: the id's table knows only the newest entry.
//!
//! Used by the one thread that writes.

mod restore;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

pub(crate) use self::restore::Restoring;
use super::identity::Key;
use crate::ingest::{KeyWindow, Seen};

/// One record of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: Key,
    /// 0 for a record without an id.
    id_hash: u64,
}

impl Entry {
    /// Where it is looked for in the table of keys. A key is a piece of a BLAKE3 output: any bytes of it are a hash.
    fn of_key(&self) -> u32 {
        let [a, b, c, d, ..] = self.key.0;
        u32::from_le_bytes([a, b, c, d])
    }

    /// Where it is looked for in the table of ids, whose hashes are made so too.
    fn of_id(&self) -> u32 {
        self.id_hash as u32
    }
}

/// Where an entry is: its number since the window was made, cut to 32 bits. The window is far shorter than that.
type Number = u32;

/// The window.
#[derive(Debug)]
pub struct Window {
    capacity: usize,
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    base: Number,
    /// For entries with an id: key → number.
    keys: HashTable<Number>,
    /// id hash → number of the newest entry with it.
    ids: HashTable<Number>,
    committed: usize,
    appended: usize,
    /// For each entry after `committed`: which number its id hash had before.
    displaced: VecDeque<Option<Number>>,
}

impl Window {
    /// How many records a spool's window holds.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// An empty window over the last `capacity` records.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: VecDeque::new(),
            base: 0,
            keys: HashTable::new(),
            ids: HashTable::new(),
            committed: 0,
            appended: 0,
            displaced: VecDeque::new(),
        }
    }

    /// How many records' keys it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys of the newest `count` records that are appended, oldest first.
    pub(crate) fn newest(&self, count: usize) -> impl ExactSizeIterator<Item = (Key, u64)> {
        let start = self.appended.saturating_sub(count);
        self.entries
            .range(start..self.appended)
            .map(|entry| (entry.key, entry.id_hash))
    }

    /// Whether exactly `keys` have been entered since the last append.
    pub(crate) fn has_entered(&self, keys: impl ExactSizeIterator<Item = (Key, u64)>) -> bool {
        let entered = self.entries.range(self.appended..);
        entered.len() == keys.len()
            && entered
                .zip(keys)
                .all(|(entry, key)| (entry.key, entry.id_hash) == key)
    }

    /// What was entered is written.
    pub(crate) fn append(&mut self) {
        self.appended = self.entries.len();
    }

    /// What was entered and not appended is void.
    pub(crate) fn forget_entered(&mut self) {
        self.shorten(self.appended);
    }

    /// What was appended is synced.
    pub(crate) fn commit(&mut self) {
        for _ in self.committed..self.appended {
            self.displaced.pop_front();
        }
        self.committed = self.appended;
        while self.committed > self.capacity {
            self.evict();
        }
    }

    /// Everything since the last commit is void.
    pub(crate) fn roll_back(&mut self) {
        self.shorten(self.committed);
        self.appended = self.committed;
    }

    /// Enters a record; `id_hash` is 0 without an id.
    pub(crate) fn insert(&mut self, key: Key, id_hash: u64) {
        self.make_room();
        let number = self.base.wrapping_add(self.entries.len() as Number);
        let entry = Entry { key, id_hash };
        self.entries.push_back(entry);
        let mut displaced = None;
        if id_hash != 0 {
            let (entries, base) = (&self.entries, self.base);
            let at = |number: Number| entries[number.wrapping_sub(base) as usize];
            match self.keys.entry(
                spread(entry.of_key()),
                |other| at(*other).key == key,
                |other| spread(at(*other).of_key()),
            ) {
                // Only ingest that writes a duplicate on purpose comes here; the older entry keeps the place.
                Slot::Occupied(_) => {}
                Slot::Vacant(slot) => {
                    slot.insert(number);
                }
            }
            match self.ids.entry(
                spread(entry.of_id()),
                |other| at(*other).id_hash == id_hash,
                |other| spread(at(*other).of_id()),
            ) {
                Slot::Occupied(mut slot) => displaced = Some(std::mem::replace(slot.get_mut(), number)),
                Slot::Vacant(slot) => {
                    slot.insert(number);
                }
            }
        }
        self.displaced.push_back(displaced);
    }

    fn shorten(&mut self, len: usize) {
        while self.entries.len() > len {
            let number = self.base.wrapping_add(self.entries.len() as Number - 1);
            let Some(entry) = self.entries.pop_back() else {
                return;
            };
            // What was displaced may have been evicted since.
            let displaced = self
                .displaced
                .pop_back()
                .flatten()
                .filter(|before| (before.wrapping_sub(self.base) as usize) < self.entries.len());
            if entry.id_hash == 0 {
                continue;
            }
            if let Ok(slot) = self
                .keys
                .find_entry(spread(entry.of_key()), |other| *other == number)
            {
                slot.remove();
            }
            if let Ok(mut slot) = self
                .ids
                .find_entry(spread(entry.of_id()), |other| *other == number)
            {
                match displaced {
                    Some(before) => *slot.get_mut() = before,
                    None => {
                        slot.remove();
                    }
                }
            }
        }
    }

    fn evict(&mut self) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        let number = self.base;
        self.base = self.base.wrapping_add(1);
        self.committed -= 1;
        self.appended -= 1;
        if entry.id_hash == 0 {
            return;
        }
        if let Ok(slot) = self
            .keys
            .find_entry(spread(entry.of_key()), |other| *other == number)
        {
            slot.remove();
        }
        if let Ok(slot) = self
            .ids
            .find_entry(spread(entry.of_id()), |other| *other == number)
        {
            slot.remove();
        }
    }

    /// Grows by an eighth, not by doubling: a full window has 24 MB of entries, which nobody wants to have twice.
    fn make_room(&mut self) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact((self.entries.len() / 8).max(1024));
        }
    }
}

impl KeyWindow for Window {
    fn see(&mut self, key: Key, id_hash: u64) -> Seen {
        let entry = Entry { key, id_hash };
        let is_it = |other: &Number| self.at(*other).key == key;
        if self.keys.find(spread(entry.of_key()), is_it).is_some() {
            return Seen::Duplicate;
        }
        let is_it = |other: &Number| self.at(*other).id_hash == id_hash;
        let conflict = self.ids.find(spread(entry.of_id()), is_it).is_some();
        self.insert(key, id_hash);
        if conflict { Seen::Conflict } else { Seen::New }
    }

    fn enter(&mut self, key: Key) {
        self.insert(key, 0);
    }
}

impl Window {
    fn at(&self, number: Number) -> Entry {
        self.entries[number.wrapping_sub(self.base) as usize]
    }
}

/// A hash for the tables, which look at the lower and at the highest bits. Half of a full one is enough for a million
/// entries, and half as much to carry around.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
