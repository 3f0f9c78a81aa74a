//! Red or green, and why. Pure.
//!
//! Red means: someone has to look, or records will be late. A pause is somebody's wish and stays green; so does backing
//! off, until it has lasted for [`STUCK_AFTER`].

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::merge::{DestinationView, Life, Standing, Status, Vantage};
use super::snapshot::{Activity, Intake};
use super::{Role, Snapshot};
use crate::spool::cursor::HoldKind;
use crate::time::Timestamp;

/// How long nothing may move before that is an alarm: longer than any pause between two attempts of a healthy retry.
pub const STUCK_AFTER: Duration = Duration::from_secs(120);
/// How old the snapshot of a process that is alive may be, when it makes one each second.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Whether someone has to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "colour", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "red or green")]
pub enum Health {
    /// No.
    Green,
    /// Yes.
    Red {
        /// Why: never empty.
        alarms: Vec<Alarm>,
    },
}

/// Why someone has to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "alarm", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Alarm {
    /// A destination is held.
    Held {
        /// Which.
        destination: String,
        /// What is wrong.
        kind: HoldKind,
        /// Why, and what to do.
        reason: String,
    },
    /// Records wait for a destination that is no longer configured.
    Unconfigured {
        /// Which.
        destination: String,
        /// How many.
        pending: u64,
    },
    /// Records wait for a destination and no shipper runs.
    NoShipper {
        /// How many, of the destination that lags most.
        pending: u64,
    },
    /// The spool refuses records, or gives records up.
    SpoolFull {
        /// Since when.
        since: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
    /// A destination has had something to send for [`STUCK_AFTER`] and settled nothing.
    Stuck {
        /// Which.
        destination: String,
        /// Since when.
        since: Timestamp,
        /// The last error.
        reason: String,
    },
    /// A process holds its lock and has said nothing for [`SILENT_AFTER`].
    Silent {
        /// Whose lock.
        role: Role,
        /// When it last said something; none when never, or not legibly.
        since: Option<Timestamp>,
    },
    /// Chunks came in without a single decodable record.
    Undecodable {
        /// Since when.
        since: Timestamp,
        /// What is wrong with them, and what to do.
        reason: String,
    },
    /// A file of the spool cannot be read.
    Unreadable {
        /// Which, and why.
        reason: String,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held {
                destination, reason, ..
            } => write!(f, "{destination} is held: {reason}"),
            Self::NoShipper { pending } => {
                write!(
                    f,
                    "{pending} records wait and no shipper runs: start the plugin or `auditship run`"
                )
            }
            Self::SpoolFull { since, reason } => {
                write!(f, "the spool is full since {}: {reason}", since.to_rfc3339())
            }
            Self::Stuck {
                destination,
                since,
                reason,
            } => write!(
                f,
                "{destination} has settled nothing since {}: {reason}",
                since.to_rfc3339()
            ),
            Self::Silent { role, since } => {
                let role = match role {
                    Role::Writer => "writer",
                    Role::Shipper => "shipper",
                };
                write!(f, "the {role} runs and says nothing")?;
                since.map_or(Ok(()), |since| write!(f, " since {}", since.to_rfc3339()))
            }
            Self::Undecodable { since, reason } => {
                write!(
                    f,
                    "nothing could be decoded of what came in at {}: {reason}",
                    since.to_rfc3339()
                )
            }
            Self::Unconfigured { destination, pending } => write!(
                f,
                "{pending} records wait for {destination}, which is no longer configured: configure it again, or \
                 `auditship forget {destination}` gives them up"
            ),
            Self::Unreadable { reason } => f.write_str(reason),
        }
    }
}

/// The health of `status`, whose own `health` is not looked at.
pub(super) fn of(status: &Status) -> Health {
    let mut alarms = Vec::new();
    if let Some(writer) = &status.writer.snapshot
        && status.writer.life == Life::Running
    {
        if let Intake::Refusing { since, reason } | Intake::Dropping { since, reason } = &writer.intake {
            let reason = reason.clone();
            alarms.push(Alarm::SpoolFull {
                since: *since,
                reason,
            });
        }
        if let Some(fault) = &writer.undecodable {
            let reason = fault.message.clone();
            alarms.push(Alarm::Undecodable {
                since: fault.at,
                reason,
            });
        }
    }
    alarms.extend(silence(
        status.at,
        status.writer.life,
        status.writer.snapshot.as_ref(),
    ));
    alarms.extend(silence(
        status.at,
        status.shipper.life,
        status.shipper.snapshot.as_ref(),
    ));
    alarms.extend(
        status
            .destinations
            .iter()
            .filter_map(|destination| alarm_of(destination, status.at)),
    );
    let pending = status.destinations.iter().map(DestinationView::pending).max();
    if let (Life::Stopped, Some(pending @ 1..)) = (status.shipper.life, pending) {
        alarms.push(Alarm::NoShipper { pending });
    }
    for reason in &status.problems {
        let reason = reason.clone();
        alarms.push(Alarm::Unreadable { reason });
    }
    if alarms.is_empty() {
        Health::Green
    } else {
        Health::Red { alarms }
    }
}

fn silence<S: Snapshot>(now: Timestamp, life: Life, snapshot: Option<&S>) -> Option<Alarm> {
    let since = snapshot.map(Snapshot::at);
    let recent = since.is_some_and(|since| now <= since.plus(SILENT_AFTER));
    (life == Life::Running && !recent).then_some(Alarm::Silent { role: S::ROLE, since })
}

fn alarm_of(view: &DestinationView, now: Timestamp) -> Option<Alarm> {
    let status = &view.status;
    if view.standing == Standing::Unconfigured {
        let (destination, pending) = (status.id.clone(), view.pending());
        return (pending > 0).then_some(Alarm::Unconfigured { destination, pending });
    }
    if let Activity::Held { kind, reason, .. } = &status.activity {
        return Some(Alarm::Held {
            destination: status.id.clone(),
            kind: *kind,
            reason: reason.clone(),
        });
    }
    let since = status.backlog.stuck_since?;
    if view.seen_by != Vantage::Shipper
        || status.activity == Activity::Paused
        || status.backlog.pending == 0
        || now <= since.plus(STUCK_AFTER)
    {
        return None;
    }
    let reason = match (&status.activity, &status.last_error) {
        (Activity::BackingOff { reason, .. }, _) => reason.clone(),
        (_, Some(fault)) => fault.message.clone(),
        _ => "no error is known".to_owned(),
    };
    Some(Alarm::Stuck {
        destination: status.id.clone(),
        since,
        reason,
    })
}
