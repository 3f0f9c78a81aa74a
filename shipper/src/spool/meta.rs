//! Whose spool a directory is: making it, checking it, and finding out that it was copied.
//!
//! # Invariants
//! 1. `spool.meta` is put there last, atomically, when everything else of an empty spool is durable: a directory with it
//!    is a spool, one without it and without segments is not one yet.
//! 2. A damaged `spool.meta` loses nothing: the spool's identity is also in the head and in every segment.
//!
//! Runs on the thread that opens the spool.

use super::error::SpoolError;
use super::format::{BlockHeader, FormatError, Meta, SegmentHeader};
use super::head;
use super::identity::SpoolId;
use super::segment::{self, Listing};
use super::storage::{Access, Storage, read_small, write_atomic};

/// The file's path.
pub(crate) const PATH: &str = "spool.meta";
/// The most bytes that the file may have.
const LIMIT: usize = 4096;

/// What the directory says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is no spool yet.
    Nothing,
    /// It is this one.
    Intact(Meta),
    /// `spool.meta` is damaged or gone; the rest says which spool it is.
    Damaged { spool: SpoolId, reason: String },
}

/// Reads what the directory says of itself.
pub(crate) fn find(storage: &dyn Storage) -> Result<Found, SpoolError> {
    let bytes = match read_small(storage, PATH, LIMIT) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Some(Vec::new()),
        read => read.map_err(|error| SpoolError::io("read", PATH, &error))?,
    };
    let reason = match bytes.as_deref().map(Meta::decode) {
        Some(Ok(meta)) => return Ok(Found::Intact(meta)),
        Some(Err(error @ FormatError::NewerVersion { .. })) => return Err(SpoolError::format(PATH, &error)),
        Some(Err(error)) => format!("{PATH}: {error}"),
        None => format!("{PATH} is missing"),
    };
    match (other_witness(storage)?, bytes) {
        (Some(spool), _) => Ok(Found::Damaged { spool, reason }),
        (None, None) => Ok(Found::Nothing),
        (None, Some(_)) => Err(SpoolError::NotASpool {
            reason: format!("{reason}, and nothing else in the directory tells which spool it is"),
        }),
    }
}

/// The identity of the spool in `storage`, for readers.
pub(crate) fn identify(storage: &dyn Storage) -> Result<SpoolId, SpoolError> {
    match find(storage)? {
        Found::Intact(meta) => Ok(meta.spool),
        Found::Damaged { spool, .. } => Ok(spool),
        Found::Nothing => Err(SpoolError::NotASpool {
            reason: format!("{PATH} is missing"),
        }),
    }
}

pub(crate) fn write(storage: &dyn Storage, meta: &Meta) -> Result<(), SpoolError> {
    let mut bytes = Vec::new();
    meta.encode(&mut bytes);
    write_atomic(storage, PATH, &bytes).map_err(|error| SpoolError::io("write", PATH, &error))
}

/// Which spool the head and the segments belong to.
fn other_witness(storage: &dyn Storage) -> Result<Option<SpoolId>, SpoolError> {
    if let Some(slot) = head::read_slot(storage)? {
        return Ok(Some(slot.spool));
    }
    for (number, _) in Listing::read(storage)?.segments {
        let path = segment::path(number);
        let failed = |error: std::io::Error| SpoolError::io("read", &path, &error);
        let file = storage.open(&path, Access::Read).map_err(failed)?;
        let mut bytes = [0; SegmentHeader::LEN + BlockHeader::LEN];
        let have = file.read_at(0, &mut bytes).map_err(failed)?;
        if let Ok((header, _)) = SegmentHeader::decode(&bytes[..have]) {
            return Ok(Some(header.spool));
        }
    }
    Ok(None)
}
