//! Counterparts that are written in Python or JavaScript, in the environment that `scripts/test-deps.sh` makes below the target
//! directory: a program in it ends with the test.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The interpreter that has moto and botocore. `None` when they are not installed: then `test` has been called skipped.
pub(crate) fn moto(test: &str) -> Option<PathBuf> {
    environment(test, "moto")
}

/// The interpreter that has Google's client library. `None` when it is not installed: then `test` has been called skipped.
pub(crate) fn google(test: &str) -> Option<PathBuf> {
    environment(test, "google")
}

/// The folder with the modules of the OAuth 2.0 server. `None` when they are not installed: then `test` has been called skipped.
pub(crate) fn oauth2(test: &str) -> Option<PathBuf> {
    installed(test, "oauth2")
}

/// The interpreter of an environment, or word of its absence.
fn environment(test: &str, name: &str) -> Option<PathBuf> {
    installed(test, name).map(|folder| folder.join("bin/python"))
}

/// The folder of an environment, or word of its absence on the run's own standard error, past the test harness.
fn installed(test: &str, name: &str) -> Option<PathBuf> {
    // One level above the directory for temporary files is the target directory itself.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("../test-deps")
        .join(name);
    if folder.join("complete").is_file() {
        return Some(folder);
    }
    let _unheard = writeln!(
        std::io::stderr(),
        "skipped: {test} ({name} is not installed: run scripts/test-deps.sh)"
    );
    None
}

/// A file of the tests' support folder.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support")
        .join(name)
}

/// A running program. It ends when its standard input is closed, and that is with this value or the process.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Starts a file of the support folder.
    pub(crate) fn start(python: &Path, file: &str) -> Self {
        Self::start_with(python, file, &[])
    }

    /// Starts a file of the support folder with arguments.
    pub(crate) fn start_with(interpreter: &Path, file: &str, arguments: &[&Path]) -> Self {
        let mut child = Command::new(interpreter)
            .arg(source(file))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("an interpreter that was installed");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// Its next line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        assert!(!line.is_empty(), "the program has ended");
        line.trim_end().to_owned()
    }

    /// Gives it a line and awaits one.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let input = self.input.as_mut().expect("it runs");
        writeln!(input, "{line}").expect("it reads");
        self.line()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.input = None;
        let _ended = self.child.wait();
    }
}
