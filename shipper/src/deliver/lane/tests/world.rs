//! A spool, a disk, a receiver and a clock that all obey a test.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::deliver::backoff::Policy;
use crate::deliver::pack::Batching;
use crate::deliver::{
    Action, Activity, Decision, Journal, Lane, LaneError, Next, Now, Ports, RecordFilter, Settings, Source,
    SourceError, StoredLetters,
};
use crate::destination::{
    Batch, BodyDigest, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits,
    Outcome, Record, Verdict,
};
use crate::random::SeededRandom;
use crate::spool::cursor::{Cursor, CursorError, Disposition, Hint, State};
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::spool::storage::sim::SimStorage;
use crate::time::{Clock, ManualClock, Timestamp};
use crate::transport::SendError;

pub(super) const SPOOL: SpoolId = SpoolId(*b"spool-of-a-test.");
pub(super) const EPOCH: Epoch = Epoch(7);
pub(super) const DESTINATION: &str = "archive";
/// When everything begins.
const START: Timestamp = Timestamp(1_000_000_000_000);
/// The category bit of records that the test's filter keeps back.
pub(super) const FILTERED: u32 = 1;

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A destination whose requests and answers are as plain as can be.
pub(super) struct Plain {
    pub(super) limits: Limits,
    pub(super) fingerprint: Fingerprint,
    pub(super) format: Format,
}

impl Default for Plain {
    fn default() -> Self {
        Self {
            limits: Limits {
                bytes: 400,
                records: 10,
                overhead: 1,
                envelope: 0,
                record_bytes: 100,
                span: None,
                in_flight: 1,
            },
            fingerprint: [1; 16],
            format: Format::Ndjson,
        }
    }
}

impl Destination for Plain {
    fn kind(&self) -> &'static str {
        "plain"
    }

    fn target(&self) -> String {
        String::from("a test")
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn body(&self) -> (Format, Compression) {
        (self.format, Compression::None)
    }

    fn name(&self, bounds: &Bounds, _: Timestamp, nonce: u64) -> String {
        format!("{}-{}-{nonce:016x}", bounds.first.seq, bounds.last.seq)
    }

    fn encode(&self, batch: &Batch<'_>, _: &Context) -> Result<http::Request<Vec<u8>>, EncodeError> {
        let mut body = Vec::new();
        for record in batch.records {
            body.extend_from_slice(record.json);
            body.push(if batch.attempt.format == Format::Ndjson {
                b'\n'
            } else {
                b','
            });
        }
        let sum: u64 = batch
            .records
            .iter()
            .map(|record| record.json.len() as u64 + 1)
            .sum();
        assert!(
            sum <= self.limits.bytes || batch.records.len() == 1,
            "a request inside the limits"
        );
        assert!(batch.records.len() <= self.limits.records as usize);
        let digest = BodyDigest(Sha256::digest(&body).into());
        let mut request = http::Request::put(&batch.attempt.name).body(body).unwrap();
        request.extensions_mut().insert(digest);
        Ok(request)
    }

    fn decode(&self, _: &Batch<'_>, response: &http::Response<Vec<u8>>) -> Outcome {
        let reason = format!("status {}", response.status().as_u16());
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        match response.status().as_u16() {
            200 | 201 => Outcome::Stored,
            207 => Outcome::Verdicts(
                response
                    .body()
                    .iter()
                    .map(|byte| match byte {
                        b's' => Verdict::Stored,
                        b'x' => Verdict::Rejected {
                            code: String::from("bad"),
                            reason: String::from("no"),
                        },
                        _ => Verdict::Retry { after: None },
                    })
                    .collect(),
            ),
            400 => Outcome::Refused {
                code: String::from("400"),
                reason,
            },
            401 | 403 => Outcome::Auth { reason },
            404 => Outcome::Config { reason },
            412 => Outcome::Exists { reason },
            413 => Outcome::TooLarge { reason },
            429 => Outcome::Throttled { after, reason },
            500 | 503 => Outcome::Unavailable { after, reason },
            _ => Outcome::Unclear { reason },
        }
    }
}

pub(super) fn response(status: u16, body: &str) -> http::Response<Vec<u8>> {
    http::Response::builder()
        .status(status)
        .body(body.as_bytes().to_vec())
        .unwrap()
}

/// What a receiver does with a name that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    /// 412.
    CreateOnly,
    /// The answer that it gave then.
    Idempotent,
    /// It stores once more.
    None,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    NotSent,
    /// It comes in, but the answer gets lost.
    AnswerLost,
    /// It gets lost itself.
    RequestLost,
    Status(u16),
    /// Some records are to be tried again.
    Partial,
}

/// The other side.
pub(super) struct Receiver {
    pub(super) handle: Handle,
    /// Records whose request is refused with 400.
    pub(super) poison: BTreeSet<u64>,
    /// Records that are rejected by a verdict.
    pub(super) rejected: BTreeSet<u64>,
    /// Requests with more records are too large.
    pub(super) room: usize,
    /// How often each record was stored, and in which order.
    pub(super) stored: Vec<u64>,
    names: BTreeMap<String, (Vec<u8>, u16, String)>,
    bodies: BTreeMap<String, Vec<u8>>,
    /// Names that have had a clear answer other than "try again": they must not come again, unless there is a crash.
    closed: BTreeSet<String>,
    pub(super) requests: usize,
}

impl Receiver {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            handle,
            poison: BTreeSet::new(),
            rejected: BTreeSet::new(),
            room: usize::MAX,
            stored: Vec::new(),
            names: BTreeMap::new(),
            bodies: BTreeMap::new(),
            closed: BTreeSet::new(),
            requests: 0,
        }
    }

    /// The sender died: it may come again with anything that it has journalled.
    pub(super) fn sender_died(&mut self) {
        self.closed.clear();
    }

    pub(super) fn receive(
        &mut self,
        request: &http::Request<Vec<u8>>,
        fault: Fault,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        let name = request.uri().to_string();
        let body = request.body();
        self.requests += 1;
        let before = self.bodies.entry(name.clone()).or_insert_with(|| body.clone());
        assert_eq!(before, body, "{name} has two bodies");
        assert!(!self.closed.contains(&name), "{name} comes again without a fault");
        let lost = Err(SendError::Unanswered {
            reason: String::from("no answer"),
        });
        match fault {
            Fault::NotSent => {
                return Err(SendError::NotSent {
                    reason: String::from("refused"),
                });
            }
            Fault::RequestLost => return lost,
            Fault::Status(status) => return self.answer(&name, status, ""),
            Fault::None | Fault::AnswerLost | Fault::Partial => {}
        }
        let (status, text) = self.take(&name, body, fault);
        if fault == Fault::AnswerLost {
            lost
        } else {
            self.answer(&name, status, &text)
        }
    }

    fn take(&mut self, name: &str, body: &[u8], fault: Fault) -> (u16, String) {
        match (self.names.get(name), self.handle) {
            (Some(_), Handle::CreateOnly) => return (412, String::new()),
            (Some((_, status, text)), Handle::Idempotent) => return (*status, text.clone()),
            (_, _) => {}
        }
        let seqs = seqs(body);
        if seqs.len() > self.room {
            return (413, String::new());
        }
        if seqs.iter().any(|seq| self.poison.contains(seq)) {
            return (400, String::new());
        }
        let whole = self.handle == Handle::CreateOnly || fault != Fault::Partial;
        let mut text = String::new();
        for (place, seq) in seqs.iter().enumerate() {
            let verdict = match () {
                () if self.rejected.contains(seq) => 'x',
                () if whole || place % 2 == 0 => 's',
                () => 'r',
            };
            if verdict == 's' {
                self.stored.push(*seq);
            }
            text.push(verdict);
        }
        let (status, text) = if text.bytes().all(|byte| byte == b's') {
            (201, String::new())
        } else {
            (207, text)
        };
        self.names
            .insert(name.to_owned(), (body.to_vec(), status, text.clone()));
        (status, text)
    }

    fn answer(&mut self, name: &str, status: u16, text: &str) -> Result<http::Response<Vec<u8>>, SendError> {
        if matches!(status, 200 | 201 | 207 | 400 | 413) {
            self.closed.insert(name.to_owned());
        }
        Ok(response(status, text))
    }

    /// How often each of `head` records was stored.
    pub(super) fn times(&self, head: u64) -> Vec<usize> {
        let mut times = vec![0; usize::try_from(head).unwrap()];
        for seq in &self.stored {
            times[usize::try_from(*seq).unwrap()] += 1;
        }
        times
    }
}

pub(super) fn seqs(body: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(body).unwrap();
    let numbers = text.split("{\"seq\":").skip(1);
    numbers
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect()
}

/// What the journal of a test does beside its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Honesty {
    Honest,
    /// Forgets every sending: what a shipper without a journal would know after a crash.
    Amnesiac,
}

/// A cursor that checks the equation of promise 2 at each commit.
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
            destination: Arc::new(Plain {
                limits: self.destination.limits,
                fingerprint: self.destination.fingerprint,
                format: self.destination.format,
            }),
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
