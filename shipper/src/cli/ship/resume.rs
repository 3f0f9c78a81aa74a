//! How far a file has been read: kept in the spool while a run has not finished, so that the next one goes on.
//!
//! # Why it is crash-safe
//! The place is written after the records before it are durable. A crash in between makes the next run read them again:
//! those with an event id are recognised, those without one come twice. Nothing is left out. A place that no longer fits
//! the file (another file, shorter, not at the beginning of a line) is not used.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::input::Lines;
use crate::spool::storage::{Storage, read_small, write_atomic};

/// Where it is kept.
const FILE: &str = "control/ship.json";
const MAX_LEN: usize = 64 << 10;

/// A place in a file, or in something that has no places.
#[derive(Debug)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Its line, from 1.
    pub(super) line: u64,
    /// Which file it is; `None` for a pipe.
    file: Option<Identity>,
}

/// What tells one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    device: u64,
    inode: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    file: Identity,
    offset: u64,
    line: u64,
}

impl Place {
    /// The beginning of something that cannot be gone back to.
    pub(super) fn unknown() -> Self {
        Self {
            offset: 0,
            line: 1,
            file: None,
        }
    }

    /// Where the last run was in `file`, if it did not finish it.
    pub(super) fn of(path: &Path, metadata: &Metadata, file: &mut File, storage: &dyn Storage) -> Self {
        if !metadata.is_file() {
            return Self::unknown();
        }
        let identity = Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        };
        let start = Self {
            file: Some(identity),
            ..Self::unknown()
        };
        let kept = match read_small(storage, FILE, MAX_LEN) {
            Ok(Some(bytes)) => serde_json::from_slice::<Kept>(&bytes).ok(),
            Ok(None) | Err(_) => None,
        };
        match kept {
            Some(kept)
                if kept.file == identity
                    && kept.offset <= metadata.len()
                    && begins_line(file, kept.offset) =>
            {
                Self {
                    offset: kept.offset,
                    line: kept.line,
                    ..start
                }
            }
            Some(kept) if kept.file == identity => {
                crate::cli::message(format_args!(
                    "{} has changed since: reading it from its beginning",
                    path.display()
                ));
                start
            }
            Some(_) | None => start,
        }
    }

    /// The records of `piece` are durable: the next run begins behind them.
    pub(super) fn accepted(&mut self, piece: &Lines, storage: &dyn Storage) {
        self.offset = self.offset.saturating_add(piece.bytes.len() as u64);
        let newlines = piece.bytes.iter().filter(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(newlines as u64);
        let Some(file) = self.file else { return };
        let kept = Kept {
            file,
            offset: self.offset,
            line: self.line,
        };
        // Without it the next run begins earlier, which is safe.
        let _ = serde_json::to_vec(&kept)
            .map_err(io::Error::from)
            .and_then(|bytes| write_atomic(storage, FILE, &bytes));
    }

    /// The file has been read to its end: the next run is a new one.
    pub(super) fn finished(&self, storage: &dyn Storage) {
        if self.file.is_some() {
            let _ = storage.remove(FILE);
        }
    }
}

fn begins_line(file: &File, offset: u64) -> bool {
    let Some(before) = offset.checked_sub(1) else {
        return true;
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, before).is_ok() && byte == *b"\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::storage::sim::SimStorage;

    fn place(path: &Path, storage: &dyn Storage) -> (u64, u64) {
        let mut file = File::open(path).expect("opened");
        let metadata = file.metadata().expect("metadata");
        let place = Place::of(path, &metadata, &mut file, storage);
        (place.offset, place.line)
    }

    #[test]
    fn a_file_is_gone_on_with_only_while_it_is_the_same() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, "1\n2\n3\n").expect("written");
        std::fs::write(&other, "1\n2\n3\n").expect("written");
        let storage = SimStorage::new();
        storage.create_dir("control").expect("created");
        assert_eq!(place(&path, &storage), (0, 1));

        let mut file = File::open(&path).expect("opened");
        let metadata = file.metadata().expect("metadata");
        let mut reading = Place::of(&path, &metadata, &mut file, &storage);
        let piece = Lines {
            bytes: b"1\n2\n".to_vec(),
            first_line: 1,
            origin: String::new(),
        };
        reading.accepted(&piece, &storage);
        assert_eq!(place(&path, &storage), (4, 3));
        assert_eq!(place(&other, &storage), (0, 1), "another file");
        std::fs::write(&path, "1\n22\n3\n").expect("written");
        assert_eq!(
            place(&path, &storage),
            (0, 1),
            "no longer at the beginning of a line"
        );
        std::fs::write(&path, "1\n").expect("written");
        assert_eq!(place(&path, &storage), (0, 1), "shorter");
        std::fs::write(&path, "1\n2\n").expect("written");
        reading.finished(&storage);
        assert_eq!(place(&path, &storage), (0, 1), "finished");
    }
}
