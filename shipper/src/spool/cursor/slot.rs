//! The two slots of a cursor file: header, checksum, which one counts. Pure.
//!
//! A slot is whole or it does not count. Its header says how long its body is and carries a CRC32C of each, so that a
//! slot of which only some sectors were written, or which is read while it is being written, is never taken for a state.

use crate::spool::identity::SpoolId;

/// Bytes of one slot. The largest state takes less than 92 KiB; the rest is for later versions.
pub(super) const LEN: usize = 128 * 1024;
/// Bytes of the file: both slots, nothing else.
pub(super) const FILE_LEN: u64 = 2 * LEN as u64;
/// Bytes of a slot's header; the body follows.
pub(super) const HEADER_LEN: usize = 64;
/// The version that is written, and the newest that is read.
pub(super) const VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"ashipcur";
/// Where the checksum of the header lies; it covers all bytes before it.
const HEADER_CRC: usize = 60;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    A,
    B,
}

impl Slot {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) fn offset(self) -> u64 {
        match self {
            Self::A => 0,
            Self::B => LEN as u64,
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A header whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) generation: u64,
    pub(super) spool: SpoolId,
    pub(super) body_len: usize,
    body_crc: u32,
}

/// What the first bytes of a slot are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderRead {
    /// No header of any version: never written, torn, or damaged.
    None,
    /// A header of this version, which is newer than [`VERSION`].
    Newer(u16),
    /// A header of ours. Its body has to be looked at still.
    Ours(Header),
}

impl Header {
    /// Whether `body` is the one that was written with this header.
    pub(super) fn fits(&self, body: &[u8]) -> bool {
        body.len() == self.body_len && crc32c::crc32c(body) == self.body_crc
    }
}

/// Turns `slot`, of which the first [`HEADER_LEN`] bytes are free and the rest is the body, into the bytes of a slot.
pub(super) fn seal(slot: &mut [u8], spool: SpoolId, generation: u64) {
    let Some((header, body)) = slot.split_first_chunk_mut::<HEADER_LEN>() else {
        return;
    };
    // A body is shorter than a slot: `tests::the_largest_state_fits`.
    let body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    *header = [0; HEADER_LEN];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&body_len.to_le_bytes());
    header[16..24].copy_from_slice(&generation.to_le_bytes());
    header[24..40].copy_from_slice(&spool.0);
    header[40..44].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    let crc = crc32c::crc32c(&header[..HEADER_CRC]);
    header[HEADER_CRC..].copy_from_slice(&crc.to_le_bytes());
}

/// Reads a slot's header.
pub(super) fn header(bytes: &[u8; HEADER_LEN]) -> HeaderRead {
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if bytes[..8] != MAGIC || u32_at(HEADER_CRC) != crc32c::crc32c(&bytes[..HEADER_CRC]) {
        return HeaderRead::None;
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version > VERSION {
        return HeaderRead::Newer(version);
    }
    let body_len = u32_at(12) as usize;
    if version == 0 || body_len > LEN - HEADER_LEN {
        return HeaderRead::None;
    }
    let mut generation = [0; 8];
    generation.copy_from_slice(&bytes[16..24]);
    let mut spool = [0; 16];
    spool.copy_from_slice(&bytes[24..40]);
    HeaderRead::Ours(Header {
        generation: u64::from_le_bytes(generation),
        spool: SpoolId(spool),
        body_len,
        body_crc: u32_at(40),
    })
}
