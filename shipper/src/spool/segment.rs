//! The folder `segments/`: names, headers, and which segment follows which.
//!
//! # Invariants
//! 1. A name `*.seg` always had a whole, synced header: a segment is made under a temporary name, synced, renamed, and
//!    the folder synced, before anything in it counts.
//! 2. Where a segment ends is said by its successor's header, and by the head for the last one; never by the file's
//!    size.
//! 3. A segment is *void* when a later one names a segment before it, or none, as its predecessor: its making failed
//!    half-way, or its first sync did, and nothing in it was acknowledged. Several in a row may be. Whoever gives one up
//!    removes it; that this may fail too is why the headers tell.
//! 4. The segment that tells of a void one is not removed before the void one is, durably.

use std::io;
use std::sync::Arc;

use super::error::SpoolError;
use super::format::{FormatError, MAX_HEADER, SegmentHeader};
use super::identity::SpoolId;
use super::storage::{Access, EntryKind, Storage, StorageFile};

/// The folder.
pub(crate) const FOLDER: &str = "segments";

/// A segment's path.
pub(crate) fn path(number: u64) -> String {
    format!("{FOLDER}/{number:016x}.seg")
}

/// The path of the index that is kept beside, or instead of, a segment.
pub(crate) fn index_path(number: u64) -> String {
    format!("{FOLDER}/{number:016x}.idx")
}

/// What is in the folder, each part in ascending order of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Numbers and sizes of segments.
    pub(crate) segments: Vec<(u64, u64)>,
    /// Numbers and sizes of kept indexes.
    pub(crate) indexes: Vec<(u64, u64)>,
    /// Names of files that were being made.
    pub(crate) temporary: Vec<String>,
}

impl Listing {
    /// Lists the folder; an absent one is empty.
    pub(crate) fn read(storage: &dyn Storage) -> Result<Self, SpoolError> {
        let entries = match storage.list(FOLDER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            listed => listed.map_err(|error| SpoolError::io("list", FOLDER, &error))?,
        };
        let mut listing = Self::default();
        for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::File) {
            match entry.name.rsplit_once('.') {
                Some((stem, "seg")) => listing
                    .segments
                    .extend(number_of(stem).map(|number| (number, entry.len))),
                Some((stem, "idx")) => listing
                    .indexes
                    .extend(number_of(stem).map(|number| (number, entry.len))),
                Some((_, "tmp")) => listing.temporary.push(entry.name),
                Some(_) | None => {}
            }
        }
        listing.segments.sort_unstable();
        listing.indexes.sort_unstable();
        Ok(listing)
    }
}

fn number_of(stem: &str) -> Option<u64> {
    let lower = stem
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (stem.len() == 16 && lower).then(|| u64::from_str_radix(stem, 16).ok())?
}

/// An opened segment.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) file: Arc<dyn StorageFile>,
    /// Its header, or why it cannot be read.
    pub(crate) header: Result<SegmentHeader, FormatError>,
    /// Where its first block begins, as far as that can be told.
    pub(crate) start: u64,
}

/// Opens segment `number` of `spool` for reading. `None` when there is no such file.
///
/// # Errors
/// That it cannot be read; [`SpoolError::NewerVersion`].
pub(crate) fn open(storage: &dyn Storage, number: u64, spool: SpoolId) -> Result<Option<Opened>, SpoolError> {
    let path = path(number);
    let file = match storage.open(&path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| SpoolError::io("open", &path, &error))?,
    };
    let mut bytes = vec![0; 512];
    let mut have = read(&*file, &path, 0, &mut bytes)?;
    let mut decoded = SegmentHeader::decode(&bytes[..have]);
    if decoded == Err(FormatError::Short) && have == bytes.len() {
        bytes.resize(MAX_HEADER, 0);
        have = read(&*file, &path, 0, &mut bytes)?;
        decoded = SegmentHeader::decode(&bytes[..have]);
    }
    if let Err(error @ FormatError::NewerVersion { .. }) = &decoded {
        return Err(SpoolError::format(&path, error));
    }
    let (header, start) = match decoded {
        Ok((header, _)) if header.spool != spool => (Err(FormatError::OtherSpool), SegmentHeader::LEN),
        Ok((header, _)) if header.number != number => (
            Err(FormatError::Value { of: "segment number" }),
            SegmentHeader::LEN,
        ),
        Ok((header, len)) => (Ok(header), len),
        Err(error) => (Err(error), SegmentHeader::LEN),
    };
    Ok(Some(Opened {
        file,
        header,
        start: start as u64,
    }))
}

pub(crate) fn read(
    file: &dyn StorageFile,
    path: &str,
    offset: u64,
    bytes: &mut [u8],
) -> Result<usize, SpoolError> {
    file.read_at(offset, bytes)
        .map_err(|error| SpoolError::io("read", path, &error))
}

/// How segment `number` goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// The segment after it, and where `number` ends.
    Next { number: u64, end: u64 },
    /// `number` itself is void; this segment stands in its place.
    Void { instead: u64 },
    /// The segment after it, whose header is damaged: nothing says where `number` ends.
    Unreadable { number: u64 },
    /// There is none.
    Missing,
}

/// What follows segment `number`, of the ascending `numbers` that exist.
pub(crate) fn successor(
    storage: &dyn Storage,
    numbers: &[(u64, u64)],
    number: u64,
    spool: SpoolId,
) -> Result<Successor, SpoolError> {
    let after = numbers.partition_point(|(other, _)| *other <= number);
    let mut next = None;
    let mut unreadable = None;
    for (candidate, _) in &numbers[after..] {
        let Some(opened) = open(storage, *candidate, spool)? else {
            continue;
        };
        let Ok(header) = opened.header else {
            // A later one may tell that this one is void.
            unreadable.get_or_insert(*candidate);
            continue;
        };
        match header.previous {
            Some(previous) if previous.number == number => {
                next = Some((*candidate, previous.len));
            }
            Some(previous) if previous.number > number => break,
            Some(_) | None => return Ok(Successor::Void { instead: *candidate }),
        }
    }
    Ok(match (next, unreadable) {
        (Some((number, end)), _) => Successor::Next { number, end },
        (None, Some(number)) => Successor::Unreadable { number },
        (None, None) => Successor::Missing,
    })
}

/// Which of the newest of the ascending `numbers` are void, newest first. Reads `headers` headers at most, beside void
/// ones none: what is void further back is told when its turn to go comes.
pub(crate) fn void(
    storage: &dyn Storage,
    numbers: &[(u64, u64)],
    spool: SpoolId,
    headers: usize,
) -> Result<Vec<u64>, SpoolError> {
    let mut void = Vec::new();
    let mut looked = 0;
    // Everything at or after this number is void. The newest segment is not: nothing says so.
    let mut void_from = None;
    for (number, _) in numbers.iter().rev() {
        if void_from.is_some_and(|from| *number >= from) {
            void.push(*number);
        } else if looked < headers {
            looked += 1;
            if let Some(opened) = open(storage, *number, spool)?
                && let Ok(header) = opened.header
            {
                void_from = Some(first_void(&header));
            }
        } else {
            break;
        }
    }
    Ok(void)
}

/// From here up to itself a segment with `header` makes everything void.
pub(crate) fn first_void(header: &SegmentHeader) -> u64 {
    header.previous.map_or(0, |previous| previous.number + 1)
}
