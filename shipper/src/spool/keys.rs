//! The keys of one segment's records, wherever they are: in the index block at its end, in the index kept beside or
//! instead of it, or in its blocks' tables.
//!
//! Reads no payload. The first two cost 24 bytes a record, the last 44 and the headers.

use std::io;

use super::block::{Block, Position};
use super::draft::TableEntry;
use super::error::SpoolError;
use super::format::{Index, IndexEntry, Kind, Previous, SegmentHeader, decode_table};
use super::identity::{Key, SpoolId};
use super::scan::{Found, Scan};
use super::segment::{self, Opened};
use super::storage::{Access, Storage, write_atomic};

/// A kept index is never larger than this: its keys are at most as many as the window holds.
const LARGEST_KEPT: u64 = 64 << 20;

/// Of so many segments the disk is told at once that they are about to be read.
const MOST_AHEAD: usize = 64;

/// What is known of a segment's records.
pub(crate) struct SegmentKeys {
    /// The segment's header, when it can be read.
    pub(crate) header: Option<SegmentHeader>,
    /// Oldest first.
    pub(crate) keys: Keys,
    pub(crate) source: Source,
}

/// Keys and id hashes.
pub(crate) type Keys = Vec<(Key, u64)>;

/// Where the keys were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the segment's index block.
    Sealed,
    /// In an `.idx` file.
    Kept,
    /// In the tables.
    Scanned {
        /// Where the index blocks begin that were met at the end; 0 without them.
        index_at: u64,
        /// Bytes read.
        cost: u64,
        /// What could not be read, in words.
        damaged: Vec<String>,
    },
}

/// The key and id hash that a record has in the window; 0 stands for no id.
pub(crate) fn of_entry(entry: &TableEntry) -> (Key, u64) {
    let has_id = entry.flags & TableEntry::HAS_ID != 0;
    (entry.key, if has_id { entry.id_hash } else { 0 })
}

/// An index entry for `found`.
pub(crate) fn index_entry(found: &Found) -> IndexEntry {
    IndexEntry {
        offset: found.offset,
        first_seq: found.header.first_seq,
        count: found.header.count,
        kind: found.header.kind,
        earliest: found.header.earliest,
        latest: found.header.latest,
        ingest_time: found.header.ingest_time,
    }
}

/// The keys of segment `number` up to `end`; its index block is at `index_at` (0: none is known). `None` when there is
/// neither the segment nor a kept index.
pub(crate) fn read(
    storage: &dyn Storage,
    spool: SpoolId,
    number: u64,
    end: u64,
    index_at: u64,
) -> Result<Option<SegmentKeys>, SpoolError> {
    let opened = segment::open(storage, number, spool)?;
    if let Some(opened) = &opened
        && index_at > 0
        && let Some(keys) = sealed(opened, spool, number, end, index_at)?
    {
        return Ok(Some(SegmentKeys {
            header: opened.header.clone().ok(),
            keys,
            source: Source::Sealed,
        }));
    }
    if let Some((header, index)) = kept(storage, spool, number)? {
        return Ok(Some(SegmentKeys {
            header: Some(header),
            keys: index.keys,
            source: Source::Kept,
        }));
    }
    opened.map(|opened| scan(&opened, spool, number, end)).transpose()
}

/// Says that the keys of the segments from `last` back are about to be read, down to the record `first`: so the disk
/// brings them all while the first are entered. Reads their headers. Good for the pace only: where anything is wrong it
/// stops, as that will be met again when they are read.
pub(crate) fn will_read(storage: &dyn Storage, spool: SpoolId, last: Previous, first: u64) {
    let mut next = Some(last);
    for _ in 0..MOST_AHEAD {
        let Some(Previous {
            number, len, index, ..
        }) = next
        else {
            return;
        };
        let Ok(Some(Opened {
            file,
            header: Ok(header),
            ..
        })) = segment::open(storage, number, spool)
        else {
            return;
        };
        if index > 0 {
            file.will_read(index, len.saturating_sub(index));
        }
        next = header.previous.filter(|_| header.first_seq > first);
    }
}

/// The keys in the index blocks at `index_at`: the one with the blocks' places is passed over unread.
fn sealed(
    opened: &Opened,
    spool: SpoolId,
    number: u64,
    end: u64,
    index_at: u64,
) -> Result<Option<Keys>, SpoolError> {
    let mut scan = Scan::new(opened.file.clone(), number, spool, end);
    let Ok(places) = scan.header_at(index_at)? else {
        return Ok(None);
    };
    let Ok(found) = scan.header_at(places.end())? else {
        return Ok(None);
    };
    if found.header.kind != Kind::Index {
        return Ok(None);
    }
    let block = scan.block(&found)?;
    let index = block.and_then(|block| Index::decode(&block.payload));
    Ok(index.ok().map(|index| index.keys))
}

/// The kept index of segment `number`, when it is whole.
fn kept(
    storage: &dyn Storage,
    spool: SpoolId,
    number: u64,
) -> Result<Option<(SegmentHeader, Index)>, SpoolError> {
    let path = segment::index_path(number);
    let failed = |error: io::Error| SpoolError::io("read", &path, &error);
    let file = match storage.open(&path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let len = file.len().map_err(failed)?;
    if len > LARGEST_KEPT {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let have = file.read_at(0, &mut bytes).map_err(failed)?;
    bytes.truncate(have);
    let Ok((header, len)) = SegmentHeader::decode(&bytes) else {
        return Ok(None);
    };
    let position = Position {
        segment: number,
        offset: len as u64,
    };
    let decoded =
        Block::decode(&bytes[len..], spool, position).and_then(|block| Index::decode(&block.payload));
    Ok(decoded
        .ok()
        .filter(|_| header.number == number)
        .map(|index| (header, index)))
}

/// Puts `index_block` where the keys of the segment of `header` are looked for when it has none of its own.
pub(crate) fn keep(storage: &dyn Storage, header: &SegmentHeader, index_block: &[u8]) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(SegmentHeader::LEN + index_block.len());
    header.encode(&mut bytes);
    bytes.extend_from_slice(index_block);
    write_atomic(storage, &segment::index_path(header.number), &bytes)?;
    Ok(bytes.len() as u64)
}

fn scan(opened: &Opened, spool: SpoolId, number: u64, end: u64) -> Result<SegmentKeys, SpoolError> {
    let mut scan = Scan::new(opened.file.clone(), number, spool, end);
    let mut keys = Keys::new();
    let mut damaged = Vec::new();
    let mut index_at = 0;
    if let Err(flaw) = &opened.header {
        damaged.push(format!("segment {number:016x}: {flaw}"));
    }
    let mut offset = opened.start;
    while offset < end {
        let found = match scan.header_at(offset)? {
            Ok(found) => found,
            Err(flaw) => {
                damaged.push(format!("segment {number:016x} at byte {offset}: {flaw}"));
                match scan.resync(offset + 1)? {
                    Some(found) => found,
                    None => break,
                }
            }
        };
        index_at = match (found.header.kind, index_at) {
            (Kind::Index, 0) => found.offset,
            (Kind::Index, begun) => begun,
            _ => 0,
        };
        if found.header.count > 0 {
            let table = scan.table(&found)?.and_then(|table| decode_table(&table));
            match table {
                Ok(table) => keys.extend(table.iter().map(of_entry)),
                Err(flaw) => damaged.push(format!("segment {number:016x} at byte {}: {flaw}", found.offset)),
            }
        }
        offset = found.end();
    }
    Ok(SegmentKeys {
        header: opened.header.clone().ok(),
        keys,
        source: Source::Scanned {
            index_at,
            cost: scan.read(),
            damaged,
        },
    })
}
