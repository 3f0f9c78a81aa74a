//! Datadog's log intake (v2) on loopback, by its documentation.
//!
//! It takes what it is given with 202 and keeps what it keeps: a log above 1 MB is cut, one older than 18 hours is dropped,
//! and the answer says neither.

use std::collections::{BTreeMap, VecDeque};

use auditship_testkit::receiver::{Received, Reply};
use serde_json::{Value, json};

use super::fake::{self, Fake};

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";
const HOURS_18: i64 = 18 * 3_600_000;

#[derive(Default)]
pub(crate) struct Store {
    /// Logs as they are kept, by the record's number, and how often.
    pub(crate) kept: BTreeMap<u64, (Value, u32)>,
    /// Records that were dropped for their age.
    pub(crate) dropped: u32,
    /// Logs that were cut for their length.
    pub(crate) cut: u32,
    /// The largest request, its logs and its bytes.
    pub(crate) most: (usize, usize),
    pub(crate) requests: u32,
    /// Answered before anything else.
    pub(crate) first: VecDeque<u16>,
    /// The most bytes of a request; the documented 5 MB unless a proxy takes less.
    pub(crate) room: usize,
    /// Its clock, in milliseconds since 1970.
    pub(crate) now: i64,
}

fn errors(status: u16, detail: &str) -> Reply {
    let body = json!({ "errors": [{ "status": status.to_string(), "title": "Error", "detail": detail }] });
    fake::json(status, &[], &body)
}

impl Store {
    fn reply(&mut self, request: &Received) -> Reply {
        if request.header("dd-api-key") != Some(KEY) {
            return errors(403, "API key is invalid");
        }
        match (request.method.as_str(), request.target.as_str()) {
            ("POST", "/api/v2/logs") => self.logs(request),
            ("GET", "/api/v1/validate") => fake::json(200, &[], &json!({ "valid": true })),
            _ => errors(404, "Not found"),
        }
    }

    fn logs(&mut self, request: &Received) -> Reply {
        if request.header("content-type") != Some("application/json") {
            return errors(400, "Unsupported content type");
        }
        if let Some(status) = self.first.pop_front() {
            return errors(status, "as documented");
        }
        self.requests += 1;
        if request.plain.len() > self.room.min(5_000_000) {
            return errors(413, "Payload too large");
        }
        let Ok(Value::Array(logs)) = serde_json::from_slice::<Value>(&request.plain) else {
            return errors(400, "Invalid JSON");
        };
        if logs.is_empty() || logs.len() > 1_000 {
            return errors(400, "Too many logs");
        }
        if logs.iter().any(|log| log.to_string().contains("\"poison\":true")) {
            return errors(400, "Malformed log");
        }
        self.most = (self.most.0.max(logs.len()), self.most.1.max(request.plain.len()));
        for log in logs {
            if log.to_string().len() > 1_000_000 {
                self.cut += 1;
                continue;
            }
            let at = log["timestamp"].as_i64().expect("milliseconds since 1970");
            if at < self.now - HOURS_18 {
                self.dropped += 1;
                continue;
            }
            let tags = log["ddtags"].as_str().expect("tags");
            assert!(tags.split(',').all(|tag| tag.contains(':')), "{tags}");
            let seq = log["audit"]["auditship"]["seq"].as_u64().expect("a number");
            let slot = self.kept.entry(seq).or_insert_with(|| (log, 0));
            slot.1 += 1;
        }
        let date = http_date(self.now);
        fake::json(202, &[("Date", date)], &json!({}))
    }
}

/// As a `Date` header has it.
fn http_date(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000);
    let second = millis.div_euclid(1_000) - days * 86_400;
    // Days since 0000-03-01, by eras of 400 years.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (
        doy - (153 * mp + 2) / 5 + 1,
        if mp < 10 { mp + 3 } else { mp - 9 },
    );
    let year = yoe + era * 400 + i64::from(month <= 2);
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        names[usize::try_from(days.rem_euclid(7)).expect("small")],
        months[usize::try_from(month - 1).expect("small")],
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

pub(crate) fn start(now: i64, first: impl IntoIterator<Item = u16>) -> Fake<Store> {
    let store = Store {
        now,
        first: first.into_iter().collect(),
        room: usize::MAX,
        ..Store::default()
    };
    Fake::start(store, Store::reply)
}
