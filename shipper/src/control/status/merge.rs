//! Both snapshots, locks, cursors and what is desired, put together. Pure.
//!
//! A shipper that runs knows its destinations best. When none runs its last snapshot still names them, but what it said
//! of their position may be older than the cursors, so those are asked; a destination that only has a cursor is shown
//! by it. So may the writer's last snapshot be older than the log, whose head has the sums: those are shown.

use serde::Serialize;

use super::health::{self, Health};
use super::snapshot::{
    Activity, Backlog, DestinationStatus, LetterCount, ReplayProgress, ShipperStatus, WriterStatus,
};
use crate::control::desired::{Desired, DesiredState};
use crate::spool;
use crate::spool::cursor::{Peek, Peeked};
use crate::time::Timestamp;

/// Everything that was read.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by `read` and by tests")]
pub struct Sources {
    /// The writer's side.
    pub writer: RoleView<WriterStatus>,
    /// The shipper's side.
    pub shipper: RoleView<ShipperStatus>,
    /// All cursors.
    pub cursors: Vec<Peeked>,
    /// What is desired.
    pub desired: Desired,
    /// The dead letters of each destination that has a folder for them.
    pub letters: Vec<(String, LetterCount)>,
    /// The end of the log and its sums, as the log tells them, if it was asked.
    pub head: Option<spool::Head>,
    /// What could not be read, each with its file.
    pub problems: Vec<String>,
}

/// One role's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "made by `read` and by tests")]
pub struct RoleView<S> {
    /// Whether somebody holds the role's lock.
    pub life: Life,
    /// What its holder, or its last one, said last.
    pub snapshot: Option<S>,
    /// Why there is no snapshot, when there is something else in its place.
    pub problem: Option<String>,
}

/// Whether a process has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a lock is held or not")]
pub enum Life {
    /// Its lock is held.
    Running,
    /// Nobody holds its lock.
    Stopped,
}

/// The state of everything, for a person or a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// When this was put together.
    pub at: Timestamp,
    /// Whether someone has to look.
    pub health: Health,
    /// The writer's side.
    pub writer: RoleView<WriterStatus>,
    /// The shipper's side, its destinations aside.
    pub shipper: RoleView<ShipperStatus>,
    /// The destinations, by id.
    pub destinations: Vec<DestinationView>,
    /// What could not be read, each with its file.
    pub problems: Vec<String>,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DestinationView {
    /// What is known of it.
    #[serde(flatten)]
    pub status: DestinationStatus,
    /// Who says so.
    pub seen_by: Vantage,
    /// Whether somebody ships to it at all.
    pub standing: Standing,
    /// Whole seconds since the oldest record that is not settled came in.
    pub oldest_undelivered_seconds: Option<u64>,
    /// Whether it shall send, when it was ever switched.
    pub desired_state: Option<DesiredState>,
    /// The generation that says so; `status.desired` is the one that is applied.
    pub desired_generation: u64,
}

/// Where a destination is seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a shipper runs or not")]
pub enum Vantage {
    /// The running shipper.
    Shipper,
    /// The cursor; no shipper runs, or it does not know the destination.
    Cursor,
}

/// Whether a destination is configured, as the running shipper says, or the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "it is configured or not, if that is known"
)]
pub enum Standing {
    /// It is.
    Configured,
    /// It is not: its records are kept until somebody forgets it.
    Unconfigured,
    /// No shipper has said anything.
    Unknown,
}

impl DestinationView {
    /// How many records it has not settled.
    pub fn pending(&self) -> u64 {
        self.status.backlog.pending
    }

    /// Whether what is desired has been applied.
    pub fn is_applied(&self) -> bool {
        self.status.desired >= self.desired_generation
    }
}

/// Puts everything together at `now`.
pub fn merge(sources: Sources, now: Timestamp) -> Status {
    let Sources {
        mut writer,
        mut shipper,
        cursors,
        desired,
        letters,
        head,
        mut problems,
    } = sources;
    problems.extend(
        [writer.problem.clone(), shipper.problem.clone()]
            .into_iter()
            .flatten(),
    );
    if let (Some(head), Some(snapshot)) = (&head, &mut writer.snapshot) {
        snapshot.totals = head.totals;
    }
    let head = head
        .map(|head| head.next_seq)
        .or(writer.snapshot.as_ref().map(|writer| writer.head.next_seq));
    let standing = match shipper.snapshot {
        Some(_) => Standing::Unconfigured,
        None => Standing::Unknown,
    };
    let known = shipper
        .snapshot
        .as_mut()
        .map(|snapshot| std::mem::take(&mut snapshot.destinations))
        .unwrap_or_default();
    let mut destinations: Vec<DestinationView> = known
        .into_iter()
        .map(|status| match shipper.life {
            Life::Running => (status, Vantage::Shipper),
            Life::Stopped => (stopped(status), Vantage::Cursor),
        })
        .map(|(status, seen_by)| view(status, seen_by, Standing::Configured))
        .collect();
    for (id, peeked) in cursors {
        let peek = match peeked {
            Ok(peek) => peek,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let place = destinations.iter().position(|view| view.status.id == id);
        match place {
            Some(place) if destinations[place].seen_by == Vantage::Shipper => {}
            Some(place) => take_position(&mut destinations[place].status, &peek, head),
            None => {
                let mut status = stopped(DestinationStatus {
                    id,
                    ..DestinationStatus::default()
                });
                take_position(&mut status, &peek, head);
                destinations.push(view(status, Vantage::Cursor, standing));
            }
        }
    }
    for view in &mut destinations {
        if let Some((_, count)) = letters.iter().find(|(id, _)| *id == view.status.id) {
            view.status.dead_letters = *count;
        }
        if let Some(wish) = desired.destinations.get(&view.status.id) {
            view.desired_state = Some(wish.state);
            view.desired_generation = wish.generation;
            if view.seen_by == Vantage::Cursor && wish.state == DesiredState::Inactive {
                view.status.activity = Activity::Paused;
            }
        }
        view.oldest_undelivered_seconds = view.status.backlog.oldest.map(|oldest| seconds(oldest, now));
    }
    destinations.sort_by(|a, b| a.status.id.cmp(&b.status.id));
    let mut status = Status {
        at: now,
        health: Health::Green,
        writer,
        shipper,
        destinations,
        problems,
    };
    status.health = health::of(&status);
    status
}

fn view(status: DestinationStatus, seen_by: Vantage, standing: Standing) -> DestinationView {
    DestinationView {
        status,
        seen_by,
        standing,
        oldest_undelivered_seconds: None,
        desired_state: None,
        desired_generation: 0,
    }
}

/// What remains true of a destination when its shipper has stopped.
fn stopped(mut status: DestinationStatus) -> DestinationStatus {
    status.activity = Activity::Stopped;
    status.in_flight = 0;
    status.backlog.stuck_since = None;
    status
}

/// Replaces a destination's position by what its cursor says.
fn take_position(status: &mut DestinationStatus, peek: &Peek, head: Option<u64>) {
    let state = &peek.state;
    if status.committed != state.committed {
        // The record that was the oldest is settled; when the next one came in only the log knows.
        status.backlog.oldest = None;
    }
    status.committed = state.committed;
    status.counts = state.totals();
    status.desired = state.desired;
    let pending = state.pending(head.unwrap_or(state.end()));
    status.backlog = Backlog {
        pending,
        oldest: status.backlog.oldest.filter(|_| pending > 0),
        stuck_since: None,
    };
    status.replay = state.replay.as_ref().map(|replay| ReplayProgress {
        from: replay.from,
        to: replay.to,
        at: replay.at,
    });
    if let Some(hold) = &state.hold {
        status.activity = Activity::Held {
            kind: hold.kind,
            since: hold.since,
            reason: hold.reason.clone(),
        };
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0) / 1_000_000_000).unwrap_or(0)
}
