//! How full a batch is: the one place that decides whether the next record fits. Pure.

use std::time::Duration;

use super::Limits;
use crate::time::Timestamp;

/// What a batch holds so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    records: u32,
    /// JSON bytes and overheads, without the envelope.
    bytes: u64,
    /// Smallest and largest event time.
    times: Option<(Timestamp, Timestamp)>,
}

/// Whether a record fits into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a packer must treat all of them")]
pub enum Fit {
    /// It fits.
    Fits,
    /// Not into this batch, but into an empty one: close this one.
    Full,
    /// Into no batch: the destination can never take it.
    Never,
}

impl Load {
    /// Whether a record of `json` bytes with event time `time` fits as well.
    pub fn fit(&self, limits: &Limits, json: u64, time: Timestamp) -> Fit {
        if json > limits.record_bytes || Self::default().with(limits, json, time).exceeds(limits) {
            return Fit::Never;
        }
        if self.with(limits, json, time).exceeds(limits) {
            return Fit::Full;
        }
        Fit::Fits
    }

    /// Adds a record of `json` bytes with event time `time`.
    pub fn add(&mut self, limits: &Limits, json: u64, time: Timestamp) {
        *self = self.with(limits, json, time);
    }

    /// Records so far.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Uncompressed bytes so far, as [`Limits::bytes`] counts them.
    pub fn bytes(&self, limits: &Limits) -> u64 {
        self.bytes.saturating_add(limits.envelope.into())
    }

    /// Smallest and largest event time so far.
    pub fn times(&self) -> Option<(Timestamp, Timestamp)> {
        self.times
    }

    fn with(&self, limits: &Limits, json: u64, time: Timestamp) -> Self {
        let cost = json.saturating_add(limits.overhead.into());
        let (earliest, latest) = self.times.unwrap_or((time, time));
        Self {
            records: self.records.saturating_add(1),
            bytes: self.bytes.saturating_add(cost),
            times: Some((earliest.min(time), latest.max(time))),
        }
    }

    fn exceeds(&self, limits: &Limits) -> bool {
        let span = self.times.map_or(Duration::ZERO, |(earliest, latest)| {
            Duration::from_nanos(latest.0.abs_diff(earliest.0))
        });
        self.records > limits.records.min(Limits::MAX_RECORDS)
            || self.bytes(limits) > limits.bytes
            || limits.span.is_some_and(|most| span > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 100,
        records: 3,
        overhead: 10,
        envelope: 4,
        record_bytes: 80,
        span: Some(Duration::from_nanos(5)),
        in_flight: 1,
    };

    fn filled(records: &[(u64, i64)]) -> Load {
        let mut load = Load::default();
        for (json, time) in records {
            load.add(&LIMITS, *json, Timestamp(*time));
        }
        load
    }

    #[test]
    fn each_limit_is_reached_but_not_passed() {
        for (before, json, time, fit) in [
            (&[][..], 80, 0, Fit::Fits),
            (&[], 81, 0, Fit::Never),
            (&[(36, 0)], 40, 0, Fit::Fits),
            (&[(36, 0)], 41, 0, Fit::Full),
            (&[(0, 0), (0, 0)], 0, 0, Fit::Fits),
            (&[(0, 0), (0, 0), (0, 0)], 0, 0, Fit::Full),
            (&[(0, 2)], 0, 7, Fit::Fits),
            (&[(0, 2)], 0, 8, Fit::Full),
            (&[(0, 2), (0, 5)], 0, 0, Fit::Fits),
            (&[(0, 2), (0, 5)], 0, -1, Fit::Full),
            (&[(0, i64::MIN)], 0, i64::MAX, Fit::Full),
            (&[], u64::MAX, 0, Fit::Never),
        ] {
            assert_eq!(
                filled(before).fit(&LIMITS, json, Timestamp(time)),
                fit,
                "{before:?} + {json} at {time}"
            );
        }
    }

    #[test]
    fn a_record_that_fills_a_request_alone_never_fits_beyond_it() {
        let limits = Limits {
            record_bytes: u64::MAX,
            ..LIMITS
        };
        assert_eq!(Load::default().fit(&limits, 86, Timestamp(0)), Fit::Fits);
        assert_eq!(Load::default().fit(&limits, 87, Timestamp(0)), Fit::Never);
    }

    #[test]
    fn no_batch_outgrows_a_journal_entry() {
        let limits = Limits {
            records: u32::MAX,
            bytes: u64::MAX,
            span: None,
            ..LIMITS
        };
        let load = Load {
            records: Limits::MAX_RECORDS,
            ..Load::default()
        };
        assert_eq!(load.fit(&limits, 0, Timestamp(0)), Fit::Full);
    }
}
