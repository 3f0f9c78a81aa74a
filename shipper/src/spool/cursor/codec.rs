//! A slot's body: a state as tagged sections, little-endian. Pure. Byte by byte in `docs/FORMAT-CURSOR.md`.
//!
//! Invariants: decoding reverses encoding exactly; it never panics and allocates no more than the body holds; a body
//! whose checksum is right but which it does not understand whole is refused, never half-read: an older state in its
//! place would send records again that a newer version has delivered.

use super::counts::Counts;
use super::settled::Settled;
use super::state::{
    AttemptState, DeadLetterRetry, Entry, Hint, Hold, HoldKind, JournalledAttempt, Replay, State,
};
use crate::destination::{Attempt, BodyDigest, Compression, Format};
use crate::spool::identity::Epoch;
use crate::time::Timestamp;

/// Set in a section's tag when a reader that does not know it must refuse the cursor; without it the section is passed
/// over, and is gone after that reader's next commit.
const REQUIRED: u16 = 0x8000;

const DESTINATION: u16 = REQUIRED | 1;
const POSITION: u16 = REQUIRED | 2;
const COUNTS: u16 = REQUIRED | 3;
const ENTRY: u16 = REQUIRED | 4;
const HOLD: u16 = REQUIRED | 5;
const REPLAY: u16 = REQUIRED | 6;
const RETRY: u16 = REQUIRED | 7;
// Without it the destination is held once more, which is safe.
const COPY: u16 = 8;

/// Why a body cannot be decoded. Its checksum was right, so it is a newer version's, or a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// A section or a field ends after the bytes do.
    Short,
    /// A section has more bytes than its fields.
    Long,
    /// A required section with this tag is not known.
    UnknownSection(u16),
    /// A field has a value without a meaning.
    UnknownValue(&'static str),
    /// A section is missing, or is there twice.
    NotOnce(&'static str),
    /// The state breaks one of its rules.
    Unsound(super::state::Unsound),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => f.write_str("a section ends too early"),
            Self::Long => f.write_str("a section has bytes beyond its fields"),
            Self::UnknownSection(tag) => write!(f, "section {tag:#06x} is required and not known"),
            Self::UnknownValue(what) => write!(f, "{what} has a value that is not known"),
            Self::NotOnce(what) => write!(f, "section {what} is not there exactly once"),
            Self::Unsound(rule) => write!(f, "{rule}"),
        }
    }
}

/// Appends the sections of `state` to `out`.
pub(super) fn encode(destination: &str, state: &State, out: &mut Vec<u8>) {
    section(out, DESTINATION, |out| {
        out.extend_from_slice(destination.as_bytes())
    });
    section(out, POSITION, |out| {
        for number in [
            state.committed,
            state.at.segment,
            state.at.offset,
            state.desired,
            state.command,
        ] {
            put_u64(out, number);
        }
    });
    section(out, COUNTS, |out| {
        for count in state.counts.fields() {
            put_u64(out, count);
        }
    });
    for entry in &state.entries {
        section(out, ENTRY, |out| put_entry(out, entry));
    }
    if let Some(hold) = &state.hold {
        section(out, HOLD, |out| {
            put_time(out, hold.since);
            out.push(hold_number(hold.kind));
            out.extend_from_slice(&hold.target);
            out.extend_from_slice(hold.reason.as_bytes());
        });
    }
    if state.copy > 0 {
        section(out, COPY, |out| put_u64(out, state.copy));
    }
    if let Some(replay) = &state.replay {
        section(out, REPLAY, |out| {
            for number in [replay.from, replay.to, replay.at] {
                put_u64(out, number);
            }
            if let Some(entry) = &replay.entry {
                put_entry(out, entry);
            }
        });
    }
    if let Some(retry) = &state.retry {
        section(out, RETRY, |out| {
            put_u32(out, len_u32(retry.records.len()));
            for (epoch, seq) in &retry.records {
                put_u64(out, epoch.0);
                put_u64(out, *seq);
            }
            put_entry(out, &retry.batch);
        });
    }
}

/// The destination and the state of a body; `generation` comes from the slot's header.
pub(super) fn decode(body: &[u8], generation: u64) -> Result<(String, State), Malformed> {
    let mut destination = None;
    let mut position = None;
    let mut counts = None;
    let mut copy = None;
    let mut state = State {
        generation,
        ..State::default()
    };
    let mut sections = Fields(body);
    while !sections.0.is_empty() {
        let tag = sections.u16()?;
        let _reserved = sections.u16()?;
        let len = sections.u32()? as usize;
        let mut fields = Fields(sections.take(len)?);
        match tag {
            DESTINATION => once(&mut destination, fields.text("the destination")?, "destination")?,
            POSITION => once(&mut position, fields.u64s::<5>()?, "position")?,
            COUNTS => once(&mut counts, fields.u64s::<{ Counts::FIELDS }>()?, "counts")?,
            ENTRY => state.entries.push(fields.entry()?),
            HOLD => once(&mut state.hold, fields.hold()?, "hold")?,
            REPLAY => once(&mut state.replay, fields.replay()?, "replay")?,
            COPY => once(&mut copy, fields.u64()?, "copy")?,
            RETRY => once(&mut state.retry, fields.retry()?, "dead-letter retry")?,
            unknown if unknown & REQUIRED != 0 => return Err(Malformed::UnknownSection(unknown)),
            _ => continue,
        }
        if !fields.0.is_empty() {
            return Err(Malformed::Long);
        }
    }
    let [committed, segment, offset, desired, command] = position.ok_or(Malformed::NotOnce("position"))?;
    state.committed = committed;
    state.at = Hint { segment, offset };
    state.desired = desired;
    state.command = command;
    state.copy = copy.unwrap_or(0);
    state.counts = Counts::of_fields(counts.ok_or(Malformed::NotOnce("counts"))?);
    state.check().map_err(Malformed::Unsound)?;
    Ok((destination.ok_or(Malformed::NotOnce("destination"))?, state))
}

fn once<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), Malformed> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::NotOnce(name)),
    }
}

fn section(out: &mut Vec<u8>, tag: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    put_u16(out, tag);
    put_u16(out, 0);
    let at = out.len();
    put_u32(out, 0);
    fill(out);
    let len = len_u32(out.len() - at - 4);
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_u64(out, entry.first);
    put_time(out, entry.made_at);
    put_u32(out, entry.count());
    out.push(u8::from(entry.stored_any));
    out.push(u8::from(entry.attempt.is_some()));
    put_u16(out, 0);
    out.extend_from_slice(entry.settled.as_bytes());
    if let Some(attempt) = &entry.attempt {
        put_attempt(out, attempt);
    }
}

fn put_attempt(out: &mut Vec<u8>, attempt: &JournalledAttempt) {
    put_u32(out, attempt.range.start);
    put_u32(out, attempt.range.end);
    put_u64(out, attempt.sending.nonce);
    put_time(out, attempt.sending.made_at);
    put_u32(out, attempt.sending.earlier);
    out.push(match attempt.sending.format {
        Format::Ndjson => 0,
        Format::JsonArray => 1,
        Format::Native => 2,
    });
    out.push(match attempt.sending.compression {
        Compression::None => 0,
        Compression::Gzip => 1,
        Compression::Zstd => 2,
    });
    out.push(match attempt.state {
        AttemptState::Open => 0,
        AttemptState::NotStored => 1,
        AttemptState::Conflict => 2,
    });
    out.push(0);
    out.extend_from_slice(&attempt.digest.0);
    out.extend_from_slice(&attempt.fingerprint);
    put_u32(out, len_u32(attempt.sending.name.len()));
    out.extend_from_slice(attempt.sending.name.as_bytes());
}

fn hold_number(kind: HoldKind) -> u8 {
    match kind {
        HoldKind::Auth => 0,
        HoldKind::Config => 1,
        HoldKind::Conflict => 2,
        HoldKind::Unacknowledged => 3,
        HoldKind::Rate => 4,
        HoldKind::NotKept => 5,
        HoldKind::Refused => 6,
    }
}

fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.0.to_le_bytes());
}

/// Every length here is one of a checked state, far below 4 GiB.
fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Bytes that are taken from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn u64s<const N: usize>(&mut self) -> Result<[u64; N], Malformed> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.u64()?;
        }
        Ok(numbers)
    }

    fn time(&mut self) -> Result<Timestamp, Malformed> {
        self.array().map(|bytes| Timestamp(i64::from_le_bytes(bytes)))
    }

    fn flag(&mut self, what: &'static str) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::UnknownValue(what)),
        }
    }

    /// All that is left, as UTF-8.
    fn text(&mut self, what: &'static str) -> Result<String, Malformed> {
        text(std::mem::take(&mut self.0), what)
    }

    fn entry(&mut self) -> Result<Entry, Malformed> {
        let first = self.u64()?;
        let made_at = self.time()?;
        let count = self.u32()?;
        let stored_any = self.flag("stored-any")?;
        let has_attempt = self.flag("has-attempt")?;
        let _reserved = self.u16()?;
        let settled = self.take(Settled::bytes_for(count))?;
        Ok(Entry {
            first,
            settled: Settled::from_bytes(count, settled).ok_or(Malformed::UnknownValue("a disposition"))?,
            made_at,
            attempt: has_attempt.then(|| self.attempt()).transpose()?,
            stored_any,
        })
    }

    fn attempt(&mut self) -> Result<JournalledAttempt, Malformed> {
        let range = self.u32()?..self.u32()?;
        let nonce = self.u64()?;
        let made_at = self.time()?;
        let earlier = self.u32()?;
        let format = match self.u8()? {
            0 => Format::Ndjson,
            1 => Format::JsonArray,
            2 => Format::Native,
            _ => return Err(Malformed::UnknownValue("a format")),
        };
        let compression = match self.u8()? {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Zstd,
            _ => return Err(Malformed::UnknownValue("a compression")),
        };
        let state = match self.u8()? {
            0 => AttemptState::Open,
            1 => AttemptState::NotStored,
            2 => AttemptState::Conflict,
            _ => return Err(Malformed::UnknownValue("the state of an attempt")),
        };
        let _reserved = self.u8()?;
        let digest = BodyDigest(self.array()?);
        let fingerprint = self.array()?;
        let name_len = self.u32()? as usize;
        let name = text(self.take(name_len)?, "a name")?;
        let sending = Attempt {
            nonce,
            made_at,
            name,
            format,
            compression,
            earlier,
        };
        Ok(JournalledAttempt {
            range,
            sending,
            digest,
            fingerprint,
            state,
        })
    }

    fn hold(&mut self) -> Result<Hold, Malformed> {
        let since = self.time()?;
        let kind = match self.u8()? {
            0 => HoldKind::Auth,
            1 => HoldKind::Config,
            2 => HoldKind::Conflict,
            3 => HoldKind::Unacknowledged,
            4 => HoldKind::Rate,
            5 => HoldKind::NotKept,
            6 => HoldKind::Refused,
            _ => return Err(Malformed::UnknownValue("the kind of a hold")),
        };
        Ok(Hold {
            kind,
            target: self.array()?,
            reason: self.text("the reason of a hold")?,
            since,
        })
    }

    fn replay(&mut self) -> Result<Replay, Malformed> {
        let [from, to, at] = self.u64s()?;
        let entry = (!self.0.is_empty()).then(|| self.entry()).transpose()?;
        Ok(Replay { from, to, at, entry })
    }

    fn retry(&mut self) -> Result<DeadLetterRetry, Malformed> {
        let count = self.u32()? as usize;
        if count > DeadLetterRetry::MAX_RECORDS {
            return Err(Malformed::Unsound(super::state::Unsound::RetryDisagrees));
        }
        let mut records = Vec::with_capacity(count);
        for _ in 0..count {
            records.push((Epoch(self.u64()?), self.u64()?));
        }
        Ok(DeadLetterRetry {
            records,
            batch: self.entry()?,
        })
    }
}

fn text(bytes: &[u8], what: &'static str) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::UnknownValue(what))
}
