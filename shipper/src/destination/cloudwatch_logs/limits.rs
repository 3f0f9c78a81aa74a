//! What one request may hold, by AWS's own model of the API (`service-2.json`).

use std::time::Duration;

use super::Config;
use crate::destination::{Limits, Record};

/// Of a request: the sum of its messages' UTF-8 bytes and [`EVENT_OVERHEAD`] for each.
const MAX_BYTES: u64 = 1_048_576;
const MAX_EVENTS: u32 = 10_000;
/// What the service counts for each event beside its message.
pub(super) const EVENT_OVERHEAD: u32 = 26;
/// A message alone in its request.
pub(super) const MAX_MESSAGE: u64 = MAX_BYTES - EVENT_OVERHEAD as u64;
const MAX_SPAN: Duration = Duration::from_secs(24 * 3600);

/// One request at a time: events of one stream then come in the order of the spool.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        bytes: MAX_BYTES,
        records: MAX_EVENTS,
        overhead: EVENT_OVERHEAD,
        envelope: 0,
        record_bytes: config.max_event_bytes,
        span: Some(MAX_SPAN),
        in_flight: 1,
    }
}

/// What counts is the message itself, not how it is escaped in the request.
pub(super) fn size(record: &Record<'_>) -> u64 {
    record.json.len() as u64
}
