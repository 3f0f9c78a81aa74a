//! Whose spool a directory is: making it, checking it, and finding out that it was copied.
//!
//! # Invariants
//! 1. `spool.meta` is put there last, atomically, when everything else of an empty spool is durable: a directory with it
//!    is a spool, one without it and without segments is not one yet.
//! 2. A damaged `spool.meta` loses nothing: the spool's identity is also in the head and in every segment.
//! 3. *A copy does not send before a person says so.* The file says which file it is and on which machine; where that is
//!    not so, it is a copy (or was restored). Copies are counted, and the count is put there by the same rename as the new
//!    machine and file: there is no moment at which a copy is known as one that was not counted. A cursor says up to which
//!    count it may send ([`super::cursor::State::copy`]), and only a command that names the count raises that; so it need
//!    not be touched when a copy is found, and one that is added later begins as the others stand.
//!
//! # What cannot be told
//! A snapshot of the whole volume that goes on under the same machine id; a copy of a directory whose `spool.meta` was
//! missing, damaged, or last written by a version that did not say which file it is.
//!
//! Runs on the thread that opens the spool, for writing or for shipping. The two may do so at once, under locks of their
//! own: each writes a temporary file of its own, and both write the same count.

use super::cursor;
use super::error::SpoolError;
use super::format::{BlockHeader, Evidence, Flags, FormatError, Home, Meta, SegmentHeader};
use super::head;
use super::identity::SpoolId;
use super::segment::{self, Listing};
use super::storage::{Access, Storage, read_small};

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

/// Where a spool comes from, as far as it can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain facts")]
pub struct Provenance {
    /// How often it was found to be a copy. Whoever lets it send says which count that is for.
    pub copies: u64,
    /// What told so the last time.
    pub evidence: Option<Evidence>,
}

/// Who puts `spool.meta` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    Writer,
    Shipper,
}

impl Author {
    fn temporary(self) -> &'static str {
        match self {
            Self::Writer => "spool.meta.tmp",
            Self::Shipper => "spool.meta.shipper.tmp",
        }
    }
}

/// What [`compare`] finds.
pub(crate) struct Compared {
    /// With what was found just now.
    pub(crate) provenance: Provenance,
    /// What tells that this is a copy, and is not recorded yet.
    pub(crate) news: Option<Evidence>,
}

/// Where the spool in `storage` comes from, for whoever changes nothing. `machine_id` is as for
/// [`super::WriterOptions::machine_id`].
///
/// # Errors
/// [`SpoolError`]: there is no spool, or it cannot be read.
pub fn provenance(storage: &dyn Storage, machine_id: &[u8]) -> Result<Provenance, SpoolError> {
    match find(storage)? {
        Found::Intact(meta) => Ok(compare(storage, &meta, machine_of(machine_id))?.provenance),
        Found::Damaged { spool, .. } => Ok(remembered(storage, spool)),
        Found::Nothing => Ok(Provenance::default()),
    }
}

/// As [`provenance`], for who is about to ship: what it finds is recorded. A disk that does not take it does not matter
/// here: until it is recorded it is found again.
pub(crate) fn settle(storage: &dyn Storage, machine_id: &[u8]) -> Result<Provenance, SpoolError> {
    let machine = machine_of(machine_id);
    let Found::Intact(meta) = find(storage)? else {
        return provenance(storage, machine_id);
    };
    let Compared { provenance, news } = compare(storage, &meta, machine)?;
    if news.is_some() && meta.flags.unknown_read_compat() == 0 {
        let _ = write(storage, Author::Shipper, Meta { machine, ..meta }, provenance);
    }
    Ok(provenance)
}

/// The machine as `spool.meta` has it.
pub(crate) fn machine_of(machine_id: &[u8]) -> [u8; 32] {
    *blake3::hash(machine_id).as_bytes()
}

/// Compares what `meta` says of its machine and its file with what is.
pub(crate) fn compare(storage: &dyn Storage, meta: &Meta, machine: [u8; 32]) -> Result<Compared, SpoolError> {
    let file = storage.open(PATH, Access::Read).and_then(|file| file.identity());
    let file = file.map_err(|error| SpoolError::io("look at", PATH, &error))?;
    let recorded = meta.home.as_ref();
    let known = recorded.map_or(Provenance::default(), |home| Provenance {
        copies: home.copies,
        evidence: home.evidence,
    });
    let news = if meta.machine != machine {
        Some(Evidence::OtherMachine)
    } else if recorded.is_some_and(|home| home.file.differs_from(&file)) {
        Some(Evidence::OtherFile)
    } else {
        None
    };
    let provenance = match news {
        None => known,
        Some(_) => Provenance {
            copies: known.copies.saturating_add(1),
            evidence: news,
        },
    };
    Ok(Compared { provenance, news })
}

/// What is left of the count when `spool.meta` is not: the highest that a cursor was let send for.
pub(crate) fn remembered(storage: &dyn Storage, spool: SpoolId) -> Provenance {
    let cursors = cursor::peek_all(storage).unwrap_or_default().into_iter();
    let ours = cursors
        .filter_map(|(_, peek)| peek.ok())
        .filter(|peek| peek.spool == spool);
    Provenance {
        copies: ours.map(|peek| peek.state.copy).max().unwrap_or(0),
        evidence: None,
    }
}

/// Puts `meta` there, which says which file it is, and what is known of its `provenance`.
pub(crate) fn write(
    storage: &dyn Storage,
    author: Author,
    mut meta: Meta,
    provenance: Provenance,
) -> Result<(), SpoolError> {
    let temporary = author.temporary();
    let mut put = || {
        match storage.remove(temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = storage.create_new(temporary)?;
        meta.home = Some(Home {
            flags: Flags::default(),
            // It keeps this when it gets its name.
            file: file.identity()?,
            copies: provenance.copies,
            evidence: provenance.evidence,
        });
        let mut bytes = Vec::new();
        meta.encode(&mut bytes);
        file.write_at(0, &bytes)?;
        file.sync_data()?;
        storage.rename(temporary, PATH)?;
        storage.sync_dir("")
    };
    put().map_err(|error| SpoolError::io("write", PATH, &error))
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
