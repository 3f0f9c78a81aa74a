//! Payload compression, bounded on the way back.

use std::io::{self, Read, Write};

use super::FormatError;
use super::block::Codec;

/// Compression levels: where both codecs give most of their gain at a speed that a hand-off can wait for.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
/// As much is allocated because a header says so; more only when it is there: twice what ingest makes of small records.
const AHEAD: usize = 2 * crate::ingest::MAX_DRAFT_BYTES;

/// Adds `plain`, stored as `codec` says, to `out`: one complete gzip member or Zstandard frame. The same bytes give the
/// same output within one build.
///
/// # Errors
/// What the compressor gives; it has no reason to fail.
pub fn compress(codec: Codec, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match codec {
        Codec::None => out.extend_from_slice(plain),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
            encoder.write_all(plain)?;
            encoder.finish()?;
        }
        Codec::Zstd => {
            let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
            out.extend_from_slice(&compressor.compress(plain)?);
        }
    }
    Ok(())
}

/// The `plain_len` bytes that `stored` holds. Never allocates more than that, nor much more than what comes out of
/// `stored` in truth.
///
/// # Errors
/// [`FormatError::Payload`] when it holds anything else.
pub fn decompress(codec: Codec, stored: &[u8], plain_len: u64) -> Result<Vec<u8>, FormatError> {
    let len = usize::try_from(plain_len).map_err(|_| FormatError::Payload)?;
    let ahead = len.min(AHEAD);
    let plain = match codec {
        Codec::None => stored.to_vec(),
        Codec::Gzip => {
            let mut plain = Vec::with_capacity(ahead);
            let mut decoder = flate2::bufread::GzDecoder::new(stored);
            let read = decoder.by_ref().take(plain_len).read_to_end(&mut plain);
            read.map_err(|_| FormatError::Payload)?;
            // The member must end here, which also checks its trailer, and nothing may follow it.
            let ends = decoder.read(&mut [0]).is_ok_and(|more| more == 0);
            if !ends || !decoder.into_inner().is_empty() {
                return Err(FormatError::Payload);
            }
            plain
        }
        Codec::Zstd if len <= AHEAD => {
            zstd::bulk::decompress(stored, len).map_err(|_| FormatError::Payload)?
        }
        Codec::Zstd => {
            let mut plain = Vec::with_capacity(ahead);
            let decoder =
                zstd::stream::read::Decoder::with_buffer(stored).map_err(|_| FormatError::Payload)?;
            // One byte more, so that a frame that is too long shows.
            let read = decoder.take(plain_len + 1).read_to_end(&mut plain);
            read.map_err(|_| FormatError::Payload)?;
            plain
        }
    };
    if plain.len() == len {
        Ok(plain)
    } else {
        Err(FormatError::Payload)
    }
}
