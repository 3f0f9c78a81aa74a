//! What Firehose writes to S3 is NDJSON with every record in it once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bench::Bench;
use super::counterpart::{Counterpart, keys};
use super::{assert_once, line, records};

fn stored(service: &Counterpart, stream: &str) -> Vec<Value> {
    let objects = service.objects(stream);
    objects.iter().flat_map(|object| records(object)).collect()
}

#[test]
fn every_record_is_in_the_objects_once() {
    let Some(service) = Counterpart::start("firehose: every record once") else {
        return;
    };
    service.make(&json!({ "firehose": "audit" }));
    let keys_of = format!(
        "delivery_stream = \"audit\"\nendpoint = \"{}\"\ndead_letter_rate = \"100%\"\n",
        service.url()
    );
    let mut bench = Bench::new("firehose", &keys_of, keys());
    service.faults(&json!([
        { "kind": "partial", "share": 0.3, "code": "ServiceUnavailableException", "count": 6 },
        { "kind": "error", "code": "ServiceUnavailableException", "count": 2 },
        { "kind": "partial", "share": 0.9, "code": "InternalFailure", "count": 3 },
        { "kind": "partial", "share": 1.1, "code": "ServiceUnavailableException", "count": 2 },
        { "kind": "proxy" },
        { "kind": "expired", "count": 3 },
        { "kind": "partial", "share": 0.1, "code": "InternalFailure", "count": 10 },
    ]));
    for first in (0..10_000).step_by(1_000) {
        bench.write(&(first..first + 1_000).map(|n| line(n, 40)).collect::<String>());
    }
    // Three of these are more than 4 MB in base64; the last one is more than a record may have.
    let long = |n: u64, size: usize| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(size));
    for n in 10_000..10_006 {
        bench.write(&long(n, 1_000_000));
    }
    bench.write(&long(10_006, 1_024_000));
    bench.drain();
    let letters = bench.letters();
    let codes: Vec<_> = letters.iter().map(|letter| letter.code.as_str()).collect();
    assert_eq!(codes, ["record_too_large"]);
    assert_eq!(bench.status().counts.delivered, 10_006);
    assert_once(&stored(&service, "audit"), 10_006);
    let answers = service.answers();
    for refused in ["InvalidArgumentException", "ValidationException"] {
        let refused = format!("PutRecordBatch {refused}");
        assert_eq!(answers.get(&refused), None, "{answers:?}");
    }
}

#[test]
fn an_answer_that_is_lost_repeats_its_request_and_no_more() {
    let Some(service) = Counterpart::start("firehose: lost answers") else {
        return;
    };
    service.make(&json!({ "firehose": "lost" }));
    let keys_of = format!("delivery_stream = \"lost\"\nendpoint = \"{}\"\n", service.url());
    let mut bench = Bench::new("firehose", &keys_of, keys());
    service.faults(&json!([{ "kind": "lost" }, { "kind": "status", "status": 500 }, { "kind": "lost" }]));
    bench.write(&(0..2_000).map(|n| line(n, 40)).collect::<String>());
    bench.drain();
    let mut stored = stored(&service, "lost");
    let came = stored.len();
    assert!(came > 2_000 && came <= 3_000, "{came} came");
    let mut seen = BTreeSet::new();
    stored.retain(|record| seen.insert(record["auditship"].to_string()));
    assert_once(&stored, 2_000);
}
