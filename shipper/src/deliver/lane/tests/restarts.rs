//! What a lane that is opened again makes of what is journalled, and what a name in conflict comes to.

use std::collections::BTreeSet;

use super::world::{MINUTE, World, healthy, held};
use crate::deliver::testing::{Fault, Handle, locked, response};
use crate::deliver::{Action, Activity};
use crate::destination::Format;
use crate::spool::cursor::{Disposition, HoldKind};

#[test]
fn what_is_journalled_when_the_process_dies_is_sent_again_unchanged() {
    for handle in [Handle::CreateOnly, Handle::Idempotent] {
        let mut world = World::new(handle);
        world.fill(10);
        let mut lane = world.open().unwrap();
        let Action::Send { request, .. } = lane.poll(world.now()).unwrap() else {
            panic!("a batch")
        };
        let _ = world.receiver.receive(&request, Fault::AnswerLost);
        drop(lane);
        // Another configuration: other batches, another format. The journal is what counts.
        world.receiver.sender_died();
        world.destination.limits.records = 3;
        world.destination.format = Format::JsonArray;
        world.destination.limits.records = 10;
        let mut lane = world.open().unwrap();
        let Action::Send {
            ticket,
            request: again,
        } = lane.poll(world.now()).unwrap()
        else {
            panic!("a batch")
        };
        assert_eq!((again.uri(), again.body()), (request.uri(), request.body()));
        let answer = world.receiver.receive(&again, Fault::None);
        lane.complete(ticket, answer, world.now());
        world.run(&mut lane, MINUTE, healthy).unwrap();
        assert_eq!(world.receiver.times(10), [1; 10]);
        let unverified = if handle == Handle::CreateOnly { 10 } else { 0 };
        assert_eq!(lane.snapshot().counts.unverified, unverified);
    }
}

#[test]
fn another_target_gets_another_name_and_what_may_be_there_twice_is_counted() {
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    let Action::Send { request: first, .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    drop(lane);
    world.destination.fingerprint = [2; 16];
    let mut lane = world.open().unwrap();
    let Action::Send { ticket, request } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    assert_ne!(request.uri(), first.uri());
    assert_eq!(request.body(), first.body());
    lane.complete(ticket, Ok(response(201, "")), world.now());
    assert_eq!(lane.snapshot().counts.redelivered, 10);
}

#[test]
fn what_was_clearly_not_stored_is_no_possible_duplicate_at_another_target() {
    // A hold, and the two kinds of waiting.
    for fault in [Fault::Status(401), Fault::Status(503), Fault::NotSent] {
        let mut world = World::new(Handle::CreateOnly);
        world.fill(10);
        let mut lane = world.open().unwrap();
        world.run(&mut lane, MINUTE, |_| fault).unwrap();
        drop(lane);
        world.destination.fingerprint = [2; 16];
        let mut lane = world.open().unwrap();
        world.run(&mut lane, MINUTE, healthy).unwrap();
        let counts = lane.snapshot().counts;
        assert_eq!((counts.redelivered, counts.delivered), (0, 10), "{fault:?}");
    }
}

#[test]
fn a_name_that_something_else_has_is_a_conflict_until_a_person_resumes() {
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(412)).unwrap();
    assert_eq!(held(&lane).0, HoldKind::Conflict);
    assert_eq!(lane.snapshot().counts.delivered, 0, "however often it is asked");
    // Neither does an answer that got lost make the name ours, nor a restart.
    world.run(&mut lane, 10 * MINUTE, |_| Fault::RequestLost).unwrap();
    drop(lane);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(412)).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 0);
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 10);
    assert_eq!(
        (
            lane.snapshot().counts.unverified,
            lane.snapshot().counts.redelivered
        ),
        (0, 0)
    );
}

#[test]
fn a_name_that_was_compared_and_is_another_batch_is_a_conflict_also_after_a_lost_answer() {
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, |_| Fault::RequestLost).unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(409)).unwrap();
    // Nor does a restart forget it: the name never proves anything again.
    drop(lane);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(412)).unwrap();
    assert_eq!(held(&lane).0, HoldKind::Conflict);
    assert_eq!(lane.snapshot().counts.delivered, 0);
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!(
        (counts.delivered, counts.unverified, counts.redelivered),
        (10, 0, 0)
    );
}

#[test]
fn a_conflict_is_remembered_when_another_hold_came_after_it() {
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, |_| Fault::Status(412)).unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(401)).unwrap();
    assert_eq!(held(&lane).0, HoldKind::Auth);
    drop(lane);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::RequestLost).unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(412)).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 0);
    assert_eq!(held(&lane).0, HoldKind::Conflict);
}

#[test]
fn records_that_are_gone_when_a_batch_is_opened_again_are_counted_not_waited_for() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(20);
    let mut lane = world.open().unwrap();
    let Action::Send { .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    drop(lane);
    *locked(&world.log.lost) = vec![(0..4, Disposition::Dropped), (8..13, Disposition::Damaged)];
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.dropped, counts.damaged, counts.delivered), (4, 5, 11));
    // Those of the journalled batch that are left may have been stored by it.
    assert_eq!(counts.redelivered, 4);
}

#[test]
fn a_letter_that_the_cursor_does_not_know_goes_when_the_lane_is_opened_again() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    world.receiver.rejected = BTreeSet::from([4]);
    let mut lane = world.open().unwrap();
    let Action::Send { ticket, request } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    let answer = world.receiver.receive(&request, Fault::None);
    lane.complete(ticket, answer, world.now());
    assert_eq!(world.letters(), [4]);
    // The process dies before the cursor says so, and the destination changes its mind.
    drop(lane);
    world.receiver.sender_died();
    world.receiver.rejected.clear();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.letters(), [] as [u64; 0]);
    let counts = lane.snapshot().counts;
    assert_eq!((counts.delivered, counts.dead_lettered), (10, 0));
}

#[test]
fn a_letter_of_a_batch_that_was_being_filled_goes_when_the_lane_is_opened_again() {
    let mut world = World::new(Handle::None);
    world.destination.limits.in_flight = 2;
    world.fill(10);
    world.log.push(101, 0);
    world.fill(3);
    let mut lane = world.open().unwrap();
    let Action::Send { .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    assert!(matches!(lane.poll(world.now()).unwrap(), Action::Wait(_)));
    assert_eq!(world.letters(), [10]);
    // It fits now, and nothing in the cursor says that it ever did not.
    drop(lane);
    world.destination.limits.record_bytes = 200;
    let mut lane = world.open().unwrap();
    assert_eq!(world.letters(), [] as [u64; 0]);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.delivered, counts.dead_lettered), (14, 0));
}
