//! A spool, a disk, a receiver and a clock that all obey a test.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::deliver::backoff::Policy;
use crate::deliver::pack::Batching;
use crate::deliver::testing::{Fault, Handle, Plain, Receiver, locked};
use crate::deliver::{
    Action, Activity, Condition, Decision, Journal, Lane, LaneError, Next, Now, Ports, RecordFilter,
    Settings, Source, SourceError, StoredLetters,
};
use crate::destination::Record;
use crate::random::SeededRandom;
use crate::spool::Provenance;
use crate::spool::cursor::{Cursor, CursorError, Disposition, Hint, HoldKind, State};
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::spool::storage::sim::SimStorage;
use crate::time::{Clock, ManualClock, Timestamp};

pub(super) const SPOOL: SpoolId = SpoolId(*b"spool-of-a-test.");
pub(super) const EPOCH: Epoch = Epoch(7);
pub(super) const DESTINATION: &str = "archive";
/// When everything begins.
const START: Timestamp = Timestamp(1_000_000_000_000);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// The category bit of records that the test's filter keeps back.
pub(super) const FILTERED: u32 = 1;

/// A receiver without a fault.
pub(super) fn healthy(_: &http::Request<Vec<u8>>) -> Fault {
    Fault::None
}

/// What holds the lane, and why.
pub(super) fn held(lane: &Lane) -> (HoldKind, String) {
    match lane.snapshot().condition {
        Condition::Held { kind, reason, .. } => (kind, reason),
        other => panic!("not held: {other:?}"),
    }
}

/// The spool: records in memory, some of them lost.
#[derive(Default)]
pub(super) struct Log {
    pub(super) records: Mutex<Vec<Arc<Item>>>,
    pub(super) lost: Mutex<Vec<(Range<u64>, Disposition)>>,
}

pub(super) struct Item {
    id: RecordId,
    entry: TableEntry,
    json: Vec<u8>,
}

impl Log {
    pub(super) fn push(&self, bytes: usize, categories: u32) -> u64 {
        let mut records = locked(&self.records);
        let seq = records.len() as u64;
        let mut json = format!("{{\"seq\":{seq},\"pad\":\"").into_bytes();
        json.resize(bytes.max(json.len() + 2) - 2, b'x');
        json.extend_from_slice(b"\"}");
        let id = RecordId {
            spool: SPOOL,
            epoch: EPOCH,
            seq,
        };
        let entry = TableEntry {
            len: u32::try_from(json.len() + 1).unwrap(),
            added: 0,
            flags: 0,
            time: Timestamp(i64::try_from(seq).unwrap() * 1_000),
            key: Key::of_position(&id),
            categories,
            id_hash: 0,
        };
        records.push(Arc::new(Item { id, entry, json }));
        seq
    }

    /// A record's categories and bytes.
    pub(super) fn facts(&self, seq: u64) -> (u32, usize) {
        let item = Arc::clone(&locked(&self.records)[usize::try_from(seq).unwrap()]);
        (item.entry.categories, item.json.len())
    }

    pub(super) fn head(&self) -> u64 {
        locked(&self.records).len() as u64
    }
}

pub(super) struct LogSource {
    log: Arc<Log>,
    at: u64,
    to: u64,
    item: Option<Arc<Item>>,
}

impl LogSource {
    pub(super) fn new(log: &Arc<Log>) -> Self {
        Self {
            log: Arc::clone(log),
            at: 0,
            to: 0,
            item: None,
        }
    }
}

impl Source for LogSource {
    fn seek(&mut self, seq: u64, _: Hint) -> Result<(), SourceError> {
        self.at = seq;
        Ok(())
    }

    fn peek(&mut self) -> Result<Next<'_>, SourceError> {
        for (range, how) in locked(&self.log.lost).iter() {
            if range.contains(&self.at) {
                self.to = range.end;
                return Ok(Next::Lost {
                    to: range.end,
                    how: *how,
                });
            }
        }
        self.to = self.at + 1;
        self.item = locked(&self.log.records)
            .get(usize::try_from(self.at).unwrap())
            .cloned();
        Ok(match &self.item {
            Some(item) => Next::Record(
                Record {
                    id: item.id,
                    entry: &item.entry,
                    json: &item.json,
                },
                START,
            ),
            None => Next::End,
        })
    }

    fn advance(&mut self) {
        self.at = self.to;
    }

    fn hint(&self) -> Hint {
        Hint {
            segment: 0,
            offset: self.at,
        }
    }
}

struct CategoryFilter;

impl RecordFilter for CategoryFilter {
    fn decide(&self, record: &Record<'_>) -> Decision {
        if record.entry.categories & FILTERED == 0 {
            Decision::Ship
        } else {
            Decision::Filter
        }
    }
}

/// What the journal of a test does beside its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Honesty {
    Honest,
    /// Forgets every sending: what a shipper without a journal would know after a crash.
    Amnesiac,
}

/// A cursor that checks `spooled = settled + pending` at each commit.
struct CheckedJournal {
    cursor: Cursor,
    log: Arc<Log>,
    honesty: Honesty,
    commits: Arc<Mutex<u64>>,
}

impl Journal for CheckedJournal {
    fn state(&self) -> &State {
        self.cursor.state()
    }

    fn commit(&mut self, mut state: State) -> Result<(), CursorError> {
        let head = self.log.head();
        let inside = state.totals().inside().unwrap();
        assert_eq!(
            inside + state.pending(head),
            head,
            "spooled = settled + pending: {state:?}"
        );
        *locked(&self.commits) += 1;
        if self.honesty == Honesty::Amnesiac {
            for entry in &mut state.entries {
                entry.attempt = None;
            }
        }
        self.cursor.commit(state)
    }
}

/// Everything around a lane.
pub(super) struct World {
    pub(super) disk: SimStorage,
    pub(super) log: Arc<Log>,
    pub(super) clock: ManualClock,
    pub(super) random: Arc<SeededRandom>,
    pub(super) destination: Plain,
    pub(super) batching: Batching,
    pub(super) dead_letter_rate: u32,
    pub(super) honesty: Honesty,
    pub(super) receiver: Receiver,
    pub(super) commits: Arc<Mutex<u64>>,
}

impl World {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            disk: SimStorage::new(),
            log: Arc::default(),
            clock: ManualClock::at(START),
            random: Arc::new(SeededRandom::new(42)),
            destination: Plain::default(),
            batching: Batching {
                bytes: u64::MAX,
                records: u32::MAX,
                age: Duration::from_secs(1),
            },
            dead_letter_rate: 10_000,
            honesty: Honesty::Honest,
            receiver: Receiver::new(handle),
            commits: Arc::default(),
        }
    }

    pub(super) fn fill(&self, records: usize) {
        for _ in 0..records {
            self.log.push(30, 0);
        }
    }

    pub(super) fn now(&self) -> Now {
        Now::of(&self.clock)
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            destination: Arc::new(self.destination.clone()),
            batching: self.batching,
            filter: Arc::new(CategoryFilter),
            dead_letter_rate: self.dead_letter_rate,
            retry: Policy::RETRY,
            probe: Policy::PROBE,
        }
    }

    /// Opens a lane from what the disk says.
    pub(super) fn open(&self) -> Result<Lane, LaneError> {
        let storage = Arc::new(self.disk.clone());
        let cursor = Cursor::open_or_create(storage.clone(), DESTINATION, SPOOL, 0)?;
        let log = Arc::clone(&self.log);
        let ports = Ports {
            spool: SPOOL,
            provenance: Provenance::default(),
            source: Box::new(LogSource::new(&self.log)),
            further_source: Box::new(move || Ok(Box::new(LogSource::new(&log)))),
            journal: Box::new(CheckedJournal {
                cursor,
                log: Arc::clone(&self.log),
                honesty: self.honesty,
                commits: Arc::clone(&self.commits),
            }),
            dead_letters: Box::new(StoredLetters::new(storage, DESTINATION)),
            random: self.random.clone(),
        };
        Lane::open(self.settings(), ports, Activity::Active)
    }

    /// Polls, sends and answers until there is nothing to do, moving the clock where the lane waits, for `patience` of
    /// virtual time at most. `fault` is asked for each request.
    pub(super) fn run(
        &mut self,
        lane: &mut Lane,
        patience: Duration,
        mut fault: impl FnMut(&http::Request<Vec<u8>>) -> Fault,
    ) -> Result<(), LaneError> {
        let end = self.clock.monotonic().plus(patience);
        let mut on_the_way = std::collections::VecDeque::new();
        loop {
            match lane.poll(self.now())? {
                Action::Send { ticket, request } => {
                    on_the_way.push_back((ticket, request));
                    continue;
                }
                Action::Wait(_) if !on_the_way.is_empty() => {}
                Action::Wait(Some(until)) if until <= end => {
                    self.clock.advance(until.since(self.clock.monotonic()));
                    continue;
                }
                Action::Wait(_) => {
                    self.clock.advance(end.since(self.clock.monotonic()));
                    return Ok(());
                }
            }
            if let Some((ticket, request)) = on_the_way.pop_front() {
                let fault = fault(&request);
                let answer = self.receiver.receive(&request, fault);
                lane.complete(ticket, answer, self.now());
            }
        }
    }

    pub(super) fn letters(&self) -> Vec<u64> {
        crate::spool::dead_letter::list(&self.disk, DESTINATION)
            .unwrap()
            .map(|letter| letter.seq)
            .collect()
    }
}
