//! The companion binary's command line: one file a command.
//!
//! # Invariants
//! 1. Data goes to standard output, messages to standard error; nothing else is ever written there.
//! 2. A closed pipe ends a command quietly; no command panics on it.
//! 3. The exit codes are those of `exit::HELP`.
//! 4. Help, man pages and completions come from the definitions in these files; a test holds that no flag lacks help.

mod cat;
mod check;
mod check_config;
mod dead_letter;
mod destinations;
mod exclusion;
mod exit;
mod forget;
mod generate;
mod host;
mod iam;
mod oauth2;
mod output;
mod outside;
mod quarantine;
mod replay;
mod request;
mod run;
mod send_test;
mod ship;
mod spool;
mod status;
mod switch;
mod table;
#[cfg(test)]
mod tests;
mod verify;

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::exit::{Exit, Failure};
use self::output::Output;
use crate::config::Environment;

/// Ships audit records from a durable spool and accounts for every one of them.
#[derive(Debug, Parser)]
#[command(name = "auditship", version, propagate_version = true, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ship(ship::Ship),
    Run(run::Run),
    Status(status::ShowStatus),
    Pause(switch::Pause),
    Resume(switch::Resume),
    DeadLetter(dead_letter::DeadLetters),
    Quarantine(quarantine::Quarantine),
    Replay(replay::Replay),
    Forget(forget::Forget),
    Cat(cat::Cat),
    Verify(verify::Verify),
    CheckConfig(check_config::CheckConfig),
    Check(check::CheckDestinations),
    SendTest(send_test::SendTest),
    Iam(iam::Iam),
    #[command(name = "oauth2")]
    OAuth2(oauth2::OAuth2),
    Completions(generate::Completions),
    Man(generate::Man),
}

/// Runs the command of this process' arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version go to standard output and end with 0, mistakes to standard error with 2.
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // A closed pipe: nobody wants to read it.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let environment = Environment::of_process();
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut output = Output::to(&mut stdout);
    let result = cli.command.run(&environment, &mut output);
    let result = result.and_then(|exit| {
        output.flush()?;
        Ok(exit)
    });
    // What is left in the buffer has been tried, and a closed pipe must not be tried again on drop.
    drop(stdout.into_parts());
    let code = exit::conclude(result, &mut io::stderr().lock());
    let _ = io::stderr().flush();
    code
}

/// Says something on standard error. Where that is closed, nobody wants to know.
fn message(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "auditship: {text}");
}

impl Command {
    fn run(self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        match self {
            Self::CheckConfig(command) => Ok(command.run(environment, output)?),
            Self::Check(command) => command.run(environment, output),
            Self::SendTest(command) => command.run(environment, output),
            Self::Iam(command) => command.run(environment, output),
            Self::OAuth2(command) => command.run(environment, output),
            Self::Ship(command) => command.run(environment, output),
            Self::Run(command) => command.run(environment),
            Self::Status(command) => command.run(environment, output),
            Self::Pause(command) => command.run(environment, output),
            Self::Resume(command) => command.run(environment, output),
            Self::DeadLetter(command) => command.run(environment, output),
            Self::Quarantine(command) => command.run(environment, output),
            Self::Replay(command) => command.run(environment, output),
            Self::Forget(command) => command.run(environment, output),
            Self::Cat(command) => command.run(output),
            Self::Verify(command) => command.run(environment, output),
            Self::Completions(command) => command.run(output),
            Self::Man(command) => command.run(output),
        }
    }
}
