//! The spool's directory as the interface to whatever runs on it: the plugin, the daemon, or nothing at all.
//!
//! # In scope
//! * [`status`]: what writer and shipper say of themselves each second, and both put together for whoever asks;
//! * [`desired`]: which destinations shall be active; survives everything;
//! * [`commands`]: requests that are applied once and answered;
//! * [`mod@forget`]: giving up a destination that is no longer configured;
//! * [`log`]: `auditship.log`, as our threads have no safe way to the host's.
//!
//! # Out of scope
//! Doing what is desired or requested ([`crate::deliver`], [`crate::spool`]); printing it ([`crate::cli`]).
//!
//! # Invariants
//! 1. Who is alive is told by a held lock, never by a recent file.
//! 2. Every file here may be missing, cut, of a newer version or made by hand: reading gives a typed error or passes over
//!    it, and never stops records from flowing.
//! 3. Any number of processes may ask and order at the same time. No file is changed in place: each is made under another
//!    name and renamed or linked.
//!
//! Read and written by the instance's thread, the shipper's control thread and command-line processes.

pub mod commands;
pub mod desired;
pub mod forget;
pub mod log;
mod nonce;
pub mod status;

use std::fmt;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::random::NoRandomness;
use crate::spool::IoFailure;
use crate::spool::names::BadName;
use crate::spool::storage::{Storage, read_small};

/// The folder of everything here but the log, relative to the spool.
pub const FOLDER: &str = "control";
/// The lock that the spool's one writer holds.
pub const WRITER_LOCK: &str = "writer.lock";
/// The lock that the spool's one shipper holds.
pub const SHIPPER_LOCK: &str = "shipper.lock";

/// Bytes of the largest control file that is read.
const MAX_LEN: usize = 4 << 20;

/// Who does what is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "there are two locks")]
pub enum Role {
    /// The holder of [`WRITER_LOCK`].
    Writer,
    /// The holder of [`SHIPPER_LOCK`].
    Shipper,
}

impl Role {
    /// The lock that its holder has.
    pub fn lock(self) -> &'static str {
        match self {
            Self::Writer => WRITER_LOCK,
            Self::Shipper => SHIPPER_LOCK,
        }
    }
}

/// Makes the folders, durably. Once at each start; not needed for reading.
///
/// # Errors
/// [`ControlError::Io`].
pub fn prepare(storage: &dyn Storage) -> Result<(), ControlError> {
    for folder in [commands::COMMANDS, commands::ANSWERS] {
        storage
            .create_dir(folder)
            .map_err(|error| ControlError::io(folder, "create", &error))?;
    }
    for folder in ["", FOLDER] {
        storage
            .sync_dir(folder)
            .map_err(|error| ControlError::io(folder, "sync", &error))?;
    }
    Ok(())
}

/// A control file: a format's version, and what it holds. Newer fields are passed over, newer versions are refused.
#[derive(Serialize, serde::Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

/// The version of all control files that is written, and the newest that is read.
const VERSION: u32 = 1;

fn to_json<T: Serialize>(path: &str, content: T) -> Result<Vec<u8>, ControlError> {
    let versioned = Versioned {
        version: VERSION,
        content,
    };
    let mut bytes = serde_json::to_vec_pretty(&versioned)
        .map_err(|error| ControlError::io(path, "encode", &io::Error::from(error)))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a control file; `None` when there is none.
fn read_json<T: DeserializeOwned>(storage: &dyn Storage, path: &str) -> Result<Option<T>, ControlError> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let bytes = match read_small(storage, path, MAX_LEN) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(ControlError::io(path, "read", &error)),
    };
    let damaged = |error: serde_json::Error| ControlError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let Version { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version > VERSION {
        return Err(ControlError::NewerVersion {
            path: path.to_owned(),
            ours: VERSION,
            theirs: version,
        });
    }
    let versioned: Versioned<T> = serde_json::from_slice(&bytes).map_err(damaged)?;
    Ok(Some(versioned.content))
}

/// Why a control file cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// The destination's id cannot be one.
    BadName(BadName),
    /// Another process kept the lock for longer than a change takes.
    Busy {
        /// The lock's file, relative to the spool.
        path: String,
    },
    /// The file is not what its name says.
    Damaged {
        /// The file, relative to the spool.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The disk refused.
    Io(IoFailure),
    /// A newer version of auditship wrote it.
    NewerVersion {
        /// The file, relative to the spool.
        path: String,
        /// The newest format that this version reads.
        ours: u32,
        /// The file's format.
        theirs: u32,
    },
    /// No random bytes for a command's nonce.
    NoRandomness(NoRandomness),
    /// As many commands wait for an answer as may.
    TooMany {
        /// How many wait.
        waiting: usize,
    },
}

impl ControlError {
    fn io(path: &str, action: &'static str, error: &io::Error) -> Self {
        Self::Io(IoFailure::new(action, path, error))
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(bad) => write!(f, "{bad}"),
            Self::Busy { path } => write!(f, "{path} is held by another process; try again"),
            Self::Damaged { path, why } => {
                write!(
                    f,
                    "{path} is not a control file of auditship ({why}); look at it, then remove it"
                )
            }
            Self::Io(failure) => write!(f, "cannot {failure}"),
            Self::NewerVersion { path, ours, theirs } => write!(
                f,
                "{path} has format {theirs}, this auditship reads up to format {ours}: use the newer auditship"
            ),
            Self::NoRandomness(none) => write!(f, "{none}"),
            Self::TooMany { waiting } => write!(
                f,
                "{waiting} commands wait for an answer already; start the writer or the shipper of this spool first"
            ),
        }
    }
}

impl std::error::Error for ControlError {}
