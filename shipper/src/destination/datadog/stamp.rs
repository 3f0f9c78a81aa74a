//! Which time a log gets. Pure: of the record and of the journal.

use std::time::Duration;

use super::Config;
use super::config::TooOld;
use crate::destination::{Attempt, Record};
use crate::time::Timestamp;

/// The oldest log that the intake keeps.
pub(super) const MAX_AGE: Duration = Duration::from_secs(18 * 3600);
/// What restamping leaves for the way, for retries and for two clocks that differ.
const MARGIN: Duration = Duration::from_secs(3600);

/// The time of the log that `record` becomes. A time before 1970 cannot be sent: it becomes 1970, which is too old.
pub(super) fn stamp(config: &Config, attempt: &Attempt, record: &Record<'_>) -> Timestamp {
    let own = record.entry.time;
    let stamp = match config.too_old {
        TooOld::Restamp if own < before(attempt.made_at, MAX_AGE - MARGIN) => attempt.made_at,
        TooOld::Restamp | TooOld::DeadLetter => own,
    };
    stamp.max(Timestamp(0))
}

/// `time` less `by`.
pub(super) fn before(time: Timestamp, by: Duration) -> Timestamp {
    let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(time.0.saturating_sub(nanos))
}
