//! The collector of Splunk: nothing counts as delivered that no indexer has acknowledged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use auditship::control::status::Activity;
use auditship::spool::cursor::HoldKind;

use super::bench::Bench;
use super::fake::Fake;
use super::hec_fake::{Acks, Balance, Setup, Store, TOKEN, set, start};
use super::preset;

const RECORDS: u64 = 600;

fn bench(hec: &Fake<Store>, keys: &str) -> Bench {
    let keys = format!(
        "url = \"{}\"\ntoken = \"{TOKEN}\"\nevent_index = \"audit\"\nmax_request_bytes = \"40KB\"\n{keys}",
        hec.url("")
    );
    preset("splunk_hec", &keys)
}

fn once() -> BTreeMap<u64, u32> {
    (0..RECORDS).map(|seq| (seq, 1)).collect()
}

#[test]
fn every_record_is_stored_once_when_acknowledgements_are_prompt_or_late() {
    for (acks, indexers, mode) in [
        (Acks::After(1), 1, "event"),
        (Acks::After(3), 3, "event"),
        (Acks::After(2), 2, "raw"),
    ] {
        let hec = start(Setup {
            acks,
            indexers,
            ..Setup::default()
        });
        let mut bench = bench(&hec, &format!("mode = \"{mode}\""));
        bench.write_numbers(RECORDS);
        bench.drain();
        assert_eq!(bench.status().counts.delivered, RECORDS);
        hec.look(|store| {
            assert_eq!(store.taken, once(), "{acks:?} {mode}");
            assert_eq!(store.acknowledged.len() as u64, RECORDS);
            assert!(store.batches > 1);
            assert!(store.most_open <= 4, "{}", store.most_open);
        });
    }
}

#[test]
fn a_batch_that_waits_keeps_no_other_from_going() {
    let hec = start(Setup {
        acks: Acks::Never,
        ..Setup::default()
    });
    let mut bench = bench(&hec, "");
    bench.write_numbers(RECORDS);
    hec.wait("four batches wait", |store| store.most_open == 4);
    assert_eq!(bench.status().counts.delivered, 0, "a 200 is no acknowledgement");
    set(&hec, Acks::After(1));
    bench.drain();
    assert_eq!(bench.status().counts.delivered, RECORDS);
    hec.look(|store| assert_eq!(store.taken, once()));
}

#[test]
fn what_an_indexer_loses_is_sent_again() {
    let hec = start(Setup {
        acks: Acks::Lost(1),
        ..Setup::default()
    });
    let mut bench = bench(&hec, "ack_timeout = \"2s\"");
    bench.write_numbers(RECORDS);
    bench.drain();
    assert_eq!(bench.status().counts.delivered, RECORDS);
    hec.look(|store| {
        assert_eq!(store.acknowledged.len() as u64, RECORDS);
        // Those of one batch came twice, for the first time they were lost.
        let twice = store.taken.values().filter(|times| **times == 2).count();
        assert!(
            twice > 0 && store.taken.values().all(|times| *times <= 2),
            "{:?}",
            store.taken
        );
    });
}

#[test]
fn what_is_never_acknowledged_is_held_with_the_reason_and_not_sent_for_ever() {
    let hec = start(Setup {
        acks: Acks::Never,
        ..Setup::default()
    });
    let mut bench = bench(&hec, "ack_timeout = \"1s\"");
    bench.write_numbers(RECORDS);
    let reason = bench.held(HoldKind::Unacknowledged);
    assert!(reason.contains("no indexer has acknowledged it"), "{reason}");
    assert!(
        reason.contains("stickiness") && reason.contains("auditship resume"),
        "{reason}"
    );
    // What was on its way comes to its end; then nothing goes any more, though a probe would be due every 50 ms.
    bench.until("at rest", |status| status.in_flight == 0);
    let (batches, most) = hec.look(|store| (store.batches, store.taken.values().copied().max()));
    assert_eq!((most, bench.status().counts.delivered), (Some(2), 0));
    let questions = hec.look(|store| store.questions);
    bench.write("{\"more\":1}\n");
    bench.until("it has been looked at", |status| {
        status.backlog.pending == RECORDS + 1
    });
    assert_eq!(
        hec.look(|store| (store.batches, store.questions)),
        (batches, questions)
    );

    set(&hec, Acks::After(1));
    bench.resume();
    bench.drain();
    assert_eq!(bench.status().counts.delivered, RECORDS + 1);
    assert!(bench.letters().is_empty());
}

#[test]
fn behind_a_balancer_without_stickiness_nothing_counts_that_is_not_acknowledged() {
    let hec = start(Setup {
        acks: Acks::After(1),
        indexers: 3,
        balance: Balance::RoundRobin,
        ..Setup::default()
    });
    let mut bench = bench(&hec, "ack_timeout = \"1s\"\nack_resend = 0");
    bench.write_numbers(RECORDS);
    // Questions find their indexer by chance: some batches are acknowledged, and each of those is.
    let held = |activity: &Activity| match activity {
        Activity::Held { kind, reason, .. } => Some((*kind, reason.clone())),
        _ => None,
    };
    bench.until("all there, or held", |status| {
        status.counts.delivered == RECORDS || held(&status.activity).is_some()
    });
    bench.until("at rest", |status| status.in_flight == 0);
    let status = bench.status();
    let delivered = status.counts.delivered;
    match held(&status.activity) {
        Some((kind, reason)) => {
            assert_eq!(kind, HoldKind::Unacknowledged, "{reason}");
            assert!(reason.contains("stickiness"), "{reason}");
        }
        None => assert_eq!(delivered, RECORDS),
    }
    hec.look(|store| {
        assert_eq!(store.acknowledged.len() as u64, delivered);
        assert!(store.taken.values().all(|times| *times == 1), "{:?}", store.taken);
    });
}

#[test]
fn when_no_question_finds_its_indexer_the_reason_says_where_to_look() {
    let hec = start(Setup {
        acks: Acks::After(1),
        indexers: 2,
        balance: Balance::Astray,
        ..Setup::default()
    });
    let mut bench = bench(&hec, "ack_timeout = \"1s\"\nack_resend = 0");
    bench.write_numbers(RECORDS);
    let reason = bench.held(HoldKind::Unacknowledged);
    assert!(
        reason.contains("load balancer") && reason.contains("stickiness"),
        "{reason}"
    );
    bench.until("at rest", |status| status.in_flight == 0);
    assert_eq!(bench.status().counts.delivered, 0);
    hec.look(|store| {
        assert!(store.questions > 0 && store.acknowledged.is_empty());
        assert!(store.taken.values().all(|times| *times == 1), "{:?}", store.taken);
    });
}

#[test]
fn what_stands_in_front_of_a_refused_event_is_not_lost_and_may_be_there_twice() {
    let hec = start(Setup::default());
    let mut bench = bench(&hec, "");
    let line = |n: u64| match n {
        5 => String::from("{\"poison\":true}\n"),
        n => format!("{{\"n\":{n}}}\n"),
    };
    bench.write(&(0..10).map(line).collect::<String>());
    bench.drain();
    let letters: Vec<u64> = bench.letters().iter().map(|letter| letter.id.seq).collect();
    assert_eq!((letters, bench.status().counts.delivered), (vec![5], 9));
    hec.look(|store| {
        let in_front: BTreeSet<u64> = (0..5).collect();
        assert_eq!(store.in_front, in_front, "the collector kept those");
        // What counts as delivered an indexer has acknowledged, and not only kept in front of a refusal.
        let others: BTreeSet<u64> = (0..10).filter(|seq| *seq != 5).collect();
        assert_eq!(store.acknowledged, others);
        for (seq, times) in &store.taken {
            let most = if *seq < 5 { 2 } else { 1 };
            assert!((1..=most).contains(times), "{seq}: {times}");
        }
    });
}

#[test]
fn a_token_without_acknowledgement_gets_nothing_until_it_has_it_or_is_told_to_be_enough() {
    let hec = start(Setup {
        acks: Acks::Off,
        ..Setup::default()
    });
    let mut required = bench(&hec, "");
    required.write_numbers(RECORDS);
    let reason = required.held(HoldKind::Config);
    assert!(
        reason.contains("useACK") && reason.contains("nothing was sent"),
        "{reason}"
    );
    assert_eq!(hec.look(|store| store.batches), 0);
    set(&hec, Acks::After(1));
    required.drain();
    assert_eq!(required.status().counts.delivered, RECORDS);

    let hec = start(Setup {
        acks: Acks::Off,
        ..Setup::default()
    });
    let mut none = bench(&hec, "ack = \"none\"");
    none.write_numbers(RECORDS);
    none.drain();
    assert_eq!(none.status().counts.delivered, RECORDS);
    assert!(none.status().target.contains("without acknowledgement"));
    hec.look(|store| assert_eq!((store.taken.clone(), store.questions), (once(), 0)));
}

#[test]
fn refusals_throttling_and_limits_lose_nothing() {
    let first = [
        (503, 9, "Server is busy"),
        (500, 8, "Internal server error"),
        (503, 18, "HEC is unhealthy, queues are full"),
        (429, 99, "Too many requests"),
    ];
    let hec = start(Setup {
        first: VecDeque::from(first),
        max_content_length: 20_000,
        ..Setup::default()
    });
    let mut bench = bench(&hec, "");
    bench.write_numbers(RECORDS);
    bench.write("{\"poison\":true}\n{\"n\":1}\n");
    bench.drain();
    let letters = bench.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].id.seq, letters[0].code.as_str()), (RECORDS, "15"));
    assert_eq!(bench.status().counts.delivered, RECORDS + 1);
    hec.look(|store| assert_eq!(store.acknowledged.len() as u64, RECORDS + 1));
}

#[test]
fn a_wrong_token_and_a_wrong_index_hold() {
    let hec = start(Setup::default());
    let keys = |token: &str, index: &str| {
        format!(
            "url = \"{}\"\ntoken = \"{token}\"\nevent_index = \"{index}\"\n",
            hec.url("")
        )
    };
    for (token, index, kind, part) in [
        ("wrong", "audit", HoldKind::Auth, "Invalid token"),
        (TOKEN, "other", HoldKind::Config, "`event_index`"),
    ] {
        let mut bench = preset("splunk_hec", &keys(token, index));
        bench.write_numbers(3);
        let reason = bench.held(kind);
        assert!(reason.contains(part), "{reason}");
        assert!(bench.letters().is_empty());
    }
    assert_eq!(hec.look(|store| store.batches), 0);
}
