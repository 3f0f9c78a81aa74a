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
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// When the spool got the oldest record that is not settled, as far as that is known.
    pub oldest: Option<Timestamp>,
    /// Since when nothing was settled although something could have been sent.
    pub stuck_since: Option<Timestamp>,
    /// How often the oldest batch on its way was sent.
    pub attempts: u32,
    /// The generation of the desired state that has been applied.
    pub desired: u64,
    /// The replay on its way: first number, next number, end.
    pub replay: Option<(u64, u64, u64)>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// Of which kind it is.
    pub class: Class,
    /// When.
    pub at: Timestamp,
    /// For a person.
    pub reason: String,
}

impl Trouble {
    pub(super) fn new(class: Class, at: Timestamp, reason: &str) -> Self {
        Self {
            class,
            at,
            reason: reason.to_owned(),
        }
    }
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Who we are or what we may do.
    Auth,
    /// The destination's configuration, here or there.
    Config,
    /// More was rejected than the configuration allows to give up.
    Rate,
    /// The same, of what was taken and is not kept.
    NotKept,
    /// Records were refused one by one, and nothing beside them was stored.
    Refused,
    /// Records of a replay were rejected.
    Rejected,
    /// A name is taken.
    Conflict,
    /// Our own disk.
    Storage,
    /// The receiver wants less of us.
    Throttled,
    /// It was taken, and nobody says that it is stored.
    Unacknowledged,
    /// No clear answer.
    Unclear,
    /// No answer, or "not now".
    Unavailable,
}

impl Class {
    /// One word for a machine.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Config => "config",
            Self::Rate => "rate",
            Self::NotKept => "not_kept",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Storage => "storage",
            Self::Throttled => "throttled",
            Self::Unacknowledged => "unacknowledged",
            Self::Unclear => "unclear",
            Self::Unavailable => "unavailable",
        }
    }

    pub(super) fn of(kind: HoldKind) -> Self {
        match kind {
            HoldKind::Auth => Self::Auth,
            HoldKind::Config => Self::Config,
            HoldKind::Rate => Self::Rate,
            HoldKind::NotKept => Self::NotKept,
            HoldKind::Refused => Self::Refused,
            HoldKind::Conflict => Self::Conflict,
            HoldKind::Unacknowledged => Self::Unacknowledged,
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
        /// When it is asked again; `None` while it is being asked, or when only a person ends it.
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
        let first = self
            .state
            .entries
            .first()
            .and_then(|entry| entry.attempt.as_ref());
        let attempts = first.map(|attempt| attempt.sending.earlier);
        Snapshot {
            condition: self.condition(),
            counts: self.state.totals(),
            committed: self.state.committed,
            batched: self.state.end(),
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            last_stored: self.last_stored,
            trouble: self.trouble.clone(),
            oldest: self.oldest(),
            stuck_since: self.stuck_since,
            attempts: attempts.unwrap_or(0),
            desired: self.state.desired,
            replay: replay.map(|replay| (replay.from, replay.at, replay.to)),
        }
    }

    /// How many records of a spool whose next number is `head` are not settled.
    pub fn pending(&self, head: u64) -> u64 {
        self.state.pending(head)
    }

    fn oldest(&self) -> Option<Timestamp> {
        let slots = self.slots.iter().map(|slot| slot.ingested);
        slots
            .chain([self.gather.as_ref().and_then(|gather| gather.ingested())])
            .flatten()
            .min()
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
                probe: until.filter(|_| !self.waits_for_a_person()),
            },
            (Activity::Active, None, Some(trouble)) if self.flow != Flow::Open => Condition::BackingOff {
                reason: trouble.reason.clone(),
                until,
            },
            (Activity::Active, None, _) => Condition::Active,
        }
    }
}
