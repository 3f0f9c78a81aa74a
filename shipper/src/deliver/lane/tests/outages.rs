//! A receiver, or a disk, that is not well for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{MINUTE, World, healthy, held};
use crate::deliver::testing::{Fault, Handle};
use crate::deliver::{Action, Activity, Condition};
use crate::spool::cursor::HoldKind;
use crate::time::Timestamp;
use crate::transport::SendError;

#[test]
fn without_credentials_it_is_held_and_nothing_may_be_stored() {
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    lane.drain();
    let Action::Send { ticket, .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch is due");
    };
    let reason = String::from("the token file is gone");
    lane.complete(ticket, Err(SendError::NoCredentials { reason }), world.now());
    assert_eq!(held(&lane).0, HoldKind::Auth);
    world.run(&mut lane, 10 * MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.delivered, counts.unverified), (10, 0));
}

#[test]
fn a_receiver_that_answers_one_status_to_everything_costs_nothing_and_resumes_by_itself() {
    for status in [400, 401, 403, 404, 413, 429, 500] {
        for in_flight in [1, 4] {
            let mut world = World::new(Handle::Idempotent);
            world.destination.limits.in_flight = in_flight;
            world.fill(95);
            let mut lane = world.open().unwrap();
            world
                .run(&mut lane, 60 * MINUTE, |_| Fault::Status(status))
                .unwrap();
            let snapshot = lane.snapshot();
            let kind = match status {
                401 | 403 => Some(HoldKind::Auth),
                400 | 413 => Some(HoldKind::Refused),
                404 => Some(HoldKind::Config),
                _ => None,
            };
            match (&snapshot.condition, kind) {
                (
                    Condition::Held {
                        kind: held, reason, ..
                    },
                    Some(kind),
                ) => {
                    assert_eq!(*held, kind, "{status}");
                    assert!(reason.contains(&format!("status {status}")), "{reason}");
                }
                (Condition::BackingOff { reason, .. }, None) => {
                    assert!(reason.contains(&format!("status {status}")), "{reason}");
                }
                (condition, _) => panic!("{status}: {condition:?}"),
            }
            assert_eq!(
                (snapshot.counts.delivered, snapshot.counts.dead_lettered),
                (0, 0),
                "{status}"
            );
            assert_eq!(world.letters(), [] as [u64; 0]);
            let requests = world.receiver.requests;
            assert!(requests < 1_000, "{status} in an hour: {requests}");
            world.run(&mut lane, 20 * MINUTE, healthy).unwrap();
            let snapshot = lane.snapshot();
            assert_eq!(
                (snapshot.condition, snapshot.counts.delivered),
                (Condition::Active, 95),
                "{status}"
            );
            assert_eq!(world.letters(), [] as [u64; 0], "{status}");
            assert_eq!(world.receiver.times(95), [1; 95], "{status}");
            if in_flight == 1 {
                assert_eq!(
                    world.receiver.stored,
                    (0..95).collect::<Vec<_>>(),
                    "{status}: in order"
                );
            }
        }
    }
}

#[test]
fn a_receiver_that_is_dead_for_five_minutes_is_caught_up_in_order() {
    let mut world = World::new(Handle::None);
    let mut lane = world.open().unwrap();
    for _ in 0..300 {
        world.fill(7);
        world
            .run(&mut lane, Duration::from_secs(1), |_| Fault::NotSent)
            .unwrap();
    }
    assert!(matches!(lane.snapshot().condition, Condition::BackingOff { .. }));
    assert!(world.receiver.requests < 30, "{}", world.receiver.requests);
    world.run(&mut lane, 2 * MINUTE, healthy).unwrap();
    assert_eq!(world.receiver.stored, (0..2_100).collect::<Vec<_>>());
    assert!(lane.is_drained());
}

#[test]
fn retry_after_is_followed() {
    let world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    let Action::Send { ticket, .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    let throttled = http::Response::builder()
        .status(429)
        .header("retry-after", "30")
        .body(Vec::new())
        .unwrap();
    lane.complete(ticket, Ok(throttled), world.now());
    let Action::Wait(Some(until)) = lane.poll(world.now()).unwrap() else {
        panic!("a wait")
    };
    let wait = until.since(world.now().monotonic);
    assert!(
        wait >= Duration::from_secs(30) && wait <= Duration::from_secs(31),
        "{wait:?}"
    );
}

#[test]
fn a_disk_that_takes_no_dead_letter_keeps_the_record_and_what_was_stored_beside_it() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(10);
    world.receiver.rejected = BTreeSet::from([4]);
    world.disk.fail_when(|call| {
        (call.path.starts_with("dead-letters") && call.op.is_change())
            .then_some(std::io::ErrorKind::StorageFull)
    });
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 5 * MINUTE, healthy).unwrap();
    let Condition::BackingOff { reason, .. } = lane.snapshot().condition else {
        panic!("backing off")
    };
    assert!(reason.contains("dead-letters/archive"), "{reason}");
    assert_eq!(lane.snapshot().counts.delivered, 9);
    world.disk.heal();
    world.run(&mut lane, 5 * MINUTE, healthy).unwrap();
    assert_eq!((world.letters(), lane.is_drained()), (vec![4], true));
    assert_eq!(world.receiver.times(10).iter().sum::<usize>(), 9);
}

#[test]
fn a_disk_that_takes_no_dead_letter_lets_no_copies_be_made() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    world.receiver.stops = BTreeSet::from([6]);
    world.disk.fail_when(|call| {
        (call.path.starts_with("dead-letters") && call.op.is_change())
            .then_some(std::io::ErrorKind::StorageFull)
    });
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    let (kind, reason) = held(&lane);
    assert_eq!((kind, world.receiver.requests), (HoldKind::NotKept, 1));
    assert!(reason.contains("dead-letters/archive"), "{reason}");
    world.disk.heal();
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!((world.letters(), lane.is_drained()), (vec![6], true));
}

#[test]
fn a_batch_whose_time_is_over_is_made_anew() {
    for (believed, names) in [(Duration::MAX, 1), (60 * MINUTE, 2)] {
        let mut world = World::new(Handle::None);
        world.destination.stamped = Some(believed);
        world.fill(10);
        let mut lane = world.open().unwrap();
        world.run(&mut lane, 90 * MINUTE, |_| Fault::NotSent).unwrap();
        world.run(&mut lane, 10 * MINUTE, healthy).unwrap();
        assert_eq!(world.receiver.names(), names);
        let counts = lane.snapshot().counts;
        assert_eq!((counts.delivered, counts.redelivered), (10, 0));
        assert_eq!(world.receiver.times(10), [1; 10]);
    }
}

/// No attempt is left of a batch that was judged: the next one is made from its entry.
#[test]
fn a_batch_that_waited_without_an_attempt_has_a_time_of_now() {
    let mut world = World::new(Handle::None);
    world.destination.stamped = Some(60 * MINUTE);
    world.fill(20);
    world.receiver.not_kept = (0..20).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 90 * MINUTE, healthy).unwrap();
    assert_eq!(held(&lane).0, HoldKind::NotKept);
    world.receiver.not_kept.clear();
    lane.desire(Activity::Active, 1);
    let now = world.now().wall;
    let mut made_at = Vec::new();
    world
        .run(&mut lane, MINUTE, |request| {
            let text = std::str::from_utf8(request.body()).unwrap();
            made_at.push(Timestamp(text.lines().next().unwrap().parse().unwrap()));
            Fault::None
        })
        .unwrap();
    assert_eq!(made_at, [now]);
    assert_eq!(lane.snapshot().counts.delivered, 10);
}
