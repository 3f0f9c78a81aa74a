//! Keys that repeat within one map: JSON readers keep one of them, so each further one gets a name of its own. Pure.
//!
//! The second `key` becomes `key#2`, the next `key#3`, past any name that is taken; should the source itself bring
//! `key#2` later, it repeats the new name and becomes `key#2#2`. Names are unique within a map in every case.
//!
//! Invariants: a map of up to [`SMALL`] keys costs one comparison of words for each pair of keys and no hashing; a larger
//! one is indexed by a keyed hash, so no input makes the search quadratic. Taken names are never tried twice for the
//! same key. Memory is bounded by the keys of the maps that are open.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// How many keys of a map are searched one by one.
const SMALL: usize = 16;

/// The keys of the maps that are open, outermost first.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<Name>,
    /// The fingerprint of each.
    prints: Vec<u64>,
    /// Places in `names` of all keys of open maps that outgrew `SMALL`.
    index: HashTable<usize>,
    hasher: RandomState,
    /// Texts that are not in the output in the form that is compared.
    aside: Vec<u8>,
}

/// One key, as JSON text without quotes and with the shortest escapes.
#[derive(Clone, Copy, Debug)]
struct Name {
    buffer: Buffer,
    start: usize,
    end: usize,
    /// The number to try next when the key repeats.
    next: u32,
}

/// Where a key's text stands.
#[derive(Clone, Copy, Debug)]
enum Buffer {
    Out,
    Aside,
}

/// Where an open map's keys begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    names: usize,
    aside: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            prints: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            aside: Vec::new(),
        }
    }
}

impl Names {
    /// Forgets all maps; needed after one was left open.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.prints.clear();
        self.index.clear();
        self.aside.clear();
    }

    /// Opens a map inside the one that is open.
    #[inline]
    pub(super) fn open(&self) -> Mark {
        Mark {
            names: self.names.len(),
            aside: self.aside.len(),
        }
    }

    /// Closes the map that was opened last.
    #[inline]
    pub(super) fn close(&mut self, mark: Mark, out: &[u8]) {
        if self.names.len() - mark.names > SMALL {
            self.unindex(mark, out);
        }
        self.names.truncate(mark.names);
        self.prints.truncate(mark.names);
        self.aside.truncate(mark.aside);
    }

    /// Enters the key that `out` ends with, from `start` on, and makes it longer when the map has that key already.
    #[inline]
    pub(super) fn enter(&mut self, mark: Mark, out: &mut Vec<u8>, start: usize) {
        let print = fingerprint(&out[start..]);
        let name = Name {
            buffer: Buffer::Out,
            start,
            end: out.len(),
            next: 2,
        };
        let open = &self.prints[mark.names..];
        if open.len() < SMALL && open.iter().all(|other| *other != print) {
            self.push(name, print);
        } else {
            self.enter_slowly(mark, out, name);
        }
    }

    /// As [`Names::enter`] for a key that stands in `out` with other escapes than the shortest; `canonical` has those.
    pub(super) fn enter_as(&mut self, mark: Mark, out: &mut Vec<u8>, canonical: &[u8]) {
        let start = self.aside.len();
        self.aside.extend_from_slice(canonical);
        let name = Name {
            buffer: Buffer::Aside,
            start,
            end: self.aside.len(),
            next: 2,
        };
        self.enter_slowly(mark, out, name);
    }

    #[inline]
    fn push(&mut self, name: Name, print: u64) {
        self.names.push(name);
        self.prints.push(print);
    }

    #[cold]
    fn enter_slowly(&mut self, mark: Mark, out: &mut Vec<u8>, mut name: Name) {
        if self.names.len() - mark.names == SMALL {
            (mark.names..self.names.len()).for_each(|at| self.put_into_index(at, out));
        }
        if let Some(first) = self.find(mark, out, &name) {
            let (bare_out, bare_aside) = (out.len(), self.aside.len());
            loop {
                let number = self.names[first].next;
                self.names[first].next = number.saturating_add(1);
                let suffix = format!("#{number}");
                out.extend_from_slice(suffix.as_bytes());
                name.end = match name.buffer {
                    Buffer::Out => out.len(),
                    Buffer::Aside => {
                        self.aside.extend_from_slice(suffix.as_bytes());
                        self.aside.len()
                    }
                };
                if self.find(mark, out, &name).is_none() {
                    break;
                }
                out.truncate(bare_out);
                self.aside.truncate(bare_aside);
            }
        }
        let print = fingerprint(self.text(&name, out));
        self.push(name, print);
        if self.names.len() - mark.names > SMALL {
            self.put_into_index(self.names.len() - 1, out);
        }
    }

    /// The open map's key of the same text.
    fn find(&self, mark: Mark, out: &[u8], wanted: &Name) -> Option<usize> {
        let wanted = self.text(wanted, out);
        let open = &self.names[mark.names..];
        if open.len() < SMALL {
            let found = open.iter().position(|name| self.text(name, out) == wanted)?;
            return Some(mark.names + found);
        }
        let same = |at: &usize| *at >= mark.names && self.text(&self.names[*at], out) == wanted;
        self.index.find(self.hasher.hash_one(wanted), same).copied()
    }

    fn put_into_index(&mut self, at: usize, out: &[u8]) {
        let hash = self.hash(at, out);
        let mut index = std::mem::take(&mut self.index);
        index.insert_unique(hash, at, |other| self.hash(*other, out));
        self.index = index;
    }

    #[cold]
    fn unindex(&mut self, mark: Mark, out: &[u8]) {
        for at in mark.names..self.names.len() {
            let hash = self.hash(at, out);
            if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
                entry.remove();
            }
        }
    }

    fn hash(&self, at: usize, out: &[u8]) -> u64 {
        self.hasher.hash_one(self.text(&self.names[at], out))
    }

    fn text<'a>(&'a self, name: &Name, out: &'a [u8]) -> &'a [u8] {
        match name.buffer {
            Buffer::Out => &out[name.start..name.end],
            Buffer::Aside => &self.aside[name.start..name.end],
        }
    }
}

/// A word that differs for most texts that differ: the length and up to eight bytes from either end.
#[inline]
fn fingerprint(text: &[u8]) -> u64 {
    let ends = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23),
        _ => match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        },
    };
    ends ^ (text.len() as u64) << 56
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that a map with these keys gets.
    fn renamed<S: AsRef<str>>(keys: &[S]) -> Vec<String> {
        let mut names = Names::default();
        let mut out = Vec::new();
        let mark = names.open();
        let named = keys
            .iter()
            .map(|key| {
                let start = out.len();
                out.extend_from_slice(key.as_ref().as_bytes());
                names.enter(mark, &mut out, start);
                String::from_utf8(out[start..].to_vec()).unwrap()
            })
            .collect();
        names.close(mark, &out);
        assert!(names.names.is_empty() && names.index.is_empty() && names.aside.is_empty());
        named
    }

    #[test]
    fn repeats_are_numbered_past_what_is_taken() {
        assert_eq!(renamed(&["a", "b", "a", "a"]), ["a", "b", "a#2", "a#3"]);
        assert_eq!(renamed(&["a", "a#2", "a", "a"]), ["a", "a#2", "a#3", "a#4"]);
        assert_eq!(renamed(&["a", "a", "a#2", "a"]), ["a", "a#2", "a#2#2", "a#3"]);
        assert_eq!(renamed(&["", "", "#2"]), ["", "#2", "#2#2"]);
    }

    #[test]
    fn large_maps_are_numbered_as_small_ones_are() {
        let mut keys: Vec<String> = (0..40).map(|n| format!("key number {n}")).collect();
        keys.push(String::from("key number 3"));
        keys.push(String::from("key number 39"));
        keys.push(String::from("key number 3#2"));
        let named = renamed(&keys);
        assert_eq!(named[..40], keys[..40]);
        assert_eq!(
            named[40..],
            ["key number 3#2", "key number 39#2", "key number 3#2#2"]
        );
    }

    #[test]
    fn texts_with_equal_fingerprints_are_not_taken_for_each_other() {
        let alike = ["12345678-x-12345678", "12345678-y-12345678"];
        assert_eq!(fingerprint(alike[0].as_bytes()), fingerprint(alike[1].as_bytes()));
        assert_eq!(renamed(&alike), alike);
    }

    #[test]
    fn a_map_inside_knows_nothing_of_the_one_around_it() {
        for around in [2, SMALL, 40] {
            let mut names = Names::default();
            let mut out = Vec::new();
            let outer = names.open();
            for n in 0..around {
                let start = out.len();
                out.extend_from_slice(format!("k{n}").as_bytes());
                names.enter(outer, &mut out, start);
            }
            let inner = names.open();
            for n in 0..around {
                let start = out.len();
                out.extend_from_slice(format!("k{n}").as_bytes());
                names.enter(inner, &mut out, start);
                assert_eq!(out[start..], *format!("k{n}").as_bytes());
            }
            names.close(inner, &out);
            let start = out.len();
            out.extend_from_slice(b"k1");
            names.enter(outer, &mut out, start);
            assert_eq!(&out[start..], b"k1#2", "{around}");
        }
    }

    #[test]
    fn a_hundred_thousand_repeats_are_not_quadratic() {
        // Trying `#2`, `#3`, … anew for each repeat would be five billion comparisons here.
        let keys: Vec<&str> = ["a"].repeat(100_000);
        assert_eq!(renamed(&keys).last().map(String::as_str), Some("a#100000"));
    }
}
