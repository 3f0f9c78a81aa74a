//! How many records a destination has settled, and how. Pure.

use super::settled::{Disposition, Settled};

/// The counts of one destination.
///
/// Invariant: `spooled = delivered + dead_lettered + filtered + skipped_before_start + dropped + damaged + pending`. The
/// first six are inside that equation: every record of the spool is in exactly one of them, or pending.
/// The others count what happened beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "this is the format; a new field is a new format"
)]
pub struct Counts {
    /// The destination said that it has them.
    pub delivered: u64,
    /// The destination said that it will never take them; their dead letters are durable.
    pub dead_lettered: u64,
    /// Excluded for this destination by its filter.
    pub filtered: u64,
    /// In the spool before the destination began.
    pub skipped_before_start: u64,
    /// Given up by the spool to make room (`on_full = "drop_oldest"`).
    pub dropped: u64,
    /// No longer readable in the spool.
    pub damaged: u64,
    /// Outside: sent again by a replay.
    pub replayed: u64,
    /// Outside: counted in `delivered` because the name was there after an earlier attempt, without a comparison.
    pub unverified: u64,
    /// Outside: sent again under another name, although a sending before may have stored them: perhaps there twice.
    pub redelivered: u64,
    /// Outside: settled once, but no longer in the spool: it was restored from an older copy.
    pub rewound: u64,
}

impl Counts {
    /// How many counts there are.
    pub(super) const FIELDS: usize = 10;

    /// The sum of the six inside counts; `None` when it does not fit.
    pub fn inside(&self) -> Option<u64> {
        self.fields()[..6]
            .iter()
            .try_fold(0_u64, |sum, &count| sum.checked_add(count))
    }

    /// Counts `count` records as `disposition`, saturating; [`Disposition::Pending`] counts nothing.
    pub fn add(&mut self, disposition: Disposition, count: u64) {
        let field = match disposition {
            Disposition::Pending => return,
            Disposition::Filtered => &mut self.filtered,
            Disposition::Delivered => &mut self.delivered,
            Disposition::DeadLettered => &mut self.dead_lettered,
            Disposition::Damaged => &mut self.damaged,
            Disposition::Dropped => &mut self.dropped,
        };
        *field = field.saturating_add(count);
    }

    /// Counts the settled records of an entry.
    pub(super) fn add_settled(&mut self, settled: &Settled) {
        for (disposition, count) in Disposition::ALL.into_iter().zip(settled.tally()) {
            self.add(disposition, count);
        }
    }

    /// Takes `count` records out of the inside counts. Which of them those were is not known any more: the most likely
    /// ones go first.
    pub(super) fn rewind(&mut self, count: u64) {
        let mut left = count;
        for field in [
            &mut self.delivered,
            &mut self.filtered,
            &mut self.dead_lettered,
            &mut self.dropped,
            &mut self.damaged,
            &mut self.skipped_before_start,
        ] {
            let taken = left.min(*field);
            *field -= taken;
            left -= taken;
        }
        self.rewound = self.rewound.saturating_add(count);
    }

    /// In the order of the format.
    pub(super) fn fields(&self) -> [u64; Self::FIELDS] {
        [
            self.delivered,
            self.dead_lettered,
            self.filtered,
            self.skipped_before_start,
            self.dropped,
            self.damaged,
            self.replayed,
            self.unverified,
            self.redelivered,
            self.rewound,
        ]
    }

    /// The reverse of [`Counts::fields`].
    pub(super) fn of_fields(fields: [u64; Self::FIELDS]) -> Self {
        let [
            delivered,
            dead_lettered,
            filtered,
            skipped_before_start,
            dropped,
            damaged,
            replayed,
            unverified,
            redelivered,
            rewound,
        ] = fields;
        Self {
            delivered,
            dead_lettered,
            filtered,
            skipped_before_start,
            dropped,
            damaged,
            replayed,
            unverified,
            redelivered,
            rewound,
        }
    }
}
