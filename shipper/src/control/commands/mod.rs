//! Requests: `control/commands/<number>.json`, each applied once and answered in `control/answers/<number>.json`.
//!
//! # How
//! A process that asks makes its file under a temporary name and links it to the first free number, which is atomic
//! between processes. The holder of the role's lock finds the commands without an answer ([`due`]), does each, and writes
//! its answer ([`answer`]), in the order of the numbers. A command waits for as long as nobody holds the lock.
//!
//! # Invariants
//! 1. A number is never used again while its answer is there: command and answer stay until [`KEEP`] newer ones are
//!    answered, and of each pair the command goes first, durably: a command without an answer is always a new one.
//! 2. An answer carries its command's nonce, so that nobody takes the answer to another command for its own.
//! 3. Between doing and answering the process may die; the command is then given out again. What that means is said at
//!    each [`Command`]: most are the same when done twice; the others leave their nonce in the same commit that does them
//!    ([`crate::spool::cursor::State::command`]).

mod command;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;

use serde::{Deserialize, Serialize};

pub use self::command::{BlockPlace, Command, LetterId, Letters, QuarantinedBlocks};
use super::{ControlError, Role, read_json, to_json};
use crate::random::Random;
use crate::spool::storage::{EntryKind, Storage, write_atomic};
use crate::time::Timestamp;

/// The folder of the commands, relative to the spool.
pub const COMMANDS: &str = "control/commands";
/// The folder of the answers, relative to the spool.
pub const ANSWERS: &str = "control/answers";
/// How many answered commands are kept.
pub const KEEP: usize = 256;
/// How many commands may wait for an answer.
pub const MAX_WAITING: usize = 1024;

const SUFFIX: &str = ".json";

/// What a process that asked waits for an answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ticket {
    /// The command's number.
    pub number: u64,
    /// 64 random bits that are this command's only.
    pub nonce: u64,
}

/// A command that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Due {
    /// Which it is.
    pub ticket: Ticket,
    /// When it was given.
    pub at: Timestamp,
    /// By whom, in their words.
    pub by: String,
    /// What to do.
    pub command: Command,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "it was done or it was not")]
pub enum Outcome {
    /// It is done, durably.
    Done {
        /// What was done, for a person.
        message: String,
    },
    /// It was not done, and will not be.
    Refused {
        /// Why, and what to do, for a person.
        message: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope<C> {
    #[serde(with = "crate::control::nonce")]
    nonce: u64,
    at: Timestamp,
    by: String,
    role: Role,
    command: C,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    #[serde(with = "crate::control::nonce")]
    nonce: u64,
    at: Timestamp,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Gives a command, durably. `by` says who does, for a person.
///
/// # Errors
/// [`ControlError::TooMany`] when too many wait already, [`ControlError::NoRandomness`], [`ControlError::Io`].
pub fn submit(
    storage: &dyn Storage,
    random: &dyn Random,
    now: Timestamp,
    by: &str,
    command: &Command,
) -> Result<Ticket, ControlError> {
    super::prepare(storage)?;
    let commands = numbers(storage, COMMANDS)?;
    let answers = numbers(storage, ANSWERS)?;
    let waiting = commands.difference(&answers).count();
    if waiting >= MAX_WAITING {
        return Err(ControlError::TooMany { waiting });
    }
    let nonce = random.next_u64().map_err(ControlError::NoRandomness)?;
    let temporary = format!("{COMMANDS}/{nonce:016x}.tmp");
    let envelope = Envelope {
        nonce,
        at: now,
        by: by.to_owned(),
        role: command.role(),
        command,
    };
    let bytes = to_json(&temporary, envelope)?;
    let last = commands.last().max(answers.last()).copied().unwrap_or(0);
    let number = write_new(storage, &temporary, &bytes, last)
        .map_err(|error| ControlError::io(&temporary, "write", &error))?;
    // Left behind it is passed over.
    let _ = storage.remove(&temporary);
    storage
        .sync_dir(COMMANDS)
        .map_err(|error| ControlError::io(COMMANDS, "sync", &error))?;
    Ok(Ticket { number, nonce })
}

/// Writes `bytes` and gives them the first number after `last` that nobody else took.
fn write_new(storage: &dyn Storage, temporary: &str, bytes: &[u8], last: u64) -> io::Result<u64> {
    let file = storage.create_new(temporary)?;
    file.write_at(0, bytes)?;
    file.sync_data()?;
    let mut number = last;
    loop {
        number = number
            .checked_add(1)
            .ok_or(io::Error::from(io::ErrorKind::QuotaExceeded))?;
        match storage.link_new(temporary, &path(COMMANDS, number)) {
            Ok(()) => return Ok(number),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// The answer to a command, once there is one.
///
/// # Errors
/// [`ControlError::Io`], [`ControlError::Damaged`], [`ControlError::NewerVersion`].
pub fn answer_to(storage: &dyn Storage, ticket: &Ticket) -> Result<Option<Outcome>, ControlError> {
    let reply: Option<Reply> = read_json(storage, &path(ANSWERS, ticket.number))?;
    Ok(reply
        .filter(|reply| reply.nonce == ticket.nonce)
        .map(|reply| reply.outcome))
}

/// The commands of `role` that have no answer, in their order. Called by the holder of the role's lock. A file that is
/// no command is answered here, with what is wrong with it.
///
/// # Errors
/// [`ControlError::Io`].
pub fn due(storage: &dyn Storage, role: Role, now: Timestamp) -> Result<Vec<Due>, ControlError> {
    #[derive(Deserialize)]
    struct Address {
        role: Role,
        #[serde(with = "crate::control::nonce")]
        nonce: u64,
    }
    let answers = numbers(storage, ANSWERS)?;
    let mut due = Vec::new();
    for number in numbers(storage, COMMANDS)?.difference(&answers).copied() {
        let path = path(COMMANDS, number);
        // The address alone first: what is meant for the other role may be newer than what this one knows.
        let (nonce, read) = match read_json::<Address>(storage, &path) {
            Ok(Some(address)) if address.role != role => continue,
            Ok(Some(address)) => (address.nonce, read_json::<Envelope<Command>>(storage, &path)),
            Ok(None) => continue,
            Err(error) => (0, Err(error)),
        };
        match read {
            Ok(Some(envelope)) => due.push(Due {
                ticket: Ticket {
                    number,
                    nonce: envelope.nonce,
                },
                at: envelope.at,
                by: envelope.by,
                command: envelope.command,
            }),
            Ok(None) => {}
            Err(error @ ControlError::Io(_)) => return Err(error),
            Err(error) => {
                let message = error.to_string();
                answer(
                    storage,
                    &Ticket { number, nonce },
                    now,
                    Outcome::Refused { message },
                )?;
            }
        }
    }
    Ok(due)
}

/// Answers a command, durably, and removes the oldest answered ones beyond [`KEEP`].
///
/// # Errors
/// [`ControlError::Io`]: the command will be given out again.
pub fn answer(
    storage: &dyn Storage,
    ticket: &Ticket,
    now: Timestamp,
    outcome: Outcome,
) -> Result<(), ControlError> {
    let path = path(ANSWERS, ticket.number);
    let reply = Reply {
        nonce: ticket.nonce,
        at: now,
        outcome,
    };
    write_atomic(storage, &path, &to_json(&path, reply)?)
        .map_err(|error| ControlError::io(&path, "write", &error))?;
    prune(storage, KEEP)
}

/// Removes the oldest answered commands but `keep`.
fn prune(storage: &dyn Storage, keep: usize) -> Result<(), ControlError> {
    let answers = numbers(storage, ANSWERS)?;
    let old: Vec<u64> = answers
        .iter()
        .take(answers.len().saturating_sub(keep))
        .copied()
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    for &number in &old {
        remove(storage, &path(COMMANDS, number))?;
    }
    // A command must not come back without its answer.
    storage
        .sync_dir(COMMANDS)
        .map_err(|error| ControlError::io(COMMANDS, "sync", &error))?;
    for &number in &old {
        remove(storage, &path(ANSWERS, number))?;
    }
    Ok(())
}

fn remove(storage: &dyn Storage, path: &str) -> Result<(), ControlError> {
    match storage.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ControlError::io(path, "remove", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn path(folder: &str, number: u64) -> String {
    format!("{folder}/{number:020}{SUFFIX}")
}

/// The numbers in a folder; names that are none are passed over. No folder, no numbers.
fn numbers(storage: &dyn Storage, folder: &str) -> Result<BTreeSet<u64>, ControlError> {
    let entries = match storage.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(ControlError::io(folder, "list", &error)),
    };
    let numbers = entries
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .filter_map(|entry| {
            let digits = entry.name.strip_suffix(SUFFIX)?;
            let number = digits.parse().ok()?;
            (digits == format!("{number:020}")).then_some(number)
        });
    Ok(numbers.collect())
}
