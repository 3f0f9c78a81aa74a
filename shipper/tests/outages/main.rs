//! A real shipper with its threads, a directory, and a real receiver on loopback that is dead, answers nonsense or refuses
//! for a while.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

#[path = "../support/bench.rs"]
mod bench;
mod clouds;

use std::time::Duration;

use auditship::config::Environment;
use auditship::control::status::{Activity, DestinationStatus};
use auditship::deliver::Drained;
use auditship::spool::cursor::HoldKind;
use auditship_testkit::receiver::{Received, Receiver, Reply};

use bench::{Bench, PATIENCE, Pace, TESTED};

/// A directory, which comes before the destination under test.
const FILE: usize = 0;

/// A bench with a directory, and a destination with these keys that takes six records at a time.
fn beside_a_directory(keys: &str, environment: &Environment, pace: Pace) -> Bench {
    let destinations = format!(
        "[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"DIR/out\"\n\
         [[destination]]\nid = \"{TESTED}\"\nbatch_max_records = 6\n{keys}"
    );
    Bench::among(&destinations, environment, pace)
}

fn to_http(receiver: &Receiver, pace: Pace) -> Bench {
    let keys = format!("type = \"http\"\nurl = \"{}\"\n", receiver.url("/audit"));
    beside_a_directory(&keys, &Environment::empty(), pace)
}

/// What is in order again takes everything, each record once, in the order in which it came in.
fn assert_caught_up(bench: &Bench, healed: &[Received], receiver: &Receiver) {
    bench.assert_delivered();
    let mut batches: Vec<Vec<u64>> = healed.iter().map(numbers).collect();
    // One request may have been refused while the receiver was put right; what is in it comes again.
    if batches.len() > 1 && batches[1..].concat().contains(&batches[0][0]) {
        batches.remove(0);
    }
    assert_eq!(batches.concat(), (0..bench.records).collect::<Vec<_>>());
    assert_eq!(receiver.problems(), [""; 0]);
}

fn numbers(request: &Received) -> Vec<u64> {
    let text = String::from_utf8(request.plain.clone()).unwrap();
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64();
    text.lines().map(|line| number(line).unwrap()).collect()
}

/// The connection is closed on every request, for five minutes of the shipper's clock.
#[test]
fn a_receiver_that_is_dead_for_five_minutes_delays_nobody_and_is_caught_up_in_order() {
    let receiver = Receiver::start([], Reply::Close);
    let mut bench = to_http(&receiver, Pace::Product);
    for _ in 0..30 {
        bench.write_numbers(7);
        let written = bench.records;
        bench.until_of(FILE, "the directory is not delayed", |status| {
            status.counts.delivered == written
        });
        bench.clock.put(Duration::from_secs(10));
    }
    bench.until("it backs off", |status| {
        matches!(status.activity, Activity::BackingOff { .. }) && status.in_flight == 0
    });
    let status = bench.status();
    assert_eq!(
        (status.counts.delivered, status.backlog.pending),
        (0, bench.records)
    );
    // The same batch was offered, under the same name, again and again, but not often.
    let dead = receiver.requests();
    assert!((2..200).contains(&dead.len()), "{} requests", dead.len());
    assert!(dead.iter().all(|request| request.key() == dead[0].key()));
    assert!(dead.iter().all(|request| request.plain == dead[0].plain));

    let before = dead.len();
    receiver.then(Reply::Status(200));
    bench.clock.put(Duration::from_secs(60));
    bench.shipper.nudge();
    assert_eq!(bench.shipper.drain(PATIENCE), Drained::Everything);
    let requests = receiver.requests();
    assert_caught_up(&bench, &requests[before..], &receiver);
    assert_eq!(requests[before].key(), dead[0].key(), "the batch keeps its name");
}

/// Nothing is given up while an endpoint answers the same to everything, and all of it goes out by itself afterwards.
#[test]
fn an_endpoint_that_is_wrong_for_a_while_costs_nothing() {
    for status in [400, 401, 403, 404, 413, 429, 500] {
        let receiver = Receiver::start([], Reply::text(status, "not today"));
        let mut bench = to_http(&receiver, Pace::Quick(Duration::from_millis(10)));
        bench.write_numbers(20);
        let held = match status {
            401 | 403 => Some(HoldKind::Auth),
            400 | 413 => Some(HoldKind::Refused),
            404 => Some(HoldKind::Config),
            _ => None,
        };
        let code = status.to_string();
        let says_why = |shown: &DestinationStatus| match (&shown.activity, held) {
            (Activity::Held { kind, reason, .. }, Some(held)) => *kind == held && reason.contains(&code),
            (Activity::BackingOff { reason, .. }, None) => reason.contains(&code),
            _ => false,
        };
        bench.until(&code, says_why);
        // It goes on asking, and goes on keeping everything.
        let asked = receiver.requests().len();
        let requests = receiver.wait_for(asked + 10, PATIENCE);
        assert!(
            requests.len() >= asked + 10,
            "{status}: {} requests",
            requests.len()
        );
        bench.until(&code, says_why);
        let shown = bench.status();
        assert_eq!(
            (shown.counts.delivered, shown.counts.dead_lettered),
            (0, 0),
            "{status}"
        );
        assert_eq!(
            (shown.backlog.pending, bench.letters().len()),
            (20, 0),
            "{status}"
        );
        bench.until_of(FILE, "the directory", |file| file.counts.delivered == 20);

        let before = receiver.requests().len();
        receiver.then(Reply::Status(200));
        assert_eq!(bench.shipper.drain(PATIENCE), Drained::Everything, "{status}");
        assert_caught_up(&bench, &receiver.requests()[before..], &receiver);
    }
}
