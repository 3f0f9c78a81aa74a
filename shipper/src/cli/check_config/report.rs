//! What `check-config` prints: the findings, then what the configuration comes to.

use std::io;

use serde_json::{Value, json};

use super::finding::{Finding, Severity};
use crate::cli::output::Output;
use crate::config::{Config, Place, ShipperMode};
use crate::destination;

/// The result of a check.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    pub(super) parts: Vec<Part>,
}

/// One usable configuration in the file.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) config: Config,
}

impl Report {
    fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    pub(super) fn print(&self, output: &mut Output<'_>) -> io::Result<()> {
        for finding in &self.findings {
            output.line(finding)?;
        }
        if !self.findings.is_empty() && !self.parts.is_empty() {
            output.line("")?;
        }
        for part in &self.parts {
            part.print(output)?;
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        output.line(match (errors, warnings) {
            (0, 0) => "No problem found.".to_owned(),
            _ => format!("{}, {}.", counted(errors, "error"), counted(warnings, "warning")),
        })
    }

    pub(super) fn json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "severity": finding.severity.name(),
                "file": finding.place.source(),
                "line": finding.place.line_number(),
                "message": finding.message,
            })
        });
        json!({
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "findings": findings.collect::<Vec<_>>(),
            "configurations": self.parts.iter().map(Part::json).collect::<Vec<_>>(),
        })
    }
}

impl Part {
    fn print(&self, output: &mut Output<'_>) -> io::Result<()> {
        let Config {
            spool,
            shipper,
            destinations,
            ..
        } = &self.config;
        output.line(format_args!(
            "{}: spool `{}` in {}",
            self.place,
            spool.id,
            spool.path.display()
        ))?;
        output.line(format_args!("  excluded: {}", in_words(&self.config)))?;
        match shipper {
            ShipperMode::Embedded => {}
            ShipperMode::External => output.line("  shipped by: `auditship run`, not by Fluent Bit")?,
        }
        for destination in destinations {
            let (id, kind) = (&destination.id, destination.kind.kind());
            output.line(format_args!(
                "  destination `{id}`: {kind} {}",
                self.target(destination)
            ))?;
        }
        Ok(())
    }

    fn target(&self, destination: &crate::config::DestinationConfig) -> String {
        // Certificates are read here, so a missing one shows.
        match destination::build(&destination.kind) {
            Ok(route) => route.destination.target(),
            Err(error) => format!("(cannot be used now: {error})"),
        }
    }

    fn json(&self) -> Value {
        let Config {
            spool,
            shipper,
            destinations,
            exclusion,
            ..
        } = &self.config;
        let destinations = destinations.iter().map(|destination| {
            json!({
                "id": destination.id,
                "type": destination.kind.kind(),
                "target": self.target(destination),
            })
        });
        json!({
            "file": self.place.source(),
            "line": self.place.line_number(),
            "id": spool.id,
            "spool": spool.path,
            "excluded": exclusion.categories().to_string().split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>(),
            "shipper": match shipper {
                ShipperMode::Embedded => "embedded",
                ShipperMode::External => "external",
            },
            "destinations": destinations.collect::<Vec<_>>(),
        })
    }
}

/// The exclusion as a sentence.
fn in_words(config: &Config) -> String {
    let categories = config.exclusion.categories();
    if categories.is_empty() {
        return "nothing; every record is kept".to_owned();
    }
    let names = categories.to_string().replace(',', ", ");
    format!("records whose every category is one of {names}; those without a category are kept")
}

fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}
