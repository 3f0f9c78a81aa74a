//! The bytes on disk: `docs/FORMAT.md` as code. Pure: bytes in, structs or [`FormatError`] out.
//!
//! # In scope
//! Encoding and decoding of the six structures (block, segment header, head slot, spool.meta, home, index payload) and the
//! limits that are checked before anything is allocated.
//!
//! # Out of scope
//! Files. What a block means in its place (chain, sequence): `recovery` and `reader`.
//!
//! # Invariants
//! 1. Every structure but the index payload, which is in a block, begins with an 8-byte magic, a version, its own length and three words of feature flags, and ends
//!    with the CRC32C of everything before. That much is fixed for all versions, so that an old build can tell a newer
//!    structure (intact, but not understood) from a damaged one.
//! 2. All integers are little-endian.
//! 3. Decoding what was encoded gives the same struct; encoding what was decoded gives the same bytes.

mod block;
mod codec;
mod fields;
mod head;
mod index;
mod meta;
mod segment;
mod table;
#[cfg(test)]
mod tests;

pub use block::{BlockHeader, Cipher, Codec, Extension, HashAlgorithm, Kind, Sections};
pub use codec::{compress, decompress};
pub use head::HeadSlot;
pub use index::{Index, IndexEntry};
pub use meta::{Evidence, Home, Meta};
pub use segment::{Previous, SegmentHeader};
pub use table::{decode_table, encode_table};

use std::fmt;

/// The newest format version that this build reads, and the one that it writes.
pub const VERSION: u16 = 1;

/// The most bytes that a header may have, extensions included.
pub const MAX_HEADER: usize = 8 * 1024;
/// The most records in a block.
pub const MAX_RECORDS: u32 = 1 << 20;
/// The most plain bytes in a block's payload: a full draft ([`crate::ingest::MAX_DRAFT_BYTES`]) and the largest record.
pub const MAX_PAYLOAD: u64 = 0x4800_0000;
/// The most bytes in a block's secrets section, beside [`SECRETS_PER_RECORD`].
pub const MAX_SECRETS: u32 = 4 * 1024;
/// The most bytes in a block's secrets section for each record: room for a salt and a leaf of its own, so that a single
/// record can be erased.
pub const SECRETS_PER_RECORD: u32 = 64;

/// Feature flags that this build knows, of the sort that it may read but not write without knowing.
const KNOWN_READ_COMPAT: u32 = 0;
/// Feature flags that this build knows, of the sort that nobody may even read without knowing.
const KNOWN_INCOMPAT: u32 = 0;

/// Feature flags of a structure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flags {
    /// Unknown ones are ignored.
    pub compat: u32,
    /// With unknown ones the spool may be read, not written.
    pub read_compat: u32,
    /// With unknown ones nothing may be done with the structure.
    pub incompat: u32,
}

impl Flags {
    /// The read-compatible flags that this build does not know.
    pub fn unknown_read_compat(&self) -> u32 {
        self.read_compat & !KNOWN_READ_COMPAT
    }
}

/// Why bytes are not a structure of this format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes end before the structure does.
    Short,
    /// The structure does not begin as it should.
    Magic,
    /// A length is impossible.
    Length {
        /// Of what.
        of: &'static str,
    },
    /// A checksum does not match.
    Checksum {
        /// Of what.
        of: &'static str,
    },
    /// A field has a value that this format does not know.
    Value {
        /// Which field.
        of: &'static str,
    },
    /// The structure belongs to another spool.
    OtherSpool,
    /// The structure is intact but newer than this build.
    NewerVersion {
        /// Its version.
        theirs: u16,
        /// Its unknown incompatible feature flags.
        incompat: u32,
    },
    /// A compressed payload does not decompress to what its header says.
    Payload,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("cut short"),
            Self::Magic => f.write_str("not the beginning of a structure"),
            Self::Length { of } => write!(f, "impossible length of the {of}"),
            Self::Checksum { of } => write!(f, "wrong checksum of the {of}"),
            Self::Value { of } => write!(f, "unknown value of the field {of}"),
            Self::OtherSpool => f.write_str("belongs to another spool"),
            Self::NewerVersion { theirs, incompat } => write!(
                f,
                "format version {theirs} with unknown feature flags {incompat:#x}; this build reads version {VERSION}"
            ),
            Self::Payload => f.write_str("the payload does not decompress to what the header says"),
        }
    }
}

impl std::error::Error for FormatError {}
