//! What one request may hold.

use crate::destination::{Format, Limits};

/// A receiver's own limit is unknown until it answers 413, which halves the batch; this one keeps memory bounded.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One at a time: most receivers keep what they get in the order in which it comes.
pub(super) fn limits(format: Format) -> Limits {
    let (overhead, envelope) = format.framing();
    Limits {
        bytes: MAX_BYTES,
        records: Limits::MAX_RECORDS,
        overhead,
        envelope,
        record_bytes: u64::MAX,
        span: None,
        in_flight: 1,
    }
}
