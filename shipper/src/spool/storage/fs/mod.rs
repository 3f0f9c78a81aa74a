//! [`Storage`] over a directory of the operating system.
//!
//! # In scope
//! Turning each operation into system calls with the right flags, modes, owner and descriptor numbers.
//!
//! # Out of scope
//! Being unmounted, or replaced by another directory: the root is held by its descriptor, and whoever moves it away
//! moves the spool along.
//!
//! # Invariants
//! 1. *A guest's descriptors.* Every descriptor is close-on-exec and, from the moment it is open for writing, at least 3:
//!    the host may have closed its standard streams, and what it then prints must not land in a segment.
//! 2. *Modes are set, not asked for.* Files 0600 and folders 0700 by `fchmod` on what was just created: the umask counts
//!    for nothing. Nothing that existed before is changed.
//! 3. *Files take the directory's owner.* Root, working on somebody else's spool (`sudo auditship pause`), gives what it
//!    creates to the owner of the root directory, who could not read it otherwise. Where root may not (a container
//!    without that capability), it stays root's.
//! 4. *No symbolic link below the root is followed*, so that the owner of a spool cannot have root write elsewhere.
//! 5. *Interrupted calls are repeated*; short reads and writes are continued.
//!
//! # Threads and crashes
//! Any number of threads may share one value: it has no state but the root's descriptor. What a crash leaves of each
//! call is what [the trait](super) says; `sync_data` is `fdatasync`, which on Linux also makes a changed size durable,
//! `sync_dir` is `fsync` of the folder.

mod descriptor;
mod file;
mod lock;
mod root;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::{Errno, retry_on_intr};

use super::{Access, DirEntry, EntryKind, LockGuard, Space, Storage, StorageFile, name_of, parent, parts};
use file::FsFile;
pub use root::{RootError, check_private};

/// What files are created with.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// What folders are created with.
const FOLDER_MODE: Mode = Mode::RWXU;

/// A directory of the operating system, held by its descriptor.
#[derive(Debug)]
pub struct FsStorage {
    root: OwnedFd,
    /// Who is given what we create; `None` when that is who we are anyway.
    owner: Option<(Uid, Gid)>,
}

impl FsStorage {
    /// Opens the existing directory `root`; a symbolic link to one is followed. See [`check_private`] for what a spool
    /// demands beyond that.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `PermissionDenied`, ...
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::open(root.as_ref(), flags, Mode::empty()))?;
        // A folder's descriptor takes no write, so nothing was lost while it had a low number.
        let fd = descriptor::at_least(descriptor::FIRST, fd)?;
        let stat = rustix::fs::fstat(&fd)?;
        let directory = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        let us = (rustix::process::geteuid(), rustix::process::getegid());
        let owner = (us.0.is_root() && us != directory).then_some(directory);
        Ok(Self { root: fd, owner })
    }

    /// Creates the directory `root` (0700; those above it must exist) unless it exists, and opens it. The name is made
    /// durable when it is new.
    ///
    /// # Errors
    /// As for [`FsStorage::open`], and what making a directory gives.
    pub fn create(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref();
        match retry_on_intr(|| rustix::fs::mkdir(root, FOLDER_MODE)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Self::open(root),
            Err(error) => return Err(error.into()),
        }
        let storage = Self::open(root)?;
        retry_on_intr(|| rustix::fs::fchmod(&storage.root, FOLDER_MODE))?;
        let above = root.parent().filter(|above| !above.as_os_str().is_empty());
        let above = Self::open(above.unwrap_or(Path::new(".")))?;
        retry_on_intr(|| rustix::fs::fsync(&above.root))?;
        Ok(storage)
    }

    fn open_above_stdio(&self, open: impl Fn() -> rustix::io::Result<OwnedFd>) -> io::Result<OwnedFd> {
        descriptor::open_from(descriptor::FIRST, &self.root, open)
    }

    /// Runs `act` in the folder `path`. The descriptor it gets serves as the place of a name, and for nothing else.
    fn in_folder<T>(&self, path: &str, act: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        let mut below: Option<OwnedFd> = None;
        for part in parts(path)? {
            let dir = below.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            below = Some(self.open_above_stdio(|| rustix::fs::openat(dir, part, flags, Mode::empty()))?);
        }
        act(below.as_ref().map_or(self.root.as_fd(), AsFd::as_fd))
    }

    /// Runs `act` in the folder that holds `path`, with the last part of `path`.
    fn in_parent<T>(
        &self,
        path: &str,
        act: impl FnOnce(BorrowedFd<'_>, &str) -> io::Result<T>,
    ) -> io::Result<T> {
        let name = name_of(path)?;
        self.in_folder(parent(path), |dir| act(dir, name))
    }

    /// Opens a folder so that it can be read and synced.
    fn open_folder(&self, dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.open_above_stdio(|| rustix::fs::openat(dir, name, flags, Mode::empty()))
    }

    /// Opens an existing regular file.
    fn open_file(&self, dir: BorrowedFd<'_>, name: &str, access: Access) -> io::Result<FsFile> {
        let access = match access {
            Access::Read => OFlags::RDONLY,
            Access::ReadWrite => OFlags::RDWR,
        };
        // NONBLOCK: a pipe in the place of a file must not make us wait for its other end. Files ignore it.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = self.open_above_stdio(|| rustix::fs::openat(dir, name, flags, Mode::empty()))?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::RegularFile => Ok(FsFile::new(fd)),
            FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    /// Creates a file that must not exist.
    fn create_file(&self, dir: BorrowedFd<'_>, name: &str) -> io::Result<FsFile> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self.open_above_stdio(|| rustix::fs::openat(dir, name, flags, FILE_MODE))?;
        self.make_ours(&fd, FILE_MODE)?;
        Ok(FsFile::new(fd))
    }

    /// Sets mode and owner of what was just created.
    fn make_ours(&self, fd: &OwnedFd, mode: Mode) -> io::Result<()> {
        retry_on_intr(|| rustix::fs::fchmod(fd, mode))?;
        let Some((uid, gid)) = self.owner else {
            return Ok(());
        };
        match retry_on_intr(|| rustix::fs::fchown(fd, Some(uid), Some(gid))) {
            // Root without the capability: see invariant 3.
            Ok(()) | Err(Errno::PERM) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates one folder, unless it exists.
    fn create_folder(&self, dir: BorrowedFd<'_>, name: &str) -> io::Result<()> {
        match retry_on_intr(|| rustix::fs::mkdirat(dir, name, FOLDER_MODE)) {
            Ok(()) => self.make_ours(&self.open_folder(dir, name)?, FOLDER_MODE),
            // A file of that name is an error: `NotADirectory`.
            Err(Errno::EXIST) => self.open_folder(dir, name).map(drop),
            Err(error) => Err(error.into()),
        }
    }
}

impl Storage for FsStorage {
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.in_parent(path, |dir, name| self.open_file(dir, name, access))?;
        Ok(Arc::new(file))
    }

    fn create_new(&self, path: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.in_parent(path, |dir, name| self.create_file(dir, name))?;
        Ok(Arc::new(file))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let ends = path.match_indices('/').map(|(slash, _)| slash);
        ends.chain([path.len()])
            .try_for_each(|end| self.in_parent(&path[..end], |dir, name| self.create_folder(dir, name)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.in_parent(from, |from_dir, from| {
            self.in_parent(to, |to_dir, to| {
                Ok(retry_on_intr(|| {
                    rustix::fs::renameat(from_dir, from, to_dir, to)
                })?)
            })
        })
    }

    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.in_parent(from, |from_dir, from| {
            self.in_parent(to, |to_dir, to| {
                Ok(retry_on_intr(|| {
                    rustix::fs::linkat(from_dir, from, to_dir, to, AtFlags::empty())
                })?)
            })
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.in_parent(path, |dir, name| {
            Ok(retry_on_intr(|| {
                rustix::fs::unlinkat(dir, name, AtFlags::empty())
            })?)
        })
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        let folder = self.in_folder(path, |dir| self.open_folder(dir, "."))?;
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let stat = match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // Removed since the folder was read.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            let (kind, len) = match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => (EntryKind::File, u64::try_from(stat.st_size).unwrap_or(0)),
                FileType::Directory => (EntryKind::Folder, 0),
                _ => continue,
            };
            let name = name.to_owned();
            entries.push(DirEntry { name, len, kind });
        }
        Ok(entries)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let folder = self.in_folder(path, |dir| self.open_folder(dir, "."))?;
        Ok(retry_on_intr(|| rustix::fs::fsync(&folder))?)
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        lock::try_lock(self, path)
    }

    fn is_locked(&self, path: &str) -> io::Result<bool> {
        lock::is_locked(self, path)
    }

    fn space(&self) -> io::Result<Space> {
        let stat = retry_on_intr(|| rustix::fs::fstatvfs(&self.root))?;
        Ok(Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            available: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }
}
