//! Little-endian fields in order, and the frame that all structures share: see the invariants of [`super`].

use super::{Flags, FormatError, KNOWN_INCOMPAT, MAX_HEADER, VERSION};

/// Where the frame keeps the structure's length.
const LEN_AT: usize = 10;
/// Magic, version, length and feature flags.
const FRAME: usize = 24;
/// The checksum's bytes.
const CRC: usize = 4;

/// Takes fields off the front of a slice.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl<'a> Take<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        let (front, rest) = self.0.split_at_checked(len).ok_or(FormatError::Short)?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (front, rest) = self.0.split_first_chunk().ok_or(FormatError::Short)?;
        self.0 = rest;
        Ok(*front)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, FormatError> {
        self.array().map(i64::from_le_bytes)
    }
}

/// Puts fields at the end of a buffer, between [`Frame::begin`] and [`Frame::end`].
pub(super) struct Frame<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Frame<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, magic: [u8; 8], flags: Flags) -> Self {
        let start = out.len();
        let mut frame = Self { out, start };
        frame.put(&magic);
        frame.put(&VERSION.to_le_bytes());
        frame.put(&0_u16.to_le_bytes());
        frame.put(&flags.compat.to_le_bytes());
        frame.put(&flags.read_compat.to_le_bytes());
        frame.put(&flags.incompat.to_le_bytes());
        frame
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Fills in the length and adds the checksum.
    pub(super) fn end(self) {
        let len = self.out.len() - self.start + CRC;
        // Callers keep extensions far below MAX_HEADER, which fits in 16 bits.
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        self.out[self.start + LEN_AT..self.start + LEN_AT + 2].copy_from_slice(&len.to_le_bytes());
        let crc = crc32c::crc32c(&self.out[self.start..]);
        self.out.extend_from_slice(&crc.to_le_bytes());
    }
}

/// The length of the structure that begins at `bytes`, when it begins with `magic`; [`FormatError::Short`] when too few
/// bytes are there to tell.
pub(super) fn frame_len(bytes: &[u8], magic: [u8; 8], of: &'static str) -> Result<usize, FormatError> {
    let mut take = Take(bytes);
    if take.array::<8>()? != magic {
        return Err(FormatError::Magic);
    }
    let _version = take.u16()?;
    let len = usize::from(take.u16()?);
    if !(FRAME + CRC..=MAX_HEADER).contains(&len) {
        return Err(FormatError::Length { of });
    }
    Ok(len)
}

/// Checks the frame at the beginning of `bytes` and gives its flags, the fields between flags and checksum, and the
/// length of all of it.
pub(super) fn open_frame<'a>(
    bytes: &'a [u8],
    magic: [u8; 8],
    of: &'static str,
) -> Result<(Flags, Take<'a>, usize), FormatError> {
    let len = frame_len(bytes, magic, of)?;
    let whole = bytes.get(..len).ok_or(FormatError::Short)?;
    let (body, crc) = whole.split_at(len - CRC);
    if crc32c::crc32c(body).to_le_bytes() != crc {
        return Err(FormatError::Checksum { of });
    }
    let mut take = Take(&body[8..]);
    let theirs = take.u16()?;
    let _len = take.u16()?;
    let flags = Flags {
        compat: take.u32()?,
        read_compat: take.u32()?,
        incompat: take.u32()?,
    };
    let incompat = flags.incompat & !KNOWN_INCOMPAT;
    if theirs > VERSION || incompat != 0 {
        return Err(FormatError::NewerVersion { theirs, incompat });
    }
    Ok((flags, take, len))
}
