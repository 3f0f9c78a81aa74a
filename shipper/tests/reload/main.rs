//! A running `auditship run` reads its configuration again (SIGHUP): destinations that come, move, go and come back; rules that
//! change while a batch is on its way; two destinations with one id.

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../support/daemon.rs"]
mod daemon;
mod destinations;
mod filters;
#[path = "../support/intake.rs"]
mod intake;
#[path = "../support/shipment.rs"]
mod shipment;
mod twins;

use std::ops::Range;

use auditship_testkit::receiver::{Received, Receiver, Reply};
use cli_support::auditship;
use serde_json::Value;
use shipment::eventually;

/// A folder with a spool and a configuration.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn spool(&self) -> String {
        self.0.path().join("spool").display().to_string()
    }

    /// Writes the configuration with these `[[destination]]` tables; its file.
    fn configure(&self, destinations: &[&str]) -> String {
        let file = self.0.path().join("auditship.toml");
        let text = format!("[spool]\npath = {:?}\n{}", self.spool(), destinations.concat());
        std::fs::write(&file, text).expect("written");
        file.display().to_string()
    }

    /// Fills the spool as a plugin with `Shipper external` does, with one chunk. An even record is about iam, an odd one about
    /// a file.
    fn fill(&self, numbers: Range<u64>) {
        let text = format!("shipper = \"external\"\n[spool]\npath = {:?}\n", self.spool());
        let line = |n: u64| {
            let category = if n.is_multiple_of(2) { "iam" } else { "file" };
            format!("{{\"n\":{n},\"event\":{{\"id\":\"id-{n}\",\"category\":[\"{category}\"]}}}}\n")
        };
        intake::fill(&intake::config(&text), &numbers.map(line).collect::<String>());
    }

    fn status(&self) -> Value {
        let status = auditship(&["status", "--json", &self.spool()]);
        serde_json::from_str(&status.stdout).expect("JSON")
    }

    /// What the status says of a destination; null when it does not know it.
    fn destination(&self, id: &str) -> Value {
        let status = self.status();
        let all = status["destinations"].as_array().expect("a list");
        let found = all.iter().find(|destination| destination["id"] == id);
        found.cloned().unwrap_or_default()
    }

    /// Waits until `id` has settled this many records and more do not wait.
    fn await_settled(&self, id: &str, settled: u64) {
        eventually(&format!("{id} has settled {settled}"), || {
            let destination = self.destination(id);
            destination["committed"] == settled && destination["backlog"]["pending"] == 0
        });
    }

    /// That every one of `spooled` records is in one of the counts of `id`, once, and how many are in these.
    fn assert_counts(&self, id: &str, spooled: u64, expected: &[(&str, u64)]) {
        let destination = self.destination(id);
        let count = |name: &str| destination["counts"][name].as_u64().expect("a count");
        let inside = [
            "delivered",
            "dead_lettered",
            "filtered",
            "skipped_before_start",
            "dropped",
            "damaged",
        ];
        let pending = destination["backlog"]["pending"].as_u64().expect("a count");
        let sum = inside.into_iter().map(count).sum::<u64>() + pending;
        assert_eq!(sum, spooled, "{destination}");
        for (name, expected) in expected {
            assert_eq!(count(name), *expected, "{name} of {destination}");
        }
    }
}

/// The `[[destination]]` table of a receiver, with further keys.
fn http(id: &str, receiver: &Receiver, more: &str) -> String {
    format!(
        "[[destination]]\nid = \"{id}\"\ntype = \"http\"\nurl = \"{}\"\nbatch_max_age = \"100ms\"\n{more}\n",
        receiver.url("/audit")
    )
}

fn taking() -> Receiver {
    Receiver::start([], Reply::Status(200))
}

/// The records of these requests, in the order in which they came.
fn numbers(requests: &[Received]) -> Vec<u64> {
    let number = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        record["n"].as_u64().expect("a number")
    };
    let body = |request: &Received| String::from_utf8(request.plain.clone()).expect("text");
    requests
        .iter()
        .flat_map(|request| body(request).lines().map(number).collect::<Vec<_>>())
        .collect()
}

fn all(numbers: Range<u64>) -> Vec<u64> {
    numbers.collect()
}

/// Waits until the last record that came to `receiver` is `number`.
fn await_last(receiver: &Receiver, number: u64) {
    eventually(&format!("record {number} has come"), || {
        numbers(&receiver.requests()).last() == Some(&number)
    });
}
