mod answers;
mod creation;
mod keys;
mod limits;

use serde_json::{Value, json};

use super::*;
use crate::config::Environment;
use crate::destination::contract::{self, Layout, Subject};
use crate::destination::{Attempt, BodyDigest, KindConfig, SentDigest, TooOld};
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::time::Timestamp;

const DAY: i64 = 24 * 3_600_000;
/// 2026-01-02T03:04:05Z, in milliseconds.
const MADE_AT: i64 = 1_767_323_045_000;

fn environment() -> Environment {
    Environment::from([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDHUNTER2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-secret"),
    ])
    .with_hostname("web-1")
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment())? {
        KindConfig::CloudWatchLogs(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn config(keys: &str) -> Config {
    parse(&format!("log_group_name = \"/audit/x\"\n{keys}")).unwrap()
}

fn cloudwatch(keys: &str) -> CloudWatchLogs {
    CloudWatchLogs::new(config(keys))
}

/// Records with times of their own, from which a batch is borrowed.
struct Rows(Vec<(RecordId, TableEntry, Vec<u8>)>);

impl Rows {
    /// Of `(time in milliseconds, JSON)`.
    fn new<'a>(rows: impl IntoIterator<Item = (i64, &'a str)>) -> Self {
        let row = |(seq, (time, json)): (u64, (i64, &str))| {
            let id = RecordId {
                spool: SpoolId([7; 16]),
                epoch: Epoch(9),
                seq,
            };
            let entry = TableEntry {
                len: 0,
                added: 0,
                flags: 0,
                time: Timestamp(time * 1_000_000),
                key: Key([1; 16]),
                categories: 0,
                id_hash: 0,
            };
            (id, entry, json.as_bytes().to_vec())
        };
        Self((0..).zip(rows).map(row).collect())
    }

    fn records(&self) -> Vec<Record<'_>> {
        self.0
            .iter()
            .map(|(id, entry, json)| Record { id: *id, entry, json })
            .collect()
    }
}

fn attempt(earlier: u32) -> Attempt {
    Attempt {
        nonce: 1,
        made_at: Timestamp(MADE_AT * 1_000_000),
        name: String::from("a-batch"),
        format: Format::Native,
        compression: Compression::None,
        earlier,
    }
}

fn encode(to: &CloudWatchLogs, rows: &Rows) -> Request<Vec<u8>> {
    let (attempt, records) = (attempt(0), rows.records());
    let batch = Batch {
        records: &records,
        attempt: &attempt,
    };
    to.encode(&batch, &Context::at(Timestamp(0))).unwrap()
}

/// `(timestamp, message)` of each event, as a reader of the API's requests finds them.
fn events(body: &[u8]) -> Vec<(i64, String)> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let event = |event: &Value| {
        let keys: Vec<_> = event.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["message", "timestamp"]);
        let message = event["message"].as_str().unwrap().to_owned();
        (event["timestamp"].as_i64().unwrap(), message)
    };
    body["logEvents"].as_array().unwrap().iter().map(event).collect()
}

/// What the API counts, by its documentation: the UTF-8 bytes of the messages, and 26 for each event.
fn counted(body: &[u8]) -> u64 {
    events(body)
        .iter()
        .map(|(_, message)| message.len() as u64 + 26)
        .sum()
}

fn records(body: &[u8]) -> Vec<Value> {
    events(body)
        .iter()
        .map(|(_, message)| serde_json::from_str(message).unwrap())
        .collect()
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "",
        "compression = \"gzip\"",
        "too_old = \"restamp\"",
        "auto_create_group = true",
    ] {
        let secret = "endpoint = \"https://gateway.example/?key=hunter2-query\"\n\
                      proxy = \"http://p:hunter2-proxy@proxy.example:3128\"";
        let config = config(&format!("{secret}\n{keys}"));
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Own { counted, records },
            secrets: vec!["hunter2-query"],
            shown: vec![],
            stored: vec![200],
            answers: answers::classes(),
        });
        // What is said back of the other secrets is masked by the transport, and tested there.
        let shown = format!("{config:?} {route:?} {}", route.destination.target());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_request_is_what_the_service_expects() {
    let to = cloudwatch("log_stream_name = 'a\"b\\c'");
    let request = encode(&to, &Rows::new([(MADE_AT, "{\"a\":\"\\n\\u0001ä\"}")]));
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://logs.eu-central-1.amazonaws.com/");
    let headers: Vec<_> = request.headers().iter().collect();
    assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.1");
    assert_eq!(request.headers()["x-amz-target"], "Logs_20140328.PutLogEvents");
    assert_eq!(headers.len(), 2, "{headers:?}");
    let expected = json!({
        "logGroupName": "/audit/x",
        "logStreamName": "a\"b\\c",
        "logEvents": [{ "timestamp": MADE_AT, "message": "{\"a\":\"\\n\\u0001ä\"}" }],
    });
    assert_eq!(serde_json::from_slice::<Value>(request.body()).unwrap(), expected);
}

#[test]
fn a_body_is_hashed_once_and_what_is_compressed_is_hashed_by_who_signs() {
    let rows = Rows::new([(MADE_AT, "{}")]);
    let request = encode(&cloudwatch(""), &rows);
    let BodyDigest(digest) = *request.extensions().get().unwrap();
    assert_eq!(request.extensions().get(), Some(&SentDigest(digest)));

    let to = cloudwatch("compression = \"gzip\"");
    let attempt = Attempt {
        compression: Compression::Gzip,
        ..attempt(0)
    };
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    let request = to.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    assert_eq!(request.extensions().get::<SentDigest>(), None);
    assert_eq!(request.headers()["content-encoding"], "gzip");
}

#[test]
fn events_stand_in_the_order_of_their_times_and_those_of_one_time_in_the_order_of_the_spool() {
    let rows = Rows::new([
        (MADE_AT + 5, "{\"n\":0}"),
        (MADE_AT, "{\"n\":1}"),
        (MADE_AT + 5, "{\"n\":2}"),
        (-7, "{\"n\":3}"),
        (MADE_AT, "{\"n\":4}"),
    ]);
    let request = encode(&cloudwatch(""), &rows);
    let event = |time, n| (time, format!("{{\"n\":{n}}}"));
    let expected = [
        event(0, 3),
        event(MADE_AT, 1),
        event(MADE_AT, 4),
        event(MADE_AT + 5, 0),
        event(MADE_AT + 5, 2),
    ];
    assert_eq!(events(request.body()), expected);
}

fn times(to: &CloudWatchLogs, times: &[i64]) -> Vec<i64> {
    let rows = Rows::new(times.iter().map(|time| (*time, "{}")));
    let request = encode(to, &rows);
    events(request.body()).into_iter().map(|(time, _)| time).collect()
}

#[test]
fn restamping_a_record_that_is_too_old_restamps_its_batch() {
    let hour = 3_600_000;
    let limit = MADE_AT - 14 * DAY + hour;
    let to = cloudwatch("too_old = \"restamp\"");
    assert_eq!(times(&to, &[limit, limit + 3]), [limit, limit + 3]);
    assert_eq!(times(&to, &[limit + 3, limit - 1]), [MADE_AT, MADE_AT]);
    // The others are too old only for the service.
    assert_eq!(times(&cloudwatch(""), &[limit - 1, limit]), [limit - 1, limit]);
    // A group that keeps events for less wants younger ones.
    let to = cloudwatch("too_old = \"restamp\"\nauto_create_group = true\nlog_retention_days = 3");
    let limit = MADE_AT - 3 * DAY + hour;
    assert_eq!(times(&to, &[limit]), [limit]);
    assert_eq!(times(&to, &[limit - 1]), [MADE_AT]);
}

#[test]
fn a_batch_is_made_anew_before_the_service_rejects_what_was_restamped() {
    let (minute, fortnight) = (60_000, 14 * DAY);
    for (keys, age, lasts) in [
        ("too_old = \"restamp\"", 30 * DAY, Some(fortnight)),
        ("too_old = \"restamp\"", DAY, Some(13 * DAY)),
        (
            "too_old = \"restamp\"\nauto_create_group = true\nlog_retention_days = 3",
            30 * DAY,
            Some(3 * DAY),
        ),
        ("", 30 * DAY, None),
    ] {
        let to = cloudwatch(keys);
        let (rows, attempt) = (Rows::new([(MADE_AT - age, "{}")]), attempt(0));
        let records = rows.records();
        let batch = Batch {
            records: &records,
            attempt: &attempt,
        };
        let is_stale = |after: i64| to.is_stale(&batch, Timestamp((MADE_AT + after) * 1_000_000));
        assert!(!is_stale(0), "{keys}");
        if let Some(lasts) = lasts {
            let last = lasts - 5 * minute;
            assert!(!is_stale(last) && is_stale(last + 1), "{keys}");
        } else {
            assert!(!is_stale(100 * DAY), "{keys}");
        }
    }
}

#[test]
fn a_later_sending_is_the_same_to_the_byte() {
    let to = cloudwatch("too_old = \"restamp\"");
    let rows = Rows::new([(MADE_AT - 30 * DAY, "{}"), (MADE_AT - 30 * DAY + 7, "{}")]);
    let encode = |earlier, now| {
        let (attempt, records) = (attempt(earlier), rows.records());
        let batch = Batch {
            records: &records,
            attempt: &attempt,
        };
        to.encode(&batch, &Context::at(Timestamp(now)))
            .unwrap()
            .into_body()
    };
    let month = 30 * DAY * 1_000_000;
    assert_eq!(encode(0, 0), encode(5, MADE_AT * 1_000_000 + month));
}

#[test]
fn restamping_records_that_are_too_new_leaves_their_neighbours_alone() {
    let hour = 3_600_000;
    let to = cloudwatch("too_old = \"restamp\"");
    let sent = times(
        &to,
        &[
            MADE_AT + hour,
            MADE_AT + hour + 1,
            MADE_AT + 23 * hour,
            MADE_AT + 5,
        ],
    );
    assert_eq!(sent, [MADE_AT, MADE_AT, MADE_AT + 5, MADE_AT + hour]);
}

#[test]
fn a_record_is_found_by_its_place_in_the_spool() {
    let to = cloudwatch("log_stream_name = \"it's\"\nendpoint = \"http://localhost:5000\"");
    let (attempt, rows) = (attempt(0), Rows::new([(MADE_AT, "{}")]));
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    assert_eq!(
        to.query(&batch),
        "aws logs filter-log-events --region eu-central-1 --endpoint-url http://localhost:5000/ \
         --log-group-name '/audit/x' --log-stream-names 'it'\\''s' --start-time 1767322985000 --end-time 1767323105000 \
         --filter-pattern '{ $.auditship.seq = 0 && $.auditship.spool = \"07070707070707070707070707070707\" }'"
    );
}

#[test]
fn a_destination_is_another_one_when_anything_of_its_place_is_another() {
    let variants = [
        "",
        "log_stream_name = \"b\"",
        "region = \"eu-west-1\"",
        "use_fips = true",
        "endpoint = \"https://a.example\"",
        "role_arn = \"arn:aws:iam::123456789012:role/a\"",
    ];
    let prints: Vec<_> = variants
        .iter()
        .map(|keys| cloudwatch(keys).fingerprint())
        .collect();
    for (at, print) in prints.iter().enumerate() {
        assert!(!prints[..at].contains(print), "{}", variants[at]);
    }
    assert_eq!(
        prints[0],
        cloudwatch("compression = \"gzip\"\nprofile = \"p\"").fingerprint()
    );
}

#[test]
fn permissions_are_the_least() {
    let arn = "arn:aws:logs:eu-central-1:*:log-group:/audit/x";
    let statements = |keys: &str| match cloudwatch(keys).permissions() {
        Permissions::Aws(statements) => statements
            .into_iter()
            .map(|statement| (statement.actions, statement.resources))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // One policy for a fleet, in which each host has a stream of its own.
    let named = (vec!["logs:PutLogEvents"], vec![format!("{arn}:log-stream:one")]);
    assert_eq!(statements("log_stream_name = \"one\"")[0], named);
    let put = (vec!["logs:PutLogEvents"], vec![format!("{arn}:log-stream:*")]);
    let stream = (vec!["logs:CreateLogStream"], vec![format!("{arn}:*")]);
    assert_eq!(statements(""), [put.clone(), stream.clone()]);
    let group = |actions: &[&'static str]| (actions.to_vec(), vec![arn.to_owned(), format!("{arn}:*")]);
    assert_eq!(
        statements("auto_create_group = true"),
        [put.clone(), stream.clone(), group(&["logs:CreateLogGroup"])]
    );
    let all = [
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
    ];
    assert_eq!(
        statements("auto_create_group = true\nlog_retention_days = 90\nlog_group_tags = \"a=b\""),
        [put, stream, group(&all)]
    );
    let Permissions::Aws(statements) = cloudwatch("region = \"cn-north-1\"").permissions() else {
        panic!("no statements");
    };
    assert!(statements[0].resources[0].starts_with("arn:aws-cn:logs:cn-north-1:*:"));
}
