//! Azure Monitor's Logs Ingestion API and Entra ID's token endpoint on loopback, over TLS, by their documentation: what it
//! refuses, and what it alters without a word.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use auditship::time::{Clock as _, SystemClock, Timestamp};
use auditship_testkit::receiver::authority::{Authority, Clients, Validity};
use auditship_testkit::receiver::{Received, Receiver, Reply};
use serde_json::{Value, json};

pub(crate) const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";
const STREAM: &str = "Custom-Audit_CL";
/// What the stream declares.
const COLUMNS: [&str; 3] = ["TimeGenerated", "event", "Record"];
const MEGABYTE: usize = 1_048_576;
const FIELD: usize = 65_536;
const DAY: i64 = 86_400_000_000_000;

#[derive(Default)]
pub(crate) struct Table {
    /// As a query would show them.
    pub(crate) rows: Vec<Value>,
    /// What was altered without a word.
    pub(crate) altered: Vec<String>,
    /// What the API would not have been asked for by a good client.
    pub(crate) problems: Vec<String>,
    pub(crate) requests: u32,
    pub(crate) tokens: u32,
    /// Whether the rule exists.
    pub(crate) exists: bool,
    /// Whether the application has the role.
    pub(crate) granted: bool,
    /// Whether there is trouble: throttling, lost answers, closed connections.
    pub(crate) troubled: bool,
}

pub(crate) struct Api {
    receiver: Receiver,
    table: Arc<(Mutex<Table>, Condvar)>,
    ca_file: tempfile::NamedTempFile,
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    json_reply(status, &json!({"error": {"code": code, "message": message}}))
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::Full {
        status,
        headers: vec![(String::from("Content-Type"), String::from("application/json"))],
        body: body.to_string().into_bytes(),
    }
}

impl Table {
    fn answer(&mut self, request: &Received) -> Reply {
        if request.target.ends_with("/oauth2/v2.0/token") {
            return self.token(request);
        }
        self.requests += 1;
        let rest = request.target.strip_prefix("/dataCollectionRules/");
        let Some((rule, rest)) = rest.and_then(|rest| rest.split_once("/streams/")) else {
            return error(404, "NotFound", "no such path");
        };
        let Some((stream, "api-version=2023-01-01")) = rest.split_once('?') else {
            return error(400, "UnsupportedApiVersion", "no such version");
        };
        if request.header("authorization") != Some("Bearer the-token") {
            return error(401, "InvalidToken", "The token is not valid.");
        }
        if !self.exists || rule != RULE {
            let message = format!("Data collection rule with immutable Id '{rule}' not found.");
            return error(404, "NotFound", &message);
        }
        if !self.granted {
            return error(
                403,
                "OperationFailed",
                "The authentication token provided does not have access to ingest data for the data collection rule.",
            );
        }
        if stream != STREAM {
            return error(400, "InvalidStream", "The stream was not configured.");
        }
        if request.header("content-type") != Some("application/json") {
            return error(415, "UnsupportedMediaType", "not JSON");
        }
        if request.body.len() > MEGABYTE || request.plain.len() > MEGABYTE {
            let sizes = (request.body.len(), request.plain.len());
            self.problems.push(format!("{sizes:?} bytes"));
            return error(
                413,
                "ContentLengthLimitExceeded",
                "Maximum allowed content length: 1048576.",
            );
        }
        let rows = match serde_json::from_slice::<Value>(&request.plain) {
            Ok(Value::Array(rows)) => rows,
            Ok(_) => {
                self.problems.push(String::from("no array: dropped"));
                return Reply::Status(204);
            }
            Err(_) => return error(400, "InvalidPayload", "malformed JSON"),
        };
        if self.troubled {
            match self.requests {
                2 => {
                    let mut reply = error(429, "RequestThrottled", "slower");
                    if let Reply::Full { headers, .. } = &mut reply {
                        headers.push((String::from("Retry-After"), String::from("1")));
                    }
                    return reply;
                }
                3 => return Reply::Close,
                4 => return error(503, "ServiceUnavailable", "later"),
                _ => {}
            }
        }
        if rows.iter().any(|row| row["Record"]["poison"] == true) {
            return error(
                400,
                "InvalidRecord",
                "a record does not match the stream's declaration",
            );
        }
        for row in rows {
            self.store(row);
        }
        match self.troubled && self.requests == 5 {
            // Stored, and nobody is told.
            true => error(500, "InternalServerError", "after the fact"),
            false => Reply::Status(204),
        }
    }

    fn store(&mut self, row: Value) {
        let Value::Object(mut row) = row else {
            self.problems.push(String::from("a row is no object"));
            return;
        };
        row.retain(|name, _| {
            let declared = COLUMNS.contains(&name.as_str());
            if !declared {
                self.altered.push(format!("the column {name} is dropped"));
            }
            declared
        });
        for (name, value) in &row {
            if value.to_string().len() > FIELD {
                self.altered.push(format!("{name} is cut"));
            }
        }
        let now = SystemClock::new().wall().0;
        let time: Option<Timestamp> = row
            .get("TimeGenerated")
            .and_then(Value::as_str)
            .and_then(|time| time.parse().ok());
        if !time.is_some_and(|time| (now - 2 * DAY..=now + DAY).contains(&time.0)) {
            self.altered.push(format!("the time {time:?} is replaced"));
        }
        self.rows.push(Value::Object(row));
    }

    fn token(&mut self, request: &Received) -> Reply {
        self.tokens += 1;
        let form = String::from_utf8_lossy(&request.plain).into_owned();
        let has = |pair: &str| form.split('&').any(|found| found == pair);
        let asked =
            has("scope=https%3A%2F%2Fmonitor.azure.com%2F.default") && has("grant_type=client_credentials");
        match asked && has("client_secret=the-secret") {
            true => json_reply(
                200,
                &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "the-token"}),
            ),
            false => json_reply(
                401,
                &json!({
                    "error": "invalid_client",
                    "error_codes": [7_000_215],
                    "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: a",
                }),
            ),
        }
    }
}

impl Api {
    pub(crate) fn start() -> Self {
        let authority = Authority::new("test");
        let ca_file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(ca_file.path(), authority.pem()).expect("written");
        let server = authority
            .issue(&["localhost"], Validity::Now)
            .server(Clients::Anybody);
        let table: Arc<(Mutex<Table>, Condvar)> = Arc::default();
        let shared = table.clone();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let receiver = Receiver::answering(listener, Some(server), move |request| {
            let (table, changed) = &*shared;
            let reply = table.lock().expect("no panic").answer(request);
            changed.notify_all();
            reply
        });
        Self {
            receiver,
            table,
            ca_file,
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Table)) {
        change(&mut self.table.0.lock().expect("no panic"));
    }

    /// Waits for `is_so`, and gives what it makes of the table.
    pub(crate) fn wait<T>(&self, what: &str, is_so: impl Fn(&Table) -> Option<T>) -> T {
        let (table, changed) = &*self.table;
        let mut table = table.lock().expect("no panic");
        loop {
            if let Some(found) = is_so(&table) {
                return found;
            }
            let (next, waited) = changed
                .wait_timeout(table, Duration::from_secs(120))
                .expect("no panic");
            table = next;
            assert!(!waited.timed_out(), "it never came to this: {what}");
        }
    }

    /// The keys of a destination.
    pub(crate) fn keys(&self) -> String {
        let url = self.receiver.url("");
        format!(
            "dce_url = \"{url}\"\ndcr_id = \"{RULE}\"\nstream_name = \"{STREAM}\"\ncolumns = [\"event\"]\n\
             authority_host = \"{url}\"\ntenant_id = \"t\"\nclient_id = \"c\"\nclient_secret = \"env:AZURE_SECRET\"\nca_file = {:?}\n",
            self.ca_file.path()
        )
    }
}
