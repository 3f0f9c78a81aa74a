//! What one object may hold.

use crate::destination::{Format, Limits};

/// A file system has no limit that matters here; memory has: a batch is held plain and compressed while it is written.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One at a time: a local directory has no round trip to hide, and so objects appear in the order of the spool.
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
