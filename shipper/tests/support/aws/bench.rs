//! An intake and a shipper with its threads, before the counterpart.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::control::log::Log;
use auditship::control::status::{DestinationStatus, Program};
use auditship::deliver::backoff::Policy;
use auditship::deliver::{Drained, LaneRoute, Lanes, PlainSpawner, Shipper, Surroundings, Target};
use auditship::ingest::Chunk;
use auditship::instance::{self, Answer, Intake, Outside, ingest_settings, writer_options};
use auditship::random::OsRandom;
use auditship::spool::dead_letter::{self, DeadLetter};
use auditship::spool::draft::SourceFormat;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship::time::{Clock, Monotonic, SystemClock};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);
const ID: &str = "aws";

pub(crate) struct Bench {
    _directory: tempfile::TempDir,
    storage: Arc<dyn Storage>,
    clock: Arc<SystemClock>,
    intake: Intake,
    pub(crate) shipper: Shipper,
}

impl Bench {
    /// A destination of this type with these keys.
    pub(crate) fn new(kind: &str, keys: &str, environment: Environment) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let text = format!(
            "[spool]\npath = \"{}/spool\"\nid = \"test\"\nmax_bytes = \"1GiB\"\n\
             [[destination]]\nid = \"{ID}\"\ntype = \"{kind}\"\n{keys}",
            directory.path().display()
        );
        let config = Config::from_toml_text(&text, "test.toml", &environment, Strictness::Strict)
            .expect("a valid configuration");
        let clock = Arc::new(SystemClock::new());
        let outside = Outside {
            clock: clock.clone(),
            random: Arc::new(OsRandom::new()),
            environment,
            machine_id: b"a machine".to_vec(),
            program: instance::Program {
                name: String::from("test"),
                pid: 1,
            },
        };
        let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(&config.spool.path).expect("a spool"));
        let intake = Intake::open(
            Arc::clone(&storage),
            writer_options(&config.spool, 1 << 40, &outside.machine_id),
            &ingest_settings(&config),
            &outside,
            &outside.program,
        );
        let quick = Policy::new(
            Duration::from_millis(5),
            Duration::from_millis(50),
            Duration::from_millis(50),
        );
        let mut lanes = Lanes::of(&config);
        for lane in &mut lanes.lanes {
            let Target::Route(LaneRoute { settings, .. }) = &mut lane.target else {
                panic!("a destination that can be built")
            };
            settings.batching.age = Duration::from_millis(50);
            settings.retry = quick;
            settings.probe = quick;
        }
        let around = Surroundings {
            clock: clock.clone(),
            random: outside.random.clone(),
            spawner: Arc::new(PlainSpawner),
            program: Program::default(),
            instance: String::from("test"),
            machine_id: outside.machine_id.clone(),
        };
        let log = Log::new(Arc::clone(&storage), clock.clone());
        let shipper = Shipper::start(Arc::clone(&storage), lanes, around, log).expect("started");
        Self {
            _directory: directory,
            storage,
            clock,
            intake: intake.expect("an intake"),
            shipper,
        }
    }

    /// Hands lines over.
    pub(crate) fn write(&mut self, lines: &str) {
        let chunk = Chunk {
            source: SourceFormat::Ndjson,
            bytes: lines.as_bytes(),
            origin: "a test",
            received_at: self.clock.wall(),
        };
        assert_eq!(self.intake.accept(&[chunk]).0, [Answer::Accepted]);
        self.shipper.nudge();
    }

    pub(crate) fn status(&self) -> DestinationStatus {
        self.shipper.statuses().swap_remove(0)
    }

    pub(crate) fn drain(&self) {
        assert_eq!(
            self.shipper.drain(PATIENCE),
            Drained::Everything,
            "{:?}",
            self.status()
        );
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        let listed = dead_letter::list(&*self.storage, ID).expect("a list");
        listed
            .map(|letter| {
                let shown = dead_letter::show(&*self.storage, ID, letter.epoch, letter.seq);
                shown.expect("readable").expect("there")
            })
            .collect()
    }

    /// Waits until the status is so.
    #[expect(
        clippy::disallowed_methods,
        reason = "a status is looked at, there is no event for its change"
    )]
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&DestinationStatus) -> bool) {
        let begun = SystemClock::new();
        while !is_so(&self.status()) {
            let waited = begun.monotonic().since(Monotonic(0));
            assert!(waited < PATIENCE, "{what}: {:?}", self.status());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
