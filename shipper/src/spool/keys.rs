//! The keys of one segment's records, wherever they are: in the index block at its end, in the index kept beside or
//! instead of it, or in its blocks' tables.
//!
//! Reads no payload. The first two cost 24 bytes a record, the last 44 and the headers.

use std::io;

use super::block::{Block, Position};
use super::draft::TableEntry;
use super::error::SpoolError;
use super::format::{Index, IndexEntry, Kind, SegmentHeader, decode_table};
use super::identity::{Key, SpoolId};
use super::scan::{Found, Scan};
use super::segment::{self, Opened};
use super::storage::{Access, Storage, write_atomic};

/// What is known of a segment's records.
pub(crate) struct SegmentKeys {
    /// The segment's header, when it can be read.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) index: Index,
    pub(crate) source: Source,
}

/// Where the keys were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the segment's index block.
    Sealed,
    /// In an `.idx` file.
    Kept,
    /// In the tables.
    Scanned {
        /// Where the index block begins that was met as the last block; 0 without one.
        index_at: u64,
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
        && let Some(index) = sealed(opened, spool, number, end, index_at)?
    {
        return Ok(Some(SegmentKeys {
            header: opened.header.clone().ok(),
            index,
            source: Source::Sealed,
        }));
    }
    if let Some((header, index)) = kept(storage, spool, number)? {
        return Ok(Some(SegmentKeys {
            header: Some(header),
            index,
            source: Source::Kept,
        }));
    }
    opened.map(|opened| scan(&opened, spool, number, end)).transpose()
}

fn sealed(
    opened: &Opened,
    spool: SpoolId,
    number: u64,
    end: u64,
    index_at: u64,
) -> Result<Option<Index>, SpoolError> {
    let mut scan = Scan::new(opened.file.clone(), number, spool, end);
    let Ok(found) = scan.header_at(index_at)? else {
        return Ok(None);
    };
    if found.header.kind != Kind::Index {
        return Ok(None);
    }
    let block = scan.block(&found)?;
    Ok(block.and_then(|block| Index::decode(&block.payload)).ok())
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
    // The file is as long as somebody made it; what is allocated is no more than that.
    let mut bytes = vec![0; usize::try_from(file.len().map_err(failed)?).unwrap_or(0)];
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
    let mut index = Index::default();
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
        index_at = if found.header.kind == Kind::Index {
            found.offset
        } else {
            0
        };
        if found.header.count > 0 {
            let table = scan.table(&found)?.and_then(|table| decode_table(&table));
            match table {
                Ok(table) => index.keys.extend(table.iter().map(of_entry)),
                Err(flaw) => damaged.push(format!("segment {number:016x} at byte {}: {flaw}", found.offset)),
            }
        }
        offset = found.end();
        if found.header.kind != Kind::Index {
            index.blocks.push(index_entry(&found));
        }
    }
    Ok(SegmentKeys {
        header: opened.header.clone().ok(),
        index,
        source: Source::Scanned { index_at, damaged },
    })
}
