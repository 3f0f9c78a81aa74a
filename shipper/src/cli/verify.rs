//! `auditship verify`: whether anything in a spool was changed, removed, put in or put elsewhere.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::spool::SpoolArgument;
use crate::config::Environment;
use crate::hex::hex;
use crate::seal::{self, Verification};

/// Recompute the hash chain of a spool and name every place where something was changed, removed or put in.
///
/// Reads only, also beside a running plugin. Ends with 1 when something does not agree.
#[derive(Args, Debug)]
pub(super) struct Verify {
    #[command(flatten)]
    spool: SpoolArgument,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let found = seal::verify(Arc::clone(&opened.storage)).map_err(|error| opened.failure(&error))?;
        if self.json {
            output.json(&facts(&found))?;
        } else {
            print(&found, output)?;
        }
        Ok(if found.is_whole() {
            Exit::Done
        } else {
            Exit::Unsound
        })
    }
}

fn print(found: &Verification, output: &mut Output<'_>) -> std::io::Result<()> {
    for place in &found.breaks {
        output.line(place)?;
    }
    if found.more_breaks > 0 {
        output.line(format_args!("and {} more", found.more_breaks))?;
    }
    output.line(format_args!(
        "spool {}: {} records in {} blocks, numbers {} up to {}",
        found.spool, found.records, found.blocks, found.from_seq, found.to_seq
    ))?;
    output.line(format_args!("chain {}", hex(&found.chain)))?;
    output.line(match found.breaks.len() as u64 + found.more_breaks {
        0 => "Everything agrees.".to_owned(),
        1 => "1 place does not agree.".to_owned(),
        several => format!("{several} places do not agree."),
    })?;
    for blind in Verification::BLIND {
        output.line(format_args!("not seen by this: {blind}"))?;
    }
    Ok(())
}

fn facts(found: &Verification) -> serde_json::Value {
    let breaks = found.breaks.iter().map(|place| {
        json!({
            "segment": place.position.segment,
            "offset": place.position.offset,
            "seq": place.seq,
            "message": place.to_string(),
        })
    });
    json!({
        "spool": found.spool.to_string(),
        "whole": found.is_whole(),
        "from_seq": found.from_seq,
        "to_seq": found.to_seq,
        "blocks": found.blocks,
        "records": found.records,
        "unsalted": found.unsalted,
        "chain": hex(&found.chain).to_string(),
        "breaks": breaks.collect::<Vec<_>>(),
        "more_breaks": found.more_breaks,
    })
}
