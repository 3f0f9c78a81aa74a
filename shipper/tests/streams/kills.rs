//! `auditship run`, killed in the middle of its work: what is in the stream twice was on its way at a kill.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::cli_support::{auditship, command};
use super::counterpart::Counterpart;
use super::{assert_in_order, assert_once, line, records};

const RECORDS: u64 = 6_000;
const KILLS: usize = 5;
/// The most records of a request.
const REQUEST: usize = 500;

/// Asks until it is so.
#[expect(
    clippy::disallowed_methods,
    reason = "another process gives no event to wait for"
)]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it never came to this: {what}");
}

/// Ended with the test, whatever becomes of it.
struct Run(Child);

impl Run {
    fn start(file: &str) -> Self {
        let mut run = command(&["run", "-c", file]);
        run.envs([
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret/EXAMPLE+key"),
            ("AWS_SESSION_TOKEN", "session/token="),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]);
        run.stdout(Stdio::null()).stderr(Stdio::null());
        Self(run.spawn().expect("the binary starts"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn killed_again_and_again(
    keys_of: &str,
    operation: &str,
    service: &Counterpart,
    stored: impl Fn() -> Vec<Value>,
) -> Vec<Value> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    // Fills a spool; the destination is new to it, and begins with what is kept.
    let lines: String = (0..RECORDS).map(|n| line(n, 40)).collect();
    std::fs::write(path("a.ndjson"), lines).expect("written");
    let filled = auditship(&[
        "ship",
        &path("a.ndjson"),
        "--to",
        &path("out"),
        "--spool",
        &path("spool"),
    ]);
    assert_eq!(filled.code, 0, "{filled:?}");
    let text = format!(
        "[spool]\npath = \"{}\"\n[[destination]]\nid = \"aws\"\nregion = \"eu-central-1\"\nendpoint = \"{}\"\n{keys_of}",
        path("spool"),
        service.url()
    );
    std::fs::write(path("auditship.toml"), text).expect("written");

    let answered = || {
        let stored = format!("{operation} 200");
        service.answers().get(&stored).copied().unwrap_or_default()
    };
    for kill in 0..KILLS {
        let (before, run) = (answered(), Run::start(&path("auditship.toml")));
        // Later in the work of a request each time.
        eventually("a request is answered", || {
            answered() > before + (kill as u64 % 2)
        });
        drop(run);
    }
    let _run = Run::start(&path("auditship.toml"));
    let distinct = |stored: &[Value]| {
        let seen: BTreeSet<String> = stored
            .iter()
            .map(|record| record["auditship"].to_string())
            .collect();
        seen.len() as u64
    };
    eventually("everything is there", || distinct(&stored()) == RECORDS);
    eventually("everything is settled", || {
        let status = auditship(&["status", &path("spool"), "--json"]).stdout;
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        let mut destinations = status["destinations"].as_array().into_iter().flatten();
        destinations.any(|one| one["id"] == "aws" && one["counts"]["delivered"] == RECORDS)
    });
    let mut stored = stored();
    let came = stored.len();
    assert!(
        came <= usize::try_from(RECORDS).unwrap() + KILLS * REQUEST,
        "{came} came"
    );
    let mut seen = BTreeSet::new();
    stored.retain(|record| seen.insert(record["auditship"].to_string()));
    assert_once(&stored, RECORDS);
    stored
}

#[test]
fn a_kinesis_stream_has_everything_in_order() {
    let Some(service) = Counterpart::start("kinesis: kills") else {
        return;
    };
    service.make(&json!({ "kinesis": "killed", "shards": 16 }));
    service.faults(&json!([
        { "kind": "partial", "share": 0.3, "code": "ProvisionedThroughputExceededException", "count": 30 },
    ]));
    let keys_of = "type = \"kinesis\"\nstream = \"killed\"\npartition_key = \"host.name\"\norder = \"partition_key\"\n\
                   aggregation = \"ndjson\"\nbatch_max_records = 500\nbatch_max_age = \"10ms\"\n";
    let stored = killed_again_and_again(keys_of, "PutRecords", &service, || {
        let entries = service.records("killed");
        entries.iter().flat_map(|(_, _, text)| records(text)).collect()
    });
    assert_in_order(&stored);
}

#[test]
fn a_firehose_stream_has_written_everything() {
    let Some(service) = Counterpart::start("firehose: kills") else {
        return;
    };
    service.make(&json!({ "firehose": "killed" }));
    service.faults(&json!([
        { "kind": "partial", "share": 0.3, "code": "ServiceUnavailableException", "count": 10 },
    ]));
    let keys_of = "type = \"firehose\"\ndelivery_stream = \"killed\"\nbatch_max_age = \"10ms\"\n";
    killed_again_and_again(keys_of, "PutRecordBatch", &service, || {
        let objects = service.objects("killed");
        objects.iter().flat_map(|object| records(object)).collect()
    });
}
