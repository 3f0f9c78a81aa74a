//! Elasticsearch's and OpenSearch's `_bulk` on loopback, by their documentation: one index or data stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use auditship_testkit::receiver::{Received, Reply};
use serde_json::{Value, json};

use super::fake::{self, Fake};

/// Which of the two, and what it does with a document that it cannot map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// With security, and a data stream.
    #[default]
    Elasticsearch,
    /// The same with a failure store.
    FailureStore,
    /// Without `_security`.
    OpenSearch,
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) flavour: Flavour,
    /// `Authorization` must be this.
    pub(crate) authorization: String,
    /// There is no such index, and none is made.
    pub(crate) missing: bool,
    /// Documents by their id.
    pub(crate) documents: BTreeMap<String, Value>,
    /// What went into the failure store: each time a document of its own, under an id that the cluster makes.
    pub(crate) failed: BTreeMap<String, Value>,
    /// Ids that were busy once.
    busy: BTreeSet<String>,
    pub(crate) conflicts: u32,
    pub(crate) requests: u32,
    /// Answered before anything else.
    pub(crate) first: VecDeque<u16>,
    /// The documents are kept and the answer is lost, so often.
    pub(crate) lose: u32,
    /// The most bytes of a request.
    pub(crate) max_content_length: usize,
    pub(crate) most: usize,
}

fn error(status: u16, kind: &str, reason: &str) -> Reply {
    let error = json!({ "type": kind, "reason": reason });
    fake::json(status, &[], &json!({ "error": error, "status": status }))
}

/// The backing index of the data stream.
const BACKING: &str = ".ds-logs-audit-2026.01.01-000001";

/// What of an item `filter_path` asks for, and nothing else.
fn filtered(mut item: Value, query: &str) -> Value {
    let paths = query.strip_prefix("filter_path=").expect("a filter");
    let fields = item["create"].as_object_mut().expect("an item");
    fields.retain(|field, _| {
        let path = format!("items.*.{field}");
        let below = format!("{path}.");
        paths
            .split(',')
            .any(|asked| asked == path || asked.starts_with(&below))
    });
    item
}

impl Store {
    fn reply(&mut self, request: &Received) -> Reply {
        if request.header("authorization") != Some(self.authorization.as_str()) {
            return error(401, "security_exception", "unable to authenticate");
        }
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("POST", "/logs-audit/_bulk") => self.bulk(request, query),
            ("POST", "/_security/user/_has_privileges") if self.flavour != Flavour::OpenSearch => {
                let asked: Value = serde_json::from_slice(&request.plain).expect("JSON");
                assert_eq!(asked["index"][0]["names"], json!(["logs-audit"]));
                fake::json(200, &[], &json!({ "username": "a", "has_all_requested": true }))
            }
            ("GET", "/logs-audit") if self.missing => {
                error(404, "index_not_found_exception", "no such index [logs-audit]")
            }
            ("GET", "/logs-audit") => fake::json(200, &[], &json!({ "logs-audit": {} })),
            _ => error(400, "illegal_argument_exception", "no handler found for uri"),
        }
    }

    fn bulk(&mut self, request: &Received, query: &str) -> Reply {
        if let Some(status) = self.first.pop_front() {
            return error(status, "as_documented", "as documented");
        }
        self.requests += 1;
        if request.body.len() > self.max_content_length {
            return Reply::Status(413);
        }
        if request.header("content-type") != Some("application/x-ndjson") {
            return error(406, "media_type_header_exception", "Content-Type");
        }
        self.most = self.most.max(request.plain.len());
        let Some(lines) = request.plain.strip_suffix(b"\n") else {
            return error(
                400,
                "illegal_argument_exception",
                "The bulk request must be terminated by a newline [\\n]",
            );
        };
        let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
        let mut items = Vec::new();
        for pair in lines.chunks(2) {
            let [action, document] = pair else {
                return error(400, "illegal_argument_exception", "an action without a document");
            };
            let action: Value = serde_json::from_slice(action).expect("an action");
            let id = action["create"]["_id"]
                .as_str()
                .expect("create with an id")
                .to_owned();
            assert!(id.len() <= 512);
            let document: Value = serde_json::from_slice(document).expect("a document");
            items.push(json!({ "create": self.create(id, document) }));
        }
        if self.lose > 0 {
            self.lose -= 1;
            return Reply::Close;
        }
        let errors = items
            .iter()
            .any(|item| item["create"]["status"].as_u64() >= Some(400));
        let items: Vec<Value> = items.into_iter().map(|item| filtered(item, query)).collect();
        fake::json(200, &[], &json!({ "errors": errors, "items": items }))
    }

    fn create(&mut self, id: String, document: Value) -> Value {
        let failed = |status: u16, kind: &str, reason: &str| json!({ "_index": BACKING, "_id": id, "status": status, "error": { "type": kind, "reason": reason } });
        if self.missing {
            return failed(404, "index_not_found_exception", "no such index [logs-audit]");
        }
        if !document["@timestamp"].is_string() {
            return failed(400, "document_parsing_exception", "@timestamp is missing");
        }
        if self.documents.contains_key(&id) {
            self.conflicts += 1;
            return failed(
                409,
                "version_conflict_engine_exception",
                "document already exists",
            );
        }
        match document["fault"].as_str() {
            Some("busy") if self.busy.insert(id.clone()) => {
                return failed(429, "es_rejected_execution_exception", "rejected execution");
            }
            Some("down") if self.busy.insert(id.clone()) => {
                return failed(503, "unavailable_shards_exception", "primary shard is not active");
            }
            Some("mapping") if self.flavour == Flavour::FailureStore => {
                // What is kept is another document, about this one: its id is not the one that was sent.
                let other = format!("made-by-the-cluster-{}", self.failed.len());
                let kept = json!({ "document": { "id": id, "source": document } });
                self.failed.insert(other.clone(), kept);
                return json!({
                    "_index": ".fs-logs-audit-2026.01.01-000002",
                    "_id": other,
                    "status": 201,
                    "result": "created",
                    "failure_store": "used",
                });
            }
            // A pipeline's `drop` processor: a success, and no document.
            Some("dropped") => {
                return json!({ "_index": BACKING, "_id": id, "status": 200, "result": "noop" });
            }
            Some("mapping") => return failed(400, "document_parsing_exception", "failed to parse field [a]"),
            _ => {}
        }
        let status = json!({ "_index": BACKING, "_id": id, "status": 201, "result": "created" });
        self.documents.insert(id, document);
        status
    }
}

pub(crate) fn start(flavour: Flavour, authorization: &str) -> Fake<Store> {
    let store = Store {
        flavour,
        authorization: authorization.to_owned(),
        max_content_length: usize::MAX,
        ..Store::default()
    };
    Fake::start(store, Store::reply)
}
