//! Keys that repeat within one map: JSON readers keep one of them, so each further one gets a name of its own. Pure.
//!
//! The second `key` becomes `key#2`, the next `key#3`, past any name that is taken; should the source itself bring
//! `key#2` later, it repeats the new name and becomes `key#2#2`. Names are unique within a map in every case.
//!
//! Invariants: a map of up to [`SMALL`] keys costs one comparison of words for each pair of keys and no hashing; a larger
//! one is indexed by a keyed hash, so no input makes the search quadratic. Taken names are never tried twice for the
//! same key. Memory is bounded by the keys of the maps that are open.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use hashbrown::HashTable;

/// How many keys of a map are searched one by one.
const SMALL: usize = 16;

/// The keys of the maps that are open, outermost first.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<Name>,
    /// Places in `names` of all keys of open maps that outgrew `SMALL`.
    index: HashTable<usize>,
    hasher: RandomState,
    /// Texts that are not in the output in the form that is compared.
    aside: Vec<u8>,
}

/// One key, as JSON text without quotes and with the shortest escapes.
#[derive(Debug)]
struct Name {
    text: Place,
    print: u64,
    hash: u64,
    /// The number to try next when the key repeats.
    next: u32,
}

#[derive(Clone, Debug)]
enum Place {
    Out(Range<usize>),
    Aside(Range<usize>),
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
        self.index.clear();
        self.aside.clear();
    }

    /// Opens a map inside the one that is open.
    pub(super) fn open(&self) -> Mark {
        Mark {
            names: self.names.len(),
            aside: self.aside.len(),
        }
    }

    /// Closes the map that was opened last.
    #[inline]
    pub(super) fn close(&mut self, mark: Mark) {
        if self.names.len() - mark.names > SMALL {
            self.unindex(mark);
        }
        self.names.truncate(mark.names);
        self.aside.truncate(mark.aside);
    }

    /// Enters the key that `out` ends with, from `start` on, and makes it longer when the map has that key already.
    #[inline]
    pub(super) fn enter(&mut self, mark: Mark, out: &mut Vec<u8>, start: usize) {
        let text = Place::Out(start..out.len());
        self.enter_text(mark, out, text);
    }

    /// As [`Names::enter`] for a key that stands in `out` with other escapes than the shortest; `canonical` has those.
    pub(super) fn enter_as(&mut self, mark: Mark, out: &mut Vec<u8>, canonical: &[u8]) {
        let start = self.aside.len();
        self.aside.extend_from_slice(canonical);
        let text = Place::Aside(start..self.aside.len());
        self.enter_text(mark, out, text);
    }

    #[inline]
    fn enter_text(&mut self, mark: Mark, out: &mut Vec<u8>, text: Place) {
        let print = fingerprint(self.text(&text, out));
        let open = &self.names[mark.names..];
        if open.len() < SMALL && open.iter().all(|name| name.print != print) {
            self.names.push(Name {
                text,
                print,
                hash: 0,
                next: 2,
            });
        } else {
            self.enter_slowly(mark, out, text);
        }
    }

    #[cold]
    fn enter_slowly(&mut self, mark: Mark, out: &mut Vec<u8>, mut text: Place) {
        if self.names.len() - mark.names == SMALL {
            for at in mark.names..self.names.len() {
                self.names[at].hash = self.hasher.hash_one(self.text(&self.names[at].text, out));
                self.put_into_index(at);
            }
        }
        if let Some(first) = self.find(mark, out, &text) {
            let (bare_out, bare_aside) = (out.len(), self.aside.len());
            loop {
                let number = self.names[first].next;
                self.names[first].next = number.saturating_add(1);
                let suffix = format!("#{number}");
                out.extend_from_slice(suffix.as_bytes());
                match &mut text {
                    Place::Out(range) => range.end = out.len(),
                    Place::Aside(range) => {
                        self.aside.extend_from_slice(suffix.as_bytes());
                        range.end = self.aside.len();
                    }
                }
                if self.find(mark, out, &text).is_none() {
                    break;
                }
                out.truncate(bare_out);
                self.aside.truncate(bare_aside);
            }
        }
        let bytes = self.text(&text, out);
        let name = Name {
            print: fingerprint(bytes),
            hash: self.hasher.hash_one(bytes),
            text,
            next: 2,
        };
        self.names.push(name);
        if self.names.len() - mark.names > SMALL {
            self.put_into_index(self.names.len() - 1);
        }
    }

    /// The open map's key of this text.
    fn find(&self, mark: Mark, out: &[u8], text: &Place) -> Option<usize> {
        let wanted = self.text(text, out);
        let same = |name: &Name| self.text(&name.text, out) == wanted;
        let open = &self.names[mark.names..];
        if open.len() < SMALL {
            return open.iter().position(same).map(|at| mark.names + at);
        }
        self.index
            .find(self.hasher.hash_one(wanted), |at| {
                *at >= mark.names && same(&self.names[*at])
            })
            .copied()
    }

    fn put_into_index(&mut self, at: usize) {
        let names = &self.names;
        self.index
            .insert_unique(names[at].hash, at, |other| names[*other].hash);
    }

    #[cold]
    fn unindex(&mut self, mark: Mark) {
        for at in mark.names..self.names.len() {
            if let Ok(entry) = self.index.find_entry(self.names[at].hash, |other| *other == at) {
                entry.remove();
            }
        }
    }

    fn text<'a>(&'a self, place: &Place, out: &'a [u8]) -> &'a [u8] {
        match place {
            Place::Out(range) => &out[range.clone()],
            Place::Aside(range) => &self.aside[range.clone()],
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
        names.close(mark);
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
            names.close(inner);
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
