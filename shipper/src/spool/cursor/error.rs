//! What can go wrong with a cursor.

use std::fmt;
use std::io;

use super::codec::Malformed;
use super::state::Unsound;
use crate::spool::error::IoFailure;
use crate::spool::identity::SpoolId;

/// Why a cursor cannot be opened, read or committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorError {
    /// The destination's id cannot be a file's name.
    BadName(crate::spool::names::BadName),
    /// Neither slot is whole: the file was damaged or cut.
    Damaged {
        /// The cursor's file, relative to the spool.
        path: String,
    },
    /// The disk refused.
    Io(IoFailure),
    /// The last slot is whole, but what it says is not understood.
    Malformed {
        /// The cursor's file, relative to the spool.
        path: String,
        /// What is not understood.
        why: Malformed,
    },
    /// A newer version of auditship wrote it.
    NewerVersion {
        /// The cursor's file, relative to the spool.
        path: String,
        /// The newest format that this version reads.
        ours: u16,
        /// The file's format.
        theirs: u16,
    },
    /// The file is another destination's: it was renamed or copied.
    OtherDestination {
        /// The cursor's file, relative to the spool.
        path: String,
        /// The destination in the file.
        found: String,
    },
    /// The file is another spool's: it was copied.
    OtherSpool {
        /// The cursor's file, relative to the spool.
        path: String,
        /// This spool.
        expected: SpoolId,
        /// The spool in the file.
        found: SpoolId,
    },
    /// The state to be committed breaks a rule; nothing was written. A mistake in auditship.
    Unsound(Unsound),
}

impl CursorError {
    pub(super) fn io(path: &str, action: &'static str, error: &io::Error) -> Self {
        Self::Io(IoFailure::new(action, path, error))
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(bad) => write!(f, "{bad}"),
            Self::Damaged { path } => write!(
                f,
                "cursor {path}: neither of its two slots is whole; put a copy back, or remove the file to begin again at \
                 the destination's configured start (records may then be sent twice)"
            ),
            Self::Io(failure) => write!(
                f,
                "cursor {}: cannot {}: {}",
                failure.path, failure.action, failure.message
            ),
            Self::Malformed { path, why } => write!(
                f,
                "cursor {path}: {why}; use the version of auditship that wrote it, or a newer one"
            ),
            Self::NewerVersion { path, ours, theirs } => write!(
                f,
                "cursor {path} has format {theirs}, this auditship reads up to format {ours}: use the newer auditship"
            ),
            Self::OtherDestination { path, found } => write!(
                f,
                "cursor {path} is the one of destination {found}: a cursor cannot be copied or renamed; remove the file"
            ),
            Self::OtherSpool {
                path,
                expected,
                found,
            } => write!(
                f,
                "cursor {path} belongs to spool {found}, not to {expected}: it was copied from elsewhere; remove the file"
            ),
            Self::Unsound(rule) => write!(f, "refused to commit a cursor, please report this: {rule}"),
        }
    }
}

impl std::error::Error for CursorError {}
