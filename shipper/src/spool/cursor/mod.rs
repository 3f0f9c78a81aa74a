//! Where each destination is: one file for each, `cursors/<destination>.cur`.
//!
//! # In scope
//! A [`State`] that survives anything: position, counts, batches in flight with their journalled sendings, hold, replay.
//! Reading it from other threads and processes ([`peek_all`]).
//!
//! # Out of scope
//! What moves a cursor ([`crate::deliver`]); who may: the holder of `shipper.lock`, one [`Cursor`] for each destination,
//! used by the destination's own thread.
//!
//! # Invariants
//! 1. After any crash the cursor says what the last successful [`Cursor::commit`] said, or what the one that was under way
//!    would have said; never anything else. The file has two slots of fixed size. A commit writes the one that does *not*
//!    hold the last durable state, then syncs; a slot that was torn fails its checksum, and the other one counts.
//! 2. A full disk cannot stop a commit. Creation writes and syncs every byte of both slots, so that a commit only
//!    overwrites; nothing grows. (On a filesystem that never overwrites in place, as btrfs or ZFS, even this may need room.)
//! 3. A cursor exists whole or not at all: it is made under a temporary name, synced, renamed, the folder synced.
//! 4. After a failed sync the file is never synced again, as nothing is known of its bytes: the next commit makes a new
//!    file in the same way and with a higher generation.
//! 5. Opening makes durable what it finds, before anything builds on it: it syncs the folders, writes the slot that counts
//!    again, as it is, and syncs it. A process that was killed may have left name or slot in the page cache only.
//! 6. Every committed state obeys the rules of [`State`], so that the equation of [`Counts`] can be checked at any moment.
//!
//! The format is in `docs/FORMAT-CURSOR.md`.

mod codec;
mod counts;
mod error;
mod peek;
mod settled;
mod slot;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

pub use self::codec::Malformed;
pub use self::counts::Counts;
pub use self::error::CursorError;
pub use self::peek::{Peek, Peeked, peek, peek_all, peek_all_durable};
pub use self::settled::{Disposition, Settled};
use self::slot::Slot;
pub use self::state::{
    AttemptState, DeadLetterRetry, Entry, Hint, Hold, HoldKind, JournalledAttempt, Replay, State, Unsound,
};
use super::identity::SpoolId;
use super::names;
use super::storage::{Access, Storage, StorageFile};

/// The folder of the cursors, relative to the spool.
pub const FOLDER: &str = "cursors";
const SUFFIX: &str = ".cur";

/// One destination's cursor, open for committing.
pub struct Cursor {
    storage: Arc<dyn Storage>,
    path: String,
    destination: String,
    spool: SpoolId,
    state: State,
    medium: Medium,
    /// The highest generation that any slot may have: a failed commit may have left its own behind.
    generation: u64,
    /// The bytes of the slot that is written; kept for its capacity.
    bytes: Vec<u8>,
}

/// Where the next commit goes.
enum Medium {
    /// Into this slot of this file: the one that does not hold the last durable state.
    Sound { file: Arc<dyn StorageFile>, next: Slot },
    /// Into a new file: a sync of the present one failed.
    Suspect,
}

impl Cursor {
    /// Opens the cursor of `destination`; a new one begins with the record `start`, and counts those before it as
    /// skipped. The caller holds `shipper.lock`.
    ///
    /// # Errors
    /// Any [`CursorError`]. An existing file is left as it is by all of them.
    pub fn open_or_create(
        storage: Arc<dyn Storage>,
        destination: &str,
        spool: SpoolId,
        start: u64,
    ) -> Result<Self, CursorError> {
        let path = path_of(destination)?;
        match storage.open(&path, Access::ReadWrite) {
            Ok(file) => Self::open(storage, path, destination, spool, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::create(storage, path, destination, spool, start)
            }
            Err(error) => Err(CursorError::io(&path, "open", &error)),
        }
    }

    fn open(
        storage: Arc<dyn Storage>,
        path: String,
        destination: &str,
        spool: SpoolId,
        file: Arc<dyn StorageFile>,
    ) -> Result<Self, CursorError> {
        let found = peek::newest(&*file, &path)?;
        if found.peek.spool != spool {
            return Err(CursorError::OtherSpool {
                path,
                expected: spool,
                found: found.peek.spool,
            });
        }
        if found.peek.destination != destination {
            return Err(CursorError::OtherDestination {
                path,
                found: found.peek.destination,
            });
        }
        // Of one that was being made when the process died: it only takes room.
        let _ = storage.remove(&temporary(&path));
        sync_names(&*storage)?;
        restore(&*file, &found).map_err(|error| CursorError::io(&path, "restore", &error))?;
        let state = found.peek.state;
        Ok(Self {
            storage,
            path,
            destination: destination.to_owned(),
            spool,
            generation: state.generation,
            state,
            medium: Medium::Sound {
                file,
                next: found.slot.other(),
            },
            bytes: Vec::new(),
        })
    }

    fn create(
        storage: Arc<dyn Storage>,
        path: String,
        destination: &str,
        spool: SpoolId,
        start: u64,
    ) -> Result<Self, CursorError> {
        storage
            .create_dir(FOLDER)
            .map_err(|error| CursorError::io(FOLDER, "create", &error))?;
        sync_names(&*storage)?;
        let mut cursor = Self {
            storage,
            path,
            destination: destination.to_owned(),
            spool,
            state: State::default(),
            medium: Medium::Suspect,
            generation: 0,
            bytes: Vec::new(),
        };
        cursor.commit(State::starting_at(start))?;
        Ok(cursor)
    }

    /// What was committed last.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The destination's id.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The cursor's file, relative to the spool.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Makes `state` what the cursor says, durably, under the next generation (whatever `state.generation` is).
    ///
    /// # Errors
    /// [`CursorError::Unsound`]: nothing was done. [`CursorError::Io`]: [`Cursor::state`] is as before, but after a crash
    /// either may be found; commit again until it succeeds, and do nothing that depends on either before.
    pub fn commit(&mut self, mut state: State) -> Result<(), CursorError> {
        state.check().map_err(CursorError::Unsound)?;
        self.generation = self.generation.saturating_add(1);
        state.generation = self.generation;
        self.bytes.clear();
        self.bytes.resize(slot::HEADER_LEN, 0);
        codec::encode(&self.destination, &state, &mut self.bytes);
        slot::seal(&mut self.bytes, self.spool, self.generation);
        self.medium = match &self.medium {
            Medium::Sound { file, next } => {
                // A failed write leaves a torn slot that does not count: the next commit writes it again.
                file.write_at(next.offset(), &self.bytes)
                    .map_err(|error| CursorError::io(&self.path, "write", &error))?;
                if let Err(error) = file.sync_data() {
                    self.medium = Medium::Suspect;
                    return Err(CursorError::io(&self.path, "sync", &error));
                }
                Medium::Sound {
                    file: Arc::clone(file),
                    next: next.other(),
                }
            }
            Medium::Suspect => {
                let file = replace(&*self.storage, &self.path, &self.bytes)
                    .map_err(|error| CursorError::io(&self.path, "create", &error))?;
                Medium::Sound { file, next: Slot::B }
            }
        };
        self.state = state;
        Ok(())
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("path", &self.path)
            .field("spool", &self.spool)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Removes the cursor of a destination that is given up; `false` when there is none. The caller holds `shipper.lock`.
///
/// # Errors
/// [`CursorError::BadName`] and [`CursorError::Io`].
pub fn remove(storage: &dyn Storage, destination: &str) -> Result<bool, CursorError> {
    let path = path_of(destination)?;
    match storage.remove(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(CursorError::io(&path, "remove", &error)),
        Ok(()) => match storage.sync_dir(FOLDER) {
            Ok(()) => Ok(true),
            Err(error) => Err(CursorError::io(FOLDER, "sync", &error)),
        },
    }
}

/// The file of a destination's cursor, relative to the spool.
fn path_of(destination: &str) -> Result<String, CursorError> {
    names::check_id(destination).map_err(CursorError::BadName)?;
    Ok(format!("{FOLDER}/{destination}{SUFFIX}"))
}

/// Where a cursor's file is made before it gets its name.
fn temporary(path: &str) -> String {
    format!("{path}.tmp")
}

/// Puts a whole new file with `bytes` in slot A at `path`. Slot B is written too, with zeros: only blocks that were
/// written once can be overwritten without any need for room.
fn replace(storage: &dyn Storage, path: &str, bytes: &[u8]) -> io::Result<Arc<dyn StorageFile>> {
    let temporary = temporary(path);
    match storage.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = storage.create_new(&temporary)?;
    file.allocate(slot::FILE_LEN)?;
    let mut image = vec![0; 2 * slot::LEN];
    image[..bytes.len()].copy_from_slice(bytes);
    file.write_at(0, &image)?;
    file.sync_data()?;
    storage.rename(&temporary, path)?;
    storage.sync_dir(FOLDER)?;
    Ok(file)
}

/// Makes the names of the folder and in it durable. A cursor that is found may have got its name from a process that was
/// killed before it could do so; what is committed to such a file would be lost with the name.
fn sync_names(storage: &dyn Storage) -> Result<(), CursorError> {
    for folder in ["", FOLDER] {
        storage
            .sync_dir(folder)
            .map_err(|error| CursorError::io(folder, "sync", &error))?;
    }
    Ok(())
}

/// Makes sure that the state which was found is durable, as the next commit overwrites the other slot. Whoever wrote it
/// may have died before its sync, or after one that failed: so it is written again, the same bytes at the same place,
/// which nothing can tear into anything else. A file that was cut gets its length and its blocks back.
fn restore(file: &dyn StorageFile, found: &peek::Found) -> io::Result<()> {
    if file.len()? < slot::FILE_LEN {
        file.allocate(slot::FILE_LEN)?;
    }
    file.write_at(found.slot.offset(), &found.bytes)?;
    file.sync_data()
}
