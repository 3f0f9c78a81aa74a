//! Walking over the blocks of one segment, damage included.
//!
//! Reads ahead a little, never a payload that nobody asked for: what is read of a segment is its headers and tables.
//! Past a damaged header the next block is found by its magic, its header's checksum and the spool's id.

use std::sync::Arc;

use super::block::{Block, Position};
use super::error::SpoolError;
use super::format::{BlockHeader, FormatError, MAX_HEADER, Sections};
use super::identity::SpoolId;
use super::segment;
use super::storage::StorageFile;
use crate::seal;

/// How much is read at once: many small blocks, or the header and table of one larger block.
const AHEAD: usize = 16 * 1024;
/// How much is searched at once for the next block behind damage.
const SEARCH: usize = 256 * 1024;

/// A valid header in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) header: BlockHeader,
    pub(crate) hash: [u8; 32],
    pub(crate) offset: u64,
    /// Bytes of the header.
    pub(crate) header_len: u64,
}

impl Found {
    /// Where the block ends.
    pub(crate) fn end(&self) -> u64 {
        self.sections_at() + self.header.sections_len()
    }

    pub(crate) fn sections_at(&self) -> u64 {
        self.offset + self.header_len
    }
}

/// One segment's bytes up to a limit.
pub(crate) struct Scan {
    file: Arc<dyn StorageFile>,
    number: u64,
    spool: SpoolId,
    /// Nothing at or after this offset is looked at.
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    /// Bytes read so far.
    read: u64,
}

impl Scan {
    pub(crate) fn new(file: Arc<dyn StorageFile>, number: u64, spool: SpoolId, end: u64) -> Self {
        Self {
            file,
            number,
            spool,
            end,
            buffer: Vec::new(),
            buffer_at: 0,
            read: 0,
        }
    }

    /// How many bytes were read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Moves the limit; what was read before it stays good.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.end = end;
    }

    /// The header at `offset`: of a block of this spool that lies wholly before the limit.
    pub(crate) fn header_at(&mut self, offset: u64) -> Result<Result<Found, FormatError>, SpoolError> {
        let (number, spool, end) = (self.number, self.spool, self.end);
        let mut bytes = self.peek(offset, BlockHeader::LEN)?;
        let mut decoded = BlockHeader::decode(bytes);
        if decoded == Err(FormatError::Short) {
            let wanted = BlockHeader::measure(bytes).unwrap_or(0);
            bytes = self.peek(offset, wanted)?;
            decoded = BlockHeader::decode(bytes);
        }
        let (header, len) = match decoded {
            Ok(decoded) => decoded,
            Err(error @ FormatError::NewerVersion { .. }) => {
                return Err(SpoolError::format(&segment::path(number), &error));
            }
            Err(error) => return Ok(Err(error)),
        };
        if header.spool != spool {
            return Ok(Err(FormatError::OtherSpool));
        }
        let found = Found {
            hash: seal::chain(&bytes[..len]),
            header,
            offset,
            header_len: len as u64,
        };
        Ok(if found.end() > end {
            Err(FormatError::Short)
        } else {
            Ok(found)
        })
    }

    /// The record table of `found`, without its payload.
    pub(crate) fn table(&mut self, found: &Found) -> Result<Result<Vec<u8>, FormatError>, SpoolError> {
        // The header's lengths are within the limits, and `header_at` has checked that the file is so long.
        let len = usize::try_from(found.header.table_section_len()).unwrap_or(usize::MAX);
        let bytes = self.peek(found.sections_at(), len)?;
        Ok(Sections::decode_table(&found.header, bytes).map(<[u8]>::to_vec))
    }

    /// The whole block of `found`.
    pub(crate) fn block(&mut self, found: &Found) -> Result<Result<Block, FormatError>, SpoolError> {
        let bytes = self.exactly(found.sections_at(), found.header.sections_len())?;
        let position = Position {
            segment: self.number,
            offset: found.offset,
        };
        Ok(Block::assemble(
            found.header.clone(),
            found.hash,
            position,
            &bytes,
        ))
    }

    /// The bytes from `offset`, at most `len` of them and none beyond the limit.
    pub(crate) fn exactly(&mut self, offset: u64, len: u64) -> Result<Vec<u8>, SpoolError> {
        let len = len.min(self.end.saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let have = segment::read(&*self.file, &segment::path(self.number), offset, &mut bytes)?;
        bytes.truncate(have);
        self.read += have as u64;
        Ok(bytes)
    }

    /// The first valid header at or after `offset`.
    pub(crate) fn resync(&mut self, mut offset: u64) -> Result<Option<Found>, SpoolError> {
        let magic = BlockHeader::MAGIC;
        while offset < self.end {
            let chunk = self.exactly(offset, SEARCH as u64)?;
            let candidates: Vec<u64> = memchr::memmem::find_iter(&chunk, &magic)
                .map(|at| offset + at as u64)
                .collect();
            for candidate in candidates {
                if let Ok(found) = self.header_at(candidate)? {
                    return Ok(Some(found));
                }
            }
            if chunk.len() < SEARCH {
                return Ok(None);
            }
            // A magic may lie across two chunks.
            offset += (SEARCH - (magic.len() - 1)) as u64;
        }
        Ok(None)
    }

    /// At least `len` bytes from `offset`, as far as they lie before the limit and in the file.
    fn peek(&mut self, offset: u64, len: usize) -> Result<&[u8], SpoolError> {
        let buffered = |at: &Self| {
            let from = usize::try_from(offset.checked_sub(at.buffer_at)?).ok()?;
            (from.checked_add(len)? <= at.buffer.len()).then_some(from)
        };
        if buffered(self).is_none() {
            let wanted = len.max(AHEAD) as u64;
            self.buffer = self.exactly(offset, wanted)?;
            self.buffer_at = offset;
        }
        let from = buffered(self).unwrap_or(0);
        let to = from.saturating_add(len.max(MAX_HEADER)).min(self.buffer.len());
        Ok(&self.buffer[from..to])
    }
}
