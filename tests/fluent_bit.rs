//! The release library in a real Fluent Bit: the one in `$FLUENT_BIT`, else the one on PATH. Without one, each scenario
//! says on standard error that it was skipped.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;
#[path = "fluent_bit/reloads.rs"]
mod reloads;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use auditship_testkit::artefacts::{Artefact, workspace};
use auditship_testkit::host::surroundings;
use auditship_testkit::protocol::Stanza;
use common::{Disk, Hanging, PATIENCE, Scratch, await_until, ids, shipped_stanza, skipped};

/// The host, or none: then the scenario `name` has been called skipped.
fn fluent_bit(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("FLUENT_BIT").map(PathBuf::from);
    let found = named.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("fluent-bit"))
            .find(|program| program.is_file())
    });
    if found.is_none() {
        skipped(name, "no fluent-bit on PATH, and FLUENT_BIT is not set");
    }
    found
}

/// A running host. It ends with this value, and by itself after two minutes.
struct Host {
    child: Child,
    log: PathBuf,
}

impl Host {
    /// Starts `program` on `scratch/fluent-bit.conf`, with its log in `scratch/log`.
    fn start(program: &Path, scratch: &Scratch) -> Self {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "120"]).arg(program);
        command.arg("-c").arg(scratch.path("fluent-bit.conf"));
        Self::run(command, scratch)
    }

    fn run(mut command: Command, scratch: &Scratch) -> Self {
        let log = scratch.path("log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn await_log(&self, text: &str) {
        await_until(&format!("{text:?} in the log: {}", self.log()), || {
            self.log().contains(text).then_some(())
        });
    }

    /// The host below `timeout`.
    fn pid(&self) -> u32 {
        let timeout = self.child.id();
        await_until("child", || {
            let children = fs::read_to_string(format!("/proc/{timeout}/task/{timeout}/children")).ok()?;
            children.split_whitespace().next()?.parse().ok()
        })
    }

    fn signal(&self, signal: i32) {
        surroundings::signal(self.pid(), signal);
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn await_end(&mut self) -> ExitStatus {
        await_until("end of the host", || self.child.try_wait().unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.is_alive() {
            self.signal(libc::SIGKILL);
            let _status = self.child.wait();
        }
    }
}

/// `scratch/fluent-bit.conf`: a tail of `scratch/audit.ndjson` into the given stanzas.
fn configure(scratch: &Scratch, service: &str, stanzas: &[Stanza]) {
    let at = |name: &str| scratch.text(name);
    let library = Artefact::Library.path().display();
    fs::write(
        scratch.path("plugins.conf"),
        format!("[PLUGINS]\n    Path {library}\n"),
    )
    .unwrap();
    fs::write(
        scratch.path("parsers.conf"),
        "[PARSER]\n    Name audit\n    Format json\n",
    )
    .unwrap();
    let mut conf = format!(
        "[SERVICE]\n    flush 0.5\n    grace 2\n    plugins_file {}\n    parsers_file {}\n{service}\n\
         [INPUT]\n    Name tail\n    Tag audit\n    Path {}\n    Parser audit\n    Read_from_Head On\n    \
         Refresh_Interval 1\n",
        at("plugins.conf"),
        at("parsers.conf"),
        at("audit.ndjson"),
    );
    for stanza in stanzas {
        conf.push_str("[OUTPUT]\n    Name auditship\n    Match audit\n    Retry_Limit no_limits\n");
        conf.push_str(&format!("    Workers {}\n", stanza.workers));
        for (name, value) in &stanza.properties {
            conf.push_str(&format!("    {name} {value}\n"));
        }
    }
    fs::write(scratch.path("fluent-bit.conf"), conf).unwrap();
}

/// Appends records with the given numbers to the file that is tailed.
fn append(scratch: &Scratch, range: std::ops::Range<u32>) {
    append_with(scratch, range, || "a record".to_owned());
}

fn append_with(scratch: &Scratch, range: std::ops::Range<u32>, mut message: impl FnMut() -> String) {
    use std::io::Write;
    let lines: String = ids(range)
        .iter()
        .map(|id| {
            format!(
                "{{\"event\":{{\"id\":\"{id}\",\"category\":\"file\"}},\"message\":\"{}\"}}\n",
                message()
            )
        })
        .collect();
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(scratch.path("audit.ndjson"))
        .unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

#[test]
fn several_outputs_with_any_number_of_workers() {
    let Some(program) = fluent_bit("several outputs with any number of workers") else {
        return;
    };
    let scratch = Scratch::new();
    append(&scratch, 0..3_000);
    let stanzas = [("none", 0), ("one", 1), ("four", 4)].map(|(id, workers)| scratch.stanza(id, workers));
    configure(&scratch, "", &stanzas);
    let mut host = Host::start(&program, &scratch);
    for stanza in &stanzas {
        assert_eq!(
            scratch.await_delivered(&stanza.instance, 3_000),
            ids(0..3_000),
            "{}",
            host.log()
        );
    }
    append(&scratch, 3_000..3_100);
    for stanza in &stanzas {
        assert_eq!(scratch.await_delivered(&stanza.instance, 3_100), ids(0..3_100));
    }
    host.signal(libc::SIGTERM);
    assert!(host.await_end().success(), "{}", host.log());
}

#[test]
fn a_failed_init_ends_the_start_with_the_reason() {
    let Some(program) = fluent_bit("a failed Init") else {
        return;
    };
    let scratch = Scratch::new();
    append(&scratch, 0..1);
    let mut stanza = scratch.stanza("a", 1);
    stanza
        .properties
        .push(("Excluded_Categories".into(), "iam,atuh".into()));
    configure(&scratch, "", &[stanza]);
    let mut host = Host::start(&program, &scratch);
    assert!(!host.await_end().success(), "{}", host.log());
    let log = host.log();
    assert!(
        log.contains("[error] [output:auditship]") && log.contains("atuh"),
        "{log}"
    );
}

#[test]
fn as_a_daemon() {
    let Some(program) = fluent_bit("Daemon On") else {
        return;
    };
    let scratch = Scratch::new();
    append(&scratch, 0..50);
    configure(&scratch, "    daemon on\n", &[scratch.stanza("a", 1)]);
    let mut host = Host::start(&program, &scratch);
    assert!(
        host.await_end().success(),
        "the first process ends at once: {}",
        host.log()
    );
    let delivered = scratch.await_delivered("a", 50);
    // The daemon has a session of its own; it is found by its configuration, which no other process has.
    let conf = scratch.text("fluent-bit.conf");
    let daemons: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split('\0').any(|argument| argument == conf)
        })
        .collect();
    assert_eq!(daemons.len(), 1);
    let standard: Vec<_> = (1..3)
        .map(|fd| fs::read_link(format!("/proc/{}/fd/{fd}", daemons[0])))
        .collect();
    surroundings::signal(daemons[0], libc::SIGTERM);
    await_until("end of the daemon", || {
        (!Path::new(&format!("/proc/{}", daemons[0])).exists()).then_some(())
    });
    assert_eq!(delivered, ids(0..50));
    for target in standard {
        let target = target.unwrap();
        assert!(
            !target.starts_with(scratch.path("spool-a")),
            "{}",
            target.display()
        );
    }
}

#[test]
fn with_closed_streams() {
    let Some(program) = fluent_bit("closed streams") else {
        return;
    };
    let scratch = Scratch::new();
    append(&scratch, 0..50);
    configure(
        &scratch,
        &format!("    log_file {}\n", scratch.text("host-log")),
        &[scratch.stanza("a", 1)],
    );
    let mut command = Command::new("timeout");
    command.args([
        "-s",
        "KILL",
        "120",
        "sh",
        "-c",
        "exec \"$0\" -c \"$1\" <&- >&- 2>&-",
    ]);
    command.arg(&program).arg(scratch.path("fluent-bit.conf"));
    let mut host = Host::run(command, &scratch);
    assert_eq!(scratch.await_delivered("a", 50), ids(0..50));
    host.signal(libc::SIGTERM);
    assert!(host.await_end().success());
}

#[test]
fn sigterm_with_a_hanging_receiver_ends_in_five_seconds_and_loses_nothing() {
    let Some(program) = fluent_bit("SIGTERM with a hanging receiver") else {
        return;
    };
    let scratch = Scratch::new();
    let mut receiver = Hanging::start();
    append(&scratch, 0..2_000);
    let mut http = scratch.stanza("a", 1);
    http.properties
        .retain(|(name, _)| !["destination", "Path"].contains(&name.as_str()));
    http.properties.push(("Destination".into(), "http".into()));
    http.properties.push(("Url".into(), receiver.url.clone()));
    configure(&scratch, "", &[http]);
    let mut host = Host::start(&program, &scratch);
    receiver.await_sender();
    let spool = scratch.path("spool-a");
    await_until("all in the spool", || (spooled(&spool)? >= 2_000).then_some(()));
    host.signal(libc::SIGTERM);
    let mut waited = Duration::ZERO;
    while host.is_alive() {
        std::thread::park_timeout(Duration::from_millis(20));
        waited += Duration::from_millis(20);
        assert!(waited < PATIENCE);
    }
    assert!(waited <= Duration::from_secs(5), "{waited:?}\n{}", host.log());
    let output = Command::new(Artefact::Binary.path())
        .arg("cat")
        .arg(scratch.path("spool-a"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2_000);
}

/// How many records the writer of the spool at `spool` has taken, by its own status.
fn spooled(spool: &Path) -> Option<u64> {
    let status = fs::read_to_string(spool.join("control/status.writer.json")).ok()?;
    find_number(&serde_json::from_str(&status).ok()?, "spooled")
}

/// The first number called `name` anywhere in `value`.
fn find_number(value: &serde_json::Value, name: &str) -> Option<u64> {
    match value {
        serde_json::Value::Object(members) => members.iter().find_map(|(key, value)| {
            if key == name {
                value.as_u64()
            } else {
                find_number(value, name)
            }
        }),
        serde_json::Value::Array(items) => items.iter().find_map(|item| find_number(item, name)),
        _ => None,
    }
}

#[test]
fn a_full_disk_under_the_shipped_stanza() {
    const NAME: &str = "a full disk under the shipped stanza";
    let Some(program) = fluent_bit(NAME) else { return };
    let scratch = Scratch::new();
    let Some(disk) = Disk::mount(scratch.path("out"), NAME) else {
        return;
    };
    let records = scratch.path("records-a");
    let mut stanza = shipped_stanza(&scratch.path("out"));
    stanza.properties.retain(|(name, _)| name != "Path");
    for (name, value) in [("Path", records.to_str().unwrap()), ("Compression", "none")] {
        stanza.properties.push((name.to_owned(), value.to_owned()));
    }
    // Nothing can be delivered while a file is in the directory's place.
    fs::write(&records, "").unwrap();
    append(&scratch, 0..10);
    configure(&scratch, "    scheduler.base 1\n    scheduler.cap 2\n", &[stanza]);
    let mut host = Host::start(&program, &scratch);
    let spool = scratch.path("out/spool");
    await_until("records in the spool", || (spooled(&spool)? >= 10).then_some(()));
    disk.exhaust();
    // Text that no compression makes so small that it fits into what is left of a page.
    let mut state = 1_u64;
    let digits = || {
        let mut digit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{:08x}", state >> 32)
        };
        (0..50).map(|_| digit()).collect()
    };
    append_with(&scratch, 10..510, digits);
    let refusals = || {
        let log = fs::read_to_string(spool.join("auditship.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("chunk refused")).count()
    };
    await_until("refusal", || (refusals() > 0).then_some(()));
    host.await_log("retry in");
    fs::remove_file(&records).unwrap();
    assert_eq!(
        scratch.await_delivered("a", 10),
        ids(0..10),
        "delivery goes on while the disk is full"
    );
    // The ten were small, and gave little room back.
    fs::remove_file(disk.ballast()).unwrap();
    assert_eq!(scratch.await_delivered("a", 510), ids(0..510), "{}", host.log());
    assert_eq!(refusals(), 1, "said once a minute");
    host.signal(libc::SIGTERM);
    assert!(host.await_end().success(), "{}", host.log());
}

/// The moments at which a host is killed.
#[derive(Clone, Copy, Debug)]
enum Killed {
    /// As soon as its process is there.
    Starting,
    /// When records of this round are in the spool.
    Spooled,
    /// When records of this round have arrived.
    Delivered,
}

#[test]
fn a_killed_host_starts_again_and_every_record_arrives_once() {
    let Some(program) = fluent_bit("kill -9 and start again") else {
        return;
    };
    let scratch = Scratch::new();
    configure(&scratch, "", &[scratch.stanza("a", 2)]);
    let mut written = 0;
    for killed in [
        Killed::Spooled,
        Killed::Starting,
        Killed::Delivered,
        Killed::Spooled,
        Killed::Starting,
    ] {
        let before = written;
        append(&scratch, written..written + 500);
        written += 500;
        let mut host = Host::start(&program, &scratch);
        match killed {
            Killed::Starting => {}
            Killed::Spooled => await_until("records in the spool", || {
                (spooled(&scratch.path("spool-a"))? > u64::from(before)).then_some(())
            }),
            Killed::Delivered => drop(scratch.await_delivered("a", before as usize + 1)),
        }
        host.signal(libc::SIGKILL);
        host.await_end();
    }
    let mut host = Host::start(&program, &scratch);
    scratch.await_delivered("a", written as usize);
    // What was spooled before the kills arrives without the host's help. This only when it is up, with its signal handlers.
    append(&scratch, written..written + 10);
    written += 10;
    assert_eq!(
        scratch.await_delivered("a", written as usize),
        ids(0..written),
        "none lost, none twice"
    );
    host.signal(libc::SIGTERM);
    let ended = host.await_end();
    assert!(ended.success(), "{ended}: {}", host.log());
}

/// The configurations at the root of the repository, as they stand.
#[test]
fn the_shipped_configurations_run() {
    for name in ["fluent-bit.conf", "fluent-bit.yaml"] {
        let Some(program) = fluent_bit(name) else { return };
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path("target/release")).unwrap();
        fs::create_dir(scratch.path("examples")).unwrap();
        std::os::unix::fs::symlink(
            Artefact::Library.path(),
            scratch.path("target/release/libout_auditship.so"),
        )
        .unwrap();
        for file in [
            name,
            "examples/audit.ndjson",
            "examples/plugins.conf",
            "examples/parsers.conf",
        ] {
            fs::copy(workspace().join(file), scratch.path(file)).unwrap();
        }
        let start = |scratch: &Scratch| {
            let mut command = Command::new("timeout");
            command
                .args(["-s", "KILL", "120"])
                .arg(&program)
                .args(["-c", name]);
            command.current_dir(scratch.path("")).env("PWD", scratch.path(""));
            Host::run(command, scratch)
        };
        let mut host = start(&scratch);
        let source = fs::read_to_string(workspace().join("examples/audit.ndjson")).unwrap();
        let expected = source
            .lines()
            .filter(|line| !line.contains("\"category\":\"iam\""))
            .count();
        let sorted_out = source.lines().count() - expected;
        assert!(expected > 300 && sorted_out > 0);
        let arrived = || {
            let output = Command::new(Artefact::Binary.path())
                .arg("cat")
                .arg(scratch.path("demo-out/records"))
                .output()
                .ok()?;
            let count = String::from_utf8(output.stdout).ok()?.lines().count();
            (count >= expected).then_some(count)
        };
        let without_backlog = "cannot init storage backlog input plugin";
        await_until("first sign", || {
            (arrived().is_some() || host.log().contains(without_backlog)).then_some(())
        });
        if host.log().contains(without_backlog) {
            skipped(
                name,
                "this fluent-bit was built without storage_backlog: run without storage.* instead",
            );
            host.await_end();
            let text = fs::read_to_string(scratch.path(name)).unwrap();
            let kept: String = text
                .lines()
                .filter(|line| !line.contains("storage."))
                .map(|line| format!("{line}\n"))
                .collect();
            fs::write(scratch.path(name), kept).unwrap();
            fs::remove_file(scratch.path("log")).unwrap();
            host = start(&scratch);
        }
        assert_eq!(await_until("records", arrived), expected, "{}", host.log());
        host.signal(libc::SIGTERM);
        assert!(host.await_end().success());
    }
}
