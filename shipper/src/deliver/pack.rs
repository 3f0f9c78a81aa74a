//! What fits into one request: bytes, records, span of event times. Pure.
//!
//! Invariant: what was taken never exceeds the limits, and a record is turned away only if with it they would be
//! exceeded. So a batch is closed only when the next record does not fit, or by its age, which the lane decides.

use std::time::Duration;

use crate::destination::Limits;
use crate::time::Timestamp;

/// What the operator allows inside the destination's own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configuration, read here")]
pub struct Batching {
    /// Uncompressed bytes of a request.
    pub bytes: u64,
    /// Records of a request.
    pub records: u32,
    /// How long the first record of a batch waits for company.
    pub age: Duration,
}

impl Batching {
    /// 5 MiB, the most records that a journal entry holds, 1 s: real time for a stream.
    pub const STREAM: Self = Self {
        bytes: 5 * 1024 * 1024,
        records: Limits::MAX_RECORDS,
        age: Duration::from_secs(1),
    };

    /// 5 MiB, the most records that a journal entry holds, 5 min: objects that are worth a request each.
    pub const OBJECTS: Self = Self {
        age: Duration::from_secs(300),
        ..Self::STREAM
    };
}

/// The sum of a batch so far.
#[derive(Clone, Debug)]
pub struct Packer {
    bytes: u64,
    records: u32,
    overhead: u64,
    envelope: u64,
    record_bytes: u64,
    span: Option<Duration>,
    taken: Taken,
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// The sizes and the overhead of each record, without the envelope.
    pub bytes: u64,
    /// How many records.
    pub records: u32,
    /// Smallest event time; of no meaning without records.
    pub earliest: Timestamp,
    /// Largest event time; of no meaning without records.
    pub latest: Timestamp,
}

/// Whether a record goes into the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the lane must treat all of them")]
pub enum Fit {
    /// It is in.
    Taken,
    /// It is the first of the next batch.
    Next,
    /// It fits into no batch at all: the limit that it exceeds, in JSON bytes.
    Never {
        /// The most that would fit.
        limit: u64,
    },
}

impl Packer {
    /// An empty batch inside both `limits` and `batching`.
    pub fn new(limits: &Limits, batching: &Batching) -> Self {
        let records = limits.records.min(batching.records).clamp(1, Limits::MAX_RECORDS);
        Self {
            bytes: limits.bytes.min(batching.bytes),
            records,
            overhead: u64::from(limits.overhead),
            envelope: u64::from(limits.envelope),
            // What one record may have is the destination's to say: a batch size that an operator chose too small for a
            // record closes the batch before it, and then lets it go alone.
            record_bytes: limits.record_bytes.min(
                limits
                    .bytes
                    .saturating_sub(u64::from(limits.overhead) + u64::from(limits.envelope)),
            ),
            span: limits.span,
            taken: Taken::default(),
        }
    }

    /// Offers the next record: `size` bytes ([`crate::destination::Destination::size`]), event time `time`.
    pub fn offer(&mut self, size: u64, time: Timestamp) -> Fit {
        if size > self.record_bytes {
            return Fit::Never {
                limit: self.record_bytes,
            };
        }
        let bytes = self
            .taken
            .bytes
            .saturating_add(size)
            .saturating_add(self.overhead);
        let mut after = Taken {
            bytes,
            records: self.taken.records.saturating_add(1),
            earliest: time,
            latest: time,
        };
        if self.taken.records > 0 {
            after.earliest = time.min(self.taken.earliest);
            after.latest = time.max(self.taken.latest);
            let full = after.records > self.records
                || bytes.saturating_add(self.envelope) > self.bytes
                || self.span.is_some_and(|span| spread(&after) > span);
            if full {
                return Fit::Next;
            }
        }
        self.taken = after;
        Fit::Taken
    }

    /// Lowers the byte limit: the receiver has said that a larger request is too large for it.
    pub fn lower(&mut self, bytes: u64) {
        self.bytes = self.bytes.min(bytes);
    }

    /// Whether no further record can fit, whatever it is.
    pub fn is_full(&self) -> bool {
        self.taken.records >= self.records
    }

    /// What is in the batch.
    pub fn taken(&self) -> Taken {
        self.taken
    }
}

fn spread(taken: &Taken) -> Duration {
    let nanos = i128::from(taken.latest.0) - i128::from(taken.earliest.0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 100,
        records: 4,
        overhead: 2,
        envelope: 10,
        record_bytes: 60,
        span: Some(Duration::from_nanos(50)),
        in_flight: 1,
    };

    const WIDE: Batching = Batching {
        bytes: u64::MAX,
        records: u32::MAX,
        age: Duration::ZERO,
    };

    #[test]
    fn a_record_that_fills_the_batch_to_the_byte_is_taken() {
        let mut packer = Packer::new(&LIMITS, &WIDE);
        assert_eq!(packer.offer(40, Timestamp(0)), Fit::Taken);
        assert_eq!(packer.offer(47, Timestamp(0)), Fit::Next);
        assert_eq!(packer.offer(46, Timestamp(0)), Fit::Taken);
    }

    #[test]
    fn the_span_is_measured_both_ways_and_is_inclusive() {
        let mut packer = Packer::new(&LIMITS, &WIDE);
        assert_eq!(packer.offer(1, Timestamp(100)), Fit::Taken);
        assert_eq!(packer.offer(1, Timestamp(60)), Fit::Taken);
        assert_eq!(packer.offer(1, Timestamp(111)), Fit::Next);
        assert_eq!(packer.offer(1, Timestamp(110)), Fit::Taken);
        let mut packer = Packer::new(&LIMITS, &WIDE);
        assert_eq!(packer.offer(1, Timestamp(i64::MIN)), Fit::Taken);
        assert_eq!(packer.offer(1, Timestamp(i64::MAX)), Fit::Next);
    }

    #[test]
    fn a_record_beyond_the_destinations_limit_never_fits() {
        let mut packer = Packer::new(&LIMITS, &WIDE);
        assert_eq!(packer.offer(61, Timestamp(0)), Fit::Never { limit: 60 });
        assert_eq!(packer.offer(60, Timestamp(0)), Fit::Taken);
        // Without a limit of its own, a record is bounded by the request's.
        let limits = Limits {
            record_bytes: u64::MAX,
            ..LIMITS
        };
        assert_eq!(
            Packer::new(&limits, &WIDE).offer(89, Timestamp(0)),
            Fit::Never { limit: 88 }
        );
        assert_eq!(Packer::new(&limits, &WIDE).offer(88, Timestamp(0)), Fit::Taken);
    }

    #[test]
    fn a_batch_size_smaller_than_a_record_lets_it_go_alone() {
        let small = Batching { bytes: 20, ..WIDE };
        let mut packer = Packer::new(&LIMITS, &small);
        assert_eq!(packer.offer(60, Timestamp(0)), Fit::Taken);
        assert_eq!(packer.offer(1, Timestamp(0)), Fit::Next);
    }

    proptest! {
        #[test]
        fn never_exceeds_a_limit_and_closes_only_when_the_next_does_not_fit(
            records in prop::collection::vec((0u64..70, -60i64..60), 1..40),
        ) {
            let mut packer = Packer::new(&LIMITS, &WIDE);
            let mut inside: Vec<(u64, i64)> = Vec::new();
            let exceeds = |batch: &[(u64, i64)]| {
                let bytes: u64 = batch.iter().map(|(json, _)| json + 2).sum();
                let low = batch.iter().map(|(_, time)| *time).min().unwrap_or(0);
                let high = batch.iter().map(|(_, time)| *time).max().unwrap_or(0);
                bytes + 10 > 100 || batch.len() > 4 || high - low > 50
            };
            for (json, time) in records {
                inside.push((json, time));
                match packer.offer(json, Timestamp(time)) {
                    Fit::Taken => prop_assert!(!exceeds(&inside)),
                    Fit::Next => {
                        prop_assert!(exceeds(&inside));
                        packer = Packer::new(&LIMITS, &WIDE);
                        inside.clear();
                    }
                    Fit::Never { .. } => {
                        prop_assert!(json > 60);
                        inside.pop();
                    }
                }
            }
        }
    }
}
