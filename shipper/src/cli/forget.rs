//! `auditship forget`: nothing is kept any longer for a destination that is no longer configured.

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::request::{self, Patience};
use super::spool::{Opened, SpoolOption};
use crate::config::Environment;
use crate::control::commands::Command;
use crate::control::forget::forget;
use crate::control::status::{Standing, Status};
use crate::control::{Role, prepare};
use crate::random::OsRandom;
use crate::time::{Clock as _, SystemClock};

/// Give up a destination that is no longer configured: its position, its dead letters, and every record that only it has not had.
///
/// Until then records are kept for it, and a spool may become full of them. How many are given up is noted in the spool. A
/// destination that is configured is refused: remove it from the configuration first, and reload or restart.
#[derive(Args, Debug)]
pub(super) struct Forget {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    #[command(flatten)]
    spool: SpoolOption,
    #[command(flatten)]
    patience: Patience,
}

impl Forget {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let status = opened.status();
        let is_configured = self.spool.configures(&self.destination, environment)?;
        if is_configured == Some(true) {
            return Err(self.refusal(&opened, "it is in the configuration: remove it there first"));
        }
        opened.check_destination(&status, &self.destination)?;
        // Nobody ships while this is held, so what is decided here stays so.
        let lock = opened.storage.try_lock(Role::Shipper.lock());
        let lock = lock.map_err(|error| opened.failure(&error))?;
        let Some(_lock) = lock else {
            let destination = self.destination.clone();
            return request::send(&opened, &Command::Remove { destination }, &self.patience, output);
        };
        if is_configured.is_none() && standing(&status, &self.destination) != Standing::Unconfigured {
            return Err(self.refusal(
                &opened,
                "nothing ships now, and the last shipper that did may have had it in its configuration: name the \
                 configuration with --config FILE, or start a shipper without the destination first",
            ));
        }
        prepare(&*opened.storage).map_err(|error| opened.failure(&error))?;
        let by = request::asker();
        let now = SystemClock::new().wall();
        let forgotten = forget(&*opened.storage, &OsRandom::new(), now, &by, &self.destination)
            .map_err(|error| opened.failure(&error))?;
        output.line(format_args!(
            "{} is forgotten, with {forgotten}",
            self.destination
        ))?;
        Ok(Exit::Done)
    }

    fn refusal(&self, opened: &Opened, why: &str) -> Failure {
        Failure::Spool(format!(
            "{}: `{}` is not forgotten: {why}",
            opened.path.display(),
            self.destination
        ))
    }
}

fn standing(status: &Status, id: &str) -> Standing {
    let view = status.destinations.iter().find(|view| view.status.id == id);
    view.map_or(Standing::Unknown, |view| view.standing)
}
