//! Every record once, in order where that is asked, whatever a part of a request comes to.

use std::collections::{BTreeSet, HashMap};

use auditship::time::{Clock as _, Monotonic, SystemClock};
use serde_json::{Value, json};

use super::bench::Bench;
use super::counterpart::{Counterpart, keys};
use super::{assert_in_order, assert_once, line, number, records};

const THROTTLED: &str = "ProvisionedThroughputExceededException";

/// A part, the whole, and nothing of requests fails, in no order; none of it is stored and says otherwise.
fn trouble() -> Value {
    json!([
        { "kind": "partial", "share": 0.3, "code": THROTTLED, "count": 6 },
        { "kind": "error", "code": THROTTLED, "count": 2 },
        { "kind": "partial", "share": 0.9, "code": "InternalFailure", "count": 3 },
        { "kind": "status", "status": 503 },
        { "kind": "partial", "share": 1.1, "code": THROTTLED, "count": 2 },
        { "kind": "proxy" },
        { "kind": "error", "code": "KMSThrottlingException" },
        { "kind": "partial", "share": 0.5, "code": THROTTLED, "count": 10 },
        { "kind": "expired", "count": 3 },
        { "kind": "partial", "share": 0.1, "code": "InternalFailure", "count": 10 },
    ])
}

/// The records of a stream, those of a shard in its order.
fn stored(service: &Counterpart, stream: &str) -> Vec<Value> {
    let stored = service.records(stream);
    stored.iter().flat_map(|(_, _, text)| records(text)).collect()
}

/// Ships `count` records through every kind of trouble; what the stream has in the end, entry by entry.
fn ship(service: &Counterpart, stream: &str, more: &str, count: u64) -> Vec<(String, String, String)> {
    service.make(&json!({ "kinesis": stream, "shards": 16 }));
    let keys_of = format!("stream = \"{stream}\"\nendpoint = \"{}\"\n{more}", service.url());
    let mut bench = Bench::new("kinesis", &keys_of, keys());
    service.faults(&trouble());
    for first in (0..count).step_by(1_000) {
        let lines: String = (first..first + 1_000).map(|n| line(n, 40)).collect();
        bench.write(&lines);
    }
    bench.drain();
    service.heal();
    assert_eq!(bench.letters(), []);
    assert_eq!(bench.status().counts.delivered, count);
    assert_once(&stored(service, stream), count);
    let answers = service.answers();
    for refused in ["InvalidArgumentException", "ValidationException"] {
        let refused = format!("PutRecords {refused}");
        assert_eq!(answers.get(&refused), None, "{answers:?}");
    }
    service.records(stream)
}

#[test]
fn every_record_is_in_the_stream_once() {
    let Some(service) = Counterpart::start("kinesis: every record once") else {
        return;
    };
    let entries = ship(&service, "plain", "", 12_000);
    assert_eq!(entries.len(), 12_000);
    let shards: BTreeSet<_> = entries.iter().map(|(shard, _, _)| shard).collect();
    assert_eq!(shards.len(), 16, "spread over all shards");

    let entries = ship(&service, "many", "aggregation = \"ndjson\"\n", 12_000);
    assert!(entries.len() < 1_000, "{} entries", entries.len());
    assert!(entries.iter().all(|(_, _, text)| text.len() <= 256 * 1024));
}

#[test]
fn records_of_one_key_are_in_order() {
    let Some(service) = Counterpart::start("kinesis: order") else {
        return;
    };
    let ordered = "partition_key = \"host.name\"\norder = \"partition_key\"\n";
    let entries = ship(&service, "ordered", ordered, 3_000);
    assert_eq!(entries.len(), 3_000);
    assert_in_order(&stored(&service, "ordered"));

    let aggregated = format!("{ordered}aggregation = \"ndjson\"\n");
    let entries = ship(&service, "lines", &aggregated, 12_000);
    assert!(entries.len() < 3_000, "{} entries", entries.len());
    assert_in_order(&stored(&service, "lines"));
    for (_, key, text) in &entries {
        for record in records(text) {
            assert_eq!(record["host"]["name"], key.as_str());
        }
    }
    // One key, one shard.
    let mut shards = HashMap::new();
    for (shard, key, _) in &entries {
        assert_eq!(shards.entry(key).or_insert(shard), &shard);
    }
}

#[test]
fn an_answer_that_is_lost_repeats_its_request_and_no_more() {
    let Some(service) = Counterpart::start("kinesis: lost answers") else {
        return;
    };
    service.make(&json!({ "kinesis": "lost", "shards": 16 }));
    let keys_of = format!("stream = \"lost\"\nendpoint = \"{}\"\n", service.url());
    let mut bench = Bench::new("kinesis", &keys_of, keys());
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

/// A record that is `size` bytes long in the stream, key included.
fn line_of(n: u64, size: usize) -> String {
    let (spool, epoch) = ("0".repeat(32), "0".repeat(16));
    let added = format!(",\"auditship\":{{\"spool\":\"{spool}\",\"epoch\":\"{epoch}\",\"seq\":{n}}}");
    let time = ",\"@timestamp\":\"2026-01-01T00:00:00.000000000Z\"";
    let bare = format!("{{\"n\":{n},\"text\":\"\"}}\n");
    let rest = bare.len() + added.len() + time.len() + 32;
    bare.replace("\"\"", &format!("\"{}\"", "x".repeat(size - rest)))
}

#[test]
fn the_streams_own_limit_decides_what_is_too_large() {
    let Some(service) = Counterpart::start("kinesis: the stream's limit") else {
        return;
    };
    const LIMIT: usize = 2 * 1024 * 1024;
    service.make(&json!({ "kinesis": "large", "shards": 16, "kib": 2048 }));
    let keys_of = format!(
        "stream = \"large\"\nendpoint = \"{}\"\ndead_letter_rate = \"100%\"\n",
        service.url()
    );
    let mut bench = Bench::new("kinesis", &keys_of, keys());
    bench.write(&line_of(0, 300));
    bench.drain();
    bench.write(&[line_of(1, LIMIT), line_of(2, LIMIT + 1), line_of(3, 300)].concat());
    bench.drain();
    let letters = bench.letters();
    let codes: Vec<_> = letters.iter().map(|letter| letter.code.as_str()).collect();
    assert_eq!(codes, ["record_too_large"]);
    assert!(
        letters[0]
            .reason
            .contains("more than the 2097152 that kinesis takes"),
        "{}",
        letters[0].reason
    );
    // The limit was asked, and nothing sent that exceeds it.
    let answers = service.answers();
    assert_eq!(answers.get("DescribeStreamSummary 200"), Some(&1), "{answers:?}");
    assert_eq!(
        answers.get("PutRecords InvalidArgumentException"),
        None,
        "{answers:?}"
    );
    let mut came: Vec<u64> = stored(&service, "large").iter().map(number).collect();
    came.sort_unstable();
    assert_eq!(came, [0, 1, 3]);

    // Before it is known the service itself says which one it does not take.
    let mut other = Bench::new("kinesis", &keys_of, keys());
    other.write(&[line_of(0, 300), line_of(1, LIMIT + 1), line_of(2, 300)].concat());
    other.drain();
    let letters = other.letters();
    let codes: Vec<_> = letters.iter().map(|letter| letter.code.as_str()).collect();
    assert_eq!(codes, ["InvalidArgumentException"]);
    assert_eq!(other.status().counts.delivered, 2);
}

#[test]
fn a_shard_gets_what_it_takes_in_a_second_and_no_more() {
    let Some(service) = Counterpart::start("kinesis: pace") else {
        return;
    };
    // The only shard, and one of eight: all records have the same key.
    for (stream, shards, more) in [("slow", 1, ""), ("hot", 8, "partition_key = \"host.name\"\n")] {
        service.make(&json!({ "kinesis": stream, "shards": shards }));
        let keys_of = format!("stream = \"{stream}\"\nendpoint = \"{}\"\n{more}", service.url());
        let mut bench = Bench::new("kinesis", &keys_of, keys());
        let clock = SystemClock::new();
        bench.write(&(0..3_000).map(|n| line(n, 1)).collect::<String>());
        bench.drain();
        // Six requests of 500 records; each costs half a second, except for the first one, which goes before the stream has said
        // how many shards it has, and the last one does not wait for its own. A machine that is slow enough passes this
        // without any pace: that there is one is tested beside the code too.
        let took = clock.monotonic().since(Monotonic(0)).as_millis();
        assert!(took >= 2_000, "{stream}: {took} ms");
        let entries = service.records(stream);
        let shards: BTreeSet<_> = entries.iter().map(|(shard, _, _)| shard).collect();
        assert_eq!(shards.len(), 1, "{stream}");
        assert_once(&stored(&service, stream), 3_000);
    }

    // A stream on demand grows with what it gets.
    service.make(&json!({ "kinesis": "fast", "shards": 1, "mode": "ON_DEMAND" }));
    let keys_of = format!("stream = \"fast\"\nendpoint = \"{}\"\n", service.url());
    let mut bench = Bench::new("kinesis", &keys_of, keys());
    bench.write(&(0..3_000).map(|n| line(n, 40)).collect::<String>());
    bench.drain();
    assert_once(&stored(&service, "fast"), 3_000);
}
