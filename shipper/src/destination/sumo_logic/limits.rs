//! What one request may hold, by Sumo Logic's advice for HTTP sources. Counted before compression.

use super::Config;
use super::config::LongRecords;
use crate::destination::Limits;

/// The most that is advised.
const MAX_BYTES: u64 = 1_000_000;
/// A longer message is split: "64 KB", by the smaller meaning of the word.
const MAX_MESSAGE: u64 = 64_000;

/// Few connections for each source are advised: one.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        bytes: MAX_BYTES,
        records: Limits::MAX_RECORDS,
        // A newline.
        overhead: 1,
        envelope: 0,
        record_bytes: match config.long_records {
            LongRecords::DeadLetter => MAX_MESSAGE,
            LongRecords::Split => u64::MAX,
        },
        span: None,
        in_flight: 1,
    }
}
