//! A disk in memory that forgets, breaks and fills up as real ones do, for tests.
//!
//! # In scope
//! Everything that [the trait](super) says a crash may do, and every way in which a call may fail.
//!
//! # Out of scope
//! Permissions, symbolic links, time.
//!
//! # The model
//! Every file and every folder has a *base*, which a power cut leaves alone, and the *pending* changes since, which are
//! all visible to running programs. `sync_data` and `sync_dir` move the pending changes of one file, or of the names in
//! one folder, into its base. A file whose name is not in any base may vanish, however well its data was synced.
//!
//! A `sync_data` that fails moves nothing **and forgets the pending changes**: they stay visible, and no later sync makes
//! them durable, even though it succeeds. This is what Linux does, which marks the pages clean.
//!
//! [`SimStorage::crash`] makes a new disk of what one [`Crash`] leaves. The old one can go on in the hands of whoever has
//! it, as a cut-off process would not; nothing is shared.
//!
//! # Faults
//! Calls are counted from 1, reads included. Calls that change something (all but `open`, `len`, `identity`, `read_at`, `list`,
//! `is_locked`, `space`) are also counted apart: between two of them the disk is the same, so cutting at each of them is
//! enough unless something else than the disk is looked at.
//!
//! # Threads
//! One mutex around it all; clones are handles to the same disk, as two processes would have.

mod crash;
mod disk;
mod fault;
mod file;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, DirEntry, EntryKind, LockGuard, Space, Storage, StorageFile};
pub use crash::Crash;
use disk::{Disk, Id, Node};
pub use fault::{Call, Op};
use file::SimFile;

/// What an unlimited disk says it has.
const UNLIMITED: u64 = 1 << 40;

/// A disk in memory. Clones are handles to the same disk.
#[derive(Clone, Default)]
pub struct SimStorage {
    disk: Arc<Mutex<Disk>>,
}

impl fmt::Debug for SimStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.disk();
        write!(
            f,
            "SimStorage({} calls, {} bytes)",
            disk.faults.calls(),
            disk.used()
        )
    }
}

impl SimStorage {
    /// An empty disk without limit or faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls were made, failed ones included.
    pub fn calls(&self) -> u64 {
        self.disk().faults.calls()
    }

    /// How many of the calls were meant to change something.
    pub fn changes(&self) -> u64 {
        self.disk().faults.changes()
    }

    /// From now on the first `calls` calls work and every later one fails and changes nothing, as for a process that is
    /// dead. Counts from this moment.
    pub fn fail_after(&self, calls: u64) {
        self.disk().faults.die_after_calls(calls);
    }

    /// As [`SimStorage::fail_after`], but counts the calls that change something: after `changes` of them the next one
    /// fails, and every call after it.
    pub fn fail_after_changes(&self, changes: u64) {
        self.disk().faults.die_after_changes(changes);
    }

    /// Whether [`SimStorage::fail_after`] has struck.
    pub fn is_dead(&self) -> bool {
        self.disk().faults.is_dead()
    }

    /// Makes one call fail: the `number`-th from now, counting from 1. See [`SimStorage::fail_when`] for what that leaves.
    pub fn fail_call(&self, number: u64, kind: io::ErrorKind) {
        self.disk().faults.fail_call(number, kind);
    }

    /// Asks `rule` before every call; where it names an error, the call fails with it. A `write_at` that fails so has
    /// written the first half, a `sync_data` has lost what was pending, anything else has changed nothing.
    ///
    /// `rule` runs inside the disk's mutex and must not call the disk.
    pub fn fail_when(&self, rule: impl FnMut(&Call<'_>) -> Option<io::ErrorKind> + Send + 'static) {
        self.disk().faults.add_rule(Box::new(rule));
    }

    /// Ends every fault; the counters go on. What failed syncs have lost stays lost.
    pub fn heal(&self) {
        self.disk().faults.heal();
    }

    /// Limits the disk to `bytes` of blocks (4096 each), or lifts the limit. Blocks already in use are never taken
    /// away; a block is free when its file has neither a name nor an open handle, or is cut below it.
    pub fn set_budget(&self, bytes: Option<u64>) {
        self.disk().budget = bytes;
    }

    /// The disk as a crash leaves it, with no locks, no faults and counters at zero. The same seed gives the same disk.
    pub fn crash(&self, crash: Crash, seed: u64) -> Self {
        let image = self.disk().after(crash, seed);
        Self {
            disk: Arc::new(Mutex::new(image)),
        }
    }

    /// What `cp -a` makes of the whole disk while nothing runs: the same names and bytes, in files of their own.
    pub fn copy(&self) -> Self {
        let mut image = self.disk().after(Crash::Kill, 0);
        image.be_a_copy();
        Self {
            disk: Arc::new(Mutex::new(image)),
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and, unless it is made to fail, runs it.
    fn call<T>(&self, op: Op, path: &str, run: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk();
        match disk.faults.next(op, path) {
            Some(error) => Err(error),
            None => run(&mut disk),
        }
    }

    fn file(&self, disk: &mut Disk, id: Id, path: &str, access: Access) -> Arc<SimFile> {
        disk.hold(id);
        Arc::new(SimFile::new(self.clone(), id, path.to_owned(), access))
    }
}

impl Storage for SimStorage {
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        self.call(Op::Open, path, |disk| {
            let id = disk.find_file(path)?;
            Ok(self.file(disk, id, path, access) as Arc<dyn StorageFile>)
        })
    }

    fn create_new(&self, path: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.call(Op::CreateNew, path, |disk| {
            let id = disk.create_file(path)?;
            Ok(self.file(disk, id, path, Access::ReadWrite) as Arc<dyn StorageFile>)
        })
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.call(Op::CreateDir, path, |disk| disk.create_dir(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call(Op::Rename, from, |disk| disk.rename(from, to))
    }

    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.call(Op::LinkNew, from, |disk| disk.link_new(from, to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.call(Op::Remove, path, |disk| disk.remove(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.call(Op::List, path, |disk| {
            let names = disk.names(path)?;
            // "In no order": backwards, so that whoever relies on an order finds out.
            let entries = names.into_iter().rev().map(|(name, node)| match node {
                Node::File(id) => DirEntry {
                    name,
                    len: disk.len(id),
                    kind: EntryKind::File,
                },
                Node::Folder(_) => DirEntry {
                    name,
                    len: 0,
                    kind: EntryKind::Folder,
                },
            });
            Ok(entries.collect())
        })
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.call(Op::SyncDir, path, |disk| disk.sync_dir(path))
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.call(Op::TryLock, path, |disk| {
            let id = match disk.find_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create_file(path)?,
                found => found?,
            };
            if !disk.locks.insert(id) {
                return Ok(None);
            }
            disk.hold(id);
            let storage = self.clone();
            Ok(Some(Box::new(SimLock { storage, id }) as Box<dyn LockGuard>))
        })
    }

    fn is_locked(&self, path: &str) -> io::Result<bool> {
        self.call(Op::IsLocked, path, |disk| match disk.find_file(path) {
            Ok(id) => Ok(disk.locks.contains(&id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn space(&self) -> io::Result<Space> {
        self.call(Op::Space, "", |disk| {
            let total = disk.budget.unwrap_or(UNLIMITED);
            let available = total.saturating_sub(disk.used());
            Ok(Space { total, available })
        })
    }
}

/// Holds an exclusive lock.
struct SimLock {
    storage: SimStorage,
    id: Id,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.storage.disk();
        disk.locks.remove(&self.id);
        disk.release(self.id);
    }
}
