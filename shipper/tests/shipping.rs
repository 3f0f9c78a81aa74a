//! `ship` and `run` as processes: delivered, interrupted, killed, refused, reloaded.

mod cli_support;
#[path = "support/daemon.rs"]
mod daemon_support;
#[path = "support/intake.rs"]
mod intake;
#[path = "support/shipment.rs"]
mod shipment;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use cli_support::{Outcome, auditship};
use daemon_support::{piped, signal};
use rustix::process::Signal;
use shipment::eventually;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("written");
        self.shown(name)
    }

    /// `ship FILE --to TO --spool DIR/spool` and further arguments.
    fn ship(&self, file: &str, to: &str, more: &[&str]) -> Outcome {
        let spool = self.shown("spool");
        auditship(&[&["ship", file, "--to", to, "--spool", &spool], more].concat())
    }

    /// How often each record's `n` was delivered below `out`.
    fn delivered(&self, out: &str) -> BTreeMap<u64, u32> {
        let mut counts = BTreeMap::new();
        for line in auditship(&["cat", &self.shown(out)]).stdout.lines() {
            let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
            *counts.entry(record["n"].as_u64().expect("a number")).or_default() += 1;
        }
        counts
    }
}

fn records(range: std::ops::Range<u64>) -> String {
    range
        .map(|n| format!("{{\"n\":{n},\"event\":{{\"id\":\"id-{n}\",\"category\":[\"file\"]}}}}\n"))
        .collect()
}

fn once(range: std::ops::Range<u64>) -> BTreeMap<u64, u32> {
    range.map(|n| (n, 1)).collect()
}

fn end(child: Child) -> Outcome {
    let output = child.wait_with_output().expect("ended");
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

#[test]
fn a_file_arrives_in_a_directory_once_however_often_it_is_shipped() {
    let dir = Dir::new();
    let file = dir.write("a.ndjson", &records(0..1000));
    let out = dir.shown("out");
    assert_eq!(
        dir.ship(&file, &out, &[]),
        Outcome::ok(
            "received 1000 = 0 excluded + 0 duplicate + 1000 spooled; 1000 delivered, 0 dead-lettered, 0 pending\n"
        )
    );
    assert_eq!(dir.delivered("out"), once(0..1000));
    assert_eq!(
        dir.ship(&file, &out, &[]),
        Outcome::ok(
            "received 1000 = 0 excluded + 1000 duplicate + 0 spooled; 0 delivered, 0 dead-lettered, 0 pending\n"
        )
    );
    assert_eq!(dir.delivered("out"), once(0..1000));
}

#[test]
fn standard_input_and_json_sums() {
    let dir = Dir::new();
    let (out, spool) = (dir.shown("out"), dir.shown("spool"));
    let mut child = piped(&["ship", "--to", &out, "--spool", &spool, "--json"]);
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(records(0..10).trim_end().as_bytes())
        .expect("taken");
    drop(stdin);
    let outcome = end(child);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let sums: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(
        (&sums["delivered"], &sums["pending"]),
        (&serde_json::json!(10), &serde_json::json!(0))
    );
    assert_eq!(dir.delivered("out"), once(0..10));
}

#[test]
fn excluded_categories_stay_out() {
    let dir = Dir::new();
    let text: String = ["iam", "authentication", "file", "web"]
        .iter()
        .enumerate()
        .map(|(n, category)| {
            format!("{{\"n\":{n},\"event\":{{\"id\":\"{n}\",\"category\":\"{category}\"}}}}\n")
        })
        .collect();
    let file = dir.write("a.ndjson", &text);
    let flags = [
        "--audit_log_excluded_categories=web",
        "--audit_log_excluded_categories=iam",
        "--audit_log_excluded_categories+=auth",
    ];
    let outcome = dir.ship(&file, &dir.shown("out"), &flags);
    assert_eq!(
        outcome,
        Outcome::ok(
            "received 4 = 2 excluded + 0 duplicate + 2 spooled; 2 delivered, 0 dead-lettered, 0 pending\n"
        )
    );
    assert_eq!(dir.delivered("out").into_keys().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn lines_that_are_not_json_are_named_and_the_rest_goes_on() {
    let dir = Dir::new();
    // More than one piece, so that the number is that of the file and not of the piece.
    let lines = 20_000;
    let file = dir.write(
        "a.ndjson",
        &format!("{}nonsense\n{}", records(0..lines), records(lines..lines + 5)),
    );
    let outcome = dir.ship(&file, &dir.shown("out"), &[]);
    let spool = dir.shown("spool");
    assert_eq!(
        outcome,
        Outcome {
            code: 1,
            stdout: "received 20005 = 0 excluded + 0 duplicate + 20005 spooled; 20005 delivered, 0 dead-lettered, 0 pending\n".to_owned(),
            stderr: format!("auditship: 1 piece of the input could not be read: `auditship quarantine list --spool {spool}`\n"),
        }
    );
    let listed = auditship(&["quarantine", "list", "--json", "--spool", &spool]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("one");
    assert_eq!(listed["origin"], format!("{file}, line {}", lines + 1));
    assert_eq!(dir.delivered("out"), once(0..lines + 5));
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let dir = Dir::new();
    let lines = 200_000;
    let file = dir.write("a.ndjson", &records(0..lines));
    let (out, spool) = (dir.shown("out"), dir.shown("spool"));
    for _ in 0..3 {
        let mut child = piped(&["ship", &file, "--to", &out, "--spool", &spool]);
        let place = dir.path("spool/control/ship.json");
        let before = std::fs::read(&place).ok();
        eventually("some pieces are durable", || {
            std::fs::read(&place).ok() != before || child.try_wait().expect("asked").is_some()
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let outcome = dir.ship(&file, &out, &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(dir.delivered("out"), once(0..lines));
    // The place was of use: the last run did not read everything again.
    assert!(outcome.stderr.contains("going on at line "), "{outcome:?}");
    assert!(
        !outcome.stdout.starts_with(&format!("received {lines} ")),
        "{outcome:?}"
    );
    assert!(!dir.path("spool/control/ship.json").exists());
}

#[test]
fn a_signal_ends_it_with_everything_durable() {
    let dir = Dir::new();
    let (out, spool) = (dir.shown("out"), dir.shown("spool"));
    let mut child = piped(&["ship", "--to", &out, "--spool", &spool]);
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(records(0..3).as_bytes()).expect("taken");
    stdin.flush().expect("taken");
    eventually("the records are in the spool", || {
        auditship(&["cat", &spool]).stdout.lines().count() == 3
    });
    signal(&child, Signal::TERM);
    let outcome = end(child);
    drop(stdin);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("interrupted; "), "{outcome:?}");
    let empty = dir.write("empty", "");
    assert_eq!(dir.ship(&empty, &out, &[]).code, 0);
    assert_eq!(dir.delivered("out"), once(0..3));
}

#[test]
fn two_at_once_are_refused() {
    let dir = Dir::new();
    let (out, spool) = (dir.shown("out"), dir.shown("spool"));
    let child = piped(&["ship", "--to", &out, "--spool", &spool]);
    eventually("the first has the spool", || {
        dir.path("spool/spool.meta").exists()
            && auditship(&["status", &spool])
                .stdout
                .contains("writer    running")
    });
    let file = dir.write("a.ndjson", &records(0..1));
    let second = dir.ship(&file, &out, &[]);
    assert_eq!((second.code, second.stdout.as_str()), (4, ""), "{second:?}");
    assert!(second.stderr.contains("another"), "{second:?}");
    signal(&child, Signal::TERM);
    end(child);
}

/// Answers every request with a status that can be changed, and keeps the bodies of those it took.
struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn answering(status: u16) -> Self {
        Self::start(status, None)
    }

    /// Refuses what has `poison` in it, until it answers 201.
    fn refusing(poison: &'static str) -> Self {
        Self::start(200, Some(poison))
    }

    fn start(status: u16, poison: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let status = Arc::new(AtomicU16::new(status));
        let taken = Arc::<Mutex<Vec<String>>>::default();
        let (answer, bodies) = (Arc::clone(&status), Arc::clone(&taken));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.expect("a connection"));
                // One request a connection is enough for what is asked here.
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                }
                let mut body = vec![0; length];
                if reader.read_exact(&mut body).is_err() {
                    continue;
                }
                let body = String::from_utf8(body).expect("text");
                let code = match poison {
                    Some(poison) if answer.load(Ordering::SeqCst) == 200 && body.contains(poison) => 400,
                    _ => answer.load(Ordering::SeqCst),
                };
                if code < 300 {
                    bodies.lock().expect("held").push(body);
                }
                let response = format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = reader.get_mut().write_all(response.as_bytes());
            }
        });
        Self {
            address,
            status,
            taken,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/audit", self.address)
    }

    fn lines(&self) -> usize {
        self.taken
            .lock()
            .expect("held")
            .iter()
            .map(|body| body.lines().count())
            .sum()
    }
}

#[test]
fn an_endpoint_that_refuses_us_loses_nothing() {
    let dir = Dir::new();
    let receiver = Receiver::answering(401);
    let file = dir.write("a.ndjson", &records(0..50));
    let refused = dir.ship(
        &file,
        &receiver.url(),
        &["--with", "auth=bearer", "--with", "token=wrong"],
    );
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(
        refused.stdout,
        "received 50 = 0 excluded + 0 duplicate + 50 spooled; 0 delivered, 0 dead-lettered, 50 pending\n"
    );
    assert!(
        refused.stderr.contains("is held: ") && refused.stderr.contains("401"),
        "{refused:?}"
    );
    assert!(!refused.stderr.contains("wrong"), "a secret in {refused:?}");

    receiver.status.store(200, Ordering::SeqCst);
    let empty = dir.write("empty", "");
    let taken = dir.ship(
        &empty,
        &receiver.url(),
        &["--with", "auth=bearer", "--with", "token=right"],
    );
    assert_eq!(taken.code, 0, "{taken:?}");
    assert_eq!(receiver.lines(), 50);
}

#[test]
fn a_spool_is_for_one_target() {
    let dir = Dir::new();
    let (first, second) = (Receiver::answering(200), Receiver::answering(200));
    let file = dir.write("a.ndjson", &records(0..20));
    assert_eq!(dir.ship(&file, &first.url(), &[]).code, 0);
    let other = dir.ship(&file, &second.url(), &[]);
    assert_eq!((other.code, other.stdout.as_str()), (3, ""), "{other:?}");
    assert!(
        other.stderr.contains("is the spool of another target") && other.stderr.contains("--spool"),
        "{other:?}"
    );
    assert_eq!((first.lines(), second.lines()), (20, 0));
    assert_eq!(dir.ship(&file, &first.url(), &[]).code, 0);
    assert_eq!(first.lines(), 20);
}

#[test]
fn a_record_that_was_refused_is_not_forgotten_by_the_next_run() {
    let dir = Dir::new();
    let receiver = Receiver::refusing("\"n\":13,");
    let file = dir.write("a.ndjson", &records(0..50));
    for delivered in [49, 0] {
        let outcome = dir.ship(&file, &receiver.url(), &[]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(
            outcome.stdout.contains(&format!("{delivered} delivered")),
            "{outcome:?}"
        );
        assert!(
            outcome
                .stderr
                .contains("1 record was refused: `auditship dead-letter list"),
            "{outcome:?}"
        );
    }

    // What nobody runs for now is done by the next run, before it ends.
    receiver.status.store(201, Ordering::SeqCst);
    let spool = dir.shown("spool");
    let listed = auditship(&["dead-letter", "list", "--json", "--spool", &spool]);
    let letter: serde_json::Value = serde_json::from_str(&listed.stdout).expect("one object");
    let destination = letter["destination"].as_str().expect("text");
    let asked = auditship(&["dead-letter", "retry", destination, "--all", "--spool", &spool]);
    assert_eq!(asked.code, 5, "{asked:?}");
    let empty = dir.write("empty", "");
    let outcome = dir.ship(&empty, &receiver.url(), &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(receiver.lines(), 50);
}

/// "Ship again" is what the message says: what an earlier run was refused for is not held against the next one.
#[test]
fn the_same_command_goes_on_when_the_endpoint_has_healed() {
    let dir = Dir::new();
    let receiver = Receiver::answering(403);
    let file = dir.write("a.ndjson", &records(0..50));
    let refused = dir.ship(&file, &receiver.url(), &[]);
    assert!(refused.stderr.contains("403"), "{refused:?}");
    receiver.status.store(401, Ordering::SeqCst);
    let refused = dir.ship(&file, &receiver.url(), &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("401") && !refused.stderr.contains("403"),
        "the reason of this run: {refused:?}"
    );
    receiver.status.store(200, Ordering::SeqCst);
    let more = dir.write("b.ndjson", &records(50..60));
    let healed = dir.ship(&more, &receiver.url(), &[]);
    assert_eq!(healed.code, 0, "{healed:?}");
    assert!(healed.stdout.contains("; 60 delivered, "), "{healed:?}");
    assert_eq!(receiver.lines(), 60);
}

/// Nothing runs any more: what is said of the spool is how it was left.
#[test]
fn the_status_after_the_end_has_the_last_sums() {
    let dir = Dir::new();
    let (out, spool) = (dir.shown("out"), dir.shown("spool"));
    // A last line without an end is a piece of its own, taken within the second of the status before it.
    let file = dir.write("a.ndjson", records(0..7).trim_end());
    assert_eq!(dir.ship(&file, &out, &[]).code, 0);
    let status = auditship(&["status", &spool]);
    let sums = "received  7 = 0 excluded + 0 duplicate + 7 spooled\n";
    assert!(status.stdout.contains(sums), "{}", status.stdout);
}

#[test]
fn an_endpoint_that_is_down_is_waited_for_as_long_as_was_said() {
    let dir = Dir::new();
    let receiver = Receiver::answering(503);
    let file = dir.write("a.ndjson", &records(0..5));
    let outcome = dir.ship(&file, &receiver.url(), &["--wait", "1s"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("5 records wait in "), "{outcome:?}");
}

mod daemon {
    use super::daemon_support::Daemon;
    use super::*;

    fn toml(dir: &Dir, out: &str) -> String {
        format!(
            "[spool]\npath = {:?}\nid = \"ship\"\n[exclude]\ncategories = [\"iam\"]\n\
             [[destination]]\nid = \"archive\"\ntype = \"file\"\npath = {:?}\nbatch_max_age = \"100ms\"\n",
            dir.path("spool"),
            dir.path(out)
        )
    }

    #[test]
    fn drains_what_is_there_and_what_comes() {
        let dir = Dir::new();
        let config = dir.write("auditship.toml", &toml(&dir, "out"));
        let daemon = Daemon::start(&config);
        daemon.says("waiting until the plugin makes the spool");
        fill(&dir, 0..20);
        daemon.says("shipping ");
        eventually("all is delivered", || {
            dir.path("out").exists() && dir.delivered("out") == once(0..20)
        });
        fill(&dir, 20..30);
        eventually("what came is delivered", || dir.delivered("out") == once(0..30));
        assert_eq!(daemon.terminate(), 0);
    }

    /// Fills the spool as a plugin with `Shipper external` does: with the writer's lock only, whoever ships.
    fn fill(dir: &Dir, range: std::ops::Range<u64>) {
        let text = format!("shipper = \"external\"\n{}", toml(dir, "out"));
        intake::fill(&intake::config(&text), &records(range));
    }

    #[test]
    fn reloads_and_keeps_what_it_has_when_the_new_one_is_wrong() {
        let dir = Dir::new();
        fill(&dir, 0..5);
        let config = dir.write("auditship.toml", &toml(&dir, "one"));
        let daemon = Daemon::start(&config);
        eventually("the first takes them", || {
            dir.path("one").exists() && dir.delivered("one") == once(0..5)
        });

        dir.write("auditship.toml", "[spool]\npath = \"relative\"\n");
        daemon.hang_up();
        daemon.says("not reloaded: ");
        // What is no TOML may concern any destination: none of them stops for it.
        dir.write("auditship.toml", &format!("{}foo = [\n", toml(&dir, "one")));
        daemon.hang_up();
        daemon.says("not reloaded: ");
        dir.write("auditship.toml", &toml(&dir, "two"));
        daemon.hang_up();
        daemon.says("reloaded: shipping to archive");
        fill(&dir, 5..8);
        eventually("the second takes them", || {
            dir.path("two").exists() && dir.delivered("two") == once(5..8)
        });
        assert_eq!(daemon.terminate(), 0);
    }

    #[test]
    fn commands_are_answered_while_it_runs() {
        let dir = Dir::new();
        fill(&dir, 0..5);
        let (config, spool) = (
            dir.write("auditship.toml", &toml(&dir, "out")),
            dir.shown("spool"),
        );
        let daemon = Daemon::start(&config);
        eventually("all is delivered", || {
            dir.path("out").exists() && dir.delivered("out") == once(0..5)
        });
        eventually("the status says so", || {
            auditship(&["status", &spool])
                .stdout
                .contains("shipper   running: auditship run")
        });
        assert_eq!(
            auditship(&["pause", "archive", "--spool", &spool]),
            Outcome::ok("archive is paused\n")
        );
        assert_eq!(
            auditship(&["resume", "archive", "--spool", &spool]),
            Outcome::ok("archive is active\n")
        );
        let replay = auditship(&["replay", "archive", "--from", "1", "--to", "3", "--spool", &spool]);
        assert_eq!((replay.code, replay.stderr.as_str()), (0, ""), "{replay:?}");
        eventually("two of them come again", || {
            dir.delivered("out") == BTreeMap::from([(0, 1), (1, 2), (2, 2), (3, 1), (4, 1)])
        });
        let second = auditship(&["run", "-c", &config]);
        assert_eq!(second.code, 4, "{second:?}");
        assert!(
            second.stderr.contains("another shipper has the spool"),
            "{second:?}"
        );
        assert_eq!(daemon.terminate(), 0);
    }

    #[test]
    fn what_is_excluded_is_filtered_and_counted() {
        let dir = Dir::new();
        let text: String = ["iam", "file"]
            .iter()
            .enumerate()
            .map(|(n, category)| {
                format!("{{\"n\":{n},\"event\":{{\"id\":\"{n}\",\"category\":\"{category}\"}}}}\n")
            })
            .collect();
        let file = dir.write("in.ndjson", &text);
        assert_eq!(dir.ship(&file, "http://127.0.0.1:9/", &["--wait", "0s"]).code, 1);
        let config = dir.write("auditship.toml", &toml(&dir, "out"));
        let daemon = Daemon::start(&config);
        eventually("the other one is delivered", || {
            dir.path("out").exists() && dir.delivered("out") == BTreeMap::from([(1, 1)])
        });
        let filtered = || {
            let status = auditship(&["status", "--json", &dir.shown("spool")]);
            let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
            let all = status["destinations"].as_array().expect("a list").clone();
            all.iter()
                .any(|one| one["id"] == "archive" && one["counts"]["filtered"] == 1)
        };
        eventually("it is counted", filtered);
        assert_eq!(daemon.terminate(), 0);
    }
}
