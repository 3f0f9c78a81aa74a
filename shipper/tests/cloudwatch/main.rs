//! `cloudwatch_logs` against moto behind a strict front: every record is stored, or a dead letter with the reason.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

#[path = "../support/bench.rs"]
mod bench;
#[path = "../support/aws/counterpart.rs"]
mod counterpart;
#[path = "../support/python.rs"]
mod python;

use std::collections::{BTreeMap, HashSet};

use auditship::control::status::Activity;
use auditship::destination::check::{self, Finding};
use auditship::destination::{KindConfig, build};
use auditship::spool::cursor::{Counts, HoldKind};
use auditship::time::{Clock as _, SystemClock, Timestamp};
use bench::Bench;
use counterpart::{Counterpart, keys};
use serde_json::{Value, json};

const KIND: &str = "cloudwatch_logs";
const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

fn now() -> i64 {
    SystemClock::new().wall().as_millis()
}

fn rfc3339(millis: i64) -> String {
    Timestamp(millis * 1_000_000).to_rfc3339()
}

/// A record of this number and time.
fn line(n: u64, millis: i64, text: &str) -> String {
    let time = rfc3339(millis);
    format!("{{\"@timestamp\":\"{time}\",\"n\":{n},\"text\":\"{text}\"}}\n")
}

/// What auditship appends to a record of a spool.
fn suffix(seq: u64) -> usize {
    let (spool, epoch) = ("0".repeat(32), "0".repeat(16));
    format!(",\"auditship\":{{\"spool\":\"{spool}\",\"epoch\":\"{epoch}\",\"seq\":{seq}}}").len()
}

/// A record that is `size` bytes long in the spool, without its newline.
fn line_of(n: u64, millis: i64, size: usize) -> String {
    let rest = line(n, millis, "").len() - 1 + suffix(n);
    line(n, millis, &format!("\\\"{}", "x".repeat(size - rest - 2)))
}

fn number(record: &Value) -> u64 {
    record["n"].as_u64().unwrap()
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stored,
    TooOld,
    TooNew,
    TooLarge,
}

/// 100,000 records over three days, in no strict order of time; the odd ones among them are far apart.
fn fate(n: u64) -> Fate {
    match n % 1_000 {
        311 => Fate::TooOld,
        622 => Fate::TooNew,
        900 if n % 20_000 == 900 => Fate::TooLarge,
        _ => Fate::Stored,
    }
}

const RECORDS: u64 = 100_000;

fn record(n: u64, start: i64) -> (i64, String) {
    // 2.6 seconds apart, and up to a minute too early or too late.
    let jitter = i64::try_from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 47).unwrap() % (120 * SECOND);
    let own = start + i64::try_from(n).unwrap() * 3 * DAY / i64::try_from(RECORDS).unwrap() + jitter;
    match fate(n) {
        Fate::Stored if n % 10_000 == 77 => (own, line_of(n, own, 1_048_550)),
        Fate::Stored => (own, line(n, own, "a \\\"quoted\\\" word, a \\\\ and \\u0001")),
        Fate::TooOld => (own - 15 * DAY, line(n, own - 15 * DAY, "")),
        Fate::TooNew => (own + 30 * DAY, line(n, own + 30 * DAY, "")),
        Fate::TooLarge => (own, line_of(n, own, 1_048_551)),
    }
}

#[test]
fn every_record_of_three_days_is_stored_or_a_dead_letter_with_the_reason() {
    let Some(service) = Counterpart::start("cloudwatch: every record of three days") else {
        return;
    };
    let start = now() - 3 * DAY - HOUR;
    let mut bench = Bench::new(
        KIND,
        &format!(
            "log_group_name = \"/audit/three-days\"\nauto_create_group = true\nlog_retention_days = 30\n\
             log_group_tags = \"team=audit\"\nendpoint = \"{}\"\ndead_letter_rate = \"100%\"\n",
            service.url()
        ),
        keys(),
    );
    let mut expected = Vec::new();
    for first in (0..RECORDS).step_by(5_000) {
        if first == 5_000 {
            // There is a stream now.
            bench.until("what was written is settled", |status| {
                status.counts.delivered + status.counts.dead_lettered == first
            });
            service.faults(&json!([
                { "kind": "error", "code": "ThrottlingException", "message": "Rate exceeded", "count": 3 },
                { "kind": "status", "status": 503, "count": 2 },
                { "kind": "lost", "count": 2 },
                { "kind": "status", "status": 500 },
                { "kind": "proxy" },
                { "kind": "error", "code": "ServiceUnavailableException" },
                { "kind": "lost" },
            ]));
        }
        let expired = first == RECORDS / 2;
        if expired {
            bench.until("what was written is settled", |status| {
                status.counts.delivered + status.counts.dead_lettered == first
            });
            service.faults(&json!([{ "kind": "expired", "count": 1_000_000_000 }]));
        }
        let mut lines = String::new();
        for n in first..first + 5_000 {
            let (time, text) = record(n, start);
            if fate(n) == Fate::Stored {
                expected.push((time, n));
            }
            lines.push_str(&text);
        }
        let before = bench.status().counts;
        bench.write(&lines);
        if expired {
            is_held_until_it_is_right_again(&service, &bench, &before);
        }
    }
    bench.drain();

    // Everything is somewhere, and only there.
    let letters: BTreeMap<u64, Fate> = bench.letters().iter().map(letter).collect();
    let odd: BTreeMap<u64, Fate> = (0..RECORDS)
        .map(|n| (n, fate(n)))
        .filter(|(_, fate)| *fate != Fate::Stored)
        .collect();
    assert_eq!(letters, odd);
    let counts = bench.status().counts;
    assert_eq!(counts.dead_lettered, odd.len() as u64);
    assert_eq!(counts.delivered + counts.dead_lettered, RECORDS, "{counts:?}");

    // A reply that was lost is a batch that came twice: each record of it is recognised by its place in the spool.
    let mut seen = HashSet::new();
    let mut stored = service.stored("/audit/three-days", "web-1");
    let came = stored.len();
    stored.retain(|(_, record)| seen.insert(record["auditship"].to_string()));
    assert!(
        came > stored.len() && came - stored.len() <= 30_000,
        "{came} came"
    );

    // Under their own times, and those of one time in the order in which they came in.
    stored.sort_by_key(|(time, _)| *time);
    expected.sort_by_key(|(time, _)| *time);
    let stored: Vec<_> = stored
        .iter()
        .map(|(time, record)| (*time, number(record)))
        .collect();
    assert!(
        stored == expected,
        "{} stored, {} expected",
        stored.len(),
        expected.len()
    );

    let answers = service.answers();
    for answer in [
        "PutLogEvents ResourceNotFoundException",
        "CreateLogStream ResourceNotFoundException",
        "CreateLogGroup 200",
        "PutRetentionPolicy 200",
        "CreateLogStream 200",
        "PutLogEvents ThrottlingException",
        "PutLogEvents ServiceUnavailableException",
        "PutLogEvents ExpiredTokenException",
        "PutLogEvents 503",
        "PutLogEvents 500",
        "PutLogEvents proxy",
    ] {
        assert!(answers.contains_key(answer), "no {answer} in {answers:?}");
    }
    // Nothing was sent that the service refuses for what it is.
    assert_eq!(
        answers.get("PutLogEvents InvalidParameterException"),
        None,
        "{answers:?}"
    );
    assert_eq!(
        service.group("/audit/three-days"),
        json!({ "retention": 30, "kms": null, "tags": { "team": "audit" } })
    );
}

/// The session token has expired: the destination is held with the reason and gives nothing up.
fn is_held_until_it_is_right_again(service: &Counterpart, bench: &Bench, before: &Counts) {
    bench.until("held", |status| match &status.activity {
        Activity::Held { kind, reason, .. } => {
            *kind == HoldKind::Auth && reason.contains("the credentials have expired")
        }
        _ => false,
    });
    let asked = bench.status().requests;
    bench.until("it goes on asking", |status| status.requests > asked + 10);
    let counts = bench.status().counts;
    assert_eq!(
        (counts.delivered, counts.dead_lettered),
        (before.delivered, before.dead_lettered)
    );
    service.heal();
}

fn letter(letter: &auditship::spool::dead_letter::DeadLetter) -> (u64, Fate) {
    let record: Value = serde_json::from_slice(&letter.record).unwrap();
    let fate = match letter.code.as_str() {
        "tooOldLogEvent" if letter.reason.contains("older than the 14 days") => Fate::TooOld,
        "tooNewLogEvent" if letter.reason.contains("more than 2 hours ahead") => Fate::TooNew,
        _ if letter.reason.contains("1048550") => Fate::TooLarge,
        code => panic!("{code}: {}", letter.reason),
    };
    (number(&record), fate)
}

#[test]
fn records_of_last_month_are_stored_under_a_new_time_and_keep_their_own_inside() {
    let Some(service) = Counterpart::start("cloudwatch: records of last month") else {
        return;
    };
    let keys_of = format!(
        "log_group_name = \"g\"\nauto_create_group = true\ntoo_old = \"restamp\"\ncompression = \"gzip\"\n\
         endpoint = \"{}\"\n",
        service.url()
    );
    let mut bench = Bench::new(KIND, &keys_of, keys());
    let begun = now();
    // Some that are too old, in front of some that are not, then some that are too new.
    let times = (0..3_000).map(|n| match n {
        0..1_000 => begun - 30 * DAY + n * 60 * SECOND,
        1_000..2_000 => begun - 2 * HOUR + n * SECOND,
        _ => begun + 20 * DAY + n * SECOND,
    });
    let times: Vec<i64> = times.collect();
    let lines: String = (0..).zip(&times).map(|(n, time)| line(n, *time, "")).collect();
    bench.write(&lines);
    bench.drain();
    assert_eq!(bench.letters(), []);
    assert_eq!(bench.status().counts.delivered, 3_000);
    let stored = service.stored("g", "web-1");
    let mut came: Vec<u64> = stored.iter().map(|(_, record)| number(record)).collect();
    came.sort_unstable();
    assert_eq!(came, (0..3_000).collect::<Vec<_>>());
    for (at, record) in stored {
        let n = usize::try_from(number(&record)).unwrap();
        assert_eq!(record["@timestamp"], rfc3339(times[n]));
        match n {
            1_000..2_000 => assert_eq!(at, times[n]),
            _ => assert!((begun..=now()).contains(&at), "{n} at {}", rfc3339(at)),
        }
    }
}

fn found(keys_of: &str, environment: &auditship::config::Environment) -> Finding {
    let table = keys_of.parse().unwrap();
    let route = build(&KindConfig::from_table(KIND, table, environment).unwrap()).unwrap();
    check::run(&*route.check, &*route.transport)
}

#[test]
fn what_is_wrong_is_told_by_a_check_and_holds_at_run_time() {
    let Some(service) = Counterpart::start("cloudwatch: what is wrong") else {
        return;
    };
    let with = |more: &str| {
        format!(
            "endpoint = \"{}\"\nlog_group_name = \"g\"\n{more}\n",
            service.url()
        )
    };
    let wrong = |name: &str, value: &str| {
        let right = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret/EXAMPLE+key"),
            ("AWS_SESSION_TOKEN", "session/token="),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let all = right.map(|(key, right)| {
            let value = if key == name { value } else { right };
            (key.to_owned(), value.to_owned())
        });
        auditship::config::Environment::from_iter(all).with_hostname("web-1")
    };
    for (environment, kind, said) in [
        (keys(), HoldKind::Config, "create the log group g in eu-central-1"),
        (
            wrong("AWS_SECRET_ACCESS_KEY", "no"),
            HoldKind::Auth,
            "check the secret access key",
        ),
        (
            wrong("AWS_ACCESS_KEY_ID", "no"),
            HoldKind::Auth,
            "the access key is not known",
        ),
        (
            wrong("AWS_SESSION_TOKEN", "no"),
            HoldKind::Auth,
            "the access key is not known",
        ),
        (
            wrong("AWS_REGION", "eu-west-1"),
            HoldKind::Auth,
            "scoped to region eu-central-1",
        ),
    ] {
        let Finding::Failed { reason } = found(&with(""), &environment) else {
            panic!("{said}: found nothing wrong");
        };
        assert!(reason.contains(said), "{reason}");
        let mut bench = Bench::new(KIND, &with(""), environment);
        bench.write("{\"n\":0}\n");
        bench.until(said, |status| match &status.activity {
            Activity::Held {
                kind: held, reason, ..
            } => *held == kind && reason.contains(said),
            _ => false,
        });
        let counts = bench.status().counts;
        assert_eq!((counts.delivered, counts.dead_lettered), (0, 0));
    }

    // Put right from outside: what was held goes out by itself.
    let mut held = Bench::new(KIND, &with(""), keys());
    held.write("{\"n\":1}\n");
    held.until("held", |status| matches!(status.activity, Activity::Held { .. }));
    assert!(matches!(
        found(&with("auto_create_group = true"), &keys()),
        Finding::Reachable { .. }
    ));
    let mut making = Bench::new(KIND, &with("auto_create_group = true"), keys());
    making.write("{\"n\":2}\n");
    making.drain();
    held.drain();
    let mut came: Vec<u64> = service
        .stored("g", "web-1")
        .iter()
        .map(|(_, record)| number(record))
        .collect();
    came.sort_unstable();
    assert_eq!(came, [1, 2]);
    let before = service.stored("g", "web-1").len();
    let ready = found(&with(""), &keys());
    assert!(matches!(&ready, Finding::Ready { .. }), "{ready:?}");
    assert_eq!(
        service.stored("g", "web-1").len(),
        before,
        "a check stores nothing"
    );
}
