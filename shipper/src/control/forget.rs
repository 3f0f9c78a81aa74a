//! Giving up a destination that is no longer configured, so that no records are kept for it any longer.
//!
//! # Why each step is crash-safe
//! First the writer is asked, durably, to note in the log what is given up; then dead letters and wish go, the cursor last.
//! Whoever is interrupted does it again: what is gone stays gone, and the log says it twice.
//!
//! The caller holds the shipper's lock, and knows that the destination is not configured.

use std::fmt;

use super::commands::{self, Command};
use super::{ControlError, desired};
use crate::random::Random;
use crate::spool::cursor::{self, CursorError};
use crate::spool::dead_letter::{self, DeadLetterError};
use crate::spool::names;
use crate::spool::storage::Storage;
use crate::spool::{SpoolError, read_head};
use crate::time::Timestamp;

/// What was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// How many records it had not settled.
    pub pending: Pending,
    /// How many dead letters it had.
    pub dead_letters: u64,
}

/// How many records a destination had not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a cursor can be read or not, or is not there"
)]
pub enum Pending {
    /// So many.
    Records(u64),
    /// Its cursor is damaged: nobody knows.
    Unknown,
    /// It has no cursor.
    NoCursor,
}

impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pending {
            Pending::Records(records) => write!(f, "{records} pending records")?,
            Pending::Unknown => {
                f.write_str("an unknown number of pending records (its cursor is damaged)")?
            }
            Pending::NoCursor => f.write_str("no pending records (it has no cursor)")?,
        }
        write!(f, " and {} dead letters", self.dead_letters)
    }
}

/// Removes the cursor, the dead letters and the wish of `destination`, durably, after a note in the log; `by` says for whom.
///
/// # Errors
/// Any [`ForgetError`]. The cursor is still there.
pub fn forget(
    storage: &dyn Storage,
    random: &dyn Random,
    now: Timestamp,
    by: &str,
    destination: &str,
) -> Result<Forgotten, ForgetError> {
    names::check_id(destination).map_err(|bad| ForgetError::Control(ControlError::BadName(bad)))?;
    let head = read_head(storage).map_err(ForgetError::Spool)?;
    let pending = match cursor::peek(storage, destination) {
        Ok(Some(peek)) => {
            let head = head.map_or(peek.state.end(), |head| head.next_seq);
            Pending::Records(peek.state.pending(head))
        }
        Ok(None) => Pending::NoCursor,
        Err(error @ CursorError::Io(_)) => return Err(ForgetError::Cursor(error)),
        Err(_) => Pending::Unknown,
    };
    let letters = dead_letter::list(storage, destination).map_err(ForgetError::DeadLetter)?;
    let forgotten = Forgotten {
        pending,
        dead_letters: letters.len() as u64,
    };
    if pending != Pending::NoCursor || forgotten.dead_letters > 0 {
        let text = format!("destination {destination} was given up by {by}: {forgotten}");
        commands::submit(storage, random, now, by, &Command::Note { text }).map_err(ForgetError::Control)?;
    }
    for letter in letters {
        dead_letter::remove(storage, destination, letter.epoch, letter.seq)
            .map_err(ForgetError::DeadLetter)?;
    }
    desired::forget(storage, destination).map_err(ForgetError::Control)?;
    cursor::remove(storage, destination).map_err(ForgetError::Cursor)?;
    Ok(forgotten)
}

/// Why a destination cannot be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForgetError {
    /// The writer cannot be asked to note it, or the wish cannot be removed.
    Control(ControlError),
    /// The cursor cannot be read or removed.
    Cursor(CursorError),
    /// A dead letter cannot be removed.
    DeadLetter(DeadLetterError),
    /// The head cannot be read.
    Spool(SpoolError),
}

impl fmt::Display for ForgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(error) => error.fmt(f),
            Self::Cursor(error) => error.fmt(f),
            Self::DeadLetter(error) => error.fmt(f),
            Self::Spool(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ForgetError {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::control::Role;
    use crate::random::SeededRandom;
    use crate::spool::cursor::Cursor;
    use crate::spool::dead_letter::DeadLetter;
    use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
    use crate::spool::storage::sim::{Crash, SimStorage};

    const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);
    const SPOOL: SpoolId = SpoolId([0xab; 16]);

    /// Two destinations with cursors; the first has a dead letter.
    fn disk() -> SimStorage {
        let disk = SimStorage::new();
        for id in ["old", "other"] {
            Cursor::open_or_create(Arc::new(disk.clone()), id, SPOOL, 3).unwrap();
        }
        let letter = DeadLetter {
            id: RecordId {
                spool: SPOOL,
                epoch: Epoch(7),
                seq: 1,
            },
            key: Key([0; 16]),
            time: NOW,
            code: "400".to_owned(),
            reason: "no".to_owned(),
            at: NOW,
            attempts: 1,
            record: b"{}".to_vec(),
        };
        dead_letter::put(&disk, "old", &letter).unwrap();
        desired::set(&disk, "old", desired::DesiredState::Inactive, NOW).unwrap();
        disk
    }

    fn notes(disk: &SimStorage) -> Vec<String> {
        let due = commands::due(disk, Role::Writer, NOW).unwrap();
        let notes = due.into_iter().map(|due| match due.command {
            Command::Note { text } => text,
            other => panic!("{other:?}"),
        });
        notes.collect()
    }

    fn cursors(disk: &SimStorage) -> Vec<String> {
        let all = cursor::peek_all(disk).unwrap();
        all.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn everything_of_one_destination_goes_and_the_writer_is_asked_to_say_so() {
        let disk = disk();
        let random = SeededRandom::new(1);
        let forgotten = forget(&disk, &random, NOW, "somebody", "old").unwrap();
        assert_eq!(
            forgotten.to_string(),
            "0 pending records and 1 dead letters",
            "{forgotten:?}"
        );
        assert_eq!(
            notes(&disk),
            [format!("destination old was given up by somebody: {forgotten}")]
        );
        let disk = disk.crash(Crash::NothingUnsynced, 0);
        assert_eq!(cursors(&disk), ["other"]);
        assert_eq!(dead_letter::list(&disk, "old").unwrap().len(), 0);
        assert!(desired::read(&disk).unwrap().destinations.is_empty());
        let again = forget(&disk, &random, NOW, "somebody", "old").unwrap();
        assert_eq!((again.pending, again.dead_letters), (Pending::NoCursor, 0));
        assert_eq!(notes(&disk).len(), 1, "nothing was given up the second time");
    }

    #[test]
    fn a_damaged_cursor_can_be_given_up_and_no_file_elsewhere() {
        let disk = disk();
        let file = disk
            .open("cursors/old.cur", crate::spool::storage::Access::ReadWrite)
            .unwrap();
        file.set_len(100).unwrap();
        let random = SeededRandom::new(1);
        let forgotten = forget(&disk, &random, NOW, "somebody", "old").unwrap();
        assert_eq!(forgotten.pending, Pending::Unknown);
        assert_eq!(cursors(&disk), ["other"]);
        assert!(forget(&disk, &random, NOW, "somebody", "../head").is_err());
    }

    #[test]
    fn a_crash_anywhere_leaves_the_cursor_or_the_note() {
        for changes in 0.. {
            let disk = disk();
            disk.fail_after_changes(changes);
            let result = forget(&disk, &SeededRandom::new(1), NOW, "somebody", "old");
            for crash in Crash::ALL {
                let disk = disk.crash(crash, changes);
                let is_gone = !cursors(&disk).contains(&"old".to_owned());
                assert!(!is_gone || notes(&disk).len() == 1, "{crash:?} after {changes}");
                assert!(is_gone || result.is_err(), "{crash:?} after {changes}");
                forget(&disk, &SeededRandom::new(2), NOW, "somebody", "old").unwrap();
                assert_eq!(cursors(&disk), ["other"]);
            }
            if result.is_ok() {
                assert!(changes > 8, "{changes} are too few to say something");
                break;
            }
        }
    }
}
