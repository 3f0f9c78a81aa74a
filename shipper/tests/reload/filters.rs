//! A rule that changes while a batch is on its way: the batch is completed as it was made, records behind it follow the new rule.

use auditship_testkit::receiver::{Receiver, Reply};

use super::daemon::Daemon;
use super::{Place, await_last, http, numbers, taking};

/// The rule changes while `receiver` does as it does; `release` makes it take records.
fn rule_changes(receiver: &Receiver, release: impl FnOnce(&Receiver)) {
    let place = Place::new();
    let neighbour = taking();
    let beside = http("beside", &neighbour, "");
    let iam = http("siem", receiver, "include = { category = \"iam\" }");
    let all_but_iam = http("siem", receiver, "exclude = { category = \"iam\" }");
    // The last one is about iam, so that all of them are of the batch.
    place.fill(0..41);
    let daemon = Daemon::start(&place.configure(&[&iam, &beside]));
    await_last(receiver, 40);
    place.await_settled("beside", 41);

    place.configure(&[&all_but_iam, &beside]);
    daemon.reloads("reloaded: shipping to siem, beside");
    release(receiver);
    place.fill(41..81);
    place.await_settled("siem", 81);
    place.await_settled("beside", 81);
    assert_eq!(daemon.terminate(), 0);

    let requests = receiver.requests();
    let made_before: Vec<u64> = (0..41).step_by(2).collect();
    let first = &requests[0];
    let again: Vec<_> = requests
        .iter()
        .filter(|request| request.key() == first.key())
        .collect();
    assert!(again.len() > 1, "it was sent again");
    assert!(again.iter().all(|request| request.plain == first.plain));
    assert_eq!(numbers(&requests[..1]), made_before);
    let behind = &requests[again.len()..];
    assert_eq!(numbers(behind), (41..81).step_by(2).collect::<Vec<u64>>());
    place.assert_counts(
        "siem",
        81,
        &[("delivered", 41), ("filtered", 40), ("redelivered", 0)],
    );
    place.assert_counts("beside", 81, &[("delivered", 81)]);
    assert_eq!(numbers(&neighbour.requests()), (0..81).collect::<Vec<u64>>());
}

#[test]
fn while_the_receiver_is_down() {
    let receiver = Receiver::start([], Reply::Status(503));
    rule_changes(&receiver, |receiver| receiver.then(Reply::Status(200)));
}

#[test]
fn while_the_receiver_holds_its_answer_back() {
    let receiver = Receiver::start([Reply::Held(Box::new(Reply::Status(200)))], Reply::Status(200));
    // The late answer finds nobody who hears it.
    rule_changes(&receiver, Receiver::release);
}
