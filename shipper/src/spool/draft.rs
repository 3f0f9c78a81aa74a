//! What [`crate::ingest`] hands to the spool for one chunk: everything of a block but its place in the chain. Pure.

use super::count::Tally;
use super::identity::{ContentHash, Key};
use crate::time::Timestamp;

/// The record table's entry for one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "this is the format; a new field is a new format"
)]
pub struct TableEntry {
    /// Bytes of the record's line in the plain payload, the final newline included.
    pub len: u32,
    /// How many bytes of ours stand directly before the line's last two bytes (`}` and newline); without them the
    /// line is the JSON whose hash is `content`.
    pub added: u16,
    /// [`TableEntry::REPAIRED`] and such; unknown bits are kept.
    pub flags: u16,
    /// Event time.
    pub time: Timestamp,
    /// The record's key.
    pub key: Key,
    /// The categories the record carries: see [`crate::record::Categories::bits`].
    pub categories: u32,
    /// First 8 bytes (little-endian) of BLAKE3 of the event id; 0 without an id. Finds ids that come with other content.
    pub id_hash: u64,
}

impl TableEntry {
    /// How many bytes an entry has on disk.
    pub const LEN: usize = 44;
    /// Some text was not UTF-8 and was replaced.
    pub const REPAIRED: u16 = 1;
    /// The record has an event id, so the key is made of it and the record takes part in de-duplication.
    pub const HAS_ID: u16 = 2;
    /// The same id was in the window with other content.
    pub const ID_CONFLICT: u16 = 4;
    /// The event time is the host's: the record had no valid timestamp of its own.
    pub const HOST_TIME: u16 = 8;
}

/// A region of input that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made by ingest, taken apart by the spool"
)]
pub struct Quarantined {
    /// The bytes as they came.
    pub bytes: Vec<u8>,
    /// What they were meant to be.
    pub source: SourceFormat,
    /// What was wrong with them, for a person; no byte of the input in it.
    pub reason: String,
    /// Where they came from, for a person: the tag of the chunk, or file and line.
    pub origin: String,
}

/// What input bytes were meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "this is the format")]
pub enum SourceFormat {
    /// A Fluent Bit chunk: msgpack events one after another.
    FluentBit,
    /// Lines of JSON.
    Ndjson,
}

/// One chunk, ready to be written as one append.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made by ingest, taken apart by the spool"
)]
pub struct Draft {
    /// The records' lines, each ending with a newline.
    pub payload: Vec<u8>,
    /// One entry a line.
    pub table: Vec<TableEntry>,
    /// The hash of each record's own JSON: the leaves of the block's Merkle tree are made of them.
    pub contents: Vec<ContentHash>,
    /// What could not be decoded.
    pub quarantined: Vec<Quarantined>,
    /// What the hand-off did. `spooled` is the table's length.
    pub tally: Tally,
}

impl Draft {
    /// Empties the draft and keeps its buffers.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.table.clear();
        self.contents.clear();
        self.quarantined.clear();
        self.tally = Tally::default();
    }
}
