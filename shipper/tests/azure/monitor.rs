//! `azure_monitor` through the binary: every record is in the table as it was written, or a dead letter.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::ingest::Chunk;
use auditship::instance::{Answer, Instance, Outside, Program, machine_id};
use auditship::spool::draft::SourceFormat;
use auditship::time::{Clock as _, SystemClock, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::batch::now;
use super::cli_support::command;
use super::ingestion::Api;

const RECORDS: usize = 4_000;
const DAY: i64 = 86_400_000_000_000;

/// What keeps a record out of the table.
fn is_fit(n: usize) -> bool {
    !matches!(n % 200, 7 | 8) && n % 1_000 != 9 && n != 1_234
}

fn lines() -> String {
    let now = now().0;
    let line = |n: usize| {
        let age = match n % 200 {
            7 => -3 * DAY,
            8 => 2 * DAY,
            _ => -60_000_000_000,
        };
        let message = "x".repeat(if n % 1_000 == 9 { 70_000 } else { n % 900 });
        let poison = if n == 1_234 { ",\"poison\":true" } else { "" };
        format!(
            "{{\"n\":{n},\"@timestamp\":\"{}\",\"event\":{{\"id\":\"id-{n}\"}},\"message\":\"{message}\"{poison}}}\n",
            Timestamp(now + age).to_rfc3339()
        )
    };
    (0..RECORDS).map(line).collect()
}

/// Fills the spool as the plugin does.
fn fill(configuration: &str, lines: &str) {
    let environment = Environment::from([("AZURE_SECRET", "the-secret")]);
    let config = Config::from_toml_text(configuration, "test", &environment, Strictness::Strict);
    let outside = Outside {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(auditship::random::OsRandom::new()),
        environment,
        machine_id: machine_id(),
        program: Program {
            name: "test".to_owned(),
            pid: std::process::id(),
        },
    };
    let mut instance = Instance::start(&config.expect("good"), &outside).expect("the writer's lock is free");
    let chunk = Chunk {
        source: SourceFormat::Ndjson,
        bytes: lines.as_bytes(),
        origin: "test",
        received_at: SystemClock::new().wall(),
    };
    assert_eq!(instance.accept(&[chunk]), [Answer::Accepted]);
    instance.stop(Duration::ZERO);
}

/// A spool that is filled with `lines`, and its configuration's file.
struct Host {
    folder: tempfile::TempDir,
    file: String,
}

impl Host {
    fn with(api: &Api, lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let spool = folder.path().join("spool");
        let configuration = format!(
            "shipper = \"external\"\n[spool]\npath = {spool:?}\nid = \"audit\"\n[[destination]]\nid = \"siem\"\n\
             type = \"azure_monitor\"\n{}batch_max_age = \"100ms\"\ndead_letter_rate = \"50%\"\n",
            api.keys()
        );
        fill(&configuration, lines);
        let file = folder.path().join("auditship.toml");
        std::fs::write(&file, configuration.replace("shipper = \"external\"\n", "")).expect("written");
        let file = file.display().to_string();
        Self { folder, file }
    }

    fn spool(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, name: &str, secret: &str) -> Command {
        let mut command = command(&[name, "-c", &self.file]);
        command.env("AZURE_SECRET", secret).env("HOME", self.spool());
        command
    }

    fn run(&self) -> Daemon {
        Daemon(self.command("run", "the-secret").spawn().expect("starts"))
    }

    fn check(&self, secret: &str) -> String {
        let check = self.command("check", secret).output().expect("runs");
        String::from_utf8(check.stdout).expect("text")
    }

    fn status(&self) -> String {
        let mut command = self.command("status", "the-secret");
        let status = command.arg("--json").output().expect("runs");
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        status.to_string()
    }
}

/// A running daemon; it ends with this value.
struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).expect("a pid");
        let _gone = kill_process(pid, signal);
    }

    fn terminate(mut self) {
        self.signal(Signal::TERM);
        self.0.wait().expect("ended");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ended = self.0.wait();
    }
}

#[test]
fn every_record_is_in_the_table_as_it_was_written_or_a_dead_letter() {
    let api = Api::start();
    api.change(|table| (table.exists, table.granted, table.troubled) = (true, true, true));
    let host = Host::with(&api, &lines());
    let daemon = host.run();
    let fit: BTreeSet<u64> = (0..RECORDS).filter(|n| is_fit(*n)).map(|n| n as u64).collect();
    let rows = api.wait("every fit record is in the table", |table| {
        let there: BTreeSet<u64> = table
            .rows
            .iter()
            .filter_map(|row| row["Record"]["n"].as_u64())
            .collect();
        (there == fit).then(|| table.rows.clone())
    });
    let dead = RECORDS - fit.len();
    #[expect(
        clippy::disallowed_methods,
        reason = "another process gives no event to wait for"
    )]
    for _ in 0..600 {
        if host.status().contains(&format!("\"dead_lettered\":{dead}")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    daemon.terminate();
    let status = host.status();
    assert!(status.contains(&format!("\"dead_lettered\":{dead}")), "{status}");
    assert!(
        status.contains(&format!("\"delivered\":{}", fit.len())),
        "{status}"
    );
    api.change(|table| {
        assert_eq!(table.altered, [""; 0]);
        assert_eq!(table.problems, [""; 0]);
        assert_eq!(table.tokens, 1);
    });
    for row in rows {
        let own: Timestamp = row["Record"]["@timestamp"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a time");
        let told: Timestamp = row["TimeGenerated"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a time");
        // The service keeps seven digits of a second.
        assert_eq!(own.0 / 100, told.0 / 100);
        assert_eq!(
            row["event"]["id"],
            format!("id-{}", row["Record"]["n"].as_u64().expect("a number"))
        );
    }
    let letters = String::from_utf8(
        command(&["dead-letter", "list", "-c", &host.file])
            .env("AZURE_SECRET", "the-secret")
            .output()
            .expect("runs")
            .stdout,
    )
    .expect("text");
    for code in ["too_old", "too_new", "field_too_large", "InvalidRecord"] {
        assert!(letters.contains(code), "{code}: {letters}");
    }
}

#[test]
fn a_missing_rule_role_or_secret_holds_everything_until_it_is_there() {
    let api = Api::start();
    let host = Host::with(&api, "{\"n\":1}\n{\"n\":2}\n");
    for (secret, words) in [
        ("another-secret", "check `client_secret`"),
        ("the-secret", "there is no such rule at this endpoint"),
    ] {
        let said = host.check(secret);
        assert!(
            said.contains("siem (azure_monitor): failed") && said.contains(words),
            "{said}"
        );
        assert!(!said.contains("another-secret"), "{said}");
    }
    let refused = |what: &str| {
        let before = api.wait(what, |table| Some(table.requests));
        let daemon = host.run();
        api.wait(what, |table| (table.requests > before).then_some(()));
        daemon.terminate();
        let status = host.status();
        assert!(status.contains("\"delivered\":0"), "{status}");
        assert!(status.contains("\"dead_lettered\":0"), "{status}");
    };
    refused("there is no rule");
    api.change(|table| table.exists = true);
    let said = host.check("the-secret");
    assert!(said.contains("the role Monitoring Metrics Publisher"), "{said}");
    refused("there is no role");
    api.change(|table| table.granted = true);
    let said = host.check("the-secret");
    assert!(said.contains("siem (azure_monitor): reachable"), "{said}");
    let daemon = host.run();
    api.wait("both rows", |table| (table.rows.len() == 2).then_some(()));
    daemon.terminate();
}
