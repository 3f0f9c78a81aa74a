//! A block as readers get it: checked, decompressed, cut into records. Pure.

use std::ops::Range;

use super::draft::{SourceFormat, TableEntry};
use super::format::{BlockHeader, Extension, FormatError, Kind, Sections, decode_table, decompress};
use super::identity::{RecordId, SpoolId};
use crate::seal;

/// A place in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a place is a file and an offset")]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// Bytes from the segment file's beginning.
    pub offset: u64,
}

/// A whole block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// Its header.
    pub header: BlockHeader,
    /// Where it stands.
    pub position: Position,
    /// Its chain value ([`seal::chain`]): the next block's `prev`.
    pub hash: [u8; 32],
    /// The salt of its Merkle leaves; none when the secrets have been erased.
    pub salt: Option<[u8; 32]>,
    /// One entry a record.
    pub table: Vec<TableEntry>,
    /// The payload, decompressed. For records: their lines.
    pub payload: Vec<u8>,
    /// Where each record's line ends in the payload.
    ends: Vec<u32>,
}

/// What a quarantine block says of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuarantineFacts {
    /// What the bytes were meant to be; none when a newer version knows better.
    pub source: Option<SourceFormat>,
    /// What was wrong with them.
    pub reason: String,
    /// Where they came from.
    pub origin: String,
}

impl Block {
    /// The block that begins at `bytes`, found at `position`.
    ///
    /// # Errors
    /// What is wrong with it. Nothing is allocated for lengths that `bytes` or the format's limits do not cover.
    pub fn decode(bytes: &[u8], spool: SpoolId, position: Position) -> Result<Self, FormatError> {
        let (header, len) = BlockHeader::decode(bytes)?;
        if header.spool != spool {
            return Err(FormatError::OtherSpool);
        }
        // `decode` has checked that so many bytes are there.
        let (raw, sections) = bytes.split_at(len);
        Self::assemble(header, seal::chain(raw), position, sections)
    }

    /// The block of `header`, whose chain value is `hash`, from the bytes of its sections.
    pub(crate) fn assemble(
        header: BlockHeader,
        hash: [u8; 32],
        position: Position,
        sections: &[u8],
    ) -> Result<Self, FormatError> {
        let sections = Sections::decode(&header, sections)?;
        let table = decode_table(sections.table)?;
        let payload = decompress(header.codec, sections.payload, header.plain_len)?;
        let ends = match header.kind {
            Kind::Records => line_ends(&table, &payload)?,
            _ => Vec::new(),
        };
        Ok(Self {
            salt: sections.secrets.try_into().ok(),
            header,
            position,
            hash,
            table,
            payload,
            ends,
        })
    }

    /// The records in order: sequence number, table entry, JSON without the newline.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (u64, &TableEntry, &[u8])> {
        (0..self.table.len()).map(|index| {
            let json = &self.payload[self.line(index)];
            (self.header.first_seq + index as u64, &self.table[index], json)
        })
    }

    /// The block's record number `index`, counted from 0: table entry and JSON without the newline.
    pub fn record(&self, index: usize) -> Option<(&TableEntry, &[u8])> {
        let entry = self.table.get(index)?;
        Some((entry, &self.payload[self.line(index)]))
    }

    /// The record with the sequence number `seq`.
    pub fn at_seq(&self, seq: u64) -> Option<(&TableEntry, &[u8])> {
        let index = seq.checked_sub(self.header.first_seq)?;
        self.record(usize::try_from(index).ok()?)
    }

    /// The identity of the record with the sequence number `seq`.
    pub fn id(&self, seq: u64) -> RecordId {
        RecordId {
            spool: self.header.spool,
            epoch: self.header.epoch,
            seq,
        }
    }

    /// Where the bytes of record `index` are in the payload, the newline left out.
    fn line(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        // `line_ends` has checked that every line has a newline to leave out.
        start as usize..self.ends[index] as usize - 1
    }

    /// A note's text.
    pub fn note(&self) -> Option<String> {
        (self.header.kind == Kind::Note).then(|| String::from_utf8_lossy(&self.payload).into_owned())
    }

    /// What a quarantine block says of its payload.
    pub fn quarantine(&self) -> Option<QuarantineFacts> {
        let text = |kind| {
            let bytes = self.header.extension(kind).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        (self.header.kind == Kind::Quarantine).then(|| QuarantineFacts {
            source: self.header.extension(Extension::SOURCE).and_then(source_of),
            reason: text(Extension::REASON),
            origin: text(Extension::ORIGIN),
        })
    }
}

/// The extension's form of a source format.
pub(crate) fn source_byte(source: SourceFormat) -> u8 {
    match source {
        SourceFormat::FluentBit => 1,
        SourceFormat::Ndjson => 2,
    }
}

fn source_of(bytes: &[u8]) -> Option<SourceFormat> {
    match bytes {
        [1] => Some(SourceFormat::FluentBit),
        [2] => Some(SourceFormat::Ndjson),
        _ => None,
    }
}

fn line_ends(table: &[TableEntry], payload: &[u8]) -> Result<Vec<u32>, FormatError> {
    let mut ends = Vec::with_capacity(table.len());
    let mut end = 0_u32;
    for entry in table {
        // A payload has at most MAX_PAYLOAD bytes, which fits; what does not add up to it is refused.
        end = end.checked_add(entry.len).ok_or(FormatError::Payload)?;
        let last = (end as usize).checked_sub(1).and_then(|last| payload.get(last));
        if entry.len == 0 || last != Some(&b'\n') {
            return Err(FormatError::Payload);
        }
        ends.push(end);
    }
    if end as usize != payload.len() {
        return Err(FormatError::Payload);
    }
    Ok(ends)
}
