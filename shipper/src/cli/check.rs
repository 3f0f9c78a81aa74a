//! `auditship check`: would records arrive? Asked of the destinations themselves.

use clap::Args;
use serde_json::json;

use super::destinations::ConfigOption;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::{DestinationConfig, Environment};
use crate::destination;
use crate::destination::check::{self, Finding};

/// Prove that records would arrive: name, TLS, credentials, the permission to write, region and clock.
///
/// Asks each destination with the credentials and options that shipping uses, and stores nothing where the destination has a
/// way to ask without. For a failure it says what to do, and which permission is missing. Ends with 1 when a destination
/// would not take records.
#[derive(Args, Debug)]
pub(super) struct CheckDestinations {
    #[command(flatten)]
    config: ConfigOption,
    /// Only this destination
    #[arg(long, value_name = "ID")]
    destination: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl CheckDestinations {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let chosen = self
            .config
            .destinations(self.destination.as_deref(), environment)?;
        let findings: Vec<(&DestinationConfig, Finding)> = chosen
            .destinations
            .iter()
            .map(|destination| (destination, ask(destination)))
            .collect();
        if self.json {
            let findings = findings
                .iter()
                .map(|(destination, finding)| as_json(destination, finding));
            output.json(&json!({ "destinations": findings.collect::<Vec<_>>() }))?;
        } else {
            for (destination, finding) in &findings {
                print(destination, finding, output)?;
            }
        }
        let failed = |finding: &Finding| matches!(finding, Finding::Failed { .. });
        Ok(match findings.iter().any(|(_, finding)| failed(finding)) {
            true => Exit::Unsound,
            false => chosen.exit(),
        })
    }
}

fn ask(destination: &DestinationConfig) -> Finding {
    match destination::build(&destination.kind) {
        Ok(route) => check::run(&*route.check, &*route.transport),
        Err(error) => Finding::Failed {
            reason: error.to_string(),
        },
    }
}

fn word(finding: &Finding) -> &'static str {
    match finding {
        Finding::Ready { .. } => "ready",
        Finding::Reachable { .. } => "reachable",
        Finding::Failed { .. } => "failed",
    }
}

fn as_json(destination: &DestinationConfig, finding: &Finding) -> serde_json::Value {
    let (proven, open, reason) = match finding {
        Finding::Ready { proven } => (Some(proven), None, None),
        Finding::Reachable { proven, open } => (Some(proven), Some(open), None),
        Finding::Failed { reason } => (None, None, Some(reason)),
    };
    json!({
        "id": destination.id,
        "type": destination.kind.kind(),
        "result": word(finding),
        "proven": proven,
        "not_proven": open,
        "reason": reason,
    })
}

/// One line, and what belongs to it indented below: a policy has several lines.
fn print(destination: &DestinationConfig, finding: &Finding, output: &mut Output<'_>) -> Result<(), Failure> {
    let told = match finding {
        Finding::Ready { proven } => vec![proven.as_str()],
        Finding::Reachable { proven, open } => vec![proven.as_str(), "not proven:", open.as_str()],
        Finding::Failed { reason } => vec![reason.as_str()],
    };
    let told = told.join("\n");
    let mut lines = told.lines();
    let first = lines.next().unwrap_or_default();
    let kind = destination.kind.kind();
    output.line(format_args!(
        "{} ({kind}): {}: {first}",
        destination.id,
        word(finding)
    ))?;
    for line in lines {
        output.line(format_args!("    {line}"))?;
    }
    Ok(())
}
