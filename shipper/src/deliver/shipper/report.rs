//! What the shipper says of itself each second.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::Shared;
use super::lanes::LaneRoute;
use super::runner::{Broken, Runner};
use crate::control::log::Level;
use crate::control::status::{
    self, Activity, Backlog, DestinationStatus, Fault, LetterCount, ReplayProgress, ShipperStatus,
};
use crate::deliver::lane::{Condition, Now, Snapshot};
use crate::spool::cursor::{self, HoldKind};
use crate::spool::{dead_letter, read_head};
use crate::time::{Monotonic, Timestamp};

/// Counts of dead letters, which take a listing each: not taken anew each second.
#[derive(Default)]
pub(super) struct LetterCounts {
    rounds: u32,
    counts: BTreeMap<String, LetterCount>,
}

/// Every how many reports dead letters are counted.
const COUNT_EVERY: u32 = 10;

impl LetterCounts {
    fn refresh(&mut self, shared: &Shared) {
        if self.rounds.is_multiple_of(COUNT_EVERY) {
            self.counts = count_letters(shared);
        }
        self.rounds = self.rounds.wrapping_add(1);
    }
}

fn count_letters(shared: &Shared) -> BTreeMap<String, LetterCount> {
    let runners = shared.runners().clone();
    let counts = runners.iter().filter_map(|runner| {
        let usage = dead_letter::usage(&*shared.storage, &runner.config.id).ok()?;
        Some((runner.config.id.clone(), LetterCount::from(usage)))
    });
    counts.collect()
}

/// Writes the snapshot. That it cannot be written is said in the log, and stops nothing.
pub(super) fn publish(shared: &Shared, letters: &mut LetterCounts) {
    letters.refresh(shared);
    let snapshot = ShipperStatus {
        at: shared.around.clock.wall(),
        program: shared.around.program.clone(),
        instance: shared.around.instance.clone(),
        spool: shared.spool,
        destinations: of(shared, &letters.counts),
    };
    if let Err(error) = status::publish(&*shared.storage, &snapshot) {
        let message = "the status cannot be written";
        shared
            .log
            .once_a_minute("status", Level::Warn, message, &[("reason", &error)]);
    }
}

/// Every destination now.
pub(super) fn statuses(shared: &Shared) -> Vec<DestinationStatus> {
    of(shared, &count_letters(shared))
}

fn of(shared: &Shared, letters: &BTreeMap<String, LetterCount>) -> Vec<DestinationStatus> {
    let head = read_head(&*shared.storage)
        .ok()
        .flatten()
        .map_or(0, |head| head.next_seq);
    let now = Now::of(&*shared.around.clock);
    let runners = shared.runners().clone();
    let one = |runner: &std::sync::Arc<Runner>| {
        let mut status = one(runner, head, now);
        status.dead_letters = letters.get(&runner.config.id).copied().unwrap_or_default();
        status
    };
    runners.iter().map(one).collect()
}

fn one(runner: &Runner, head: u64, now: Now) -> DestinationStatus {
    let mut status = DestinationStatus {
        id: runner.config.id.clone(),
        name: runner.config.name.clone(),
        requests: runner.requests.load(Ordering::Relaxed),
        ..DestinationStatus::default()
    };
    if let Some(LaneRoute { settings, .. }) = runner.route() {
        settings.destination.kind().clone_into(&mut status.kind);
        status.target = settings.destination.target();
    }
    let cell = runner.lock();
    if let Some(lane) = &cell.lane {
        let pending = lane.pending(head);
        let snapshot = lane.snapshot();
        drop(cell);
        of_lane(&mut status, snapshot, pending, now);
        return status;
    }
    let fault = cell.fault.clone();
    drop(cell);
    // What the cursor says is all there is.
    if let Ok(Some(peek)) = cursor::peek(&*runner.shared.storage, &runner.config.id) {
        status.counts = peek.state.totals();
        status.committed = peek.state.committed;
        status.desired = peek.state.desired;
        status.backlog.pending = peek.state.pending(head);
    }
    match (runner.held(fault.as_ref()), &fault) {
        (Some(reason), _) => {
            status.activity = Activity::Held {
                kind: HoldKind::Config,
                since: runner.since,
                reason: reason.to_owned(),
            };
            status.backlog.stuck_since = Some(runner.since);
            status.last_error = Some(fault_of("config", runner.since, reason));
        }
        (None, Some(fault)) => of_fault(&mut status, fault, now),
        (None, None) => {}
    }
    status
}

fn of_lane(status: &mut DestinationStatus, snapshot: Snapshot, pending: u64, now: Now) {
    status.activity = match snapshot.condition {
        Condition::Active => Activity::Active,
        Condition::Paused => Activity::Paused,
        Condition::Held {
            kind, reason, since, ..
        } => Activity::Held { kind, since, reason },
        Condition::BackingOff { reason, until } => Activity::BackingOff {
            until: wall(until.unwrap_or(now.monotonic), now),
            reason,
        },
    };
    status.counts = snapshot.counts;
    status.committed = snapshot.committed;
    status.backlog = Backlog {
        pending,
        oldest: snapshot.oldest,
        stuck_since: snapshot.stuck_since,
    };
    status.last_success = snapshot.last_stored;
    status.last_error = snapshot
        .trouble
        .map(|trouble| fault_of(trouble.class.as_str(), trouble.at, &trouble.reason));
    status.attempts = snapshot.attempts;
    status.in_flight = snapshot.in_flight;
    status.desired = snapshot.desired;
    status.replay = snapshot
        .replay
        .map(|(from, at, to)| ReplayProgress { from, to, at });
}

fn of_fault(status: &mut DestinationStatus, fault: &Broken, now: Now) {
    status.activity = Activity::BackingOff {
        until: wall(fault.until, now),
        reason: fault.reason.clone(),
    };
    status.backlog.stuck_since = Some(fault.since);
    status.last_error = Some(fault_of("storage", fault.at, &fault.reason));
}

fn fault_of(class: &str, at: Timestamp, message: &str) -> Fault {
    Fault {
        class: class.to_owned(),
        at,
        message: message.to_owned(),
        hint: String::new(),
    }
}

/// When a monotonic reading that lies ahead will be, by the wall clock of now.
fn wall(until: Monotonic, now: Now) -> Timestamp {
    now.wall.plus(until.since(now.monotonic))
}
