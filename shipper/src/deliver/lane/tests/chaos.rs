//! Random faults and crashes at every call, judged by a model.
//!
//! A case is a number: everything in it (records, receiver, faults, the moments at which the process dies and what the disk
//! keeps then) follows from it, so a failure names the case that repeats it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::world::{DESTINATION, FILTERED, Honesty, World};
use crate::deliver::testing::{Fault, Handle};
use crate::deliver::{Action, Condition, LaneError, Ticket};
use crate::random::{Random, SeededRandom};
use crate::spool::cursor::{self, Counts};
use crate::spool::storage::sim::Crash;

/// A die.
struct Dice(SeededRandom);

impl Dice {
    fn below(&self, sides: u64) -> u64 {
        self.0.next_u64().unwrap() % sides
    }

    fn one_in(&self, sides: u64) -> Chance {
        if self.below(sides) == 0 {
            Chance::Yes
        } else {
            Chance::No
        }
    }
}

#[derive(PartialEq, Eq)]
enum Chance {
    Yes,
    No,
}

/// What a case is made of.
struct Case {
    world: World,
    dice: Dice,
    /// Disk calls until the process dies, again and again.
    lives: VecDeque<u64>,
    crashes: usize,
}

impl Case {
    fn new(seed: u64, handle: Handle, lives: VecDeque<u64>) -> Self {
        let dice = Dice(SeededRandom::new(seed));
        let mut world = World::new(handle);
        world.destination.limits.in_flight = [1, 1, 2, 4][usize::try_from(dice.below(4)).unwrap()];
        world.destination.limits.records = u32::try_from(1 + dice.below(12)).unwrap();
        world.dead_letter_rate = 1_000_000;
        for seq in 0..10 + dice.below(60) {
            let categories = if dice.one_in(8) == Chance::Yes {
                FILTERED
            } else {
                0
            };
            let bytes = if dice.one_in(12) == Chance::Yes {
                101
            } else {
                25 + dice.below(70)
            };
            world.log.push(usize::try_from(bytes).unwrap(), categories);
            match dice.below(24) {
                // A verdict of one's own each needs a receiver that gives them.
                0 if handle != Handle::CreateOnly => drop(world.receiver.rejected.insert(seq)),
                _ => {}
            }
        }
        Self {
            world,
            dice,
            lives,
            crashes: 0,
        }
    }

    fn fault(&self) -> Fault {
        match self.dice.below(16) {
            0 => Fault::NotSent,
            1 | 2 => Fault::AnswerLost,
            3 => Fault::RequestLost,
            4 => Fault::Partial,
            5 => Fault::Status(429),
            6 => Fault::Status(503),
            7 => Fault::Status(401),
            8 => Fault::Status(404),
            _ => Fault::None,
        }
    }

    /// Runs to the end of the log, through all lives.
    fn run(&mut self) -> Counts {
        let mut faults = 60;
        loop {
            if let Some(life) = self.lives.pop_front() {
                self.world.disk.fail_after(life);
            }
            match self.live(&mut faults) {
                Ok(counts) if !self.world.disk.is_dead() => {
                    self.world.disk.heal();
                    return counts;
                }
                Ok(_) | Err(_) => self.die(),
            }
        }
    }

    /// One process' life.
    fn live(&mut self, faults: &mut u32) -> Result<Counts, LaneError> {
        let mut lane = self.world.open()?;
        let mut on_the_way: Vec<(Ticket, Box<http::Request<Vec<u8>>>)> = Vec::new();
        for _ in 0..20_000 {
            if self.world.disk.is_dead() {
                break;
            }
            if lane.is_drained() {
                return Ok(lane.snapshot().counts);
            }
            match lane.poll(self.world.now()) {
                Ok(Action::Send { ticket, request }) => {
                    on_the_way.push((ticket, request));
                    if self.dice.one_in(2) == Chance::Yes {
                        continue;
                    }
                }
                Ok(Action::Wait(Some(until))) if on_the_way.is_empty() => {
                    let now = self.world.now().monotonic;
                    self.world
                        .clock
                        .advance(until.since(now).max(Duration::from_millis(1)));
                }
                Ok(Action::Wait(_)) => {}
                Err(error) => {
                    self.lose(on_the_way);
                    return Err(error);
                }
            }
            if on_the_way.is_empty() {
                continue;
            }
            let index = usize::try_from(self.dice.below(on_the_way.len() as u64)).unwrap();
            let (ticket, request) = on_the_way.swap_remove(index);
            let fault = if *faults > 0 {
                *faults -= 1;
                self.fault()
            } else {
                Fault::None
            };
            let answer = self.world.receiver.receive(&request, fault);
            lane.complete(ticket, answer, self.world.now());
        }
        assert!(self.world.disk.is_dead(), "no end: {lane:?}");
        self.lose(on_the_way);
        Ok(lane.snapshot().counts)
    }

    /// What is on the way when the process dies arrives, or does not.
    fn lose(&mut self, on_the_way: Vec<(Ticket, Box<http::Request<Vec<u8>>>)>) {
        for (_, request) in on_the_way {
            if self.dice.one_in(2) == Chance::Yes {
                let _ = self.world.receiver.receive(&request, Fault::AnswerLost);
            }
        }
    }

    fn die(&mut self) {
        self.crashes += 1;
        let kind = Crash::ALL[usize::try_from(self.dice.below(Crash::ALL.len() as u64)).unwrap()];
        self.world.disk = self.world.disk.crash(kind, self.dice.below(u64::MAX));
        self.world.receiver.sender_died();
    }

    /// What must be true at the end, whatever happened.
    fn judge(&self, counts: &Counts) {
        let head = self.world.log.head();
        assert_eq!(counts.inside(), Some(head), "every record is counted once");
        let times = self.world.receiver.times(head);
        let letters = self.world.letters();
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for seq in 0..head {
            let (categories, bytes) = self.world.log.facts(seq);
            let place = usize::try_from(seq).unwrap();
            let fate = if categories & FILTERED != 0 {
                assert_eq!(times[place], 0, "{seq} is filtered");
                "filtered"
            } else if bytes > 100 || self.world.receiver.rejected.contains(&seq) {
                assert_eq!(times[place], 0, "{seq} cannot be stored");
                assert!(letters.contains(&seq), "{seq} has a letter");
                "dead_lettered"
            } else {
                assert!(!letters.contains(&seq), "{seq} has no letter");
                match self.world.receiver.handle {
                    Handle::None => assert!(times[place] >= 1, "{seq} is stored"),
                    Handle::CreateOnly | Handle::Idempotent => {
                        assert_eq!(times[place], 1, "{seq} is stored once");
                    }
                }
                "delivered"
            };
            *seen.entry(fate).or_default() += 1;
        }
        let count = |fate| seen.get(fate).copied().unwrap_or(0);
        assert_eq!(counts.filtered, count("filtered"));
        assert_eq!(counts.dead_lettered, count("dead_lettered"));
        assert_eq!(counts.delivered, count("delivered"));
        if self.world.receiver.handle == Handle::CreateOnly {
            // Others may say "again" for a part of what they were sent twice.
            assert_eq!(counts.redelivered, 0, "nothing goes out under two names");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_record_arrives_once_through_faults_and_crashes(
        seed in any::<u64>(),
        create_only in any::<bool>(),
        lives in prop::collection::vec(3u64..120, 0..8),
    ) {
        let handle = if create_only { Handle::CreateOnly } else { Handle::Idempotent };
        let mut case = Case::new(seed, handle, lives.into());
        let counts = case.run();
        case.judge(&counts);
    }

    #[test]
    fn every_record_arrives_at_a_receiver_without_a_memory(
        seed in any::<u64>(),
        lives in prop::collection::vec(3u64..120, 0..8),
    ) {
        let mut case = Case::new(seed, Handle::None, lives.into());
        let counts = case.run();
        case.judge(&counts);
    }
}

/// Dies at each call to the disk in turn, once.
#[test]
fn a_crash_at_every_call() {
    let mut died = 0;
    for (seed, handle) in [
        (1, Handle::CreateOnly),
        (2, Handle::Idempotent),
        (5, Handle::Idempotent),
    ] {
        for life in 0.. {
            let mut case = Case::new(seed, handle, [life].into());
            let counts = case.run();
            case.judge(&counts);
            if case.crashes == 0 {
                break;
            }
            died += 1;
        }
    }
    assert!(died > 200, "{died} moments");
}

/// Without the journal the same crashes put records into two objects: that is what the tests above would see.
#[test]
fn without_the_journal_records_are_doubled() {
    let doubled = (0..40).any(|life| {
        let mut case = Case::new(1, Handle::CreateOnly, [3 * life].into());
        case.world.honesty = Honesty::Amnesiac;
        let _ = case.run();
        case.world
            .receiver
            .times(case.world.log.head())
            .iter()
            .any(|times| *times > 1)
    });
    assert!(doubled);
}

/// A crash between any two steps of a retry leaves each dead letter either where it was or delivered once.
#[test]
fn a_retry_of_dead_letters_survives_a_crash_at_every_call() {
    for life in 0.. {
        let mut case = Case::new(11, Handle::Idempotent, VecDeque::new());
        let plain = |seq: &u64| {
            let (categories, bytes) = case.world.log.facts(*seq);
            categories & FILTERED == 0 && bytes <= 100
        };
        case.world.receiver.rejected = (0..case.world.log.head()).filter(plain).step_by(5).collect();
        let mut none = 0;
        let before = case.live(&mut none).unwrap();
        case.world.receiver.rejected.clear();
        let retriable = case.world.letters().len() as u64 - case.oversized();
        assert!(retriable > 0);
        case.world.disk.fail_after(life);
        let mut died = 0;
        loop {
            match case.retry_once() {
                Ok(()) if !case.world.disk.is_dead() => break case.world.disk.heal(),
                Ok(()) | Err(_) => {
                    died += 1;
                    case.die();
                }
            }
        }
        let after = cursor::peek(&case.world.disk, DESTINATION)
            .unwrap()
            .unwrap()
            .state
            .totals();
        assert_eq!(
            after.delivered,
            before.delivered + retriable,
            "after {life} calls"
        );
        assert_eq!(after.dead_lettered, case.oversized());
        assert_eq!(case.world.letters().len() as u64, case.oversized());
        assert!(
            case.world
                .receiver
                .times(case.world.log.head())
                .iter()
                .all(|times| *times <= 1)
        );
        if died == 0 {
            return;
        }
    }
}

impl Case {
    fn oversized(&self) -> u64 {
        let facts = (0..self.world.log.head()).map(|seq| self.world.log.facts(seq));
        facts
            .filter(|(categories, bytes)| categories & FILTERED == 0 && *bytes > 100)
            .count() as u64
    }

    /// Opens, orders a retry of everything, and runs to its end.
    fn retry_once(&mut self) -> Result<(), LaneError> {
        let mut lane = self.world.open()?;
        lane.retry_dead_letters(None, 99)?;
        self.world
            .run(&mut lane, Duration::from_secs(60), |_| Fault::None)?;
        let finished = lane.is_drained() && lane.snapshot().condition == Condition::Active;
        assert!(finished || self.world.disk.is_dead(), "{lane:?}");
        Ok(())
    }
}
