//! A Fluent Bit event's header: which layout, what time, record or group marker. Pure.
//!
//! An event is `[[TIME, METADATA], BODY]` (V2, since Fluent Bit 2.1) or `[TIME, BODY]` (V1). TIME is an EventTime (ext
//! type 0: seconds and nanoseconds, four bytes each), an integer or a float of seconds. A time of -1 or -2 marks the
//! beginning or the end of a group, whose metadata and body describe the group: no log record. As the host does, the
//! seconds of an EventTime are read as signed, and other negative times are no event's.
//!
//! The metadata of a V2 event is passed over, as the host's own outputs do: the record is the body.

use super::fault::{Fault, NotAnEvent};
use super::msgpack::{Reader, Token};
use crate::time::Timestamp;

/// What an event's header says; the body follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A log record of this time.
    Record(Timestamp),
    /// The beginning or the end of a group.
    GroupMarker,
}

/// Reads an event up to its body.
pub(super) fn header(reader: &mut Reader<'_>) -> Result<Header, Fault> {
    if reader.token()? != Token::Array(2) {
        return Err(Fault::NotAnEvent(NotAnEvent::Root));
    }
    match reader.token()? {
        Token::Array(2) => {
            let time = reader.token()?;
            let mut metadata = *reader;
            if !matches!(metadata.token()?, Token::Map(_)) {
                return Err(Fault::NotAnEvent(NotAnEvent::Header));
            }
            reader.skip()?;
            header_of(time)
        }
        Token::Array(_) => Err(Fault::NotAnEvent(NotAnEvent::Header)),
        time => header_of(time),
    }
}

fn header_of(time: Token<'_>) -> Result<Header, Fault> {
    let range = Fault::NotAnEvent(NotAnEvent::TimeRange);
    let nanos = match time {
        Token::Unsigned(seconds) => i64::try_from(seconds)
            .ok()
            .and_then(|s| s.checked_mul(1_000_000_000)),
        Token::Signed(seconds) => seconds.checked_mul(1_000_000_000),
        Token::F32(seconds) => nanos_of(f64::from(seconds)),
        Token::F64(seconds) => nanos_of(seconds),
        Token::Ext(0, &[a, b, c, d, e, f, g, h]) => {
            let seconds = i64::from(i32::from_be_bytes([a, b, c, d]));
            let nanos = i64::from(u32::from_be_bytes([e, f, g, h]));
            if seconds < 0 {
                // The host writes markers without a fraction; its own reader looks at the seconds only.
                Some(seconds * 1_000_000_000)
            } else {
                Some(seconds * 1_000_000_000 + nanos)
            }
        }
        _ => return Err(Fault::NotAnEvent(NotAnEvent::Time)),
    };
    match nanos {
        Some(-1_000_000_000 | -2_000_000_000) => Ok(Header::GroupMarker),
        Some(nanos @ 0..) => Ok(Header::Record(Timestamp(nanos))),
        _ => Err(range),
    }
}

/// Seconds to nanoseconds, whole seconds exactly.
fn nanos_of(seconds: f64) -> Option<i64> {
    /// The last whole second of a [`Timestamp`].
    const LAST: f64 = 9_223_372_035.0;
    if !(-2.0..=LAST).contains(&seconds) {
        return None;
    }
    Some(seconds.trunc() as i64 * 1_000_000_000 + (seconds.fract() * 1e9) as i64)
}

/// Where, at `from` or later, an event seems to start: its header is whole, its time is written as Fluent Bit writes
/// times (EventTime, four or eight bytes of seconds, float) and a map follows. Looks at a few bytes for each place, so the cost
/// is linear. `None`: nowhere.
pub fn resync(input: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let rest = input.get(from..)?;
        let at = from + memchr::memchr(0x92, rest)?;
        if is_plausible(&input[at..]) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn is_plausible(input: &[u8]) -> bool {
    let (Some(0x92), Some(second)) = (input.first(), input.get(1)) else {
        return false;
    };
    let mut reader = Reader::new(&input[if *second == 0x92 { 2 } else { 1 }..]);
    if !matches!(reader.peek(), Some(0xd7 | 0xc7 | 0xce | 0xcf | 0xca | 0xcb)) {
        return false;
    }
    let header = reader.token().and_then(header_of);
    header.is_ok() && matches!(reader.token(), Ok(Token::Map(_)))
}
