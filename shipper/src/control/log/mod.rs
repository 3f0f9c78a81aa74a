//! `auditship.log`: what our threads have to say, as they have no safe way to the host's log.
//!
//! # In scope
//! One line for each message, `RFC3339 LEVEL thread message key=value`; two files of at most 1 MiB; messages that would come
//! again and again, once a minute ([`Log::once_a_minute`]).
//!
//! # Out of scope
//! Durability: no line is synced. Threads of the host: every line makes system calls and takes a lock.
//!
//! # Invariants
//! 1. Logging never fails, waits for no other process, and never panics: a line that cannot be written is counted
//!    ([`Log::lost`]) and said with the next one that can.
//! 2. One message is one line, whatever is in it: control characters are escaped, long lines are cut.
//! 3. Plugin and daemon may log to the same spool. A line is written, and the files are turned over, under a lock; no
//!    file is kept open, so that a file that was renamed or removed by anybody is noticed with the next line.
//!
//! Used from any thread of ours; a [`Log`] is a handle and can be cloned.

mod limit;
mod line;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::limit::{Limiter, Ruling};
use crate::spool::storage::{Access, Storage, StorageFile};
use crate::time::Clock;

/// The file that is written, relative to the spool.
pub const FILE: &str = "auditship.log";
/// The one before it.
pub const OLD_FILE: &str = "auditship.log.1";
/// Bytes of each.
pub const MAX_LEN: u64 = 1 << 20;

const LOCK: &str = "control/log.lock";
/// How often the lock is tried: another process holds it for one write, and a line is not worth more.
const TRIES: u32 = 64;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "three are enough")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Someone may have to look.
    Warn,
    /// Someone has to look.
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A name and a value beside a message.
pub type Field<'a> = (&'a str, &'a dyn fmt::Display);

/// The spool's log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    limiter: Mutex<Limiter>,
    /// Held while a line is written: threads of one process wait for each other here, not at the lock's file.
    turn: Mutex<()>,
    lost: AtomicU64,
    unsaid: AtomicU64,
}

impl Log {
    /// A log in `storage`. Nothing is opened or made before the first line.
    pub fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            storage,
            clock,
            limiter: Mutex::default(),
            turn: Mutex::default(),
            lost: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Writes one line. `message` is lower-case and always the same for the same event; what differs is in `fields`.
    pub fn write(&self, level: Level, message: &str, fields: &[Field<'_>]) {
        self.shared.append(level, message, fields);
    }

    /// As [`Log::write`] with [`Level::Info`].
    pub fn info(&self, message: &str, fields: &[Field<'_>]) {
        self.write(Level::Info, message, fields);
    }

    /// As [`Log::write`] with [`Level::Warn`].
    pub fn warn(&self, message: &str, fields: &[Field<'_>]) {
        self.write(Level::Warn, message, fields);
    }

    /// As [`Log::write`] with [`Level::Error`].
    pub fn error(&self, message: &str, fields: &[Field<'_>]) {
        self.write(Level::Error, message, fields);
    }

    /// Writes one line, unless one of the same `kind` was written less than a minute ago; the next one that is written
    /// says how many were `suppressed`. A kind is the message's, with the destination's id when it has one.
    pub fn once_a_minute(&self, kind: &str, level: Level, message: &str, fields: &[Field<'_>]) {
        let ruling = {
            let mut limiter = self.shared.limiter.lock().unwrap_or_else(PoisonError::into_inner);
            limiter.rule(kind, self.shared.clock.monotonic())
        };
        match ruling {
            Ruling::Suppress => {}
            Ruling::Say { suppressed: 0 } => self.shared.append(level, message, fields),
            Ruling::Say { suppressed } => {
                let mut fields = fields.to_vec();
                fields.push(("suppressed", &suppressed));
                self.shared.append(level, message, &fields);
            }
        }
    }

    /// How many lines could not be written.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn append(&self, level: Level, message: &str, fields: &[Field<'_>]) {
        let unsaid = self.unsaid.load(Ordering::Relaxed);
        let mut line = line::Line::new(self.clock.wall(), level.as_str(), message);
        for (key, value) in fields {
            line.field(key, value);
        }
        if unsaid > 0 {
            line.field("lines_lost_before", &unsaid);
        }
        match self.put(&line.finish()) {
            Ok(()) => {
                self.unsaid.fetch_sub(unsaid, Ordering::Relaxed);
            }
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                self.unsaid.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn put(&self, line: &[u8]) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _guard = self.lock()?;
        let mut file = self.open()?;
        let mut end = file.len()?;
        if end > 0 && end + line.len() as u64 > MAX_LEN {
            self.storage.rename(FILE, OLD_FILE)?;
            file = self.open()?;
            end = file.len()?;
        }
        // A line of which only a part was written, by a full disk, must not run into this one.
        let mut last = *b"\n";
        if end > 0 && file.read_at(end - 1, &mut last)? == 1 && last != *b"\n" {
            file.write_at(end, b"\n")?;
            end += 1;
        }
        file.write_at(end, line)
    }

    fn lock(&self) -> io::Result<Box<dyn crate::spool::storage::LockGuard>> {
        self.storage.create_dir(super::FOLDER)?;
        for _ in 0..TRIES {
            if let Some(guard) = self.storage.try_lock(LOCK)? {
                return Ok(guard);
            }
            std::thread::yield_now();
        }
        Err(io::Error::from(io::ErrorKind::WouldBlock))
    }

    fn open(&self) -> io::Result<Arc<dyn StorageFile>> {
        match self.storage.open(FILE, Access::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.storage.create_new(FILE),
            opened => opened,
        }
    }
}
