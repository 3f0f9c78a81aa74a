//! The built binary before a collector that never acknowledges: held, told, resumed while nothing runs, delivered.

use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::ingest::Chunk;
use auditship::instance::{Answer, Instance, Outside, Program};
use auditship::random::OsRandom;
use auditship::spool::draft::SourceFormat;
use auditship::time::{Clock as _, Monotonic, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::cli_support::{auditship, command};
use super::hec_fake::{Acks, Setup, TOKEN, set, start};

const RECORDS: usize = 50;

/// Fills the spool as the plugin does.
fn fill(configuration: &str) {
    let environment = Environment::empty().with_hostname("web-1");
    let config = Config::from_toml_text(configuration, "test", &environment, Strictness::Strict);
    let outside = Outside {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(OsRandom::new()),
        environment,
        machine_id: auditship::instance::machine_id(),
        program: Program {
            name: "test".to_owned(),
            pid: std::process::id(),
        },
    };
    let mut instance = Instance::start(&config.expect("good"), &outside).expect("the writer's lock is free");
    let lines: String = (0..RECORDS).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let chunk = Chunk {
        source: SourceFormat::Ndjson,
        bytes: lines.as_bytes(),
        origin: "test",
        received_at: SystemClock::new().wall(),
    };
    assert_eq!(instance.accept(&[chunk]), [Answer::Accepted]);
    instance.stop(Duration::ZERO);
}

/// A running daemon; it ends with this value.
struct Daemon(Child);

impl Daemon {
    fn start(file: &str) -> Self {
        Self(command(&["run", "-c", file]).spawn().expect("starts"))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).expect("a pid");
        let _gone = kill_process(pid, signal);
    }

    fn terminate(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.0.wait().expect("ended").code(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ended = self.0.wait();
    }
}

#[test]
fn what_is_never_acknowledged_is_resumed_by_a_word_that_is_left_while_nothing_runs() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let hec = start(Setup::default());
    let spool = folder.path().join("spool");
    let configuration = format!(
        "shipper = \"external\"\n[spool]\npath = {spool:?}\nid = \"audit\"\n[[destination]]\nid = \"splunk\"\n\
         type = \"splunk_hec\"\nurl = \"{}\"\ntoken = \"{TOKEN}\"\nevent_index = \"audit\"\nack_timeout = \"1s\"\n\
         ack_resend = 0\nbatch_max_age = \"100ms\"\n",
        hec.url("")
    );
    fill(&configuration);
    let file = folder.path().join("auditship.toml");
    std::fs::write(&file, configuration.replace("shipper = \"external\"\n", "")).expect("written");
    let (file, spool) = (file.display().to_string(), spool.display().to_string());

    let check = auditship(&["check", "-c", &file]);
    assert!(
        check.stdout.contains("takes the token and acknowledges"),
        "{check:?}"
    );
    let iam = auditship(&["iam", "splunk", "-c", &file]);
    assert!(iam.stdout.contains("useACK"), "{iam:?}");

    set(&hec, Acks::Never);
    let status = || {
        let status = auditship(&["status", "-c", &file, "--json"]);
        let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
        status.to_string()
    };
    // Twice: the second word finds the destination switched on already, and counts all the same.
    for times in 1..=2 {
        let daemon = Daemon::start(&file);
        hec.wait("it was sent", |store| store.batches == times);
        // A restart counts as a sending, as nobody knows: 1, then 3.
        let attempts = format!("\"attempts\":{}", 2 * times - 1);
        let begun = SystemClock::new();
        let held = loop {
            let status = status();
            if status.contains("unacknowledged") && status.contains(&attempts) {
                break status;
            }
            let waited = begun.monotonic().since(Monotonic(0));
            assert!(waited < Duration::from_secs(120), "{status}");
        };
        assert!(held.contains("\"delivered\":0"), "{held}");
        daemon.terminate();
        let told = auditship(&["status", "-c", &file]);
        assert!(told.stdout.contains("auditship resume"), "{told:?}");
        let resumed = auditship(&["resume", "splunk", "--spool", &spool]);
        assert_eq!(resumed.code, 0, "{resumed:?}");
    }
    set(&hec, Acks::After(1));
    let daemon = Daemon::start(&file);
    hec.wait("it is acknowledged", |store| store.acknowledged.len() == RECORDS);
    daemon.terminate();
    let status = status();
    assert!(status.contains(&format!("\"delivered\":{RECORDS}")), "{status}");
    assert_eq!(hec.look(|store| store.batches), 3);
}
