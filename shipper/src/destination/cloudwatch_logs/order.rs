//! The times that events get and the order in which they stand in a request. Pure.
//!
//! The service wants events in the order of their times. Records of one time keep the order of the spool.

use std::time::Duration;

use super::Config;
use crate::destination::{Batch, Record, TooOld};
use crate::time::Timestamp;

/// The oldest event that the service takes.
const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// The newest.
const MAX_AHEAD: Duration = Duration::from_secs(2 * 3600);
/// What restamping leaves between a record and the two limits, for the way, for retries and for two clocks that differ.
pub(super) const MARGIN: Duration = Duration::from_secs(3600);
/// An event this much younger than the limit may be too old by the time at which it is looked at.
const LATE: Duration = Duration::from_secs(300);

/// Which time each record of a batch gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamps {
    /// Its own.
    Own,
    /// `made_at`, whatever its own.
    All { made_at: Timestamp },
    /// Its own, but `made_at` when its own is later than `latest`.
    TooNew { made_at: Timestamp, latest: Timestamp },
}

impl Stamps {
    pub(super) fn new(config: &Config, batch: &Batch<'_>) -> Self {
        let made_at = batch.attempt.made_at;
        match config.too_old {
            TooOld::DeadLetter => Self::Own,
            TooOld::Restamp => {
                let oldest = minus(made_at, kept(config).saturating_sub(MARGIN));
                if batch.records.iter().any(|record| record.entry.time < oldest) {
                    return Self::All { made_at };
                }
                let latest = made_at.plus(MAX_AHEAD.saturating_sub(MARGIN));
                Self::TooNew { made_at, latest }
            }
        }
    }

    /// The event's time in milliseconds. A time before 1970 cannot be sent: it becomes 0, which is too old.
    pub(super) fn of(self, record: &Record<'_>) -> i64 {
        let time = match self {
            Self::Own => record.entry.time,
            Self::All { made_at } => made_at,
            Self::TooNew { made_at, latest } if record.entry.time > latest => made_at,
            Self::TooNew { .. } => record.entry.time,
        };
        time.as_millis().max(0)
    }
}

/// The age of the oldest event that the group takes.
fn kept(config: &Config) -> Duration {
    config.retention().map_or(MAX_AGE, |kept| kept.min(MAX_AGE))
}

/// Whether an event's time, that of its batch or its own, has become too old since the batch was made.
pub(super) fn is_stale(config: &Config, batch: &Batch<'_>, now: Timestamp) -> bool {
    let stamps = Stamps::new(config, batch);
    let oldest = minus(now, kept(config).saturating_sub(LATE)).as_millis();
    config.too_old == TooOld::Restamp && batch.records.iter().any(|record| stamps.of(record) < oldest)
}

/// `(time in milliseconds, place in the batch)` of each event, in the order of the request.
pub(super) fn order(config: &Config, batch: &Batch<'_>) -> Vec<(i64, usize)> {
    let stamps = Stamps::new(config, batch);
    let times = batch.records.iter().map(|record| stamps.of(record));
    let mut order: Vec<(i64, usize)> = times.zip(0..).collect();
    // By time, then by place: no two are alike, so this is a stable order.
    order.sort_unstable();
    order
}

fn minus(time: Timestamp, before: Duration) -> Timestamp {
    let nanos = i64::try_from(before.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(time.0.saturating_sub(nanos))
}
