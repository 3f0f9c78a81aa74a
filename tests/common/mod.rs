//! What the scenarios share: a scratch directory with a spool and a destination, chunks, and waiting for an event.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "not every test uses all of it, and a failing one may panic"
)]

pub(crate) mod several;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use auditship_testkit::artefacts::workspace;
use auditship_testkit::chunk::Layout;
use auditship_testkit::process::stanza;
use auditship_testkit::protocol::{Chunk, Stanza};
use serde_json::Value;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A directory for one test.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A stanza named `id` that ships from `spool-ID` to `records-ID` in this directory.
    pub(crate) fn stanza(&self, id: &str, workers: usize) -> Stanza {
        let (spool, records) = (
            self.text(&format!("spool-{id}")),
            self.text(&format!("records-{id}")),
        );
        let mut stanza = stanza(
            id,
            &[
                ("Id", id),
                ("SPOOL", &spool),
                ("destination", "file"),
                ("Path", &records),
                ("Compression", "none"),
                ("Batch_Max_Age", "1s"),
            ],
        );
        stanza.workers = workers;
        stanza
    }

    /// The ids of the records that have arrived in `records-ID`, sorted.
    pub(crate) fn delivered(&self, id: &str) -> Vec<String> {
        let mut ids = Vec::new();
        collect(&self.path(&format!("records-{id}")), &mut ids);
        ids.sort();
        ids
    }

    /// Waits until as many records have arrived in `records-ID`, and gives their ids.
    pub(crate) fn await_delivered(&self, id: &str, count: usize) -> Vec<String> {
        await_until(&format!("{count} records of {id}"), || {
            let ids = self.delivered(id);
            (ids.len() >= count).then_some(ids)
        })
    }
}

fn collect(directory: &Path, ids: &mut Vec<String>) {
    // Not there yet, or moved on meanwhile.
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, ids);
        } else if path.extension().is_some_and(|extension| extension == "ndjson") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                ids.push(record["event"]["id"].as_str().unwrap().to_owned());
            }
        }
    }
}

/// Looks every 20 ms until `look` finds what it is for.
pub(crate) fn await_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("no {what} in {PATIENCE:?}");
}

/// The ids of the records that [`records`] makes.
pub(crate) fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("{number:08}")).collect()
}

/// A chunk of records with ids of their own.
pub(crate) fn records(range: std::ops::Range<u32>) -> Chunk {
    let lines = ids(range)
        .iter()
        .map(|id| {
            format!("{{\"event\":{{\"id\":\"{id}\",\"category\":\"file\"}},\"message\":\"a record\"}}\n")
        })
        .collect();
    Chunk::Ndjson {
        lines,
        layout: Layout::V2,
        seconds: 1_767_225_600,
    }
}

/// A receiver that accepts connections, reads what comes, and never answers.
pub(crate) struct Hanging {
    pub(crate) url: String,
    connected: Receiver<TcpStream>,
    held: Vec<TcpStream>,
}

impl Hanging {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/audit", listener.local_addr().unwrap());
        let (send, connected) = channel();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if send.send(stream).is_err() {
                    return;
                }
            }
        });
        Self {
            url,
            connected,
            held: Vec::new(),
        }
    }

    /// Waits for a sender, and holds its connection.
    pub(crate) fn await_sender(&mut self) {
        self.held.push(self.connected.recv_timeout(PATIENCE).unwrap());
    }
}

/// A filesystem of 32 MiB, unmounted at the end.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// None where this user cannot mount: then `name` has been called skipped.
    pub(crate) fn mount(at: PathBuf, name: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs"])
            .arg(&at)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        skipped(name, "only root can mount");
        None
    }

    /// Takes all the room that is left.
    pub(crate) fn exhaust(&self) {
        let full = fs::write(self.ballast(), vec![0; 33 << 20]);
        assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Disk {
    /// What [`Disk::exhaust`] has put there.
    pub(crate) fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The settings of the stanza in `fluent-bit.conf`, with `demo-out` elsewhere. The host's own are not for the plugin.
pub(crate) fn shipped_stanza(demo_out: &Path) -> Stanza {
    let conf = fs::read_to_string(workspace().join("fluent-bit.conf")).unwrap();
    let (_, output) = conf.split_once("[OUTPUT]\n").unwrap();
    let properties: Vec<(String, String)> = output
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .filter(|(name, _)| !["Name", "Match", "Workers", "Retry_Limit"].contains(name))
        .map(|(name, value)| {
            let value = value
                .trim()
                .replace("${PWD}/demo-out", demo_out.to_str().unwrap());
            (name.to_owned(), value)
        })
        .collect();
    Stanza {
        instance: "a".into(),
        workers: 1,
        properties,
    }
}

/// Whether the long tests run at full length.
pub(crate) fn is_soak() -> bool {
    std::env::var_os("AUDITSHIP_SOAK").is_some()
}

/// Says on the run's own standard error, past the test harness, that a scenario was skipped.
pub(crate) fn skipped(name: &str, why: &str) {
    let _unheard = writeln!(std::io::stderr(), "skipped: {name} ({why})");
}
