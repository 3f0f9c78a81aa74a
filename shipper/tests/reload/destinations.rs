//! Destinations that come, move, go and come back while their neighbour ships on.

use auditship_testkit::receiver::{Receiver, Reply};

use super::cli_support::auditship;
use super::daemon::Daemon;
use super::shipment::eventually;
use super::{Place, all, await_last, http, numbers, taking};

#[test]
fn each_goes_on_where_its_own_cursor_is() {
    let place = Place::new();
    let [steady, first, second, late, added] = [(); 5].map(|()| taking());
    let (here, there) = (http("moved", &first, ""), http("moved", &second, ""));
    let (steadily, lately) = (http("steady", &steady, ""), http("late", &late, ""));
    let newly = http("added", &added, "");
    place.fill(0..50);
    let config = place.configure(&[&steadily, &here, &lately]);
    let daemon = Daemon::start(&config);
    for id in ["steady", "moved", "late"] {
        place.await_settled(id, 50);
    }

    // What is on its way at the reload: an answer that is held back, one that never comes, and a receiver that is down.
    steady.push([Reply::Held(Box::new(Reply::Status(200)))]);
    first.then(Reply::Close);
    late.then(Reply::Status(503));
    place.fill(50..70);
    for receiver in [&steady, &first, &late] {
        await_last(receiver, 69);
    }
    place.configure(&[&steadily, &there, &newly]);
    daemon.reloads("reloaded: shipping to steady, moved, added");
    let unanswered = late.take();
    steady.release();
    place.fill(70..100);
    for receiver in [&steady, &second, &added] {
        await_last(receiver, 99);
    }
    assert_eq!(
        numbers(&added.requests()),
        all(0..100),
        "with the oldest that is there"
    );
    assert_eq!(
        numbers(&second.requests()),
        all(50..100),
        "nothing that the first one has confirmed"
    );

    assert_removed_is_told(&place);
    late.then(Reply::Status(200));
    place.configure(&[&steadily, &there, &newly, &lately]);
    daemon.reloads("reloaded: shipping to steady, moved, added, late");
    for id in ["steady", "moved", "added", "late"] {
        place.await_settled(id, 100);
    }
    let came = late.requests();
    assert_eq!(numbers(&came), all(50..100), "as many as were pending, once");
    let last_sent = unanswered.last().expect("it was asked");
    assert_eq!(
        came[0].key(),
        last_sent.key(),
        "the batch that was on its way has its name"
    );
    assert_eq!(daemon.terminate(), 0);

    assert_eq!(numbers(&steady.requests()), all(0..100), "each once, in order");
    for (id, redelivered) in [("steady", 0), ("moved", 20), ("added", 0), ("late", 0)] {
        place.assert_counts(id, 100, &[("delivered", 100), ("redelivered", redelivered)]);
    }
}

/// `late` is no longer configured, and 50 records wait for it.
fn assert_removed_is_told(place: &Place) {
    eventually("the status says that it is not configured", || {
        place.destination("late")["standing"] == "unconfigured"
    });
    assert_eq!(place.destination("late")["backlog"]["pending"], 50);
    place.assert_counts("late", 100, &[("delivered", 50)]);
    let shown = auditship(&["status", &place.spool()]);
    assert_eq!(shown.code, 1, "{}", shown.stdout);
    for part in [
        "50 records wait for late, which is no longer configured",
        "`auditship forget late`",
    ] {
        assert!(shown.stdout.contains(part), "{part}\nis not in\n{}", shown.stdout);
    }
}

#[test]
fn what_waits_for_a_removed_one_is_given_up_only_when_somebody_says_so() {
    let place = Place::new();
    let (steady, removed) = (taking(), Receiver::start([], Reply::Status(503)));
    let (steadily, away) = (http("steady", &steady, ""), http("removed", &removed, ""));
    place.fill(0..10);
    let daemon = Daemon::start(&place.configure(&[&steadily, &away]));
    await_last(&steady, 9);
    await_last(&removed, 9);
    let forget = || auditship(&["forget", "removed", "--spool", &place.spool()]);
    let refused = forget();
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(
        refused
            .stderr
            .contains("`removed` is in the configuration: remove it there first, and reload"),
        "{}",
        refused.stderr
    );

    place.configure(&[&steadily]);
    daemon.reloads("reloaded: shipping to steady");
    let forgotten = forget();
    assert_eq!(
        (forgotten.code, forgotten.stdout.as_str()),
        (
            0,
            "removed is forgotten, with 10 pending records and 0 dead letters\n"
        ),
        "{}",
        forgotten.stderr
    );
    place.fill(10..20);
    place.await_settled("steady", 20);
    assert_eq!(place.destination("removed"), serde_json::Value::Null);
    assert_eq!(auditship(&["status", &place.spool()]).code, 0, "nothing is red");
    assert!(
        is_noted(&place, b"destination removed was given up by "),
        "the spool itself says so"
    );
    assert_eq!(daemon.terminate(), 0);
    assert_eq!(numbers(&steady.requests()), all(0..20));
    place.assert_counts("steady", 20, &[("delivered", 20)]);
}

/// Whether a block of the spool says so: a note is plain text.
fn is_noted(place: &Place, text: &[u8]) -> bool {
    let segments = std::fs::read_dir(format!("{}/segments", place.spool())).expect("a folder");
    segments.into_iter().any(|segment| {
        let bytes = std::fs::read(segment.expect("a file").path()).expect("read");
        bytes.windows(text.len()).any(|found| found == text)
    })
}
