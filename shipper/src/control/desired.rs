//! Which destinations shall be active: `control/desired.json`.
//!
//! Written by command-line processes, one at a time behind a lock; read by the shipper, which says in its status and in
//! the cursor which generation it has applied. The file is replaced whole and durably: a pause survives everything.
//! What it does not mention is as its configuration says (`initial_state`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ControlError, FOLDER, read_json, to_json};
use crate::spool::names;
use crate::spool::storage::{LockGuard, Storage, write_atomic};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

const FILE: &str = "control/desired.json";
const LOCK: &str = "control/desired.lock";

/// How often, and after which pauses, the lock is tried: five seconds in all, for a change that takes two syncs.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// What shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Desired {
    /// How many changes there were.
    pub generation: u64,
    /// By id; a destination that was never switched is not there.
    pub destinations: BTreeMap<String, DesiredDestination>,
}

/// What one destination shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DesiredDestination {
    /// Whether it shall send.
    pub state: DesiredState,
    /// The generation of the change that made it so.
    pub generation: u64,
    /// When that was.
    pub at: Timestamp,
}

/// Whether a destination shall send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a switch has two positions")]
pub enum DesiredState {
    /// It shall.
    #[default]
    Active,
    /// It shall not; what comes in is kept for it.
    Inactive,
}

impl Desired {
    /// What `destination` shall be, and the generation that says so: `initial`, and 0, when none does.
    pub fn of(&self, destination: &str, initial: DesiredState) -> (DesiredState, u64) {
        self.destinations
            .get(destination)
            .map_or((initial, 0), |desired| (desired.state, desired.generation))
    }
}

/// Reads what shall be. No file: nothing was ever switched.
///
/// # Errors
/// [`ControlError::Damaged`], [`ControlError::NewerVersion`], [`ControlError::Io`]: whoever applies it stays with what
/// it has applied, and says so.
pub fn read(storage: &dyn Storage) -> Result<Desired, ControlError> {
    Ok(read_json(storage, FILE)?.unwrap_or_default())
}

/// Switches `destination`, durably, and returns the generation to wait for. What is as desired already is left alone.
///
/// # Errors
/// [`ControlError::BadName`]; [`ControlError::Busy`] when others hold the lock for seconds; those of [`read`].
pub fn set(
    storage: &dyn Storage,
    destination: &str,
    state: DesiredState,
    now: Timestamp,
) -> Result<u64, ControlError> {
    names::check_id(destination).map_err(ControlError::BadName)?;
    change(storage, |desired| {
        if let Some(present) = desired.destinations.get(destination)
            && present.state == state
        {
            return (Change::None, present.generation);
        }
        desired.generation = desired.generation.saturating_add(1);
        let generation = desired.generation;
        let entry = DesiredDestination {
            state,
            generation,
            at: now,
        };
        desired.destinations.insert(destination.to_owned(), entry);
        (Change::Write, generation)
    })
}

/// Forgets `destination`, which is given up.
///
/// # Errors
/// As [`set`].
pub fn forget(storage: &dyn Storage, destination: &str) -> Result<(), ControlError> {
    change(storage, |desired| {
        match desired.destinations.remove(destination) {
            Some(_) => {
                desired.generation = desired.generation.saturating_add(1);
                (Change::Write, ())
            }
            None => (Change::None, ()),
        }
    })
}

enum Change {
    None,
    Write,
}

fn change<T>(
    storage: &dyn Storage,
    edit: impl FnOnce(&mut Desired) -> (Change, T),
) -> Result<T, ControlError> {
    storage
        .create_dir(FOLDER)
        .and_then(|()| storage.sync_dir(""))
        .map_err(|error| ControlError::io(FOLDER, "create", &error))?;
    let _lock = lock(storage)?;
    let mut desired = read(storage)?;
    let (change, result) = edit(&mut desired);
    match change {
        Change::Write => write_atomic(storage, FILE, &to_json(FILE, desired)?)
            .map_err(|error| ControlError::io(FILE, "write", &error))?,
        // Whoever made it so may have been killed before its name was durable.
        Change::None => storage
            .sync_dir(FOLDER)
            .map_err(|error| ControlError::io(FOLDER, "sync", &error))?,
    }
    Ok(result)
}

fn lock(storage: &dyn Storage) -> Result<Box<dyn LockGuard>, ControlError> {
    for _ in 0..TRIES {
        let taken = storage
            .try_lock(LOCK)
            .map_err(|error| ControlError::io(LOCK, "lock", &error))?;
        if let Some(guard) = taken {
            return Ok(guard);
        }
        pause();
    }
    Err(ControlError::Busy {
        path: LOCK.to_owned(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock in another process gives no event to wait for, and only command-line processes come here"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}
