//! What runs, how far it is, and what is wrong: one snapshot from the writer, one from the shipper, one view of both.
//!
//! # In scope
//! The files `control/status.writer.json` and `control/status.shipper.json`, rewritten each second by the holders of the
//! two locks ([`publish`]); [`read`], which puts them together with the locks, the cursors and what is desired, so
//! that the answer is right whether a plugin, a daemon or nothing at all runs; [`Health`].
//!
//! # Out of scope
//! Printing ([`crate::cli`]). Durability: after a power cut a snapshot may be empty, and is then as good as none.

mod health;
mod merge;
mod snapshot;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::health::{Alarm, Health, SILENT_AFTER, STUCK_AFTER};
pub use self::merge::{DestinationView, Life, RoleView, Sources, Standing, Status, Vantage, merge};
pub use self::snapshot::{
    Activity, Backlog, DestinationStatus, DiskSpace, Fault, Head, Intake, LetterCount, Program,
    ReplayProgress, ShipperStatus, WriterStatus,
};
use super::{ControlError, FOLDER, Role, desired, read_json, to_json};
use crate::spool::storage::Storage;
use crate::spool::{self, cursor, dead_letter};
use crate::time::Timestamp;

const WRITER_FILE: &str = "control/status.writer.json";
const SHIPPER_FILE: &str = "control/status.shipper.json";

/// A snapshot that one of the two roles publishes.
pub trait Snapshot: Serialize + DeserializeOwned {
    /// Where it is published, relative to the spool.
    const FILE: &'static str;
    /// Whose it is.
    const ROLE: Role;

    /// When it was taken.
    fn at(&self) -> Timestamp;
}

impl Snapshot for WriterStatus {
    const FILE: &'static str = WRITER_FILE;
    const ROLE: Role = Role::Writer;

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Snapshot for ShipperStatus {
    const FILE: &'static str = SHIPPER_FILE;
    const ROLE: Role = Role::Shipper;

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Replaces the role's snapshot, for every reader whole, but without a sync: it is of this second only. The caller
/// holds the role's lock.
///
/// # Errors
/// [`ControlError::Io`]: the former snapshot is still there.
pub fn publish<S: Snapshot>(storage: &dyn Storage, snapshot: &S) -> Result<(), ControlError> {
    let bytes = to_json(S::FILE, snapshot)?;
    let temporary = format!("{}.tmp", S::FILE);
    let replace = || {
        storage.create_dir(FOLDER)?;
        match storage.remove(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        storage.create_new(&temporary)?.write_at(0, &bytes)?;
        storage.rename(&temporary, S::FILE)
    };
    replace().map_err(|error| ControlError::io(S::FILE, "write", &error))
}

/// The state of everything at `now`. `head` is what the log itself tells of its end and its sums; without it the writer's
/// snapshot is asked, which may be a second older than what was accepted last.
///
/// What cannot be read is said in the view; nothing is an error.
pub fn read(storage: &dyn Storage, now: Timestamp, head: Option<spool::Head>) -> Status {
    let (cursors, cursors_problem) = match cursor::peek_all(storage) {
        Ok(cursors) => (cursors, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let (desired, desired_problem) = match desired::read(storage) {
        Ok(desired) => (desired, None),
        Err(error) => (desired::Desired::default(), Some(error.to_string())),
    };
    let letters = dead_letter::destinations(storage)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|destination| {
            let usage = dead_letter::usage(storage, &destination).ok()?;
            Some((destination, LetterCount::from(usage)))
        })
        .collect();
    merge(
        Sources {
            writer: role(storage),
            shipper: role(storage),
            cursors,
            desired,
            letters,
            head,
            problems: cursors_problem.into_iter().chain(desired_problem).collect(),
        },
        now,
    )
}

fn role<S: Snapshot>(storage: &dyn Storage) -> RoleView<S> {
    let (life, lock_problem) = match storage.is_locked(S::ROLE.lock()) {
        Ok(true) => (Life::Running, None),
        Ok(false) => (Life::Stopped, None),
        Err(error) => (Life::Stopped, Some(format!("{}: {error}", S::ROLE.lock()))),
    };
    let (snapshot, problem) = match read_json(storage, S::FILE) {
        Ok(snapshot) => (snapshot, lock_problem),
        Err(error) => (None, Some(error.to_string())),
    };
    RoleView {
        life,
        snapshot,
        problem,
    }
}
