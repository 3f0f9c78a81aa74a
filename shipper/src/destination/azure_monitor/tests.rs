use ::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::left_out::{LeftOut, Why};
use super::row::TooLong;
use super::*;
use crate::config::Environment;
use crate::credentials::CredentialError;
use crate::destination::check::{self, Finding};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::{KindConfig, Record, Verdict};
use crate::spool::draft::TableEntry;
use crate::time::{ManualClock, Timestamp};
use crate::transport::authorized::{ClockSkew, Renewal};
use crate::transport::scripted::{ScriptedTransport, Step};

mod keys;
mod rows;

const NAMED: &str = "dce_url = \"https://audit-1234.westeurope-1.ingest.monitor.azure.com\"\n\
                     dcr_id = \"dcr-0123456789abcdef0123456789abcdef\"\nstream_name = \"Custom-Audit_CL\"\n";

fn parse(keys: &str) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &Environment::empty())? {
        KindConfig::AzureMonitor(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn monitor(keys: &str) -> AzureMonitor {
    AzureMonitor::new(parse(&format!("{NAMED}{keys}")).unwrap())
}

fn refused(status: u16, code: &str) -> Response<Vec<u8>> {
    let body = match code {
        "" => String::new(),
        code => json!({"error": {"code": code, "message": format!("in words of {code}")}}).to_string(),
    };
    Response::builder()
        .status(status)
        .body(body.into_bytes())
        .unwrap()
}

fn accepted(left_out: &[(usize, Why)]) -> Response<Vec<u8>> {
    let mut response = refused(204, "");
    response.extensions_mut().insert(LeftOut(left_out.into()));
    response
}

/// The table of decode's documentation, line by line.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    [
        (accepted(&[]), Class::Stored),
        (accepted(&[(1, Why::Aged)]), Class::Verdicts),
        (refused(204, ""), Class::Unclear),
        (refused(200, ""), Class::Unacknowledged),
        (refused(202, ""), Class::Unacknowledged),
        (refused(302, ""), Class::Config),
        (refused(400, "InvalidRecord"), Class::Refused),
        (refused(400, ""), Class::Refused),
        (refused(400, "InvalidStream"), Class::Config),
        (refused(400, "InvalidDcrImmutableId"), Class::Config),
        (refused(400, "UnsupportedApiVersion"), Class::Config),
        (refused(400, "ReadyBody_ClientConnectionAbort"), Class::TooLarge),
        (
            refused(400, "RecordsTimeRangeIsMoreThan30Minutes"),
            Class::TooLarge,
        ),
        (refused(401, "InvalidToken"), Class::Auth),
        (refused(403, "OperationFailed"), Class::Auth),
        (refused(407, ""), Class::Auth),
        (refused(404, "NotFound"), Class::Config),
        (refused(404, ""), Class::Config),
        (refused(405, ""), Class::Config),
        (refused(415, ""), Class::Config),
        (refused(413, "ContentLengthLimitExceeded"), Class::TooLarge),
        (refused(429, ""), Class::Throttled),
        (refused(408, ""), Class::Unclear),
        (refused(500, ""), Class::Unclear),
        (refused(502, ""), Class::Unclear),
        (refused(503, ""), Class::Unavailable),
        (refused(504, ""), Class::Unclear),
        (refused(422, ""), Class::Refused),
        (refused(999, ""), Class::Unclear),
    ]
    .into_iter()
    .map(|(answer, class)| (answer, 0, class))
    .collect()
}

fn counted(plain: &[u8]) -> u64 {
    plain.len() as u64
}

/// What a reader of the table would put together again.
fn records(plain: &[u8]) -> Vec<Value> {
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(plain).unwrap();
    let whole = |mut row: Map<String, Value>| {
        assert!(row.remove("TimeGenerated").is_some());
        let mut record = match row.remove("Record") {
            None => Map::new(),
            Some(Value::Object(record)) => record,
            Some(other) => panic!("{other}"),
        };
        record.extend(row);
        Value::Object(record)
    };
    rows.into_iter().map(whole).collect()
}

#[test]
fn the_contract_is_kept() {
    // The suite's records are of 1970: what becomes of such is tested on its own.
    for keys in [
        "",
        "compression = \"none\"",
        "columns = [\"message\", \"n\", \"poison\"]",
        "tenant_id = \"t\"\nclient_id = \"c\"\nclient_secret = \"hunter2-secret\"\nproxy = \"http://p:hunter2-proxy@proxy.example:1\"",
    ] {
        let config = monitor(&format!("too_old = \"restamp\"\n{keys}")).config;
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Own { counted, records },
            // What is said back of a secret is masked by the transports, and tested there.
            secrets: vec![],
            shown: vec![],
            stored: vec![204],
            answers: answers(),
        });
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            route.destination.target(),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

/// 2026-01-02T03:04:05Z, when the contract's attempts are made.
const NOW: Timestamp = Timestamp(1_767_323_045_000_000_000);
const HOUR: i64 = 3_600_000_000_000;

/// Records with their times, relative to now.
struct Made {
    lines: Lines,
    entries: Vec<TableEntry>,
}

impl Made {
    fn of(records: &[(&str, i64)]) -> Self {
        let lines = Lines::new(records.iter().map(|(json, _)| json.as_bytes().to_vec()));
        let times = records.iter().map(|(_, offset)| Timestamp(NOW.0 + offset));
        let records = lines.records();
        let entries = records.iter().zip(times).map(|(record, time)| TableEntry {
            time,
            ..*record.entry
        });
        let entries = entries.collect();
        Self { lines, entries }
    }

    fn with<T>(&self, monitor: &AzureMonitor, run: impl FnOnce(&Batch<'_>) -> T) -> T {
        let records: Vec<Record<'_>> = self
            .lines
            .records()
            .into_iter()
            .zip(&self.entries)
            .map(|(record, entry)| Record { entry, ..record })
            .collect();
        run(&Batch {
            records: &records,
            attempt: &contract::attempt(monitor, &self.lines),
        })
    }

    fn encode(&self, monitor: &AzureMonitor) -> Request<Vec<u8>> {
        self.with(monitor, |batch| monitor.encode(batch, &Context::at(NOW)).unwrap())
    }

    fn rows(&self, monitor: &AzureMonitor) -> Value {
        let request = self.encode(monitor);
        let (_, compression) = monitor.body();
        serde_json::from_slice(&contract::plain(request.body(), compression)).unwrap()
    }

    /// By the whole way, answered by `answer`.
    fn send(&self, monitor: &AzureMonitor, answer: Response<Vec<u8>>) -> Outcome {
        let (transport, _) = sender(vec![Step::Answer(answer)]);
        let response = transport.send(&self.encode(monitor)).unwrap();
        self.with(monitor, |batch| monitor.decode(batch, &response))
    }
}

struct Token;

impl Authorize for Token {
    fn authorize(&self, _: &Request<Vec<u8>>, _: Timestamp) -> Result<HeaderMap, CredentialError> {
        let bearer = "Bearer t".parse().unwrap();
        Ok(HeaderMap::from_iter([(::http::header::AUTHORIZATION, bearer)]))
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        response.status() == 401
    }

    fn renew(&self) -> Renewal {
        Renewal::Same
    }
}

fn sender(steps: Vec<Step>) -> (Arc<dyn Transport>, ScriptedTransport) {
    let wire = ScriptedTransport::new(steps, Step::NotSent);
    let clock = Arc::new(ManualClock::at(NOW));
    (transport(Arc::new(wire.clone()), Arc::new(Token), clock), wire)
}

#[test]
fn a_request_is_what_the_api_documents() {
    let monitor = monitor("compression = \"none\"");
    let made = Made::of(&[("{\"a\":1}", 0), ("{\"b\":\"ä\"}", -HOUR)]);
    let request = made.encode(&monitor);
    assert_eq!(request.method(), ::http::Method::POST);
    assert_eq!(
        request.uri().to_string(),
        "https://audit-1234.westeurope-1.ingest.monitor.azure.com/dataCollectionRules/\
         dcr-0123456789abcdef0123456789abcdef/streams/Custom-Audit_CL?api-version=2023-01-01"
    );
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers().get("content-encoding"), None);
    let id = request.headers()["x-ms-client-request-id"].to_str().unwrap();
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(
        made.rows(&monitor),
        json!([
            {"TimeGenerated": "2026-01-02T03:04:05.0000000Z", "Record": {"a": 1}},
            {"TimeGenerated": "2026-01-02T02:04:05.0000000Z", "Record": {"b": "ä"}},
        ])
    );
    let request = made.encode(&self::monitor(""));
    assert_eq!(request.headers()["content-encoding"], "gzip");
}

#[test]
fn what_the_service_would_alter_is_not_sent_and_its_verdict_says_why() {
    let long = format!("{{\"message\":\"{}\"}}", "x".repeat(70_000));
    let made = Made::of(&[
        ("{\"n\":0}", 0),
        ("{\"n\":1}", -49 * HOUR),
        ("{\"n\":2}", 25 * HOUR),
        (&long, 0),
        ("{\"n\":4}", -47 * HOUR),
        ("{\"n\":5}", 23 * HOUR),
    ]);
    let monitor = monitor("");
    let rows = made.rows(&monitor);
    let sent: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Record"]["n"].clone())
        .collect();
    assert_eq!(sent, [0, 4, 5]);
    let Outcome::Verdicts(verdicts) = made.send(&monitor, refused(204, "")) else {
        panic!("no verdicts")
    };
    let codes: Vec<_> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Rejected { code, .. } => code.as_str(),
            Verdict::NotKept { .. } => "not kept",
            Verdict::Stored => "stored",
            Verdict::Retry { .. } | Verdict::Unclear => "again",
        })
        .collect();
    assert_eq!(
        codes,
        [
            "stored",
            "too_old",
            "too_new",
            "field_too_large",
            "stored",
            "stored"
        ]
    );
    // Refused as a whole, nothing is said of any.
    let outcome = made.send(&monitor, refused(400, "InvalidRecord"));
    assert_eq!(contract::class(&outcome), Class::Refused);
    // A batch of which nothing is left asks for nothing.
    let old = Made::of(&[("{}", -100 * HOUR)]);
    assert_eq!(old.rows(&monitor), json!([]));
    let outcome = old.send(&monitor, refused(204, ""));
    assert!(
        matches!(&outcome, Outcome::Verdicts(one) if matches!(one[0], Verdict::Rejected { .. })),
        "{outcome:?}"
    );
}

#[test]
fn restamping_keeps_the_true_time_inside() {
    let made = Made::of(&[
        ("{\"@timestamp\":\"2025-12-01T00:00:00Z\"}", -100 * HOUR),
        ("{\"n\":1}", -HOUR),
        ("{\"n\":2}", 30 * HOUR),
    ]);
    let monitor = monitor("too_old = \"restamp\"");
    let rows = made.rows(&monitor);
    let times: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["TimeGenerated"].as_str().unwrap())
        .collect();
    let now = "2026-01-02T03:04:05.0000000Z";
    assert_eq!(times, [now, "2026-01-02T02:04:05.0000000Z", now]);
    assert_eq!(rows[0]["Record"]["@timestamp"], "2025-12-01T00:00:00Z");
    assert_eq!(made.send(&monitor, refused(204, "")), Outcome::Stored);
}

#[test]
fn a_batch_is_made_anew_before_the_service_replaces_what_was_restamped() {
    const MINUTE: i64 = HOUR / 60;
    for (keys, age, lasts) in [
        ("too_old = \"restamp\"", 100 * HOUR, Some(48 * HOUR)),
        ("too_old = \"restamp\"", HOUR, Some(47 * HOUR)),
        ("", 100 * HOUR, None),
    ] {
        let (made, monitor) = (Made::of(&[("{}", -age)]), monitor(keys));
        let is_stale = |after: i64| {
            made.with(&monitor, |batch| {
                monitor.is_stale(batch, Timestamp(NOW.0 + after))
            })
        };
        assert!(!is_stale(0), "{keys}");
        if let Some(lasts) = lasts {
            let last = lasts - 5 * MINUTE;
            assert!(!is_stale(last) && is_stale(last + 1), "{keys}");
        } else {
            assert!(!is_stale(100 * HOUR), "{keys}");
        }
    }
}

/// It is in the table, with its own time in it: sent again it would be there twice.
#[test]
fn a_row_whose_time_the_service_replaced_by_its_own_clock_is_stored() {
    let made = Made::of(&[("{}", -47 * HOUR), ("{}", 0)]);
    let mut answer = refused(204, "");
    // Its clock is three hours ahead of ours.
    let date = "Fri, 02 Jan 2026 06:04:05 GMT".parse().unwrap();
    answer.headers_mut().insert("date", date);
    assert_eq!(made.send(&monitor(""), answer), Outcome::Stored);
}

#[test]
fn a_check_sends_no_row() {
    let monitor = monitor("columns = \"event\"");
    let checked = |answer: Response<Vec<u8>>| {
        let (transport, wire) = sender(vec![Step::Answer(answer)]);
        let finding = check::run(&monitor, &*transport);
        let sent = wire.received();
        assert_eq!((sent.len(), sent[0].body().as_slice()), (1, b"[]".as_slice()));
        assert_eq!(sent[0].headers()["authorization"], "Bearer t");
        finding
    };
    let finding = checked(refused(204, ""));
    assert!(
        matches!(&finding, Finding::Reachable { proven, open }
            if proven.contains("Custom-Audit_CL") && open.contains("TimeGenerated, event, Record")),
        "{finding:?}"
    );
    for (answer, words) in [
        (refused(404, "NotFound"), "there is no such rule at this endpoint"),
        (
            refused(403, "OperationFailed"),
            "the role Monitoring Metrics Publisher",
        ),
        (refused(401, "InvalidToken"), "check `cloud`"),
        (refused(400, "InvalidStream"), "must be declared in the rule"),
        (refused(200, ""), "check `dce_url`"),
    ] {
        let finding = checked(answer);
        assert!(
            matches!(&finding, Finding::Failed { reason } if reason.contains(words)),
            "{words}: {finding:?}"
        );
    }
}

#[test]
fn a_clock_that_is_off_is_told() {
    let mut answer = refused(401, "InvalidToken");
    answer.extensions_mut().insert(ClockSkew {
        ahead: -7_200_000_000_000,
    });
    let made = Made::of(&[("{}", 0)]);
    let outcome = made.send(&monitor(""), answer);
    assert!(
        outcome
            .reason()
            .unwrap()
            .contains("this host's clock is 120 min ahead of"),
        "{outcome:?}"
    );
}

#[test]
fn a_stored_record_can_be_found() {
    let made = Made::of(&[("{}", 0)]);
    let query = |keys: &str| {
        let monitor = monitor(keys);
        made.with(&monitor, |batch| monitor.query(batch))
    };
    let spool = "07070707070707070707070707070707";
    assert_eq!(
        query(""),
        format!(
            "az monitor log-analytics query --workspace WORKSPACE_ID --analytics-query \
             'Audit_CL | where Record.auditship.seq == 100 and Record.auditship.spool == \"{spool}\"'"
        )
    );
    assert!(query("columns = \"auditship\"").contains("where auditship.seq == 100"));
    let Permissions::Azure(role) = monitor("").permissions() else {
        panic!("not Azure's")
    };
    assert_eq!(role.predefined, Some("Monitoring Metrics Publisher"));
}
