//! What is missing is made, inside one sending.

use ::http::{HeaderMap, Response};

use super::answers::aws;
use super::*;
use crate::destination::Outcome;
use crate::destination::cloudwatch_logs::create::{Asked, Creating, Operation};
use crate::transport::scripted::{ScriptedTransport, Step};
use crate::transport::{SendError, Transport as _};

fn ok() -> Step {
    let response = Response::builder()
        .header("x-amzn-RequestId", "c7d1")
        .body(b"{}".to_vec());
    Step::Answer(response.unwrap())
}

fn error(code: &str) -> Step {
    Step::Answer(aws(400, code, "The specified log group does not exist."))
}

const MISSING: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceAlreadyExistsException";

/// Sends a put: which operations the service saw, and what came of it.
fn send(keys: &str, steps: Vec<Step>) -> (Vec<String>, Result<Response<Vec<u8>>, SendError>) {
    let to = cloudwatch(keys);
    let scripted = ScriptedTransport::new(steps, Step::Tls);
    let creating = Creating::new(Arc::new(scripted.clone()), to.config.clone());
    let result = creating.send(&encode(&to, &Rows::new([(MADE_AT, "{}")])));
    (operations(&scripted), result)
}

fn operations(scripted: &ScriptedTransport) -> Vec<String> {
    let target = |request: &Request<Vec<u8>>| {
        let target = request.headers()["x-amz-target"].to_str().unwrap();
        target.strip_prefix("Logs_20140328.").unwrap().to_owned()
    };
    scripted.received().iter().map(target).collect()
}

fn asked(result: &Result<Response<Vec<u8>>, SendError>) -> Option<Asked> {
    result.as_ref().unwrap().extensions().get().copied()
}

const AUTO: &str = "auto_create_group = true\nlog_retention_days = 90";

#[test]
fn a_put_that_finds_everything_is_one_request() {
    let (seen, result) = send(AUTO, vec![ok()]);
    assert_eq!(seen, ["PutLogEvents"]);
    assert_eq!(asked(&result), None);
    let (seen, result) = send(AUTO, vec![error("ThrottlingException")]);
    assert_eq!((seen.len(), asked(&result)), (1, None));
}

#[test]
fn a_missing_stream_is_made_and_the_put_sent_again() {
    for made in [ok(), error(EXISTS)] {
        let (seen, result) = send("", vec![error(MISSING), made, ok()]);
        assert_eq!(seen, ["PutLogEvents", "CreateLogStream", "PutLogEvents"]);
        assert_eq!(asked(&result), Some(Asked::Again));
        assert_eq!(result.unwrap().status(), 200);
    }
}

#[test]
fn a_missing_group_is_made_only_when_that_is_wanted() {
    let (seen, result) = send("", vec![error(MISSING), error(MISSING)]);
    assert_eq!(seen, ["PutLogEvents", "CreateLogStream"]);
    assert_eq!(asked(&result), Some(Asked::Instead(Operation::CreateLogStream)));

    let steps = vec![error(MISSING), error(MISSING), ok(), ok(), ok(), ok()];
    let (seen, result) = send(AUTO, steps);
    let all = [
        "PutLogEvents",
        "CreateLogStream",
        "CreateLogGroup",
        "PutRetentionPolicy",
        "CreateLogStream",
        "PutLogEvents",
    ];
    assert_eq!(seen, all);
    assert_eq!(asked(&result), Some(Asked::Again));
}

#[test]
fn a_group_that_somebody_else_made_keeps_its_retention() {
    let steps = vec![error(MISSING), error(MISSING), error(EXISTS), ok(), ok()];
    let (seen, _) = send(AUTO, steps);
    let expected = [
        "PutLogEvents",
        "CreateLogStream",
        "CreateLogGroup",
        "CreateLogStream",
        "PutLogEvents",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_service_that_never_finds_it_is_asked_six_times() {
    let steps = vec![error(MISSING), error(MISSING), ok(), ok(), ok(), error(MISSING)];
    let (seen, result) = send(AUTO, steps);
    assert_eq!((seen.len(), asked(&result)), (6, Some(Asked::Again)));
    let steps = vec![error(MISSING), error(MISSING), ok(), ok(), error(MISSING)];
    let (seen, result) = send(AUTO, steps);
    assert_eq!((seen.len(), asked(&result)), (5, Some(Asked::Again)));
}

#[test]
fn a_failure_on_the_way_is_told_with_its_operation() {
    let steps = vec![error(MISSING), error(MISSING), error("LimitExceededException")];
    let (_, result) = send(AUTO, steps);
    assert_eq!(asked(&result), Some(Asked::Instead(Operation::CreateLogGroup)));
    let outcome = answers::outcome(&cloudwatch(AUTO), &result.unwrap(), 0);
    assert!(
        matches!(&outcome, Outcome::Config { reason } if reason.starts_with("CreateLogGroup: ")),
        "{outcome:?}"
    );

    // Nothing of the batch can be stored, whatever became of the stream.
    for lost in [Step::Swallowed, Step::NotSent] {
        let (_, result) = send("", vec![error(MISSING), lost]);
        let reason = String::from("CreateLogStream: as scripted");
        assert_eq!(result.unwrap_err(), SendError::NotSent { reason });
    }
    let (_, result) = send("", vec![error(MISSING), Step::NoCredentials]);
    assert!(matches!(result, Err(SendError::NoCredentials { .. })));
    // Of the put itself it is not known.
    let (_, result) = send("", vec![error(MISSING), ok(), Step::Swallowed]);
    assert!(matches!(result, Err(SendError::Unanswered { .. })));
}

#[test]
fn a_retention_that_could_not_be_set_is_set_before_anything_is_stored() {
    let to = cloudwatch(AUTO);
    let put = encode(&to, &Rows::new([(MADE_AT, "{}")]));
    let steps = [
        error(MISSING),
        error(MISSING),
        ok(),
        error("OperationAbortedException"),
    ];
    let scripted = ScriptedTransport::new(steps, Step::Tls);
    let creating = Creating::new(Arc::new(scripted.clone()), to.config.clone());
    let first = creating.send(&put);
    assert_eq!(asked(&first), Some(Asked::Instead(Operation::PutRetentionPolicy)));
    scripted.push([error(MISSING), ok(), ok(), ok()]);
    assert_eq!(creating.send(&put).unwrap().status(), 200);
    let second = &operations(&scripted)[4..];
    assert_eq!(
        second,
        [
            "PutLogEvents",
            "PutRetentionPolicy",
            "CreateLogStream",
            "PutLogEvents"
        ]
    );
}

#[test]
fn what_is_made_is_made_as_configured() {
    let keys = "auto_create_group = true\nlog_retention_days = \"90\"\nkms_key_id = \"arn:aws:kms:eu-central-1:1:key/k\"\n\
                log_group_tags = [\"team=audit\", \"cost=\"]\ndeletion_protection = \"on\"";
    let to = cloudwatch(keys);
    let steps = [error(MISSING), error(MISSING), ok(), ok(), ok()];
    let scripted = ScriptedTransport::new(steps, ok());
    let creating = Creating::new(Arc::new(scripted.clone()), to.config.clone());
    let put = encode(&to, &Rows::new([(MADE_AT, "{}")]));
    let further = HeaderMap::from_iter([("x-further".parse().unwrap(), "1".parse().unwrap())]);
    creating.send_with(&put, &further).unwrap();
    let seen = scripted.received();
    let body = |at: usize| serde_json::from_slice::<Value>(seen[at].body()).unwrap();
    assert_eq!(
        body(1),
        json!({ "logGroupName": "/audit/x", "logStreamName": "web-1" })
    );
    let group = json!({
        "logGroupName": "/audit/x",
        "logGroupClass": "STANDARD",
        "kmsKeyId": "arn:aws:kms:eu-central-1:1:key/k",
        "tags": { "team": "audit", "cost": "" },
        "deletionProtectionEnabled": true,
    });
    assert_eq!(body(2), group);
    assert_eq!(
        body(3),
        json!({ "logGroupName": "/audit/x", "retentionInDays": 90 })
    );
    assert_eq!(seen[5].body(), seen[0].body());
    assert!(seen[0].headers().contains_key("x-further") && seen[5].headers().contains_key("x-further"));
}

#[test]
fn a_question_of_a_check_makes_nothing() {
    let to = cloudwatch(AUTO);
    let scripted = ScriptedTransport::new([error(MISSING)], ok());
    let creating = Creating::new(Arc::new(scripted.clone()), to.config.clone());
    crate::destination::check::run(&to, &creating);
    assert_eq!(operations(&scripted), ["PutLogEvents"]);
}
