//! What is taken and never acknowledged.

use std::time::Duration;

use super::world::{MINUTE, World, healthy};
use crate::deliver::testing::{Fault, Handle};
use crate::deliver::{Action, Activity, Condition, Lane};
use crate::spool::cursor::HoldKind;

const DAY: Duration = Duration::from_secs(86_400);

fn never(_: &http::Request<Vec<u8>>) -> Fault {
    Fault::Unacknowledged
}

fn is_held(lane: &Lane) -> bool {
    let condition = lane.snapshot().condition;
    matches!(condition, Condition::Held { kind: HoldKind::Unacknowledged, probe: None, reason, .. }
        if reason.contains("auditship resume"))
}

#[test]
fn it_is_sent_once_more_and_then_waits_for_a_person_through_days_and_restarts() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, DAY, never).unwrap();
    assert!(is_held(&lane), "{:?}", lane.snapshot());
    assert_eq!(world.receiver.times(10), [2; 10]);
    for _ in 0..3 {
        drop(lane);
        world.receiver.sender_died();
        lane = world.open().unwrap();
        world.run(&mut lane, DAY, healthy).unwrap();
        assert!(is_held(&lane), "{:?}", lane.snapshot());
    }
    assert_eq!(world.receiver.requests, 2, "nothing goes without a word");
    assert_eq!(lane.snapshot().counts.delivered, 0);

    // A person's word is one further sending.
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, DAY, never).unwrap();
    // After a restart nobody knows how often it was sent: once more than said, at most.
    assert_eq!(world.receiver.requests, 4);
    assert!(is_held(&lane), "{:?}", lane.snapshot());
    lane.desire(Activity::Active, 2);
    world.run(&mut lane, DAY, never).unwrap();
    assert_eq!(world.receiver.requests, 5);

    lane.desire(Activity::Active, 3);
    world.run(&mut lane, DAY, healthy).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 10);
    assert_eq!(lane.snapshot().condition, Condition::Active);
}

#[test]
fn it_ends_where_the_records_go_elsewhere() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, DAY, never).unwrap();
    assert!(is_held(&lane), "{:?}", lane.snapshot());
    drop(lane);
    world.receiver.sender_died();
    world.destination.fingerprint = [2; 16];
    let mut lane = world.open().unwrap();
    world.run(&mut lane, DAY, healthy).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 10);
    assert_eq!(lane.snapshot().condition, Condition::Active);
}

#[test]
fn a_pause_does_not_end_it_and_other_troubles_do_not_hide_it() {
    let mut world = World::new(Handle::None);
    world.destination.limits.in_flight = 3;
    world.fill(30);
    let mut lane = world.open().unwrap();
    let mut send = || match lane.poll(world.now()).unwrap() {
        Action::Send { ticket, request } => (ticket, request),
        Action::Wait(until) => panic!("{until:?}"),
    };
    let (first, second, third) = (send(), send(), send());
    let status = |status| Ok(crate::deliver::testing::response(status, ""));
    lane.complete(first.0, status(202), world.now());
    world.run(&mut lane, MINUTE, never).unwrap();
    assert!(is_held(&lane), "{:?}", lane.snapshot());
    // What was on its way counts, and does not open the lane again.
    lane.complete(second.0, status(200), world.now());
    assert!(is_held(&lane), "{:?}", lane.snapshot());
    lane.complete(third.0, status(401), world.now());
    assert!(is_held(&lane), "{:?}", lane.snapshot());
    let sent = world.receiver.requests;
    world.run(&mut lane, DAY, healthy).unwrap();
    assert_eq!(
        (world.receiver.requests, lane.snapshot().counts.delivered),
        (sent, 10)
    );
}
