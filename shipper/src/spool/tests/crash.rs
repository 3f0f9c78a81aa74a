//! A writer that dies at every change, on disks that break in every way, against a model.

use std::io::ErrorKind;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::storage::sim::{Crash, Op};
use super::*;

/// What a caller does.
#[derive(Clone, Debug)]
enum Act {
    /// Hands these records over; small numbers come again and again.
    Append(Vec<u8>),
    Sync,
    Maintain,
    Note,
    /// The next calls of these sorts fail, so many of them.
    Fault(Vec<Fault>, u8),
    /// Nothing fails any more.
    Heal,
    /// Drops the writer and opens the spool again.
    Restart,
    /// As a crash leaves it.
    Crash(usize, u64),
    /// Dies after so many changes, of the next acts or of the next opening.
    DieAfter(u64),
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Sync,
    Write,
    Full,
    Create,
    Rename,
    SyncDir,
    SetLen,
    Remove,
}

impl Fault {
    fn strikes(self) -> (Op, ErrorKind) {
        match self {
            Self::Sync => (Op::SyncData, ErrorKind::Other),
            Self::Write => (Op::WriteAt, ErrorKind::Other),
            Self::Full => (Op::WriteAt, ErrorKind::StorageFull),
            Self::Create => (Op::CreateNew, ErrorKind::Other),
            Self::Rename => (Op::Rename, ErrorKind::Other),
            Self::SyncDir => (Op::SyncDir, ErrorKind::Other),
            Self::SetLen => (Op::SetLen, ErrorKind::Other),
            Self::Remove => (Op::Remove, ErrorKind::Other),
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    let fault = prop_oneof![
        3 => Just(Fault::Sync),
        1 => Just(Fault::Write),
        1 => Just(Fault::Full),
        1 => Just(Fault::Create),
        1 => Just(Fault::Rename),
        1 => Just(Fault::SyncDir),
        1 => Just(Fault::SetLen),
        1 => Just(Fault::Remove),
    ];
    let faults = prop_oneof![
        3 => (vec(fault.clone(), 1..=1), 1_u8..3),
        // A disk of which much is broken for a while.
        1 => (vec(fault, 2..6), 1_u8..40),
        1 => (Just(vec![Fault::Sync, Fault::SetLen, Fault::Remove]), 3_u8..40),
    ];
    prop_oneof![
        8 => vec(any::<u8>(), 0..6).prop_map(Act::Append),
        6 => Just(Act::Sync),
        1 => Just(Act::Maintain),
        1 => Just(Act::Note),
        4 => faults.prop_map(|(faults, times)| Act::Fault(faults, times)),
        1 => Just(Act::Heal),
        2 => Just(Act::Restart),
        2 => (0..Crash::ALL.len(), any::<u64>()).prop_map(|(kind, seed)| Act::Crash(kind, seed)),
        1 => (0_u64..30).prop_map(Act::DieAfter),
    ]
}

/// What must, and what may, be in the log.
#[derive(Default)]
struct Model {
    /// Acknowledged, in order.
    durable: Vec<String>,
    /// Appended since, in order.
    pending: Vec<String>,
    /// Handed over and never acknowledged; a crash may bring them back.
    maybe: Vec<String>,
}

impl Model {
    /// Checks the log that a crash has left, and takes it for the truth.
    fn check(&mut self, read: &Read) {
        assert_eq!(read.damaged, [], "{:?}", read.reasons);
        assert_eq!(read.trimmed, Vec::<u64>::new());
        let ids = read.ids();
        assert!(
            ids.len() >= self.durable.len(),
            "lost: {ids:?} of {:?}",
            self.durable
        );
        assert_eq!(
            ids[..self.durable.len()],
            self.durable,
            "acknowledged records, in order"
        );
        for id in &ids[self.durable.len()..] {
            let known = self.pending.iter().chain(&self.maybe).any(|other| other == id);
            assert!(known, "{id} was never handed over");
        }
        for (id, count) in read.counts() {
            assert_eq!(count, 1, "{id} is there {count} times");
        }
        for (at, (seq, _)) in read.records.iter().enumerate() {
            assert_eq!(*seq, at as u64);
        }
        self.durable = ids.into_iter().map(String::from).collect();
        self.pending.clear();
    }
}

struct Run {
    rig: Rig,
    feed: Option<Feed>,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let mut rig = Rig::new();
        rig.options.segment_bytes = 4096;
        let feed = Some(rig.open());
        Self {
            rig,
            feed,
            model: Model::default(),
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Append(ids) => self.append(ids),
            Act::Sync => self.sync(),
            Act::Maintain => {
                let now = crate::time::Clock::wall(&*self.rig.clock);
                if let Some(feed) = &mut self.feed {
                    feed.writer.maintain(now);
                }
            }
            Act::Note => {
                if let Some(feed) = &mut self.feed {
                    let _ = feed.writer.note("a note");
                }
            }
            Act::Fault(faults, times) => self.fault(faults.clone(), *times),
            Act::Heal => self.rig.disk.heal(),
            Act::Restart => self.crash(Crash::Kill, 0),
            Act::Crash(kind, seed) => self.crash(Crash::ALL[*kind], *seed),
            Act::DieAfter(changes) => self.rig.disk.fail_after_changes(*changes),
        }
        if let Some(feed) = &self.feed {
            let totals = feed.writer.totals();
            assert!(totals.balances());
            assert_eq!(totals.spooled, feed.writer.head().next_seq);
            assert_eq!(totals.spooled, self.model.durable.len() as u64);
            if self.rig.disk.is_dead() {
                return;
            }
            // A reader sees what is durable, or, while the head cannot be published, less.
            let read = self.rig.read_all();
            assert_eq!(read.damaged, [], "{:?}", read.reasons);
            let ids = read.ids();
            assert_eq!(ids, self.model.durable[..ids.len().min(self.model.durable.len())]);
        }
    }

    fn append(&mut self, ids: &[u8]) {
        let Some(feed) = &mut self.feed else { return };
        let lines: String = ids.iter().map(|id| event(&id.to_string())).collect();
        match feed.append(&lines) {
            Ok(()) => {
                for id in ids.iter().map(u8::to_string) {
                    if !self.model.durable.contains(&id) && !self.model.pending.contains(&id) {
                        self.model.pending.push(id);
                    }
                }
            }
            Err(_) => self.model.maybe.extend(ids.iter().map(u8::to_string)),
        }
    }

    fn sync(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        match feed.writer.sync() {
            Ok(_) => self.model.durable.append(&mut self.model.pending),
            Err(_) => self.model.maybe.append(&mut self.model.pending),
        }
    }

    fn fault(&mut self, faults: Vec<Fault>, mut times: u8) {
        self.rig.disk.fail_when(move |call| {
            let strikes = |fault: &&Fault| {
                let (op, kind) = fault.strikes();
                call.op == op && (kind != ErrorKind::StorageFull || call.path != "head")
            };
            let fault = faults.iter().find(strikes).filter(|_| times > 0)?;
            times -= 1;
            Some(fault.strikes().1)
        });
    }

    /// The log as it is, without repairing anything, then opened and checked.
    fn crash(&mut self, crash: Crash, seed: u64) {
        // What a reader has seen is not taken back, whatever the crash.
        let seen = match self.rig.disk.is_dead() {
            true => Vec::new(),
            false => {
                self.rig.disk.heal();
                self.rig.read_all().records
            }
        };
        self.feed = None;
        self.rig = self.rig.crashed(crash, seed);
        let feed = self.rig.open();
        let read = self.rig.read_all();
        assert_eq!(read.records[..seen.len().min(read.records.len())], seen);
        self.model.check(&read);
        self.feed = Some(feed);
    }

    /// The host hands everything over again; everything is there once.
    fn finish(mut self) {
        self.crash(Crash::Kill, 0);
        let everything: Vec<u8> = (0..=255).collect();
        self.append(&everything);
        self.sync();
        self.model.check(&self.rig.read_all());
        assert_eq!(self.model.durable.len(), 256);
        self.crash(Crash::NothingUnsynced, 0);
        assert_eq!(self.model.durable.len(), 256);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_what_was_acknowledged_is_there_once(acts in vec(act(), 1..40)) {
        let mut run = Run::new();
        for act in &acts {
            run.act(act);
        }
        run.finish();
    }
}

/// Some life of a spool, with several segments, restarts and repetitions.
fn life() -> Vec<Act> {
    let mut acts = Vec::new();
    for round in 0..6_u8 {
        for step in 0..4_u8 {
            acts.push(Act::Append(
                (0..5)
                    .map(|number| (round * 31 + step * 5 + number) % 120)
                    .collect(),
            ));
            if step % 2 == 1 {
                acts.push(Act::Sync);
            }
        }
        acts.push(if round % 3 == 2 {
            Act::Restart
        } else {
            Act::Maintain
        });
    }
    acts
}

#[test]
fn cut_at_every_change_on_every_kind_of_disk() {
    let mut run = Run::new();
    life().iter().for_each(|act| run.act(act));
    let segments = run.rig.names("segments").len();
    assert!(segments > 4, "{segments} files are too few to say something");
    let mut cuts = 0;
    for kind in 0..Crash::ALL.len() {
        for changes in 0.. {
            let mut run = Run::new();
            run.rig.disk.fail_after_changes(changes);
            let mut reached = false;
            for act in life() {
                if matches!(act, Act::Restart) {
                    // A restart makes a new disk handle, which would not fail any more.
                    break;
                }
                run.act(&act);
                if run.rig.disk.is_dead() {
                    reached = true;
                    break;
                }
            }
            if !reached {
                break;
            }
            cuts += 1;
            // Whatever was under way when the process died may be there or not.
            run.act(&Act::Crash(kind, changes));
            // And recovery itself may be cut at any change, too.
            run.feed = None;
            run.rig.disk.fail_after_changes(changes % 16);
            let _ = run.rig.try_open();
            run.act(&Act::Crash((kind + 3) % Crash::ALL.len(), changes * 7));
            run.finish();
        }
    }
    assert!(cuts > 150, "{cuts}");
}
