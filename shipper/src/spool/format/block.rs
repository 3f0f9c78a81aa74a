//! A block: header, record table, payload, secrets. One append is one block, or several that stand or fall together.

use super::fields::{Frame, Take, frame_len, open_frame};
use super::{Flags, FormatError, MAX_PAYLOAD, MAX_RECORDS, MAX_SECRETS, SECRETS_PER_RECORD};
use crate::spool::count::Tally;
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, SpoolId};
use crate::time::Timestamp;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "this is the format")]
pub enum Kind {
    /// Records: a table and their lines.
    Records,
    /// Input that could not be decoded, as it came.
    Quarantine,
    /// Nothing but a tally.
    Accounting,
    /// A line for people: what recovery found, what was dropped.
    Note,
    /// A signed statement about the chain (reserved).
    Checkpoint,
    /// The index at the end of a sealed segment.
    Index,
}

/// How a payload is stored. Each is one complete stream, so that blocks can be concatenated into objects as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "this is the format")]
pub enum Codec {
    /// As it is.
    None,
    /// One gzip member (RFC 1952).
    Gzip,
    /// One Zstandard frame (RFC 8878).
    #[default]
    Zstd,
}

/// The hash of the chain and of the Merkle tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "this is the format")]
pub enum HashAlgorithm {
    /// BLAKE3 with 32 bytes of output.
    #[default]
    Blake3,
}

/// How payload and secrets are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "this is the format")]
pub enum Cipher {
    /// They are not.
    #[default]
    None,
}

impl Kind {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::Quarantine => 2,
            Self::Accounting => 3,
            Self::Note => 4,
            Self::Checkpoint => 5,
            Self::Index => 6,
        }
    }

    pub(super) fn of_byte(byte: u8) -> Result<Self, FormatError> {
        Ok(match byte {
            1 => Self::Records,
            2 => Self::Quarantine,
            3 => Self::Accounting,
            4 => Self::Note,
            5 => Self::Checkpoint,
            6 => Self::Index,
            _ => return Err(FormatError::Value { of: "kind" }),
        })
    }
}

impl Codec {
    fn byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Zstd => 2,
        }
    }

    fn of_byte(byte: u8) -> Result<Self, FormatError> {
        Ok(match byte {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Zstd,
            _ => return Err(FormatError::Value { of: "codec" }),
        })
    }
}

/// A header's extension. Unknown types are ignored; what may not be ignored has a feature flag as well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extension {
    /// What it is: one of the constants here.
    pub kind: u16,
    /// Its bytes.
    pub value: Vec<u8>,
}

impl Extension {
    /// Of a quarantine block: what its bytes were meant to be. One byte: 1 Fluent Bit chunk, 2 NDJSON.
    pub const SOURCE: u16 = 1;
    /// Of a quarantine block: what was wrong, UTF-8.
    pub const REASON: u16 = 2;
    /// Of a quarantine block: where it came from, UTF-8.
    pub const ORIGIN: u16 = 3;
    /// Set in the type of an extension that is about how the block is stored: it is no part of the chain.
    pub const STORAGE: u16 = 0x8000;
    /// Nothing: keeps a block as long as it was when something in it was erased.
    pub const PADDING: u16 = Self::STORAGE;

    fn encode(&self, out: &mut Vec<u8>) {
        // The writer keeps values below 1 KiB.
        let len = u16::try_from(self.value.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&self.value[..usize::from(len)]);
    }

    /// An extension of type `kind`.
    pub fn new(kind: u16, value: &[u8]) -> Self {
        Self {
            kind,
            value: value.to_vec(),
        }
    }
}

/// A block's header: what of the block is part of the chain ([`BlockHeader::chained`]), and how the rest is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockHeader {
    /// Feature flags.
    pub flags: Flags,
    /// What the block holds.
    pub kind: Kind,
    /// How the payload is stored.
    pub codec: Codec,
    /// The hash of `root` and `prev`.
    pub hash: HashAlgorithm,
    /// How payload and secrets are encrypted.
    pub cipher: Cipher,
    /// The spool.
    pub spool: SpoolId,
    /// The opening in which the block was written.
    pub epoch: Epoch,
    /// The number of the first record, or of the next one when the block has none.
    pub first_seq: u64,
    /// How many records.
    pub count: u32,
    /// What the block adds to the spool's totals.
    pub tally: Tally,
    /// The smallest event time, or `ingest_time` without records.
    pub earliest: Timestamp,
    /// The largest event time, or `ingest_time` without records.
    pub latest: Timestamp,
    /// When the block was written.
    pub ingest_time: Timestamp,
    /// Bytes of the record table.
    pub table_len: u32,
    /// Bytes of the secrets.
    pub secrets_len: u32,
    /// Bytes of the payload as stored.
    pub stored_len: u64,
    /// Bytes of the payload when decompressed.
    pub plain_len: u64,
    /// Root of the Merkle tree over the salted contents.
    pub root: [u8; 32],
    /// The chain value ([`seal::chain`](crate::seal::chain)) of the block before this one.
    pub prev: [u8; 32],
    /// Further facts.
    pub extensions: Vec<Extension>,
}

/// The three sections that follow a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this is the format")]
pub struct Sections<'a> {
    /// The record table.
    pub table: &'a [u8],
    /// The payload as stored.
    pub payload: &'a [u8],
    /// The secrets: for version 1 a 32-byte salt.
    pub secrets: &'a [u8],
}

const OF: &str = "block header";
/// Where a header says how its block is stored: its own length and flags; codec; cipher; the sections' lengths.
const STORED: [std::ops::Range<usize>; 4] = [10..24, 25..26, 27..28, 156..180];
/// Bytes of each section's checksum.
const CRC: u64 = 4;

impl BlockHeader {
    /// What a block begins with.
    pub const MAGIC: [u8; 8] = *b"\x89ASBLK\r\n";
    /// Bytes of a header without extensions.
    pub const LEN: usize = 248;

    /// Adds the header's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut frame = Frame::begin(out, Self::MAGIC, self.flags);
        let hash = match self.hash {
            HashAlgorithm::Blake3 => 1,
        };
        let cipher = match self.cipher {
            Cipher::None => 0,
        };
        frame
            .put(&[self.kind.byte(), self.codec.byte(), hash, cipher])
            .put(&self.spool.0)
            .put(&self.epoch.0.to_le_bytes())
            .put(&self.first_seq.to_le_bytes())
            .put(&self.count.to_le_bytes())
            .put(&0_u32.to_le_bytes())
            .put(&self.tally.to_bytes())
            .put(&self.earliest.0.to_le_bytes())
            .put(&self.latest.0.to_le_bytes())
            .put(&self.ingest_time.0.to_le_bytes())
            .put(&self.table_len.to_le_bytes())
            .put(&self.secrets_len.to_le_bytes())
            .put(&self.stored_len.to_le_bytes())
            .put(&self.plain_len.to_le_bytes())
            .put(&self.root)
            .put(&self.prev);
        for extension in &self.extensions {
            let mut bytes = Vec::new();
            extension.encode(&mut bytes);
            frame.put(&bytes);
        }
        frame.end();
    }

    /// The bytes of a whole header that its chain value is made of: not those that say how the block is stored, so that
    /// payload and secrets can be re-coded, encrypted or erased without touching the chain. `docs/FORMAT.md`, Chain.
    pub fn chained(header: &[u8]) -> Vec<u8> {
        let body = header.split_last_chunk::<{ CRC as usize }>();
        let body = body.map_or(header, |(body, _checksum)| body);
        let (fixed, extensions) = body.split_at(body.len().min(Self::LEN - CRC as usize));
        let mut chained = fixed.to_vec();
        for stored in STORED {
            if let Some(bytes) = chained.get_mut(stored) {
                bytes.fill(0);
            }
        }
        // What is no list of extensions is in no header that can be decoded.
        for extension in decode_extensions(Take(extensions)).unwrap_or_default() {
            if extension.kind & Extension::STORAGE == 0 {
                extension.encode(&mut chained);
            }
        }
        chained
    }

    /// How many bytes the header that begins at `bytes` has.
    ///
    /// # Errors
    /// [`FormatError::Short`] when `bytes` are too few to tell; otherwise what is wrong.
    pub fn measure(bytes: &[u8]) -> Result<usize, FormatError> {
        frame_len(bytes, Self::MAGIC, OF)
    }

    /// The header at the beginning of `bytes`, and how many of them it has. Every length in it is within the limits.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), FormatError> {
        let (flags, mut take, len) = open_frame(bytes, Self::MAGIC, OF)?;
        let [kind, codec, hash, cipher] = take.array()?;
        let header = Self {
            flags,
            kind: Kind::of_byte(kind)?,
            codec: Codec::of_byte(codec)?,
            hash: match hash {
                1 => HashAlgorithm::Blake3,
                _ => return Err(FormatError::Value { of: "hash" }),
            },
            cipher: match cipher {
                0 => Cipher::None,
                _ => return Err(FormatError::Value { of: "cipher" }),
            },
            spool: SpoolId(take.array()?),
            epoch: Epoch(take.u64()?),
            first_seq: take.u64()?,
            count: {
                let count = take.u32()?;
                let _reserved = take.u32()?;
                count
            },
            tally: Tally::from_bytes(&take.array()?),
            earliest: Timestamp(take.i64()?),
            latest: Timestamp(take.i64()?),
            ingest_time: Timestamp(take.i64()?),
            table_len: take.u32()?,
            secrets_len: take.u32()?,
            stored_len: take.u64()?,
            plain_len: take.u64()?,
            root: take.array()?,
            prev: take.array()?,
            extensions: decode_extensions(take)?,
        };
        header.check_lengths()?;
        Ok((header, len))
    }

    fn check_lengths(&self) -> Result<(), FormatError> {
        let records = match self.kind {
            Kind::Records => self.count,
            _ if self.count == 0 => 0,
            _ => return Err(FormatError::Value { of: "count" }),
        };
        let table = u64::from(records) * TableEntry::LEN as u64;
        if records > MAX_RECORDS || u64::from(self.table_len) != table {
            return Err(FormatError::Length { of: "record table" });
        }
        if self.plain_len > MAX_PAYLOAD {
            return Err(FormatError::Length { of: "payload" });
        }
        // Incompressible data grows a little under every codec.
        let stored_limit = self.plain_len + self.plain_len / 8 + 4096;
        if self.stored_len > stored_limit {
            return Err(FormatError::Length { of: "payload" });
        }
        if self.codec == Codec::None && self.stored_len != self.plain_len {
            return Err(FormatError::Length { of: "payload" });
        }
        if self.secrets_len > MAX_SECRETS + records * SECRETS_PER_RECORD {
            return Err(FormatError::Length { of: "secrets" });
        }
        if self.first_seq.checked_add(u64::from(self.count)).is_none() {
            return Err(FormatError::Value { of: "first_seq" });
        }
        Ok(())
    }

    /// The number after the block's last record.
    pub fn end_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count))
    }

    /// Bytes of the record table and its checksum: what follows the header first.
    pub fn table_section_len(&self) -> u64 {
        u64::from(self.table_len) + CRC
    }

    /// Bytes of all sections with their checksums.
    pub fn sections_len(&self) -> u64 {
        self.table_section_len() + self.stored_len + CRC + u64::from(self.secrets_len) + CRC
    }

    /// The first extension of type `kind`.
    pub fn extension(&self, kind: u16) -> Option<&[u8]> {
        let found = self.extensions.iter().find(|extension| extension.kind == kind)?;
        Some(&found.value)
    }
}

impl<'a> Sections<'a> {
    /// Adds the sections, each with its checksum, to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for section in [self.table, self.payload, self.secrets] {
            out.extend_from_slice(section);
            out.extend_from_slice(&crc32c::crc32c(section).to_le_bytes());
        }
    }

    /// The sections of `header`'s block in `bytes`, which begin after the header. Checks every checksum.
    ///
    /// # Errors
    /// Which section is short or damaged.
    pub fn decode(header: &BlockHeader, bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut take = Take(bytes);
        Ok(Self {
            table: section(&mut take, u64::from(header.table_len), "record table")?,
            payload: section(&mut take, header.stored_len, "payload")?,
            secrets: section(&mut take, u64::from(header.secrets_len), "secrets")?,
        })
    }

    /// The record table alone, of the `table_section_len` bytes after the header.
    ///
    /// # Errors
    /// That it is short or damaged.
    pub fn decode_table(header: &BlockHeader, bytes: &'a [u8]) -> Result<&'a [u8], FormatError> {
        section(&mut Take(bytes), u64::from(header.table_len), "record table")
    }
}

fn section<'a>(take: &mut Take<'a>, len: u64, of: &'static str) -> Result<&'a [u8], FormatError> {
    let len = usize::try_from(len).map_err(|_| FormatError::Length { of })?;
    let bytes = take.bytes(len)?;
    if take.u32()? != crc32c::crc32c(bytes) {
        return Err(FormatError::Checksum { of });
    }
    Ok(bytes)
}

fn decode_extensions(mut take: Take<'_>) -> Result<Vec<Extension>, FormatError> {
    let mut extensions = Vec::new();
    while !take.0.is_empty() {
        let kind = take.u16()?;
        let len = usize::from(take.u16()?);
        extensions.push(Extension::new(kind, take.bytes(len)?));
    }
    Ok(extensions)
}
