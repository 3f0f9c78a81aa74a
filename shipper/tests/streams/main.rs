//! `kinesis` and `firehose` against moto behind a strict front: each record is once in what the stream has in the end.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

#[path = "../support/bench.rs"]
mod bench;
#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../support/aws/counterpart.rs"]
mod counterpart;
mod firehose;
mod kills;
mod kinesis;
#[path = "../support/python.rs"]
mod python;
mod wrong;

use std::collections::HashMap;

use serde_json::Value;

/// A record of this number, of one of `hosts` hosts.
fn line(n: u64, hosts: u64) -> String {
    // A host comes again after other ones, and some more often.
    let host = (n * n + n / 3) % hosts;
    format!(
        "{{\"n\":{n},\"host\":{{\"name\":\"host-{host}\"}},\"event\":{{\"id\":\"id-{n}\"}},\"text\":\"a \\\"quoted\\\" word, ä\"}}\n"
    )
}

/// The records of a text of lines, all of which end with a newline.
fn records(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "no newline at the end");
    let records = text.lines().map(serde_json::from_str);
    records.collect::<Result<_, _>>().unwrap()
}

fn number(record: &Value) -> u64 {
    record["n"].as_u64().unwrap()
}

/// Each of `count` records is there, and once.
fn assert_once(stored: &[Value], count: u64) {
    let mut numbers: Vec<u64> = stored.iter().map(number).collect();
    numbers.sort_unstable();
    let twice = numbers.windows(2).filter(|two| two[0] == two[1]).count();
    let all: Vec<u64> = (0..count).collect();
    assert!(
        numbers == all,
        "{} came, {twice} of them once too often, {count} expected",
        numbers.len()
    );
}

/// What each host wrote is there in the order in which it wrote it.
fn assert_in_order(stored: &[Value]) {
    let mut last = HashMap::new();
    for record in stored {
        let host = record["host"]["name"].as_str().unwrap();
        let n = number(record);
        let before = last.insert(host, n);
        assert!(
            before.is_none_or(|before| before < n),
            "{host}: {n} after {before:?}"
        );
    }
}
