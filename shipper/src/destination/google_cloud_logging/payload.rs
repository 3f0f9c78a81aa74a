//! A record as the API's `jsonPayload`, in one pass over its bytes: numbers kept exact, fields found on the way, and an upper
//! bound of what the API's own form of it weighs. Pure.
//!
//! `jsonPayload` is a protobuf `Struct`, whose only numbers are doubles: integers beyond 2^53 would lose digits, and what is
//! too large for a double would make the request one that cannot be parsed. Both are written as strings, digit for digit.
//! Everything else is copied as it is.
//!
//! # Invariants
//! 1. Input is a JSON object, as the spool has it. Other input is copied and never a reason to panic: the API refuses it.
//! 2. No tree is built, nothing recurses; what is kept of the depth is a number and the first few levels.

use memchr::memchr2;

use super::fields::{Field, Found, Level};

/// Where bytes go: a request, or only their number.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// How many bytes there would be.
#[derive(Default)]
pub(super) struct Count(pub(super) u64);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }
}

/// The largest integer up to which doubles are exact: 2^53.
const EXACT: u128 = 1 << 53;

/// What a pass over a record found.
#[derive(Default)]
pub(super) struct Scanned<'a> {
    pub(super) found: Found<'a>,
    /// An upper bound of the bytes of the `Struct`.
    pub(super) weight: u64,
}

/// Writes `json` to `sink` as the API can keep it.
pub(super) fn write<'a>(json: &'a [u8], sink: &mut impl Sink) -> Scanned<'a> {
    let mut pass = Pass {
        json,
        at: 0,
        copied: 0,
        depth: 0,
        levels: [Level::NOWHERE; Level::DEPTH],
        key: None,
        scanned: Scanned::default(),
    };
    pass.run(sink);
    sink.put(&json[pass.copied..]);
    pass.scanned
}

struct Pass<'a> {
    json: &'a [u8],
    at: usize,
    /// Up to here it is in the sink.
    copied: usize,
    depth: usize,
    /// What the names of the open objects leave to be found, for the first few.
    levels: [Level; Level::DEPTH],
    /// The name of the value that comes next.
    key: Option<Key<'a>>,
    scanned: Scanned<'a>,
}

struct Key<'a> {
    name: &'a [u8],
    /// The field that it completes.
    field: Option<Field>,
    /// What is left to be found below it.
    below: Level,
}

impl<'a> Pass<'a> {
    fn run(&mut self, sink: &mut impl Sink) {
        while let Some(byte) = self.json.get(self.at) {
            match byte {
                b'"' => self.string(),
                b'{' => {
                    let level = match (&self.key, self.depth) {
                        (Some(key), _) => key.below,
                        (None, 0) => Level::START,
                        (None, _) => Level::NOWHERE,
                    };
                    self.open(level);
                }
                b'[' => self.open(Level::NOWHERE),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                b'-' | b'0'..=b'9' => self.number(sink),
                b't' | b'f' | b'n' => {
                    let length = self.length(u8::is_ascii_lowercase);
                    self.scalar(2, length);
                }
                _ => self.at += 1,
            }
        }
    }

    fn open(&mut self, level: Level) {
        self.at += 1;
        self.depth += 1;
        if let Some(slot) = self.levels.get_mut(self.depth) {
            *slot = level;
        }
        // Lengths of what is inside are not known yet: of four bytes each they may be up to 256 MiB.
        self.scanned.weight += 1 + 4;
        self.member(None);
    }

    /// How many bytes from here are as `is_part` says.
    fn length(&self, is_part: impl Fn(&u8) -> bool) -> usize {
        let rest = &self.json[self.at..];
        rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())
    }

    /// A name or a text.
    fn string(&mut self) {
        let start = self.at;
        let mut end = start + 1;
        loop {
            match memchr2(b'"', b'\\', self.json.get(end..).unwrap_or_default()) {
                Some(found) if self.json[end + found] == b'\\' => end += found + 2,
                Some(found) => {
                    end += found;
                    break;
                }
                None => {
                    // No text at all: what is left is copied.
                    self.at = self.json.len();
                    return;
                }
            }
        }
        let inside = &self.json[start + 1..end];
        let mut after = end + 1;
        while matches!(self.json.get(after), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            after += 1;
        }
        if self.key.is_none() && self.json.get(after) == Some(&b':') {
            let level = self.levels.get(self.depth).copied().unwrap_or(Level::NOWHERE);
            let (field, below) = level.enter(inside);
            self.key = Some(Key {
                name: inside,
                field,
                below,
            });
            self.at = after + 1;
            return;
        }
        let weight = sized(inside.len() as u64);
        self.scalar(weight, end + 1 - start);
    }

    fn number(&mut self, sink: &mut impl Sink) {
        let length = self.length(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
        let text = &self.json[self.at..self.at + length];
        if fits_a_double(text) {
            self.scalar(9, length);
            return;
        }
        sink.put(&self.json[self.copied..self.at]);
        sink.put(b"\"");
        sink.put(text);
        sink.put(b"\"");
        self.copied = self.at + length;
        self.scalar(sized(length as u64), length);
    }

    /// A value of `length` bytes here, of `weight` in the API's form.
    fn scalar(&mut self, weight: u64, length: usize) {
        let text = &self.json[self.at..self.at + length];
        if let Some(field) = self.key.as_ref().and_then(|key| key.field) {
            self.scanned.found.set(field, text);
        }
        self.at += length;
        self.member(Some(weight));
    }

    /// What a value costs as a member of an object or a list: tags and lengths, and its name. `weight` is not known of
    /// what is only being opened.
    fn member(&mut self, weight: Option<u64>) {
        let value = weight.map_or(1 + 4, sized);
        self.scanned.weight += match self.key.take() {
            None => value,
            Some(key) => {
                let entry = sized(key.name.len() as u64) + value;
                match weight {
                    Some(_) => sized(entry),
                    None => 1 + 4 + entry,
                }
            }
        };
    }
}

/// A field of `length` bytes with its tag and its length.
pub(super) fn sized(length: u64) -> u64 {
    let bits = u64::from(64 - (length | 1).leading_zeros());
    1 + bits.div_ceil(7) + length
}

/// Whether a double keeps it as well as it can be kept: an integer exactly, a fraction to its precision.
fn fits_a_double(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.iter().all(u8::is_ascii_digit) {
        // Numbers have no leading zeros.
        return digits.len() <= 15 || (digits.len() <= 16 && integer(digits) <= EXACT);
    }
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .is_some_and(f64::is_finite)
}

fn integer(digits: &[u8]) -> u128 {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u128::from(digit.wrapping_sub(b'0')))
}
