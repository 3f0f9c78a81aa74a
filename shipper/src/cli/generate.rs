//! `auditship completions` and `auditship man`: made from the definition of the command line itself.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::exit::{Exit, Failure};
use super::output::Output;

/// Print the completion script for a shell.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell, as bash: `auditship completions bash > /etc/bash_completion.d/auditship`
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Print the man page, or write one for each command into a directory.
#[derive(Args, Debug)]
pub(super) struct Man {
    /// An existing directory for auditship.1, auditship-ship.1, ...
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "auditship", &mut script);
        output.bytes(&script)?;
        Ok(Exit::Done)
    }
}

impl Man {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let mut command = Cli::command();
        command.build();
        let Some(folder) = &self.into else {
            output.bytes(&page(command)?)?;
            return Ok(Exit::Done);
        };
        for (name, command) in pages("auditship", command) {
            let path = folder.join(format!("{name}.1"));
            std::fs::write(&path, page(command)?)
                .map_err(|error| Failure::Spool(format!("{}: {error}", path.display())))?;
        }
        Ok(Exit::Done)
    }
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

/// A command and all below it, each under its full name with dashes.
fn pages(name: &str, command: Command) -> Vec<(String, Command)> {
    let below: Vec<_> = command
        .get_subcommands()
        .filter(|below| below.get_name() != "help" && !below.is_hide_set())
        .flat_map(|below| pages(&format!("{name}-{}", below.get_name()), below.clone()))
        .collect();
    std::iter::once((name.to_owned(), command)).chain(below).collect()
}
