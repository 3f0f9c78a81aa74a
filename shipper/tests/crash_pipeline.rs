//! The whole pipeline, cut at every change it makes to the disk and at every request, under every kind of crash.
//!
//! Promised after each: every chunk that was acknowledged is in the spool; when the source hands over again what was not
//! acknowledged, and some of what was, and all is drained, each record is once in the directory and once at the receiver,
//! or has a dead letter, or is counted as filtered; no object is there in part; no Idempotency-Key comes twice without a
//! crash, and none with two bodies; both sums balance.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it counts, and panics where it cannot go on"
)]

mod support;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use auditship::instance::Answer;
use auditship::spool::storage::sim::SimStorage;
use support::cut::{Again, Cut, Cutting};
use support::pipeline::ledger::Sent;
use support::pipeline::{Fault, Process, Receiver, World, chunks};

/// How many chunks the workload hands over.
const CHUNKS: u64 = 7;

/// What the source was promised, and what the receiver has.
#[derive(Default)]
struct Promised {
    acknowledged: BTreeSet<u64>,
    receiver: Receiver,
}

/// Two lives, the second after a `kill` with a request on its way.
fn workload(disk: &SimStorage, promised: &mut Promised, fault: Fault) {
    let mut world = World::new(disk.clone(), promised.receiver.clone(), 1);
    world.fault = fault;
    world.receiver.fail(6, 3);
    let half = CHUNKS / 2;
    for (life, feed) in [0..half, half - 1..CHUNKS].into_iter().enumerate() {
        let Ok(mut process) = Process::start(&world) else {
            return;
        };
        for number in feed {
            // Two at once, now and then: one sync for both.
            let together = if number % 3 == 1 {
                number..number + 2
            } else {
                number..number + 1
            };
            let numbers: Vec<u64> = together.filter(|number| *number < CHUNKS).collect();
            let answers = process.accept(&world, &numbers);
            for (number, answer) in numbers.iter().zip(answers) {
                if answer == Answer::Accepted {
                    promised.acknowledged.insert(*number);
                }
            }
            process.intake.tick();
            if process.settle(&world).is_err() {
                return;
            }
            world.clock.advance(std::time::Duration::from_millis(700));
        }
        if life == 0 {
            for index in 0..process.lanes.len() {
                process.lanes[index].lane.drain();
                if process.poll(&world, index).is_err() {
                    return;
                }
            }
            process.die(&world, |index| index == 0);
        } else if process.drain(&world).is_err() {
            return;
        }
    }
}

fn reopen(disk: &SimStorage) {
    let world = World::new(disk.clone(), Receiver::default(), 2);
    // Any error: the disk is dead, and `check` opens it again.
    let _: Result<Process, _> = Process::start(&world);
}

fn check(disk: SimStorage, promised: &Promised, cut: &Cut, fault: Fault) {
    let checked = catch_unwind(AssertUnwindSafe(|| judge(disk, promised, fault)));
    if let Err(reason) = checked {
        println!("{cut}");
        std::panic::resume_unwind(reason);
    }
}

fn judge(disk: SimStorage, promised: &Promised, fault: Fault) {
    let mut world = World::new(disk, promised.receiver.fork(), 4);
    world.fault = if fault == Fault::NoSync {
        Fault::None
    } else {
        fault
    };
    world.receiver.fail(0, 0);
    world.receiver.sender_died();
    let mut process = Process::start(&world).unwrap();
    process.audit(&world);
    let kept = world.holdings();
    for id in chunks::ids(promised.acknowledged.iter().copied()).keys() {
        assert!(kept.ids.contains_key(id), "{id} was acknowledged");
    }
    assert_eq!(kept.lost, [], "a crash is no damage");
    // As the host does: what was not acknowledged, every third of what was, and what comes next.
    for number in 0..CHUNKS + 2 {
        if !promised.acknowledged.contains(&number) || number % 3 == 0 {
            assert_eq!(process.accept(&world, &[number]), [Answer::Accepted]);
        }
    }
    process.drain(&world).unwrap();
    let holdings = process.judge(&world, Sent::Once);
    assert_eq!(
        holdings.ids,
        chunks::ids(0..CHUNKS + 2),
        "each record with an id is there once"
    );
}

fn cut_everywhere(fault: Fault, seeds: u64) -> support::cut::Looked {
    Cutting {
        seeds,
        workload: |disk: &SimStorage, promised: &mut Promised| workload(disk, promised, fault),
        reopen,
        check: |disk: SimStorage, promised: &Promised, cut: &Cut| check(disk, promised, cut, fault),
        again: if soak() {
            Again::Everywhere
        } else {
            Again::Somewhere
        },
    }
    .run()
}

fn soak() -> bool {
    std::env::var_os("AUDITSHIP_SOAK").is_some()
}

/// One image of each kind of crash in `make test`; in `make soak` ten, and whoever opens one is cut everywhere as well.
#[test]
fn soak_nothing_is_lost_or_doubled_wherever_it_is_cut() {
    let looked = cut_everywhere(Fault::None, if soak() { 10 } else { 1 });
    println!("{} images of {} cuts", looked.images, looked.changes);
    assert!(looked.changes > 200, "{looked:?}");
}

/// Where the checks above see `fault`: the words of the first that fails.
fn seen(fault: Fault) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| cut_everywhere(fault, 1))).unwrap_err();
    match failed.downcast::<String>() {
        Ok(words) => *words,
        Err(_) => String::from("a panic without words"),
    }
}

#[test]
fn an_acknowledgement_without_a_sync_is_seen() {
    let words = seen(Fault::NoSync);
    assert!(words.contains("was acknowledged"), "{words}");
}

#[test]
fn a_sending_without_a_journal_is_seen() {
    let words = seen(Fault::NoJournal);
    assert!(words.contains("each record once"), "{words}");
}

#[test]
fn a_cursor_ahead_of_the_answer_is_seen() {
    let words = seen(Fault::EarlyCursor);
    assert!(words.contains("are stored"), "{words}");
}

#[test]
fn a_dead_letter_behind_the_cursor_is_seen() {
    let words = seen(Fault::LateLetters);
    assert!(words.contains("letter"), "{words}");
}

#[test]
fn an_object_name_that_is_not_the_journals_is_seen() {
    let words = seen(Fault::FreshNames);
    assert!(words.contains("each record once"), "{words}");
}
