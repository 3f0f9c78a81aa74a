//! A batch that is being filled. Nothing of it is journalled: a crash reads it again.

use super::filter::{Decision, RecordFilter};
use super::pack::{Batching, Fit, Packer};
use super::rows::Rows;
use super::source::{Next, Source, SourceError};
use crate::destination::{Destination, Limits, Record};
use crate::spool::cursor::{Disposition, Entry, Hint, Settled};
use crate::time::{Monotonic, Timestamp};

/// A run of records from `first` on, some settled already (filtered, lost), the others for one request.
pub(super) struct Gather {
    first: u64,
    pub(super) at: Hint,
    rows: Rows,
    settled: Vec<Disposition>,
    packer: Packer,
    /// When the first of the run was read, and when the spool got it.
    since: Option<(Monotonic, Timestamp)>,
}

/// Why filling stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// The next record does not fit: the batch is closed.
    Full,
    /// There is no more to read for now.
    AtEnd,
    /// The source's next record fits into no request; the lane dead-letters it and goes on.
    Oversized {
        /// JSON bytes that would fit.
        limit: u64,
    },
}

impl Gather {
    /// An empty batch from the record `first` on.
    pub(super) fn new(first: u64, at: Hint, limits: &Limits, batching: &Batching) -> Self {
        Self {
            first,
            at,
            rows: Rows::default(),
            settled: Vec::new(),
            packer: Packer::new(limits, batching),
            since: None,
        }
    }

    /// A journal entry that never was stored becomes a batch again, to be filled further. What it holds stays in, also
    /// when the limits have become tighter.
    pub(super) fn reopen(
        entry: &Entry,
        rows: Rows,
        at: Hint,
        destination: &dyn Destination,
        batching: &Batching,
    ) -> Self {
        let mut packer = Packer::new(&destination.limits(), batching);
        for (_, record) in rows.iter() {
            packer.offer(destination.size(&record), record.entry.time);
        }
        Self {
            first: entry.first,
            at,
            rows,
            settled: entry.settled.iter().collect(),
            packer,
            // It has waited long enough.
            since: Some((Monotonic(0), Timestamp(i64::MIN))),
        }
    }

    /// The number after the last record of the run.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.settled.len() as u64)
    }

    /// Whether the run has no record.
    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_empty()
    }

    /// When the spool got the first record, if that is known.
    pub(super) fn ingested(&self) -> Option<Timestamp> {
        let (_, ingested) = self.since?;
        let known = ingested != Timestamp(i64::MIN) && ingested != Timestamp(i64::MAX);
        known.then_some(ingested)
    }

    /// Lowers the byte limit of the batch.
    pub(super) fn lower(&mut self, bytes: u64) {
        self.packer.lower(bytes);
    }

    /// Takes from `source`, whose position is [`Gather::end`], what fits.
    pub(super) fn fill(
        &mut self,
        source: &mut dyn Source,
        filter: &dyn RecordFilter,
        destination: &dyn Destination,
        now: Monotonic,
    ) -> Result<Filled, SourceError> {
        loop {
            let room = u64::from(Settled::MAX_LEN).saturating_sub(self.settled.len() as u64);
            if room == 0 || self.packer.is_full() {
                return Ok(Filled::Full);
            }
            match source.peek()? {
                Next::End => return Ok(Filled::AtEnd),
                Next::Lost { to, how } => {
                    let lost = to.saturating_sub(self.end());
                    let taken = usize::try_from(lost.min(room)).unwrap_or(0);
                    self.settled.extend(std::iter::repeat_n(how, taken));
                    self.since.get_or_insert((now, Timestamp(i64::MAX)));
                    if lost > room {
                        // The rest of the loss begins the next run.
                        source.seek(self.end(), self.at)?;
                        return Ok(Filled::Full);
                    }
                }
                Next::Record(record, ingested) => {
                    let disposition = match self.place(filter, destination, &record) {
                        Placed::Taken => Disposition::Pending,
                        Placed::Filtered => Disposition::Filtered,
                        Placed::Next => return Ok(Filled::Full),
                        Placed::Never { limit } => return Ok(Filled::Oversized { limit }),
                    };
                    self.settled.push(disposition);
                    self.since.get_or_insert((now, ingested));
                }
            }
            source.advance();
        }
    }

    /// Settles the source's next record without a request, and passes over it.
    pub(super) fn settle_next(&mut self, source: &mut dyn Source, how: Disposition, now: Monotonic) {
        self.settled.push(how);
        self.since.get_or_insert((now, Timestamp(i64::MAX)));
        source.advance();
    }

    /// When the batch is to be closed although there is room: `None` while it is empty.
    ///
    /// Both clocks count: the steady one since the run was begun, and the wall one since the spool got its first
    /// record, which a restart does not set back.
    pub(super) fn due(&self, age: std::time::Duration, now: Monotonic, wall: Timestamp) -> Option<Monotonic> {
        let (since, ingested) = self.since?;
        let waited = u64::try_from(i128::from(wall.0) - i128::from(ingested.0)).unwrap_or(0);
        let age_nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let by_wall = Monotonic(now.0.saturating_add(age_nanos.saturating_sub(waited)));
        Some(since.plus(age).min(by_wall))
    }

    /// The journal entry and the records of it that are to be sent; `None` for an empty run.
    pub(super) fn close(self, made_at: Timestamp) -> Option<(Entry, Rows)> {
        let count = u32::try_from(self.settled.len())
            .ok()
            .filter(|count| *count > 0)?;
        let mut entry = Entry::new(self.first, count, made_at);
        for (place, disposition) in (0..count).zip(self.settled) {
            entry.settled.settle(place, disposition);
        }
        Some((entry, self.rows))
    }

    fn place(
        &mut self,
        filter: &dyn RecordFilter,
        destination: &dyn Destination,
        record: &Record<'_>,
    ) -> Placed {
        if filter.decide(record) == Decision::Filter {
            return Placed::Filtered;
        }
        match self.packer.offer(destination.size(record), record.entry.time) {
            Fit::Taken => {
                // Bounded by the entry's size, which fill has looked at.
                let place = u32::try_from(self.settled.len()).unwrap_or(u32::MAX);
                self.rows.push(place, record);
                Placed::Taken
            }
            Fit::Next => Placed::Next,
            Fit::Never { limit } => Placed::Never { limit },
        }
    }
}

enum Placed {
    Taken,
    Filtered,
    Next,
    Never { limit: u64 },
}
