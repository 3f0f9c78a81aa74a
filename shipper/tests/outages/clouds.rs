//! Each cloud refuses who sends for ten minutes, then takes what it is sent.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auditship::config::Environment;
use auditship::control::status::Activity;
use auditship::deliver::Drained;
use auditship::spool::cursor::HoldKind;
use auditship_testkit::receiver::{Received, Receiver, Reply};

use super::bench::{PATIENCE, Pace};
use super::{FILE, beside_a_directory};

const MINUTES: u64 = 10;
/// How far the shipper's clock is put forward at a time.
const STEP: Duration = Duration::from_secs(10);

struct Cloud {
    kind: &'static str,
    /// The keys beside `type` and `endpoint`.
    keys: &'static str,
    refusal: Reply,
    /// What the reason must name.
    says: &'static str,
    taken: fn(&Received) -> Reply,
}

fn reply(status: u16, header: (&str, &str), body: &str) -> Reply {
    Reply::Full {
        status,
        headers: vec![(header.0.to_owned(), header.1.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=UTF-8");

fn clouds() -> [Cloud; 4] {
    [
        Cloud {
            kind: "s3",
            keys: "region = \"eu-central-1\"\nbucket = \"audit\"\npath_style = true\ncompression = \"none\"",
            refusal: reply(
                400,
                ("content-type", "application/xml"),
                "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
            ),
            says: "ExpiredToken",
            taken: |_| reply(200, ("etag", "\"1\""), ""),
        },
        Cloud {
            kind: "cloudwatch_logs",
            keys: "region = \"eu-central-1\"\nlog_group_name = \"audit\"\nlog_stream_name = \"host\"",
            refusal: reply(
                400,
                ("x-amzn-requestid", "r"),
                r#"{"__type":"AccessDeniedException","message":"not authorized to perform: logs:PutLogEvents"}"#,
            ),
            says: "AccessDeniedException",
            taken: |_| reply(200, ("x-amzn-requestid", "r"), "{}"),
        },
        Cloud {
            kind: "gcs",
            keys: "bucket = \"audit\"\ncompression = \"none\"",
            refusal: reply(
                403,
                JSON,
                r#"{"error":{"code":403,"message":"does not have storage.objects.create access","errors":[{"reason":"forbidden"}]}}"#,
            ),
            says: "storage.objects.create",
            taken: |request| {
                let text = String::from_utf8_lossy(&request.body);
                let (_, rest) = text.split_once("\r\n\r\n").unwrap();
                let (resource, _) = rest.split_once("\r\n").unwrap();
                let resource: serde_json::Value = serde_json::from_str(resource).unwrap();
                let object = serde_json::json!({ "name": resource["name"], "generation": "1", "crc32c": resource["crc32c"] });
                reply(200, JSON, &object.to_string())
            },
        },
        Cloud {
            kind: "google_cloud_logging",
            keys: "project_id = \"p\"\nlog_name = \"audit\"",
            refusal: reply(
                403,
                JSON,
                r#"{"error":{"code":403,"message":"Permission 'logging.logEntries.create' denied","status":"PERMISSION_DENIED"}}"#,
            ),
            says: "logging.logEntries.create",
            taken: |_| reply(200, JSON, "{}"),
        },
    ]
}

/// The numbers of the records in a request, in their order, however they are laid out in it.
fn numbers(request: &Received) -> Vec<u64> {
    let text = String::from_utf8_lossy(&request.plain).replace("\\\"", "\"");
    let number = |rest: &str| {
        rest.split(|found: char| !found.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    text.split("\"n\":").skip(1).filter_map(number).collect()
}

fn is_metadata(request: &Received) -> bool {
    request.target.starts_with("/computeMetadata/")
}

#[test]
fn a_refusal_of_ten_minutes_costs_nothing_at_any_cloud() {
    for cloud in clouds() {
        let kind = cloud.kind;
        let refused = Arc::new(AtomicBool::new(true));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let receiver = Receiver::answering(listener, None, {
            let refused = Arc::clone(&refused);
            move |request| match refused.load(Ordering::SeqCst) {
                _ if is_metadata(request) => {
                    let token =
                        r#"{"access_token":"ya29.token-of-the-vm","expires_in":3599,"token_type":"Bearer"}"#;
                    reply(200, ("metadata-flavor", "Google"), token)
                }
                true => cloud.refusal.clone(),
                false => (cloud.taken)(request),
            }
        });
        let environment = Environment::from_iter(BTreeMap::from([
            (String::from("AWS_ACCESS_KEY_ID"), String::from("AKID")),
            (String::from("AWS_SECRET_ACCESS_KEY"), String::from("secret")),
            (String::from("GCE_METADATA_HOST"), receiver.address().to_string()),
        ]));
        let tested = format!(
            "type = \"{kind}\"\nendpoint = \"{}\"\n{}\n",
            receiver.url(""),
            cloud.keys
        );
        let mut bench = beside_a_directory(&tested, &environment, Pace::Product);
        for _ in 0..MINUTES * 60 / STEP.as_secs() {
            bench.write_numbers(3);
            let written = bench.records;
            bench.until_of(FILE, "the directory is not delayed", |status| {
                status.counts.delivered == written
            });
            bench.clock.put(STEP);
        }
        bench.until(kind, |status| {
            let held = matches!(&status.activity, Activity::Held { kind: HoldKind::Auth, reason, .. } if reason.contains(cloud.says));
            held && status.in_flight == 0
        });
        let status = bench.status();
        assert_eq!(
            (
                status.counts.delivered,
                status.backlog.pending,
                bench.letters().len()
            ),
            (0, bench.records, 0),
            "{kind}"
        );
        let writes = || {
            let requests = receiver.requests().into_iter();
            requests
                .filter(|request| !numbers(request).is_empty())
                .collect::<Vec<_>>()
        };
        let before = writes().len();
        assert!((2..200).contains(&before), "{kind}: {before} requests");

        refused.store(false, Ordering::SeqCst);
        bench.clock.put(Duration::from_secs(300));
        bench.shipper.nudge();
        let drained = bench.shipper.drain(PATIENCE);
        assert_eq!(drained, Drained::Everything, "{kind}: {:?}", bench.status());
        bench.assert_delivered();
        let mut arrived: Vec<u64> = writes()[before..].iter().flat_map(numbers).collect();
        // Objects have no order among them.
        arrived.sort_unstable();
        assert_eq!(arrived, (0..bench.records).collect::<Vec<_>>(), "{kind}");
        assert_eq!(receiver.problems(), [""; 0], "{kind}");
    }
}
