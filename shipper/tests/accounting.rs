//! The sums of the accounting, after every step of random runs of the whole pipeline.
//!
//! A run hands chunks over (excluded records, repeats, conflicts of ids, damaged input, and all of it again), polls,
//! answers, waits, pauses, replays, sends dead letters again, begins a further destination, and dies, between two steps or
//! at any change to the disk. In some runs the spool is too small and drops its oldest records, and bytes of it flip.
//! After each step both equations (`received = excluded + duplicate + spooled`, and for each destination `spooled = settled +
//! pending`) hold, in memory and on disk; the first agrees with what a clerk wrote down who saw only
//! the chunks; and nothing counts as delivered or dead-lettered that is not there. At the end all is drained, and every
//! record is where the sums say.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

mod support;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use auditship::deliver::Activity;
use auditship::instance::Answer;
use auditship::random::{Random, SeededRandom};
use auditship::spool::OnFull;
use auditship::spool::count::Tally;
use auditship::spool::cursor::{self, Counts};
use auditship::spool::storage::Access;
use auditship::spool::storage::sim::{Crash, SimStorage};
use proptest::prelude::*;
use support::pipeline::chunks::{self, Clerk};
use support::pipeline::ledger::Sent;
use support::pipeline::{FILE, Fault, HTTP, LATE, Process, Receiver, World};

/// What may happen to a run beside crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Fair,
    /// Bytes of the log flip.
    Damage,
    /// The spool is too small.
    Shortage,
    Both,
}

impl Weather {
    fn damages(self) -> bool {
        matches!(self, Self::Damage | Self::Both)
    }

    fn is_short(self) -> bool {
        matches!(self, Self::Shortage | Self::Both)
    }
}

struct Run {
    world: World,
    /// None only between two lives.
    process: Option<Process>,
    dice: SeededRandom,
    weather: Weather,
    clerk: Clerk,
    /// What the clerk may have to write down if the process dies in this step: it cannot know what became durable.
    perhaps: Vec<Clerk>,
    next_chunk: u64,
    order: u64,
    sent: Sent,
    /// Whether the keys of the window may have gone with damaged blocks.
    keys_lost: bool,
}

impl Run {
    fn new(seed: u64, weather: Weather, fault: Fault) -> Self {
        let mut world = World::new(SimStorage::new(), Receiver::default(), seed);
        world.fault = fault;
        world.receiver.fail(20, seed);
        if weather.is_short() {
            // Three cursors of 256 KiB, and then not much.
            world.max_bytes = (3 * 256 + 48) << 10;
            world.on_full = OnFull::DropOldest;
        }
        let process = Process::start(&world).unwrap();
        Self {
            world,
            process: Some(process),
            dice: SeededRandom::new(seed ^ 0xd1ce),
            weather,
            clerk: Clerk::default(),
            perhaps: Vec::new(),
            next_chunk: 0,
            order: 0,
            sent: Sent::Once,
            keys_lost: false,
        }
    }

    fn below(&self, sides: u64) -> u64 {
        self.dice.next_u64().unwrap() % sides
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    fn any_lane(&mut self) -> usize {
        let lanes = self.process().lanes.len() as u64;
        usize::try_from(self.below(lanes)).unwrap()
    }

    fn step(&mut self) {
        let lane = self.any_lane();
        match self.below(24) {
            0..=4 => self.accept(),
            5..=9 => self.poll(lane),
            10..=14 => self.process.as_mut().unwrap().answer(&self.world, lane),
            15 => {
                self.world.clock.advance(Duration::from_secs(1));
                self.process().intake.tick();
            }
            16 => self.world.clock.advance(Duration::from_secs(self.below(90))),
            17 => self.crash(),
            18 => self.world.disk.fail_after_changes(self.below(40)),
            19 if self.weather.damages() => self.flip(),
            19 | 20 => self.replay(lane),
            21 => self.retry(),
            22 => {
                self.order += 1;
                let (order, paused) = (self.order, self.below(2) == 0);
                let activity = if paused {
                    Activity::Paused
                } else {
                    Activity::Active
                };
                self.process().lanes[lane].lane.desire(activity, order);
            }
            _ => self.begin_late(),
        }
        if self.world.disk.is_dead() {
            self.crash();
        }
        self.perhaps.clear();
        self.audit();
    }

    fn audit(&mut self) {
        let process = self.process.as_ref().unwrap();
        process.audit(&self.world);
        let totals = process.intake.writer().totals();
        assert!(
            self.agrees(&self.clerk),
            "{totals:?}, the clerk has {:?}",
            self.clerk.tally
        );
    }

    /// Whether the spool says what the clerk wrote down.
    fn agrees(&self, clerk: &Clerk) -> bool {
        let totals = self.process.as_ref().unwrap().intake.writer().totals();
        let wanted = clerk.tally;
        if self.keys_lost {
            let outside = |tally: &Tally| {
                (
                    tally.received,
                    tally.excluded,
                    tally.undecodable_regions,
                    tally.undecodable_bytes,
                )
            };
            return outside(&totals) == outside(&wanted) && totals.spooled >= wanted.spooled;
        }
        totals == wanted
    }

    fn accept(&mut self) {
        let mut numbers = Vec::new();
        for _ in 0..1 + self.below(3) {
            if self.next_chunk > 0 && self.below(4) == 0 {
                numbers.push(self.below(self.next_chunk));
            } else {
                numbers.push(self.next_chunk);
                self.next_chunk += 1;
            }
        }
        let mut perhaps = vec![self.clerk.clone()];
        for number in &numbers {
            // Any block of those that were not acknowledged may have been the last that reached the disk.
            let before = perhaps.last().unwrap().clone();
            let (mut part, mut whole) = (before.clone(), before);
            part.enter_records(*number);
            whole.enter(*number);
            perhaps.extend([part, whole]);
        }
        let answers = self.process.as_mut().unwrap().accept(&self.world, &numbers);
        if self.world.disk.is_dead() {
            self.perhaps = perhaps;
            return;
        }
        for (number, answer) in numbers.iter().zip(answers) {
            match answer {
                Answer::Accepted => self.clerk.enter(*number),
                Answer::Refused(error) => assert!(self.weather.is_short(), "{error}"),
            }
        }
    }

    fn poll(&mut self, lane: usize) {
        if let Err(error) = self.process.as_mut().unwrap().poll(&self.world, lane) {
            assert!(
                self.world.disk.is_dead(),
                "a lane ended on a disk that works: {error}"
            );
        }
    }

    fn crash(&mut self) {
        let arrives = self.below(8);
        let process = self.process.take().unwrap();
        process.die(&self.world, |lane| arrives >> lane & 1 == 1);
        let kind = Crash::ALL[usize::try_from(self.below(Crash::ALL.len() as u64)).unwrap()];
        self.world.disk = self.world.disk.crash(kind, self.below(u64::MAX));
        let mut process = Process::start(&self.world).unwrap();
        if cursor::peek(&*self.world.spool(), LATE).unwrap().is_some() {
            process.begin(&self.world, LATE, 0).unwrap();
        }
        self.process = Some(process);
        let mut perhaps = std::mem::take(&mut self.perhaps).into_iter();
        if let Some(clerk) = perhaps.find(|clerk| self.agrees(clerk)) {
            self.clerk = clerk;
        }
    }

    /// One bit of the log flips, of what has been there for a while: the head that covers it has reached the disk. (Damage
    /// above a head that a power cut takes back cannot be told from a torn tail.)
    fn flip(&mut self) {
        let spool = self.world.spool();
        let head = spool
            .open("head", Access::ReadWrite)
            .and_then(|head| head.sync_data());
        if head.and_then(|()| spool.sync_dir("")).is_err() {
            return;
        }
        let segments = spool.list("segments").unwrap_or_default();
        let segments: Vec<_> = segments
            .into_iter()
            .filter(|entry| entry.name.ends_with(".seg"))
            .collect();
        let Some(entry) = segments.get(usize::try_from(self.below(1 + segments.len() as u64)).unwrap())
        else {
            return;
        };
        let Ok(file) = spool.open(&format!("segments/{}", entry.name), Access::ReadWrite) else {
            return;
        };
        let (at, mut byte) = (self.below(entry.len.max(1)), [0]);
        if file.read_at(at, &mut byte).is_ok_and(|read| read == 1) {
            // A disk that is dead flips nothing.
            let _ = file.write_at(at, &[byte[0] ^ 1 << self.below(8)]);
            self.keys_lost = true;
        }
    }

    fn replay(&mut self, lane: usize) {
        self.order += 1;
        self.sent = Sent::Again;
        let (order, from) = (self.order, self.below(40));
        let to = from + self.below(30);
        let lane = &mut self.process().lanes[lane].lane;
        lane.replay(from, to, order);
        if let Err(error) = lane.commit() {
            assert!(self.world.disk.is_dead(), "{error}");
        }
    }

    fn retry(&mut self) {
        self.order += 1;
        if self.below(3) == 0 {
            self.world.receiver.cure();
        }
        let order = self.order;
        let process = self.process();
        let running = process
            .lanes
            .iter_mut()
            .find(|running| running.id == HTTP)
            .unwrap();
        if let Err(error) = running.lane.retry_dead_letters(None, order) {
            assert!(self.world.disk.is_dead(), "{error}");
        }
    }

    fn begin_late(&mut self) {
        let process = self.process.as_mut().unwrap();
        if !process.has_late() {
            let head = process.intake.writer().head().next_seq;
            if let Err(error) = process.begin(&self.world, LATE, head) {
                assert!(self.world.disk.is_dead(), "{error}");
            }
        }
    }

    /// The weather clears up, and everything that is left goes out.
    fn finish(mut self) -> Seen {
        self.world.disk.heal();
        self.world.receiver.fail(0, 0);
        // A file that was being made when the process died was in the way, until it is noticed that it is gone.
        self.world.clock.advance(Duration::from_secs(31));
        self.process().intake.tick();
        self.order += 1;
        // Company for what was refused alone: two chunks without poison at the end.
        self.next_chunk += 10 - self.next_chunk % 10;
        for number in [self.next_chunk, self.next_chunk + 1] {
            let answers = self.process.as_mut().unwrap().accept(&self.world, &[number]);
            assert_eq!(answers, [Answer::Accepted]);
            self.clerk.enter(number);
        }
        let order = self.order;
        for running in &mut self.process().lanes {
            running.lane.desire(Activity::Active, order);
        }
        if self.world.receiver.is_cured() {
            self.process.as_mut().unwrap().drain(&self.world).unwrap();
            self.retry();
        }
        let process = self.process.as_mut().unwrap();
        process.drain(&self.world).unwrap();
        self.audit();
        if self.weather == Weather::Fair {
            self.process.as_ref().unwrap().judge(&self.world, self.sent);
        } else {
            self.account();
        }
        let process = self.process.as_ref().unwrap();
        let counts = process.lanes.iter().map(|running| running.lane.snapshot().counts);
        Seen {
            tally: process.intake.writer().totals(),
            counts: counts.collect(),
        }
    }

    /// What is readable and did not arrive is counted: filtered, dead-lettered, damaged once, dropped or skipped.
    fn account(&self) {
        let process = self.process.as_ref().unwrap();
        let holdings = self.world.holdings();
        for running in &process.lanes {
            let counts = running.lane.snapshot().counts;
            let arrived = self.world.arrived(running.id);
            assert!(
                counts.delivered <= arrived.len() as u64,
                "{}: {counts:?}",
                running.id
            );
            let letters = self.world.letters(running.id);
            let missing = holdings.records.iter().filter(|(id, line)| {
                let line = String::from_utf8_lossy(line);
                let filtered = running.id == HTTP && line.contains(chunks::FILTERED);
                !filtered && !letters.contains(&id.seq) && !arrived.contains_key(&*line)
            });
            let missing = missing.count() as u64;
            let given_up = counts.damaged + counts.dropped + counts.skipped_before_start;
            assert!(
                missing <= given_up,
                "{}: {missing} are missing, {counts:?}",
                running.id
            );
            if running.id == FILE && !self.weather.is_short() && counts.damaged == 0 {
                assert_eq!(missing, 0);
            }
        }
    }
}

/// The sums at the end of a run.
struct Seen {
    tally: Tally,
    counts: Vec<Counts>,
}

fn run(seed: u64, steps: usize, weather: Weather, fault: Fault) -> Seen {
    let mut run = Run::new(seed, weather, fault);
    for _ in 0..steps {
        run.step();
    }
    run.finish()
}

fn cases() -> ProptestConfig {
    let soak = std::env::var_os("AUDITSHIP_SOAK").is_some();
    ProptestConfig {
        cases: if soak { 5_000 } else { 100 },
        // A failure names its seed; there is no file to keep.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The runs above come to everything that there is a count for.
#[test]
fn the_runs_see_every_count() {
    let (mut tally, mut fields) = (Tally::default(), BTreeMap::<&str, u64>::new());
    for seed in 0..24 {
        for weather in [Weather::Fair, Weather::Damage, Weather::Shortage] {
            let seen = run(seed, 120, weather, Fault::None);
            tally.add(&seen.tally);
            for counts in seen.counts {
                for (name, count) in [
                    ("delivered", counts.delivered),
                    ("dead_lettered", counts.dead_lettered),
                    ("filtered", counts.filtered),
                    ("skipped_before_start", counts.skipped_before_start),
                    ("dropped", counts.dropped),
                    ("damaged", counts.damaged),
                    ("replayed", counts.replayed),
                    ("unverified", counts.unverified),
                    ("redelivered", counts.redelivered),
                ] {
                    *fields.entry(name).or_default() += count;
                }
            }
        }
    }
    assert!(fields.values().all(|count| *count > 0), "{fields:?}");
    let counted = [
        tally.excluded,
        tally.duplicate,
        tally.id_conflict,
        tally.undecodable_regions,
    ];
    assert!(counted.iter().all(|count| *count > 0), "{tally:?}");
}

/// Books that are cooked are seen: what counts as delivered before it is there.
#[test]
fn false_counts_are_seen() {
    let cooked = || run(1, 120, Weather::Fair, Fault::EarlyCursor);
    let failed = catch_unwind(AssertUnwindSafe(cooked)).err();
    let said = failed.and_then(|failed| failed.downcast::<String>().ok());
    assert!(
        said.as_ref().is_some_and(|said| said.contains("are stored")),
        "{said:?}"
    );
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn soak_the_sums_balance_at_every_step(seed in any::<u64>(), steps in 1_usize..160) {
        run(seed, steps, Weather::Fair, Fault::None);
    }

    #[test]
    fn soak_the_sums_balance_in_foul_weather(
        seed in any::<u64>(),
        steps in 1_usize..160,
        weather in prop_oneof![
            Just(Weather::Damage), Just(Weather::Shortage), Just(Weather::Both)
        ],
    ) {
        run(seed, steps, weather, Fault::None);
    }
}

/// A run in which a process died while it made a cursor's file anew, in a spool without room for a further one.
#[test]
fn what_a_crash_left_of_a_cursor_does_not_fill_the_spool() {
    run(18_405_845_118_018_367_047, 37, Weather::Shortage, Fault::None);
}

/// A run in which the header behind a void tail was damaged.
#[test]
fn what_is_void_stays_so_when_the_header_behind_it_is_damaged() {
    run(655_539_586_619_838_083, 33, Weather::Damage, Fault::None);
}
