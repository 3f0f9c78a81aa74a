//! Which batches go, when, and what is committed of them.

use std::time::Duration;

use super::world::{FILTERED, MINUTE, World, healthy};
use crate::deliver::testing::{Handle, locked, response};
use crate::deliver::{Action, Activity, Condition};
use crate::spool::cursor::Disposition;
use crate::transport::SendError;

#[test]
fn full_batches_go_at_once_and_the_rest_when_it_is_of_age() {
    let mut world = World::new(Handle::None);
    world.fill(25);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, Duration::ZERO, healthy).unwrap();
    assert_eq!((world.receiver.stored.len(), world.receiver.requests), (20, 2));
    world.run(&mut lane, Duration::from_millis(999), healthy).unwrap();
    assert_eq!(world.receiver.stored.len(), 20);
    world.run(&mut lane, Duration::from_millis(1), healthy).unwrap();
    assert_eq!(world.receiver.stored, (0..25).collect::<Vec<_>>());
    assert!(lane.is_drained());
    assert_eq!(lane.snapshot().counts.delivered, 25);
}

#[test]
fn draining_does_not_wait_for_company() {
    let mut world = World::new(Handle::None);
    world.fill(3);
    let mut lane = world.open().unwrap();
    lane.drain();
    assert!(!lane.is_drained());
    world.run(&mut lane, Duration::ZERO, healthy).unwrap();
    assert_eq!(world.receiver.stored, [0, 1, 2]);
    assert!(lane.is_drained());
}

#[test]
fn one_commit_a_batch_while_there_is_more() {
    let mut world = World::new(Handle::None);
    world.fill(100);
    let mut lane = world.open().unwrap();
    let before = *locked(&world.commits);
    world.run(&mut lane, Duration::ZERO, healthy).unwrap();
    // Ten batches, and the rest that follows the last.
    assert_eq!(*locked(&world.commits) - before, 11);
}

#[test]
fn filtered_lost_and_oversized_records_never_block() {
    let mut world = World::new(Handle::None);
    for _ in 0..4 {
        world.log.push(30, FILTERED);
        world.log.push(30, 0);
        world.log.push(101, 0);
        world.log.push(30, 0);
    }
    *locked(&world.log.lost) = vec![(0..3, Disposition::Dropped), (9..10, Disposition::Damaged)];
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.dropped, counts.damaged, counts.filtered), (3, 1, 3));
    assert_eq!((counts.dead_lettered, counts.delivered), (3, 6));
    assert_eq!(world.letters(), [6, 10, 14]);
    assert_eq!(world.receiver.stored, [3, 5, 7, 11, 13, 15]);
}

#[test]
fn a_ticket_counts_once() {
    let world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    let Action::Send { ticket, .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    lane.complete(
        ticket,
        Err(SendError::Unanswered {
            reason: String::new(),
        }),
        world.now(),
    );
    lane.complete(ticket, Ok(response(201, "")), world.now());
    assert_eq!(lane.snapshot().counts.delivered, 0);
}

#[test]
fn four_in_flight_complete_in_any_order_and_commit_in_theirs() {
    let mut world = World::new(Handle::CreateOnly);
    world.destination.limits.in_flight = 4;
    world.fill(60);
    let mut lane = world.open().unwrap();
    let mut tickets = Vec::new();
    while let Action::Send { ticket, .. } = lane.poll(world.now()).unwrap() {
        tickets.push(ticket);
    }
    assert_eq!(tickets.len(), 4);
    for index in [3, 1, 2] {
        lane.complete(tickets[index], Ok(response(201, "")), world.now());
        assert!(
            matches!(lane.poll(world.now()).unwrap(), Action::Wait(_)),
            "no fifth entry"
        );
        assert_eq!(lane.snapshot().committed, 0);
    }
    assert_eq!(lane.snapshot().counts.delivered, 30);
    lane.complete(tickets[0], Ok(response(201, "")), world.now());
    assert!(matches!(lane.poll(world.now()).unwrap(), Action::Send { .. }));
    assert_eq!(lane.snapshot().committed, 40);
}

#[test]
fn a_pause_outlives_a_restart_and_resumes_from_its_place() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    lane.desire(Activity::Paused, 4);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(
        (lane.snapshot().condition, lane.snapshot().desired),
        (Condition::Paused, 4)
    );
    assert_eq!(world.receiver.requests, 0);
    drop(lane);
    let mut lane = world.open().unwrap();
    lane.desire(Activity::Paused, 4);
    world.fill(10);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.receiver.requests, 0);
    lane.desire(Activity::Active, 5);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.receiver.stored, (0..20).collect::<Vec<_>>());
}
