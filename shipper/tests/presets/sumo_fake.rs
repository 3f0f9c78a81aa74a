//! An HTTP source of Sumo Logic on loopback, by its documentation.
//!
//! Messages are lines; one above 64 KB is split into several. A request that takes longer than 30 s is answered 408 with a part
//! of it ingested; here that is asked for by size.

use std::collections::{BTreeMap, VecDeque};

use auditship_testkit::receiver::{Received, Reply};
use serde_json::Value;

use super::fake::Fake;

pub(crate) const CODE: &str = "ZaVnC4dhaV3Cnb2Hb0Q_mYhA==";

#[derive(Default)]
pub(crate) struct Store {
    /// How often each record was ingested.
    pub(crate) ingested: BTreeMap<u64, u32>,
    /// Messages that were split.
    pub(crate) split: u32,
    pub(crate) requests: u32,
    pub(crate) most: usize,
    /// Answered before anything else; nothing of the request is kept.
    pub(crate) first: VecDeque<u16>,
    /// Above so many bytes the source is too slow: half of the messages are kept, 408.
    pub(crate) slow_above: usize,
    /// The headers of the last request.
    pub(crate) headers: Vec<(String, String)>,
}

impl Store {
    fn reply(&mut self, request: &Received) -> Reply {
        if request.target != format!("/receiver/v1/http/{CODE}") {
            return Reply::text(401, "Invalid URL token");
        }
        match request.method.as_str() {
            "POST" => {}
            // Never a message of its own.
            "OPTIONS" => return Reply::Status(200),
            _ => return Reply::Status(405),
        }
        if let Some(status) = self.first.pop_front() {
            return Reply::text(status, "as documented");
        }
        self.requests += 1;
        self.most = self.most.max(request.plain.len());
        self.headers.clone_from(&request.headers);
        let text = String::from_utf8(request.plain.clone()).expect("UTF-8");
        assert!(text.len() <= 1_000_000, "more than is advised: {}", text.len());
        let lines: Vec<&str> = text.lines().collect();
        let slow = text.len() > self.slow_above;
        let taken = if slow { lines.len() / 2 } else { lines.len() };
        for line in &lines[..taken] {
            if line.len() > 65_536 {
                self.split += 1;
                continue;
            }
            let record: Value = serde_json::from_str(line).expect("a record a line");
            let seq = record["auditship"]["seq"].as_u64().expect("a number");
            *self.ingested.entry(seq).or_default() += 1;
        }
        if slow {
            return Reply::text(408, "Request timeout");
        }
        Reply::Status(200)
    }
}

pub(crate) fn start(first: impl IntoIterator<Item = u16>, slow_above: usize) -> Fake<Store> {
    let store = Store {
        first: first.into_iter().collect(),
        slow_above,
        ..Store::default()
    };
    Fake::start(store, Store::reply)
}
