//! A real shipper with its threads, a directory, and a real receiver on loopback that is dead or answers nonsense for a
//! while.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::control::log::Log;
use auditship::control::status::{Activity, DestinationStatus, Program};
use auditship::deliver::backoff::Policy;
use auditship::deliver::{Drained, Lanes, PlainSpawner, Shipper, Surroundings, Target};
use auditship::ingest::Chunk;
use auditship::instance::{self, Answer, Intake, Outside, ingest_settings, writer_options};
use auditship::random::OsRandom;
use auditship::spool::cursor::HoldKind;
use auditship::spool::dead_letter;
use auditship::spool::draft::SourceFormat;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship::time::{Clock, Monotonic, SystemClock, Timestamp};
use auditship_testkit::receiver::{Received, Receiver, Reply};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The system's clock, which a test can put forward.
struct Forward {
    clock: SystemClock,
    by: AtomicU64,
}

impl Forward {
    fn put(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap();
        self.by.fetch_add(nanos, Ordering::SeqCst);
    }

    fn offset(&self) -> Duration {
        Duration::from_nanos(self.by.load(Ordering::SeqCst))
    }
}

impl Clock for Forward {
    fn wall(&self) -> Timestamp {
        self.clock.wall().plus(self.offset())
    }

    fn monotonic(&self) -> Monotonic {
        self.clock.monotonic().plus(self.offset())
    }
}

/// An intake, and a shipper to a directory and a receiver.
struct Bench {
    _directory: tempfile::TempDir,
    storage: Arc<dyn Storage>,
    clock: Arc<Forward>,
    receiver: Receiver,
    intake: Intake,
    shipper: Shipper,
    records: u64,
}

const FILE: usize = 0;
const HTTP: usize = 1;

impl Bench {
    /// `policy` is for retries and probes; with none it is the product's.
    fn new(reply: Reply, policy: Option<Policy>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let receiver = Receiver::start([], reply);
        let text = format!(
            "[spool]\npath = \"{0}/spool\"\nid = \"test\"\nmax_bytes = \"64MiB\"\n\
             [[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{0}/out\"\n\
             [[destination]]\nid = \"collector\"\ntype = \"http\"\nurl = \"{1}\"\nbatch_max_records = 6\n",
            directory.path().display(),
            receiver.url("/audit"),
        );
        let config =
            Config::from_toml_text(&text, "test.toml", &Environment::empty(), Strictness::Strict).unwrap();
        let clock = Arc::new(Forward {
            clock: SystemClock::new(),
            by: AtomicU64::new(0),
        });
        let outside = Outside {
            clock: clock.clone(),
            random: Arc::new(OsRandom::new()),
            environment: Environment::empty(),
            machine_id: b"a machine".to_vec(),
            program: instance::Program {
                name: String::from("test"),
                pid: 1,
            },
        };
        let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(&config.spool.path).unwrap());
        let intake = Intake::open(
            Arc::clone(&storage),
            writer_options(&config.spool, 1 << 40, &outside.machine_id),
            &ingest_settings(&config),
            &outside,
            &outside.program,
        );
        let mut lanes = Lanes::of(&config);
        for lane in &mut lanes.lanes {
            let Target::Route { settings, .. } = &mut lane.target else {
                panic!("a destination that can be built")
            };
            settings.batching.age = Duration::from_millis(1);
            settings.retry = policy.unwrap_or(settings.retry);
            settings.probe = policy.unwrap_or(settings.probe);
        }
        let around = Surroundings {
            clock: clock.clone(),
            random: outside.random.clone(),
            spawner: Arc::new(PlainSpawner),
            program: Program::default(),
            instance: String::from("test"),
            machine_id: b"a machine".to_vec(),
        };
        let log = Log::new(Arc::clone(&storage), clock.clone());
        let shipper = Shipper::start(Arc::clone(&storage), lanes, around, log).unwrap();
        Self {
            _directory: directory,
            storage,
            clock,
            receiver,
            intake: intake.unwrap(),
            shipper,
            records: 0,
        }
    }

    /// Hands over so many records more.
    fn write(&mut self, records: u64) {
        let lines: String = (self.records..self.records + records)
            .map(|n| format!("{{\"n\":{n}}}\n"))
            .collect();
        self.records += records;
        let chunk = Chunk {
            source: SourceFormat::Ndjson,
            bytes: lines.as_bytes(),
            origin: "a test",
            received_at: self.clock.wall(),
        };
        assert_eq!(self.intake.accept(&[chunk]).0, [Answer::Accepted]);
        self.shipper.nudge();
    }

    fn status(&self, destination: usize) -> DestinationStatus {
        self.shipper.statuses().swap_remove(destination)
    }

    fn letters(&self) -> u64 {
        let usage = dead_letter::usage(&*self.storage, "collector").unwrap();
        usage.count
    }

    /// Waits until the status of a destination is so.
    #[expect(
        clippy::disallowed_methods,
        reason = "a status is looked at, there is no event for its change"
    )]
    fn until(&self, destination: usize, what: &str, is_so: impl Fn(&DestinationStatus) -> bool) {
        let begun = SystemClock::new();
        while !is_so(&self.status(destination)) {
            let waited = begun.monotonic().since(Monotonic(0));
            assert!(waited < PATIENCE, "{what}: {:?}", self.status(destination));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What is in order again takes everything, each record once, in the order in which it came in.
    fn assert_caught_up(&self, healed: &[Received]) {
        let status = self.status(HTTP);
        assert_eq!(status.counts.delivered, self.records, "{status:?}");
        assert_eq!((status.counts.dead_lettered, self.letters()), (0, 0));
        assert_eq!(status.activity, Activity::Active);
        let mut batches: Vec<Vec<u64>> = healed.iter().map(numbers).collect();
        // One request may have been refused while the receiver was put right; what is in it comes again.
        if batches.len() > 1 && batches[1..].concat().contains(&batches[0][0]) {
            batches.remove(0);
        }
        assert_eq!(batches.concat(), (0..self.records).collect::<Vec<_>>());
        assert_eq!(self.receiver.problems(), [""; 0]);
    }
}

fn numbers(request: &Received) -> Vec<u64> {
    let text = String::from_utf8(request.plain.clone()).unwrap();
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64();
    text.lines().map(|line| number(line).unwrap()).collect()
}

/// The connection is closed on every request, for five minutes of the shipper's clock.
#[test]
fn a_receiver_that_is_dead_for_five_minutes_delays_nobody_and_is_caught_up_in_order() {
    let mut bench = Bench::new(Reply::Close, None);
    for _ in 0..30 {
        bench.write(7);
        let written = bench.records;
        bench.until(FILE, "the directory is not delayed", |status| {
            status.counts.delivered == written
        });
        bench.clock.put(Duration::from_secs(10));
    }
    bench.until(HTTP, "it backs off", |status| {
        matches!(status.activity, Activity::BackingOff { .. }) && status.in_flight == 0
    });
    let status = bench.status(HTTP);
    assert_eq!(
        (status.counts.delivered, status.backlog.pending),
        (0, bench.records)
    );
    // The same batch was offered, under the same name, again and again, but not often.
    let dead = bench.receiver.requests();
    assert!((2..200).contains(&dead.len()), "{} requests", dead.len());
    assert!(dead.iter().all(|request| request.key() == dead[0].key()));
    assert!(dead.iter().all(|request| request.plain == dead[0].plain));

    let before = dead.len();
    bench.receiver.then(Reply::Status(200));
    bench.clock.put(Duration::from_secs(60));
    bench.shipper.nudge();
    assert_eq!(bench.shipper.drain(PATIENCE), Drained::Everything);
    let requests = bench.receiver.requests();
    bench.assert_caught_up(&requests[before..]);
    assert_eq!(requests[before].key(), dead[0].key(), "the batch keeps its name");
}

/// Nothing is given up while an endpoint answers the same to everything, and all of it goes out by itself afterwards.
#[test]
fn an_endpoint_that_is_wrong_for_a_while_costs_nothing() {
    let quick = Policy::new(
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(10),
    );
    for status in [400, 401, 403, 404, 413, 429, 500] {
        let mut bench = Bench::new(Reply::text(status, "not today"), Some(quick));
        bench.write(20);
        let held = match status {
            401 | 403 => Some(HoldKind::Auth),
            400 | 404 | 413 => Some(HoldKind::Config),
            _ => None,
        };
        let code = status.to_string();
        let says_why = |shown: &DestinationStatus| match (&shown.activity, held) {
            (Activity::Held { kind, reason, .. }, Some(held)) => *kind == held && reason.contains(&code),
            (Activity::BackingOff { reason, .. }, None) => reason.contains(&code),
            _ => false,
        };
        bench.until(HTTP, &code, says_why);
        // It goes on asking, and goes on keeping everything.
        let asked = bench.receiver.requests().len();
        let requests = bench.receiver.wait_for(asked + 10, PATIENCE);
        assert!(
            requests.len() >= asked + 10,
            "{status}: {} requests",
            requests.len()
        );
        bench.until(HTTP, &code, says_why);
        let shown = bench.status(HTTP);
        assert_eq!(
            (shown.counts.delivered, shown.counts.dead_lettered),
            (0, 0),
            "{status}"
        );
        assert_eq!((shown.backlog.pending, bench.letters()), (20, 0), "{status}");
        bench.until(FILE, "the directory", |file| file.counts.delivered == 20);

        let before = bench.receiver.requests().len();
        bench.receiver.then(Reply::Status(200));
        assert_eq!(bench.shipper.drain(PATIENCE), Drained::Everything, "{status}");
        bench.assert_caught_up(&bench.receiver.requests()[before..]);
    }
}
