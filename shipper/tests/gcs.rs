//! The `gcs` destination against gcp-storage-emulator behind a front (`support/google/storage.py`) that demands tokens,
//! honours `ifGenerationMatch=0` and makes faults. Where it is not installed, each scenario says so.

#[path = "support/python.rs"]
mod python;
#[path = "support/shipment.rs"]
mod shipment;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use python::Program;
use shipment::{cat, eventually, kill, records};

/// The store, with its own metadata server.
struct Store {
    program: Program,
    port: u16,
}

impl Store {
    fn start(scenario: &str) -> Option<Self> {
        let mut program = Program::start(&python::google(scenario)?, "google/storage.py");
        let port = program.line().parse().expect("a port");
        Some(Self { program, port })
    }

    fn tell(&mut self, command: &Value) -> Value {
        serde_json::from_str(&self.program.ask(&command.to_string())).expect("JSON")
    }

    fn created(&mut self) -> u64 {
        self.tell(&json!({ "count": true }))["created"]
            .as_u64()
            .expect("a number")
    }

    /// Every line of every object, by the record's number.
    fn lines(&mut self, folder: &Path) -> std::collections::BTreeMap<u64, String> {
        std::fs::create_dir_all(folder).expect("made");
        self.tell(&json!({ "dump": folder }));
        cat(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditship"));
        command
            .args(arguments)
            .env_clear()
            .env("GCE_METADATA_HOST", format!("127.0.0.1:{}", self.port))
            .env("HOME", "/nowhere")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn ship(&self, bucket: &str, at: &Place) -> Command {
        let endpoint = format!("endpoint=http://127.0.0.1:{}", self.port);
        let (file, spool, to) = (
            at.file.display().to_string(),
            at.spool.display().to_string(),
            format!("gs://{bucket}/audit"),
        );
        self.command(&[
            "ship",
            &file,
            "--spool",
            &spool,
            "--to",
            &to,
            "--with",
            &endpoint,
            "--with",
            "batch_max_records=500",
        ])
    }

    fn start_shipping(&self, at: &Place) -> Child {
        self.ship("audit", at).spawn().expect("it starts")
    }

    fn ship_to_the_end(&self, bucket: &str, at: &Place) -> Output {
        self.ship(bucket, at).output().expect("it ends")
    }
}

/// Where the file is, and its spool.
struct Place {
    directory: tempfile::TempDir,
    file: PathBuf,
    spool: PathBuf,
}

impl Place {
    fn with(count: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, spool) = (
            directory.path().join("audit.ndjson"),
            directory.path().join("spool"),
        );
        std::fs::write(&file, records(count)).expect("written");
        Self {
            directory,
            file,
            spool,
        }
    }
}

/// Kills, answers that are lost after the object was stored, and 503: the objects' records are those of the spool, each once.
#[test]
fn every_record_is_in_one_object_whenever_the_shipper_is_killed() {
    const RECORDS: u64 = 30_000;
    let Some(mut store) = Store::start("gcs: kills and lost answers") else {
        return;
    };
    let place = Place::with(RECORDS);
    for _ in 0..4 {
        store.tell(&json!({ "lost": 2, "busy": 2 }));
        let mut child = store.start_shipping(&place);
        let before = store.created();
        eventually("some objects are stored", || {
            store.created() >= before + 6 || child.try_wait().expect("asked").is_some()
        });
        assert_eq!(
            child.try_wait().expect("asked"),
            None,
            "it ended before it was killed"
        );
        kill(child);
    }
    let output = store.ship_to_the_end("audit", &place);
    assert!(output.status.success(), "{output:?}");
    let delivered = store.lines(&place.directory.path().join("objects"));
    let spooled = cat(&place.spool);
    assert_eq!((delivered.len() as u64, spooled.len() as u64), (RECORDS, RECORDS));
    assert!(delivered == spooled, "contents differ");
    let counts = store.tell(&json!({ "count": true }));
    assert!(
        counts["taken"].as_u64() >= Some(1),
        "no name was asked for twice: {counts}"
    );
}

/// A bucket that is missing, and credentials that are refused: a clear message, nothing lost, and all of it later.
#[test]
fn what_is_wrong_is_said_and_costs_nothing() {
    let Some(mut store) = Store::start("gcs: refusals") else {
        return;
    };
    let place = Place::with(1_000);
    store.tell(&json!({ "refuse": true }));
    let refused = store.ship_to_the_end("audit", &place);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said.contains("storage.objects.create"), "{said}");
    store.tell(&json!({ "refuse": false }));
    assert!(store.ship_to_the_end("audit", &place).status.success());
    assert!(store.lines(&place.directory.path().join("objects")) == cat(&place.spool));

    let elsewhere = Place::with(10);
    let missing = store.ship_to_the_end("no-such-bucket", &elsewhere);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert!(said.contains("404") && said.contains("no-such-bucket"), "{said}");
}

#[test]
fn check_and_send_test_by_the_vm() {
    let Some(mut store) = Store::start("gcs: check and send-test") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("auditship.toml");
    let text = format!(
        "[spool]\npath = {:?}\n[[destination]]\nid = \"gcs\"\ntype = \"gcs\"\nbucket = \"audit\"\nendpoint = \"http://127.0.0.1:{}\"\n",
        directory.path().join("spool"),
        store.port
    );
    std::fs::write(&file, text).expect("written");
    let file = file.display().to_string();
    let run = |store: &Store, command: &str| {
        let output = store.command(&[command, "-c", &file]).output().expect("it ends");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, said) = run(&store, "check");
    assert!(code == Some(0) && said.contains("gcs (gcs): ready"), "{said}");
    assert_eq!(store.created(), 0, "a check stores nothing");
    let (code, said) = run(&store, "send-test");
    assert!(code == Some(0) && said.contains("stored"), "{said}");
    let objects = directory.path().join("objects");
    store.tell(&json!({ "dump": objects }));
    assert_eq!(store.created(), 1);
}
