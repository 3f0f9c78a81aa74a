//! What is left of a disk: one function from (disk, kind of crash, seed) to a disk. Pure.
//!
//! Every kind is a choice, for each pending change, of whether it reached the disk: for names one by one, for content
//! sector by sector, for the size of a file by itself. What runs out of any pending change is the base.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::{Change, Disk, File, Folder, Id, Names, index};
use crate::random::{Random, SeededRandom};

/// What a disk writes at once.
const SECTOR: usize = 512;

/// A kind of crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crash {
    /// `kill -9`: the kernel lives and forgets nothing, but what was pending is still pending. No use of the seed.
    Kill,
    /// Power cut; nothing is kept that was not synced. No use of the seed.
    NothingUnsynced,
    /// Power cut; everything is kept. No use of the seed.
    Everything,
    /// Power cut; of the pending changes of the whole disk, in their order, the first ones are kept, and of the next
    /// one, if it is a write, the first bytes.
    Prefix,
    /// Power cut; each 512-byte sector, each size and each name is kept as it was at some moment since it was synced.
    Sectors,
    /// Power cut; names and sizes are kept, and new bytes are zeros. No use of the seed.
    SizesWithoutData,
    /// Power cut; names are kept, of files that have what was synced: often nothing. No use of the seed.
    NamesWithoutData,
    /// Power cut; data is kept, and each name has the meaning that it had at some moment since its folder was synced.
    NamesInAnyMixture,
}

impl Crash {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Kill,
        Self::NothingUnsynced,
        Self::Everything,
        Self::Prefix,
        Self::Sectors,
        Self::SizesWithoutData,
        Self::NamesWithoutData,
        Self::NamesInAnyMixture,
    ];

    /// Whether another seed may give another disk.
    pub fn is_random(self) -> bool {
        matches!(self, Self::Prefix | Self::Sectors | Self::NamesInAnyMixture)
    }
}

/// Whole numbers from a seed.
struct Dice(SeededRandom);

impl Dice {
    /// A number from 0 to `most`.
    fn up_to(&self, most: u64) -> u64 {
        // A seeded generator always gives numbers.
        self.0.next_u64().unwrap_or(0) % most.saturating_add(1)
    }

    /// How many of `changes` are kept: none, all, or any number, each case often.
    fn kept(&self, changes: usize) -> usize {
        match self.up_to(3) {
            0 => 0,
            1 | 2 => changes,
            _ => index(self.up_to(changes as u64)),
        }
    }
}

/// Up to where the pending changes of the whole disk are kept.
struct Cut {
    /// Changes with a lower stamp are kept.
    stamp: u64,
    /// How many bytes of the change with exactly this stamp.
    torn: u64,
}

impl Disk {
    /// The disk that a crash leaves.
    pub(super) fn after(&self, crash: Crash, seed: u64) -> Self {
        let dice = Dice(SeededRandom::new(seed));
        let mut disk = if crash == Crash::Kill {
            Self::of(self.files.clone(), self.folders.clone(), self.stamp)
        } else {
            let cut = self.cut(&dice);
            let files = self.files.iter();
            let files = files.map(|(id, file)| (*id, file.after(crash, &cut, &dice)));
            let files: BTreeMap<Id, File> = files.collect();
            let folders = self.folders.iter();
            let folders = folders.map(|(id, folder)| (*id, folder.after(crash, &cut, &dice)));
            Self::of(files, folders.collect(), self.stamp)
        };
        disk.budget = self.budget;
        disk
    }

    /// A random place in the order of all pending changes.
    fn cut(&self, dice: &Dice) -> Cut {
        let data = self.files.values().flat_map(|file| &file.pending);
        let names = self.folders.values().flat_map(|folder| &folder.pending);
        let stamps = data.map(|pending| pending.stamp);
        let mut stamps: Vec<u64> = stamps.chain(names.map(|pending| pending.stamp)).collect();
        stamps.sort_unstable();
        let chosen = index(dice.up_to(stamps.len() as u64));
        Cut {
            stamp: stamps.get(chosen).copied().unwrap_or(u64::MAX),
            torn: if dice.up_to(3) == 0 {
                0
            } else {
                dice.up_to(u64::MAX - 1)
            },
        }
    }
}

impl File {
    fn after(&self, crash: Crash, cut: &Cut, dice: &Dice) -> Self {
        let base = match crash {
            Crash::NothingUnsynced | Crash::NamesWithoutData => Arc::clone(&self.base),
            Crash::Kill | Crash::Everything | Crash::NamesInAnyMixture => self.with_all(),
            Crash::Prefix => Arc::new(self.with_first(cut)),
            Crash::SizesWithoutData => {
                let size = self.with_all().len();
                let mut base = Arc::clone(&self.base);
                if base.len() != size {
                    Arc::make_mut(&mut base).resize(size, 0);
                }
                base
            }
            Crash::Sectors => Arc::new(self.with_sectors(dice)),
        };
        let mut blocks = self.blocks.clone();
        blocks.retain(|block| *block < (base.len() as u64).div_ceil(4096));
        Self {
            visible: Arc::clone(&base),
            base,
            blocks,
            born: self.born,
            ..Self::default()
        }
    }

    fn with_all(&self) -> Arc<Vec<u8>> {
        let mut content = Arc::clone(&self.base);
        for pending in &self.pending {
            pending.change.apply(Arc::make_mut(&mut content));
        }
        content
    }

    fn with_first(&self, cut: &Cut) -> Vec<u8> {
        let mut content = self.base.to_vec();
        for pending in &self.pending {
            if pending.stamp < cut.stamp {
                pending.change.apply(&mut content);
            } else if let (true, Change::Write { at, bytes }) = (pending.stamp == cut.stamp, &pending.change)
            {
                let torn = index(cut.torn % (bytes.len() as u64 + 1));
                let (at, bytes) = (*at, bytes[..torn].to_vec());
                if torn > 0 {
                    Change::Write { at, bytes }.apply(&mut content);
                }
            }
        }
        content
    }

    fn with_sectors(&self, dice: &Dice) -> Vec<u8> {
        // All sizes the file ever had since it was synced, and its longest.
        let mut sizes = vec![self.base.len()];
        let mut content = self.base.to_vec();
        for pending in &self.pending {
            pending.change.apply(&mut content);
            sizes.push(content.len());
        }
        let longest = sizes.iter().copied().max().unwrap_or(0);
        let count = self.pending.len();
        let until: Vec<usize> = (0..longest.div_ceil(SECTOR)).map(|_| dice.kept(count)).collect();
        let mut image = self.base.to_vec();
        image.resize(longest, 0);
        for (number, pending) in self.pending.iter().enumerate() {
            let kept = |byte: usize| number < until[byte / SECTOR];
            match &pending.change {
                Change::Write { at, bytes } => {
                    let places = (index(*at)..).zip(bytes);
                    places
                        .filter(|(place, _)| kept(*place))
                        .for_each(|(place, byte)| image[place] = *byte);
                }
                Change::SetLen(len) => {
                    let beyond = index(*len).min(longest)..longest;
                    beyond
                        .filter(|place| kept(*place))
                        .for_each(|place| image[place] = 0);
                }
            }
        }
        image.truncate(sizes[dice.kept(count)]);
        image
    }
}

impl Folder {
    fn after(&self, crash: Crash, cut: &Cut, dice: &Dice) -> Self {
        let base = match crash {
            Crash::NothingUnsynced => self.base.clone(),
            Crash::Prefix => self.with(|stamp, _| stamp < cut.stamp),
            Crash::Sectors | Crash::NamesInAnyMixture => {
                let mut names: BTreeMap<&str, usize> = BTreeMap::new();
                for pending in &self.pending {
                    *names.entry(pending.change.0.as_str()).or_default() += 1;
                }
                names.values_mut().for_each(|count| *count = dice.kept(*count));
                self.with(|_, name| match names.get_mut(name) {
                    Some(left) if *left > 0 => {
                        *left -= 1;
                        true
                    }
                    _ => false,
                })
            }
            Crash::Kill | Crash::Everything | Crash::SizesWithoutData | Crash::NamesWithoutData => {
                self.visible.clone()
            }
        };
        Self {
            visible: base.clone(),
            base,
            ..Self::default()
        }
    }

    /// The names with those pending changes that are `kept`.
    fn with(&self, mut kept: impl FnMut(u64, &str) -> bool) -> Names {
        let mut names = self.base.clone();
        for pending in &self.pending {
            let (name, node) = &pending.change;
            if kept(pending.stamp, name) {
                match node {
                    Some(node) => names.insert(name.clone(), *node),
                    None => names.remove(name),
                };
            }
        }
        names
    }
}
