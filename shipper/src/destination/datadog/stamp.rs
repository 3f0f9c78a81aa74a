//! Which time a log gets. Pure: of the record and of the journal.

use std::time::Duration;

use super::Config;
use super::config::TooOld;
use crate::destination::{Attempt, Batch, Record};
use crate::time::Timestamp;

/// The oldest log that the intake keeps.
const MAX_AGE: Duration = Duration::from_secs(18 * 3600);
/// What restamping leaves for the way, for retries and for two clocks that differ.
const MARGIN: Duration = Duration::from_secs(3600);
/// A log this much younger than the limit may be too old by the time at which it is looked at.
const LATE: Duration = Duration::from_secs(300);

/// The time of the log that `record` becomes. A time before 1970 cannot be sent: it becomes 1970, which is too old.
pub(super) fn stamp(config: &Config, attempt: &Attempt, record: &Record<'_>) -> Timestamp {
    let own = record.entry.time;
    let stamp = match config.too_old {
        TooOld::Restamp if own < before(attempt.made_at, MAX_AGE - MARGIN) => attempt.made_at,
        TooOld::Restamp | TooOld::DeadLetter => own,
    };
    stamp.max(Timestamp(0))
}

/// The oldest time of a log that the intake keeps if it is sent at `now`.
pub(super) fn oldest(now: Timestamp) -> Timestamp {
    before(now, MAX_AGE - LATE)
}

/// Whether a time that stands for that of a record, or its own, has become too old since the batch was made.
pub(super) fn is_stale(config: &Config, batch: &Batch<'_>, now: Timestamp) -> bool {
    let is_old = |record: &Record<'_>| stamp(config, batch.attempt, record) < oldest(now);
    config.too_old == TooOld::Restamp && batch.records.iter().any(is_old)
}

/// `time` less `by`.
fn before(time: Timestamp, by: Duration) -> Timestamp {
    let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(time.0.saturating_sub(nanos))
}
