//! Cloud Logging and the metadata server of a VM on loopback, by their documentation.
//!
//! The API is strict where it is in earnest (token, content type, `partialSuccess`) and answers by what an entry's payload
//! asks for: `"fault": "never"` is refused for good, `"fault": "later"` the first time only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use auditship_testkit::receiver::{Received, Receiver, Reply};
use serde_json::{Map, Value, json};

/// What the API has.
#[derive(Default)]
pub(crate) struct Store {
    /// Entries by their insertId and timestamp, and how often each was written.
    pub(crate) written: BTreeMap<(String, String), (Value, u32)>,
    /// Those that are refused for good.
    pub(crate) refused: BTreeSet<String>,
    seen: BTreeSet<String>,
    pub(crate) requests: u32,
    /// The only one that is accepted.
    token: String,
}

pub(crate) struct Api {
    receiver: Receiver,
    store: Arc<(Mutex<Store>, Condvar)>,
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply::Full {
        status,
        headers: vec![(
            String::from("Content-Type"),
            String::from("application/json; charset=UTF-8"),
        )],
        body: body.to_string().into_bytes(),
    }
}

fn error(code: u16, status: &str, message: &str, details: Value) -> Reply {
    reply(
        code,
        &json!({ "error": { "code": code, "message": message, "status": status, "details": details } }),
    )
}

impl Store {
    fn answer(&mut self, request: &Received) -> Reply {
        self.requests += 1;
        if (request.method.as_str(), request.target.as_str()) != ("POST", "/v2/entries:write") {
            return error(404, "NOT_FOUND", "no such method", json!([]));
        }
        let token = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        if token != Some(self.token.as_str()) {
            return error(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
                json!([]),
            );
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.plain) else {
            return error(
                400,
                "INVALID_ARGUMENT",
                "Invalid JSON payload received.",
                json!([]),
            );
        };
        assert_eq!(body["partialSuccess"], true);
        assert_eq!(body["logName"], "projects/audit-project/logs/audit");
        assert_eq!(
            body["resource"],
            json!({ "type": "gce_instance", "labels": { "project_id": "audit-project", "instance_id": "4242", "zone": "europe-west3-a" } })
        );
        assert_eq!(body["labels"], json!({ "job": "engflow_logs" }));
        let entries = body["entries"].as_array().expect("entries");
        if body["dryRun"] == true {
            return reply(200, &json!({}));
        }
        let mut errors = Map::new();
        for (index, entry) in entries.iter().enumerate() {
            let id = entry["insertId"].as_str().expect("an id").to_owned();
            let first = self.seen.insert(id.clone());
            let code = match entry["jsonPayload"]["fault"].as_str() {
                Some("never") => Some((3, "Log entry is not to my taste.")),
                Some("later") if first => Some((8, "Quota exceeded.")),
                _ => None,
            };
            match code {
                Some((code, message)) => {
                    if code == 3 {
                        self.refused.insert(id);
                    }
                    errors.insert(index.to_string(), json!({ "code": code, "message": message }));
                }
                None => {
                    let time = entry["timestamp"].as_str().expect("a time").to_owned();
                    let slot = self
                        .written
                        .entry((id, time))
                        .or_insert_with(|| (entry.clone(), 0));
                    slot.1 += 1;
                }
            }
        }
        match errors.len() {
            0 => reply(200, &json!({})),
            // Nothing could be written: then there are no details.
            all if all == entries.len() => {
                let only_quota = errors.values().all(|error| error["code"] == 8);
                match only_quota {
                    true => error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", json!([])),
                    false => error(
                        400,
                        "INVALID_ARGUMENT",
                        "Log entry is not to my taste.",
                        json!([]),
                    ),
                }
            }
            _ => {
                let kind = "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors";
                let details = json!([{ "@type": kind, "logEntryErrors": errors }]);
                error(
                    400,
                    "INVALID_ARGUMENT",
                    "Some entries could not be written.",
                    details,
                )
            }
        }
    }
}

impl Api {
    pub(crate) fn start(token: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let store = Arc::new((Mutex::new(Store::default()), Condvar::new()));
        token.clone_into(&mut store.0.lock().expect("held").token);
        let shared = store.clone();
        let receiver = Receiver::answering(listener, None, move |request| {
            let reply = shared.0.lock().expect("held").answer(request);
            shared.1.notify_all();
            reply
        });
        Self { receiver, store }
    }

    pub(crate) fn url(&self) -> String {
        self.receiver.url("")
    }

    /// The bodies that came, decompressed.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.receiver
            .requests()
            .into_iter()
            .map(|request| request.plain)
            .collect()
    }

    /// Waits until `is_so` of what the API has.
    pub(crate) fn wait<T>(&self, what: &str, is_so: impl Fn(&Store) -> Option<T>) -> T {
        let mut store = self.store.0.lock().expect("held");
        loop {
            if let Some(found) = is_so(&store) {
                return found;
            }
            let waited = self
                .store
                .1
                .wait_timeout(store, Duration::from_secs(60))
                .expect("held");
            assert!(!waited.1.timed_out(), "{what}: not in a minute");
            store = waited.0;
        }
    }
}

/// The metadata server of a VM.
pub(crate) struct Vm(Receiver);

impl Vm {
    pub(crate) fn start(token: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let token = token.to_owned();
        Self(Receiver::answering(listener, None, move |request| {
            if request.header("metadata-flavor") != Some("Google") {
                return Reply::Status(403);
            }
            let path = request
                .target
                .strip_prefix("/computeMetadata/v1/instance/")
                .unwrap_or_default();
            let body = match path.split('?').next() {
                Some("id") => String::from("4242"),
                Some("zone") => String::from("projects/99/zones/europe-west3-a"),
                Some("service-accounts/default/token") => {
                    json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }).to_string()
                }
                _ => return Reply::Status(404),
            };
            Reply::Full {
                status: 200,
                headers: vec![(String::from("Metadata-Flavor"), String::from("Google"))],
                body: body.into_bytes(),
            }
        }))
    }

    pub(crate) fn host(&self) -> String {
        self.0.address().to_string()
    }
}
