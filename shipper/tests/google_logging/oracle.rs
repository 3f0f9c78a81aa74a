//! Google's own client library as a judge of requests: `support/google/oracle.py`.

use serde_json::Value;

use super::python::{Program, google};

/// What it finds in one request.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Findings {
    /// Unknown fields, wrong types, what cannot be parsed.
    pub(crate) problems: Vec<String>,
    /// Of each entry, in the API's own form.
    pub(crate) sizes: Vec<u64>,
    /// Of each entry, as a reader of the log gets it back.
    pub(crate) payloads: Vec<Value>,
}

/// Judges one request after the other.
pub(crate) struct Judge(Program);

impl Judge {
    /// `None` when it cannot be installed: then `test` has been called skipped.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let python = google(test)?;
        Some(Self(Program::start(&python, "google/oracle.py")))
    }

    pub(crate) fn judge(&mut self, body: &[u8]) -> Findings {
        let body = std::str::from_utf8(body).expect("text");
        assert!(!body.contains('\n'), "a request is one line");
        serde_json::from_str(&self.0.ask(body)).expect("findings")
    }
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let Some(mut judge) = Judge::start("google logging: the judge finds what is wrong") else {
        return;
    };
    let mut problems = |entry: &str| {
        let request = format!("{{\"logName\":\"projects/p/logs/l\",\"entries\":[{entry}]}}");
        judge.judge(request.as_bytes()).problems
    };
    assert_eq!(
        problems("{\"jsonPayload\":{\"a\":1},\"severity\":\"INFO\"}"),
        [""; 0]
    );
    for wrong in [
        "{\"jsonPayload\":{},\"colour\":\"red\"}",
        "{\"jsonPayload\":{},\"severity\":\"BAD\"}",
        "{\"jsonPayload\":{},\"timestamp\":\"yesterday\"}",
        "{\"jsonPayload\":{},\"labels\":{\"a\":1}}",
        "{\"jsonPayload\":[]}",
        "{\"jsonPayload\":{},\"textPayload\":\"two\"}",
        "{\"jsonPayload\":{},\"httpRequest\":{\"status\":\"ok\"}}",
        "{\"jsonPayload\":{},\"httpRequest\":{\"requestSize\":\"large\"}}",
        "{\"jsonPayload\":{},\"httpRequest\":{\"latency\":\"1.5\"}}",
        "{\"jsonPayload\":{\"a\":1e999}}",
    ] {
        assert_ne!(problems(wrong), [""; 0], "{wrong}");
    }
}
