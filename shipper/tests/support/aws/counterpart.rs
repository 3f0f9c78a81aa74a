//! moto behind a strict front, and what the tests ask of it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use auditship::config::Environment;
use serde_json::Value;

use crate::python::{Program, moto};

/// CloudWatch Logs, Kinesis and Firehose on loopback.
pub(crate) struct Counterpart {
    port: u16,
    _program: Program,
}

impl Counterpart {
    /// Starts it. `None` when it cannot be installed: then `test` has been called skipped.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let python = moto(test)?;
        let mut program = Program::start(&python, "aws/front.py");
        let port = program.line().parse().expect("a port");
        Some(Self {
            port,
            _program: program,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests that put records take these faults one after another.
    pub(crate) fn faults(&self, faults: &Value) {
        self.ask("POST", "/_fault", &faults.to_string());
    }

    pub(crate) fn heal(&self) {
        self.ask("DELETE", "/_fault", "");
    }

    /// How often each operation had each answer.
    pub(crate) fn answers(&self) -> BTreeMap<String, u64> {
        let mut answers = BTreeMap::new();
        for answer in self.ask("GET", "/_log", "").as_array().expect("a list") {
            *answers
                .entry(answer.as_str().expect("text").to_owned())
                .or_default() += 1;
        }
        answers
    }

    /// What the group was made with.
    pub(crate) fn group(&self, group: &str) -> Value {
        self.ask("GET", &format!("/_group?group={group}"), "")
    }

    /// Time and record of each event, in the order in which they came.
    pub(crate) fn stored(&self, group: &str, stream: &str) -> Vec<(i64, Value)> {
        let path = format!("/_stored?group={group}&stream={stream}");
        let stored = self.ask("GET", &path, "");
        let event = |event: &Value| {
            let message = event[1].as_str().expect("text");
            let record = serde_json::from_str(message).expect("a message is a record");
            (event[0].as_i64().expect("milliseconds"), record)
        };
        stored
            .as_array()
            .map(|events| events.iter().map(event).collect())
            .unwrap_or_default()
    }

    /// Makes a stream: see `streams.py`.
    pub(crate) fn make(&self, what: &Value) {
        self.ask("POST", "/_make", &what.to_string());
    }

    /// Shard, partition key and text of each record of a Kinesis stream; those of a shard in its order.
    pub(crate) fn records(&self, stream: &str) -> Vec<(String, String, String)> {
        let records = self.ask("GET", &format!("/_records?stream={stream}"), "");
        serde_json::from_value(records).expect("triples of texts")
    }

    /// The objects that a Firehose stream has written.
    pub(crate) fn objects(&self, stream: &str) -> Vec<String> {
        let objects = self.ask("GET", &format!("/_objects?stream={stream}"), "");
        serde_json::from_value(objects).expect("texts")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: front\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(body.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        serde_json::from_slice(&answer[end.expect("a head") + 4..]).expect("JSON")
    }
}

/// The keys that the counterpart takes.
pub(crate) fn keys() -> Environment {
    Environment::from([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret/EXAMPLE+key"),
        ("AWS_SESSION_TOKEN", "session/token="),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ])
    .with_hostname("web-1")
}
