//! Random batches as requests, judged by Google's types.

use auditship::config::Environment;
use auditship::destination::check::Step;
use auditship::destination::{Attempt, Batch, Context, KindConfig, Record, Route, build};
use auditship::spool::draft::TableEntry;
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::oracle::Judge;

/// Each with the place of the record in its payload.
const CONFIGURATIONS: [(&str, Option<&str>); 6] = [
    ("", None),
    (
        "labels = \"job=engflow_logs\"\nresource = \"gce_instance\"\ninstance_id = \"42\"\nzone = \"us-east1-b\"",
        None,
    ),
    ("resource = \"gce_instance\"", None),
    (
        "envelope = '{\"data\": {{{ log_message }}}, \"n\": [1, null]}'",
        Some("data"),
    ),
    (
        "envelope = '{\"logName\": \"projects/p/logs/workato-logs\", \"resource\": {\"type\": \"global\"}, \
         \"entries\": [{\"jsonPayload\": {\"data\": {{{ log_message }}}}}]}'",
        Some("data"),
    ),
    (
        "log_name = \"organizations/123/logs/a/b.c-d_e\"\nresource = \"generic_task\"\nresource_labels = \"job=j\"\n\
         severity = \"success=NOTICE,failure=CRITICAL,unknown=DEBUG\"",
        None,
    ),
];

fn route(keys: &str) -> Route {
    let table = format!("project_id = \"audit-project\"\n{keys}");
    let config = KindConfig::from_table(
        "google_cloud_logging",
        table.parse().expect("TOML"),
        &Environment::empty(),
    );
    build(&config.expect("valid")).expect("no file is missing")
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_i64 << 53..1 << 53).prop_map(Value::from),
        (0_i64..1000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~äöü€\u{0}-\u{1f}]{0,60}".prop_map(Value::from),
        Just(Value::from("failure")),
        Just(Value::from("success")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[a-zä \"\\\\]{0,8}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A record with the fields that have places of their own, right and wrong ones, and whatever else.
fn record() -> impl Strategy<Value = Value> {
    let known = [
        "event",
        "event.outcome",
        "event.duration",
        "http.request.method",
        "http.request.bytes",
        "http.request.body.bytes",
        "http.request.referrer",
        "http.response.status_code",
        "http.response.bytes",
        "http.response.body.bytes",
        "http.version",
        "url.full",
        "url.original",
        "user_agent.original",
        "client.ip",
        "source.ip",
        "server.ip",
    ];
    let name = prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        "[a-z]{1,6}"
    ];
    proptest::collection::vec((name, value()), 0..10).prop_map(|members| {
        let mut record: Map<String, Value> = members.into_iter().collect();
        record.insert(String::from("n"), json!({ "nested": record.clone() }));
        Value::Object(record)
    })
}

/// What a `Struct` makes of a value: numbers are doubles, here by their bits, and what is larger is kept as a text.
fn kept(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let whole = number
                .as_i64()
                .map(i128::from)
                .or_else(|| number.as_u64().map(i128::from));
            match whole {
                Some(whole) if whole.unsigned_abs() > 1 << 53 => Value::from(whole.to_string()),
                _ => Value::from(format!(
                    "double:{:016x}",
                    number.as_f64().unwrap_or(f64::NAN).to_bits()
                )),
            }
        }
        Value::Array(values) => values.iter().map(kept).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), kept(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn entry(seq: u64) -> TableEntry {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&seq.to_le_bytes());
    TableEntry {
        len: 0,
        added: 0,
        flags: 0,
        time: Timestamp(1_767_225_600_123_456_789 + i64::try_from(seq).unwrap_or(0)),
        key: Key(key),
        categories: 0,
        id_hash: 0,
    }
}

#[test]
fn google_s_own_type_takes_every_request() {
    let Some(mut judge) = Judge::start("google logging: Google's own type takes every request") else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let batches = proptest::collection::vec(record(), 1..20);
    let (mut bodies, mut expected) = (Vec::new(), Vec::new());
    for (keys, place) in CONFIGURATIONS {
        let route = route(keys);
        for _ in 0..50 {
            let values = batches.new_tree(&mut runner).expect("a batch").current();
            let lines: Vec<(TableEntry, String)> = (0..)
                .zip(&values)
                .map(|(seq, value)| (entry(seq), value.to_string()))
                .collect();
            let records: Vec<Record<'_>> = (0..)
                .zip(&lines)
                .map(|(seq, (entry, json))| Record {
                    id: RecordId {
                        spool: SpoolId([7; 16]),
                        epoch: Epoch(1),
                        seq,
                    },
                    entry,
                    json: json.as_bytes(),
                })
                .collect();
            let (format, compression) = route.destination.body();
            let attempt = Attempt {
                nonce: 1,
                made_at: Timestamp(0),
                name: String::from("name"),
                format,
                compression,
                earlier: 0,
            };
            let batch = Batch {
                records: &records,
                attempt: &attempt,
            };
            let request = route
                .destination
                .encode(&batch, &Context::at(Timestamp(0)))
                .expect("encoded");
            bodies.push(request.into_body());
            let sizes: Vec<u64> = records
                .iter()
                .map(|record| route.destination.size(record))
                .collect();
            expected.push((values, sizes, place));
        }
        let Step::Ask(dry_run) = route.check.next(&[]) else {
            panic!("a check asks")
        };
        bodies.push(dry_run.into_body());
        expected.push((Vec::new(), Vec::new(), place));
    }
    for (body, (values, sizes, place)) in bodies.iter().zip(&expected) {
        let findings = judge.judge(body);
        let shown = || String::from_utf8_lossy(body);
        assert_eq!(findings.problems, [""; 0], "{}", shown());
        if values.is_empty() {
            assert_eq!(findings.sizes.len(), 1, "a dry run has one entry");
            continue;
        }
        assert_eq!(findings.sizes.len(), values.len());
        for (api, ours) in findings.sizes.iter().zip(sizes) {
            assert!(
                api <= ours,
                "an entry of {api} bytes counts as {ours}: {}",
                shown()
            );
        }
        for (payload, value) in findings.payloads.iter().zip(values) {
            let payload = place.map_or(payload, |place| &payload[place]);
            assert_eq!(*payload, kept(value), "{}", shown());
        }
    }
}
