//! An intake and a shipper with its threads, whose clock can be put forward, before counterparts.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::control::commands::{self, Command};
use auditship::control::log::Log;
use auditship::control::status::{Activity, DestinationStatus, Program};
use auditship::deliver::backoff::Policy;
use auditship::deliver::{Drained, LaneRoute, Lanes, PlainSpawner, Shipper, Surroundings, Target};
use auditship::ingest::Chunk;
use auditship::instance::{self, Answer, Intake, Outside, ingest_settings, writer_options};
use auditship::random::OsRandom;
use auditship::spool::cursor::HoldKind;
use auditship::spool::dead_letter::{self, DeadLetter};
use auditship::spool::draft::SourceFormat;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship::time::{Clock, Monotonic, SystemClock, Timestamp};

/// Far longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
/// The destination under test; it comes last.
pub(crate) const TESTED: &str = "tested";

/// How long is waited between tries, and for a batch to fill.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As in the product.
    Product,
    /// Up to so long between tries.
    Quick(Duration),
}

/// The system's clock, which a test can put forward.
pub(crate) struct Forward {
    clock: SystemClock,
    by: AtomicU64,
}

impl Forward {
    pub(crate) fn put(&self, by: Duration) {
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

pub(crate) struct Bench {
    directory: tempfile::TempDir,
    storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<Forward>,
    intake: Intake,
    pub(crate) shipper: Shipper,
    /// How many were written by [`Bench::write_numbers`].
    pub(crate) records: u64,
}

impl Bench {
    /// `destinations` are whole tables; `DIR` in them is the bench's directory.
    pub(crate) fn among(destinations: &str, environment: &Environment, pace: Pace) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text =
            format!("[spool]\npath = \"DIR/spool\"\nid = \"test\"\nmax_bytes = \"1GiB\"\n{destinations}");
        let text = text.replace("DIR", &directory.path().display().to_string());
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
            if let Pace::Quick(cap) = pace {
                settings.batching.age = cap;
                settings.retry = Policy::new(cap / 10, cap, cap);
                settings.probe = settings.retry;
            }
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
        let shipper = Shipper::start(Arc::clone(&storage), lanes, around, log).unwrap();
        Self {
            directory,
            storage,
            clock,
            intake: intake.unwrap(),
            shipper,
            records: 0,
        }
    }

    /// One destination of this type with these keys, and little patience.
    pub(crate) fn new(kind: &str, keys: &str, environment: Environment) -> Self {
        let destination = format!("[[destination]]\nid = \"{TESTED}\"\ntype = \"{kind}\"\n{keys}");
        Self::among(&destination, &environment, Pace::Quick(Duration::from_millis(50)))
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

    /// Hands over so many records more, each with the next `n`.
    pub(crate) fn write_numbers(&mut self, records: u64) {
        let lines: String = (self.records..self.records + records)
            .map(|n| {
                format!(
                    "{{\"n\":{n},\"event\":{{\"id\":\"id-{n}\",\"action\":\"login\"}},\"pad\":\"{n:200}\"}}\n"
                )
            })
            .collect();
        self.records += records;
        self.write(&lines);
    }

    /// Of the destination at this place.
    pub(crate) fn status_of(&self, place: usize) -> DestinationStatus {
        self.shipper.statuses().swap_remove(place)
    }

    /// Of the destination under test.
    pub(crate) fn status(&self) -> DestinationStatus {
        self.shipper.statuses().pop().unwrap()
    }

    pub(crate) fn drain(&self) {
        assert_eq!(
            self.shipper.drain(PATIENCE),
            Drained::Everything,
            "{:?}",
            self.status()
        );
    }

    /// Those of the destination under test.
    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        let listed = dead_letter::list(&*self.storage, TESTED).unwrap();
        listed
            .map(|letter| {
                let shown = dead_letter::show(&*self.storage, TESTED, letter.epoch, letter.seq);
                shown.unwrap().unwrap()
            })
            .collect()
    }

    /// Waits until the status of the destination at `place` is so.
    #[expect(
        clippy::disallowed_methods,
        reason = "a status is looked at, there is no event for its change"
    )]
    pub(crate) fn until_of(&self, place: usize, what: &str, is_so: impl Fn(&DestinationStatus) -> bool) {
        let begun = SystemClock::new();
        while !is_so(&self.status_of(place)) {
            let waited = begun.monotonic().since(Monotonic(0));
            assert!(waited < PATIENCE, "{what}: {:?}", self.status_of(place));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the status of the destination under test is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&DestinationStatus) -> bool) {
        self.until_of(self.shipper.statuses().len() - 1, what, is_so);
    }

    /// Waits until the destination under test is held for this, and gives the reason.
    pub(crate) fn held(&self, kind: HoldKind) -> String {
        self.until(
            "held",
            |status| matches!(&status.activity, Activity::Held { kind: is, .. } if *is == kind),
        );
        match self.status().activity {
            Activity::Held { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// A person says that it is right now.
    pub(crate) fn resume(&self) {
        let command = Command::Release {
            destination: String::from(TESTED),
            copy: 0,
        };
        let given = commands::submit(
            &*self.storage,
            &OsRandom::new(),
            self.clock.wall(),
            "a test",
            &command,
        );
        given.unwrap();
    }

    /// Everything is delivered, nothing given up, and nothing is held any more.
    pub(crate) fn assert_delivered(&self) {
        let status = self.status();
        assert_eq!(status.counts.delivered, self.records, "{status:?}");
        assert_eq!((status.counts.dead_lettered, self.letters().len()), (0, 0));
        assert_eq!(status.activity, Activity::Active);
    }
}
