//! A copied spool: silent until a person lets it send, whatever was pending in it, and wherever its opening is cut.

use super::*;
use crate::control::desired;
use crate::control::status::Activity as Shown;
use crate::spool::storage::sim::Crash;
use crate::spool::{Evidence, SpoolError};

impl Bench {
    /// The spool on another disk, opened for writing; what told a copy.
    fn open(storage: SimStorage) -> Result<(Self, Option<Evidence>), SpoolError> {
        let clock = Arc::new(SystemClock::new());
        let options = WriterOptions::new("bench", b"machine");
        let random = Arc::new(SeededRandom::new(9));
        let (writer, report) = Writer::open(Arc::new(storage.clone()), options, clock.clone(), random)?;
        let bench = Self {
            storage,
            writer,
            clock,
            // With the original's, a new name would be the old one.
            seed: 5,
        };
        Ok((bench, report.copied))
    }

    /// A spool of ten records whose batch is journalled and not answered, and the name that it has.
    fn with_a_batch_on_its_way(door: &Arc<Door>) -> (Self, Shipper, String) {
        let mut bench = Self::new();
        bench.write(10);
        door.set(Shut::Hanging { waiting: 0 });
        let shipper = bench.start(vec![lane("a", door, 1)]).unwrap();
        door.wait_for_hanging(1);
        let cursor = cursor::peek(&bench.storage, "a").unwrap().unwrap();
        let attempt = cursor.state.entries[0].attempt.clone().unwrap();
        (bench, shipper, attempt.sending.name)
    }

    fn release(&self, id: &str, copy: u64) -> commands::Ticket {
        let destination = id.to_owned();
        let command = Command::Release { destination, copy };
        let random = SeededRandom::new(copy + 77);
        commands::submit(&self.storage, &random, self.clock.wall(), "test", &command).unwrap()
    }

    fn await_answer(&self, shipper: &Shipper, ticket: &commands::Ticket) -> Outcome {
        let mut answer = None;
        until(shipper, "an answer", |_| {
            answer = commands::answer_to(&self.storage, ticket).unwrap();
            answer.is_some()
        });
        answer.unwrap()
    }
}

fn is_held(status: &DestinationStatus) -> bool {
    matches!(&status.activity, Shown::Held { kind: HoldKind::Conflict, reason, .. }
        if reason.contains("spool.meta is a copy") && reason.contains("auditship resume"))
}

fn requests(door: &Door) -> usize {
    locked(&door.receiver).requests
}

#[test]
fn a_copy_is_held_and_resumed_sends_its_batch_under_the_old_name() {
    let door = Door::new();
    let (mut bench, original, name) = Bench::with_a_batch_on_its_way(&door);
    let (mut copy, evidence) = Bench::open(bench.storage.copy()).unwrap();
    assert_eq!(evidence, Some(Evidence::OtherFile));
    copy.write(3);
    let other = Door::new();
    let shipper = copy
        .start(vec![lane("a", &other, 1), lane("new", &other, 1)])
        .unwrap();
    until(&shipper, "both are held", |all| all.iter().all(is_held));
    shipper.stop(PATIENCE);
    // Nobody has said anything: it is held again.
    let shipper = copy
        .start(vec![lane("a", &other, 1), lane("new", &other, 1)])
        .unwrap();
    until(&shipper, "both are held again", |all| all.iter().all(is_held));
    assert_eq!(requests(&other), 0);

    let ticket = copy.release("a", 1);
    assert!(matches!(
        copy.await_answer(&shipper, &ticket),
        Outcome::Done { .. }
    ));
    until(&shipper, "the first one sends", |all| {
        all[0].counts.delivered == 13
    });
    assert!(is_held(&shipper.statuses()[1]), "the other one was not resumed");
    assert!(locked(&other.receiver).has(&name), "{name}");
    assert_eq!(other.stored(), (0..13).collect::<Vec<_>>());
    shipper.stop(PATIENCE);

    // It has become its own; what is added now need not be held.
    let third = Door::new();
    let lanes = vec![lane("a", &other, 1), lane("later", &third, 1)];
    let shipper = copy.start(lanes).unwrap();
    copy.write(2);
    until(&shipper, "a restart holds nothing", |all| {
        all.iter().all(|one| one.counts.delivered == 15)
    });
    shipper.stop(PATIENCE);

    door.set(Shut::Open);
    bench.write(1);
    until(&original, "the original goes on", |all| {
        all[0].counts.delivered == 11
    });
    original.stop(PATIENCE);
}

#[test]
fn what_was_said_before_the_copy_was_made_says_nothing_of_it() {
    let mut bench = Bench::new();
    bench.write(5);
    let door = Door::new();
    // Neither is done when the copy is made.
    let stale = bench.release("a", 0);
    control::prepare(&bench.storage).unwrap();
    desired::set(&bench.storage, "a", DesiredState::Inactive, Timestamp(1)).unwrap();
    desired::set(&bench.storage, "a", DesiredState::Active, Timestamp(2)).unwrap();
    let (copy, _) = Bench::open(bench.storage.copy()).unwrap();
    let shipper = copy.start(vec![lane("a", &door, 1)]).unwrap();
    let answer = copy.await_answer(&shipper, &stale);
    assert!(
        matches!(&answer, Outcome::Refused { message } if message.contains("copied")),
        "{answer:?}"
    );
    until(&shipper, "it is held", |all| is_held(&all[0]));
    assert_eq!(requests(&door), 0);
    shipper.stop(PATIENCE);
}

#[test]
fn what_is_known_not_to_be_stored_keeps_its_name_too() {
    let mut bench = Bench::new();
    bench.write(10);
    let door = Door::new();
    *locked(&door.fault) = Fault::Status(401);
    let original = bench.start(vec![lane("a", &door, 1)]).unwrap();
    until(&original, "it is held", |all| {
        matches!(
            all[0].activity,
            Shown::Held {
                kind: HoldKind::Auth,
                ..
            }
        )
    });
    original.stop(PATIENCE);
    let cursor = cursor::peek(&bench.storage, "a").unwrap().unwrap();
    let name = cursor.state.entries[0].attempt.clone().unwrap().sending.name;
    let (copy, _) = Bench::open(bench.storage.copy()).unwrap();
    let other = Door::new();
    // Twice: the second time the hold is in the journal.
    for _ in 0..2 {
        let shipper = copy.start(vec![lane("a", &other, 1)]).unwrap();
        until(&shipper, "it is held as a copy", |all| is_held(&all[0]));
        shipper.stop(PATIENCE);
    }
    let shipper = copy.start(vec![lane("a", &other, 1)]).unwrap();
    let ticket = copy.release("a", 1);
    copy.await_answer(&shipper, &ticket);
    until(&shipper, "it sends", |all| all[0].counts.delivered == 10);
    shipper.stop(PATIENCE);
    assert!(locked(&other.receiver).has(&name), "{name}");
}

/// Killed at every change of the disk, under every kind of crash: nothing is sent, then and at the next opening.
#[test]
fn a_copy_sends_nothing_wherever_its_opening_is_cut() {
    let hanging = Door::new();
    let (bench, original, _) = Bench::with_a_batch_on_its_way(&hanging);
    let door = Door::new();
    let lanes = || vec![lane("a", &door, 1), lane("new", &door, 1)];
    let mut changes = 0;
    loop {
        let storage = bench.storage.copy();
        storage.fail_after_changes(changes);
        let mut held = false;
        if let Ok((copy, _)) = Bench::open(storage.clone())
            && let Ok(shipper) = copy.start(lanes())
        {
            until(&shipper, "it is held, or dies", |all| {
                held = all.iter().all(is_held);
                held || storage.is_dead()
            });
            shipper.stop(PATIENCE);
        }
        for (seed, crash) in (changes..).zip(Crash::ALL) {
            let (copy, _) = Bench::open(storage.crash(crash, seed)).unwrap();
            let shipper = copy.start(lanes()).unwrap();
            until(&shipper, "it is held", |all| all.iter().all(is_held));
            shipper.stop(PATIENCE);
        }
        assert_eq!(requests(&door), 0, "{changes}");
        if held && !storage.is_dead() {
            break;
        }
        changes += 1;
    }
    assert!(changes > 20, "{changes}");
    hanging.set(Shut::Open);
    original.stop(PATIENCE);
}
