//! What became of the records: the equations that every run prints.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::control::status::DestinationStatus;
use crate::instance::Instance;
use crate::spool::count::Tally;

/// What the one destination says of itself.
pub(super) fn destination(instance: &Instance) -> Option<DestinationStatus> {
    instance.shipper()?.statuses().into_iter().next()
}

/// Sums of records, over the spool's life or since some point of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) received: u64,
    pub(super) excluded: u64,
    pub(super) duplicate: u64,
    pub(super) spooled: u64,
    pub(super) undecodable_regions: u64,
    pub(super) undecodable_bytes: u64,
    pub(super) delivered: u64,
    pub(super) dead_lettered: u64,
    /// Given up or no longer readable.
    pub(super) lost: u64,
    /// Not settled yet. A state, not a sum.
    pub(super) pending: u64,
}

impl Sums {
    /// As they are now.
    pub(super) fn of(instance: &Instance) -> Self {
        let Tally {
            received,
            excluded,
            duplicate,
            spooled,
            undecodable_regions,
            undecodable_bytes,
            ..
        } = instance.intake().writer().totals();
        let counts = destination(instance).unwrap_or_default().counts;
        let next = instance.intake().writer().head().next_seq;
        Self {
            received,
            excluded,
            duplicate,
            spooled,
            undecodable_regions,
            undecodable_bytes,
            delivered: counts.delivered,
            dead_lettered: counts.dead_lettered,
            lost: counts.dropped.saturating_add(counts.damaged),
            pending: next.saturating_sub(counts.inside().unwrap_or(u64::MAX)),
        }
    }

    /// What has been added since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            received: self.received.saturating_sub(before.received),
            excluded: self.excluded.saturating_sub(before.excluded),
            duplicate: self.duplicate.saturating_sub(before.duplicate),
            spooled: self.spooled.saturating_sub(before.spooled),
            undecodable_regions: self
                .undecodable_regions
                .saturating_sub(before.undecodable_regions),
            undecodable_bytes: self.undecodable_bytes.saturating_sub(before.undecodable_bytes),
            delivered: self.delivered.saturating_sub(before.delivered),
            dead_lettered: self.dead_lettered.saturating_sub(before.dead_lettered),
            lost: self.lost.saturating_sub(before.lost),
            pending: self.pending,
        }
    }

    /// Records that nothing more will happen to.
    pub(super) fn settled(&self) -> u64 {
        self.delivered
            .saturating_add(self.dead_lettered)
            .saturating_add(self.lost)
    }

    /// Whether everything that came in is where it was to go.
    pub(super) fn is_all_delivered(&self) -> bool {
        self.pending == 0 && self.dead_lettered == 0 && self.lost == 0 && self.undecodable_regions == 0
    }

    pub(super) fn json(&self, spool: &Path) -> Value {
        json!({
            "spool": spool,
            "received": self.received,
            "excluded": self.excluded,
            "duplicate": self.duplicate,
            "spooled": self.spooled,
            "undecodable_regions": self.undecodable_regions,
            "undecodable_bytes": self.undecodable_bytes,
            "delivered": self.delivered,
            "dead_lettered": self.dead_lettered,
            "lost": self.lost,
            "pending": self.pending,
        })
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} = {} excluded + {} duplicate + {} spooled; {} delivered, {} dead-lettered, {} pending",
            self.received,
            self.excluded,
            self.duplicate,
            self.spooled,
            self.delivered,
            self.dead_lettered,
            self.pending
        )?;
        if self.lost > 0 {
            write!(f, ", {} lost", self.lost)?;
        }
        Ok(())
    }
}
