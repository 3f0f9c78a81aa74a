//! What a spool demands of its directory before anything is written there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FileType};

/// Bits of a mode that give somebody besides the owner anything.
const OTHERS: u32 = 0o077;

/// Why a directory cannot hold a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootError {
    /// The path does not start with `/`; the host may change its working directory after it read its configuration.
    Relative {
        /// The path.
        path: PathBuf,
    },
    /// There is something else at the path.
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Group or others may read, list or change the directory.
    Exposed {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// This process may not read, write and enter the directory.
    Unwritable {
        /// The path.
        path: PathBuf,
        /// What the system answered.
        kind: io::ErrorKind,
    },
    /// The directory could not be examined.
    Io {
        /// The path.
        path: PathBuf,
        /// What the system answered.
        kind: io::ErrorKind,
    },
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative { path } => write!(
                f,
                "the spool's path {path:?} is relative: give one that starts with /"
            ),
            Self::NotADirectory { path } => {
                write!(
                    f,
                    "the spool's path {path:?} is not a directory: move it away or give another path"
                )
            }
            Self::Exposed { path, mode } => write!(
                f,
                "the spool directory {path:?} has mode {mode:04o} and is open to others than its owner: chmod 700 {path:?}"
            ),
            Self::Unwritable { path, kind } => write!(
                f,
                "the spool directory {path:?} cannot be written by this user ({kind}): chown it, or run as its owner"
            ),
            Self::Io { path, kind } => write!(f, "the spool directory {path:?} cannot be examined: {kind}"),
        }
    }
}

impl std::error::Error for RootError {}

/// Whether the directory `path`, if there is one, may hold a spool: the path is absolute, nobody but the owner may do
/// anything with it, and we may read, write and enter it. `Ok` when nothing has that name yet.
///
/// # Errors
/// The first of the conditions that does not hold.
pub fn check_private(path: &Path) -> Result<(), RootError> {
    let path_buf = || path.to_path_buf();
    if !path.is_absolute() {
        return Err(RootError::Relative { path: path_buf() });
    }
    let stat = match rustix::fs::stat(path) {
        Ok(stat) => stat,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => {
            let kind = io::Error::from(error).kind();
            return Err(RootError::Io {
                path: path_buf(),
                kind,
            });
        }
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(RootError::NotADirectory { path: path_buf() });
    }
    if stat.st_mode & OTHERS != 0 {
        return Err(RootError::Exposed {
            path: path_buf(),
            mode: stat.st_mode & 0o7777,
        });
    }
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(CWD, path, all, AtFlags::EACCESS).map_err(|error| RootError::Unwritable {
        path: path_buf(),
        kind: io::Error::from(error).kind(),
    })
}
