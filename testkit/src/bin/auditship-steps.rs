//! `auditship-steps KILL_AT|- REPORT PROGRAM [ARGUMENT...]`: runs a program, and kills it at a step such as
//! `segment-write:3:before`, or never (`-`). REPORT becomes a JSON object: how it ended, and how often each step came.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use auditship_testkit::steps::trace;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(why) => {
            #[expect(clippy::print_stderr, reason = "a program for the command line")]
            {
                eprintln!("auditship-steps: {why}");
            }
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().ok_or("KILL_AT|- REPORT PROGRAM [ARGUMENT...]");
    let kill_at = next()?.into_string().map_err(|_| "KILL_AT is not text")?;
    let kill_at = if kill_at == "-" {
        None
    } else {
        Some(kill_at.parse()?)
    };
    let report = next()?;
    let mut program = Command::new(next()?);
    program.args(arguments);
    let (end, seen) = trace::run(program, kill_at)?;
    let seen: BTreeMap<String, u64> = seen
        .into_iter()
        .map(|(step, count)| (step.to_string(), count))
        .collect();
    let ended = match end {
        trace::End::AtStep => "at-step".to_owned(),
        trace::End::Exited(code) => format!("exit {code}"),
        trace::End::Signalled(signal) => format!("signal {signal}"),
    };
    std::fs::write(
        report,
        serde_json::json!({ "ended": ended, "steps": seen }).to_string(),
    )?;
    Ok(match end {
        trace::End::Exited(0) => ExitCode::SUCCESS,
        trace::End::AtStep => ExitCode::from(137),
        _ => ExitCode::FAILURE,
    })
}
