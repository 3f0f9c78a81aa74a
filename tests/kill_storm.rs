//! The kill storm: a process with plugin and shipper is killed again and again, at random moments and at named steps, and
//! fed as Fluent Bit feeds after a crash. `file` must have every record with an id exactly once; `http` every record, and
//! no Idempotency-Key twice without a kill between.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing test may panic, and figures are for `--nocapture`"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use auditship::random::{Random, SeededRandom};
use auditship::spool::cursor::Cursor;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship_testkit::artefacts::Artefact;
use auditship_testkit::chunk::Layout;
use auditship_testkit::host::FlushCode;
use auditship_testkit::process::{HostProcess, setup, stanza};
use auditship_testkit::protocol::{Chunk, Command, Reply, Stanza};
use auditship_testkit::receiver::{Receiver, Reply as Answer};
use common::{PATIENCE, Scratch, await_until, is_soak};

/// Steps at which a life ends, besides random moments.
const STEPS: [&str; 16] = [
    "segment-write:1:before",
    "segment-write:2:after",
    "segment-write:4:before",
    "segment-sync:2:before",
    "segment-sync:3:after",
    "head-write:2:before",
    "head-write:3:after",
    "cursor-write:2:before",
    "cursor-write:3:after",
    "cursor-sync:2:before",
    "cursor-sync:4:after",
    "object-link:1:before",
    "object-link:1:after",
    "socket-write:1:before",
    "socket-write:1:after",
    "segment-unlink:1:after",
];
/// Records in a chunk.
const RECORDS: u64 = 20;
/// Chunks on their way at once.
const WORKERS: usize = 4;

/// What becomes of the journal between two lives.
#[derive(Clone, Copy, PartialEq)]
enum Journal {
    Kept,
    /// As if batches were never written down: the proof that the storm would notice.
    Removed,
}

/// When a life ends.
enum Kill {
    Never,
    /// So long after so many answers.
    Random {
        answers: u64,
        then: Duration,
    },
    At(&'static str),
}

struct Storm {
    scratch: Scratch,
    receiver: Receiver,
    random: SeededRandom,
    chunks: Vec<String>,
    acknowledged: BTreeSet<usize>,
    /// How many requests had been received at each kill.
    kills: Vec<usize>,
}

/// Record `nth` of chunk `chunk`. Every one says which it is in `which`; two of each chunk have no id, and one has the id
/// of a record of an earlier chunk.
fn record(chunk: u64, nth: u64) -> String {
    let which = format!("{chunk}.{nth}");
    let padding = "x".repeat(400);
    let id = match nth {
        0 | 1 => return format!("{{\"which\":\"{which}\",\"padding\":\"{padding}\"}}\n"),
        2 => format!("{}.3", chunk / 2),
        _ => which.clone(),
    };
    format!(
        "{{\"event\":{{\"id\":\"{id}\",\"category\":\"file\"}},\"which\":\"{which}\",\"padding\":\"{padding}\"}}\n"
    )
}

fn has_id(which: &str) -> bool {
    !which.ends_with(".0") && !which.ends_with(".1")
}

fn which_of(line: &str) -> String {
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    record["which"].as_str().unwrap().to_owned()
}

impl Storm {
    fn new(retain: &str, seed: u64) -> Self {
        let storm = Self {
            scratch: Scratch::new(),
            receiver: Receiver::start([], Answer::text(200, "")),
            random: SeededRandom::new(seed),
            chunks: Vec::new(),
            acknowledged: BTreeSet::new(),
            kills: Vec::new(),
        };
        let text = format!(
            r#"
[spool]
path = "{spool}"
id = "audit"
max_bytes = "16MiB"
retain = "{retain}"
compression = "none"

[[destination]]
id = "archive"
type = "file"
path = "{archive}"
compression = "none"
batch_max_records = 150
batch_max_age = "1s"

[[destination]]
id = "siem"
type = "http"
url = "{url}"
compression = "none"
batch_max_records = 150
batch_max_age = "1s"
"#,
            spool = storm.scratch.text("spool"),
            archive = storm.scratch.text("archive"),
            url = storm.receiver.url("/audit"),
        );
        fs::write(storm.scratch.path("auditship.toml"), text).unwrap();
        storm
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.next_u64().unwrap() % bound
    }

    fn stanza(&self) -> Stanza {
        let mut stanza = stanza("audit", &[("Config_File", &self.scratch.text("auditship.toml"))]);
        stanza.workers = WORKERS;
        stanza
    }

    /// What Fluent Bit hands over after a crash: what it was not told to forget, a tenth of what it was, then what is new.
    fn queue(&mut self, new: u64) -> Vec<usize> {
        let again =
            (0..self.chunks.len()).filter(|chunk| !self.acknowledged.contains(chunk) || self.below(10) == 0);
        let mut queue: Vec<usize> = again.collect();
        for _ in 0..new {
            let chunk = self.chunks.len();
            self.chunks
                .push((0..RECORDS).map(|nth| record(chunk as u64, nth)).collect());
            queue.push(chunk);
        }
        queue
    }

    /// One life of the process.
    fn live(&mut self, new: u64, kill: &Kill) {
        let queue = self.queue(new);
        let mut setup = setup(Artefact::Library.path());
        setup.limit = 300;
        let mut host = match kill {
            Kill::At(step) => {
                let mut program = Process::new(Artefact::Steps.path());
                program
                    .arg(step)
                    .arg(self.scratch.path("report"))
                    .arg(Artefact::Host.path());
                HostProcess::start_by(program, &setup)
            }
            Kill::Never | Kill::Random { .. } => HostProcess::start(&setup),
        };
        host.send(&Command::Init(self.stanza()));
        let mut waiting: BTreeMap<u64, usize> = BTreeMap::new();
        let mut queue = queue.into_iter();
        let mut answers = 0;
        // Answers come until the process is dead, or everything is answered.
        while let Some(reply) = host.try_reply(PATIENCE) {
            match reply {
                Reply::Init { code, log, .. } => assert!(code > 0, "{log:?}"),
                Reply::Flush { id, code, .. } => {
                    let chunk = waiting.remove(&id).unwrap();
                    assert_ne!(code, FlushCode::Error);
                    if code == FlushCode::Ok {
                        self.acknowledged.insert(chunk);
                    }
                    answers += 1;
                }
                other => panic!("{other:?}"),
            }
            while waiting.len() < WORKERS
                && let Some(chunk) = queue.next()
            {
                let flush = host.send_flush(
                    "audit",
                    "audit",
                    Chunk::Ndjson {
                        lines: self.chunks[chunk].clone(),
                        layout: Layout::V2,
                        seconds: 1_767_225_600,
                    },
                );
                waiting.insert(flush, chunk);
            }
            if let Kill::Random { answers: after, then } = kill
                && answers >= *after
            {
                std::thread::park_timeout(*then);
                break;
            }
            if waiting.is_empty() {
                break;
            }
        }
        match kill {
            Kill::Never => {
                self.await_all();
                host.exit("audit");
                assert!(host.finish());
            }
            Kill::Random { .. } => host.kill(),
            // The step may come after the last answer, or not at all in this life.
            Kill::At(_) => {
                assert!(host.try_reply(Duration::from_secs(2)).is_none());
                host.kill();
            }
        }
        assert!(
            self.receiver.wait_until_quiet(PATIENCE),
            "connections of a dead process"
        );
        self.kills.push(self.receiver.requests().len());
    }

    /// Waits until every record is at both destinations.
    fn await_all(&self) {
        let all = self.chunks.len() * usize::try_from(RECORDS).unwrap();
        await_until("all records at both destinations", || {
            let archived: BTreeSet<String> = self.archived().into_iter().collect();
            let sent: BTreeSet<String> = self.sent().into_iter().collect();
            (archived.len() == all && sent.len() == all).then_some(())
        });
    }

    fn archived(&self) -> Vec<String> {
        let mut lines = Vec::new();
        read_objects(&self.scratch.path("archive"), &mut lines);
        lines.iter().map(|line| which_of(line)).collect()
    }

    fn sent(&self) -> Vec<String> {
        let requests = self.receiver.requests();
        let bodies = requests
            .iter()
            .map(|request| String::from_utf8(request.body.clone()).unwrap());
        bodies
            .flat_map(|body| body.lines().map(which_of).collect::<Vec<_>>())
            .collect()
    }

    fn remove_journal(&self) {
        let storage: Arc<dyn Storage> = Arc::new(FsStorage::open(self.scratch.path("spool")).unwrap());
        let Ok(reader) = auditship::spool::Reader::open(Arc::clone(&storage)) else {
            return;
        };
        for destination in ["archive", "siem"] {
            let Ok(mut cursor) =
                Cursor::open_or_create(Arc::clone(&storage), destination, reader.spool_id(), 0)
            else {
                continue;
            };
            let mut state = cursor.state().clone();
            state.entries.clear();
            cursor.commit(state).unwrap();
        }
    }

    /// What was promised and not kept.
    fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let mut archived: BTreeMap<String, u64> = BTreeMap::new();
        for which in self.archived() {
            *archived.entry(which).or_default() += 1;
        }
        let sent: BTreeSet<String> = self.sent().into_iter().collect();
        for chunk in 0..self.chunks.len() {
            for nth in 0..RECORDS {
                let which = format!("{chunk}.{nth}");
                match archived.get(&which) {
                    None => violations.push(format!("{which} is lost at file")),
                    Some(1) => {}
                    Some(times) if has_id(&which) => {
                        violations.push(format!("{which} is {times} times at file"))
                    }
                    Some(_) => {}
                }
                if !sent.contains(&which) {
                    violations.push(format!("{which} is lost at http"));
                }
            }
        }
        // By key: the body, and in which life it came last.
        let mut keys: BTreeMap<String, (Vec<u8>, usize)> = BTreeMap::new();
        for (nth, request) in self.receiver.requests().into_iter().enumerate() {
            let life = self.kills.iter().filter(|&&kill| kill <= nth).count();
            let key = request.key().unwrap().to_owned();
            if let Some((body, before)) = keys.insert(key.clone(), (request.body.clone(), life)) {
                if before == life {
                    violations.push(format!("key {key} twice in life {life}"));
                }
                if body != request.body {
                    violations.push(format!("key {key} with two bodies"));
                }
            }
        }
        violations
    }
}

fn read_objects(directory: &Path, lines: &mut Vec<String>) {
    // A folder that is not there yet, or a temporary file that is gone meanwhile.
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_objects(&path, lines);
        } else if path.extension().is_some_and(|extension| extension == "ndjson") {
            lines.extend(fs::read_to_string(&path).unwrap().lines().map(str::to_owned));
        }
    }
}

fn storm(kills: u64, journal: Journal, retain: &str, seed: u64) -> Vec<String> {
    let mut storm = Storm::new(retain, seed);
    for life in 0..kills {
        let kill = match (journal, life % 2) {
            (Journal::Removed, _) => Kill::At("object-link:1:after"),
            (Journal::Kept, 0) => Kill::At(STEPS[usize::try_from(life / 2).unwrap() % STEPS.len()]),
            (Journal::Kept, _) => Kill::Random {
                answers: storm.below(12),
                then: Duration::from_millis(storm.below(1_500)),
            },
        };
        storm.live(8, &kill);
        if journal == Journal::Removed {
            storm.remove_journal();
        }
    }
    storm.live(8, &Kill::Never);
    let violations = storm.violations();
    println!(
        "{} kills, {} records, {} objects' records, {} requests, {} violations",
        kills,
        storm.chunks.len() as u64 * RECORDS,
        storm.archived().len(),
        storm.receiver.requests().len(),
        violations.len(),
    );
    violations
}

/// 32 kills in `make test`, 200 in `make soak`.
#[test]
fn soak_nothing_is_lost_or_doubled_by_kills() {
    let kills = if is_soak() { 200 } else { 32 };
    assert_eq!(storm(kills, Journal::Kept, "30d", 1), Vec::<String>::new());
}

/// What is handed over again after its segment has gone is still recognised. As many kills as above.
#[test]
fn soak_nothing_is_doubled_after_a_retention_cut() {
    let kills = if is_soak() { 200 } else { 32 };
    assert_eq!(storm(kills, Journal::Kept, "1s", 3), Vec::<String>::new());
}

#[test]
fn without_the_journal_the_storm_is_red() {
    let violations = storm(2, Journal::Removed, "30d", 2);
    assert!(
        violations
            .iter()
            .any(|violation| violation.contains("times at file")),
        "{violations:?}"
    );
}
