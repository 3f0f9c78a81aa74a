//! Counterparts that are written in Python: a virtual environment with pinned packages, kept below the target directory,
//! and a program in it that ends with the test.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Says on the run's own standard error, past the test harness, that `test` was skipped.
pub(crate) fn skipped(test: &str, why: &str) {
    let _unheard = writeln!(std::io::stderr(), "skipped: {test} ({why})");
}

/// The interpreter of a virtual environment with what `requirements` (a file beside the tests) names; made once, found
/// again later. `None` when it cannot be made: then `test` has been called skipped.
pub(crate) fn environment(test: &str, requirements: &str) -> Option<PathBuf> {
    match installed(&source(requirements)) {
        Ok(python) => Some(python),
        Err(why) => {
            skipped(test, &why);
            None
        }
    }
}

/// A file of the tests' support folder.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support")
        .join(name)
}

fn installed(requirements: &Path) -> Result<PathBuf, String> {
    let wanted = fs::read(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let name = name_of(&wanted);
    // One level above the directory for temporary files: the target directory itself.
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools");
    fs::create_dir_all(&tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    // Several test binaries may come at once: the first installs, the others wait for it.
    let lock = File::create(tools.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let folder = tools.join(name);
    let (python, complete) = (folder.join("bin/python"), folder.join("complete"));
    if complete.is_file() {
        return Ok(python);
    }
    // What is left of an installation that did not end. That there is none is no error.
    let _absent = fs::remove_dir_all(&folder);
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&folder),
        "python3 -m venv",
    )?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "-r",
    ]);
    run(pip.arg(requirements), "pip install")?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(python)
}

/// Another list of packages is another environment.
fn name_of(content: &[u8]) -> String {
    let sum = content.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("python-{sum:016x}")
}

fn run(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{what} failed: {last}"))
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
        let mut child = Command::new(python)
            .arg(source(file))
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
