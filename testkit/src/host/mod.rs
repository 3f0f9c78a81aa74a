//! The host's side of the plugin interface: what Fluent Bit does to a proxy plugin, done the same way.
//!
//! # In scope
//! Opening the library lazily, the calls in the host's order, the structures in the shape of several host versions,
//! flushes on a small stack of their own with a guard page below.
//!
//! # Out of scope
//! Scheduling, retries, inputs: [`crate::process`] and the tests decide what is flushed when.
//!
//! # How it is stricter than a real host
//! * Each structure ends where a page ends, and the next page cannot be touched: whoever reads a member which this
//!   version of the host does not have, or writes behind the definition, dies.
//! * The flush's stack has a guard page, where the real one silently runs into other memory, and is painted before each
//!   call, so that the deepest use can be read off it.
//!
//! Beside the tracer, this is the only module of the testkit with unsafe code.

mod coroutine;
mod fenced;
mod library;

pub use coroutine::{Coroutine, Flushed};
pub use library::{HostVersion, Instance, Library, LoadError, Plugin, take_log};

/// What a flush returned, as the host reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the host knows no more")]
pub enum FlushCode {
    /// 0, and whatever is none of the others: the host drops the chunk.
    Error,
    /// 1: the host forgets the chunk.
    Ok,
    /// 2: the host keeps the chunk.
    Retry,
}

impl FlushCode {
    fn of(code: i32) -> Self {
        match code {
            1 => Self::Ok,
            2 => Self::Retry,
            _ => Self::Error,
        }
    }
}

/// What happens to the process, and not to the plugin.
pub mod surroundings {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd};

    /// A copy of the open file `descriptor`, with a number of 3 or higher, close-on-exec.
    ///
    /// # Errors
    /// The descriptor is not open, or there are no more.
    pub fn duplicate(descriptor: i32) -> io::Result<File> {
        // SAFETY: makes a new descriptor, which nobody else owns.
        unsafe {
            match libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) {
                -1 => Err(io::Error::last_os_error()),
                copy => Ok(File::from_raw_fd(copy)),
            }
        }
    }

    /// Closes a standard stream (0, 1 or 2), as the host does with `Daemon On`.
    pub fn close_stream(descriptor: i32) {
        assert!((0..3).contains(&descriptor), "only standard streams");
        // SAFETY: Rust's standard streams tolerate a closed descriptor, and own none.
        unsafe { libc::close(descriptor) };
    }

    /// Lets a standard stream be `file`.
    ///
    /// # Errors
    /// Of `dup2`.
    pub fn redirect_stream(descriptor: i32, file: &File) -> io::Result<()> {
        assert!((0..3).contains(&descriptor), "only standard streams");
        // SAFETY: replaces a standard stream, which nobody owns, by an open file.
        match unsafe { libc::dup2(file.as_raw_fd(), descriptor) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Sets the process' umask.
    pub fn set_umask(mask: u32) {
        // SAFETY: changes a number of the process.
        unsafe { libc::umask(mask) };
    }

    /// Lets SIGALRM end the process after `seconds`, whatever it is doing then.
    pub fn limit_life(seconds: u32) {
        // SAFETY: sets a timer of the process.
        unsafe { libc::alarm(seconds) };
    }

    /// Sends `signal` to the process `pid`; nothing happens when there is none.
    pub fn signal(pid: u32, signal: i32) {
        if let Ok(pid) = libc::pid_t::try_from(pid)
            && pid > 1
        {
            // SAFETY: sends a signal to one process.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// Goes on in a child, as the host does with `Daemon On`; the parent ends at once. Returns the child's id.
    ///
    /// # Errors
    /// Of `fork`.
    pub fn daemonise() -> io::Result<u32> {
        // SAFETY: the caller has one thread (checked by the driver, which makes its workers at Init); the parent only
        // calls `_exit`.
        unsafe {
            match libc::fork() {
                -1 => Err(io::Error::last_os_error()),
                0 => {
                    libc::setsid();
                    Ok(std::process::id())
                }
                _ => libc::_exit(0),
            }
        }
    }
}
