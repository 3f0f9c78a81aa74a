//! `auditship replay`: delivered records once more, counted outside the sums.

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::request::{self, Patience};
use super::spool::SpoolOption;
use crate::config::Environment;
use crate::control::commands::Command;

/// Send records that a destination has had once more, from one sequence number up to another.
///
/// Only what the spool still has can be sent: `retain` says how long that is. Replayed records are counted apart.
#[derive(Args, Debug)]
pub(super) struct Replay {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// The first record's sequence number
    #[arg(long, value_name = "SEQ", value_parser = sequence_number)]
    from: u64,
    /// The sequence number after the last record; by default everything up to now
    #[arg(long, value_name = "SEQ", value_parser = sequence_number)]
    to: Option<u64>,
    #[command(flatten)]
    spool: SpoolOption,
    #[command(flatten)]
    patience: Patience,
}

impl Replay {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        opened.check_destination(&opened.status(), &self.destination)?;
        let head = crate::spool::read_head(&*opened.storage).map_err(|error| opened.failure(&error))?;
        let end = head.map_or(0, |head| head.next_seq);
        let to = self.to.unwrap_or(end).min(end);
        if self.from >= to {
            return Err(Failure::Spool(format!(
                "{}: there are no records from {} up to {to}; the next one will be {end}",
                opened.path.display(),
                self.from
            )));
        }
        let command = Command::Replay {
            destination: self.destination.clone(),
            from: self.from,
            to,
        };
        request::send(&opened, &command, &self.patience, output)
    }
}

fn sequence_number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "write a sequence number, as `cat` shows it in `auditship.seq`".to_owned())
}
