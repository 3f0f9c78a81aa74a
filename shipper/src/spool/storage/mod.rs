//! The one way from the spool to a disk: a rooted directory with few operations, each with its contract.
//!
//! # In scope
//! Files and folders below one root, named by relative paths with `/` between parts.
//!
//! # Out of scope
//! What the bytes mean. Permissions other than "the owner's own" (folders 0700, files 0600, set explicitly: the host may
//! run with umask 0).
//!
//! # What a crash may do
//! Everything here is written for a storage that, when power is cut, keeps of the data that was not synced: nothing,
//! all, any prefix, any set of 512-byte sectors, the new size with zeros; and of the names that were not synced: the
//! old or the new one, in any mixture. Only [`StorageFile::sync_data`] and [`Storage::sync_dir`] promise more.

pub mod fs;
#[cfg(any(test, feature = "_sim"))]
pub mod sim;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod differential;

use std::io;
use std::sync::Arc;

/// A directory with everything below it.
///
/// All paths are relative to the root, e.g. `segments/0000000000000007.seg`; one with an empty, `.` or `..` part (so
/// also one that starts with `/`) is `InvalidInput`. `rename`, `link_new` and `remove` are for files only.
/// Every method may fail with any [`io::Error`]; a full disk is [`io::ErrorKind::StorageFull`] (or `QuotaExceeded`).
pub trait Storage: Send + Sync {
    /// Opens an existing file, for reading and writing when `access` says so. `NotFound` when there is none.
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn StorageFile>>;

    /// Creates a file (0600) that must not exist (`AlreadyExists` otherwise) and opens it for reading and writing.
    /// The name is durable only after [`Storage::sync_dir`] of its folder, the content after [`StorageFile::sync_data`].
    fn create_new(&self, path: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Creates a folder (0700) and those above it; an existing one is no error. Durable after `sync_dir` of its parent,
    /// and of the parent of each above it that was new: see [`create_dir_durable`].
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Gives `from` the name `to`, replacing what has it, atomically for every reader. Durable after `sync_dir` of both
    /// folders. Nothing happens when both are names of the same file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives `from` the second name `to`; `AlreadyExists` when something has it. Atomic, also against other processes.
    fn link_new(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. `NotFound` when there is none.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Names (not paths) and sizes of the files and folders directly below `path`, in no order. `""` is the root. What
    /// is neither, or has a name that is not UTF-8, is not ours and left out.
    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>>;

    /// Makes the names in the folder `path` durable.
    fn sync_dir(&self, path: &str) -> io::Result<()>;

    /// Takes an exclusive lock (flock, not fcntl) on the file `path`, creating it when absent and never replacing it,
    /// without waiting; `None` when another holder, in this process or any other, has it. Dropping the guard frees it.
    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>>;

    /// Whether anybody, in this process or any other, holds the lock on `path`. Disturbs neither its holder nor who
    /// tries to take it. False without the file.
    fn is_locked(&self, path: &str) -> io::Result<bool>;

    /// Bytes of the filesystem in all, and those that an unprivileged process may still use.
    fn space(&self) -> io::Result<Space>;
}

/// One open file. Positions are explicit: there is no shared offset.
pub trait StorageFile: Send + Sync {
    /// The file's size in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// What tells this file from a copy of it: the same as long as the file exists, whatever is written to it and
    /// however it is renamed, also after a crash and after the filesystem was mounted again; another for every other
    /// file that exists. [`FileIdentity::UNKNOWN`] where the filesystem does not tell.
    fn identity(&self) -> io::Result<FileIdentity>;

    /// Reads until `buf` is full or the file ends; returns how many bytes were read.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Says that `len` bytes from `offset` on are about to be read, so that the disk can bring them meanwhile. A matter of
    /// pace only: it waits for nothing that is read, fails never, changes nothing that can be seen, and may do nothing.
    fn will_read(&self, _offset: u64, _len: u64) {}

    /// Writes all of `bytes`, or fails; after a failure any part may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file at least `len` bytes long (zeros) and reserves real blocks up to there, so that later writes below
    /// cannot fail for want of space. After a failure the file may have grown. Where the filesystem copies on write,
    /// nobody can promise this.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Cuts the file at `len`, or grows it with zeros that need not have blocks. What was cut reads as zeros when the
    /// file grows again.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns when the data, and the size needed to read it, are durable. After an error nothing is known of any byte
    /// that was not synced before, and a later success proves nothing: never sync the same file again.
    fn sync_data(&self) -> io::Result<()>;
}

/// Frees its lock when dropped.
pub trait LockGuard: Send + Sync {}

/// What an opened file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every storage must treat all of them")]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// What tells a file from a copy of it. Not the device: its number changes from one start of a machine to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain numbers")]
pub struct FileIdentity {
    /// The file's number on its filesystem; 0 when it has none. May be given to another file when this one is gone.
    pub inode: u64,
    /// When the file was made, in nanoseconds since 1970; 0 when the filesystem does not keep that.
    pub born: i64,
}

impl FileIdentity {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { inode: 0, born: 0 };

    /// Whether the two cannot be one file. What is not known speaks for neither.
    pub fn differs_from(&self, other: &Self) -> bool {
        let differ = |one: i128, other: i128| one != 0 && other != 0 && one != other;
        differ(self.inode.into(), other.inode.into()) || differ(self.born.into(), other.born.into())
    }
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every storage must make them")]
pub struct DirEntry {
    /// The name, without the folder's path.
    pub name: String,
    /// Size in bytes; 0 for a folder.
    pub len: u64,
    /// Whether this is a file or a folder.
    pub kind: EntryKind,
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every storage must treat all of them")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// Room on a filesystem, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every storage must make them")]
pub struct Space {
    /// The filesystem's size.
    pub total: u64,
    /// What an unprivileged process may still allocate.
    pub available: u64,
}

/// Reads the whole file `path` of at most `limit` bytes; `None` when there is no such file. A larger file is
/// `InvalidData`.
///
/// # Errors
/// Whatever opening and reading give.
pub fn read_small(storage: &dyn Storage, path: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match storage.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > limit {
        let message = format!("{path} has {len} bytes, more than the {limit} that such a file may have");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut bytes = vec![0; len];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Puts `bytes` at `path` so that after any crash either the old or the new content is there, whole: a temporary file
/// beside it (`.tmp` added), synced, renamed over it, the folder synced.
///
/// # Errors
/// Whatever a step gives; the old content is then still there, and perhaps a `.tmp` file, which the next call replaces.
pub fn write_atomic(storage: &dyn Storage, path: &str, bytes: &[u8]) -> io::Result<()> {
    write_whole(storage, path, bytes)?;
    storage.sync_dir(parent(path))
}

/// As [`write_atomic`], but the folder is left to be synced by the caller, once for several files.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_whole(storage: &dyn Storage, path: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{path}.tmp");
    match storage.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = storage.create_new(&temporary)?;
    file.write_at(0, bytes)?;
    file.sync_data()?;
    storage.rename(&temporary, path)
}

/// Creates the folder `path` and those above it, and makes all of them durable.
///
/// # Errors
/// Whatever a step gives.
pub fn create_dir_durable(storage: &dyn Storage, path: &str) -> io::Result<()> {
    storage.create_dir(path)?;
    let mut folder = path;
    while !folder.is_empty() {
        folder = parent(folder);
        storage.sync_dir(folder)?;
    }
    Ok(())
}

/// The folder that holds `path`; `""` for a name directly below the root.
pub fn parent(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..slash])
}

/// The last part of a path.
fn name_of(path: &str) -> io::Result<&str> {
    match parts(path)?.last() {
        Some(name) => Ok(name),
        None => Err(invalid(path)),
    }
}

/// The parts of a path; none for the root, `""`.
fn parts(path: &str) -> io::Result<impl Iterator<Item = &str>> {
    let is_fine = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if path.is_empty() || path.split('/').all(is_fine) {
        Ok(path.split('/').filter(|part| !part.is_empty()))
    } else {
        Err(invalid(path))
    }
}

fn invalid(path: &str) -> io::Error {
    let message = format!("{path:?} is not the path of something below the root");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
