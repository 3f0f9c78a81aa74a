//! What one request may hold, by AWS's own model of the API (`service-2.json`).

use crate::destination::{Limits, Record};

const MAX_RECORDS: u32 = 500;
/// Of a record, before base64.
const MAX_RECORD: u64 = 1_024_000;
/// "Up to a limit of 4 MB for the entire request", of which it is not said whether base64 counts: 3,000,000 bytes are
/// 4,000,000 in base64, which is inside in each reading.
const MAX_BYTES: u64 = 3_000_000;
/// Base64 rounds each record up to three bytes.
const ROUNDING: u32 = 2;

/// One request at a time: what failed goes again before what comes after it.
pub(super) const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    records: MAX_RECORDS,
    overhead: ROUNDING,
    envelope: 0,
    record_bytes: MAX_RECORD,
    span: None,
    in_flight: 1,
};

/// With the newline.
pub(super) fn size(record: &Record<'_>) -> u64 {
    record.json.len() as u64 + 1
}
