//! Descriptors with numbers that are nobody else's.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr};

/// No descriptor below this one is ours: 0, 1 and 2 belong to the host even while they are closed.
pub(super) const FIRST: RawFd = 3;

/// Runs `open` so that its descriptor is at least `first`. `filler` must take no writes: a folder, say.
///
/// Descriptors are given out from the lowest free number. Free ones below `first` are filled with copies of `filler` before;
/// moving the file afterwards would leave a moment in which what the host prints goes into the file.
pub(super) fn open_from(
    first: RawFd,
    filler: impl AsFd,
    open: impl Fn() -> rustix::io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    let mut fillers = Vec::new();
    loop {
        let copy = fcntl_dupfd_cloexec(&filler, 0)?;
        if copy.as_raw_fd() >= first {
            break;
        }
        fillers.push(copy);
    }
    // Unless the host has just closed one of its streams, this changes nothing.
    at_least(first, retry_on_intr(open)?)
}

/// Moves a descriptor that is below `first`.
pub(super) fn at_least(first: RawFd, fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= first {
        return Ok(fd);
    }
    Ok(fcntl_dupfd_cloexec(&fd, first)?)
}
