//! The payload of an index block: where a segment's blocks are, and the keys of its records.

use super::FormatError;
use super::block::Kind;
use super::fields::Take;
use crate::spool::identity::Key;
use crate::time::Timestamp;

/// One block of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this is the format")]
pub struct IndexEntry {
    /// Where the block begins in the segment.
    pub offset: u64,
    /// As in its header.
    pub first_seq: u64,
    /// As in its header.
    pub count: u32,
    /// As in its header.
    pub kind: Kind,
    /// As in its header.
    pub earliest: Timestamp,
    /// As in its header.
    pub latest: Timestamp,
    /// As in its header.
    pub ingest_time: Timestamp,
}

/// What an index block's payload holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this is the format")]
pub struct Index {
    /// The segment's blocks in order, the index block itself not among them.
    pub blocks: Vec<IndexEntry>,
    /// Key and id hash of each of the segment's last records, oldest first: of all of them, unless they are more than
    /// the window holds.
    pub keys: Vec<(Key, u64)>,
}

/// Bytes of one block's entry.
const BLOCK: usize = 48;
/// Bytes of one record's key and id hash.
const KEY: usize = 24;

impl Index {
    /// How many bytes the index has for `block` and its records.
    pub fn len_of(block: &IndexEntry) -> u64 {
        BLOCK as u64 + KEY as u64 * u64::from(block.count)
    }

    /// Adds the payload's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(16 + self.blocks.len() * BLOCK + self.keys.len() * KEY);
        out.extend_from_slice(&(self.blocks.len() as u64).to_le_bytes());
        out.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        for block in &self.blocks {
            out.extend_from_slice(&block.offset.to_le_bytes());
            out.extend_from_slice(&block.first_seq.to_le_bytes());
            out.extend_from_slice(&block.count.to_le_bytes());
            out.extend_from_slice(&[block.kind.byte(), 0, 0, 0]);
            out.extend_from_slice(&block.earliest.0.to_le_bytes());
            out.extend_from_slice(&block.latest.0.to_le_bytes());
            out.extend_from_slice(&block.ingest_time.0.to_le_bytes());
        }
        for (key, id_hash) in &self.keys {
            out.extend_from_slice(&key.0);
            out.extend_from_slice(&id_hash.to_le_bytes());
        }
    }

    /// The index in `bytes`.
    ///
    /// # Errors
    /// [`FormatError::Length`] when the counts do not make up `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let wrong = FormatError::Length { of: "index" };
        let mut take = Take(bytes);
        let (blocks, keys) = (take.u64()?, take.u64()?);
        let bytes_of = |count: u64, each: usize| usize::try_from(count).ok()?.checked_mul(each);
        let blocks = bytes_of(blocks, BLOCK).ok_or(wrong.clone())?;
        let keys = bytes_of(keys, KEY).ok_or(wrong.clone())?;
        if blocks.checked_add(keys) != Some(take.0.len()) {
            return Err(wrong);
        }
        let blocks = take.bytes(blocks)?.chunks_exact(BLOCK).map(decode_block);
        let keys = take.0.chunks_exact(KEY).map(|bytes| {
            let mut take = Take(bytes);
            Ok((Key(take.array()?), take.u64()?))
        });
        Ok(Self {
            blocks: blocks.collect::<Result<_, FormatError>>()?,
            keys: keys.collect::<Result<_, FormatError>>()?,
        })
    }
}

fn decode_block(bytes: &[u8]) -> Result<IndexEntry, FormatError> {
    let mut take = Take(bytes);
    Ok(IndexEntry {
        offset: take.u64()?,
        first_seq: take.u64()?,
        count: take.u32()?,
        kind: {
            let [kind, _, _, _] = take.array()?;
            Kind::of_byte(kind)?
        },
        earliest: Timestamp(take.i64()?),
        latest: Timestamp(take.i64()?),
        ingest_time: Timestamp(take.i64()?),
    })
}
