//! Cutting a workload at every change it makes to the disk, and looking at what each kind of crash leaves.
//!
//! First the workload runs whole, which counts its changes; then it runs again for each of them and finds the disk dead
//! there. (Between two changes the disk is the same, so cutting at reads would show nothing new.) Of each disk that such
//! a run leaves, every kind of crash makes an image, kinds that have a choice several; and every image is looked at.
//!
//! A crash comes seldom alone: each image is also opened by a process that is cut in turn. After a `kill` at every
//! change, in every way: what the first process left unsynced is still there to be relied on by mistake. After a power cut
//! once, somewhere.
//!
//! The workload is a closure, so that whatever lives on a spool can be cut: it gets the disk and the model, in which it
//! notes what it was promised *at the moment when it was promised*, and returns when the disk is dead. It must do the same
//! in every run.

use std::fmt;

use auditship::random::{Random, SeededRandom};
use auditship::spool::storage::sim::{Crash, SimStorage};

/// What to run, and how to judge.
pub(crate) struct Cutting<W, R, C> {
    /// How many images are made of each cut by a kind of crash that has a choice.
    pub(crate) seeds: u64,
    /// What is cut.
    pub(crate) workload: W,
    /// What a process does first on a disk after a crash, and returns when the disk is dead. Cut as well.
    pub(crate) reopen: R,
    /// Judges an image, with the model of what was promised. Panics.
    pub(crate) check: C,
    /// Where the process that opens an image first is cut.
    pub(crate) again: Again,
}

/// Where the process that opens an image of a `kill` first is cut; after a power cut it is once, somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// At every change, in every way.
    Everywhere,
    /// Once, somewhere.
    Somewhere,
}

/// Where a run was cut: enough to make the same image again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// After how many changes; `u64::MAX` for a whole run.
    changes: u64,
    crash: Crash,
    seed: u64,
    /// The cut of whoever opened the image first.
    again: Option<(u64, Crash)>,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            changes,
            crash,
            seed,
            again,
        } = self;
        write!(f, "cut after {changes} changes, {crash:?} with seed {seed}")?;
        match again {
            Some((changes, crash)) => write!(f, "; reopened, cut after {changes} changes, {crash:?}"),
            None => Ok(()),
        }
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked {
    pub(crate) changes: u64,
    pub(crate) images: u64,
}

impl<W, R, C> Cutting<W, R, C> {
    /// Cuts everywhere.
    pub(crate) fn run<M: Default>(&self) -> Looked
    where
        W: Fn(&SimStorage, &mut M),
        R: Fn(&SimStorage),
        C: Fn(SimStorage, &M, &Cut),
    {
        let (disk, model) = self.cut_at(u64::MAX);
        let mut looked = Looked {
            changes: disk.changes(),
            images: 0,
        };
        self.look(&disk, &model, u64::MAX, &mut looked);
        for changes in 0..looked.changes {
            let (disk, model) = self.cut_at(changes);
            assert!(disk.is_dead(), "the workload must do the same in every run");
            self.look(&disk, &model, changes, &mut looked);
        }
        looked
    }

    fn cut_at<M: Default>(&self, changes: u64) -> (SimStorage, M)
    where
        W: Fn(&SimStorage, &mut M),
    {
        let (disk, mut model) = (SimStorage::new(), M::default());
        disk.fail_after_changes(changes);
        (self.workload)(&disk, &mut model);
        (disk, model)
    }

    fn look<M>(&self, disk: &SimStorage, model: &M, changes: u64, looked: &mut Looked)
    where
        R: Fn(&SimStorage),
        C: Fn(SimStorage, &M, &Cut),
    {
        for crash in Crash::ALL {
            let seeds = if crash.is_random() { self.seeds } else { 1 };
            for seed in 0..seeds {
                let mut cut = Cut {
                    changes,
                    crash,
                    // Another cut shall not see the same dice.
                    seed: seed ^ changes.wrapping_mul(0x1_0001),
                    again: None,
                };
                let image = disk.crash(crash, cut.seed);
                let mut check = |image: SimStorage, cut: &Cut| {
                    (self.check)(image, model, cut);
                    looked.images += 1;
                };
                check(image.crash(Crash::Kill, 0), &cut);
                for again in self.cuts_of_opening(&image, &cut) {
                    cut.again = Some(again);
                    let image = image.crash(Crash::Kill, 0);
                    image.fail_after_changes(again.0);
                    (self.reopen)(&image);
                    check(image.crash(again.1, cut.seed), &cut);
                }
            }
        }
    }

    /// Where, and how, whoever opens an image first is cut.
    fn cuts_of_opening(&self, image: &SimStorage, cut: &Cut) -> Vec<(u64, Crash)>
    where
        R: Fn(&SimStorage),
    {
        let whole = image.crash(Crash::Kill, 0);
        (self.reopen)(&whole);
        let everywhere = (0..=whole.changes()).flat_map(|changes| Crash::ALL.map(|crash| (changes, crash)));
        let mut cuts: Vec<(u64, Crash)> = everywhere.collect();
        if cut.crash != Crash::Kill || self.again == Again::Somewhere {
            // A seeded generator always gives numbers, and there is always a cut at 0.
            let chosen = SeededRandom::new(cut.seed).next_u64().unwrap_or(0) % cuts.len() as u64;
            cuts = vec![cuts[usize::try_from(chosen).unwrap_or(0)]];
        }
        cuts
    }
}
