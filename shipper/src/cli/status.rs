//! `auditship status`: what runs, the sums of records, and each destination.

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::spool::SpoolArgument;
use super::table::Table;
use crate::config::Environment;
use crate::control::status::{
    Activity, DestinationView, Health, Intake, Life, Program, RoleView, Standing, Status, Vantage,
    WriterStatus,
};
use crate::spool::cursor::HoldKind;

/// Show what runs on a spool, what became of its records, and how each destination is doing.
///
/// Works on a running plugin, a running daemon, or neither. Ends with 1 when health is red.
#[derive(Args, Debug)]
pub(super) struct ShowStatus {
    #[command(flatten)]
    spool: SpoolArgument,
    /// Print everything that is known as one JSON object
    #[arg(long)]
    json: bool,
}

impl ShowStatus {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let opened = self.spool.open(environment)?;
        let status = opened.status();
        if self.json {
            let value = serde_json::to_value(&status).map_err(|error| opened.failure(&error))?;
            output.json(&value)?;
        } else {
            output.line(format_args!("spool     {}", opened.path.display()))?;
            print(&status, output)?;
        }
        Ok(match status.health {
            Health::Green => Exit::Done,
            Health::Red { .. } => Exit::Unsound,
        })
    }
}

fn print(status: &Status, output: &mut Output<'_>) -> std::io::Result<()> {
    match &status.health {
        Health::Green => output.line("health    green")?,
        Health::Red { alarms } => {
            for (number, alarm) in alarms.iter().enumerate() {
                let label = if number == 0 {
                    "health    red: "
                } else {
                    "               "
                };
                output.line(format_args!("{label}{alarm}"))?;
            }
        }
    }
    let writer = status.writer.snapshot.as_ref();
    output.line(format_args!(
        "writer    {}",
        role(&status.writer, writer.map(|writer| &writer.program))
    ))?;
    let shipper = status.shipper.snapshot.as_ref().map(|shipper| &shipper.program);
    output.line(format_args!("shipper   {}", role(&status.shipper, shipper)))?;
    if let Some(writer) = writer {
        sums(writer, output)?;
    }
    if status.destinations.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let mut table = Table::of([
        "DESTINATION",
        "STATE",
        "PENDING",
        "DELIVERED",
        "DEAD",
        "FILTERED",
        "SKIPPED",
        "DROPPED",
        "DAMAGED",
        "LAST SUCCESS",
        "TARGET",
    ]);
    for view in &status.destinations {
        let counts = &view.status.counts;
        table.row([
            view.status.id.clone(),
            state(view),
            view.pending().to_string(),
            counts.delivered.to_string(),
            counts.dead_lettered.to_string(),
            counts.filtered.to_string(),
            counts.skipped_before_start.to_string(),
            counts.dropped.to_string(),
            counts.damaged.to_string(),
            view.status
                .last_success
                .map_or_else(|| "-".to_owned(), |at| seconds(&at.to_rfc3339())),
            view.status.target.clone(),
        ]);
    }
    table.print(output)?;
    for view in &status.destinations {
        if let Some(why) = why(view) {
            output.line(format_args!("\n{}: {why}", view.status.id))?;
        }
    }
    Ok(())
}

fn role<S>(view: &RoleView<S>, program: Option<&Program>) -> String {
    let program = program.map(|program| {
        let since = program.since.map_or_else(String::new, |since| {
            format!(" since {}", seconds(&since.to_rfc3339()))
        });
        format!(
            "{} {}, process {}{since}",
            program.name, program.version, program.pid
        )
    });
    match (view.life, program) {
        (Life::Running, Some(program)) => format!("running: {program}"),
        (Life::Running, None) => "running".to_owned(),
        (Life::Stopped, Some(program)) => format!("not running; last was {program}"),
        (Life::Stopped, None) => "not running".to_owned(),
    }
}

fn sums(writer: &WriterStatus, output: &mut Output<'_>) -> std::io::Result<()> {
    let totals = &writer.totals;
    output.line(format_args!(
        "received  {} = {} excluded + {} duplicate + {} spooled",
        totals.received, totals.excluded, totals.duplicate, totals.spooled
    ))?;
    if totals.undecodable_regions > 0 {
        output.line(format_args!(
            "          {} undecodable {} in quarantine, {}",
            totals.undecodable_regions,
            if totals.undecodable_regions == 1 {
                "region"
            } else {
                "regions"
            },
            about(totals.undecodable_bytes)
        ))?;
    }
    let space = &writer.space;
    output.line(format_args!(
        "space     {} used of {}, {} undelivered",
        about(space.used),
        about(space.max),
        about(space.undelivered)
    ))?;
    match &writer.intake {
        Intake::Open => Ok(()),
        Intake::Refusing { since, reason } => output.line(format_args!(
            "intake    refusing since {}: {reason}",
            seconds(&since.to_rfc3339())
        )),
        Intake::Dropping { since, reason } => output.line(format_args!(
            "intake    dropping since {}: {reason}",
            seconds(&since.to_rfc3339())
        )),
    }
}

fn state(view: &DestinationView) -> String {
    let applied = if view.is_applied() || view.seen_by == Vantage::Cursor {
        ""
    } else {
        " (change pending)"
    };
    if view.standing == Standing::Unconfigured {
        return "not configured".to_owned();
    }
    let word = match &view.status.activity {
        Activity::Active => "active".to_owned(),
        Activity::Paused => "paused".to_owned(),
        Activity::Held { kind, .. } => format!("held ({})", hold(*kind)),
        Activity::BackingOff { .. } => "backing off".to_owned(),
        Activity::Stopped => "stopped".to_owned(),
    };
    format!("{word}{applied}")
}

/// The reason, where there is one.
fn why(view: &DestinationView) -> Option<String> {
    if view.standing == Standing::Unconfigured {
        let kept = match view.pending() {
            0 => "what it has got is remembered",
            _ => "its pending records are kept all the same",
        };
        return Some(format!(
            "it is no longer configured, and {kept}; `auditship forget {}` gives that up",
            view.status.id
        ));
    }
    match &view.status.activity {
        Activity::Held { reason, since, .. } => {
            Some(format!("held since {}: {reason}", seconds(&since.to_rfc3339())))
        }
        Activity::BackingOff { until, reason } => Some(format!(
            "{reason}; next attempt at {}",
            seconds(&until.to_rfc3339())
        )),
        Activity::Active | Activity::Paused | Activity::Stopped => None,
    }
}

fn hold(kind: HoldKind) -> String {
    // The kind's name in JSON is its name for people too.
    serde_json::to_value(kind)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A time without its fraction.
fn seconds(rfc3339: &str) -> String {
    match rfc3339.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => rfc3339.to_owned(),
    }
}

/// A size to about three digits, for people.
fn about(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = tenths.div_ceil(1024);
        unit += 1;
    }
    match (unit, tenths) {
        (0, _) => format!("{bytes} B"),
        (_, 1_000..) => format!("{} {}", tenths / 10, UNITS[unit]),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 << 20, "10.0 MiB"),
            (500 << 30, "500 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(about(bytes), text);
        }
    }
}
