//! The contract, and the limits of the API.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::payload::{Count, Sink, write};
use super::*;
use crate::destination::contract::{self, Class, Layout, Subject};

/// Every byte counts; and so does the API's own form, which is checked apart.
fn counted(plain: &[u8]) -> u64 {
    plain.len() as u64
}

/// The records of a request, as a reader of the API would find them.
fn records(plain: &[u8]) -> Vec<Value> {
    let request: Value = serde_json::from_slice(plain).unwrap();
    let entries = request["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["jsonPayload"].clone()).collect()
}

fn in_data(plain: &[u8]) -> Vec<Value> {
    records(plain)
        .into_iter()
        .map(|mut payload| payload["data"].take())
        .collect()
}

fn error(code: u16, status: &str, message: &str, details: Value) -> String {
    json!({ "error": { "code": code, "status": status, "message": message, "details": details } }).to_string()
}

/// The table of `decode`, status by status.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let bare = [
        (
            Class::Config,
            &[300, 301, 302, 307, 308, 404, 405, 410, 411, 415, 501, 505, 511][..],
        ),
        (Class::Auth, &[401, 403, 407]),
        (Class::TooLarge, &[413]),
        (Class::Throttled, &[429]),
        (Class::Unavailable, &[409, 425, 503]),
        (
            Class::Unclear,
            &[100, 201, 204, 408, 499, 500, 502, 504, 520, 600],
        ),
        (Class::Refused, &[400, 402, 406, 412, 422, 451]),
    ];
    let mut answers: Vec<_> = bare
        .iter()
        .flat_map(|(class, codes)| codes.iter().map(|code| (answer(*code, &[], ""), 0, *class)))
        .collect();
    answers.push((answer(200, &[], "{}"), 0, Class::Stored));
    for body in ["", "OK", "<html>", "[]", "{\"error\":{}}", "{\"error\":null}"] {
        answers.push((answer(200, &[], body), 0, Class::Unclear));
    }
    let info =
        |reason: &str| json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason }]);
    for (status, body, class) in [
        (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "Request payload size exceeds the limit: 10485760 bytes.",
                json!([]),
            ),
            Class::TooLarge,
        ),
        (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "Log entry with size 300.1K exceeds maximum size of 256.0K",
                json!([]),
            ),
            Class::Refused,
        ),
        (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "Invalid JSON payload received. Unknown name \"x\"",
                json!([]),
            ),
            Class::Refused,
        ),
        (
            403,
            error(403, "PERMISSION_DENIED", "denied", json!([])),
            Class::Auth,
        ),
        (
            403,
            error(403, "PERMISSION_DENIED", "disabled", info("SERVICE_DISABLED")),
            Class::Config,
        ),
        (
            403,
            error(403, "PERMISSION_DENIED", "no billing", info("BILLING_DISABLED")),
            Class::Config,
        ),
        (
            403,
            error(
                403,
                "PERMISSION_DENIED",
                "scopes",
                info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            ),
            Class::Auth,
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "quota", json!([])),
            Class::Throttled,
        ),
    ] {
        answers.push((answer(status, &[], &body), 0, class));
    }
    answers
}

#[test]
fn the_contract_is_kept() {
    for (keys, records) in [
        ("", records as fn(&[u8]) -> Vec<Value>),
        ("compression = \"gzip\"\nlabels = \"job=engflow_logs\"", records),
        (
            "envelope = '{\"data\": {{{ log_message }}}, \"source\": \"workato\"}'",
            in_data,
        ),
        ("resource = \"gce_instance\"", records),
    ] {
        let config = parse(&format!(
            // The suite's records are of 1970 and its batch is of 2026.
            "proxy = \"http://p:hunter2-proxy@proxy.example:3128\"\nretention = \"40000d\"\n{keys}"
        ))
        .unwrap();
        let route = route(&config).unwrap();
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            format!("{:?}", logging(keys)),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        contract::suite(&Subject {
            destination: route.destination,
            layout: Layout::Own { counted, records },
            secrets: vec![],
            shown: vec![],
            stored: vec![200],
            answers: answers(),
        });
    }
}

/// The size of a protobuf message field by field, by the wire format's documentation.
fn varint(length: usize) -> usize {
    (1..).find(|bytes| length >> (7 * bytes) == 0).unwrap()
}

fn delimited(length: usize) -> usize {
    1 + varint(length) + length
}

/// Of a `google.protobuf.Value`.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 2,
        Value::Number(number) => match number.as_i64() {
            Some(number) if number.unsigned_abs() > 1 << 53 => delimited(number.to_string().len()),
            _ => 9,
        },
        Value::String(text) => delimited(text.len()),
        Value::Array(values) => delimited(values.iter().map(|value| delimited(weight(value))).sum()),
        Value::Object(_) => delimited(struct_weight(value)),
    }
}

/// Of a `google.protobuf.Struct`.
fn struct_weight(object: &Value) -> usize {
    let members = object.as_object().unwrap().iter();
    members
        .map(|(name, value)| delimited(delimited(name.len()) + delimited(weight(value))))
        .sum()
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~äöü\u{0}-\u{1f}]{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map("[a-zäö\"\\\\]{0,9}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-z.]{0,9}", values(), 0..8)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn the_weight_of_a_record_is_never_less_than_the_api_s_own(object in objects()) {
        let json = object.to_string();
        let scanned = write(json.as_bytes(), &mut Count::default());
        let real = struct_weight(&object) as u64;
        prop_assert!(scanned.weight >= real, "{} < {real}: {json}", scanned.weight);
        // And not much more: tags and lengths of what is nested.
        let nested = json.matches(['{', '[']).count() as u64;
        let escapes = json.matches('\\').count() as u64;
        prop_assert!(scanned.weight <= real + 12 * nested + 6 * escapes, "{} for {real}: {json}", scanned.weight);
    }

    #[test]
    fn what_is_counted_is_what_is_written(object in objects()) {
        let json = object.to_string();
        let (mut bytes, mut count) = (Vec::new(), Count::default());
        write(json.as_bytes(), &mut bytes);
        write(json.as_bytes(), &mut count);
        prop_assert_eq!(bytes.len() as u64, count.0);
    }

    #[test]
    fn bytes_that_are_no_json_are_no_reason_to_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut out = Vec::new();
        write(&bytes, &mut out);
        let digits = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != b'"').copied().collect::<Vec<u8>>();
        prop_assert_eq!(digits(&bytes), digits(&out));
    }
}

/// Where lengths take three bytes each, the bound has no room to spare from shorter ones.
#[test]
fn large_and_deep_records_are_not_underestimated() {
    for levels in [1, 10, 30] {
        for is_list in [false, true] {
            let text = Value::from("x".repeat(100_000));
            let object = (0..levels).fold(json!({ "a": text }), |inner, _| match is_list {
                true => json!({ "a": [inner] }),
                false => json!({ "a": inner }),
            });
            let json = object.to_string();
            let weight = write(json.as_bytes(), &mut Count::default()).weight;
            let real = struct_weight(&object) as u64;
            assert!(weight >= real, "{weight} < {real} at {levels} levels");
        }
    }
}

#[test]
fn a_record_is_taken_up_to_256_kib_of_the_api_s_form() {
    let logging = logging("");
    let limit = logging.limits().record_bytes;
    let size = |text: usize| {
        let line = format!("{{\"message\":\"{}\"}}", "x".repeat(text)).into_bytes();
        let lines = Lines::new([line]);
        logging.size(&lines.records()[0])
    };
    let around = size(0);
    assert!(around < 1_200, "{around}");
    assert!(size(256 * 1024 - 1_300) <= limit);
    assert!(size(256 * 1024) > limit);
    // A list of numbers weighs several times its JSON.
    let line = format!("{{\"list\":[{}1]}}", "1,".repeat(50_000));
    let lines = Lines::new([line.clone().into_bytes()]);
    let size = logging.size(&lines.records()[0]);
    assert!(line.len() < 110_000 && size > limit, "{size}");
}

#[test]
fn a_full_batch_fits_into_a_request_and_one_more_record_does_not() {
    let logging = logging("");
    let limits = logging.limits();
    let lines = Lines::new((0..60).map(|_| format!("{{\"m\":\"{}\"}}", "x".repeat(200_000)).into_bytes()));
    let records = lines.records();
    let (mut account, mut taken) = (u64::from(limits.envelope), 0);
    for record in &records {
        let next = account + logging.size(record) + u64::from(limits.overhead);
        if next > limits.bytes {
            break;
        }
        (account, taken) = (next, taken + 1);
    }
    assert!((50..55).contains(&taken), "{taken}");
    let attempt = contract::attempt(&logging, &lines);
    let encode = |count: usize| {
        let batch = Batch {
            records: &records[..count],
            attempt: &attempt,
        };
        logging
            .encode(&batch, &Context::at(Timestamp(0)))
            .unwrap()
            .body()
            .len()
    };
    assert!(encode(taken) <= 10_485_760);
    assert!(
        encode(taken + 1) > 10_485_760 - 60_000,
        "the account is not far off"
    );
}

#[test]
fn a_sink_counts() {
    let mut count = Count::default();
    count.put(b"abc");
    assert_eq!(count.0, 3);
}
