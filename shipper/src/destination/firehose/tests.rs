use ::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Environment;
use crate::deliver::pack::{Batching, Fit, Packer};
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{self, Class, Layout, Lines, StoredFor, Subject};
use crate::destination::{BodyDigest, KindConfig, SentDigest, Verdict};
use crate::time::Timestamp;
use crate::transport::{BodyCut, SendError};

fn parse(keys: &str) -> Result<Config, ConfigError> {
    let environment = Environment::from([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDHUNTER2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-secret"),
    ]);
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment)? {
        KindConfig::Firehose(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn config(keys: &str) -> Config {
    parse(&format!("delivery_stream = \"audit\"\n{keys}")).unwrap()
}

fn firehose(keys: &str) -> Firehose {
    Firehose::new(config(keys))
}

fn encode(to: &Firehose, lines: &Lines) -> Request<Vec<u8>> {
    let batch = Batch {
        records: &lines.records(),
        attempt: &contract::attempt(to, lines),
    };
    to.encode(&batch, &Context::at(Timestamp(0))).unwrap()
}

/// The data of each record, as a reader of the API's requests finds it, and its length in base64.
fn data(body: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let record = |record: &Value| {
        let members: Vec<_> = record.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["Data"]);
        let text = record["Data"].as_str().unwrap();
        (STANDARD.decode(text).unwrap(), text.len())
    };
    body["Records"].as_array().unwrap().iter().map(record).collect()
}

/// "4 MB", whichever way it is read: three fourths of what the base64 has.
fn counted(body: &[u8]) -> u64 {
    data(body).iter().map(|(_, base64)| *base64 as u64 / 4 * 3).sum()
}

/// What Firehose makes of it: one record after another.
fn lines(body: &[u8]) -> Vec<Value> {
    let joined: Vec<u8> = data(body).into_iter().flat_map(|(data, _)| data).collect();
    let text = String::from_utf8(joined).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A 200 of the service.
fn ok(body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .header("x-amzn-RequestId", "c7d1")
        .body(body.as_bytes().to_vec())
        .unwrap()
}

/// An error of the service, as JSON 1.1 has it.
fn aws(status: u16, code: &str, message: &str) -> Response<Vec<u8>> {
    let body = json!({ "__type": code, "message": message });
    Response::builder()
        .status(status)
        .header("x-amzn-RequestId", "c7d1")
        .body(body.to_string().into_bytes())
        .unwrap()
}

fn bare(status: u16) -> Response<Vec<u8>> {
    Response::builder().status(status).body(Vec::new()).unwrap()
}

const STORED: &str = r#"{"RecordId":"JZVWd9"}"#;
const BUSY: &str = r#"{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}"#;
const FAILED: &str = r#"{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}"#;

fn results(failed: usize, results: &[&str]) -> Response<Vec<u8>> {
    ok(&format!(
        "{{\"Encrypted\":false,\"FailedPutCount\":{failed},\"RequestResponses\":[{}]}}",
        results.join(",")
    ))
}

fn classes() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let mut cut = results(0, &[STORED; 3]);
    cut.extensions_mut().insert(BodyCut);
    let mut taken = results(0, &[STORED; 3]);
    taken.extensions_mut().insert(StoredFor(|request| {
        results(0, &vec![STORED; data(request.body()).len()])
    }));
    let source = "This operation is not permitted on KinesisStreamAsSource delivery stream type.";
    let mut classes = vec![
        (taken, Class::Verdicts),
        (results(2, &[STORED, BUSY, FAILED]), Class::Verdicts),
        (results(3, &[BUSY; 3]), Class::Throttled),
        (results(3, &[FAILED; 3]), Class::Unavailable),
        (results(0, &[STORED, STORED, FAILED]), Class::Unclear),
        (results(0, &[STORED; 2]), Class::Unclear),
        (results(0, &["{}"; 3]), Class::Unclear),
        (ok("{}"), Class::Unclear),
        (cut, Class::Unclear),
        (
            Response::new(results(0, &[STORED; 3]).into_body()),
            Class::Verdicts,
        ),
        (Response::new(b"<html>".to_vec()), Class::Config),
        (
            aws(503, "ServiceUnavailableException", "Slow down."),
            Class::Throttled,
        ),
        (aws(500, "InternalFailure", ""), Class::Unclear),
        (aws(400, "InvalidArgumentException", source), Class::Config),
        (
            aws(400, "InvalidArgumentException", "a record is too large"),
            Class::Refused,
        ),
        (bare(413), Class::TooLarge),
    ];
    for (class, codes) in [
        (
            Class::Config,
            &[
                "ResourceNotFoundException",
                "InvalidKMSResourceException",
                "InvalidSourceException",
            ][..],
        ),
        (
            Class::Throttled,
            &["ThrottlingException", "LimitExceededException"],
        ),
        (Class::Auth, &["AccessDeniedException", "ExpiredTokenException"]),
        (Class::Refused, &["ValidationException", "SerializationException"]),
    ] {
        classes.extend(codes.iter().map(|code| (aws(400, code, "as it is"), class)));
    }
    for (class, statuses) in [
        (Class::Unclear, &[100, 408, 500, 502, 999][..]),
        (Class::Unavailable, &[503]),
        (Class::Auth, &[401, 403, 407]),
        (Class::Config, &[201, 204, 301, 307, 400, 404]),
    ] {
        classes.extend(statuses.iter().map(|status| (bare(*status), class)));
    }
    classes
        .into_iter()
        .map(|(response, class)| (response, 0, class))
        .collect()
}

#[test]
fn the_contract_is_kept() {
    let secret = "endpoint = \"https://gateway.example/?key=hunter2-query\"\n\
                  proxy = \"http://p:hunter2-proxy@proxy.example:3128\"";
    let config = config(secret);
    let route = route(&config).unwrap();
    contract::suite(&Subject {
        destination: route.destination.clone(),
        layout: Layout::Own {
            counted,
            records: lines,
        },
        secrets: vec!["hunter2-query"],
        shown: vec![],
        stored: vec![200],
        answers: classes(),
    });
    let shown = format!("{config:?} {route:?} {}", route.destination.target());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_request_is_what_the_service_expects() {
    let request = encode(
        &firehose(""),
        &Lines::new([b"{\"a\":1}".to_vec(), b"{}".to_vec()]),
    );
    assert_eq!(request.uri(), "https://firehose.eu-central-1.amazonaws.com/");
    assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.1");
    assert_eq!(
        request.headers()["x-amz-target"],
        "Firehose_20150804.PutRecordBatch"
    );
    assert_eq!(request.headers().len(), 2, "{:?}", request.headers());
    // echo '{"a":1}' | base64; echo '{}' | base64
    let expected = json!({
        "DeliveryStreamName": "audit",
        "Records": [{ "Data": "eyJhIjoxfQo=" }, { "Data": "e30K" }],
    });
    assert_eq!(serde_json::from_slice::<Value>(request.body()).unwrap(), expected);
    let BodyDigest(digest) = *request.extensions().get().unwrap();
    assert_eq!(request.extensions().get(), Some(&SentDigest(digest)));
}

#[test]
fn each_record_has_the_verdict_of_its_place() {
    let to = firehose("");
    let lines = Lines::new([b"{}".to_vec(), b"{}".to_vec(), b"{}".to_vec()]);
    let batch = Batch {
        records: &lines.records(),
        attempt: &contract::attempt(&to, &lines),
    };
    let again = || Verdict::Retry { after: None };
    assert_eq!(
        to.decode(&batch, &results(2, &[BUSY, STORED, FAILED])),
        Outcome::Verdicts(vec![again(), Verdict::Stored, again()])
    );
    for (answer, said) in [
        (
            aws(400, "ResourceNotFoundException", "Firehose audit not found"),
            "create the Firehose stream audit in eu-central-1",
        ),
        (
            aws(400, "AccessDeniedException", "no"),
            "\"firehose:PutRecordBatch\",\"Effect\":\"Allow\",\
             \"Resource\":\"arn:aws:firehose:eu-central-1:*:deliverystream/audit\"",
        ),
        (
            aws(
                400,
                "InvalidArgumentException",
                "This operation is not permitted on X",
            ),
            "Direct PUT",
        ),
    ] {
        let outcome = to.decode(&batch, &answer);
        let reason = outcome.reason().unwrap();
        assert!(reason.contains(said), "{reason}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither before base64 nor in it does a request exceed 4 MB, nor a record 1,024,000 bytes; and no room is wasted.
    #[test]
    fn limits(sizes in prop::collection::vec(prop_oneof![
        4 => 10_usize..3_000,
        2 => 300_000_usize..1_000_000,
        1 => 1_023_990_usize..1_024_010,
    ], 1..40)) {
        let to = firehose("");
        let limits = to.limits();
        let wide = Batching { bytes: u64::MAX, records: u32::MAX, age: std::time::Duration::ZERO };
        let line = |size: &usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 9)).into_bytes();
        let (mut packer, mut inside) = (Packer::new(&limits, &wide), Vec::<Vec<u8>>::new());
        for line in sizes.iter().map(line) {
            let one = Lines::new([line.clone()]);
            let (size, time) = (to.size(&one.records()[0]), Timestamp(0));
            let mut fit = packer.offer(size, time);
            if fit == Fit::Next {
                let body = encode(&to, &Lines::new(inside.clone())).into_body();
                let base64: usize = data(&body).iter().map(|(_, base64)| base64).sum();
                prop_assert!(base64 <= 4_000_000, "{} bytes", base64);
                let next = (line.len() + 1).div_ceil(3) * 4;
                prop_assert!(inside.len() == 500 || base64 + next > 4_000_000 - 4 * 500, "closed at {}", base64);
                inside.clear();
                packer = Packer::new(&limits, &wide);
                fit = packer.offer(size, time);
            }
            prop_assert_eq!(fit == Fit::Taken, line.len() < 1_024_000);
            if fit == Fit::Taken {
                inside.push(line);
            }
        }
    }
}

#[test]
fn what_cannot_be_used_is_named_with_its_key() {
    for (keys, said) in [
        (String::new(), "is missing: set it to the Firehose stream's name"),
        (String::from("delivery_stream = ''"), "has 0 bytes"),
        (format!("delivery_stream = '{}'", "a".repeat(65)), "has 65 bytes"),
        (String::from("delivery_stream = 'a/b'"), "has '/' in it"),
    ] {
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), "delivery_stream", "{keys}: {error}");
        assert!(error.to_string().contains(said), "{keys}: {error}");
    }
    assert!(parse(&format!("delivery_stream = '{}'", "a".repeat(64))).is_ok());
}

#[test]
fn a_destination_is_another_one_when_anything_of_its_place_is_another() {
    let mut prints: Vec<_> = [
        "",
        "region = \"eu-west-1\"",
        "endpoint = \"https://a.example\"",
        "role_arn = \"arn:aws:iam::123456789012:role/a\"",
    ]
    .iter()
    .map(|keys| firehose(keys).fingerprint())
    .collect();
    prints.push(Firehose::new(parse("delivery_stream = \"b\"").unwrap()).fingerprint());
    for (at, print) in prints.iter().enumerate() {
        assert!(!prints[..at].contains(print), "{at}");
    }
    assert_eq!(prints[0], firehose("profile = \"p\"").fingerprint());
}

#[test]
fn permissions_are_the_least() {
    let Permissions::Aws(statements) = firehose("").permissions() else {
        panic!("no statements");
    };
    let actions: Vec<_> = statements.iter().flat_map(|one| one.actions.clone()).collect();
    assert_eq!(
        actions,
        ["firehose:PutRecordBatch", "firehose:DescribeDeliveryStream"]
    );
    let stream = "arn:aws:firehose:eu-central-1:*:deliverystream/audit";
    assert!(statements.iter().all(|one| one.resources == [stream]));
}

#[test]
fn a_check_describes_the_stream_and_says_what_that_does_not_prove() {
    let to = firehose("");
    let Step::Ask(question) = to.next(&[]) else {
        panic!("asks nothing");
    };
    assert_eq!(
        question.headers()["x-amz-target"],
        "Firehose_20150804.DescribeDeliveryStream"
    );
    let found = |answer| match to.next(&[answer]) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    let described = |status: &str, source: &str| {
        let body = json!({ "DeliveryStreamDescription": {
            "DeliveryStreamStatus": status, "DeliveryStreamType": source,
        }});
        Ok(ok(&body.to_string()))
    };
    let finding = found(described("ACTIVE", "DirectPut"));
    assert!(
        matches!(&finding, Finding::Reachable { open, .. } if open.contains("send-test")),
        "{finding:?}"
    );
    let denied = found(Ok(aws(400, "AccessDeniedException", "no")));
    assert!(
        matches!(&denied, Finding::Reachable { open, .. } if open.contains("firehose:DescribeDeliveryStream")),
        "{denied:?}"
    );
    for (answer, said) in [
        (described("CREATING", "DirectPut"), "CREATING, not ACTIVE"),
        (
            described("ACTIVE", "KinesisStreamAsSource"),
            "source is Direct PUT",
        ),
        (
            Ok(aws(400, "ResourceNotFoundException", "no")),
            "create the Firehose stream",
        ),
        (Ok(ok("{}")), "no results"),
        (Ok(bare(302)), "check `endpoint`"),
        (
            Err(SendError::Tls {
                reason: String::from("no"),
            }),
            "TLS",
        ),
    ] {
        let finding = found(answer);
        assert!(
            matches!(&finding, Finding::Failed { reason } if reason.contains(said)),
            "{finding:?}"
        );
    }
}
