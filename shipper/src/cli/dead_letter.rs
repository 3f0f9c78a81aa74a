//! `auditship dead-letter`: records that a destination refused for good.

use std::str::FromStr;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::request::{self, Patience};
use super::spool::{Opened, SpoolOption};
use super::table::Table;
use crate::config::Environment;
use crate::control::commands::{Command, LetterId, Letters};
use crate::spool::dead_letter::{self, DeadLetter, DeadLetterError};
use crate::spool::identity::Epoch;

/// Records that a destination refused for good: list them, look at one, send them again.
#[derive(Args, Debug)]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Retry(Retry),
}

/// List dead letters: record, time, the destination's code and reason.
#[derive(Args, Debug)]
struct List {
    /// Only those of this destination
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
    #[command(flatten)]
    spool: SpoolOption,
    /// Print one JSON object a letter, without its record
    #[arg(long)]
    json: bool,
}

/// Print a dead letter's record as it is in the spool, and why it was refused to standard error.
#[derive(Args, Debug)]
struct Show {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// The record, as `list` names it: EPOCH-SEQ
    #[arg(value_name = "RECORD")]
    record: RecordName,
    #[command(flatten)]
    spool: SpoolOption,
    /// Print the letter as one JSON object, with its record
    #[arg(long)]
    json: bool,
}

/// Send dead letters again. One that is taken is then counted as delivered, and its letter is removed.
#[derive(Args, Debug)]
struct Retry {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// The records, as `list` names them: EPOCH-SEQ
    #[arg(
        value_name = "RECORD",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    records: Vec<RecordName>,
    /// All of the destination's dead letters
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    spool: SpoolOption,
    #[command(flatten)]
    patience: Patience,
}

/// `EPOCH-SEQ`.
#[derive(Clone, Copy, Debug)]
struct RecordName(LetterId);

impl FromStr for RecordName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a record: write EPOCH-SEQ as `dead-letter list` does, as 00c0ffee00c0ffee-42"
            )
        };
        let (epoch, seq) = text.split_once('-').ok_or_else(wrong)?;
        Ok(Self(LetterId {
            epoch: epoch.parse::<Epoch>().map_err(|_| wrong())?,
            seq: seq.parse().map_err(|_| wrong())?,
        }))
    }
}

impl DeadLetters {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        match &self.action {
            Action::List(list) => list.run(environment, output),
            Action::Show(show) => show.run(environment, output),
            Action::Retry(retry) => retry.run(environment, output),
        }
    }
}

impl List {
    fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let storage = &*opened.storage;
        let destinations = match &self.destination {
            Some(destination) => {
                opened.check_destination(&opened.status(), destination)?;
                vec![destination.clone()]
            }
            None => dead_letter::destinations(storage).map_err(|error| opened.failure(&error))?,
        };
        let mut table = Table::of(["DESTINATION", "RECORD", "AT", "CODE", "REASON"]);
        for destination in destinations {
            for listed in dead_letter::list(storage, &destination).map_err(|error| opened.failure(&error))? {
                let record = format!("{}-{}", listed.epoch, listed.seq);
                match dead_letter::show(storage, &destination, listed.epoch, listed.seq) {
                    // It was delivered since.
                    Ok(None) => {}
                    Ok(Some(letter)) if self.json => output.json_line(&facts(&destination, &letter))?,
                    Ok(Some(letter)) => {
                        table.row([
                            destination.clone(),
                            record,
                            letter.at.to_rfc3339(),
                            letter.code,
                            letter.reason,
                        ]);
                    }
                    // One that cannot be read must not hide the others.
                    Err(error @ DeadLetterError::Damaged { .. }) if self.json => {
                        output.json_line(&json!({"destination": destination, "record": record, "problem": error.to_string()}))?;
                    }
                    Err(error @ DeadLetterError::Damaged { .. }) => {
                        table.row([
                            destination.clone(),
                            record,
                            String::new(),
                            String::new(),
                            error.to_string(),
                        ]);
                    }
                    Err(error) => return Err(opened.failure(&error)),
                }
            }
        }
        table.print(output)?;
        Ok(Exit::Done)
    }
}

impl Show {
    fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let RecordName(id) = self.record;
        let letter = dead_letter::show(&*opened.storage, &self.destination, id.epoch, id.seq)
            .map_err(|error| opened.failure(&error))?
            .ok_or_else(|| self.absent(&opened))?;
        if self.json {
            let mut facts = facts(&self.destination, &letter);
            facts["record_json"] = serde_json::from_slice(&letter.record).unwrap_or(serde_json::Value::Null);
            output.json(&facts)?;
        } else {
            super::message(format_args!(
                "{} refused it at {} after {}: {} {}",
                self.destination,
                letter.at.to_rfc3339(),
                match letter.attempts {
                    1 => "1 sending".to_owned(),
                    attempts => format!("{attempts} sendings"),
                },
                letter.code,
                letter.reason
            ));
            output.bytes(&letter.record)?;
            output.line("")?;
        }
        Ok(Exit::Done)
    }

    fn absent(&self, opened: &Opened) -> Failure {
        let RecordName(id) = self.record;
        Failure::Spool(format!(
            "{}: {} has no dead letter {}-{}",
            opened.path.display(),
            self.destination,
            id.epoch,
            id.seq
        ))
    }
}

impl Retry {
    fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        opened.check_destination(&opened.status(), &self.destination)?;
        let which = if self.all {
            Letters::All
        } else {
            Letters::These(self.records.iter().map(|RecordName(id)| *id).collect())
        };
        let destination = self.destination.clone();
        request::send(
            &opened,
            &Command::DeadLetterRetry { destination, which },
            &self.patience,
            output,
        )
    }
}

fn facts(destination: &str, letter: &DeadLetter) -> serde_json::Value {
    json!({
        "destination": destination,
        "record": format!("{}-{}", letter.id.epoch, letter.id.seq),
        "key": letter.key.to_string(),
        "time": letter.time.to_rfc3339(),
        "at": letter.at.to_rfc3339(),
        "attempts": letter.attempts,
        "code": letter.code,
        "reason": letter.reason,
    })
}
