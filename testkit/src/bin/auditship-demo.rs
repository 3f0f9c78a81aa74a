//! `auditship-demo LIBRARY BINARY DRIVER`: runs the main job on the sample audit log and says what became of the records.
//! Through Fluent Bit ($FLUENT_BIT, or on PATH) with `fluent-bit.conf`, else through the host driver (auditship-host) with
//! the same properties. Run from the repository's root; everything lands in ./demo-out, which is made anew.
//!
//! The configuration that Fluent Bit gets is a copy in ./demo-out, in which only the library's path is another one: it
//! need not be in `target/release`.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use auditship_testkit::chunk::Layout;
use auditship_testkit::host::FlushCode;
use auditship_testkit::process::{HostProcess, setup, stanza};
use auditship_testkit::protocol::Chunk;
use serde_json::Value;

const LOG: &str = "examples/audit.ndjson";
const CONFIGURATION: &str = "fluent-bit.conf";
/// What a Fluent Bit says that was built without buffering on disk.
const WITHOUT_STORAGE: &str = "cannot init storage backlog input plugin";
/// How often it is looked whether all records have arrived, and how long between two looks.
const LOOKS: (u32, Duration) = (300, Duration::from_millis(200));

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _closed = writeln!(std::io::stderr(), "auditship-demo: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(library), Some(binary), Some(driver)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: auditship-demo LIBRARY BINARY DRIVER".into());
    };
    let library = fs::canonicalize(library)?;
    let out = std::env::current_dir()?.join("demo-out");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir(&out)?;
    let log = fs::read_to_string(LOG)?;
    let demo = Demo {
        records: log.lines().count() as u64,
        out,
        binary,
    };
    let (through, status) = match fluent_bit() {
        Some(host) => demo.through_fluent_bit(&host, &library)?,
        None => (
            "the host driver (no fluent-bit on PATH)",
            demo.through_driver(&driver, &library, log)?,
        ),
    };
    demo.tell(through, &status)
}

/// The real host, if there is one.
fn fluent_bit() -> Option<OsString> {
    let named = std::env::var_os("FLUENT_BIT").filter(|path| !path.is_empty());
    named.or_else(|| {
        let name = OsString::from("fluent-bit");
        let version = Command::new(&name)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        version.is_ok_and(|status| status.success()).then_some(name)
    })
}

/// The repository's root, as the configuration has it in `${PWD}`.
fn root() -> Result<String, Failure> {
    Ok(std::env::current_dir()?.display().to_string())
}

struct Demo {
    out: PathBuf,
    binary: PathBuf,
    records: u64,
}

/// Killed when the demo ends early.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Demo {
    fn through_fluent_bit(&self, host: &OsStr, library: &Path) -> Result<(&'static str, Value), Failure> {
        let conf = self.out.join(CONFIGURATION);
        let plugins = self.out.join("plugins.conf");
        fs::write(&plugins, format!("[PLUGINS]\n    Path {}\n", library.display()))?;
        let shipped = fs::read_to_string(CONFIGURATION)?;
        let shipped = shipped.replace("examples/plugins.conf", &plugins.display().to_string());
        // Beside the copy, where the host looks for it.
        let shipped = shipped.replace(
            "examples/parsers.conf",
            &format!("{}/examples/parsers.conf", root()?),
        );
        fs::write(&conf, &shipped)?;
        match self.await_all(Some(&mut self.start(host, &conf)?)) {
            Err(_) if self.host_log().contains(WITHOUT_STORAGE) => {
                let without: Vec<&str> = shipped
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("storage."))
                    .collect();
                fs::write(&conf, without.join("\n"))?;
                let status = self.await_all(Some(&mut self.start(host, &conf)?))?;
                let through = "fluent-bit -c fluent-bit.conf, without its storage.* lines, which this fluent-bit cannot do";
                Ok((through, status))
            }
            status => Ok(("fluent-bit -c fluent-bit.conf", status?)),
        }
    }

    fn start(&self, host: &OsStr, conf: &Path) -> Result<Running, Failure> {
        let log = File::create(self.out.join("host.log"))?;
        let host = Command::new(host)
            .arg("-c")
            .arg(conf)
            .env("PWD", root()?)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Running(host))
    }

    fn host_log(&self) -> String {
        fs::read_to_string(self.out.join("host.log")).unwrap_or_default()
    }

    fn through_driver(&self, driver: &Path, library: &Path, lines: String) -> Result<Value, Failure> {
        let spool = self.path("spool");
        let records = self.path("records");
        let stanza = stanza(
            "demo",
            &[
                ("Id", "demo"),
                ("Spool", &spool),
                ("Excluded_Categories", "iam"),
                ("Destination", "file"),
                ("Path", &records),
                ("Batch_Max_Age", "2s"),
            ],
        );
        let mut host = HostProcess::start_by(Command::new(fs::canonicalize(driver)?), &setup(library));
        let (code, said) = host.init(&stanza);
        if code <= 0 {
            return Err(format!("the plugin does not start: {said:?}").into());
        }
        let chunk = Chunk::Ndjson {
            lines,
            layout: Layout::V2,
            seconds: 1_767_225_600,
        };
        let answer = host.flush("demo", "audit", chunk).code;
        if answer != FlushCode::Ok {
            return Err(format!("the plugin answered {answer:?}").into());
        }
        let status = self.await_all(None)?;
        host.exit("demo");
        Ok(status)
    }

    fn path(&self, name: &str) -> String {
        self.out.join(name).display().to_string()
    }

    fn status(&self) -> Option<Value> {
        let output = Command::new(&self.binary)
            .args(["status", &self.path("spool"), "--json"])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Whether every record of the log has come in, and every one that was spooled is delivered.
    fn is_complete(&self, status: &Value) -> bool {
        let spooled = count(status, "/writer/snapshot/totals/spooled");
        let delivered = |one: &Value| count(one, "/counts/delivered") == spooled;
        count(status, "/writer/snapshot/totals/received") >= self.records
            && status["destinations"]
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(delivered))
    }

    /// Waits until that is so.
    fn await_all(&self, mut host: Option<&mut Running>) -> Result<Value, Failure> {
        for _ in 0..LOOKS.0 {
            if let Some(status) = self.status()
                && self.is_complete(&status)
            {
                return Ok(status);
            }
            if let Some(host) = &mut host
                && let Some(ended) = host.0.try_wait()?
            {
                return Err(format!("fluent-bit ended ({ended}): see demo-out/host.log").into());
            }
            std::thread::park_timeout(LOOKS.1);
        }
        Err("the records did not arrive within a minute: see demo-out/host.log and `auditship status demo-out/spool`".into())
    }

    fn tell(&self, through: &str, status: &Value) -> Result<(), Failure> {
        let totals = |name: &str| count(status, &format!("/writer/snapshot/totals/{name}"));
        let mut text = format!("\nThe sample audit log ({LOG}) went through {through}.\n\n");
        for name in ["received", "excluded", "duplicate", "spooled"] {
            text += &format!("  {name:<10} {:>6}\n", totals(name));
        }
        for destination in status["destinations"].as_array().into_iter().flatten() {
            let id = destination["id"].as_str().unwrap_or("?");
            text += &format!(
                "  delivered  {:>6}  to {id}\n",
                count(destination, "/counts/delivered")
            );
        }
        text += "\nThe records are in demo-out/records:\n\n";
        let mut objects = Vec::new();
        list(&self.out.join("records"), &mut objects)?;
        for object in &objects {
            let shown = object.strip_prefix(std::env::current_dir()?).unwrap_or(object);
            text += &format!("  {}\n", shown.display());
        }
        text += "\nRead them with `auditship cat demo-out/records`, look at the spool with `auditship status demo-out/spool`.\n";
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn list(folder: &Path, objects: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with(".tmp") {
            // What is being written; nothing to read there.
            continue;
        }
        if path.is_dir() {
            list(&path, objects)?;
        } else {
            objects.push(path);
        }
    }
    objects.sort();
    Ok(())
}
