//! Refused records: whose fault it is, and when it is too many of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{MINUTE, World, healthy, held};
use crate::deliver::testing::{Fault, Handle, response};
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
    let (kind, reason) = held(&lane);
    assert_eq!(kind, HoldKind::Rate, "{reason}");
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
    assert_eq!(held(&lane).0, HoldKind::Refused);
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
    // Also while nothing runs.
    drop(lane);
    world.receiver.sender_died();
    let mut lane = world.open().unwrap();
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
fn what_stands_in_front_of_a_rejected_record_may_be_there_twice_and_is_counted() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    world.receiver.stops = BTreeSet::from([6]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.delivered, counts.dead_lettered), (9, 1));
    assert_eq!(counts.redelivered, 6);
    assert_eq!(world.receiver.times(10), [2, 2, 2, 2, 2, 2, 0, 1, 1, 1]);
}

#[test]
fn what_stands_in_front_of_many_rejected_records_is_not_sent_for_ever() {
    let mut world = World::new(Handle::None);
    world.destination.limits.records = 100;
    world.destination.limits.bytes = 10_000;
    world.fill(40);
    world.receiver.stops = (10..35).collect();
    let mut lane = world.open().unwrap();
    for _ in 0..3 {
        world.run(&mut lane, 60 * MINUTE, healthy).unwrap();
        let condition = lane.snapshot().condition;
        assert!(
            matches!(&condition, Condition::Held { kind: HoldKind::NotKept, probe: None, reason, .. }
                if reason.contains("may store 10 others once more")),
            "{condition:?}"
        );
        drop(lane);
        world.receiver.sender_died();
        lane = world.open().unwrap();
    }
    // Ten are few enough; the one after them is not.
    assert_eq!((world.letters().len(), world.receiver.requests), (10, 11));
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.delivered, counts.dead_lettered), (15, 25));
}

#[test]
fn what_one_target_did_not_keep_does_not_hold_another_nor_lift_its_brake() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(30);
    world.receiver.not_kept = (0..25).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(held(&lane).0, HoldKind::NotKept);
    drop(lane);
    world.receiver.sender_died();
    world.receiver.not_kept.clear();
    world.receiver.rejected = (0..25).collect();
    world.destination.fingerprint = [2; 16];
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(held(&lane).0, HoldKind::Rate);
    // Ten at each of the two are few enough.
    assert_eq!(world.letters(), (0..20).collect::<Vec<_>>());
    world.receiver.rejected.clear();
    world.run(&mut lane, 10 * MINUTE, healthy).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 10);
}

/// That a person says that one target is right does not vouch for another.
#[test]
fn a_resume_after_another_target_is_configured_gives_up_nothing() {
    let mut world = World::new(Handle::None);
    world.fill(1);
    world.receiver.poison = (0..30).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    drop(lane);
    world.receiver.sender_died();
    world.destination.fingerprint = [2; 16];
    let mut lane = world.open().unwrap();
    lane.desire(Activity::Active, 1);
    world.run(&mut lane, 10 * MINUTE, healthy).unwrap();
    assert_eq!(held(&lane).0, HoldKind::Refused);
    assert_eq!(world.letters(), [] as [u64; 0]);
    lane.desire(Activity::Active, 2);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.letters(), [0]);
}

/// That some of a batch was stored proves nothing for other bytes.
#[test]
fn what_was_stored_in_another_form_does_not_say_whose_fault_a_refusal_is() {
    let mut world = World::new(Handle::None);
    world.fill(10);
    let mut lane = world.open().unwrap();
    let mut requests = 0;
    world
        .run(&mut lane, MINUTE, |_| {
            requests += 1;
            if requests == 1 {
                Fault::Partial
            } else {
                Fault::NotSent
            }
        })
        .unwrap();
    assert_eq!(world.receiver.stored.len(), 5);
    drop(lane);
    world.receiver.sender_died();
    world.destination.stamped = Some(Duration::MAX);
    world.receiver.poison = (0..10).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, healthy).unwrap();
    assert_eq!(held(&lane).0, HoldKind::Refused);
    assert_eq!(world.letters(), [] as [u64; 0]);
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
    let (kind, reason) = held(&lane);
    assert_eq!(kind, HoldKind::Rate, "{reason}");
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
