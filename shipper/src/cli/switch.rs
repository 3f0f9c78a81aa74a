//! `auditship pause` and `auditship resume`: what a destination shall do, durably, whether anything runs or not.

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::request::{self, Patience};
use super::spool::{Opened, SpoolOption};
use crate::config::Environment;
use crate::control::commands::Command;
use crate::control::desired::{self, DesiredState};
use crate::control::status::{Activity, Life};
use crate::instance::machine_id;
use crate::spool::{cursor, provenance};
use crate::time::{Clock as _, SystemClock};

/// Stop sending to a destination. Records are kept for it.
///
/// The wish is written into the spool, so it holds over restarts and also when nothing runs now.
#[derive(Args, Debug)]
pub(super) struct Pause {
    #[command(flatten)]
    switch: Switch,
}

/// Send to a destination again: after a pause, or when the reason for which it is held has been put right.
#[derive(Args, Debug)]
pub(super) struct Resume {
    #[command(flatten)]
    switch: Switch,
}

#[derive(Args, Debug)]
struct Switch {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    #[command(flatten)]
    spool: SpoolOption,
    #[command(flatten)]
    patience: Patience,
}

impl Pause {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        self.switch.to(DesiredState::Inactive, environment, output)
    }
}

impl Resume {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        self.switch.to(DesiredState::Active, environment, output)
    }
}

impl Switch {
    fn to(
        &self,
        state: DesiredState,
        environment: &Environment,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let before = opened.status();
        opened.check_destination(&before, &self.destination)?;
        let generation = desired::set(
            &*opened.storage,
            &self.destination,
            state,
            SystemClock::new().wall(),
        )
        .map_err(|error| opened.failure(&error))?;
        let copy = match state {
            DesiredState::Active => self.silent_copy(&opened)?,
            DesiredState::Inactive => None,
        };
        let word = match state {
            DesiredState::Active => "active",
            DesiredState::Inactive => "paused",
        };
        let id = &self.destination;
        if before.shipper.life == Life::Stopped {
            // A wish that is as it was says nothing: a hold wants a word of its own.
            let is_held = state == DesiredState::Active && self.is_held(&opened)?;
            if let Some(copy) = copy.or(is_held.then_some(0)) {
                let destination = id.clone();
                request::leave(&opened, &Command::Release { destination, copy })?;
            }
            output.line(format_args!(
                "{id} will be {word} when a shipper runs; none does now"
            ))?;
            return Ok(Exit::Done);
        }
        let is_held = before
            .destinations
            .iter()
            .any(|view| view.status.id == *id && matches!(view.status.activity, Activity::Held { .. }));
        if state == DesiredState::Active && (is_held || copy.is_some()) {
            let command = Command::Release {
                destination: id.clone(),
                copy: copy.unwrap_or(0),
            };
            return request::send(&opened, &command, &self.patience, output);
        }
        let applied = self.patience.until(|| {
            let status = opened.status();
            let view = status.destinations.into_iter().find(|view| view.status.id == *id);
            Ok(view.filter(|view| view.status.desired >= generation))
        })?;
        match applied {
            Some(_) => {
                output.line(format_args!("{id} is {word}"))?;
                Ok(Exit::Done)
            }
            None => Err(Failure::Unanswered(format!(
                "{id} is to be {word}, but the shipper has not said yet that it is"
            ))),
        }
    }

    /// Whether the destination's journal says that it is held: what a resume means then is the lane's to say.
    fn is_held(&self, opened: &Opened) -> Result<bool, Failure> {
        let peek =
            cursor::peek(&*opened.storage, &self.destination).map_err(|error| opened.failure(&error))?;
        let hold = peek.and_then(|peek| peek.state.hold);
        Ok(hold.is_some())
    }

    /// Which copy of a spool the destination is not let send for, if there is one.
    fn silent_copy(&self, opened: &Opened) -> Result<Option<u64>, Failure> {
        let copies = provenance(&*opened.storage, &machine_id())
            .map_err(|error| opened.failure(&error))?
            .copies;
        let let_send = cursor::peek(&*opened.storage, &self.destination)
            .map_err(|error| opened.failure(&error))?
            .map_or(0, |peek| peek.state.copy);
        Ok((let_send < copies).then_some(copies))
    }
}
