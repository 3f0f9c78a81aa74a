//! One behaviour at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{EPOCH, FILTERED, World};
use crate::deliver::testing::{Fault, Handle, locked, response};
use crate::deliver::{Action, Activity, Condition, Reply};
use crate::destination::Format;
use crate::spool::cursor::{Disposition, HoldKind};
use crate::time::Timestamp;
use crate::transport::SendError;

const MINUTE: Duration = Duration::from_secs(60);

fn healthy(_: &http::Request<Vec<u8>>) -> Fault {
    Fault::None
}

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
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, |_| Fault::Status(401)).unwrap();
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Auth,
            ..
        }
    ));
    drop(lane);
    world.destination.fingerprint = [2; 16];
    let mut lane = world.open().unwrap();
    world.run(&mut lane, MINUTE, healthy).unwrap();
    assert_eq!(
        (
            lane.snapshot().counts.redelivered,
            lane.snapshot().counts.delivered
        ),
        (0, 10)
    );
}

#[test]
fn a_name_that_something_else_has_is_a_conflict_until_a_person_resumes() {
    let mut world = World::new(Handle::CreateOnly);
    world.fill(10);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(412)).unwrap();
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Conflict,
            ..
        }
    ));
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
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Conflict,
            ..
        }
    ));
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
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Auth,
            ..
        }
    ));
    drop(lane);
    let mut lane = world.open().unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::RequestLost).unwrap();
    world.run(&mut lane, 10 * MINUTE, |_| Fault::Status(412)).unwrap();
    assert_eq!(lane.snapshot().counts.delivered, 0);
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Conflict,
            ..
        }
    ));
}

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
    assert!(matches!(
        lane.snapshot().condition,
        Condition::Held {
            kind: HoldKind::Auth,
            ..
        }
    ));
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
                400 | 404 | 413 => Some(HoldKind::Config),
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
