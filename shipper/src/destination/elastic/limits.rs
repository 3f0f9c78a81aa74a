//! What one request may hold.

use super::Config;
use super::encode::{ACTION_AFTER, ACTION_BEFORE};
use crate::destination::{Limits, Record};

/// A tenth of what a node takes by default (`http.max_content_length`): larger requests gain nothing.
pub(super) const DEFAULT_BYTES: u64 = 10_000_000;
/// As many as have their verdicts in an answer that is kept whole, with an error of 400 bytes each.
const MAX_DOCUMENTS: u32 = 2_000;
/// A key, in hexadecimal digits.
const ID: u64 = 32;

/// Documents carry their time, so their order is free.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        bytes: config.max_request_bytes,
        records: MAX_DOCUMENTS,
        overhead: 0,
        envelope: 0,
        record_bytes: u64::MAX,
        span: None,
        in_flight: Limits::MAX_IN_FLIGHT,
    }
}

/// The action and the document, each with its newline.
pub(super) fn size(record: &Record<'_>) -> u64 {
    let action = ACTION_BEFORE.len() + ACTION_AFTER.len();
    record.json.len() as u64 + action as u64 + ID + 1
}
