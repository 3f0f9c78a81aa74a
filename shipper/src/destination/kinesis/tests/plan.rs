//! Which records stand in a request, in which entry, and what the limits are.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::deliver::pack::{Batching, Fit, Packer};
use crate::destination::Verdict;

const ORDERED: &str = "partition_key = \"k\"\norder = \"partition_key\"\n";

/// A record of the key `k` with the number `n` that is `size` bytes long with its newline.
fn row(k: usize, n: usize, size: usize) -> String {
    let bare = format!("{{\"k\":\"{k}\",\"n\":{n},\"x\":\"\"}}").len() + 1;
    format!(
        "{{\"k\":\"{k}\",\"n\":{n},\"x\":\"{}\"}}",
        "x".repeat(size.saturating_sub(bare))
    )
}

fn numbers(body: &[u8]) -> Vec<Vec<u64>> {
    let number = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["n"]
            .as_u64()
            .unwrap()
    };
    entries(body)
        .iter()
        .map(|(_, data)| std::str::from_utf8(data).unwrap().lines().map(number).collect())
        .collect()
}

fn sent(keys: &str, rows: &[String]) -> Vec<Vec<u64>> {
    numbers(encode(&kinesis(keys), &Rows::new(rows).records()).body())
}

#[test]
fn records_of_one_key_are_sent_one_at_a_time_or_all_in_one_entry() {
    let rows: Vec<String> = [1, 2, 1, 3, 2, 1]
        .iter()
        .zip(0..)
        .map(|(k, n)| row(*k, n, 60))
        .collect();
    assert_eq!(
        sent("partition_key = \"k\"", &rows),
        [[0], [1], [2], [3], [4], [5]]
    );
    assert_eq!(sent(ORDERED, &rows), [[0], [1], [3]]);
    let aggregated = "aggregation = \"ndjson\"\n";
    let grouped = [vec![0, 2, 5], vec![1, 4], vec![3]];
    assert_eq!(sent(&format!("{ORDERED}{aggregated}"), &rows), grouped);
    assert_eq!(
        sent(&format!("partition_key = \"k\"\n{aggregated}"), &rows),
        grouped
    );
    assert_eq!(sent(aggregated, &rows), [[0, 1, 2, 3, 4, 5]]);
    // Records without the field have no order among them.
    let bare: Vec<String> = (0..3).map(|n| format!("{{\"n\":{n}}}")).collect();
    assert_eq!(sent(ORDERED, &bare), [[0], [1], [2]]);
}

#[test]
fn an_entry_of_several_records_is_a_fourth_of_what_a_stream_takes_and_nothing_overtakes() {
    // Two of these fit into an entry, three do not; the small one at the end would.
    let rows: Vec<String> = [100_000, 100_000, 100_000, 60]
        .iter()
        .zip(0..)
        .map(|(size, n)| row(1, n, *size))
        .collect();
    let keys = format!("{ORDERED}aggregation = \"ndjson\"");
    assert_eq!(sent(&keys, &rows), [[0, 1]]);
    assert_eq!(
        sent("partition_key = \"k\"\naggregation = \"ndjson\"", &rows),
        [vec![0, 1], vec![2, 3]]
    );
    // Key and data make 262,144 bytes to the byte, and one more.
    let to_the_byte = |more: usize| vec![row(1, 0, 100_000), row(1, 1, 162_143 + more)];
    assert_eq!(sent(&keys, &to_the_byte(0)), [[0, 1]]);
    assert_eq!(sent(&keys, &to_the_byte(1)), [[0]]);
    // What is larger by itself goes alone.
    assert_eq!(sent(&keys, &[row(1, 0, 900_000), row(1, 1, 60)]), [[0]]);
}

#[test]
fn no_request_has_more_than_500_entries() {
    let rows: Vec<String> = (0..1_200).map(|n| row(n % 700, n, 60)).collect();
    let sent = sent(&format!("{ORDERED}aggregation = \"ndjson\""), &rows);
    assert_eq!(sent.len(), 500);
    // The first 500 keys, with both of their records.
    let both: Vec<Vec<u64>> = (0..500).map(|n| vec![n, n + 700]).collect();
    assert_eq!(sent, both);
}

/// The verdicts of a batch whose entries failed as `failed` says.
fn verdicts(
    to: &Kinesis,
    records: &[Record<'_>],
    failed: impl Fn(usize) -> bool,
) -> (Vec<Vec<u64>>, Vec<Verdict>) {
    let sent = numbers(encode(to, records).body());
    let results: Vec<Value> = (0..sent.len())
        .map(|at| match failed(at) {
            true => json!({"ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure"}),
            false => json!({"SequenceNumber": "4", "ShardId": "s"}),
        })
        .collect();
    let count = (0..sent.len()).filter(|at| failed(*at)).count();
    let body = json!({ "FailedRecordCount": count, "Records": results });
    let answer = answers::ok(&body.to_string());
    let batch = Batch {
        records,
        attempt: &attempt(),
    };
    match to.decode(&batch, &answer) {
        Outcome::Verdicts(verdicts) => (sent, verdicts),
        // All of them failed.
        Outcome::Unavailable { .. } => (sent, vec![Verdict::Retry { after: None }; records.len()]),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A whole batch through failures: each record is stored once, and with an order those of a key in theirs, whatever
    /// the order in which the service takes the entries of a request.
    #[test]
    fn every_record_is_stored_once_and_in_order(
        keys in prop::collection::vec((0_usize..12, 60_usize..90_000), 1..120),
        seed in any::<u64>(),
        aggregated in any::<bool>(),
        ordered in any::<bool>(),
    ) {
        let aggregation = if aggregated { "aggregation = \"ndjson\"" } else { "" };
        let order = if ordered { ORDERED } else { "partition_key = \"k\"\n" };
        let to = kinesis(&format!("{order}{aggregation}"));
        let rows = Rows::new(keys.iter().zip(0..).map(|((k, size), n)| row(*k, n, *size)));
        let all = rows.records();
        let mut pending: Vec<usize> = (0..all.len()).collect();
        let mut stored: Vec<u64> = Vec::new();
        let mut dice = seed;
        for _request in 0..10_000 {
            if pending.is_empty() {
                break;
            }
            let records: Vec<_> = pending.iter().map(|place| all[*place]).collect();
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let failed = |at: usize| (dice >> (at % 50)) & 3 == 0;
            let (sent, verdicts) = verdicts(&to, &records, failed);
            prop_assert_eq!(verdicts.len(), records.len());
            let mut taken: Vec<&Vec<u64>> = sent
                .iter()
                .enumerate()
                .filter(|(at, _)| !failed(*at))
                .map(|(_, numbers)| numbers)
                .collect();
            // The service takes the entries in whatever order.
            if dice & 1 == 1 {
                taken.reverse();
            }
            stored.extend(taken.into_iter().flatten());
            let mut verdict = verdicts.iter();
            pending.retain(|_| !matches!(verdict.next(), Some(Verdict::Stored)));
        }
        prop_assert!(pending.is_empty());
        let mut once = stored.clone();
        once.sort_unstable();
        prop_assert_eq!(once, (0..all.len() as u64).collect::<Vec<_>>());
        if ordered {
            let mut last = HashMap::new();
            for n in stored {
                let (k, _) = keys[usize::try_from(n).unwrap()];
                prop_assert!(last.insert(k, n).is_none_or(|before| before < n), "{} of key {}", n, k);
            }
        }
    }

    /// No request exceeds a limit, and a batch closes only when the next record does not fit.
    #[test]
    fn limits(sizes in prop::collection::vec(prop_oneof![
        6 => 60_usize..3_000,
        2 => 100_000_usize..900_000,
        1 => 1_048_500_usize..1_048_600,
    ], 1..60)) {
        let to = kinesis("max_record_bytes = \"1MiB\"\npartition_key = \"k\"");
        let rows = Rows::new(sizes.iter().zip(0..).map(|(size, n)| row(n, n, *size)));
        let fits = |records: &[Record<'_>]| {
            let body = encode(&to, records).into_body();
            let entries = entries(&body);
            entries.len() == records.len() && entries.len() <= 500 && counted(&body) <= 10 * 1024 * 1024
        };
        let limits = to.limits();
        let wide = Batching { bytes: u64::MAX, records: u32::MAX, age: std::time::Duration::ZERO };
        let (mut packer, mut inside) = (Packer::new(&limits, &wide), Vec::new());
        for record in rows.records() {
            let size = to.size(&record);
            let mut fit = packer.offer(size, record.entry.time);
            if fit == Fit::Next {
                prop_assert!(fits(&inside));
                inside.push(record);
                prop_assert!(!fits(&inside), "closed although the next record fits");
                inside.clear();
                packer = Packer::new(&limits, &wide);
                fit = packer.offer(size, record.entry.time);
            }
            let body = encode(&to, &[record]).into_body();
            prop_assert_eq!(fit == Fit::Taken, counted(&body) <= 1_048_576, "{:?} of {}", fit, counted(&body));
            if fit == Fit::Taken {
                inside.push(record);
            }
        }
    }
}

#[test]
fn count() {
    let mut packer = Packer::new(
        &kinesis("").limits(),
        &Batching {
            bytes: u64::MAX,
            records: u32::MAX,
            age: std::time::Duration::ZERO,
        },
    );
    let taken = (0..1_000).take_while(|_| packer.offer(50, Timestamp(0)) == Fit::Taken);
    assert_eq!(taken.count(), 500);
}

#[test]
fn what_is_left_out_goes_at_once_and_what_failed_after_a_pause() {
    let rows: Vec<String> = [1, 1, 2].iter().zip(0..).map(|(k, n)| row(*k, n, 60)).collect();
    let rows = Rows::new(rows);
    let at_once = Verdict::Retry {
        after: Some(std::time::Duration::ZERO),
    };
    let (_, verdicts) = verdicts(&kinesis(ORDERED), &rows.records(), |at| at == 1);
    assert_eq!(
        verdicts,
        [Verdict::Stored, at_once, Verdict::Retry { after: None }]
    );
}
