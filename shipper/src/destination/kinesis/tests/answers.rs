//! Every answer and what it means.

use ::http::Response;

use super::*;
use crate::destination::Verdict;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{Class, StoredFor, class};
use crate::transport::authorized::ClockSkew;
use crate::transport::{BodyCut, SendError};

/// A 200 of the service.
pub(super) fn ok(body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .header("x-amzn-RequestId", "c7d1")
        .body(body.as_bytes().to_vec())
        .unwrap()
}

/// An error of the service, as JSON 1.1 has it.
pub(super) fn aws(status: u16, code: &str, message: &str) -> Response<Vec<u8>> {
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

const STORED: &str = r#"{"SequenceNumber":"49543463076548007577105092703039560359975228518395012686","ShardId":"shardId-000000000000"}"#;
const THROTTLED: &str = r#"{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard shardId-000000000001 in stream audit under account 111111111111."}"#;
const FAILED: &str = r#"{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}"#;

/// An answer with these results.
fn results(failed: usize, results: &[&str]) -> Response<Vec<u8>> {
    ok(&format!(
        "{{\"FailedRecordCount\":{failed},\"Records\":[{}]}}",
        results.join(",")
    ))
}

/// The table of the module's documentation, for a request of so many entries.
pub(super) fn classes(count: usize) -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let all = |result: &'static str| vec![result; count];
    let mut cut = results(0, &all(STORED));
    cut.extensions_mut().insert(BodyCut);
    let stored = all(STORED).join(",");
    let mut taken = results(0, &all(STORED));
    taken.extensions_mut().insert(StoredFor(|request| {
        results(0, &vec![STORED; entries(request.body()).len()])
    }));
    let mut classes = vec![
        (taken, Class::Verdicts),
        (ok(&format!("{{\"Records\":[{stored}]}}")), Class::Verdicts),
        (results(count, &all(THROTTLED)), Class::Throttled),
        (results(count, &all(FAILED)), Class::Unavailable),
        (
            results(
                count,
                &all(r#"{"ErrorCode":"KMSDisabledException","ErrorMessage":"m"}"#),
            ),
            Class::Config,
        ),
        (
            results(count, &all(r#"{"ErrorCode":"New","ErrorMessage":null}"#)),
            Class::Unavailable,
        ),
        (results(1, &all(STORED)), Class::Unclear),
        (results(0, &all(FAILED)), Class::Unclear),
        (results(0, &all("{}")), Class::Unclear),
        (results(0, &all("7")), Class::Unclear),
        (results(0, &vec![STORED; count + 1]), Class::Unclear),
        (results(0, &[]), Class::Unclear),
        (ok("{}"), Class::Unclear),
        (ok("[]"), Class::Unclear),
        (ok(""), Class::Unclear),
        (cut, Class::Unclear),
        // A proxy, a portal, a load balancer.
        (
            Response::new(format!("{{\"Records\":[{stored}]}}").into_bytes()),
            Class::Verdicts,
        ),
        (Response::new(b"<html>".to_vec()), Class::Config),
        (
            aws(400, "com.amazonaws.kinesis#ThrottlingException:x", ""),
            Class::Throttled,
        ),
        (bare(413), Class::TooLarge),
        (bare(429), Class::Throttled),
        (aws(500, "InternalFailure", ""), Class::Unclear),
        (aws(500, "InternalFailureException", ""), Class::Unclear),
    ];
    let codes = [
        (
            Class::Throttled,
            &[
                "ProvisionedThroughputExceededException",
                "KMSThrottlingException",
                "LimitExceededException",
            ][..],
        ),
        (
            Class::Unavailable,
            &["ServiceUnavailable", "ServiceUnavailableException"],
        ),
        (
            Class::Auth,
            &[
                "AccessDeniedException",
                "KMSAccessDeniedException",
                "ExpiredTokenException",
                "UnrecognizedClientException",
                "InvalidSignatureException",
                "MissingAuthenticationTokenException",
            ],
        ),
        (
            Class::Config,
            &[
                "ResourceNotFoundException",
                "KMSDisabledException",
                "KMSInvalidStateException",
                "KMSNotFoundException",
                "KMSOptInRequired",
                "UnknownOperationException",
                "DryRunOperationException",
            ],
        ),
        (
            Class::Refused,
            &[
                "InvalidArgumentException",
                "ValidationException",
                "SerializationException",
                "NewInThisYearException",
            ],
        ),
    ];
    for (class, codes) in codes {
        classes.extend(codes.iter().map(|code| (aws(400, code, "as it is"), class)));
    }
    let statuses = [
        (Class::Unclear, &[100, 199, 408, 500, 502, 504, 599, 999][..]),
        (Class::Unavailable, &[503]),
        (Class::Auth, &[401, 403, 407]),
        (
            Class::Config,
            &[201, 202, 204, 299, 301, 302, 307, 400, 402, 404, 405, 499],
        ),
    ];
    for (class, statuses) in statuses {
        classes.extend(statuses.iter().map(|status| (bare(*status), class)));
    }
    classes
        .into_iter()
        .map(|(response, class)| (response, 0, class))
        .collect()
}

fn outcome(to: &Kinesis, response: &Response<Vec<u8>>) -> Outcome {
    let rows = Rows::new(["{}", "{}", "{}"]);
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt(),
    };
    to.decode(&batch, response)
}

#[test]
fn each_record_has_the_verdict_of_its_place() {
    let again = || Verdict::Retry { after: None };
    let some = results(2, &[FAILED, STORED, THROTTLED]);
    assert_eq!(
        outcome(&kinesis(""), &some),
        Outcome::Verdicts(vec![again(), Verdict::Stored, again()])
    );
    // An entry's verdict is that of all that is in it.
    assert_eq!(
        outcome(&kinesis("aggregation = \"ndjson\""), &results(0, &[STORED])),
        Outcome::Verdicts(vec![Verdict::Stored; 3])
    );
}

#[test]
fn a_reason_says_what_to_do() {
    let mut skewed = aws(400, "InvalidSignatureException", "Signature expired");
    skewed.extensions_mut().insert(ClockSkew {
        ahead: 1_200_000_000_000,
    });
    for (answer, said) in [
        (
            aws(400, "ResourceNotFoundException", "Stream audit not found"),
            "create the stream audit in eu-central-1, or correct `stream`",
        ),
        (
            aws(400, "AccessDeniedException", "User: x is not authorized"),
            "allow {\"Action\":\"kinesis:PutRecords\",\"Effect\":\"Allow\",\
             \"Resource\":\"arn:aws:kinesis:eu-central-1:*:stream/audit\"}",
        ),
        (
            aws(400, "KMSAccessDeniedException", "no"),
            "allow kms:GenerateDataKey on the KMS key",
        ),
        (aws(400, "KMSDisabledException", "no"), "is disabled: enable it"),
        (
            aws(400, "ExpiredTokenException", "no"),
            "the credentials have expired",
        ),
        (skewed, "this host's clock is 20 min behind the receiver's"),
        (
            results(3, &[THROTTLED, FAILED, FAILED]),
            "3 of 3 records failed, the first with ProvisionedThroughputExceededException: Rate exceeded for shard",
        ),
        (bare(302), "check `endpoint`, `region` and `proxy`"),
        (bare(407), "put them into `proxy`"),
    ] {
        let outcome = outcome(&kinesis(""), &answer);
        let reason = outcome.reason().unwrap();
        assert!(reason.contains(said), "{reason}");
    }
    let elsewhere = Kinesis::new(parse(&format!("stream_arn = \"{ARN}\"")).unwrap());
    let denied = outcome(&elsewhere, &aws(400, "AccessDeniedException", "no"));
    let reason = denied.reason().unwrap();
    assert!(
        reason.contains(ARN) && reason.contains("resource policy"),
        "{reason}"
    );
}

const SUMMARY: &str = r#"{"StreamDescriptionSummary":{"StreamName":"audit","StreamStatus":"ACTIVE","OpenShardCount":4,
    "StreamModeDetails":{"StreamMode":"PROVISIONED"},"MaxRecordSizeInKiB":2048}}"#;

fn found(to: &Kinesis, answers: Vec<Result<Response<Vec<u8>>, SendError>>) -> Finding {
    match to.next(&answers) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    }
}

#[test]
fn a_check_is_a_put_that_is_not_carried_out() {
    let to = kinesis("");
    let Step::Ask(question) = to.next(&[]) else {
        panic!("asks nothing");
    };
    assert_eq!(question.headers()["x-amz-target"], "Kinesis_20131202.PutRecords");
    let body: Value = serde_json::from_slice(question.body()).unwrap();
    assert_eq!(
        (&body["DryRun"], &body["StreamName"]),
        (&json!(true), &json!("audit"))
    );
    assert_eq!(question.extensions().get::<Load>(), None, "it is not paced");

    let passed = || Ok(aws(400, "DryRunOperationException", "it would have succeeded"));
    let Step::Ask(second) = to.next(&[passed()]) else {
        panic!("asks nothing");
    };
    assert_eq!(
        second.headers()["x-amz-target"],
        "Kinesis_20131202.DescribeStreamSummary"
    );
    let ready = found(&to, vec![passed(), Ok(ok(SUMMARY))]);
    assert!(
        matches!(&ready, Finding::Ready { proven } if proven.contains("4 shards, provisioned, records of up to 2048 KiB")),
        "{ready:?}"
    );
    // Without that permission records would be stored all the same.
    let ready = found(&to, vec![passed(), Ok(aws(400, "AccessDeniedException", "no"))]);
    assert!(
        matches!(&ready, Finding::Ready { proven } if proven.contains("kinesis:DescribeStreamSummary")),
        "{ready:?}"
    );
    let took_it = found(&to, vec![Ok(results(0, &[STORED]))]);
    assert!(matches!(took_it, Finding::Reachable { .. }), "{took_it:?}");
    for answer in [
        aws(400, "AccessDeniedException", "no"),
        aws(400, "ResourceNotFoundException", "no"),
        aws(400, "KMSDisabledException", "no"),
        aws(400, "ThrottlingException", "no"),
        aws(400, "InvalidArgumentException", "no"),
        bare(302),
        bare(500),
    ] {
        let said = format!("{answer:?}");
        assert!(
            matches!(found(&to, vec![Ok(answer)]), Finding::Failed { .. }),
            "{said}"
        );
    }
    let error = SendError::Tls {
        reason: String::from("no"),
    };
    assert!(matches!(found(&to, vec![Err(error)]), Finding::Failed { .. }));
}

#[test]
fn a_server_that_may_not_know_the_test_is_only_asked_for_its_stream() {
    for (endpoint, is_home) in [
        ("https://vpce-1.kinesis.eu-central-1.vpce.amazonaws.com", true),
        ("https://kinesis.eu-central-1.api.aws", true),
        ("https://gateway.example", false),
        ("https://notamazonaws.com", false),
        ("http://127.0.0.1:4566", false),
    ] {
        let to = kinesis(&format!("endpoint = \"{endpoint}\""));
        let Step::Ask(question) = to.next(&[]) else {
            panic!("asks nothing");
        };
        let is_put = question.headers()["x-amz-target"] == "Kinesis_20131202.PutRecords";
        assert_eq!(is_put, is_home, "{endpoint}");
    }
    let to = kinesis("endpoint = \"https://gateway.example\"");
    for answer in [ok(SUMMARY), aws(400, "AccessDeniedException", "no")] {
        let found = found(&to, vec![Ok(answer)]);
        assert!(
            matches!(&found, Finding::Reachable { open, .. } if open.contains("send-test")),
            "{found:?}"
        );
    }
    for answer in [aws(400, "ResourceNotFoundException", "no"), ok("{}"), bare(404)] {
        let said = format!("{answer:?}");
        assert!(
            matches!(found(&to, vec![Ok(answer)]), Finding::Failed { .. }),
            "{said}"
        );
    }
}

#[test]
fn a_class_is_that_of_the_first_failure_only_when_all_failed() {
    let kms = r#"{"ErrorCode":"KMSDisabledException","ErrorMessage":"m"}"#;
    let some = outcome(&kinesis(""), &results(2, &[kms, kms, STORED]));
    assert_eq!(class(&some), Class::Verdicts);
    let all = outcome(&kinesis(""), &results(3, &[kms, kms, kms]));
    assert_eq!(class(&all), Class::Config);
}
