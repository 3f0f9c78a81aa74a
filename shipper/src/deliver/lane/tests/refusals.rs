//! Refused records: whose fault it is, and when it is too many of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{MINUTE, World, healthy};
use crate::deliver::testing::{Handle, response};
use crate::deliver::{Action, Activity, Condition};
use crate::spool::cursor::HoldKind;

#[test]
fn a_destination_that_takes_none_but_small_records_does_not_drain_into_dead_letters() {
    let mut world = World::new(Handle::None);
    for _ in 0..50 {
        world.log.push(101, 0);
    }
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    let Condition::Held {
        kind: HoldKind::Rate,
        reason,
        ..
    } = lane.snapshot().condition
    else {
        panic!("held")
    };
    assert!(reason.contains("larger than the"), "{reason}");
    assert_eq!(world.letters().len(), 10);
    // With a configuration that takes them they go.
    drop(lane);
    world.destination.limits.record_bytes = 200;
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.receiver.stored, (10..50).collect::<Vec<_>>());
}

#[test]
fn poison_is_found_and_only_poison_inside_the_bound() {
    let mut world = World::new(Handle::Idempotent);
    world.destination.limits.records = 64;
    world.destination.limits.bytes = 10_000;
    world.fill(64);
    world.receiver.poison = BTreeSet::from([0, 13, 14, 63]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.letters(), [0, 13, 14, 63]);
    let good: Vec<u64> = (0..64).filter(|seq| ![0, 13, 14, 63].contains(seq)).collect();
    assert_eq!(world.receiver.stored, good);
    assert!(
        world.receiver.requests <= 4 * 6 + 2 * 4 + 1,
        "{}",
        world.receiver.requests
    );
}

#[test]
fn one_refused_record_alone_is_held_until_company_shows_whose_fault_it_is() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(1);
    world.receiver.poison = BTreeSet::from([0]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Config,
            ..
        }
    ));
    assert_eq!(world.letters(), [] as [u64; 0]);
    world.fill(3);
    world.run(&mut lane, 10 * MINUTE, healthy).unwrap();
    assert_eq!(
        (world.letters(), &world.receiver.stored),
        (vec![0], &vec![1, 2, 3])
    );
    assert_eq!(lane.snapshot().condition, Condition::Active);
}

#[test]
fn one_refused_record_is_given_up_when_a_person_says_that_the_destination_is_right() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(1);
    world.receiver.poison = BTreeSet::from([0]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    assert_eq!(world.letters(), [] as [u64; 0]);
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(
        (world.letters(), lane.snapshot().condition),
        (vec![0], Condition::Active)
    );
}

#[test]
fn one_refused_record_gets_company_where_batches_of_one_are_configured() {
    let mut world = World::new(Handle::Idempotent);
    world.batching.records = 1;
    world.fill(3);
    world.receiver.poison = BTreeSet::from([0]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    assert_eq!((world.letters(), &world.receiver.stored), (vec![0], &vec![1, 2]));
}

#[test]
fn what_is_taken_and_not_kept_is_not_sent_again_before_a_person_says_so() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(30);
    world.receiver.not_kept = (0..25).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let requests = world.receiver.requests;
    for _ in 0..3 {
        let condition = lane.snapshot().condition;
        assert!(
            matches!(&condition, Condition::Held { kind: HoldKind::NotKept, probe: None, reason, .. }
                if reason.contains("dead_letter_rate")),
            "{condition:?}"
        );
        drop(lane);
        world.receiver.sender_died();
        lane = world.open().unwrap();
        world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    }
    assert_eq!(world.receiver.requests, requests);
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(
        (world.letters(), lane.snapshot().condition),
        ((0..25).collect(), Condition::Active)
    );
    assert_eq!(world.receiver.stored, [25, 26, 27, 28, 29]);
}

#[test]
fn a_run_of_poison_in_front_does_not_block_for_ever() {
    let mut world = World::new(Handle::Idempotent);
    world.destination.limits.records = 100;
    world.destination.limits.bytes = 10_000;
    world.dead_letter_rate = 1_000_000;
    world.fill(100);
    world.receiver.poison = (0..60).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
    assert_eq!(world.letters(), (0..60).collect::<Vec<_>>());
    assert_eq!(world.receiver.stored, (60..100).collect::<Vec<_>>());
}

#[test]
fn too_large_halves_and_is_remembered() {
    let mut world = World::new(Handle::Idempotent);
    world.receiver.room = 6;
    world.fill(40);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.receiver.stored, (0..40).collect::<Vec<_>>());
    assert_eq!(world.letters(), [] as [u64; 0]);
    // One refusal, two halves, and then batches of a size that fits.
    assert!(
        world.receiver.requests <= 1 + 2 + 8,
        "{}",
        world.receiver.requests
    );
}

#[test]
fn explicit_verdicts_become_dead_letters_below_the_rate_and_a_hold_above_it() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(60);
    world.receiver.rejected = BTreeSet::from([3, 27]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(
        (world.letters(), lane.snapshot().counts.dead_lettered),
        (vec![3, 27], 2)
    );

    world.receiver.rejected = (60..90).collect();
    world.fill(30);
    world.run(&mut lane, Duration::from_secs(50), healthy).unwrap();
    let Condition::Held {
        kind: HoldKind::Rate,
        reason,
        ..
    } = lane.snapshot().condition
    else {
        panic!("held");
    };
    assert!(reason.contains("dead_letter_rate"), "{reason}");
    let dead = lane.snapshot().counts.dead_lettered;
    assert!(dead <= 2 + 10, "{dead}");
    assert_eq!(world.letters().len() as u64, dead);

    // A person says that it is right so, while nothing runs.
    drop(lane);
    let mut lane = world.open().unwrap();
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, Duration::from_secs(5), healthy).unwrap();
    assert_eq!(
        (world.letters().len(), lane.snapshot().condition),
        (32, Condition::Active)
    );
    assert_eq!(world.receiver.times(90).iter().sum::<usize>(), 90 - 32);
}

#[test]
fn verdicts_that_do_not_fit_the_batch_settle_nothing() {
    let world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    let Action::Send { ticket, .. } = lane.poll(world.now()).unwrap() else {
        panic!("a batch")
    };
    lane.complete(ticket, Ok(response(207, "sssssssss")), world.now());
    assert_eq!(lane.snapshot().counts.delivered, 0);
    assert!(
        lane.snapshot()
            .trouble
            .unwrap()
            .reason
            .contains("9 verdicts for 10 records")
    );
}
