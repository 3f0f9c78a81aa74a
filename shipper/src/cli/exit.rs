//! How the binary ends: documented, stable numbers.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigErrors;

/// How a command ended that did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Done,
    /// It was done, and the result needs attention.
    Unsound,
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The configuration is wrong.
    Config(String),
    /// A spool, or something else on disk, cannot be used: what and why.
    Spool(String),
    /// The command is left in the spool and nobody has answered yet.
    Unanswered(String),
    /// Nothing can be printed.
    Output(io::Error),
}

/// The exit codes, as `--help`, the man page and docs/CLI.md have them.
pub(super) const HELP: &str = "Exit codes:
  0  done, and all is well
  1  done, and the result needs attention: check-config found an error, check found a
     destination that would not take records, send-test's record is not stored, oauth2 login
     got no login, verify found a break, ship did not deliver every record, status is red,
     cat could not read something
  2  the command line is wrong
  3  the configuration is wrong
  4  the spool or a file cannot be used: missing, locked, not permitted, of a newer version
  5  the command was left in the spool, but no running shipper or writer has answered it
     yet; it will be done as soon as one can";

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unsound => 1,
        }
    }
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Config(_) => 3,
            Self::Spool(_) => 4,
            Self::Unanswered(_) => 5,
            // Whoever read our output has seen enough: that is no failure.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output(_) => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(what) | Self::Spool(what) | Self::Unanswered(what) => f.write_str(what),
            Self::Output(error) => write!(f, "standard output: {error}"),
        }
    }
}

/// Errors of writing to standard output; anything else is mapped where it happens.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors.to_string())
    }
}

/// The process' exit code. A message goes to `messages` unless the other end of a pipe was closed.
pub(super) fn conclude(result: Result<Exit, Failure>, messages: &mut dyn io::Write) -> ExitCode {
    let code = match result {
        Ok(exit) => exit.code(),
        Err(failure) => {
            if failure.code() != 0 {
                // Where even this cannot be written, the exit code remains.
                let _ = writeln!(messages, "auditship: {failure}");
            }
            failure.code()
        }
    };
    ExitCode::from(code)
}
