//! What can go wrong between a caller and the spool: typed, comparable, each with what to do.

use std::fmt;
use std::io;

use super::format::FormatError;

/// Why a spool cannot be opened or read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another writer, in this process or any other, holds the spool.
    Locked,
    /// Something in the spool was written by a newer version of auditship.
    NewerVersion {
        /// The newest format version that this build reads.
        ours: u16,
        /// The version found.
        theirs: u16,
        /// Which file says so, and which feature flags of it are unknown here.
        found: String,
    },
    /// The spool has a feature that this build may read but not write.
    ReadOnly {
        /// The unknown read-compatible feature flags.
        flags: u32,
    },
    /// The directory, or something in it, may not be read or written, or others may read it.
    Permissions {
        /// What is wrong with which path.
        path: String,
    },
    /// The directory holds no spool, or what is left of one does not tell which.
    NotASpool {
        /// What is missing.
        reason: String,
    },
    /// A spool's path must be absolute: the host changes its working directory.
    RelativePath {
        /// The path as configured.
        path: String,
    },
    /// The directory is the spool of another instance.
    OtherId {
        /// The `Id` in the spool.
        found: String,
        /// The `Id` in the configuration.
        wanted: String,
    },
    /// The disk has no room for what opening must write, and nothing that may be removed for it. Nothing is lost.
    Full {
        /// About how many bytes are needed.
        needed: u64,
        /// What failed.
        failure: IoFailure,
    },
    /// The operating system gave no random bytes.
    NoRandomness,
    /// Input or output failed.
    Io(IoFailure),
}

/// Why an append is not, or may not be, durable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// There is no room, and nothing that may be removed for it. Nothing of the append is left behind.
    Full {
        /// Bytes that the spool uses.
        used: u64,
        /// Bytes that it may use.
        limit: u64,
        /// What ran out.
        cause: FullCause,
    },
    /// Input or output failed. From `append`: nothing of this append is left behind. From `sync`: every append since the
    /// last successful `sync` is void.
    Io(IoFailure),
    /// A record, or a region that could not be decoded, is larger than a block may be.
    RecordTooLarge {
        /// Its bytes.
        len: u64,
        /// The most that a block may hold.
        limit: u64,
    },
    /// The draft contradicts itself; a defect of the caller. Nothing was written.
    BadDraft {
        /// What does not agree.
        reason: &'static str,
    },
    /// The operating system gave no random bytes for a salt. Nothing was written.
    NoRandomness,
    /// An earlier call panicked half-way: nothing in memory can be trusted. Open the spool again.
    Poisoned,
}

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullCause {
    /// The spool's own limit (`max_bytes`).
    Limit,
    /// The filesystem (or a quota).
    Disk,
}

/// One failed operation on the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IoFailure {
    /// What was being done, as `write`.
    pub action: &'static str,
    /// The path below the spool's directory.
    pub path: String,
    /// The kind that the system gave.
    pub kind: io::ErrorKind,
    /// The system's own words.
    pub message: String,
}

impl IoFailure {
    /// `error`, met while doing `action` on `path`.
    pub fn new(action: &'static str, path: &str, error: &io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            kind: error.kind(),
            message: error.to_string(),
        }
    }

    /// Whether the filesystem or a quota is full.
    pub fn is_full(&self) -> bool {
        matches!(
            self.kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

impl SpoolError {
    /// `error`, met while doing `action` on `path`; a refused permission is told apart.
    pub(crate) fn io(action: &'static str, path: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::Permissions {
                path: format!("{action} {path}: {error}"),
            };
        }
        Self::Io(IoFailure::new(action, path, error))
    }

    /// A format error that stands for the whole spool: found in `path`, which must be readable for anything to go on.
    pub(crate) fn format(path: &str, error: &FormatError) -> Self {
        match error {
            FormatError::NewerVersion { theirs, incompat } => Self::NewerVersion {
                ours: super::format::VERSION,
                theirs: *theirs,
                found: format!("{path} (unknown feature flags {incompat:#x})"),
            },
            other => Self::NotASpool {
                reason: format!("{path}: {other}"),
            },
        }
    }
}

impl fmt::Display for IoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.action, self.path, self.message)
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str(
                "another writer holds this spool: give each stanza its own `Id` and directory, or one stanza several \
                 destinations through `Config_File`",
            ),
            Self::NewerVersion { ours, theirs, found } => write!(
                f,
                "the spool was written by a newer auditship: this one reads format version {ours}, {found} has version \
                 {theirs}; use the newer auditship"
            ),
            Self::ReadOnly { flags } => write!(
                f,
                "the spool uses features {flags:#x} that this auditship may read but not write; use the newer auditship"
            ),
            Self::Permissions { path } => write!(
                f,
                "{path}: the spool's directory must belong to the user that runs auditship, with mode 0700"
            ),
            Self::NotASpool { reason } => write!(
                f,
                "not a spool: {reason}; check the path, and if a spool was there, keep what is left of it and name an empty \
                 directory"
            ),
            Self::RelativePath { path } => {
                write!(f, "the spool's path {path} is relative; it must begin with /")
            }
            Self::OtherId { found, wanted } => write!(
                f,
                "the directory is the spool of the instance `{found}`, not of `{wanted}`: set `Id {found}`, or another \
                 directory"
            ),
            Self::Full { needed, failure } => write!(
                f,
                "the disk is full, and before the spool opens about {needed} bytes must be written that a crash may have \
                 left unwritten ({failure}): make room on the filesystem and start again; nothing is lost"
            ),
            Self::NoRandomness => crate::random::NoRandomness.fmt(f),
            Self::Io(failure) if failure.is_full() => write!(f, "{failure}: make room on the filesystem"),
            Self::Io(failure) => failure.fmt(f),
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full {
                used,
                limit,
                cause: FullCause::Limit,
            } => write!(
                f,
                "the spool is full of undelivered data ({used} of {limit} bytes): mend the destination, or raise \
                 `max_bytes`"
            ),
            Self::Full {
                used,
                limit,
                cause: FullCause::Disk,
            } => write!(
                f,
                "the disk is full (the spool uses {used} of its {limit} bytes): make room on the filesystem"
            ),
            Self::Io(failure) => failure.fmt(f),
            Self::RecordTooLarge { len, limit } => write!(
                f,
                "a record of {len} bytes does not fit into a block of at most {limit} bytes: it must be cut where it is made"
            ),
            Self::BadDraft { reason } => write!(
                f,
                "the draft contradicts itself ({reason}), and nothing was written: this is a defect of what made it, report it"
            ),
            Self::NoRandomness => crate::random::NoRandomness.fmt(f),
            Self::Poisoned => f.write_str("an earlier call panicked: open the spool again"),
        }
    }
}

impl std::error::Error for IoFailure {}
impl std::error::Error for SpoolError {}
impl std::error::Error for AppendError {}

impl From<crate::random::NoRandomness> for SpoolError {
    fn from(_: crate::random::NoRandomness) -> Self {
        Self::NoRandomness
    }
}

impl From<crate::random::NoRandomness> for AppendError {
    fn from(_: crate::random::NoRandomness) -> Self {
        Self::NoRandomness
    }
}
