//! What a lane says of itself.

use super::{Activity, Flow, Lane};
use crate::spool::cursor::{Counts, HoldKind};
use crate::time::{Monotonic, Timestamp};

/// One destination at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How it stands.
    pub condition: Condition,
    /// Everything that is settled, what entries on their way add to it included.
    pub counts: Counts,
    /// The first number of which nothing is known to be settled.
    pub committed: u64,
    /// The first number that is in no batch yet.
    pub batched: u64,
    /// Requests on their way.
    pub in_flight: u32,
    /// When anything was last stored, since the lane was opened.
    pub last_stored: Option<Timestamp>,
    /// What went wrong last; `None` once the destination works again.
    pub trouble: Option<Trouble>,
    /// The generation of the desired state that has been applied.
    pub desired: u64,
    /// The replay on its way: first number, next number, end.
    pub replay: Option<(u64, u64, u64)>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// For a person.
    pub reason: String,
}

impl Trouble {
    pub(super) fn new(at: Timestamp, reason: &str) -> Self {
        Self {
            at,
            reason: reason.to_owned(),
        }
    }
}

/// How a lane stands to its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever shows it must treat all of them")]
pub enum Condition {
    /// It sends what there is.
    Active,
    /// It was told not to.
    Paused,
    /// Somebody must put something right.
    Held {
        /// What.
        kind: HoldKind,
        /// For a person, with what to do.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// When it is asked again; `None` while it is being asked.
        probe: Option<Monotonic>,
    },
    /// An outage, or throttling.
    BackingOff {
        /// For a person.
        reason: String,
        /// When it is asked again; `None` while it is being asked.
        until: Option<Monotonic>,
    },
}

impl Lane {
    /// What the lane says of itself.
    pub fn snapshot(&self) -> Snapshot {
        let in_flight = self.slots.iter().filter(|slot| slot.in_flight.is_some()).count()
            + usize::from(self.side_is_in_flight());
        let replay = self.state.replay.as_ref();
        Snapshot {
            condition: self.condition(),
            counts: self.state.totals(),
            committed: self.state.committed,
            batched: self.state.end(),
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            last_stored: self.last_stored,
            trouble: self.trouble.clone(),
            desired: self.state.desired,
            replay: replay.map(|replay| (replay.from, replay.at, replay.to)),
        }
    }

    fn condition(&self) -> Condition {
        let until = match self.flow {
            Flow::Waiting { until } => Some(until),
            Flow::Open | Flow::Probing { .. } => None,
        };
        match (self.activity, &self.state.hold, &self.trouble) {
            (Activity::Paused, _, _) => Condition::Paused,
            (Activity::Active, Some(hold), _) => Condition::Held {
                kind: hold.kind,
                reason: hold.reason.clone(),
                since: hold.since,
                probe: until,
            },
            (Activity::Active, None, Some(trouble)) if self.flow != Flow::Open => Condition::BackingOff {
                reason: trouble.reason.clone(),
                until,
            },
            (Activity::Active, None, _) => Condition::Active,
        }
    }
}
