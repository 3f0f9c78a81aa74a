//! The whole way of a record in one process, without a thread: intake as the plugin runs it, spool, cursors, and the
//! lanes of a `file` and an `http` destination, on one disk and one clock that obey the test.
//!
//! A request and an answer each touch the disk once on their way, so that a process that is cut at every change is also cut
//! between a commit and its request, between a request and what it does, and between that and its answer.

mod below;
mod broken;
pub(crate) mod chunks;
pub(crate) mod ledger;
mod receiver;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auditship::config::Environment;
use auditship::control::{self, SHIPPER_LOCK};
use auditship::deliver::backoff::Policy;
use auditship::deliver::pack::Batching;
use auditship::deliver::{
    Action, Activity, Configured, Lane, Now, Ports, RecordFilter, Settings, ShipAll, Source, SourceError,
    SpoolSource, StoredLetters, Ticket,
};
use auditship::destination::file::File;
use auditship::destination::http::Http;
use auditship::destination::{Destination, KindConfig};
use auditship::exclude::Exclusion;
use auditship::ingest::{self, Chunk};
use auditship::instance::{Answer, Intake, Outside, Program};
use auditship::random::{Random, SeededRandom};
use auditship::selection::Selection;
use auditship::spool::cursor::Cursor;
use auditship::spool::draft::SourceFormat;
use auditship::spool::format::Codec;
use auditship::spool::storage::sim::SimStorage;
use auditship::spool::storage::{LockGuard, Storage, create_dir_durable};
use auditship::spool::{OnFull, Provenance, WriterOptions};
use auditship::time::{Clock, ManualClock, Monotonic, Timestamp};
use auditship::transport::Transport;
use auditship::transport::file::FileTransport;

pub(crate) use self::below::Below;
pub(crate) use self::broken::Fault;
pub(crate) use self::receiver::Receiver;
use super::unsynced::Unsynced;

/// The lanes: id, and the most records of a batch.
pub(crate) const FILE: &str = "archive";
pub(crate) const HTTP: &str = "collector";
/// A second `file` lane, which some tests begin later.
pub(crate) const LATE: &str = "late";
const SPOOL: &str = "spool";

/// What outlives a process.
pub(crate) struct World {
    pub(crate) disk: SimStorage,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<SeededRandom>,
    pub(crate) receiver: Receiver,
    pub(crate) fault: Fault,
    pub(crate) max_bytes: u64,
    pub(crate) on_full: OnFull,
}

impl World {
    /// A world with all randomness from `seed`.
    pub(crate) fn new(disk: SimStorage, receiver: Receiver, seed: u64) -> Self {
        Self {
            disk,
            clock: Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000))),
            random: Arc::new(SeededRandom::new(seed)),
            receiver,
            fault: Fault::None,
            max_bytes: 64 << 20,
            on_full: OnFull::Refuse,
        }
    }

    pub(crate) fn spool(&self) -> Arc<dyn Storage> {
        Arc::new(Below::new(&self.disk, SPOOL))
    }

    pub(crate) fn now(&self) -> Now {
        Now::of(&*self.clock)
    }

    fn options(&self) -> WriterOptions {
        let mut options = WriterOptions::new("test", b"a machine");
        options.segment_bytes = 2048;
        options.codec = Codec::None;
        options.max_bytes = Some(self.max_bytes);
        options.on_full = self.on_full;
        options
    }

    fn outside(&self) -> Outside {
        Outside {
            clock: self.clock.clone(),
            random: self.random.clone(),
            environment: Environment::empty(),
            machine_id: b"a machine".to_vec(),
            program: Program {
                name: String::from("test"),
                pid: 1,
            },
        }
    }

    fn settings(&self, id: &str) -> Settings {
        let (destination, records, filter): (_, _, Arc<dyn RecordFilter>) = match id {
            HTTP => {
                let filter = Configured {
                    exclusion: exclusion(chunks::FILTERED),
                    selection: Selection::default(),
                };
                (http(), 4, Arc::new(filter))
            }
            FILE => (file("/out"), 6, Arc::new(ShipAll)),
            _ => (file("/late"), 9, Arc::new(ShipAll)),
        };
        let destination: Arc<dyn Destination> = if self.fault == Fault::FreshNames {
            let first = self.random.next_u64().expect("seeded");
            Arc::new(broken::FreshNames::new(destination, first))
        } else {
            destination
        };
        Settings {
            destination,
            batching: Batching {
                records,
                ..Batching::STREAM
            },
            filter,
            dead_letter_rate: 1_000_000,
            retry: Policy::RETRY,
            probe: Policy::PROBE,
        }
    }
}

fn exclusion(category: &str) -> Exclusion {
    Exclusion::from_list(category).expect("a category")
}

fn http() -> Arc<dyn Destination> {
    static HTTP: OnceLock<Arc<Http>> = OnceLock::new();
    let made = HTTP.get_or_init(|| match configured("http", "url = \"https://localhost/audit\"") {
        KindConfig::Http(config) => Arc::new(Http::new(*config)),
        other => panic!("{other:?}"),
    });
    made.clone()
}

fn file(path: &str) -> Arc<dyn Destination> {
    match configured("file", &format!("path = \"{path}\"\ncompression = \"none\"")) {
        KindConfig::File(config) => Arc::new(File::new(config)),
        other => panic!("{other:?}"),
    }
}

fn configured(kind: &str, keys: &str) -> KindConfig {
    let table = keys.parse().expect("TOML");
    KindConfig::from_table(kind, table, &Environment::empty()).expect("valid keys")
}

/// One process.
pub(crate) struct Process {
    pub(crate) intake: Intake,
    pub(crate) lanes: Vec<Running>,
    disk: SimStorage,
    _lock: Option<Box<dyn LockGuard>>,
}

/// A lane, and the request that it has on its way.
pub(crate) struct Running {
    pub(crate) id: &'static str,
    pub(crate) lane: Lane,
    transport: Arc<dyn Transport>,
    on_the_way: Option<(Ticket, Box<http::Request<Vec<u8>>>)>,
}

/// Why a process, or a lane of it, cannot go on.
pub(crate) type Dead = String;

impl Process {
    /// Starts everything, in the order of the plugin.
    pub(crate) fn start(world: &World) -> Result<Self, Dead> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        for folder in [SPOOL, "out", "late"] {
            create_dir_durable(&world.disk, folder).map_err(|error| said(&error))?;
        }
        let spool = world.spool();
        let writing: Arc<dyn Storage> = match world.fault {
            Fault::NoSync => Arc::new(Unsynced(Below::new(&world.disk, SPOOL))),
            _ => Arc::clone(&spool),
        };
        let settings = ingest::Settings {
            exclusion: exclusion(chunks::EXCLUDED),
            ..ingest::Settings::default()
        };
        let outside = world.outside();
        let intake = Intake::open(writing, world.options(), &settings, &outside, &outside.program)
            .map_err(|error| said(&error))?;
        control::prepare(&*spool).map_err(|error| said(&error))?;
        let lock = spool.try_lock(SHIPPER_LOCK).map_err(|error| said(&error))?;
        assert!(lock.is_some(), "no other process has the spool");
        let mut process = Self {
            intake,
            lanes: Vec::new(),
            disk: world.disk.clone(),
            _lock: lock,
        };
        for id in [FILE, HTTP] {
            process.begin(world, id, 0)?;
        }
        Ok(process)
    }

    /// Opens the lane `id`; one that is new to the spool begins at `start`.
    pub(crate) fn begin(&mut self, world: &World, id: &'static str, start: u64) -> Result<(), Dead> {
        let lane = self.open(world, id, start)?;
        let disk = world.disk.clone();
        let transport: Arc<dyn Transport> = match id {
            HTTP => Arc::new(world.receiver.clone()),
            FILE => Arc::new(FileTransport::new(move || Ok(Arc::new(Below::new(&disk, "out"))))),
            _ => Arc::new(FileTransport::new(move || {
                Ok(Arc::new(Below::new(&disk, "late")))
            })),
        };
        self.lanes.push(Running {
            id,
            lane,
            transport,
            on_the_way: None,
        });
        Ok(())
    }

    fn open(&self, world: &World, id: &str, start: u64) -> Result<Lane, Dead> {
        let spool = self.intake.writer().spool_id();
        let storage = world.spool();
        let cursor = Cursor::open_or_create(Arc::clone(&storage), id, spool, start);
        let cursor = cursor.map_err(|error| error.to_string())?;
        let letters = || StoredLetters::new(Arc::clone(&storage), id);
        let (journal, dead_letters) = broken::ports(world.fault, cursor, letters(), letters());
        let source = |storage: &Arc<dyn Storage>| -> Result<Box<dyn Source>, SourceError> {
            let source = SpoolSource::open(Arc::clone(storage)).map_err(SourceError::new)?;
            Ok(Box::new(source))
        };
        let ports = Ports {
            spool,
            provenance: Provenance::default(),
            source: source(&storage).map_err(|error| error.to_string())?,
            further_source: Box::new({
                let storage = Arc::clone(&storage);
                move || source(&storage)
            }),
            journal,
            dead_letters,
            random: world.random.clone(),
        };
        Lane::open(world.settings(id), ports, Activity::Active).map_err(|error| error.to_string())
    }

    /// Hands chunks over at once, as several waiting flushes do.
    pub(crate) fn accept(&mut self, world: &World, numbers: &[u64]) -> Vec<Answer> {
        let bytes: Vec<Vec<u8>> = numbers.iter().map(|number| chunks::bytes(*number)).collect();
        let chunks = bytes.iter().map(|bytes| Chunk {
            source: SourceFormat::FluentBit,
            bytes,
            origin: "a test",
            received_at: world.clock.wall(),
        });
        self.intake.accept(&chunks.collect::<Vec<_>>()).0
    }

    /// Polls the lane `index` when nothing of it is on its way: until when it waits, if it does.
    pub(crate) fn poll(&mut self, world: &World, index: usize) -> Result<Option<Monotonic>, Dead> {
        let running = &mut self.lanes[index];
        if running.on_the_way.is_some() {
            return Ok(None);
        }
        match running
            .lane
            .poll(world.now())
            .map_err(|error| error.to_string())?
        {
            Action::Send { ticket, request } => {
                running.on_the_way = Some((ticket, request));
                Ok(None)
            }
            Action::Wait(until) => Ok(Some(until.unwrap_or(Monotonic(u64::MAX)))),
        }
    }

    /// What the lane `index` has on its way arrives, and is answered.
    pub(crate) fn answer(&mut self, world: &World, index: usize) {
        let running = &mut self.lanes[index];
        let Some((ticket, request)) = running.on_the_way.take() else {
            return;
        };
        if self.disk.create_dir("wire").is_err() {
            return;
        }
        let answer = running.transport.send(&request);
        if self.disk.create_dir("wire").is_ok() {
            running.lane.complete(ticket, answer, world.now());
        }
    }

    /// The process dies; what is on its way still arrives at the other side when `arrives` says so of its number.
    pub(crate) fn die(mut self, world: &World, arrives: impl Fn(usize) -> bool) {
        for (index, running) in self.lanes.iter_mut().enumerate() {
            if let Some((_, request)) = running.on_the_way.take()
                && arrives(index)
            {
                // Nobody hears the answer.
                let _ = running.transport.send(&request);
            }
        }
        world.receiver.sender_died();
    }

    /// Each lane goes on until it has nothing to do for now.
    pub(crate) fn settle(&mut self, world: &World) -> Result<(), Dead> {
        for index in 0..self.lanes.len() {
            while self.poll(world, index)?.is_none() {
                self.answer(world, index);
                if self.disk.is_dead() {
                    return Err(String::from("the process is dead"));
                }
            }
        }
        Ok(())
    }

    /// Sends all there is, for as much virtual time as that takes. Panics when it takes more than a few hours.
    pub(crate) fn drain(&mut self, world: &World) -> Result<(), Dead> {
        for running in &mut self.lanes {
            running.lane.drain();
        }
        let end = world.clock.monotonic().plus(Duration::from_hours(6));
        loop {
            let mut next = end;
            for index in 0..self.lanes.len() {
                loop {
                    match self.poll(world, index)? {
                        Some(until) => {
                            next = next.min(until);
                            break;
                        }
                        None => self.answer(world, index),
                    }
                    if self.disk.is_dead() {
                        return Err(String::from("the process is dead"));
                    }
                }
            }
            if self.lanes.iter().all(|running| running.lane.is_drained()) {
                return Ok(());
            }
            let now = world.clock.monotonic();
            let conditions = self.lanes.iter().map(|running| running.lane.snapshot().condition);
            assert!(
                now < end,
                "it does not drain: {:?}",
                conditions.collect::<Vec<_>>()
            );
            world.clock.advance(next.since(now).max(Duration::from_millis(1)));
        }
    }

    /// The running lane `id`.
    pub(crate) fn lane(&self, id: &str) -> &Lane {
        let running = self.lanes.iter().find(|running| running.id == id);
        &running.expect("it was begun").lane
    }
}
