//! Records: msgpack or a line of JSON in, one JSON object out, and what identifies and classifies it. Pure.
//!
//! # In scope
//! Fluent Bit's chunks ([`SourceFormat::FluentBit`]: events one after another, see `event.rs`) and lines of JSON
//! ([`SourceFormat::Ndjson`]); the documented mappings of what cannot be JSON (`encode.rs`, `json.rs`, `names.rs`); the event id,
//! the event time and the ECS categories of a record, collected while it is encoded.
//!
//! # Out of scope
//! Identity, exclusion, de-duplication and what auditship adds to a record ([`crate::ingest`]).
//!
//! # Invariants
//! 1. [`Transcoder::next`] never panics, whatever the input; each call moves forward or says [`Step::End`].
//! 2. After [`Step::Record`] the output has grown by one valid JSON object (no newline in it from msgpack; lines have none);
//!    after any other step it is as long as before.
//! 3. Every byte of the input belongs to exactly one step: a record, a marker, an undecodable region, or a blank line.
//! 4. What is well-formed but cannot be kept (no event, too deep, too large) is one region, and the next value is looked at.
//!    Where msgpack itself is broken there is no telling where the next value starts: the rest of the chunk is one region.
//! 5. One pass, no tree, no copy of the input but for lines that are not UTF-8. Stack and memory are bounded by
//!    [`Settings::max_depth`] and [`Settings::max_record_bytes`].
//!
//! Runs on the instance thread (its own stack), in tests and in the fuzz targets; holds no state between steps but buffers.
//!
//! # Why by hand
//! rmp-serde streamed into serde_json needs 2.0 us for an audit record of 620 bytes of JSON, and through a `serde_json::Value`
//! 5.5 us. This needs 1.7 us, and in that finds id, time, categories and repeated keys, maps what JSON lacks, and includes the record
//! table and CRC32C, which the other two figures do not (`make bench`; best of seven rounds on a busy machine
//! with two cores). It also does what a serde serializer cannot: refuse one record and go on behind it, and stop at a limit.

mod categories;
mod collect;
mod encode;
mod event;
mod fault;
mod json;
mod msgpack;
mod names;
mod path;
mod text;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use categories::Categories;
pub use collect::Meta;
pub use event::resync;
pub use fault::{Fault, NotAnEvent};
pub use path::KeyPath;

use crate::spool::draft::SourceFormat;
use collect::Collector;
use encode::Encoder;
use event::Header;
use json::Scanner;
use msgpack::Reader;
use names::Names;
use path::Paths;

/// Which fields of a record to read, and how large it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are made by whoever reads the configuration"
)]
pub struct Settings {
    /// Where the event id stands: a string or a number. Default `event.id`.
    pub id_key: KeyPath,
    /// Where the event time stands: RFC 3339. Default `@timestamp`.
    pub time_key: KeyPath,
    /// Where the ECS categories stand: a string or an array of strings. Default `event.category`.
    pub category_key: KeyPath,
    /// How deep arrays and maps may be nested, the record itself included; at most [`Settings::MAX_DEPTH`] is used.
    pub max_depth: usize,
    /// How long a record's own JSON may be, in bytes; at most [`Settings::MAX_RECORD_BYTES`] is used.
    pub max_record_bytes: usize,
}

impl Settings {
    /// Readers in the field give up at 128 (serde_json among them); auditship itself may wrap a record once more.
    pub const MAX_DEPTH: usize = 120;
    /// A record's length has 32 bits in the record table; this leaves room for what is added.
    pub const MAX_RECORD_BYTES: usize = 1 << 30;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            id_key: KeyPath::new("event.id"),
            time_key: KeyPath::new("@timestamp"),
            category_key: KeyPath::new("event.category"),
            max_depth: 100,
            max_record_bytes: 8 << 20,
        }
    }
}

/// How far a chunk has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever reads a file in pieces carries the line on"
)]
pub struct Position {
    /// The bytes before it.
    pub offset: usize,
    /// The number of the line it is in, from 1. Not used for msgpack.
    pub line: u64,
}

impl Default for Position {
    fn default() -> Self {
        Self { offset: 0, line: 1 }
    }
}

/// What [`Transcoder::next`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "ingest must account for every byte")]
pub enum Step {
    /// A record: its JSON was appended to the output.
    Record(Meta),
    /// The beginning or the end of a group of records.
    GroupMarker,
    /// These bytes of the input are no record.
    Undecodable {
        /// Which bytes.
        region: Range<usize>,
        /// The number of the line, for lines.
        line: Option<u64>,
        /// What is wrong with them.
        fault: Fault,
    },
    /// The input is used up.
    End,
}

/// Turns input into JSON, record by record. Keeps its buffers from one chunk to the next.
#[derive(Debug)]
pub struct Transcoder {
    paths: Paths,
    max_depth: usize,
    max_record_bytes: usize,
    names: Names,
}

impl Transcoder {
    /// A transcoder with these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            paths: Paths::new(&settings.id_key, &settings.time_key, &settings.category_key),
            max_depth: settings.max_depth.min(Settings::MAX_DEPTH),
            max_record_bytes: settings.max_record_bytes.min(Settings::MAX_RECORD_BYTES),
            names: Names::default(),
        }
    }

    /// Takes the next piece of `input` at `at`, and moves `at` behind it. A record's JSON is appended to `out`.
    pub fn next(&mut self, source: SourceFormat, input: &[u8], at: &mut Position, out: &mut Vec<u8>) -> Step {
        let start = out.len();
        let step = match source {
            SourceFormat::FluentBit => self.event(input, at, out),
            SourceFormat::Ndjson => self.line(input, at, out),
        };
        if !matches!(step, Step::Record(_)) {
            out.truncate(start);
            self.names.clear();
        }
        step
    }

    fn event(&mut self, input: &[u8], at: &mut Position, out: &mut Vec<u8>) -> Step {
        let from = at.offset;
        let Some(rest @ [_, ..]) = input.get(from..) else {
            return Step::End;
        };
        let mut reader = Reader::new(rest);
        let result = event::header(&mut reader).and_then(|header| match header {
            Header::GroupMarker => reader.skip().map(|()| Step::GroupMarker),
            Header::Record(time) => {
                let mut encoder = Encoder {
                    reader,
                    limit: out.len().saturating_add(self.max_record_bytes),
                    out,
                    max_record_bytes: self.max_record_bytes,
                    max_depth: self.max_depth,
                    collector: Collector {
                        paths: &self.paths,
                        names: &mut self.names,
                        meta: Meta {
                            host_time: Some(time),
                            ..Meta::default()
                        },
                    },
                };
                encoder.record()?;
                reader = encoder.reader;
                Ok(Step::Record(encoder.collector.meta))
            }
        });
        match result {
            Ok(step) => {
                at.offset = input.len() - reader.left();
                step
            }
            Err(fault) => {
                let (end, fault) = match well_formed(rest) {
                    Ok(len) => (from + len, fault),
                    // Broken further on, which weighs more than what was found first.
                    Err(damage) => (input.len(), damage),
                };
                at.offset = end;
                Step::Undecodable {
                    region: from..end,
                    line: None,
                    fault,
                }
            }
        }
    }

    fn line(&mut self, input: &[u8], at: &mut Position, out: &mut Vec<u8>) -> Step {
        while let Some(rest @ [_, ..]) = input.get(at.offset..) {
            let (from, number) = (at.offset, at.line);
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            at.offset = from + rest.len().min(len + 1);
            at.line = number.saturating_add(1);
            let mut line = &rest[..len];
            if number == 1 {
                line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return match self.json(line, out) {
                Ok(meta) => Step::Record(meta),
                Err(fault) => Step::Undecodable {
                    region: from..from + len,
                    line: Some(number),
                    fault,
                },
            };
        }
        Step::End
    }

    fn json(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Meta, Fault> {
        let too_large = Err(Fault::TooLarge {
            max: self.max_record_bytes,
        });
        if line.len() > self.max_record_bytes {
            return too_large;
        }
        let start = out.len();
        let text = String::from_utf8_lossy(line);
        let collector = Collector {
            paths: &self.paths,
            names: &mut self.names,
            meta: Meta {
                repaired: matches!(text, std::borrow::Cow::Owned(_)),
                ..Meta::default()
            },
        };
        let meta = Scanner::new(&text, out, self.max_depth, collector).record()?;
        if out.len() - start > self.max_record_bytes {
            return too_large;
        }
        Ok(meta)
    }
}

/// How long the value is that `input` begins with, provided it is well-formed msgpack.
fn well_formed(input: &[u8]) -> Result<usize, Fault> {
    let mut reader = Reader::new(input);
    reader.skip()?;
    Ok(input.len() - reader.left())
}
