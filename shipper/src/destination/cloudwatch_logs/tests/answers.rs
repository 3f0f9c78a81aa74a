//! Every answer and what it means.

use ::http::{Response, StatusCode};

use super::*;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::cloudwatch_logs::create::{Asked, Operation};
use crate::destination::contract::Class;
use crate::destination::{Outcome, Verdict};
use crate::transport::authorized::ClockSkew;
use crate::transport::{BodyCut, SendError};

/// A 200 of the service.
fn ok(body: &str) -> Response<Vec<u8>> {
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

fn to(asked: Asked, mut response: Response<Vec<u8>>) -> Response<Vec<u8>> {
    response.extensions_mut().insert(asked);
    response
}

pub(super) fn outcome(to: &CloudWatchLogs, response: &Response<Vec<u8>>, earlier: u32) -> Outcome {
    let (attempt, rows) = (
        attempt(earlier),
        Rows::new([(MADE_AT, "{}"), (MADE_AT, "{}"), (MADE_AT, "{}")]),
    );
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    to.decode(&batch, response)
}

const NO_GROUP: &str = "The specified log group does not exist.";
const NO_STREAM: &str = "The specified log stream does not exist.";

/// The table of the module's documentation, of `facts` about the service, and of what it did in earlier years.
pub(super) fn classes() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let mut cut = ok("{}");
    cut.extensions_mut().insert(BodyCut);
    let mut all = vec![
        (ok("{}"), 0, Class::Verdicts),
        (
            ok("{\"nextSequenceToken\":\"4\",\"rejectedLogEventsInfo\":null}"),
            0,
            Class::Verdicts,
        ),
        (
            ok("{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":3}}"),
            0,
            Class::Verdicts,
        ),
        (
            ok("{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":4}}"),
            0,
            Class::Unclear,
        ),
        (
            ok("{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":-1}}"),
            0,
            Class::Unclear,
        ),
        (
            ok("{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":1.5}}"),
            0,
            Class::Unclear,
        ),
        (ok("{\"rejectedLogEventsInfo\":[1]}"), 0, Class::Unclear),
        (
            ok("{\"rejectedLogEventsInfo\":{\"uglyLogEventEndIndex\":1}}"),
            0,
            Class::Unacknowledged,
        ),
        (ok("[]"), 0, Class::Unclear),
        (ok(""), 0, Class::Unclear),
        (ok("<html>"), 0, Class::Unclear),
        (cut, 0, Class::Unclear),
        // A proxy, a portal, a load balancer.
        (Response::new(b"{}".to_vec()), 0, Class::Config),
        (
            aws(400, "DataAlreadyAcceptedException", "have it"),
            0,
            Class::Unclear,
        ),
        (
            aws(400, "DataAlreadyAcceptedException", "have it"),
            1,
            Class::Stored,
        ),
        (
            aws(400, "InvalidSequenceTokenException", "expected 4"),
            1,
            Class::Config,
        ),
        (
            aws(
                400,
                "InvalidParameterException",
                "Upload too large: 1048584 bytes exceeds limit of 1048576",
            ),
            0,
            Class::TooLarge,
        ),
        (
            aws(
                400,
                "InvalidParameterException",
                "Log events in a single PutLogEvents request must be in chronological order.",
            ),
            0,
            Class::Refused,
        ),
        (
            aws(
                400,
                "InvalidParameterException",
                "Log event too large: 262146 bytes exceeds limit of 262144",
            ),
            0,
            Class::Refused,
        ),
        (
            aws(
                400,
                "com.amazonaws.logs#ThrottlingException:http://x/",
                "Rate exceeded",
            ),
            0,
            Class::Throttled,
        ),
        (
            aws(400, "LimitExceededException", "slow down"),
            0,
            Class::Throttled,
        ),
        (
            to(
                Asked::Instead(Operation::CreateLogStream),
                aws(400, "LimitExceededException", "slow down"),
            ),
            0,
            Class::Throttled,
        ),
        (
            to(
                Asked::Instead(Operation::CreateLogGroup),
                aws(400, "LimitExceededException", "Resource limit exceeded."),
            ),
            0,
            Class::Config,
        ),
        (
            to(
                Asked::Instead(Operation::CreateLogGroup),
                aws(400, "InvalidParameterException", "no such key"),
            ),
            0,
            Class::Config,
        ),
        (
            to(
                Asked::Instead(Operation::CreateLogGroup),
                aws(400, "AccessDeniedException", "no"),
            ),
            0,
            Class::Auth,
        ),
        (
            to(
                Asked::Instead(Operation::PutRetentionPolicy),
                aws(400, "OperationAbortedException", "busy"),
            ),
            0,
            Class::Unavailable,
        ),
        (
            to(
                Asked::Instead(Operation::CreateLogStream),
                aws(400, "ResourceNotFoundException", NO_GROUP),
            ),
            0,
            Class::Config,
        ),
        (
            to(Asked::Instead(Operation::CreateLogStream), ok("{}")),
            0,
            Class::Config,
        ),
        (
            to(Asked::Again, aws(400, "ResourceNotFoundException", NO_STREAM)),
            0,
            Class::Unavailable,
        ),
        (to(Asked::Again, ok("{}")), 0, Class::Verdicts),
        (bare(413), 0, Class::TooLarge),
        (bare(429), 0, Class::Throttled),
        (aws(500, "InternalFailure", ""), 0, Class::Unavailable),
    ];
    let codes = [
        (
            Class::Throttled,
            &["Throttling", "TooManyRequestsException", "RequestLimitExceeded"][..],
        ),
        (
            Class::Unavailable,
            &["ServiceUnavailableException", "OperationAbortedException"],
        ),
        (
            Class::Auth,
            &[
                "UnrecognizedClientException",
                "ExpiredTokenException",
                "ExpiredToken",
                "InvalidSignatureException",
                "AccessDeniedException",
                "MissingAuthenticationTokenException",
            ],
        ),
        (
            Class::Config,
            &["ResourceNotFoundException", "UnknownOperationException"],
        ),
        (
            Class::Refused,
            &[
                "SerializationException",
                "ValidationException",
                "NewInThisYearException",
            ],
        ),
    ];
    for (class, codes) in codes {
        all.extend(codes.iter().map(|code| (aws(400, code, "as it is"), 0, class)));
    }
    let statuses = [
        (Class::Unclear, &[100, 199, 408, 500, 502, 504, 599, 600, 999][..]),
        (Class::Unavailable, &[503]),
        (Class::Auth, &[401, 403, 407]),
        (
            Class::Config,
            &[
                201, 202, 204, 299, 300, 301, 302, 307, 400, 402, 404, 405, 418, 451, 499,
            ],
        ),
    ];
    for (class, statuses) in statuses {
        all.extend(statuses.iter().map(|status| (bare(*status), 0, class)));
    }
    all
}

/// `None` for what is stored, else the code.
fn verdicts(keys: &str, times: &[i64], info: &str) -> Vec<Option<String>> {
    let rows = Rows::new(times.iter().map(|time| (*time, "{}")));
    let attempt = attempt(0);
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    let answer = ok(&format!("{{\"rejectedLogEventsInfo\":{info}}}"));
    match cloudwatch(keys).decode(&batch, &answer) {
        Outcome::Verdicts(verdicts) => verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Stored => None,
                Verdict::Rejected { code, .. } => Some(code),
                other => panic!("{other:?} of a 200"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_that_is_too_large_for_its_region_is_meant_when_it_is_alone() {
    let rows = Rows::new([(10, "{}")]);
    let attempt = attempt(0);
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    let said = "Log event too large: 262146 bytes exceeds limit of 262144";
    let outcome = cloudwatch("").decode(&batch, &aws(400, "InvalidParameterException", said));
    assert!(
        matches!(&outcome, Outcome::Verdicts(verdicts)
            if matches!(&verdicts[..], [Verdict::Rejected { reason, .. }]
                if reason.contains("262144") && reason.contains("`max_event_bytes`"))),
        "{outcome:?}"
    );
}

#[test]
fn a_clock_that_makes_events_too_new_is_named() {
    let rows = Rows::new([(10, "{}")]);
    let attempt = attempt(0);
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    let mut answer = ok("{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":0}}");
    answer.extensions_mut().insert(ClockSkew {
        ahead: -10_800_000_000_000,
    });
    let outcome = cloudwatch("").decode(&batch, &answer);
    assert!(
        matches!(&outcome, Outcome::Verdicts(verdicts)
            if matches!(&verdicts[0], Verdict::Rejected { reason, .. }
                if reason.contains("this host's clock is 3 h ahead of"))),
        "{outcome:?}"
    );
}

#[test]
fn what_is_rejected_is_found_in_the_order_of_the_batch() {
    let [old, expired, new] =
        ["tooOldLogEvent", "expiredLogEvent", "tooNewLogEvent"].map(|code| Some(String::from(code)));
    // Sorted, these are 1, 3, 0, 4, 2.
    let times = [30, 10, 50, 20, 40];
    let verdicts = |info: &str| verdicts("", &times, info);
    assert_eq!(verdicts("{}"), [None, None, None, None, None]);
    assert_eq!(
        verdicts("{\"tooOldLogEventEndIndex\":1,\"tooNewLogEventStartIndex\":4}"),
        [None, old.clone(), new.clone(), None, None]
    );
    assert_eq!(
        verdicts("{\"tooOldLogEventEndIndex\":1,\"expiredLogEventEndIndex\":3}"),
        [expired.clone(), old.clone(), None, expired.clone(), None]
    );
    assert_eq!(
        verdicts("{\"tooOldLogEventEndIndex\":2,\"expiredLogEventEndIndex\":1}"),
        [None, old.clone(), None, old.clone(), None]
    );
    assert_eq!(
        verdicts("{\"tooNewLogEventStartIndex\":5}"),
        [None, None, None, None, None]
    );
    assert_eq!(verdicts("{\"tooNewLogEventStartIndex\":0}"), vec![new; 5]);
    assert_eq!(verdicts("{\"tooOldLogEventEndIndex\":5}"), vec![old; 5]);
    assert_eq!(verdicts("{\"expiredLogEventEndIndex\":5}"), vec![expired; 5]);
}

/// Restamped, all have one time, so the order is the batch's own.
#[test]
fn what_is_rejected_although_restamped_is_found_too() {
    let times = [MADE_AT - 30 * DAY + 2, MADE_AT - 30 * DAY];
    let info = "{\"tooOldLogEventEndIndex\":1}";
    assert_eq!(
        verdicts("", &times, info),
        [None, Some(String::from("tooOldLogEvent"))]
    );
    let restamped = verdicts("too_old = \"restamp\"", &times, info);
    assert_eq!(restamped, [Some(String::from("tooOldLogEvent")), None]);
}

#[test]
fn a_reason_names_the_times() {
    let (rows, attempt) = (Rows::new([(MADE_AT - 30 * DAY, "{}")]), attempt(0));
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt,
    };
    let answer = ok("{\"rejectedLogEventsInfo\":{\"expiredLogEventEndIndex\":1}}");
    let reason = |keys| match cloudwatch(keys).decode(&batch, &answer) {
        Outcome::Verdicts(verdicts) => format!("{verdicts:?}"),
        other => panic!("{other:?}"),
    };
    let own = "its time is 2025-12-03T03:04:05.000000000Z, ";
    assert!(
        reason("").contains(&format!("{own}older than the log group's retention")),
        "{}",
        reason("")
    );
    let restamped = reason("too_old = \"restamp\"");
    assert!(
        restamped.contains(&format!("{own}it was sent as of 2026-01-02T03:04:05.000000000Z")),
        "{restamped}"
    );
}

#[test]
fn a_reason_says_what_to_do() {
    let skewed = {
        let mut response = aws(400, "InvalidSignatureException", "Signature expired");
        response.extensions_mut().insert(ClockSkew {
            ahead: 1_200_000_000_000,
        });
        response
    };
    let denied_beside_a_skew = {
        let mut response = aws(400, "AccessDeniedException", "is not authorized");
        response.extensions_mut().insert(ClockSkew {
            ahead: 180_000_000_000,
        });
        response
    };
    let creating = Asked::Instead(Operation::CreateLogGroup);
    for (answer, said) in [
        (
            aws(400, "ResourceNotFoundException", NO_GROUP),
            "create the log group /audit/x in eu-central-1",
        ),
        (
            aws(400, "ResourceNotFoundException", NO_STREAM),
            "the log stream web-1 of /audit/x is missing",
        ),
        (
            aws(
                400,
                "AccessDeniedException",
                "User: arn:aws:iam::1:user/a is not authorized",
            ),
            "allow {\"Action\":\"logs:PutLogEvents\",\"Effect\":\"Allow\",\
             \"Resource\":\"arn:aws:logs:eu-central-1:*:log-group:/audit/x:log-stream:*\"}",
        ),
        (
            to(creating, aws(400, "AccessDeniedException", "no")),
            "CreateLogGroup: 400 AccessDeniedException: no (allow {\"Action\":\"logs:CreateLogGroup\"",
        ),
        (skewed, "this host's clock is 20 min behind the receiver's"),
        (
            denied_beside_a_skew,
            "log-stream:*\"}; this host's clock is 3 min behind",
        ),
        (
            aws(
                400,
                "UnrecognizedClientException",
                "The security token is invalid",
            ),
            "the access key is not known",
        ),
        (
            aws(400, "ExpiredTokenException", "expired"),
            "renew them where they come from",
        ),
        (
            Response::new(b"{}".to_vec()),
            "200, but without x-amzn-RequestId or the content type application/x-amz-json-1.1: this does not come from CloudWatch Logs",
        ),
    ] {
        let outcome = outcome(&cloudwatch("auto_create_group = true"), &answer, 0);
        let shown = match Finding::failed(&outcome) {
            Finding::Failed { reason } => reason,
            other => panic!("{other:?}"),
        };
        assert!(shown.contains(said), "{shown:?} lacks {said:?}");
    }
}

#[test]
fn a_throttled_answer_says_until_when() {
    let mut answer = aws(400, "ThrottlingException", "Rate exceeded");
    answer.headers_mut().insert("retry-after", "7".parse().unwrap());
    let Outcome::Throttled { after, .. } = outcome(&cloudwatch(""), &answer, 0) else {
        panic!("not throttled");
    };
    assert_eq!(after, Some(std::time::Duration::from_secs(7)));
}

#[test]
fn a_check_asks_with_an_event_that_is_never_kept() {
    let to = cloudwatch("");
    let Step::Ask(question) = to.next(&[]) else {
        panic!("asks nothing");
    };
    assert_eq!(question.headers()["x-amz-target"], "Logs_20140328.PutLogEvents");
    let [(0, _)] = events(question.body())[..] else {
        panic!("not one event of 1970");
    };
    assert_eq!(question.extensions().get::<create::CreateWhatIsMissing>(), None);

    let found = |keys: &str, answer| match cloudwatch(keys).next(&[answer]) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    for info in ["tooOldLogEventEndIndex", "expiredLogEventEndIndex"] {
        let answer = ok(&format!("{{\"rejectedLogEventsInfo\":{{\"{info}\":1}}}}"));
        assert!(matches!(found("", Ok(answer)), Finding::Ready { .. }));
    }
    let mut skewed = ok("{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":1}}");
    skewed.extensions_mut().insert(ClockSkew {
        ahead: 7_200_000_000_000,
    });
    let finding = found("", Ok(skewed));
    assert!(
        matches!(&finding, Finding::Ready { proven } if proven.contains("clock is 120 min behind")),
        "{finding:?}"
    );
    // It says that it kept what no CloudWatch Logs keeps.
    assert!(matches!(found("", Ok(ok("{}"))), Finding::Reachable { .. }));
    let no_group = || Ok(aws(400, "ResourceNotFoundException", NO_GROUP));
    let no_stream = || Ok(aws(400, "ResourceNotFoundException", NO_STREAM));
    assert!(matches!(found("", no_group()), Finding::Failed { .. }));
    assert!(matches!(
        found("auto_create_group = true", no_group()),
        Finding::Reachable { .. }
    ));
    assert!(matches!(found("", no_stream()), Finding::Reachable { .. }));
    for answer in [
        Response::new(b"{}".to_vec()),
        ok("nonsense"),
        ok("{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":2}}"),
        aws(400, "AccessDeniedException", "no"),
        aws(400, "ThrottlingException", "no"),
        aws(400, "InvalidParameterException", "no"),
        aws(400, "DataAlreadyAcceptedException", "no"),
        bare(StatusCode::NOT_FOUND.as_u16()),
        bare(204),
        bare(302),
        bare(500),
    ] {
        let said = format!("{answer:?}");
        assert!(matches!(found("", Ok(answer)), Finding::Failed { .. }), "{said}");
    }
    let error = SendError::Tls {
        reason: String::from("no"),
    };
    assert!(matches!(found("", Err(error)), Finding::Failed { .. }));
}
