//! What people want: the desired state and the commands, read each second.
//!
//! A command is answered when it is done, durably; until then it stays where it is and is asked for again, so that a crash
//! at any moment does it, or does it once more, as each [`Command`] says is right.

use std::sync::{Arc, TryLockError};

use super::Shared;
use super::runner::Runner;
use crate::control::commands::{self, Command, Due, Letters, Outcome};
use crate::control::forget::forget;
use crate::control::log::Level;
use crate::control::{Role, desired};
use crate::deliver::lane::{Released, Reply};
use crate::spool::dead_letter::{self, DeadLetterError};
use crate::spool::identity::Epoch;

/// Applies what there is to apply.
pub(super) fn follow(shared: &Shared) {
    let runners = shared.runners().clone();
    match desired::read(&*shared.storage) {
        Ok(desired) => {
            for runner in &runners {
                let (state, generation) = desired.of(&runner.config.id, runner.config.initial);
                runner.desire(state, generation);
            }
        }
        Err(error) => {
            let message = "the desired state cannot be read; destinations stay as they are";
            shared
                .log
                .once_a_minute("desired", Level::Warn, message, &[("reason", &error)]);
        }
    }
    let now = shared.around.clock.wall();
    let due = match commands::due(&*shared.storage, Role::Shipper, now) {
        Ok(due) => due,
        Err(error) => {
            let message = "commands cannot be read";
            shared
                .log
                .once_a_minute("commands", Level::Warn, message, &[("reason", &error)]);
            return;
        }
    };
    for due in &due {
        let Some(outcome) = apply(shared, &runners, due) else {
            continue;
        };
        let (Outcome::Done { message } | Outcome::Refused { message }) = &outcome;
        shared
            .log
            .info("command answered", &[("by", &due.by), ("answer", message)]);
        if let Err(error) = commands::answer(&*shared.storage, &due.ticket, now, outcome) {
            let message = "a command cannot be answered";
            shared
                .log
                .once_a_minute("commands", Level::Warn, message, &[("reason", &error)]);
        }
    }
}

/// Does what can be done of a command now; its answer once it is done.
fn apply(shared: &Shared, runners: &[Arc<Runner>], due: &Due) -> Option<Outcome> {
    let nonce = due.ticket.nonce;
    let Some(id) = due.command.destination() else {
        return Some(refused("this command is for the writer of the spool"));
    };
    let runner = runners.iter().find(|runner| runner.config.id == id);
    if let Command::Remove { .. } = due.command {
        return remove(shared, &due.by, id);
    }
    let Some(runner) = runner else {
        let known: Vec<&str> = runners.iter().map(|runner| runner.config.id.as_str()).collect();
        return Some(refused(&format!(
            "there is no destination `{id}`; there are {}",
            known.join(", ")
        )));
    };
    if let Command::DeadLetterDiscard { which, reason, .. } = &due.command {
        return Some(discard(shared, id, which, reason));
    }
    let fault = runner.lock().fault.clone();
    if let Some(reason) = runner.held(fault.as_ref()) {
        runner.hurry();
        return Some(refused(&format!(
            "`{id}` is held until its configuration is right: {reason}"
        )));
    }
    match &due.command {
        Command::Release { copy, .. } => runner.with_lane(|lane| {
            Ok(Some(match lane.release(*copy) {
                Released::Yes => {
                    lane.commit()?;
                    done("it is asked again now")
                }
                Released::Copied => refused(&format!(
                    "`{id}` is held because the spool was copied since this was asked: ask again"
                )),
            }))
        }),
        Command::Replay { from, to, .. } if from >= to => Some(refused(&format!(
            "{from} to {to} is no record: the second number is the one after the last"
        ))),
        Command::Replay { from, to, .. } => runner.with_lane(|lane| {
            let reply = lane.replay(*from, *to, nonce);
            lane.commit()?;
            Ok(match reply {
                Reply::Accepted { records } => Some(done(&format!("{records} records are sent again"))),
                Reply::Done => Some(done("the records are sent again")),
                Reply::Busy | Reply::Underway => None,
            })
        }),
        Command::DeadLetterRetry { which, .. } => runner.with_lane(|lane| {
            Ok(match lane.retry_dead_letters(chosen(which), nonce)? {
                Reply::Done => Some(done(
                    "the dead letters were sent again; those that are left were refused again",
                )),
                Reply::Accepted { .. } | Reply::Busy | Reply::Underway => None,
            })
        }),
        _ => Some(refused("this version of auditship does not know the command")),
    }
}

fn chosen(which: &Letters) -> Option<Vec<(Epoch, u64)>> {
    match which {
        Letters::All => None,
        Letters::These(letters) => Some(letters.iter().map(|letter| (letter.epoch, letter.seq)).collect()),
    }
}

/// The letters go; the counts go on saying that the records were not delivered.
fn discard(shared: &Shared, id: &str, which: &Letters, reason: &str) -> Outcome {
    let discard = || -> Result<u64, DeadLetterError> {
        let letters = match chosen(which) {
            Some(letters) => letters,
            None => dead_letter::list(&*shared.storage, id)?
                .map(|letter| (letter.epoch, letter.seq))
                .collect(),
        };
        let mut discarded = 0;
        for (epoch, seq) in letters {
            discarded += u64::from(dead_letter::remove(&*shared.storage, id, epoch, seq)?);
        }
        Ok(discarded)
    };
    match discard() {
        Ok(count) => {
            let fields: [(&str, &dyn std::fmt::Display); 3] =
                [("destination", &id), ("count", &count), ("reason", &reason)];
            shared.log.warn("dead letters discarded", &fields);
            done(&format!("{count} dead letters were discarded"))
        }
        Err(error) => refused(&error.to_string()),
    }
}

/// Gives a destination up that is no longer configured; not while that may change.
fn remove(shared: &Shared, by: &str, id: &str) -> Option<Outcome> {
    // A reload that would add it again waits until it is gone, and one that has begun is waited for. The runners are not
    // locked for so long: whoever appends looks at them too.
    let _exchange = match shared.exchange.try_lock() {
        Ok(exchange) => exchange,
        Err(TryLockError::Poisoned(exchange)) => exchange.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    if shared.runners().iter().any(|runner| runner.config.id == id) {
        return Some(refused(&format!(
            "`{id}` is in the configuration: remove it there first, and reload"
        )));
    }
    let around = &shared.around;
    Some(
        match forget(&*shared.storage, &*around.random, around.clock.wall(), by, id) {
            Ok(forgotten) => {
                let fields: [(&str, &dyn std::fmt::Display); 3] =
                    [("destination", &id), ("by", &by), ("given_up", &forgotten)];
                shared.log.warn("destination forgotten", &fields);
                done(&format!("{id} is forgotten, with {forgotten}"))
            }
            Err(error) => refused(&error.to_string()),
        },
    )
}

fn done(message: &str) -> Outcome {
    Outcome::Done {
        message: message.to_owned(),
    }
}

fn refused(message: &str) -> Outcome {
    Outcome::Refused {
        message: message.to_owned(),
    }
}
