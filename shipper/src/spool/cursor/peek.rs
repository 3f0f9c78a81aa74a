//! Reading cursors without a lock, from any thread or process, also while their owner commits.
//!
//! A slot that is being written fails its checksum; the other one is then the last durable state. A reader that is so slow
//! that both slots are written while it reads could see none, or an older state than another reader has seen before: so the
//! slot that was chosen is looked at again at the end, and everything is read again when it has changed.

use super::slot::{self, HeaderRead, Slot};
use super::state::State;
use super::{CursorError, FOLDER, SUFFIX, codec, path_of};
use crate::spool::identity::SpoolId;
use crate::spool::storage::{Access, EntryKind, Storage, StorageFile};

/// How often a cursor is read before it is called damaged.
const TRIES: u32 = 8;

/// What a cursor said when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peek {
    /// The destination's id.
    pub destination: String,
    /// The spool that the cursor belongs to.
    pub spool: SpoolId,
    /// What it said.
    pub state: State,
}

/// A destination's id, and what its cursor said or what is wrong with it.
pub type Peeked = (String, Result<Peek, CursorError>);

/// A state, and the slot that holds it.
pub(super) struct Found {
    pub(super) peek: Peek,
    pub(super) slot: Slot,
    /// The slot's used bytes.
    pub(super) bytes: Vec<u8>,
}

/// Reads the cursor of `destination`; `None` when it has none. What it says may not be durable yet.
///
/// # Errors
/// Any [`CursorError`] but [`CursorError::OtherSpool`], as the reader may not know the spool, and
/// [`CursorError::Unsound`].
pub fn peek(storage: &dyn Storage, destination: &str) -> Result<Option<Peek>, CursorError> {
    let path = path_of(destination)?;
    let file = match storage.open(&path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CursorError::io(&path, "open", &error)),
    };
    named(newest(&*file, &path)?.peek, destination, path).map(Some)
}

/// Reads all cursors, in the order of the destinations' ids, each with what is wrong with it: whoever removes what all
/// destinations have must take an unreadable cursor for one that has nothing.
///
/// What a cursor says here may not be durable yet: good for showing. See [`peek_all_durable`].
///
/// # Errors
/// [`CursorError::Io`] when the folder cannot be listed. No folder, no cursors.
pub fn peek_all(storage: &dyn Storage) -> Result<Vec<Peeked>, CursorError> {
    let all = destinations(storage)?.into_iter().filter_map(|destination| {
        // A cursor that was removed since is none.
        let read = peek(storage, &destination).transpose()?;
        Some((destination, read))
    });
    Ok(all.collect())
}

/// As [`peek_all`], but each cursor's file is synced first, so that no crash can take back what is said here: for
/// whoever removes segments.
///
/// # Errors
/// As [`peek_all`]; a cursor whose sync fails has that as its error.
pub fn peek_all_durable(storage: &dyn Storage) -> Result<Vec<Peeked>, CursorError> {
    let all = destinations(storage)?.into_iter().filter_map(|destination| {
        let read = peek_durable(storage, &destination).transpose()?;
        Some((destination, read))
    });
    Ok(all.collect())
}

fn peek_durable(storage: &dyn Storage, destination: &str) -> Result<Option<Peek>, CursorError> {
    // Read first, sync then: what was read was written before, so the sync covers it.
    let Some(peek) = peek(storage, destination)? else {
        return Ok(None);
    };
    let path = path_of(destination)?;
    match storage
        .open(&path, Access::ReadWrite)
        .and_then(|file| file.sync_data())
    {
        Ok(()) => Ok(Some(peek)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CursorError::io(&path, "sync", &error)),
    }
}

fn destinations(storage: &dyn Storage) -> Result<Vec<String>, CursorError> {
    let entries = match storage.list(FOLDER) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CursorError::io(FOLDER, "list", &error)),
    };
    let mut destinations: Vec<String> = entries
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .filter_map(|entry| entry.name.strip_suffix(SUFFIX).map(str::to_owned))
        .filter(|destination| path_of(destination).is_ok())
        .collect();
    destinations.sort_unstable();
    Ok(destinations)
}

fn named(peek: Peek, destination: &str, path: String) -> Result<Peek, CursorError> {
    if peek.destination == destination {
        Ok(peek)
    } else {
        Err(CursorError::OtherDestination {
            path,
            found: peek.destination,
        })
    }
}

/// The newest state in `file`.
pub(super) fn newest(file: &dyn StorageFile, path: &str) -> Result<Found, CursorError> {
    let mut seen = None;
    for _ in 0..TRIES {
        let mut best: Option<(slot::Header, Vec<u8>, Slot)> = None;
        for which in Slot::BOTH {
            let Some((header, bytes)) = read_slot(file, which, path)? else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|(best, ..)| best.generation < header.generation)
            {
                best = Some((header, bytes, which));
            }
        }
        let Some((header, bytes, which)) = best else {
            continue;
        };
        let unchanged = read_header(file, which, path)? == bytes[..slot::HEADER_LEN];
        seen = Some((header, bytes, which));
        if unchanged {
            break;
        }
    }
    // An owner that is always faster than this reader: what was seen last is old, but true.
    let (header, bytes, slot) = seen.ok_or_else(|| CursorError::Damaged {
        path: path.to_owned(),
    })?;
    let decoded = codec::decode(&bytes[slot::HEADER_LEN..], header.generation);
    let (destination, state) = decoded.map_err(|why| CursorError::Malformed {
        path: path.to_owned(),
        why,
    })?;
    let peek = Peek {
        destination,
        spool: header.spool,
        state,
    };
    Ok(Found { peek, slot, bytes })
}

/// The first bytes of a slot; zeros in place of those that the file does not have, which make no header.
fn read_header(
    file: &dyn StorageFile,
    which: Slot,
    path: &str,
) -> Result<[u8; slot::HEADER_LEN], CursorError> {
    let mut start = [0; slot::HEADER_LEN];
    let read = file
        .read_at(which.offset(), &mut start)
        .map_err(|error| CursorError::io(path, "read", &error))?;
    start[read..].fill(0);
    Ok(start)
}

/// The header and the used bytes of a slot; `None` when it is not whole.
fn read_slot(
    file: &dyn StorageFile,
    which: Slot,
    path: &str,
) -> Result<Option<(slot::Header, Vec<u8>)>, CursorError> {
    let start = read_header(file, which, path)?;
    let header = match slot::header(&start) {
        HeaderRead::None => return Ok(None),
        HeaderRead::Ours(header) => header,
        HeaderRead::Newer(theirs) => {
            return Err(CursorError::NewerVersion {
                path: path.to_owned(),
                ours: slot::VERSION,
                theirs,
            });
        }
    };
    let mut bytes = vec![0; slot::HEADER_LEN + header.body_len];
    let (head, body) = bytes.split_at_mut(slot::HEADER_LEN);
    head.copy_from_slice(&start);
    let read = file
        .read_at(which.offset() + slot::HEADER_LEN as u64, body)
        .map_err(|error| CursorError::io(path, "read", &error))?;
    Ok((read == body.len() && header.fits(body)).then_some((header, bytes)))
}
