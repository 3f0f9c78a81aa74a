//! One writer and its shipper, put together: what the plugin, `auditship ship` and `auditship run` start.
//!
//! # In scope
//! Making the directory and the parts from a [`Config`]; the order of starting and stopping; the writer's status and
//! commands; trying quarantined input again.
//!
//! # Out of scope
//! Whose thread this runs on and how chunks get there (the plugin, the command line).
//!
//! # Invariants
//! 1. The writer is opened before the shipper: a directory that cannot be a spool fails before anything is sent.
//! 2. Stopping is a courtesy. Nothing in it is needed for safety; see [`Instance::stop`].
//!
//! An [`Instance`] is started and used by one thread; the shipper's threads are made by that thread and inherit its signal
//! mask.

mod intake;
pub mod quarantine;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use self::intake::{Answer, Intake};
use crate::config::{self, Config, Environment, ShipperMode};
use crate::control::log::Log;
use crate::control::status;
use crate::deliver::{Lanes, PlainSpawner, Shipper, StartError as ShipperError, Surroundings};
use crate::destination::Compression;
use crate::ingest::{self, Chunk};
use crate::random::Random;
use crate::record::{KeyPath, Position};
use crate::spool::format::Codec;
use crate::spool::storage::Storage;
use crate::spool::storage::fs::{FsStorage, RootError, check_private};
use crate::spool::{AppendError, SpoolError, WriterOptions};
use crate::time::{Clock, Timestamp};

/// Everything that an instance takes from outside.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever starts instances")]
pub struct Outside {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The environment, read once.
    pub environment: Environment,
    /// What differs from machine to machine: see [`machine_id`].
    pub machine_id: Vec<u8>,
    /// Who we are, for the status.
    pub program: Program,
}

/// The program that runs an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever starts instances")]
pub struct Program {
    /// As `fluent-bit plugin` or `auditship run`.
    pub name: String,
    /// The process.
    pub pid: u32,
}

impl Program {
    /// As the status shows it, running since `since`.
    fn status(&self, since: Timestamp) -> status::Program {
        status::Program {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: self.pid,
            since: Some(since),
        }
    }
}

/// What tells this machine from another: the content of `/etc/machine-id`, or nothing where there is none (a spool copied
/// from another such machine is then recognised by its files only).
pub fn machine_id() -> Vec<u8> {
    std::fs::read("/etc/machine-id").unwrap_or_default()
}

/// Why an instance cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// The directory.
    Root(RootError),
    /// The directory cannot be made or opened.
    Directory {
        /// Which.
        path: String,
        /// The system's words.
        message: String,
    },
    /// What is in it.
    Spool {
        /// Where it is.
        path: String,
        /// What is wrong.
        error: SpoolError,
    },
    /// The shipper.
    Shipper(ShipperError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(error) => write!(f, "{error}"),
            Self::Directory { path, message } => {
                write!(
                    f,
                    "the spool directory {path} cannot be made or opened: {message}"
                )
            }
            Self::Spool { path, error } => write!(f, "the spool {path}: {error}"),
            Self::Shipper(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The directory of a spool as a storage, made (0700) where there is none.
///
/// # Errors
/// [`StartError::Root`], [`StartError::Directory`].
pub fn open_directory(path: &Path) -> Result<Arc<dyn Storage>, StartError> {
    check_private(path).map_err(StartError::Root)?;
    let storage = FsStorage::create(path).map_err(|error| StartError::Directory {
        path: path.display().to_string(),
        message: error.to_string(),
    })?;
    Ok(Arc::new(storage))
}

/// A running writer, with a shipper beside it when the configuration embeds one.
pub struct Instance {
    intake: Intake,
    shipper: Option<Shipper>,
}

impl Instance {
    /// Opens the spool of `config` and starts what belongs to it.
    ///
    /// # Errors
    /// Any [`StartError`]; nothing runs then.
    pub fn start(config: &Config, outside: &Outside) -> Result<Self, StartError> {
        let storage = open_directory(&config.spool.path)?;
        Self::start_in(storage, config, outside)
    }

    /// As [`Instance::start`], in a storage of the caller's.
    ///
    /// # Errors
    /// As for [`Instance::start`].
    pub fn start_in(
        storage: Arc<dyn Storage>,
        config: &Config,
        outside: &Outside,
    ) -> Result<Self, StartError> {
        let total = storage.space().map_or(u64::MAX, |space| space.total);
        let options = writer_options(&config.spool, total, &outside.machine_id);
        let spool_error = |error| StartError::Spool {
            path: config.spool.path.display().to_string(),
            error,
        };

        let intake = Intake::open(
            Arc::clone(&storage),
            options,
            &ingest_settings(config),
            outside,
            &outside.program,
        )
        .map_err(spool_error)?;
        let shipper = match config.shipper {
            ShipperMode::External => None,
            ShipperMode::Embedded => Some(start_shipper(storage, config, outside, intake.log().clone())?),
        };
        Ok(Self { intake, shipper })
    }

    /// Makes `chunks` durable with one sync, answers each, and lets the shipper know.
    pub fn accept(&mut self, chunks: &[Chunk<'_>]) -> Vec<Answer> {
        let (answers, moved) = self.intake.accept(chunks);
        self.nudge(moved);
        answers
    }

    /// As [`Instance::accept`] for one piece of a longer text, whose first line has the number `line`.
    pub fn accept_lines(&mut self, piece: &Chunk<'_>, line: u64) -> Answer {
        let from = Position { offset: 0, line };
        let (answers, moved) = self.intake.accept_from(std::slice::from_ref(piece), from);
        self.nudge(moved);
        match answers.into_iter().next() {
            Some(answer) => answer,
            None => Answer::Refused(AppendError::Poisoned),
        }
    }

    fn nudge(&self, moved: bool) {
        if moved && let Some(shipper) = &self.shipper {
            shipper.nudge();
        }
    }

    /// Housekeeping; call it a few times a second.
    pub fn tick(&mut self) {
        self.intake.tick();
    }

    /// The writing half.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// The shipping half, when it is embedded.
    pub fn shipper(&self) -> Option<&Shipper> {
        self.shipper.as_ref()
    }

    /// Ends the shipper, whose senders get at most `patience`, then the writer. What is not delivered stays in the spool.
    pub fn stop(self, patience: Duration) {
        let Self { mut intake, shipper } = self;
        if let Some(shipper) = shipper {
            shipper.stop(patience);
        }
        // What is said of this spool while nothing runs should be how it was left.
        intake.publish();
    }
}

/// Starts what ships the spool in `storage` to the destinations of `config`.
///
/// # Errors
/// [`StartError::Shipper`]; nothing runs then.
pub fn start_shipper(
    storage: Arc<dyn Storage>,
    config: &Config,
    outside: &Outside,
    log: Log,
) -> Result<Shipper, StartError> {
    let around = Surroundings {
        clock: Arc::clone(&outside.clock),
        random: Arc::clone(&outside.random),
        spawner: Arc::new(PlainSpawner),
        program: outside.program.status(outside.clock.wall()),
        instance: config.spool.id.clone(),
        machine_id: outside.machine_id.clone(),
    };
    Shipper::start(storage, Lanes::of(config), around, log).map_err(StartError::Shipper)
}

/// What the writer is told by `config`, on a filesystem of `total` bytes.
pub fn writer_options(config: &config::SpoolConfig, total: u64, machine_id: &[u8]) -> WriterOptions {
    let mut options = WriterOptions::new(&config.id, machine_id);
    options.max_bytes = Some(config.max_bytes.on(total));
    options.retain = config.retain;
    options.on_full = config.on_full;
    options.codec = match config.compression {
        Compression::None => Codec::None,
        Compression::Gzip => Codec::Gzip,
        Compression::Zstd => Codec::Zstd,
    };
    options
}

/// What ingest is told by `config`.
pub fn ingest_settings(config: &Config) -> ingest::Settings {
    let mut settings = ingest::Settings {
        exclusion: config.exclusion,
        ..ingest::Settings::default()
    };
    settings.record.id_key = KeyPath::new(&config.record.id);
    settings.record.time_key = KeyPath::new(&config.record.time);
    settings.record.category_key = KeyPath::new(&config.record.category);
    settings
}
