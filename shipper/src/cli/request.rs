//! Asking a running writer or shipper for something, and waiting for its answer.

use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::outside::pause;
use super::spool::Opened;
use crate::config::quantity::Age;
use crate::control::Role;
use crate::control::commands::{self, Command, Outcome, Ticket};
use crate::random::OsRandom;
use crate::time::{Clock, Monotonic, SystemClock};

/// How often something that another process changes is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long to wait for another process.
#[derive(Args, Debug)]
pub(super) struct Patience {
    /// How long to wait for a running instance to do it
    #[arg(long, value_name = "AGE", default_value = "10s")]
    wait: Age,
}

impl Patience {
    /// Looks until `look` sees something, or the time is over.
    pub(super) fn until<T>(
        &self,
        mut look: impl FnMut() -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        let clock = SystemClock::new();
        let deadline: Monotonic = clock.monotonic().plus(self.wait.0);
        loop {
            if let Some(seen) = look()? {
                return Ok(Some(seen));
            }
            if clock.monotonic() >= deadline {
                return Ok(None);
            }
            pause(LOOK_EVERY);
        }
    }
}

/// Who asks, for a person.
pub(super) fn asker() -> String {
    format!(
        "auditship {} (pid {})",
        env!("CARGO_PKG_VERSION"),
        std::process::id()
    )
}

/// Leaves `command` in the spool.
pub(super) fn leave(opened: &Opened, command: &Command) -> Result<Ticket, Failure> {
    let now = SystemClock::new().wall();
    commands::submit(&*opened.storage, &OsRandom::new(), now, &asker(), command)
        .map_err(|error| opened.failure(&error))
}

/// Leaves `command` in the spool and waits until whoever it is for has done it.
pub(super) fn send(
    opened: &Opened,
    command: &Command,
    patience: &Patience,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let storage = &*opened.storage;
    let role = command.role();
    let runs = storage.is_locked(role.lock()).unwrap_or(false);
    let ticket = leave(opened, command)?;
    let answer = if runs {
        patience.until(|| commands::answer_to(storage, &ticket).map_err(|error| opened.failure(&error)))?
    } else {
        None
    };
    match answer {
        Some(Outcome::Done { message }) => {
            output.line(message)?;
            Ok(Exit::Done)
        }
        Some(Outcome::Refused { message }) => Err(Failure::Spool(message)),
        None => {
            let who = match role {
                Role::Writer => "nothing that writes this spool",
                Role::Shipper => "no shipper of this spool",
            };
            let why = if runs {
                "it has not been done yet"
            } else {
                &format!("{who} runs")
            };
            Err(Failure::Unanswered(format!(
                "{why}; the command is kept as number {} and will be done as soon as one can",
                ticket.number
            )))
        }
    }
}
