//! `cp -a` of a spool with a batch on its way, and the built binary shipping the copy beside the original.

mod cli_support;
#[path = "support/intake.rs"]
mod intake;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use cli_support::{Outcome, auditship, command};

const PATIENCE: Duration = Duration::from_secs(30);

/// A collector that answers when it is told to, and knows each request by its `Idempotency-Key`.
#[derive(Default)]
struct Collector {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    keys: Vec<String>,
    answers: bool,
}

impl Collector {
    fn start() -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let collector = Arc::<Self>::default();
        let serving = Arc::clone(&collector);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let collector = Arc::clone(&serving);
                std::thread::spawn(move || collector.serve(stream.expect("a connection")));
            }
        });
        (collector, address)
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        let (mut key, mut length) = (String::new(), 0);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            match name.to_ascii_lowercase().as_str() {
                "idempotency-key" => value.trim().clone_into(&mut key),
                "content-length" => length = value.trim().parse().expect("a number"),
                _ => {}
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let mut seen = self.seen.lock().expect("held");
        seen.keys.push(key);
        self.changed.notify_all();
        drop(self.changed.wait_while(seen, |seen| !seen.answers).expect("held"));
        // Whoever asked may have ended meanwhile.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }

    fn answer(&self) {
        self.seen.lock().expect("held").answers = true;
        self.changed.notify_all();
    }

    fn keys(&self) -> Vec<String> {
        self.seen.lock().expect("held").keys.clone()
    }

    fn await_keys(&self, count: usize) -> Vec<String> {
        let seen = self.seen.lock().expect("held");
        let fewer = |seen: &mut Seen| seen.keys.len() < count;
        let (seen, waited) = self
            .changed
            .wait_timeout_while(seen, PATIENCE, fewer)
            .expect("held");
        assert!(!waited.timed_out(), "{count} requests came");
        seen.keys.clone()
    }
}

/// A spool's directory with a configuration beside it.
struct Place(PathBuf);

impl Place {
    fn configure(&self, collector: SocketAddr) -> String {
        let file = self.0.with_extension("toml");
        let text = format!(
            "shipper = \"external\"\n[spool]\npath = {:?}\nid = \"copied\"\n[[destination]]\nid = \"siem\"\n\
             type = \"http\"\nurl = \"http://{collector}/\"\nbatch_max_age = \"100ms\"\n",
            self.0
        );
        std::fs::write(&file, text).expect("written");
        file.display().to_string()
    }

    fn fill(&self, config: &str, range: std::ops::Range<u32>) {
        let config = Config::from_toml(Path::new(config), &Environment::empty(), Strictness::Strict);
        let lines: String = range.map(|n| format!("{{\"n\":{n}}}\n")).collect();
        intake::fill(&config.expect("good"), &lines);
    }

    fn status(&self) -> serde_json::Value {
        let status = auditship(&["status", "--json", &self.0.display().to_string()]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
        status["destinations"][0].clone()
    }

    fn await_delivered(&self, count: u64) {
        eventually("all is delivered", || {
            self.status()["counts"]["delivered"] == count
        });
    }

    fn await_held(&self, reason: &str) {
        eventually("it is held", || {
            let activity = self.status()["activity"].clone();
            activity["state"] == "held"
                && activity["kind"] == "conflict"
                && activity["reason"]
                    .as_str()
                    .is_some_and(|why| why.contains(reason))
        });
    }

    fn resume(&self) -> Outcome {
        auditship(&["resume", "siem", "--spool", &self.0.display().to_string()])
    }
}

/// `auditship run`, killed at the end.
struct Daemon(Child);

impl Daemon {
    fn start(config: &str) -> Self {
        let mut command = command(&["run", "-c", config]);
        Self(command.stderr(Stdio::null()).spawn().expect("started"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process gives no event to wait for"
)]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it never came to this: {what}");
}

#[test]
fn a_copied_spool_is_silent_until_it_is_resumed_and_the_original_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (original, copy) = (Place(dir.path().join("spool")), Place(dir.path().join("copy")));
    let (collector, address) = Collector::start();
    let config = original.configure(address);
    original.fill(&config, 0..10);
    let running = Daemon::start(&config);
    let journalled = collector.await_keys(1);

    let copied = Command::new("cp").arg("-a").args([&original.0, &copy.0]).status();
    assert!(copied.expect("cp").success());
    let config = copy.configure(address);
    // Nothing has written it yet: whoever ships finds out.
    let shipping = Daemon::start(&config);
    copy.await_held("spool.meta is a copy");
    copy.fill(&config, 10..12);
    drop(shipping);
    copy.await_held("`auditship resume`");
    let shipping = Daemon::start(&config);
    eventually("it runs", || copy.status()["seen_by"] == "shipper");
    copy.await_held("spool.meta is a copy");
    assert_eq!(collector.keys(), journalled, "nothing is sent but what was");

    assert_eq!(copy.resume(), Outcome::ok("it is asked again now\n"));
    let keys = collector.await_keys(2);
    assert_eq!(keys[1], keys[0], "the batch has its old name");
    collector.answer();
    copy.await_delivered(12);
    drop(shipping);
    let shipping = Daemon::start(&config);
    copy.fill(&config, 12..13);
    copy.await_delivered(13);
    drop(shipping);

    original.await_delivered(10);
    let again = collector.keys().split_off(2);
    assert!(!again.contains(&keys[0]), "{again:?}");
    drop(running);
}

#[test]
fn a_word_that_is_given_while_nothing_runs_counts() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (original, copy) = (Place(dir.path().join("spool")), Place(dir.path().join("copy")));
    let (collector, address) = Collector::start();
    collector.answer();
    let config = original.configure(address);
    original.fill(&config, 0..3);
    let running = Daemon::start(&config);
    original.await_delivered(3);
    drop(running);
    original.fill(&config, 3..5);
    let copied = Command::new("cp").arg("-a").args([&original.0, &copy.0]).status();
    assert!(copied.expect("cp").success());
    let said = "siem will be active when a shipper runs; none does now\n";
    assert_eq!(copy.resume(), Outcome::ok(said));
    let shipping = Daemon::start(&copy.configure(address));
    copy.await_delivered(5);
    drop(shipping);
}
