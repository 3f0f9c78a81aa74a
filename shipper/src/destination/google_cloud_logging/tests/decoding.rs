//! Partial errors as the API gives them, and the words of the others.

use serde_json::{Value, json};

use super::*;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{Class, class};
use crate::transport::SendError;
use crate::transport::authorized::ClockSkew;

fn partial(status: u16, errors: Value) -> Response<Vec<u8>> {
    let body = json!({
        "error": {
            "code": status,
            "message": "Log entries were partially written",
            "status": "INVALID_ARGUMENT",
            "details": [
                { "@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": "x" },
                { "@type": "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors", "logEntryErrors": errors },
            ],
        },
    });
    answer(
        status,
        &[("content-type", "application/json; charset=UTF-8")],
        &body.to_string(),
    )
}

#[test]
fn every_entry_has_its_verdict() {
    let rejected = |code: &str| Verdict::Rejected {
        code: code.to_owned(),
        reason: String::from("why"),
    };
    let again = || Verdict::Retry { after: None };
    for (code, verdict) in [
        (3, rejected("INVALID_ARGUMENT")),
        (5, rejected("NOT_FOUND")),
        (6, rejected("ALREADY_EXISTS")),
        (9, rejected("FAILED_PRECONDITION")),
        (11, rejected("OUT_OF_RANGE")),
        (12, rejected("UNIMPLEMENTED")),
        (15, rejected("DATA_LOSS")),
        (7, again()),
        (16, again()),
        (0, again()),
        (1, again()),
        (2, again()),
        (4, again()),
        (8, again()),
        (10, again()),
        (13, again()),
        (14, again()),
        (99, again()),
    ] {
        for status in [400, 403, 429, 500] {
            let response = partial(status, json!({ "1": { "code": code, "message": "why" } }));
            assert_eq!(
                decoded("", &response),
                Outcome::Verdicts(vec![Verdict::Stored, verdict.clone(), Verdict::Stored]),
                "{code} with {status}"
            );
        }
    }
    let response = partial(
        400,
        json!({ "0": { "code": 3, "message": "why" }, "2": { "code": 8 } }),
    );
    assert_eq!(
        decoded("", &response),
        Outcome::Verdicts(vec![rejected("INVALID_ARGUMENT"), Verdict::Stored, again()])
    );
}

use crate::destination::Verdict;

#[test]
fn a_permission_that_is_missing_for_all_is_no_verdict() {
    let denied = json!({ "code": 7, "message": "denied" });
    let response = partial(403, json!({ "0": denied, "1": denied, "2": denied }));
    let Outcome::Auth { reason } = decoded("", &response) else {
        panic!("{:?}", decoded("", &response))
    };
    assert!(
        reason.contains("logging.logEntries.create is missing on projects/audit-project"),
        "{reason}"
    );
}

#[test]
fn what_cannot_be_understood_is_not_taken_for_stored() {
    for errors in [
        json!({}),
        json!(null),
        json!([]),
        json!({ "3": { "code": 3 } }),
        json!({ "-1": {} }),
        json!({ "x": {} }),
    ] {
        let outcome = decoded("", &partial(400, errors.clone()));
        assert_eq!(class(&outcome), Class::Unclear, "{errors}");
    }
    let outcome = decoded("", &partial(400, json!({ "1": "no object" })));
    assert_eq!(
        outcome,
        Outcome::Verdicts(vec![
            Verdict::Stored,
            Verdict::Retry { after: None },
            Verdict::Stored
        ])
    );
}

#[test]
fn what_is_cut_may_have_had_verdicts() {
    let cut = |bytes: usize, status: u16| {
        let mut response = partial(status, json!({ "1": { "code": 3 } }));
        response.body_mut().resize(bytes, b' ');
        response.extensions_mut().insert(crate::transport::BodyCut);
        class(&decoded("", &response))
    };
    for status in [400, 403] {
        assert_eq!(cut(100, status), Class::Unclear);
        // The same again would bring the same; fewer entries have fewer verdicts.
        assert_eq!(cut(crate::transport::http::MAX_BODY, status), Class::TooLarge);
    }
}

fn error(status: u16, word: &str, message: &str, details: Value) -> Response<Vec<u8>> {
    let body = json!({ "error": { "code": status, "status": word, "message": message, "details": details } });
    answer(status, &[], &body.to_string())
}

#[test]
fn an_answer_says_what_to_do() {
    let info =
        |reason: &str| json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason }]);
    for (response, parts) in [
        (
            error(
                403,
                "PERMISSION_DENIED",
                "Permission 'logging.logEntries.create' denied on resource (or it may not exist).",
                json!([]),
            ),
            vec![
                "403 PERMISSION_DENIED: Permission 'logging",
                "roles/logging.logWriter",
                "on projects/audit-project",
            ],
        ),
        (
            error(
                403,
                "PERMISSION_DENIED",
                "Cloud Logging API has not been used",
                info("SERVICE_DISABLED"),
            ),
            vec!["gcloud services enable logging.googleapis.com --project=audit-project"],
        ),
        (
            error(
                403,
                "PERMISSION_DENIED",
                "Request had insufficient authentication scopes.",
                info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            ),
            vec!["the VM's access scopes"],
        ),
        (
            error(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
                json!([]),
            ),
            vec!["401 UNAUTHENTICATED: Request had", "check the credentials"],
        ),
        (
            error(404, "NOT_FOUND", "no", json!([])),
            vec!["`project_id`", "projects/audit-project/logs/auditship"],
        ),
        (answer(407, &[], ""), vec!["`proxy`"]),
        (answer(302, &[], ""), vec!["`endpoint`"]),
        (
            answer(502, &[], "<html>\nbad gateway</html>"),
            vec!["502: <html> bad gateway</html>"],
        ),
    ] {
        let text = format!("{:?}", decoded("", &response));
        for part in parts {
            assert!(text.contains(part), "{text}");
        }
    }
    let mut response = error(401, "UNAUTHENTICATED", "no", json!([]));
    response.extensions_mut().insert(ClockSkew {
        ahead: 1_200_000_000_000,
    });
    let text = format!("{:?}", decoded("", &response));
    assert!(text.contains("20 min behind"), "{text}");
}

#[test]
fn a_delay_is_taken_from_the_details_or_the_header() {
    let info = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s" }]);
    let after = |outcome: Outcome| match outcome {
        Outcome::Throttled { after, .. } | Outcome::Unavailable { after, .. } => after,
        other => panic!("{other:?}"),
    };
    let quota = |details: Value| error(429, "RESOURCE_EXHAUSTED", "Quota exceeded", details);
    assert_eq!(
        after(decoded("", &quota(info))),
        Some(Duration::from_millis(1500))
    );
    assert_eq!(after(decoded("", &quota(json!([])))), None);
    for wrong in ["1.5", "-1s", "xs", "NaNs", "1e999s"] {
        let info = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wrong }]);
        assert_eq!(after(decoded("", &quota(info))), None, "{wrong}");
    }
    assert_eq!(
        after(decoded("", &answer(503, &[("retry-after", "7")], ""))),
        Some(Duration::from_secs(7))
    );
}

#[test]
fn an_entry_that_its_bucket_does_not_keep_is_not_stored() {
    let outcome = |keys: &str, days: i64| {
        let lines = Lines::new([b"{}".to_vec(), b"{}".to_vec()]);
        let logging = logging(keys);
        let attempt = Attempt {
            // The records are of 100 and 101 us after the epoch.
            made_at: Timestamp(days * 86_400_000_000_000 + 100_500),
            ..crate::destination::contract::attempt(&logging, &lines)
        };
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        logging.decode(&batch, &answer(200, &[], "{}\n"))
    };
    assert_eq!(outcome("", 29), Outcome::Stored);
    let Outcome::Verdicts(verdicts) = outcome("", 30) else {
        panic!("all stored")
    };
    let Verdict::NotKept { code, reason } = &verdicts[0] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(
        (code.as_str(), &verdicts[1]),
        ("older_than_retention", &Verdict::Stored)
    );
    assert!(
        reason.contains("30 days") && reason.contains("1970-01-01T00:00:00.000100000Z"),
        "{reason}"
    );
    assert_eq!(outcome("retention = \"365d\"", 364), Outcome::Stored);
}

/// The code of each verdict on records of 1970 whose batch was made `made_at` days later; stored has none.
fn codes(made_at: i64, response: &Response<Vec<u8>>) -> Vec<String> {
    let lines = Lines::new([b"{}".to_vec(), b"{}".to_vec()]);
    let logging = logging("");
    let attempt = Attempt {
        made_at: Timestamp(made_at * 86_400_000_000_000),
        ..crate::destination::contract::attempt(&logging, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    match logging.decode(&batch, response) {
        Outcome::Stored => vec![String::new(); 2],
        Outcome::Verdicts(verdicts) => verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Stored => String::new(),
                Verdict::Rejected { code, .. } | Verdict::NotKept { code, .. } => code,
                Verdict::Retry { .. } | Verdict::Unclear => String::from("again"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_accepted_beside_a_partial_error_may_not_be_kept_either() {
    let response = partial(400, json!({ "0": { "code": 3, "message": "why" } }));
    assert_eq!(codes(31, &response), ["INVALID_ARGUMENT", "older_than_retention"]);
    assert_eq!(codes(29, &response), ["INVALID_ARGUMENT", ""]);
}

#[test]
fn how_old_an_entry_is_the_answer_says_and_not_the_batch_that_waited() {
    let dated = |date| answer(200, &[("date", date)], "{}");
    assert_eq!(codes(1, &dated("Fri, 30 Jan 1970 00:00:00 GMT")), ["", ""]);
    let late = dated("Sun, 01 Feb 1970 00:00:00 GMT");
    assert_eq!(codes(1, &late), ["older_than_retention", "older_than_retention"]);
    // Ours was ahead when the batch was made.
    assert_eq!(codes(400, &dated("Fri, 30 Jan 1970 00:00:00 GMT")), ["", ""]);
}

#[test]
fn an_entry_of_the_day_after_tomorrow_is_accepted_and_not_stored() {
    let accepted = answer(200, &[], "{}");
    assert_eq!(codes(-1, &accepted), ["too_far_ahead", "too_far_ahead"]);
    assert_eq!(codes(0, &accepted), ["", ""]);
    let dated = answer(200, &[("date", "Wed, 31 Dec 1969 00:00:00 GMT")], "{}");
    assert_eq!(codes(0, &dated), ["too_far_ahead", "too_far_ahead"]);
}

#[test]
fn a_check_is_a_dry_run() {
    let logging = logging("envelope = '{\"data\": {{{ log_message }}}}'\nlabels = \"job=engflow_logs\"");
    let Step::Ask(question) = logging.next(&[]) else {
        panic!("asks nothing")
    };
    assert_eq!(question.uri(), "https://logging.googleapis.com/v2/entries:write");
    let body: Value = serde_json::from_slice(question.body()).unwrap();
    assert_eq!(body["dryRun"], true);
    assert_eq!(body["labels"], json!({ "job": "engflow_logs" }));
    assert_eq!(body["entries"].as_array().unwrap().len(), 1);
    assert!(body["entries"][0]["jsonPayload"]["data"]["message"].is_string());
    let judge = |answer| match logging.next(&[answer]) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    let Finding::Ready { proven } = judge(Ok(answer(200, &[], "{}"))) else {
        panic!("not ready")
    };
    assert!(proven.contains("nothing was written"), "{proven}");
    let mut skewed = answer(200, &[], "{}");
    skewed.extensions_mut().insert(ClockSkew {
        ahead: 7_200_000_000_000,
    });
    let finding = judge(Ok(skewed));
    assert!(
        matches!(&finding, Finding::Ready { proven } if proven.contains("clock is 120 min behind")),
        "{finding:?}"
    );
    for (status, part) in [
        (401, "check the credentials"),
        (403, "roles/logging.logWriter"),
        (404, "`project_id`"),
        (400, "400"),
        (503, "503"),
    ] {
        let Finding::Failed { reason } = judge(Ok(answer(status, &[], ""))) else {
            panic!("{status}")
        };
        assert!(reason.contains(part), "{reason}");
    }
    let partial = judge(Ok(partial(
        403,
        json!({ "0": { "code": 7, "message": "denied" } }),
    )));
    let Finding::Failed { reason } = partial else {
        panic!("{partial:?}")
    };
    assert!(reason.contains("logging.logEntries.create"), "{reason}");
    let error = SendError::NoCredentials {
        reason: String::from("none found: log in"),
    };
    assert_eq!(
        judge(Err(error)),
        Finding::Failed {
            reason: String::from("no credentials: none found: log in")
        }
    );
}

#[test]
fn a_200_that_says_anything_is_not_the_api_s() {
    for body in [
        "{\"status\":\"ok\"}",
        "{\"message\":\"log in\"}",
        "[]",
        "null",
        "OK",
        "",
    ] {
        let outcome = decoded("", &answer(200, &[], body));
        assert_eq!(class(&outcome), Class::Unclear, "{body}");
    }
}
