//! What one request may hold, by AWS's own model of the API (`service-2.json`), and what a shard takes.

use std::num::NonZeroU64;

use super::key::Key;
use super::plan::data_bytes;
use super::{Aggregation, Config};
use crate::destination::{Limits, Record};
use crate::transport::paced::Rate;

/// Of a request: data (before base64) and partition keys.
const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// Records of the stream in one request.
pub(super) const MAX_ENTRIES: u32 = 500;
/// The most that a stream may be set to take in one record, data and key.
pub(super) const MAX_RECORD: u64 = 10 * 1024 * 1024;
/// The least that a stream may be set to, and what it is set to by default.
pub(super) const LEAST_RECORD: u64 = 1024 * 1024;
/// Of an entry with several records: a fourth of what every stream takes in one record, so that a shard, which takes 1 MB a
/// second, is not used up by one of them.
pub(super) const AGGREGATE: u64 = LEAST_RECORD / 4;
/// What each shard takes in a second.
pub(super) fn rate(shards: NonZeroU64) -> Rate {
    Rate {
        parts: shards,
        records: 1_000,
        bytes: 1_000_000,
    }
}

/// One request at a time: what failed goes again before what comes after it. No more at once than the shards that it
/// reaches take in a second, where that is known: the rest would only be thrown back.
pub(super) fn limits(config: &Config, record_bytes: u64, rate: Option<Rate>) -> Limits {
    let bytes = rate.map_or(MAX_BYTES, |rate| {
        // Records with one value of a field are all in one shard; a record's own key spreads them over all.
        let shards = config.partition_key.as_ref().map_or(rate.parts.get(), |_| 1);
        rate.bytes.saturating_mul(shards)
    });
    Limits {
        bytes: bytes.max(record_bytes).min(MAX_BYTES),
        records: match config.aggregation {
            Aggregation::None => MAX_ENTRIES,
            Aggregation::Ndjson => Limits::MAX_RECORDS,
        },
        overhead: 0,
        envelope: 0,
        record_bytes,
        span: None,
        in_flight: 1,
    }
}

/// Data and key; in an entry of several records the key counts once, so this is an upper bound.
pub(super) fn size(config: &Config, record: &Record<'_>) -> u64 {
    let key = Key::of(config.partition_key.as_deref(), record);
    data_bytes(record) + key.text().len() as u64
}
