//! What one request may hold (Google Cloud Logging, "Quotas and limits").
//!
//! The API counts its own form of a request and not our JSON, 10 MiB of it and about 256 KiB an entry. A record's size is
//! therefore the larger of both: of the JSON, and of an upper bound of that form ([`super::payload`]).

use super::resource::VM_BYTES;
use crate::destination::Limits;

/// "Request payload size exceeds the limit: 10485760 bytes".
const REQUEST: u64 = 10_485_760;

/// 256 KiB, of which the API keeps a little for what it adds.
const ENTRY: u64 = 256 * 1024;

/// `around` bytes stand before and after the entries. Order does not matter to the API, but one request at a time keeps its
/// quota.
pub(super) fn limits(around: usize) -> Limits {
    Limits {
        bytes: REQUEST,
        records: Limits::MAX_RECORDS,
        // A comma.
        overhead: 1,
        envelope: u32::try_from(around).unwrap_or(u32::MAX).saturating_add(VM_BYTES),
        record_bytes: ENTRY,
        span: None,
        in_flight: 1,
    }
}
