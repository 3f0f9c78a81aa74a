//! Exclusive locks by `flock`, which belong to an open file and so also keep two instances in one process apart.
//!
//! # Races
//! Linux has no call that asks about a `flock` without taking one. [`is_locked`] therefore takes a *shared* lock on a
//! descriptor of its own and frees it at once. In that moment an exclusive attempt elsewhere is refused, though nobody
//! holds the lock; [`try_lock`] tells such a refusal from a real one, since a shared lock can be had beside a shared one
//! and not beside an exclusive one, and then tries again.
//!
//! A lock is free when its last descriptor is closed, so also when its holder is killed. The files are close-on-exec,
//! and a forked child that keeps a copy does not keep the lock: the guard unlocks before it closes.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use rustix::thread::Timespec;

use super::FsStorage;
use crate::spool::storage::{Access, LockGuard};

/// How often an attempt that was refused by nothing but somebody's look is repeated.
const ATTEMPTS: usize = 250;
/// Between two attempts. A look lasts microseconds, unless the looking thread loses its processor in the middle; it ends
/// without an event that could be waited for.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// Holds an exclusive lock.
#[derive(Debug)]
struct Flock {
    fd: OwnedFd,
}

impl LockGuard for Flock {}

impl Drop for Flock {
    fn drop(&mut self) {
        // Closing would do, were there no forked child with a copy of the descriptor. An error leaves it to the closing.
        let _ = flock(&self.fd, FlockOperation::Unlock);
    }
}

/// See [`crate::spool::storage::Storage::try_lock`].
pub(super) fn try_lock(storage: &FsStorage, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
    let fd = open_or_create(storage, path)?;
    for _ in 0..ATTEMPTS {
        if attempt(&fd, FlockOperation::NonBlockingLockExclusive)? {
            return Ok(Some(Box::new(Flock { fd })));
        }
        if !attempt(&fd, FlockOperation::NonBlockingLockShared)? {
            return Ok(None);
        }
        flock(&fd, FlockOperation::Unlock)?;
        // An early end by a signal only makes the next attempt come sooner.
        let _ = rustix::thread::nanosleep(&PAUSE);
    }
    Ok(None)
}

/// See [`crate::spool::storage::Storage::is_locked`].
pub(super) fn is_locked(storage: &FsStorage, path: &str) -> io::Result<bool> {
    let opened = storage.in_parent(path, |dir, name| storage.open_file(dir, name, Access::Read));
    let fd = match opened {
        Ok(file) => file.into_fd(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Freed by closing the descriptor.
    Ok(!attempt(&fd, FlockOperation::NonBlockingLockShared)?)
}

fn open_or_create(storage: &FsStorage, path: &str) -> io::Result<OwnedFd> {
    loop {
        let opened = storage.in_parent(path, |dir, name| {
            match storage.open_file(dir, name, Access::ReadWrite) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create_file(dir, name),
                opened => opened,
            }
        });
        match opened {
            // Somebody created it between the two calls; lock files are never removed, so this ends.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok(opened?.into_fd()),
        }
    }
}

/// Whether the lock was had.
fn attempt(fd: &OwnedFd, operation: FlockOperation) -> io::Result<bool> {
    match retry_on_intr(|| flock(fd, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
