use ::http::{HeaderValue, header};

use super::ack::Acknowledgement;
use super::*;
use crate::config::Environment;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::{KindConfig, Verdict};
use crate::time::Timestamp;
use crate::transport::pause::Waited;

mod acknowledging;
mod keys;

const URL: &str = "https://splunk.example:8088";

pub(super) fn parse(keys: &str) -> Result<Config, ConfigError> {
    let environment = Environment::from([("TOKEN", "hunter2-env")]).with_hostname("web-1");
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment)? {
        KindConfig::SplunkHec(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn hec(keys: &str) -> SplunkHec {
    SplunkHec::new(parse(&format!("url = \"{URL}\"\ntoken = \"hunter2\"\n{keys}")).unwrap())
}

fn answer(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .body(body.as_bytes().to_vec())
        .unwrap()
}

fn code(status: u16, code: u32) -> Response<Vec<u8>> {
    answer(status, &format!("{{\"text\":\"as documented\",\"code\":{code}}}"))
}

fn taken(acknowledgement: Option<Acknowledgement>) -> Response<Vec<u8>> {
    let mut response = answer(200, "{\"text\":\"Success\",\"code\":0,\"ackId\":7}");
    if let Some(acknowledgement) = acknowledgement {
        response.extensions_mut().insert(acknowledgement);
    }
    response
}

fn missing(end: Waited) -> Acknowledgement {
    Acknowledgement::Missing {
        waited: std::time::Duration::from_secs(300),
        problem: None,
        end,
    }
}

/// Every row of the table of codes, and what statuses say without one.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let mut answers = vec![
        (taken(Some(Acknowledgement::Received)), 0, Class::Stored),
        (taken(Some(missing(Waited::Enough))), 0, Class::Unacknowledged),
        (taken(Some(missing(Waited::Interrupted))), 0, Class::Unclear),
        (taken(Some(Acknowledgement::NotOffered)), 0, Class::Unacknowledged),
        (taken(None), 0, Class::Unacknowledged),
    ];
    let classes: [(Class, &[(u16, u32)]); 6] = [
        (
            Class::Auth,
            &[(403, 1), (401, 2), (401, 3), (403, 4), (400, 21), (400, 22)],
        ),
        (
            Class::Config,
            &[
                (400, 5),
                (400, 7),
                (400, 10),
                (400, 11),
                (400, 14),
                (400, 16),
                (200, 17),
                (400, 99),
            ],
        ),
        // Without the number of an event.
        (Class::Refused, &[(400, 6), (400, 12), (400, 13), (400, 15)]),
        (Class::Unclear, &[(500, 8), (500, 99)]),
        (
            Class::Throttled,
            &[(503, 9), (503, 18), (503, 19), (503, 20), (429, 99)],
        ),
        (Class::Unavailable, &[(503, 23)]),
    ];
    for (class, codes) in classes {
        answers.extend(
            codes
                .iter()
                .map(|(status, number)| (code(*status, *number), 0, class)),
        );
    }
    let statuses: [(Class, &[u16]); 8] = [
        (Class::Auth, &[401, 403, 407]),
        (Class::Config, &[301, 302, 400, 404, 405, 409, 410, 415, 422, 501]),
        (Class::Unacknowledged, &[200, 201, 204]),
        (Class::TooLarge, &[413]),
        (Class::Throttled, &[429]),
        (Class::Unavailable, &[425, 503, 507]),
        (Class::Unclear, &[100, 408, 500, 502, 504, 599, 600, 999]),
        (Class::Stored, &[]),
    ];
    for (class, codes) in statuses {
        answers.extend(codes.iter().map(|status| (answer(*status, ""), 0, class)));
    }
    answers
}

fn event_records(plain: &[u8]) -> Vec<serde_json::Value> {
    let events = serde_json::Deserializer::from_slice(plain).into_iter::<serde_json::Value>();
    events.map(|event| event.unwrap()["event"].take()).collect()
}

fn raw_records(plain: &[u8]) -> Vec<serde_json::Value> {
    let lines = plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn every_byte(plain: &[u8]) -> u64 {
    plain.len() as u64
}

#[test]
fn the_contract_is_kept() {
    let modes = [
        ("", event_records as fn(&[u8]) -> Vec<serde_json::Value>),
        ("mode = \"raw\"\ncompression = \"none\"", raw_records),
    ];
    for (keys, records) in modes {
        let config = parse(&format!(
            "url = \"{URL}\"\ntoken = \"hunter2\"\nevent_index = \"a\\\"b\"\nproxy = \"http://p:hunter2@proxy.example:3128\"\n{keys}"
        ))
        .unwrap();
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Own {
                counted: every_byte,
                records,
            },
            // What is said back of the token is masked by the transport.
            secrets: vec![],
            shown: vec![],
            stored: vec![200],
            answers: answers(),
        });
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            route.destination.target(),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

fn decode(hec: &SplunkHec, records: usize, response: &Response<Vec<u8>>) -> Outcome {
    let lines = Lines::new((0..records).map(|_| b"{}".to_vec()));
    let attempt = contract::attempt(hec, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    hec.decode(&batch, response)
}

#[test]
fn the_event_that_is_named_is_rejected_and_all_others_go_again_those_in_front_perhaps_twice() {
    let refusal = |number: &str| answer(400, &format!("{{\"text\":\"t\",\"code\":12{number}}}"));
    let again = Verdict::Retry { after: None };
    let rejected = Verdict::Rejected {
        code: String::from("12"),
        reason: String::from("400 t (code 12)"),
    };
    assert_eq!(
        decode(&hec(""), 3, &refusal(",\"invalid-event-number\":1")),
        Outcome::Verdicts(vec![Verdict::Unclear, rejected.clone(), again])
    );
    assert_eq!(
        decode(&hec(""), 1, &refusal(",\"invalid-event-number\":0")),
        Outcome::Verdicts(vec![rejected])
    );
    for number in ["", ",\"invalid-event-number\":3", ",\"invalid-event-number\":-1"] {
        let outcome = decode(&hec(""), 3, &refusal(number));
        assert_eq!(contract::class(&outcome), Class::Refused, "{number}");
    }
}

#[test]
fn only_without_acknowledgement_a_200_is_stored_and_that_is_said() {
    let response = answer(200, "{\"text\":\"Success\",\"code\":0}");
    let none = hec("ack = \"none\"");
    assert_eq!(decode(&none, 1, &response), Outcome::Stored);
    assert!(
        none.target().contains("without acknowledgement"),
        "{}",
        none.target()
    );
    let required = hec("");
    assert!(!required.target().contains("without"), "{}", required.target());
    let outcome = decode(&required, 1, &response);
    let Outcome::Unacknowledged { again: 0, reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(reason.contains("useACK"), "{reason}");
}

#[test]
fn a_success_that_is_not_the_collectors_is_sent_once_with_acknowledgement_or_without() {
    for keys in ["", "ack = \"none\""] {
        for response in [
            answer(200, ""),
            answer(202, ""),
            answer(204, ""),
            answer(200, "<html>"),
            code(201, 0),
            code(200, 99),
        ] {
            let outcome = decode(&hec(keys), 3, &response);
            let Outcome::Unacknowledged { again: 0, reason } = outcome else {
                panic!("{keys} {response:?}: {outcome:?}")
            };
            assert!(reason.contains("check `url`"), "{reason}");
        }
    }
}

#[test]
fn what_is_missing_says_where_to_look() {
    let hec = hec("ack_resend = 4");
    let outcome = decode(&hec, 1, &taken(Some(missing(Waited::Enough))));
    let Outcome::Unacknowledged { again: 4, reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        reason.contains("in 300 s") && reason.contains("stickiness"),
        "{reason}"
    );
}

fn request(hec: &SplunkHec) -> Request<Vec<u8>> {
    let lines = Lines::new([b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
    let attempt = contract::attempt(hec, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    hec.encode(&batch, &Context::at(Timestamp(0))).unwrap()
}

#[test]
fn a_request_is_what_the_collector_expects() {
    let event = request(&hec("event_index = \"audit\"\ncompression = \"none\""));
    assert_eq!(event.uri().to_string(), format!("{URL}/services/collector/event"));
    let head = "\"host\":\"web-1\",\"source\":\"auditship\",\"sourcetype\":\"_json\",\"index\":\"audit\"";
    // The records of the suite are of microseconds 100 and 101.
    assert_eq!(
        String::from_utf8(event.body().clone()).unwrap(),
        format!(
            "{{\"time\":0.000,{head},\"event\":{{\"a\":1}}}}{{\"time\":0.000,{head},\"event\":{{\"b\":2}}}}"
        )
    );
    assert_eq!(event.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(event.headers().len(), 1);

    let raw = request(&hec(
        "event_index = \"a b\"\nmode = \"raw\"\nack = \"none\"\nevent_host = \"h\"\nevent_source = \"s&t\"\nevent_sourcetype = \"x\"",
    ));
    assert_eq!(
        raw.uri().to_string(),
        format!("{URL}/services/collector/raw?host=h&source=s%26t&sourcetype=x&index=a%20b")
    );
    assert_eq!(raw.headers()[header::CONTENT_ENCODING], "gzip");
    // Of the spool, which is the same for all batches.
    assert_eq!(
        raw.headers()["x-splunk-request-channel"],
        "07070707-0707-4707-8707-070707070707"
    );
}

#[test]
fn times_have_three_decimals_and_none_is_before_1970() {
    let of = |nanos| {
        let mut lines = Lines::new([b"{}".to_vec()]);
        lines.set_time(0, Timestamp(nanos));
        let attempt = contract::attempt(&hec("compression = \"none\""), &lines);
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        let request = hec("compression = \"none\"").encode(&batch, &Context::at(Timestamp(0)));
        let body = String::from_utf8(request.unwrap().into_body()).unwrap();
        body["{\"time\":".len()..].split(',').next().unwrap().to_owned()
    };
    assert_eq!(of(1_767_323_045_006_999_999), "1767323045.006");
    assert_eq!(of(-1), "0.000");
    assert_eq!(of(i64::MIN), "0.000");
    assert_eq!(of(i64::MAX), "9223372036.854");
}

#[test]
fn a_check_proves_the_token_and_its_acknowledgement() {
    let hec = hec("event_index = \"audit\"");
    let no_data = || Ok(code(400, 5));
    let Step::Ask(first) = hec.next(&[]) else {
        panic!("asks nothing")
    };
    assert_eq!(
        (first.uri().path(), first.body().len()),
        ("/services/collector/event", 0)
    );
    let Step::Ask(second) = hec.next(&[no_data()]) else {
        panic!("asks once")
    };
    assert_eq!(second.uri().path(), "/services/collector/ack");
    assert_eq!(
        second.headers().get(ack::CHANNEL),
        first.headers().get(ack::CHANNEL)
    );
    let found = |answers: &[crate::destination::check::Answer]| match hec.next(answers) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    assert!(matches!(
        found(&[no_data(), Ok(answer(200, "{\"acks\":{\"0\":false}}"))]),
        Finding::Reachable { open, .. } if open.contains("the index audit")
    ));
    assert!(matches!(
        found(&[no_data(), Ok(code(400, 14))]),
        Finding::Failed { reason } if reason.contains("useACK")
    ));
    assert!(matches!(found(&[Ok(code(403, 4))]), Finding::Failed { reason } if reason.contains("`token`")));
    assert!(matches!(
        found(&[Ok(answer(200, "hello"))]),
        Finding::Failed { .. }
    ));
}

#[test]
fn a_guid_is_one() {
    assert_eq!(ack::guid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(ack::guid([0; 16]), "00000000-0000-4000-8000-000000000000");
    assert!(HeaderValue::from_str(&ack::guid([1; 16])).is_ok());
}
