//! A segment's header: where its blocks stand in the spool, and how much of the segment before it counts.

use super::fields::{Frame, open_frame};
use super::{Flags, FormatError};
use crate::spool::count::Tally;
use crate::spool::identity::{Epoch, SpoolId};
use crate::time::Timestamp;

/// What a segment says of the one before it: the only authority on where that one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Previous {
    /// Its number.
    pub number: u64,
    /// How many of its bytes count. What lies beyond is void: it was never acknowledged, and may never have reached the
    /// disk.
    pub len: u64,
    /// Where its index block begins; 0 when it was not sealed.
    pub index: u64,
}

impl Previous {
    /// The segment `number` with `len` valid bytes and its index at `index`.
    pub fn new(number: u64, len: u64, index: u64) -> Self {
        Self { number, len, index }
    }
}

/// What a segment file begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentHeader {
    /// Feature flags.
    pub flags: Flags,
    /// The spool.
    pub spool: SpoolId,
    /// The opening that made the segment.
    pub epoch: Epoch,
    /// The segment's own number.
    pub number: u64,
    /// The number that its first record has.
    pub first_seq: u64,
    /// The chain value ([`seal::chain`](crate::seal::chain)) of the last block before it; zeros before the first.
    pub chain: [u8; 32],
    /// The sums over all blocks before it.
    pub totals: Tally,
    /// The segment before it; none for the first.
    pub previous: Option<Previous>,
    /// When it was made: not before the last block of the segment before it was written.
    pub created: Timestamp,
}

const OF: &str = "segment header";
/// Stands for "none" where a number is expected.
const NONE: u64 = u64::MAX;

impl SegmentHeader {
    /// What a segment begins with.
    pub const MAGIC: [u8; 8] = *b"\x89ASSEG\r\n";
    /// Bytes of the header.
    pub const LEN: usize = 196;

    /// A header of this build's version.
    pub fn new(
        spool: SpoolId,
        epoch: Epoch,
        number: u64,
        first_seq: u64,
        previous: Option<Previous>,
        created: Timestamp,
    ) -> Self {
        Self {
            flags: Flags::default(),
            spool,
            epoch,
            number,
            first_seq,
            chain: [0; 32],
            totals: Tally::default(),
            previous,
            created,
        }
    }

    /// Adds the header's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let previous = self.previous.unwrap_or(Previous::new(NONE, 0, 0));
        let mut frame = Frame::begin(out, Self::MAGIC, self.flags);
        frame
            .put(&self.spool.0)
            .put(&self.epoch.0.to_le_bytes())
            .put(&self.number.to_le_bytes())
            .put(&self.first_seq.to_le_bytes())
            .put(&self.chain)
            .put(&self.totals.to_bytes())
            .put(&previous.number.to_le_bytes())
            .put(&previous.len.to_le_bytes())
            .put(&previous.index.to_le_bytes())
            .put(&self.created.0.to_le_bytes());
        frame.end();
    }

    /// The header at the beginning of `bytes`, and how many of them it has.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), FormatError> {
        let (flags, mut take, len) = open_frame(bytes, Self::MAGIC, OF)?;
        let header = Self {
            flags,
            spool: SpoolId(take.array()?),
            epoch: Epoch(take.u64()?),
            number: take.u64()?,
            first_seq: take.u64()?,
            chain: take.array()?,
            totals: Tally::from_bytes(&take.array()?),
            previous: {
                let previous = Previous::new(take.u64()?, take.u64()?, take.u64()?);
                (previous.number != NONE).then_some(previous)
            },
            created: Timestamp(take.i64()?),
        };
        // Whoever follows the segments back comes to an end, also when the headers are forged.
        match header.previous {
            Some(previous) if previous.number >= header.number => Err(FormatError::Value { of: "previous" }),
            Some(_) | None => Ok((header, len)),
        }
    }
}
