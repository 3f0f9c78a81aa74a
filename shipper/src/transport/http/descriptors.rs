//! Keeps sockets away from descriptors 0, 1 and 2.
//!
//! A host that runs as a daemon has closed them; a socket that got 1 would receive whatever the host prints. While one
//! of these is held the low ones are taken, by `/dev/null`, so that everything opened meanwhile is above them.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

/// The standard descriptors that were free, taken.
#[derive(Debug, Default)]
pub(super) struct LowDescriptors {
    _taken: Vec<OwnedFd>,
}

impl LowDescriptors {
    /// Takes those that are free. Costs one open and one close when none is.
    pub(super) fn occupy() -> Self {
        let mut taken = Vec::new();
        // Without /dev/null nothing can be taken, and nothing is lost but the distance.
        while let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            if null.as_raw_fd() > 2 {
                break;
            }
            taken.push(null);
        }
        Self { _taken: taken }
    }
}
