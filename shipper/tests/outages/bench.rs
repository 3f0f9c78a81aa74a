//! A real shipper whose clock can be put forward, a directory, and a destination under test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::control::log::Log;
use auditship::control::status::{Activity, DestinationStatus, Program};
use auditship::deliver::backoff::Policy;
use auditship::deliver::{LaneRoute, Lanes, PlainSpawner, Shipper, Surroundings, Target};
use auditship::ingest::Chunk;
use auditship::instance::{self, Answer, Intake, Outside, ingest_settings, writer_options};
use auditship::random::OsRandom;
use auditship::spool::dead_letter;
use auditship::spool::draft::SourceFormat;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship::time::{Clock, Monotonic, SystemClock, Timestamp};

/// Far longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The system's clock, which a test can put forward.
pub(super) struct Forward {
    clock: SystemClock,
    by: AtomicU64,
}

impl Forward {
    pub(super) fn put(&self, by: Duration) {
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

/// An intake, and a shipper to a directory and to what is under test.
pub(super) struct Bench {
    _directory: tempfile::TempDir,
    storage: Arc<dyn Storage>,
    pub(super) clock: Arc<Forward>,
    intake: Intake,
    pub(super) shipper: Shipper,
    pub(super) records: u64,
}

pub(super) const FILE: usize = 0;
/// The destination under test.
pub(super) const TESTED: usize = 1;

impl Bench {
    /// `tested` are the keys of the destination under test; `policy` is for retries and probes, with none it is the
    /// product's.
    pub(super) fn new(tested: &str, environment: &Environment, policy: Option<Policy>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "[spool]\npath = \"{0}/spool\"\nid = \"test\"\nmax_bytes = \"64MiB\"\n\
             [[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{0}/out\"\n\
             [[destination]]\nid = \"tested\"\nbatch_max_records = 6\n{tested}",
            directory.path().display(),
        );
        let config = Config::from_toml_text(&text, "test.toml", environment, Strictness::Strict).unwrap();
        let clock = Arc::new(Forward {
            clock: SystemClock::new(),
            by: AtomicU64::new(0),
        });
        let outside = Outside {
            clock: clock.clone(),
            random: Arc::new(OsRandom::new()),
            environment: environment.clone(),
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
            let Target::Route(LaneRoute { settings, .. }) = &mut lane.target else {
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
            intake: intake.unwrap(),
            shipper,
            records: 0,
        }
    }

    /// Hands over so many records more.
    pub(super) fn write(&mut self, records: u64) {
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

    pub(super) fn status(&self, destination: usize) -> DestinationStatus {
        self.shipper.statuses().swap_remove(destination)
    }

    pub(super) fn letters(&self) -> u64 {
        let usage = dead_letter::usage(&*self.storage, "tested").unwrap();
        usage.count
    }

    /// Waits until the status of a destination is so.
    #[expect(
        clippy::disallowed_methods,
        reason = "a status is looked at, there is no event for its change"
    )]
    pub(super) fn until(&self, destination: usize, what: &str, is_so: impl Fn(&DestinationStatus) -> bool) {
        let begun = SystemClock::new();
        while !is_so(&self.status(destination)) {
            let waited = begun.monotonic().since(Monotonic(0));
            assert!(waited < PATIENCE, "{what}: {:?}", self.status(destination));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Everything is delivered, nothing given up, and nothing is held any more.
    pub(super) fn assert_delivered(&self) {
        let status = self.status(TESTED);
        assert_eq!(status.counts.delivered, self.records, "{status:?}");
        assert_eq!((status.counts.dead_lettered, self.letters()), (0, 0));
        assert_eq!(status.activity, Activity::Active);
    }
}
