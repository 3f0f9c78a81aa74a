//! `auditship check-config`: what Fluent Bit cannot find in a configuration, and what a person overlooks.
//!
//! # In scope
//! Our TOML; our stanzas in a classic or YAML configuration of Fluent Bit, with the host's own keys that decide whether
//! records can be lost on the way to us. Nothing is written and no destination is contacted.
//!
//! # Out of scope
//! Whether a destination would take records; the host's other plugins.

mod finding;
mod inputs;
mod report;
mod spool_dir;
mod stanzas;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::finding::{Finding, Severity};
use self::report::{Part, Report};
use super::exit::{Exit, Failure};
use super::host::{self, HostConfig};
use super::message;
use super::output::Output;
use crate::config::{Config, Environment, Place, Strictness};

/// Check a configuration: auditship's TOML, or a fluent-bit.conf or .yaml with auditship stanzas.
///
/// Finds misspelt keys, which Fluent Bit itself does not, values that do not do, and what lets Fluent Bit lose records:
/// a stanza without `Retry_Limit no_limits` or `Workers 1`, an input without `storage.type filesystem`, stanzas that share
/// an id. Ends with 1 when there is an error.
#[derive(Args, Debug)]
pub(super) struct CheckConfig {
    /// The file to check
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is; by default its name tells
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The kinds of files that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// auditship's own configuration
    Toml,
    /// Fluent Bit's classic configuration
    FluentBit,
    /// Fluent Bit's YAML configuration
    FluentBitYaml,
}

impl CheckConfig {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> io::Result<Exit> {
        let report = check(&self.file, self.format, environment);
        if self.json {
            output.json(&report.json())?;
        } else {
            report.print(output)?;
        }
        let worst = report.findings.iter().map(|finding| finding.severity).min();
        Ok(match worst {
            Some(Severity::Error) => Exit::Unsound,
            Some(Severity::Warning) if self.strict => Exit::Unsound,
            Some(Severity::Warning) | None => Exit::Done,
        })
    }
}

impl Format {
    /// From the name, or from the first line that is neither empty nor a comment.
    fn of(file: &Path) -> Self {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => return Self::Toml,
            Some("conf") => return Self::FluentBit,
            Some("yaml" | "yml") => return Self::FluentBitYaml,
            _ => {}
        }
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut lines = text.lines().map(str::trim_end);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        match first {
            Some(line) if line.starts_with('@') => Self::FluentBit,
            Some(line) if line.starts_with('[') && line.chars().any(|char| char.is_ascii_uppercase()) => {
                Self::FluentBit
            }
            Some(line) if line.ends_with(':') => Self::FluentBitYaml,
            _ => Self::Toml,
        }
    }
}

/// Whether something of a configuration could not be used, beside what could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Sound,
    Broken,
}

/// What `file` configures, for commands that ask destinations. Mistakes beside it are told on standard error.
///
/// # Errors
/// [`Failure::Config`] when nothing of it can be used.
pub(super) fn configs(file: &Path, environment: &Environment) -> Result<(Vec<Config>, Rest), Failure> {
    let report = check(file, None, environment);
    let errors = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    if report.parts.is_empty() {
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        return Err(Failure::Config(errors.join("\n")));
    }
    let rest = match errors.inspect(|finding| message(finding)).count() {
        0 => Rest::Sound,
        _ => Rest::Broken,
    };
    Ok((report.parts.into_iter().map(|part| part.config).collect(), rest))
}

/// Everything there is to say about `file`.
fn check(file: &Path, format: Option<Format>, environment: &Environment) -> Report {
    match format.unwrap_or_else(|| Format::of(file)) {
        Format::Toml => of_toml(file, environment),
        Format::FluentBit => of_host(&host::classic::read(file, environment), file, environment),
        Format::FluentBitYaml => of_host(&host::yaml::read(file, environment), file, environment),
    }
}

fn of_toml(file: &Path, environment: &Environment) -> Report {
    let whole = Place::of(&file.display().to_string());
    let mut report = Report::default();
    match Config::from_toml(file, environment, Strictness::Strict) {
        Ok(config) => {
            report
                .findings
                .extend(spool_dir::check(&config.spool.path, &whole));
            report.parts.push(Part { place: whole, config });
        }
        Err(errors) => report.findings.extend(Finding::all_of(&errors)),
    }
    report
}

fn of_host(host: &HostConfig, file: &Path, environment: &Environment) -> Report {
    let mut report = Report::default();
    let faults = host.faults.iter();
    report
        .findings
        .extend(faults.map(|fault| Finding::error(&fault.place, fault.reason.as_str())));
    let checked = stanzas::check(host, environment, &mut report.findings);
    if checked.is_empty() && host.faults.is_empty() {
        let whole = Place::of(&file.display().to_string());
        report
            .findings
            .push(Finding::error(&whole, "has no output with `Name auditship`"));
    }
    if !checked.is_empty() {
        inputs::check(host, &mut report.findings);
    }
    report.parts = checked
        .into_iter()
        .filter_map(|checked| {
            Some(Part {
                place: checked.section.place.clone(),
                config: checked.config?,
            })
        })
        .collect();
    report
}
