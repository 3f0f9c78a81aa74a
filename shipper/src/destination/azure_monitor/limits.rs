//! What one request, one column and one time may be (Azure Monitor, "Logs Ingestion API limits" and "standard columns").

use std::time::Duration;

use crate::destination::Limits;

/// 1 MB of a call, plain and compressed, with room for its head.
const REQUEST: u64 = 950_000;

/// A longer value of a column is cut without a word: 64 KB, by the smaller of the two readings.
pub(super) const FIELD: usize = 64_000;

/// A row beside its record: braces, time, the name of a column of 45 letters, commas.
const ROW: u32 = 112;

/// An event that is older gets the time of its arrival, without a word.
pub(super) const MAX_AGE: Duration = Duration::from_secs(2 * 24 * 3600);
/// One that is further ahead too.
pub(super) const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// What is kept away from both, for the way and for two clocks that differ.
pub(super) const MARGIN: Duration = Duration::from_secs(300);

/// The API knows no order.
pub(super) fn limits() -> Limits {
    Limits {
        bytes: REQUEST,
        records: Limits::MAX_RECORDS,
        overhead: ROW,
        // Two brackets.
        envelope: 2,
        record_bytes: u64::MAX,
        span: None,
        in_flight: Limits::MAX_IN_FLIGHT,
    }
}
