//! A msgpack value as JSON, in one pass: no tree, no copy of the input. Pure.
//!
//! # Mappings
//! | msgpack | JSON |
//! |---|---|
//! | nil, bool | `null`, `true`, `false` |
//! | integer | the number, exactly |
//! | float | the shortest text that reads back as the same float of the same width; NaN and infinities are `null` |
//! | str | a string; what is not UTF-8 becomes U+FFFD, and the record counts as repaired |
//! | bin | a string: base64 with padding |
//! | ext -1 (timestamp) | a string: RFC 3339 in UTC with nine digits of a second, when valid; else as below |
//! | other ext | `{"type":N,"data":"base64"}` |
//! | array, map | an array, an object, in the order of the input |
//! | key that is no str | the JSON text of the key (without quotes, where that is a string) |
//! | key that repeats | see [`super::names`] |
//! | outermost key `auditship` | `auditship_original` |
//! | outermost value that is no map | `{"message": value}` |
//!
//! # Invariants
//! * What stands in the output after `Ok` is one valid JSON object, at most `max_record_bytes` long and `max_depth` deep.
//! * The recursion is bounded by `max_depth`, the output by the limit plus one short text, so neither a bomb of arrays nor
//!   escapes inside escapes can exhaust stack or memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::collect::Collector;
use super::fault::Fault;
use super::msgpack::{Reader, Short, Token};
use super::path::{Fields, Watch};
use super::text::{self, Text};

/// One record on its way from msgpack to JSON.
#[derive(Debug)]
pub(super) struct Encoder<'a, 'i> {
    pub(super) reader: Reader<'i>,
    pub(super) out: &'a mut Vec<u8>,
    /// The length that `out` must not exceed.
    pub(super) limit: usize,
    pub(super) max_record_bytes: usize,
    pub(super) max_depth: usize,
    pub(super) collector: Collector<'a>,
}

impl Encoder<'_, '_> {
    /// Encodes the next value as a record.
    pub(super) fn record(&mut self) -> Result<(), Fault> {
        match self.reader.token()? {
            Token::Map(len) => self.map(len, 1, Watch::START)?,
            other => {
                self.collector.meta.members = 1;
                self.out.extend_from_slice(b"{\"message\":");
                self.put(other, 1, Watch::NOWHERE)?;
                self.out.push(b'}');
            }
        }
        self.room_for(0)
    }

    /// Refuses what would make the record too large.
    #[inline]
    fn room_for(&self, bytes: usize) -> Result<(), Fault> {
        if self.out.len().saturating_add(bytes) > self.limit {
            return Err(Fault::TooLarge {
                max: self.max_record_bytes,
            });
        }
        Ok(())
    }

    /// A container at `depth`, counted from 1.
    #[inline]
    fn descend(&self, depth: usize) -> Result<(), Fault> {
        if depth > self.max_depth {
            return Err(Fault::TooDeep { max: self.max_depth });
        }
        self.room_for(0)
    }

    /// Writes the next value. `depth` is the number of containers around it.
    #[inline]
    fn value(&mut self, depth: usize, watch: Watch) -> Result<(), Fault> {
        if let Some(text) = self.reader.short_str() {
            self.out.push(b'"');
            self.short(text);
            self.out.push(b'"');
            return Ok(());
        }
        let token = self.reader.token()?;
        self.put(token, depth, watch)
    }

    /// The inside of a short string. At most six times 255 bytes, so the room is looked after by the container.
    #[inline(always)]
    fn short(&mut self, text: Short<'_>) {
        if text::escape_short(text, self.out, self.limit) == Text::Repaired {
            self.collector.meta.repaired = true;
        }
    }

    /// Writes what `token` begins. `depth` is the number of containers around it.
    fn put(&mut self, token: Token<'_>, depth: usize, watch: Watch) -> Result<(), Fault> {
        match token {
            Token::Str(bytes) => return self.string(bytes),
            Token::Map(len) => return self.map(len, depth + 1, watch),
            Token::Array(len) => return self.array(len, depth + 1),
            Token::Unsigned(number) => self
                .out
                .extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Token::Signed(number) => self
                .out
                .extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Token::Nil => self.out.extend_from_slice(b"null"),
            Token::Bool(true) => self.out.extend_from_slice(b"true"),
            Token::Bool(false) => self.out.extend_from_slice(b"false"),
            Token::F32(number) => self.float(number.is_finite(), zmij::Buffer::new().format(number)),
            Token::F64(number) => self.float(number.is_finite(), zmij::Buffer::new().format(number)),
            Token::Bin(bytes) => {
                self.out.push(b'"');
                self.base64(bytes)?;
                self.out.push(b'"');
            }
            Token::Ext(kind, data) => self.ext(kind, data)?,
        }
        Ok(())
    }

    fn float(&mut self, finite: bool, text: &str) {
        let text = if finite { text } else { "null" };
        self.out.extend_from_slice(text.as_bytes());
    }

    #[inline]
    fn string(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.out.push(b'"');
        self.text(bytes)?;
        self.out.push(b'"');
        Ok(())
    }

    /// The inside of a string.
    #[inline]
    fn text(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.room_for(bytes.len())?;
        if text::escape_bytes(bytes, self.out, self.limit) == Text::Repaired {
            self.collector.meta.repaired = true;
        }
        Ok(())
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<(), Fault> {
        self.descend(depth)?;
        self.out.push(b'[');
        for place in 0..len {
            if place > 0 {
                self.out.push(b',');
            }
            self.value(depth, Watch::NOWHERE)?;
            self.room_for(0)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, len: usize, depth: usize, watch: Watch) -> Result<(), Fault> {
        self.descend(depth)?;
        self.out.push(b'{');
        let mark = self.collector.names.open();
        for place in 0..len {
            self.out.extend_from_slice(if place > 0 { b",\"" } else { b"\"" });
            let start = self.out.len();
            match self.reader.short_str() {
                Some(text) => self.short(text),
                None => self.other_key(depth)?,
            }
            let (fields, below) = self.collector.key(mark, watch, self.out, start, None);
            self.out.extend_from_slice(b"\":");
            self.member(fields, depth, below)?;
        }
        self.collector.names.close(mark, self.out);
        self.out.push(b'}');
        Ok(())
    }

    #[inline]
    fn member(&mut self, fields: Fields, depth: usize, watch: Watch) -> Result<(), Fault> {
        let start = self.out.len();
        self.value(depth, watch)?;
        self.room_for(0)?;
        self.collector.value(fields, self.out, start);
        Ok(())
    }

    /// A key that is no short text. What is no text at all is its JSON text, itself written as text.
    #[cold]
    fn other_key(&mut self, depth: usize) -> Result<(), Fault> {
        let start = self.out.len();
        match self.reader.token()? {
            Token::Str(bytes) => return self.text(bytes),
            other => self.put(other, depth, Watch::NOWHERE)?,
        }
        self.room_for(0)?;
        let json = self.out.split_off(start);
        match json.strip_prefix(b"\"").and_then(|json| json.strip_suffix(b"\"")) {
            Some(inside) => self.out.extend_from_slice(inside),
            None => {
                text::escape_bytes(&json, self.out, self.limit);
            }
        }
        self.room_for(0)
    }

    #[cold]
    fn base64(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let len = base64::encoded_len(bytes.len(), true).unwrap_or(usize::MAX);
        self.room_for(len)?;
        let start = self.out.len();
        self.out.resize(start + len, b'=');
        // The slice has the length that the encoder asked for, so it cannot be too short.
        let written = STANDARD
            .encode_slice(bytes, &mut self.out[start..])
            .unwrap_or(len);
        self.out.truncate(start + written);
        Ok(())
    }

    #[cold]
    fn ext(&mut self, kind: i8, data: &[u8]) -> Result<(), Fault> {
        if let (-1, Some(time)) = (kind, timestamp(data)) {
            self.out.extend_from_slice(format!("\"{time:.9}\"").as_bytes());
            return Ok(());
        }
        self.out
            .extend_from_slice(format!("{{\"type\":{kind},\"data\":\"").as_bytes());
        self.base64(data)?;
        self.out.extend_from_slice(b"\"}");
        Ok(())
    }
}

/// msgpack's own timestamp in its three lengths.
fn timestamp(data: &[u8]) -> Option<jiff::Timestamp> {
    let (seconds, nanos) = if let Ok(data) = <[u8; 4]>::try_from(data) {
        (i64::from(u32::from_be_bytes(data)), 0)
    } else if let Ok(data) = <[u8; 8]>::try_from(data) {
        let both = u64::from_be_bytes(data);
        ((both & 0x3_ffff_ffff) as i64, (both >> 34) as u32)
    } else {
        let (nanos, seconds) = data.split_first_chunk()?;
        (
            i64::from_be_bytes(seconds.try_into().ok()?),
            u32::from_be_bytes(*nanos),
        )
    };
    if nanos > 999_999_999 {
        return None;
    }
    // Counted as a sum, because jiff wants both parts to have the same sign.
    jiff::Timestamp::from_nanosecond(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).ok()
}
