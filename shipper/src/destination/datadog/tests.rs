use std::time::Duration;

use ::http::header;
use serde_json::{Value, json};

use super::*;
use crate::config::Environment;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::{Attempt, KindConfig, TooOld, Verdict};
use crate::time::Timestamp;

fn parse(keys: &str) -> Result<Config, ConfigError> {
    let environment = Environment::empty().with_hostname("web-1");
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment)? {
        KindConfig::Datadog(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn datadog(keys: &str) -> Datadog {
    Datadog::new(parse(&format!("apikey = \"hunter2\"\n{keys}")).unwrap())
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Vec<u8>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.as_bytes().to_vec()).unwrap()
}

/// The rows of the table, status by status.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let classes: [(Class, &[u16]); 9] = [
        (Class::Verdicts, &[202]),
        (Class::Auth, &[401, 403, 407]),
        (Class::Unacknowledged, &[200, 201, 204]),
        (Class::Config, &[301, 308, 404, 405, 410, 415, 501]),
        (Class::TooLarge, &[413]),
        (Class::Throttled, &[429]),
        (Class::Unavailable, &[425, 503, 507]),
        (Class::Unclear, &[100, 408, 500, 502, 504, 599, 600, 999]),
        (Class::Refused, &[400, 409, 422]),
    ];
    // The suite's records are of 1970: by this clock none is too old.
    let date = [("date", "Thu, 01 Jan 1970 00:00:10 GMT")];
    let of = |(class, codes): (Class, &'static [u16])| {
        codes.iter().map(move |code| (answer(*code, &date, ""), 0, class))
    };
    classes.into_iter().flat_map(of).collect()
}

fn records(plain: &[u8]) -> Vec<Value> {
    let logs: Vec<Value> = serde_json::from_slice(plain).unwrap();
    logs.into_iter().map(|mut log| log["audit"].take()).collect()
}

fn every_byte(plain: &[u8]) -> u64 {
    plain.len() as u64
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "",
        "compression = \"none\"\ndd_tags = [\"env:a\", \"team:b\"]\ndd_service = \"a\\\"b\"\ntoo_old = \"restamp\"",
    ] {
        let proxy = "proxy = \"http://p:hunter2@proxy.example:3128\"";
        let config = parse(&format!("apikey = \"hunter2\"\n{proxy}\n{keys}")).unwrap();
        let route = route(&config).unwrap();
        let restamped = keys.contains("restamp");
        let subject = Subject {
            destination: route.destination.clone(),
            layout: Layout::Own {
                counted: every_byte,
                records,
            },
            // What is said back of the key is masked by the transport.
            secrets: vec![],
            shown: vec![],
            stored: vec![],
            answers: answers(),
        };
        // Restamped to the time of their batch, which is far ahead of the answers' clock.
        assert!(restamped || config.too_old == TooOld::DeadLetter);
        contract::suite(&subject);
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            route.destination.target(),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

/// A batch of one record of `own`, made at `made_at`.
fn sent(datadog: &Datadog, own: i64, made_at: i64) -> (Value, impl Fn(&str) -> Verdict) {
    const HOUR: i64 = 3_600_000_000_000;
    let base = 1_767_225_600_000_000_000; // 2026-01-01T00:00:00Z
    let mut lines = Lines::new([b"{\"a\":1}".to_vec()]);
    lines.set_time(0, Timestamp(base + own * HOUR));
    let attempt = Attempt {
        made_at: Timestamp(base + made_at * HOUR),
        ..contract::attempt(datadog, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = datadog.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    let mut logs: Vec<Value> = serde_json::from_slice(request.body()).unwrap();
    let log = logs.remove(0);
    let datadog = datadog.clone();
    let decode = move |date: &str| {
        let mut headers = vec![];
        if !date.is_empty() {
            headers.push(("date", date));
        }
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        match datadog.decode(&batch, &answer(202, &headers, "{}")) {
            Outcome::Verdicts(mut verdicts) => verdicts.remove(0),
            other => panic!("{other:?}"),
        }
    };
    (log, decode)
}

#[test]
fn a_log_is_judged_by_the_time_that_was_sent_and_the_intake_s_clock() {
    let plain = "compression = \"none\"";
    let own = datadog(plain);
    let (log, decode) = sent(&own, 0, 0);
    assert_eq!(
        log,
        json!({ "ddsource": "auditship", "hostname": "web-1", "timestamp": 1_767_225_600_000_i64, "audit": { "a": 1 } })
    );
    assert_eq!(decode("Thu, 01 Jan 2026 17:54:59 GMT"), Verdict::Stored);
    let late = decode("Thu, 01 Jan 2026 17:55:01 GMT");
    let Verdict::NotKept { code, reason } = late else {
        panic!("{late:?}")
    };
    assert_eq!(code, "older_than_18_hours");
    assert!(
        reason.contains("2026-01-01T00:00:00") && reason.contains("restamp"),
        "{reason}"
    );
    // Without the intake's clock the batch's own time counts.
    assert_eq!(decode(""), Verdict::Stored);
    assert!(matches!(sent(&own, 0, 19).1(""), Verdict::NotKept { .. }));

    let restamp = datadog(&format!("{plain}\ntoo_old = \"restamp\""));
    let (log, decode) = sent(&restamp, 0, 17);
    assert_eq!(log["timestamp"], 1_767_225_600_000_i64, "at the margin");
    assert_eq!(decode("Thu, 01 Jan 2026 17:00:00 GMT"), Verdict::Stored);
    let (log, decode) = sent(&restamp, 0, 18);
    assert_eq!(log["timestamp"], 1_767_225_600_000_i64 + 18 * 3_600_000);
    assert_eq!(decode("Fri, 02 Jan 2026 11:00:00 GMT"), Verdict::Stored);
    let late = decode("Fri, 02 Jan 2026 13:00:00 GMT");
    let Verdict::NotKept { reason, .. } = late else {
        panic!("{late:?}")
    };
    assert!(reason.contains("was sent as of 2026-01-01T18:00:00"), "{reason}");
}

/// An outage of an hour makes a log of 17 hours too old, and one of 18 hours the time that another was given.
#[test]
fn a_batch_is_made_anew_before_the_intake_drops_what_was_restamped() {
    const MINUTE: i64 = 60_000_000_000;
    let base = 1_767_225_600_000_000_000;
    for (keys, age, until) in [
        ("too_old = \"restamp\"", 17 * 60, Some(55)),
        ("too_old = \"restamp\"", 60, Some(16 * 60 + 55)),
        ("too_old = \"restamp\"", 40 * 60, Some(17 * 60 + 55)),
        ("", 17 * 60, None),
        ("", 40 * 60, None),
    ] {
        let datadog = datadog(keys);
        let mut lines = Lines::new([b"{\"a\":1}".to_vec()]);
        lines.set_time(0, Timestamp(base - age * MINUTE));
        let attempt = Attempt {
            made_at: Timestamp(base),
            ..contract::attempt(&datadog, &lines)
        };
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        let is_stale = |after: i64| datadog.is_stale(&batch, Timestamp(base + after * MINUTE));
        assert!(!is_stale(0), "{keys} {age}");
        if let Some(until) = until {
            assert!(!is_stale(until) && is_stale(until + 1), "{keys} {age}");
        } else {
            assert!(!is_stale(100 * 24 * 60), "{keys} {age}");
        }
    }
}

#[test]
fn the_limits_are_those_of_the_documentation() {
    let limits = datadog("").limits();
    assert_eq!(
        (limits.bytes, limits.records, limits.record_bytes),
        (5_000_000, 1_000, 1_000_000)
    );
    // The whole log counts, to the byte for a time of today.
    let datadog = datadog("compression = \"none\"");
    let mut lines = Lines::new([b"{\"a\":1}".to_vec()]);
    lines.set_time(0, Timestamp(1_767_225_600_000_000_000));
    let attempt = contract::attempt(&datadog, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = datadog.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    assert_eq!(request.body().len() as u64, datadog.size(&lines.records()[0]) + 2);
    assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(
        request.uri().to_string(),
        "https://http-intake.logs.datadoghq.com/api/v2/logs"
    );
}

#[test]
fn delays_and_words_are_taken_from_the_answer() {
    let datadog = datadog("");
    let lines = Lines::new([b"{}".to_vec()]);
    let attempt = contract::attempt(&datadog, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    assert_eq!(
        datadog.decode(&batch, &answer(429, &[("retry-after", "7")], "slow down")),
        Outcome::Throttled {
            after: Some(Duration::from_secs(7)),
            reason: String::from("429 Too Many Requests: slow down"),
        }
    );
    let outcome = datadog.decode(&batch, &answer(403, &[], "Forbidden"));
    assert!(
        matches!(&outcome, Outcome::Auth { reason } if reason.contains("`site`")),
        "{outcome:?}"
    );
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    for (keys, key, part) in [
        ("", "apikey", "is missing"),
        ("apikey = \"env:ABSENT\"", "apikey", "ABSENT"),
        (
            "{key}site = \"https://datadoghq.eu\"",
            "site",
            "us5.datadoghq.com",
        ),
        ("{key}site = \"datadoghq\"", "site", "datadoghq.eu"),
        (
            "{key}site = \"datadoghq.eu\"\nendpoint = \"https://a.example\"",
            "endpoint",
            "exclude",
        ),
        (
            "{key}endpoint = \"http://a.example\"",
            "endpoint",
            "allow_plaintext",
        ),
        ("{key}dd_tags = [\"env\"]", "dd_tags", "env:production"),
        ("{key}dd_tags = [\"env:\"]", "dd_tags", "env:production"),
        ("{key}dd_service = \"\"", "dd_service", "is empty"),
        ("{key}attribute = \"a.b\"", "attribute", "letters"),
        ("{key}attribute = \"message\"", "attribute", "meaning of its own"),
        ("{key}too_old = \"drop\"", "too_old", "`restamp`"),
        ("{key}compression = \"zstd\"", "compression", "`gzip`"),
        ("{key}api_kei = \"a\"", "api_kei", "did you mean `apikey`?"),
    ] {
        let keys = keys.replace("{key}", "apikey = \"hunter2\"\n");
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        let text = error.to_string();
        assert!(text.contains(part) && !text.contains("hunter2"), "{keys}: {text}");
    }
}

#[test]
fn every_key_that_is_listed_is_read() {
    for key in KindConfig::keys(KIND).unwrap() {
        let table: toml::Table = toml::from_str(&format!("{key} = [[1]]")).unwrap();
        let error = KindConfig::from_table(KIND, table, &Environment::empty()).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
        assert_eq!(error.key(), key);
    }
}

#[test]
fn a_check_asks_the_api_whether_the_key_is_valid() {
    let datadog = datadog("site = \"us5.datadoghq.com\"");
    let Step::Ask(question) = datadog.next(&[]) else {
        panic!("asks nothing")
    };
    assert_eq!(
        question.uri().to_string(),
        "https://api.us5.datadoghq.com/api/v1/validate"
    );
    let judge = |response| match datadog.next(&[Ok(response)]) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    assert!(matches!(
        judge(answer(200, &[], "{\"valid\":true}")),
        Finding::Reachable { .. }
    ));
    for response in [
        answer(200, &[], "{\"valid\":false}"),
        answer(200, &[], "<html>"),
        answer(403, &[], "{\"errors\":[\"Forbidden\"]}"),
        answer(202, &[], ""),
    ] {
        assert!(matches!(judge(response), Finding::Failed { .. }));
    }
}
