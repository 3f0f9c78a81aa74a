//! Replays, and dead letters that are sent again.

use std::collections::BTreeSet;

use super::world::{EPOCH, MINUTE, World, healthy};
use crate::deliver::testing::{Handle, locked};
use crate::deliver::{Condition, Reply};
use crate::spool::cursor::Disposition;
use crate::time::Timestamp;

#[test]
fn a_replay_is_counted_outside_and_takes_turns() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(40);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(lane.replay(5, 1_000, 77), Reply::Accepted { records: 35 });
    assert_eq!(lane.replay(5, 1_000, 77), Reply::Done);
    assert_eq!(lane.replay(0, 1, 78), Reply::Busy);
    world.fill(40);
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!((counts.delivered, counts.replayed), (80, 35));
    let times = world.receiver.times(80);
    assert_eq!(
        (&times[..5], &times[5..40], &times[40..]),
        (&[1; 5][..], &[2; 35][..], &[1; 40][..])
    );
    assert!(lane.is_drained());
    // It takes turns: new records are stored before the replay ends.
    let end_of_replay = world.receiver.stored.iter().rposition(|seq| *seq == 39).unwrap();
    let first_new = world.receiver.stored.iter().position(|seq| *seq == 40).unwrap();
    assert!(first_new < end_of_replay);
}

#[test]
fn what_a_replay_cannot_store_again_is_said() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(40);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    world.receiver.rejected = BTreeSet::from([6, 8]);
    assert_eq!(lane.replay(5, 10, 77), Reply::Accepted { records: 5 });
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let snapshot = lane.snapshot();
    assert_eq!((snapshot.counts.delivered, snapshot.counts.replayed), (40, 3));
    assert_eq!(world.letters(), [] as [u64; 0]);
    let trouble = snapshot.trouble.unwrap();
    assert!(
        trouble.reason.contains("2 records of a replay were rejected"),
        "{}",
        trouble.reason
    );
    assert_eq!(snapshot.condition, Condition::Active);
}

#[test]
fn what_a_replay_finds_too_large_by_now_is_said() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(5);
    world.log.push(80, 0);
    world.fill(4);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    drop(lane);
    world.destination.limits.record_bytes = 60;
    let mut lane = world.open().unwrap();
    assert_eq!(lane.replay(0, 10, 77), Reply::Accepted { records: 10 });
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let snapshot = lane.snapshot();
    assert_eq!((snapshot.counts.replayed, world.letters()), (9, vec![]));
    let reason = snapshot.trouble.unwrap().reason;
    assert!(reason.contains("1 records of a replay are larger"), "{reason}");
}

#[test]
fn retried_dead_letters_move_to_delivered_and_those_refused_again_stay() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(30);
    world.receiver.rejected = BTreeSet::from([3, 7, 22]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.letters(), [3, 7, 22]);
    world.receiver.rejected = BTreeSet::from([7]);
    assert_eq!(
        lane.retry_dead_letters(None, 5),
        Ok(Reply::Accepted { records: 3 })
    );
    world.run(&mut lane, MINUTE, healthy).unwrap();
    let counts = lane.snapshot().counts;
    assert_eq!(
        (counts.delivered, counts.dead_lettered, world.letters()),
        (29, 1, vec![7])
    );
    assert_eq!(lane.retry_dead_letters(None, 5), Ok(Reply::Done));
    assert!(lane.is_drained());
    world.receiver.poison = BTreeSet::from([7]);
    assert_eq!(
        lane.retry_dead_letters(Some(vec![(EPOCH, 7), (EPOCH, 9)]), 6),
        Ok(Reply::Accepted { records: 2 })
    );
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(
        (lane.snapshot().condition, world.letters()),
        (Condition::Active, vec![7])
    );
    assert_eq!(
        world
            .receiver
            .times(30)
            .iter()
            .filter(|times| **times == 1)
            .count(),
        29
    );
}

#[test]
fn dead_letters_keep_their_event_time_when_their_segment_is_gone() {
    let mut world = World::new(Handle::Idempotent);
    world.fill(30);
    world.receiver.rejected = BTreeSet::from([3]);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    *locked(&world.log.lost) = vec![(0..30, Disposition::Dropped)];
    let rows = lane.load_letters(&[(EPOCH, 3)]).unwrap();
    // The log's records are a microsecond apart.
    assert_eq!(rows.at(0).unwrap().entry.time, Timestamp(3_000));
}

#[test]
fn retried_dead_letters_weigh_what_the_destination_says() {
    let mut world = World::new(Handle::Idempotent);
    // Two records fit into a request of 400 bytes.
    world.destination.limits.record_bytes = 200;
    world.destination.weight = 150;
    world.dead_letter_rate = 1_000_000;
    world.fill(6);
    world.receiver.rejected = (0..6).collect();
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(world.letters().len(), 6);
    world.receiver.rejected.clear();
    lane.retry_dead_letters(None, 5).unwrap();
    // A request that is outside the limits fails where it is encoded.
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!((lane.snapshot().counts.delivered, world.letters()), (6, vec![]));
}
