//! Datadog's intake: nothing counts as delivered that it would cut or drop.

use std::collections::BTreeSet;

use auditship::spool::cursor::HoldKind;
use auditship::time::{Clock as _, SystemClock, Timestamp};

use super::bench::Bench;
use super::datadog_fake::{KEY, Store, start};
use super::fake::Fake;
use super::preset;

const RECORDS: u64 = 2_500;

fn bench(intake: &Fake<Store>, keys: &str) -> Bench {
    let keys = format!(
        "endpoint = \"{}\"\napikey = \"{KEY}\"\ndd_tags = [\"env:test\", \"team:audit\"]\n{keys}",
        intake.url("")
    );
    preset("datadog", &keys)
}

fn now() -> i64 {
    SystemClock::new().wall().as_millis()
}

/// A record of so many hours ago.
fn aged(hours: i64) -> String {
    let at = Timestamp((now() - hours * 3_600_000) * 1_000_000);
    format!("{{\"@timestamp\":\"{}\",\"hours\":{hours}}}\n", at.to_rfc3339())
}

#[test]
fn every_record_is_kept_once_inside_the_limits_and_through_every_refusal() {
    let intake = start(now(), [429, 503, 500, 408, 502]);
    let mut bench = bench(&intake, "");
    bench.write_numbers(RECORDS);
    bench.drain();
    assert_eq!(bench.status().counts.delivered, RECORDS);
    intake.look(|store| {
        assert_eq!(store.kept.len() as u64, RECORDS);
        assert!(store.kept.values().all(|(_, times)| *times == 1));
        assert_eq!((store.cut, store.dropped), (0, 0));
        assert!(
            store.most.0 <= 1_000 && store.most.1 <= 5_000_000,
            "{:?}",
            store.most
        );
        let (log, _) = &store.kept[&7];
        assert_eq!(
            (&log["ddsource"], &log["ddtags"]),
            (&"auditship".into(), &"env:test,team:audit".into())
        );
        assert_eq!(
            (&log["hostname"], &log["audit"]["n"]),
            (&"web-1".into(), &7.into())
        );
    });
}

#[test]
fn a_batch_of_large_records_stays_below_five_megabytes_and_a_record_above_one_is_never_cut() {
    let intake = start(now(), []);
    let mut bench = bench(&intake, "batch_max_bytes = \"50MiB\"");
    let large = |n: u64| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(700_000));
    let lines: String = (0..8).map(large).collect();
    // In one go, so that the first batch is as full as it may be.
    bench.write(&lines);
    bench.write(&format!(
        "{{\"pad\":\"{}\"}}\n{{\"n\":9}}\n",
        "x".repeat(1_000_000)
    ));
    bench.drain();
    let letters = bench.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].id.seq, letters[0].code.as_str()),
        (8, "record_too_large")
    );
    assert!(letters[0].reason.contains("1000000"), "{}", letters[0].reason);
    intake.look(|store| {
        assert_eq!((store.kept.len(), store.cut), (9, 0));
        assert!(store.most.1 > 4_000_000, "{:?}", store.most);
    });
}

#[test]
fn what_is_older_than_eighteen_hours_is_a_dead_letter_or_gets_another_time() {
    let ages = [0, 1, 16, 19, 500, 16, 19];
    let old: BTreeSet<u64> = [3, 4, 6].into();
    let lines: String = ages.map(aged).concat();

    let intake = start(now(), []);
    let mut letters = bench(&intake, "");
    letters.write(&lines);
    letters.drain();
    let found: BTreeSet<u64> = letters.letters().iter().map(|letter| letter.id.seq).collect();
    assert_eq!(found, old);
    assert!(
        letters
            .letters()
            .iter()
            .all(|letter| letter.code == "older_than_18_hours")
    );
    assert_eq!(letters.status().counts.delivered, 4);
    intake.look(|store| assert_eq!((store.kept.len(), store.dropped), (4, 3)));

    let intake = start(now(), []);
    let mut restamped = bench(&intake, "too_old = \"restamp\"");
    restamped.write(&lines);
    restamped.drain();
    assert_eq!(
        (restamped.letters().len(), restamped.status().counts.delivered),
        (0, 7)
    );
    intake.look(|store| {
        assert_eq!((store.kept.len(), store.dropped), (7, 0));
        for (seq, (log, _)) in &store.kept {
            let own: Timestamp = log["audit"]["@timestamp"]
                .as_str()
                .expect("a time")
                .parse()
                .expect("a time");
            let sent = log["timestamp"].as_i64().expect("a number");
            assert_eq!(sent != own.as_millis(), old.contains(seq), "{seq}: {log}");
            assert!(sent > store.now - 60_000 || !old.contains(seq), "{seq}: {log}");
        }
    });
}

#[test]
fn a_backlog_that_is_too_old_as_a_whole_is_held_before_it_is_given_up() {
    let intake = start(now(), []);
    let mut bench = bench(&intake, "");
    bench.write(&aged(20).repeat(500));
    let reason = bench.held(HoldKind::NotKept);
    assert!(
        reason.contains("dead_letter_rate") && reason.contains("restamp"),
        "{reason}"
    );
    assert!(bench.letters().is_empty());
    bench.resume();
    bench.drain();
    assert_eq!(bench.letters().len(), 500);
}

#[test]
fn a_poisoned_log_is_found_and_a_small_room_is_found_out() {
    let intake = start(now(), []);
    intake.change(|store| store.room = 40_000);
    let mut bench = bench(&intake, "");
    bench.write_numbers(600);
    bench.write("{\"poison\":true}\n");
    bench.write(&"{\"n\":1}\n".repeat(300));
    bench.drain();
    let letters = bench.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!((letters[0].id.seq, letters[0].code.as_str()), (600, "400"));
    intake.look(|store| assert_eq!(store.kept.len(), 600 + 300));
}

#[test]
fn a_wrong_key_holds() {
    let intake = start(now(), []);
    let keys = format!(
        "endpoint = \"{}\"
apikey = \"wrong\"",
        intake.url("")
    );
    let mut bench = preset("datadog", &keys);
    bench.write_numbers(3);
    let reason = bench.held(HoldKind::Auth);
    assert!(reason.contains("`apikey`"), "{reason}");
    assert!(bench.letters().is_empty());
}
