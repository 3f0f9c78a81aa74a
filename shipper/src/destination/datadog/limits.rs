//! What one request may hold, by Datadog's documentation of its intake. Everything is counted before compression.

use super::Config;
use crate::destination::{Limits, Record};

const MAX_BYTES: u64 = 5_000_000;
const MAX_LOGS: u32 = 1_000;
/// Above it a log is cut.
const MAX_LOG: u64 = 1_000_000;
/// The most digits of a time in milliseconds that can be said (1970 to 2262).
const TIME_DIGITS: u64 = 13;

/// Logs carry their time, so their order is free.
pub(super) fn limits() -> Limits {
    Limits {
        bytes: MAX_BYTES,
        records: MAX_LOGS,
        // A comma.
        overhead: 1,
        // Brackets.
        envelope: 2,
        record_bytes: MAX_LOG,
        span: None,
        in_flight: Limits::MAX_IN_FLIGHT,
    }
}

/// The log that the record becomes.
pub(super) fn size(config: &Config, record: &Record<'_>) -> u64 {
    let around = config.head.len() + config.middle.len() + 1;
    record.json.len() as u64 + around as u64 + TIME_DIGITS
}
