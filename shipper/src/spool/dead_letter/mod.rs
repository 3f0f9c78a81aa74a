//! Records that a destination will never take: one JSON file for each, `dead-letters/<destination>/<epoch>-<seq>.json`.
//!
//! # In scope
//! Writing letters so that they are durable before the cursor says so; listing, reading, removing, counting them.
//!
//! # Out of scope
//! Deciding that a record is one, and sending it again ([`crate::deliver`]). Payloads of bytes that are no record:
//! [`super::quarantine`].
//!
//! # Invariants
//! 1. A letter's name is its record's identity: after a crash between the letter and the cursor the same letter is
//!    written again over itself. A record is never two letters of one destination.
//! 2. A letter is there whole or not at all: temporary name, sync, rename, sync of the folder.
//! 3. The record in it is the spool's own bytes, not parsed and printed again.
//! 4. Names that are not a letter's are passed over; a letter that cannot be read is an error of its own, and of no other.
//!
//! Written by the destination's thread; read and removed by it and by command-line processes, which need no lock: every
//! step is one atomic change of one name.

mod file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

use serde_json::value::RawValue;

use super::error::IoFailure;
use super::identity::{Epoch, Key, RecordId};
use super::names::{self, BadName};
use super::storage::{EntryKind, Storage, read_small, write_whole};
use crate::time::Timestamp;

/// The folder of all dead letters, relative to the spool.
pub const FOLDER: &str = "dead-letters";
/// Bytes of the largest letter that is read.
pub const MAX_LEN: usize = 128 << 20;

/// A record that a destination will never take, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct DeadLetter {
    /// Who the record is.
    pub id: RecordId,
    /// Its key.
    pub key: Key,
    /// Its event time, of the spool's table: a letter outlives the segment that its record is in.
    pub time: Timestamp,
    /// The destination's own code, or the HTTP status.
    pub code: String,
    /// For a person, with what to do. No secret in it.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
    /// In how many sendings it was refused.
    pub attempts: u32,
    /// The record's JSON, as the spool has it, without a newline.
    pub record: Vec<u8>,
}

/// One letter in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The record's epoch.
    pub epoch: Epoch,
    /// The record's sequence number.
    pub seq: u64,
    /// Bytes of the letter's file.
    pub len: u64,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How many letters.
    pub count: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// Writes one letter durably. The same record's letter from before is replaced.
///
/// # Errors
/// [`DeadLetterError::BadName`] and [`DeadLetterError::Io`]: the cursor must not move past the record then.
pub fn put(storage: &dyn Storage, destination: &str, letter: &DeadLetter) -> Result<(), DeadLetterError> {
    put_all(storage, destination, std::slice::from_ref(letter))
}

/// Writes letters durably, with one sync of the folder for all of them. After an error any of them may be there.
///
/// # Errors
/// As [`put`].
pub fn put_all(
    storage: &dyn Storage,
    destination: &str,
    letters: &[DeadLetter],
) -> Result<(), DeadLetterError> {
    let folder = folder_of(destination)?;
    if letters.is_empty() {
        return Ok(());
    }
    storage
        .create_dir(&folder)
        .and_then(|()| storage.sync_dir(""))
        .and_then(|()| storage.sync_dir(FOLDER))
        .map_err(|error| DeadLetterError::io(&folder, "create", &error))?;
    for letter in letters {
        let path = path_in(&folder, letter.id.epoch, letter.id.seq);
        file::encode(destination, letter)
            .map_err(io::Error::from)
            .and_then(|bytes| write_whole(storage, &path, &bytes))
            .map_err(|error| DeadLetterError::io(&path, "write", &error))?;
    }
    storage
        .sync_dir(&folder)
        .map_err(|error| DeadLetterError::io(&folder, "sync", &error))
}

/// The letters of `destination`, by sequence number. Takes 24 bytes a letter, and the contents of none.
///
/// # Errors
/// [`DeadLetterError::BadName`] and [`DeadLetterError::Io`]. No folder, no letters.
pub fn list(
    storage: &dyn Storage,
    destination: &str,
) -> Result<impl ExactSizeIterator<Item = Listed> + use<>, DeadLetterError> {
    let folder = folder_of(destination)?;
    let names = match storage.list(&folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(DeadLetterError::io(&folder, "list", &error)),
    };
    let mut letters: Vec<Listed> = names
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .filter_map(|entry| {
            let (epoch, seq) = file::parse_name(&entry.name)?;
            Some(Listed {
                epoch,
                seq,
                len: entry.len,
            })
        })
        .collect();
    letters.sort_unstable_by_key(|letter| (letter.seq, letter.epoch));
    Ok(letters.into_iter())
}

/// How many letters `destination` has, and how large they are.
///
/// # Errors
/// As [`list`].
pub fn usage(storage: &dyn Storage, destination: &str) -> Result<Usage, DeadLetterError> {
    Ok(
        list(storage, destination)?.fold(Usage::default(), |usage, letter| Usage {
            count: usage.count + 1,
            bytes: usage.bytes.saturating_add(letter.len),
        }),
    )
}

/// The destinations that have a folder of letters, sorted.
///
/// # Errors
/// [`DeadLetterError::Io`]. No folder, no destinations.
pub fn destinations(storage: &dyn Storage) -> Result<Vec<String>, DeadLetterError> {
    let entries = match storage.list(FOLDER) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(DeadLetterError::io(FOLDER, "list", &error)),
    };
    let mut destinations: Vec<String> = entries
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::Folder && names::check_id(&entry.name).is_ok())
        .map(|entry| entry.name)
        .collect();
    destinations.sort_unstable();
    Ok(destinations)
}

/// Reads one letter; `None` when there is none.
///
/// # Errors
/// [`DeadLetterError::Damaged`] when the file is not this record's letter, [`DeadLetterError::BadName`],
/// [`DeadLetterError::Io`].
pub fn show(
    storage: &dyn Storage,
    destination: &str,
    epoch: Epoch,
    seq: u64,
) -> Result<Option<DeadLetter>, DeadLetterError> {
    let path = path_in(&folder_of(destination)?, epoch, seq);
    let bytes = match read_small(storage, &path, MAX_LEN) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(DeadLetterError::io(&path, "read", &error)),
    };
    let damaged = |why: String| DeadLetterError::Damaged {
        path: path.clone(),
        why,
    };
    let (of, letter) = file::decode(&bytes).map_err(damaged)?;
    if of != destination || (letter.id.epoch, letter.id.seq) != (epoch, seq) {
        return Err(damaged(format!(
            "it is the letter of record {}-{} at {of}: it was renamed or copied",
            letter.id.epoch, letter.id.seq
        )));
    }
    Ok(Some(letter))
}

/// Removes one letter durably; `false` when there is none.
///
/// # Errors
/// [`DeadLetterError::BadName`] and [`DeadLetterError::Io`].
pub fn remove(
    storage: &dyn Storage,
    destination: &str,
    epoch: Epoch,
    seq: u64,
) -> Result<bool, DeadLetterError> {
    let folder = folder_of(destination)?;
    let path = path_in(&folder, epoch, seq);
    match storage.remove(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DeadLetterError::io(&path, "remove", &error)),
        Ok(()) => match storage.sync_dir(&folder) {
            Ok(()) => Ok(true),
            Err(error) => Err(DeadLetterError::io(&folder, "sync", &error)),
        },
    }
}

fn folder_of(destination: &str) -> Result<String, DeadLetterError> {
    names::check_id(destination).map_err(DeadLetterError::BadName)?;
    Ok(format!("{FOLDER}/{destination}"))
}

fn path_in(folder: &str, epoch: Epoch, seq: u64) -> String {
    format!("{folder}/{}", file::name(epoch, seq))
}

/// Why a dead letter cannot be written, read or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// The destination's id cannot be a folder's name.
    BadName(BadName),
    /// The file is not the letter that its name says.
    Damaged {
        /// The file, relative to the spool.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The disk refused.
    Io(IoFailure),
}

impl DeadLetterError {
    fn io(path: &str, action: &'static str, error: &io::Error) -> Self {
        Self::Io(IoFailure::new(action, path, error))
    }
}

impl fmt::Display for DeadLetterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(bad) => write!(f, "{bad}"),
            Self::Damaged { path, why } => write!(
                f,
                "dead letter {path} cannot be used: {why}; look at the file, then remove it by hand"
            ),
            Self::Io(failure) => write!(
                f,
                "dead letter {}: cannot {}: {}",
                failure.path, failure.action, failure.message
            ),
        }
    }
}

impl std::error::Error for DeadLetterError {}
