//! What one request may hold.

use super::Config;
use super::config::{Ack, Mode};
use super::encode::time_length;
use crate::destination::{Limits, Record};

/// What Splunk Cloud advises and other senders keep to. Splunk Enterprise takes much more (`max_content_length`), which pays
/// with acknowledgements, as few batches wait for theirs at a time.
pub(super) const DEFAULT_BYTES: u64 = 1_000_000;

/// `{"time":` and `}`, beside the time and what is between it and the record.
const EVENT_FRAMING: u64 = 9;

/// Events carry their time, so their order is free: while one batch waits for its acknowledgement others go.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        bytes: config.max_request_bytes,
        records: Limits::MAX_RECORDS,
        overhead: 0,
        envelope: 0,
        record_bytes: u64::MAX,
        span: None,
        in_flight: match config.ack {
            Ack::Required { .. } => Limits::MAX_IN_FLIGHT,
            Ack::None => 1,
        },
    }
}

/// Exactly the bytes that the record takes in a body.
pub(super) fn size(config: &Config, record: &Record<'_>) -> u64 {
    let json = record.json.len() as u64;
    match config.mode {
        Mode::Event => EVENT_FRAMING + time_length(record) + config.middle.len() as u64 + json,
        Mode::Raw => json + 1,
    }
}
