//! Where in a record the fields stand that auditship reads: a dotted path matches nested maps, literal dots in a key,
//! and any mixture of the two. Pure.
//!
//! Paths and keys are compared as JSON text (escaped, without quotes), which is what the encoder has at hand.

use super::text;

/// A dotted path to a field, such as `event.id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath {
    escaped: Box<[u8]>,
}

impl KeyPath {
    /// The path that `dotted` names. Its dots may stand for nesting or be part of a key.
    pub fn new(dotted: &str) -> Self {
        let mut escaped = Vec::with_capacity(dotted.len());
        text::escape(dotted, &mut escaped);
        Self {
            escaped: escaped.into(),
        }
    }
}

/// The fields that auditship reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Time,
    Category,
}

impl Field {
    const ALL: [Self; 3] = [Self::Id, Self::Time, Self::Category];
}

/// A set of [`Field`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(u8);

impl Fields {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn has(self, field: Field) -> bool {
        self.0 >> field as u8 & 1 == 1
    }

    fn add(&mut self, field: Field) {
        self.0 |= 1 << field as u8;
    }
}

/// How much of each path the maps around a value have matched already: the bytes consumed, or `GONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch([u16; 3]);

const GONE: u16 = u16::MAX;

impl Watch {
    /// Before the first key of the outermost map.
    pub(super) const START: Self = Self([0; 3]);
    /// Where no path leads.
    pub(super) const NOWHERE: Self = Self([GONE; 3]);
}

/// The paths to all fields.
#[derive(Clone, Debug)]
pub(super) struct Paths([Box<[u8]>; 3]);

impl Paths {
    pub(super) fn new(id: &KeyPath, time: &KeyPath, category: &KeyPath) -> Self {
        Self([id, time, category].map(|path| path.escaped.clone()))
    }

    /// The fields that are the value of `key` itself, and the watch for the maps below it.
    #[inline]
    pub(super) fn enter(&self, watch: Watch, key: &[u8]) -> (Fields, Watch) {
        let mut whole = Fields::default();
        let mut below = Watch::NOWHERE;
        if watch == Watch::NOWHERE {
            return (whole, below);
        }
        for ((field, path), (consumed, next)) in Field::ALL
            .into_iter()
            .zip(&self.0)
            .zip(watch.0.into_iter().zip(&mut below.0))
        {
            // `GONE` lies beyond the end of any path that can match.
            let Some(rest) = path.get(usize::from(consumed)..) else {
                continue;
            };
            // Spares a comparison of texts for nearly all keys.
            if let (Some(wanted), Some(byte)) = (rest.first(), key.first())
                && wanted != byte
            {
                continue;
            }
            match rest.strip_prefix(key) {
                Some([]) => whole.add(field),
                Some([b'.', below_it @ ..]) => {
                    *next = u16::try_from(path.len() - below_it.len()).unwrap_or(GONE);
                }
                _ => {}
            }
        }
        (whole, below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields found by walking down `keys`.
    fn walk(id: &str, keys: &[&str]) -> Fields {
        let paths = Paths::new(
            &KeyPath::new(id),
            &KeyPath::new("@timestamp"),
            &KeyPath::new("event.category"),
        );
        let mut watch = Watch::START;
        let mut whole = Fields::default();
        for key in keys {
            (whole, watch) = paths.enter(watch, key.as_bytes());
        }
        whole
    }

    #[test]
    fn dots_nest_or_belong_to_the_key() {
        for keys in [&["a", "b", "c"][..], &["a.b", "c"], &["a", "b.c"], &["a.b.c"]] {
            assert!(walk("a.b.c", keys).has(Field::Id), "{keys:?}");
        }
        for keys in [
            &["a", "b"][..],
            &["a", "b", "c", "c"],
            &["a.", "b.c"],
            &["ab", "c"],
            &["x", "a.b.c"],
            &["c"],
            &[""],
        ] {
            assert!(!walk("a.b.c", keys).has(Field::Id), "{keys:?}");
        }
    }

    #[test]
    fn fields_do_not_disturb_each_other() {
        assert_eq!(walk("event.id", &["event", "id"]), {
            let mut id = Fields::default();
            id.add(Field::Id);
            id
        });
        assert!(walk("event.id", &["event.category"]).has(Field::Category));
        assert!(walk("event.id", &["@timestamp"]).has(Field::Time));
        let both = walk("event.category", &["event", "category"]);
        assert!(both.has(Field::Id) && both.has(Field::Category));
    }

    #[test]
    fn a_path_longer_than_the_counter_matches_nothing_below() {
        let long = format!("{}.id", "k".repeat(70_000));
        assert!(!walk(&long, &[&long[..70_000], "id"]).has(Field::Id));
        assert!(walk(&long, &[&long]).has(Field::Id));
    }
}
