//! The body of a request from slices of records, in one pass: framing, SHA-256 of the plain bytes, compression. Pure.
//!
//! # Invariants
//! 1. The same records, format, compression and level give the same bytes: a gzip header carries no time.
//! 2. The plain bytes never lie in memory as a whole unless they are the body: records are gathered in a stage that
//!    stays in the processor's cache, and hashed and compressed from there. The stage exists because compressors and
//!    hashes are slow on many small pieces; the copy costs little beside either.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::config::ConfigError;
use super::hole::Around;
use super::{BodyDigest, Compression, Format};

/// A body, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made here, put into requests by destinations"
)]
pub struct Body {
    /// As sent.
    pub bytes: Vec<u8>,
    /// Of the bytes before compression.
    pub digest: BodyDigest,
}

/// How hard to compress. Default: 6 for gzip, 3 for zstd.
///
/// Of synthetic audit records of 617 bytes (one core of an AMD EPYC, digest included) remain at gzip 1: 23.7 %, 270 MB/s;
/// 3: 15.7 %, 141 MB/s; 6: 14.4 %, 108 MB/s; zstd 1: 13.5 %, 423 MB/s; 3: 14.9 %, 234 MB/s. What is kept for years is paid
/// for its size, and no host writes a hundred megabytes of audit log a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    gzip: u32,
    zstd: i32,
}

impl Default for Level {
    fn default() -> Self {
        Self { gzip: 6, zstd: 3 }
    }
}

impl Level {
    /// The level `given` for `compression`; the default without one.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when the compression has no such level.
    pub fn new(compression: Compression, given: Option<i64>) -> Result<Self, ConfigError> {
        let mut level = Self::default();
        let Some(given) = given else { return Ok(level) };
        let problem = match (compression, i32::try_from(given)) {
            (Compression::Gzip, Ok(gzip @ 1..=9)) => {
                level.gzip = gzip.unsigned_abs();
                return Ok(level);
            }
            (Compression::Zstd, Ok(zstd @ 1..=19)) => {
                level.zstd = zstd;
                return Ok(level);
            }
            (Compression::Gzip, _) => format!("gzip has no level {given}; use 1 (fast) to 9 (small)"),
            (Compression::Zstd, _) => format!("zstd has no level {given} here; use 1 (fast) to 19 (small)"),
            (Compression::None, _) => {
                String::from("is set, but `compression` is `none`: remove it, or set `compression`")
            }
        };
        Err(ConfigError::invalid("compression_level", problem))
    }
}

impl Format {
    /// Bytes that a record costs beside its JSON, and that a body costs beside its records. Upper bounds.
    pub const fn framing(self) -> (u32, u32) {
        match self {
            // A newline after each.
            Self::Ndjson => (1, 0),
            // A comma between two, brackets around all.
            Self::JsonArray => (1, 2),
            // The destination accounts for its own.
            Self::Native => (0, 0),
        }
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::JsonArray | Self::Native => "application/json",
        }
    }

    /// What a file's name ends with, before [`Compression::extension`].
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => ".ndjson",
            Self::JsonArray | Self::Native => ".json",
        }
    }
}

impl Compression {
    /// The value of `Content-Encoding`.
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// What a file's name ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// Large enough that a compressor's fixed costs vanish, small enough for a second-level cache.
const STAGE: usize = 64 * 1024;

/// Builds a body of `records`, each one JSON value without a newline. A destination with a request of its own
/// ([`Format::Native`]) writes it piece by piece; here it is laid out as an array.
///
/// # Errors
/// Whatever the compressor gives; only want of memory is known to do so.
pub fn assemble<'a>(
    records: impl Iterator<Item = &'a [u8]> + Clone,
    format: Format,
    compression: Compression,
    level: Level,
) -> io::Result<Body> {
    assemble_around(records, &Around::default(), format, compression, level)
}

/// As [`assemble`], each record in a template.
///
/// # Errors
/// As for [`assemble`].
pub(super) fn assemble_around<'a>(
    records: impl Iterator<Item = &'a [u8]> + Clone,
    around: &Around,
    format: Format,
    compression: Compression,
    level: Level,
) -> io::Result<Body> {
    let (overhead, envelope) = format.framing();
    let plain_max = records.clone().fold(envelope as usize, |sum, record| {
        sum + record.len() + around.len() + overhead as usize
    });
    let mut body = BodyWriter::new(compression, level, plain_max)?;
    let put = |body: &mut BodyWriter, record: &[u8]| {
        body.put(&around.before)?;
        body.put(record)?;
        body.put(&around.after)
    };
    match format {
        Format::Ndjson => {
            for record in records {
                put(&mut body, record)?;
                body.put(b"\n")?;
            }
        }
        Format::JsonArray | Format::Native => {
            let mut before: &[u8] = b"[";
            for record in records {
                body.put(before)?;
                put(&mut body, record)?;
                before = b",";
            }
            body.put(if before == b"[" { b"[]" } else { b"]" })?;
        }
    }
    body.finish()
}

/// Writes a body piece by piece.
pub(super) struct BodyWriter {
    stage: Vec<u8>,
    hash: Sha256,
    sink: Sink,
}

enum Sink {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Sink {
    fn new(compression: Compression, level: Level, plain_max: usize) -> io::Result<Self> {
        // Audit records shrink to a seventh; a body that does not costs one or two moves.
        let compressed = Vec::with_capacity(plain_max / 6);
        Ok(match compression {
            Compression::None => Self::Plain(Vec::with_capacity(plain_max)),
            Compression::Gzip => Self::Gzip(GzEncoder::new(compressed, flate2::Compression::new(level.gzip))),
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(compressed, level.zstd)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(body) => body.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(body) => Ok(body),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl BodyWriter {
    /// A body of at most about `plain_max` uncompressed bytes.
    pub(super) fn new(compression: Compression, level: Level, plain_max: usize) -> io::Result<Self> {
        Ok(Self {
            stage: Vec::with_capacity(STAGE.min(plain_max)),
            hash: Sha256::new(),
            sink: Sink::new(compression, level, plain_max)?,
        })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.stage.len() + bytes.len() > STAGE {
            self.flush()?;
        }
        if bytes.len() >= STAGE {
            self.hash.update(bytes);
            return self.sink.write(bytes);
        }
        self.stage.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hash.update(&self.stage);
        self.sink.write(&self.stage)?;
        self.stage.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Body> {
        self.flush()?;
        Ok(Body {
            bytes: self.sink.finish()?,
            digest: BodyDigest(self.hash.finalize().into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::contract::plain;
    use super::*;

    const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    fn build(records: &[Vec<u8>], format: Format, compression: Compression) -> Body {
        assemble(
            records.iter().map(Vec::as_slice),
            format,
            compression,
            Level::default(),
        )
        .unwrap()
    }

    #[test]
    fn framing_is_as_documented() {
        let records = [b"{\"a\":1}".to_vec(), b"{}".to_vec()];
        for compression in COMPRESSIONS {
            let lines = build(&records, Format::Ndjson, compression);
            assert_eq!(plain(&lines.bytes, compression), b"{\"a\":1}\n{}\n");
            let array = build(&records, Format::JsonArray, compression);
            assert_eq!(plain(&array.bytes, compression), b"[{\"a\":1},{}]");
            let empty = build(&[], Format::JsonArray, compression);
            assert_eq!(plain(&empty.bytes, compression), b"[]");
        }
    }

    #[test]
    fn the_digest_is_sha_256_of_the_plain_bytes() {
        // SHA-256 of "abc\n", as sha256sum prints it.
        let expected = "edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb";
        for compression in COMPRESSIONS {
            let BodyDigest(digest) = build(&[b"abc".to_vec()], Format::Ndjson, compression).digest;
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }

    #[test]
    fn a_gzip_header_has_no_time_and_no_name() {
        let body = build(&[b"{}".to_vec()], Format::Ndjson, Compression::Gzip);
        assert_eq!(body.bytes[..4], [0x1f, 0x8b, 8, 0], "magic, deflate, no flags");
        assert_eq!(body.bytes[4..8], [0; 4], "modification time");
    }

    #[test]
    fn levels_belong_to_a_compression() {
        for (compression, given, fits) in [
            (Compression::Gzip, 1, true),
            (Compression::Gzip, 9, true),
            (Compression::Gzip, 0, false),
            (Compression::Gzip, 10, false),
            (Compression::Zstd, 19, true),
            (Compression::Zstd, 20, false),
            (Compression::Zstd, -1, false),
            (Compression::Zstd, i64::MAX, false),
            (Compression::None, 1, false),
        ] {
            assert_eq!(
                Level::new(compression, Some(given)).is_ok(),
                fits,
                "{compression:?} {given}"
            );
        }
    }

    proptest! {
        // Records around the size of the stage, so that every way through it is taken.
        #[test]
        fn bytes_and_digest_do_not_depend_on_the_stage(
            sizes in proptest::collection::vec(prop_oneof![0..2_000_usize, STAGE - 3..STAGE + 3], 0..12),
        ) {
            let records: Vec<Vec<u8>> = sizes
                .iter()
                .enumerate()
                .map(|(at, size)| (0..*size).map(|byte| b'a' + ((at + byte) % 23) as u8).collect())
                .collect();
            let expected: Vec<u8> = records.iter().flat_map(|record| [record.as_slice(), b"\n"].concat()).collect();
            for compression in COMPRESSIONS {
                let body = build(&records, Format::Ndjson, compression);
                prop_assert_eq!(&plain(&body.bytes, compression), &expected);
                let whole: [u8; 32] = Sha256::digest(&expected).into();
                prop_assert_eq!(body.digest, BodyDigest(whole));
                prop_assert_eq!(&body, &build(&records, Format::Ndjson, compression), "the same again");
            }
        }
    }
}
