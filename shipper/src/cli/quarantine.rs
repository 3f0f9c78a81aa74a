//! `auditship quarantine`: input that could not be decoded.

use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::request::{self, Patience};
use super::spool::SpoolOption;
use super::table::Table;
use crate::config::Environment;
use crate::control::commands::{BlockPlace, Command, QuarantinedBlocks};
use crate::instance::quarantine;

/// Input that could not be decoded: list it, have it decoded again, or give it up.
#[derive(Args, Debug)]
pub(super) struct Quarantine {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Retry(Retry),
    Discard(Discard),
}

/// List quarantined input: place, time, bytes, reason, and where it came from.
#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    spool: SpoolOption,
    /// Print one JSON object for each
    #[arg(long)]
    json: bool,
}

/// Decode quarantined input again and spool the records in it, as after an update that knows better.
#[derive(Args, Debug)]
struct Retry {
    #[command(flatten)]
    selection: Selection,
}

/// Give quarantined input up for good, and its room back. A note in the spool says what was discarded.
#[derive(Args, Debug)]
struct Discard {
    #[command(flatten)]
    selection: Selection,
}

/// What of the quarantine a command is about, and where it is left.
#[derive(Args, Debug)]
struct Selection {
    /// The places, as `list` names them: SEGMENT-OFFSET, in hexadecimal and in decimal, as 000000000000001f-4096
    #[arg(value_name = "PLACE", required_unless_present = "all", conflicts_with = "all")]
    places: Vec<PlaceName>,
    /// Everything in quarantine; to `retry`, what nothing has been got out of yet
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    spool: SpoolOption,
    #[command(flatten)]
    patience: Patience,
}

/// `SEGMENT-OFFSET`: the segment in hexadecimal as its file is named, the offset in decimal (files of `quarantine/` have it in
/// hexadecimal).
#[derive(Clone, Copy, Debug)]
struct PlaceName(BlockPlace);

impl FromStr for PlaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (segment, offset) = text.split_once('-')?;
            Some(BlockPlace {
                segment: u64::from_str_radix(segment, 16).ok()?,
                offset: offset.parse().ok()?,
            })
        };
        let wrong = || format!("`{text}` is not a place: write SEGMENT-OFFSET as `quarantine list` does");
        parse().map(Self).ok_or_else(wrong)
    }
}

fn name(place: BlockPlace) -> String {
    format!("{:016x}-{}", place.segment, place.offset)
}

impl Quarantine {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        match &self.action {
            Action::List(list) => list.run(environment, output),
            Action::Retry(Retry { selection }) => {
                let which = selection.blocks();
                selection.ask(Command::QuarantineRetry { which }, environment, output)
            }
            Action::Discard(Discard { selection }) => {
                let which = selection.blocks();
                selection.ask(Command::QuarantineDiscard { which }, environment, output)
            }
        }
    }
}

impl List {
    fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let found = quarantine::list(Arc::clone(&opened.storage)).map_err(|error| opened.failure(&error))?;
        let mut table = Table::of(["PLACE", "AT", "BYTES", "RECOVERED", "REASON", "ORIGIN"]);
        for block in found {
            let (place, at) = (name(block.place), block.at.to_rfc3339());
            if self.json {
                output.json_line(&json!({
                    "place": place,
                    "at": at,
                    "bytes": block.len,
                    "recovered": block.recovered,
                    "reason": block.reason,
                    "origin": block.origin,
                }))?;
            } else {
                table.row([
                    place,
                    at,
                    block.len.to_string(),
                    block.recovered.to_string(),
                    block.reason,
                    block.origin,
                ]);
            }
        }
        table.print(output)?;
        Ok(Exit::Done)
    }
}

impl Selection {
    fn blocks(&self) -> QuarantinedBlocks {
        match self.all {
            true => QuarantinedBlocks::All,
            false => QuarantinedBlocks::These(self.places.iter().map(|PlaceName(place)| *place).collect()),
        }
    }

    /// Leaves `command` in the spool.
    fn ask(
        &self,
        command: Command,
        environment: &Environment,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        request::send(&opened, &command, &self.patience, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back() {
        let place = BlockPlace {
            segment: 0x1f,
            offset: 4096,
        };
        let PlaceName(read) = name(place).parse().expect("a place");
        assert_eq!(read, place);
        for wrong in ["", "1f", "x-1", "1-x"] {
            assert!(wrong.parse::<PlaceName>().is_err(), "{wrong}");
        }
    }
}
