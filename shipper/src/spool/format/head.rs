//! One slot of the file `head`: the published position.

use super::fields::{Frame, open_frame};
use super::{Flags, FormatError};
use crate::spool::count::Tally;
use crate::spool::identity::{Epoch, SpoolId};

/// A slot: the position that its writer had synced, with a generation that tells the newer slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this is the format")]
pub struct HeadSlot {
    /// The spool.
    pub spool: SpoolId,
    /// Grows with each publication; its lowest bit is the slot's number.
    pub generation: u64,
    /// The opening that published it.
    pub epoch: Epoch,
    /// The segment.
    pub segment: u64,
    /// Where the next block of that segment would begin.
    pub offset: u64,
    /// The number that the next record has.
    pub next_seq: u64,
    /// The chain value ([`seal::chain`](crate::seal::chain)) of the last block; zeros before the first.
    pub chain: [u8; 32],
    /// The sums over all blocks before the position.
    pub totals: Tally,
}

const OF: &str = "head slot";

impl HeadSlot {
    /// What a slot begins with.
    pub const MAGIC: [u8; 8] = *b"\x89ASHED\r\n";
    /// Bytes of a slot's content.
    pub const LEN: usize = 180;
    /// Bytes from one slot to the next: a sector, so that a torn write of one leaves the other.
    pub const PITCH: usize = 512;

    /// Adds the slot's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut frame = Frame::begin(out, Self::MAGIC, Flags::default());
        frame
            .put(&self.spool.0)
            .put(&self.generation.to_le_bytes())
            .put(&self.epoch.0.to_le_bytes())
            .put(&self.segment.to_le_bytes())
            .put(&self.offset.to_le_bytes())
            .put(&self.next_seq.to_le_bytes())
            .put(&self.chain)
            .put(&self.totals.to_bytes());
        frame.end();
    }

    /// The slot at the beginning of `bytes`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (_, mut take, _) = open_frame(bytes, Self::MAGIC, OF)?;
        Ok(Self {
            spool: SpoolId(take.array()?),
            generation: take.u64()?,
            epoch: Epoch(take.u64()?),
            segment: take.u64()?,
            offset: take.u64()?,
            next_seq: take.u64()?,
            chain: take.array()?,
            totals: Tally::from_bytes(&take.array()?),
        })
    }
}
