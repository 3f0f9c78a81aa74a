//! Two destinations with one id: nobody can say which the cursor of that name belongs to.

use auditship_testkit::receiver::Reply;
use serde_json::json;

use super::cli_support::auditship;
use super::daemon::Daemon;
use super::shipment::eventually;
use super::{Place, all, await_last, http, numbers, taking};

const REASON: &str = "there is another destination `siem` at ";

#[test]
fn nothing_starts() {
    let place = Place::new();
    let [one, twin, other] = [(); 3].map(|()| taking());
    let blocks = [
        http("siem", &one, ""),
        http("other", &other, ""),
        http("siem", &twin, ""),
    ];
    place.fill(0..10);
    let config = place.configure(&[&blocks[0], &blocks[1], &blocks[2]]);
    let mut daemon = Daemon::start(&config);
    assert_eq!(daemon.ends(), 3);
    eventually("both are named", || daemon.said().matches(REASON).count() == 2);
    for receiver in [&one, &twin, &other] {
        assert_eq!(receiver.connections(), 0);
    }

    let config = place.configure(&[&blocks[0], &blocks[1]]);
    let daemon = Daemon::start(&config);
    for id in ["siem", "other"] {
        place.await_settled(id, 10);
    }
    assert_eq!(daemon.terminate(), 0);
    for receiver in [&one, &other] {
        assert_eq!(numbers(&receiver.requests()), all(0..10));
    }
}

#[test]
fn at_a_reload_both_are_held_and_the_others_ship_on() {
    let place = Place::new();
    let [one, twin, other] = [(); 3].map(|()| taking());
    let (siem, same_id) = (http("siem", &one, ""), http("siem", &twin, ""));
    let beside = http("other", &other, "");
    place.fill(0..10);
    let daemon = Daemon::start(&place.configure(&[&siem, &beside]));
    place.await_settled("siem", 10);
    one.then(Reply::Status(503));
    place.fill(10..20);
    await_last(&one, 19);

    place.configure(&[&siem, &same_id, &beside]);
    daemon.reloads("held: ");
    assert!(daemon.said().contains(REASON), "{}", daemon.said());
    let unanswered = one.take();
    one.then(Reply::Status(200));
    place.fill(20..30);
    place.await_settled("other", 30);
    let held = place.destination("siem");
    assert_eq!(
        (&held["activity"]["state"], &held["activity"]["kind"]),
        (&json!("held"), &json!("config")),
        "{held}"
    );
    let reason = held["activity"]["reason"].as_str().expect("a reason");
    assert!(reason.contains(REASON), "{reason}");
    place.assert_counts("siem", 30, &[("delivered", 10)]);
    let shown = auditship(&["status", &place.spool()]);
    assert!(
        shown.code == 1 && shown.stdout.contains("siem is held: "),
        "{}",
        shown.stdout
    );
    assert_eq!(numbers(&one.requests()), all(0..0), "nothing by either of them");

    place.configure(&[&siem, &beside]);
    daemon.reloads("reloaded: shipping to siem, other");
    place.await_settled("siem", 30);
    assert_eq!(daemon.terminate(), 0);
    let came = one.requests();
    assert_eq!(numbers(&came), all(10..30));
    assert_eq!(came[0].key(), unanswered.last().expect("it was asked").key());
    assert_eq!(numbers(&other.requests()), all(0..30), "each once, in order");
    assert_eq!(twin.connections(), 0);
    for id in ["siem", "other"] {
        place.assert_counts(id, 30, &[("delivered", 30), ("redelivered", 0)]);
    }
}
