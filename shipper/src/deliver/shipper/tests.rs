//! Real threads over a simulated disk and a real log; every wait is for an event.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::*;
use crate::control::commands::{self, Command, Letters, Outcome};
use crate::control::desired::DesiredState;
use crate::control::status;
use crate::deliver::backoff::Policy;
use crate::deliver::pack::Batching;
use crate::deliver::testing::{Fault, Handle, Plain, Receiver, locked, response};
use crate::deliver::{Settings, ShipAll};
use crate::random::SeededRandom;
use crate::spool::cursor::{Cursor, HoldKind};
use crate::spool::dead_letter;
use crate::spool::draft::{Draft, TableEntry};
use crate::spool::identity::Key;
use crate::spool::storage::sim::SimStorage;
use crate::spool::{Writer, WriterOptions};
use crate::time::{SystemClock, Timestamp};
use crate::transport::{SendError, Transport};

mod copies;

/// Far longer than anything here takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver behind a door that a test can shut.
struct Door {
    receiver: Mutex<Receiver>,
    fault: Mutex<Fault>,
    shut: Mutex<Shut>,
    changed: Condvar,
    panics: AtomicBool,
}

/// Whether requests hang.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shut {
    Open,
    Hanging { waiting: usize },
}

impl Door {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            receiver: Mutex::new(Receiver::new(Handle::Idempotent)),
            fault: Mutex::new(Fault::None),
            shut: Mutex::new(Shut::Open),
            changed: Condvar::new(),
            panics: AtomicBool::new(false),
        })
    }

    fn set(&self, shut: Shut) {
        *locked(&self.shut) = shut;
        self.changed.notify_all();
    }

    fn wait_for_hanging(&self, count: usize) {
        let shut = locked(&self.shut);
        let (shut, timeout) = self
            .changed
            .wait_timeout_while(shut, PATIENCE, |shut| *shut != Shut::Hanging { waiting: count })
            .unwrap();
        drop(shut);
        assert!(!timeout.timed_out(), "{count} requests hang");
    }

    fn stored(&self) -> Vec<u64> {
        locked(&self.receiver).stored.clone()
    }
}

impl Transport for Door {
    fn send_with(
        &self,
        request: &http::Request<Vec<u8>>,
        _: &http::HeaderMap,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        let mut shut = locked(&self.shut);
        if let Shut::Hanging { waiting } = &mut *shut {
            *waiting += 1;
            self.changed.notify_all();
            drop(self.changed.wait_while(shut, |shut| *shut != Shut::Open).unwrap());
            return Ok(response(201, ""));
        }
        drop(shut);
        assert!(
            !self.panics.swap(false, Ordering::SeqCst),
            "a defect in a transport"
        );
        let fault = *locked(&self.fault);
        locked(&self.receiver).receive(request, fault)
    }
}

struct Bench {
    storage: SimStorage,
    writer: Writer,
    clock: Arc<SystemClock>,
    /// Of the shippers' randomness.
    seed: u64,
}

impl Bench {
    fn new() -> Self {
        let storage = SimStorage::new();
        let clock = Arc::new(SystemClock::new());
        let options = WriterOptions::new("bench", b"machine");
        let random = Arc::new(SeededRandom::new(1));
        let (writer, _) = Writer::open(Arc::new(storage.clone()), options, clock.clone(), random).unwrap();
        Self {
            storage,
            writer,
            clock,
            seed: 2,
        }
    }

    fn write(&mut self, records: u64) {
        let mut draft = Draft::default();
        for _ in 0..records {
            let id = RecordIdAfter(&self.writer, draft.table.len() as u64).id();
            let line = format!("{{\"seq\":{},\"pad\":\"\"}}\n", id.seq);
            draft.payload.extend_from_slice(line.as_bytes());
            draft.contents.push(*blake3::hash(line.as_bytes()).as_bytes());
            draft.table.push(TableEntry {
                len: u32::try_from(line.len()).unwrap(),
                added: 0,
                flags: 0,
                time: Timestamp(0),
                key: Key::of_position(&id),
                categories: 0,
                id_hash: 0,
            });
        }
        draft.tally.received = records;
        draft.tally.spooled = records;
        self.writer.append(&draft, self.clock.wall()).unwrap();
        self.writer.sync().unwrap();
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            clock: self.clock.clone(),
            random: Arc::new(SeededRandom::new(self.seed)),
            spawner: Arc::new(PlainSpawner),
            program: Program::default(),
            instance: String::from("bench"),
            machine_id: b"machine".to_vec(),
        }
    }

    fn start(&self, lanes: Vec<LaneConfig>) -> Result<Shipper, StartError> {
        let storage: Arc<dyn Storage> = Arc::new(self.storage.clone());
        let log = Log::new(Arc::clone(&storage), self.clock.clone());
        Shipper::start(storage, Lanes { lanes, held: None }, self.around(), log)
    }
}

/// The identity of the record so many after the writer's next.
struct RecordIdAfter<'a>(&'a Writer, u64);

impl RecordIdAfter<'_> {
    fn id(&self) -> crate::spool::identity::RecordId {
        let mut id = self.0.next();
        id.seq += self.1;
        id
    }
}

fn lane(id: &str, door: &Arc<Door>, in_flight: u8) -> LaneConfig {
    let mut destination = Plain::default();
    destination.limits.in_flight = in_flight;
    let quick = Policy::new(
        Duration::from_millis(1),
        Duration::from_millis(5),
        Duration::from_millis(5),
    );
    LaneConfig {
        id: id.to_owned(),
        name: None,
        initial: DesiredState::Active,
        start: Start::Earliest,
        target: Target::Route(LaneRoute {
            settings: Settings {
                destination: Arc::new(destination),
                batching: Batching {
                    age: Duration::from_millis(5),
                    ..Batching::STREAM
                },
                filter: Arc::new(ShipAll),
                dead_letter_rate: 10_000,
                retry: quick,
                probe: quick,
            },
            transport: door.clone(),
        }),
        made_of: None,
    }
}

fn until(shipper: &Shipper, what: &str, mut holds: impl FnMut(&[DestinationStatus]) -> bool) {
    let end = SystemClock::new();
    loop {
        let seen = shipper.shared.progress.seen();
        if holds(&shipper.statuses()) {
            return;
        }
        assert!(
            end.monotonic().since(Monotonic(0)) < PATIENCE,
            "{what}: {:?}",
            shipper.statuses()
        );
        shipper.shared.progress.wait(seen, Duration::from_millis(20));
    }
}

#[test]
fn ships_what_is_there_and_what_comes_in() {
    let mut bench = Bench::new();
    bench.write(25);
    let door = Door::new();
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    until(&shipper, "the backlog", |all| all[0].counts.delivered == 25);
    bench.write(7);
    shipper.nudge();
    until(&shipper, "what came in", |all| all[0].counts.delivered == 32);
    // Without a nudge the published head is seen all the same.
    bench.write(1);
    until(&shipper, "what another process wrote", |all| {
        all[0].counts.delivered == 33
    });
    assert_eq!(shipper.drain(PATIENCE), Drained::Everything);
    shipper.stop(PATIENCE);
    assert_eq!(door.stored(), (0..33).collect::<Vec<_>>());
}

#[test]
fn four_workers_send_at_the_same_time() {
    let mut bench = Bench::new();
    bench.write(100);
    let door = Door::new();
    door.set(Shut::Hanging { waiting: 0 });
    let shipper = bench.start(vec![lane("a", &door, 4)]).unwrap();
    door.wait_for_hanging(4);
    assert_eq!(shipper.statuses()[0].in_flight, 4);
    door.set(Shut::Open);
    until(&shipper, "all", |all| all[0].counts.delivered == 100);
    shipper.stop(PATIENCE);
}

#[test]
fn a_dead_destination_does_not_delay_another() {
    let mut bench = Bench::new();
    bench.write(50);
    let (dead, good) = (Door::new(), Door::new());
    dead.set(Shut::Hanging { waiting: 0 });
    let shipper = bench
        .start(vec![lane("dead", &dead, 1), lane("good", &good, 1)])
        .unwrap();
    dead.wait_for_hanging(1);
    until(&shipper, "the good one", |all| all[1].counts.delivered == 50);
    assert_eq!(shipper.statuses()[0].counts.delivered, 0);
    dead.set(Shut::Open);
    until(&shipper, "the other one", |all| all[0].counts.delivered == 50);
    shipper.stop(PATIENCE);
}

#[test]
fn a_hanging_sender_is_left_behind_the_fence() {
    let mut bench = Bench::new();
    bench.write(10);
    let desk = Arc::new(Desk::default());
    let shipper = bench.start(vec![desk.lane("a", 1)]).unwrap();
    desk.wait_for(1);
    let shared = Arc::clone(&shipper.shared);
    let clock = SystemClock::new();
    shipper.stop(Duration::from_millis(50));
    let took = clock.monotonic().since(Monotonic(0));
    assert!(
        took >= Duration::from_millis(50) && took < Duration::from_secs(3),
        "{took:?}"
    );
    // The spool is free: another shipper may have it while the old request still hangs.
    let other = Door::new();
    let shipper = bench.start(vec![lane("a", &other, 1)]).unwrap();
    until(&shipper, "the new shipper", |all| all[0].counts.delivered == 10);
    shipper.stop(PATIENCE);
    let before = cursor::peek(&bench.storage, "a").unwrap().unwrap();
    // The old answer comes after all, with a verdict for each record, and changes nothing.
    desk.answer(0, response(207, "xsssssssss"));
    shared.gate.wait_empty(&clock, PATIENCE);
    assert_eq!(cursor::peek(&bench.storage, "a").unwrap().unwrap(), before);
    assert_eq!(before.state.counts.delivered, 10);
    assert_eq!(dead_letter::list(&bench.storage, "a").unwrap().count(), 0);
}

/// A receiver that answers when the test says so, each request by its number.
#[derive(Default)]
struct Desk {
    waiting: Mutex<Vec<std::sync::mpsc::Sender<http::Response<Vec<u8>>>>>,
    changed: Condvar,
}

impl Desk {
    fn wait_for(&self, count: usize) {
        let fewer = |waiting: &mut Vec<_>| waiting.len() < count;
        let waited = self
            .changed
            .wait_timeout_while(locked(&self.waiting), PATIENCE, fewer);
        assert!(!waited.unwrap().1.timed_out(), "{count} requests came");
    }

    fn answer(&self, number: usize, answer: http::Response<Vec<u8>>) {
        locked(&self.waiting)[number].send(answer).unwrap();
    }

    /// As [`lane`], with answers from here.
    fn lane(self: &Arc<Self>, id: &str, in_flight: u8) -> LaneConfig {
        let mut config = lane(id, &Door::new(), in_flight);
        if let Target::Route(LaneRoute { transport, .. }) = &mut config.target {
            *transport = self.clone();
        }
        config
    }
}

impl Transport for Desk {
    fn send_with(
        &self,
        _: &http::Request<Vec<u8>>,
        _: &http::HeaderMap,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        let (sender, answer) = std::sync::mpsc::channel();
        locked(&self.waiting).push(sender);
        self.changed.notify_all();
        let late = |_| SendError::Unanswered {
            reason: String::from("the test is over"),
        };
        answer.recv_timeout(PATIENCE).map_err(late)
    }
}

#[test]
fn an_answer_to_the_lane_before_settles_nothing() {
    let mut bench = Bench::new();
    bench.write(10);
    let desk = Arc::new(Desk::default());
    let shipper = bench.start(vec![desk.lane("a", 2)]).unwrap();
    desk.wait_for(1);
    // The lane breaks under the request, and the one that follows asks again, under the same number.
    bench.storage.fail_when(|call| {
        (call.path.starts_with("cursors/") && call.op.is_change()).then_some(std::io::ErrorKind::Other)
    });
    bench.write(10);
    shipper.nudge();
    until(&shipper, "a broken lane", |all| {
        all[0]
            .last_error
            .as_ref()
            .is_some_and(|fault| fault.class == "storage")
    });
    bench.storage.heal();
    desk.wait_for(2);
    desk.answer(0, response(201, ""));
    // Whoever got that answer sends the next batch.
    desk.wait_for(3);
    assert_eq!(shipper.statuses()[0].counts.delivered, 0);
    desk.answer(1, response(201, ""));
    desk.answer(2, response(201, ""));
    until(&shipper, "both batches", |all| all[0].counts.delivered == 20);
    shipper.stop(PATIENCE);
}

#[test]
fn only_one_shipper_for_a_spool() {
    let bench = Bench::new();
    let shipper = bench.start(Vec::new()).unwrap();
    assert_eq!(bench.start(Vec::new()).unwrap_err(), StartError::Locked);
    drop(shipper);
    bench.start(Vec::new()).unwrap().stop(PATIENCE);
}

#[test]
fn a_panic_in_a_transport_costs_one_try() {
    let mut bench = Bench::new();
    bench.write(10);
    let door = Door::new();
    door.panics.store(true, Ordering::SeqCst);
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    until(&shipper, "all", |all| all[0].counts.delivered == 10);
    shipper.stop(PATIENCE);
    assert_eq!(locked(&door.receiver).times(10), [1; 10]);
}

#[test]
fn a_disk_that_fails_for_a_while_restarts_the_lane_from_its_journal() {
    let mut bench = Bench::new();
    let door = Door::new();
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    bench.write(10);
    bench.storage.fail_when(|call| {
        (call.path.starts_with("cursors/") && call.op.is_change()).then_some(std::io::ErrorKind::Other)
    });
    shipper.nudge();
    until(&shipper, "a broken lane", |all| {
        all[0]
            .last_error
            .as_ref()
            .is_some_and(|fault| fault.class == "storage")
    });
    bench.storage.heal();
    locked(&door.receiver).sender_died();
    until(&shipper, "all", |all| all[0].counts.delivered == 10);
    shipper.stop(PATIENCE);
    assert_eq!(locked(&door.receiver).times(10), [1; 10]);
}

#[test]
fn a_pause_is_applied_and_said_with_its_generation() {
    let mut bench = Bench::new();
    let door = Door::new();
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    let generation = desired::set(&bench.storage, "a", DesiredState::Inactive, bench.clock.wall()).unwrap();
    until(&shipper, "the pause", |all| {
        all[0].desired == generation && all[0].activity == status::Activity::Paused
    });
    bench.write(10);
    shipper.nudge();
    desired::set(&bench.storage, "a", DesiredState::Active, bench.clock.wall()).unwrap();
    until(&shipper, "the end of the pause", |all| {
        all[0].counts.delivered == 10
    });
    shipper.stop(PATIENCE);
}

#[test]
fn commands_are_done_and_answered() {
    let mut bench = Bench::new();
    bench.write(30);
    let door = Door::new();
    locked(&door.receiver).rejected = [4, 5].into();
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    until(&shipper, "all", |all| {
        all[0].counts.delivered == 28 && all[0].dead_letters.count == 2
    });
    locked(&door.receiver).rejected.clear();
    let random = SeededRandom::new(9);
    let give = |command: &Command| {
        commands::submit(&bench.storage, &random, bench.clock.wall(), "a test", command).unwrap()
    };
    let destination = || String::from("a");
    let retry = give(&Command::DeadLetterRetry {
        destination: destination(),
        which: Letters::All,
    });
    let replay = give(&Command::Replay {
        destination: destination(),
        from: 0,
        to: 10,
    });
    let unknown = give(&Command::Release {
        destination: String::from("b"),
        copy: 0,
    });
    let release = give(&Command::Release {
        destination: destination(),
        copy: 0,
    });
    let answer = |ticket| commands::answer_to(&bench.storage, ticket).unwrap();
    let tickets = [retry, replay, unknown, release];
    until(&shipper, "answers", |_| {
        tickets.iter().all(|ticket| answer(ticket).is_some())
    });
    assert!(matches!(answer(&retry), Some(Outcome::Done { .. })));
    assert!(matches!(answer(&replay), Some(Outcome::Done { .. })));
    assert!(
        matches!(answer(&unknown), Some(Outcome::Refused { message }) if message.contains("there are a"))
    );
    until(&shipper, "the replay", |all| all[0].counts.replayed == 10);
    let status = &shipper.statuses()[0];
    assert_eq!(
        (
            status.counts.delivered,
            status.counts.dead_lettered,
            status.dead_letters.count
        ),
        (30, 0, 0)
    );
    shipper.stop(PATIENCE);
}

#[test]
fn a_destination_is_given_up_only_when_it_is_not_configured() {
    let mut bench = Bench::new();
    bench.write(7);
    let spool = bench.writer.spool_id();
    Cursor::open_or_create(Arc::new(bench.storage.clone()), "old", spool, 2).unwrap();
    let door = Door::new();
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    until(&shipper, "all", |all| all[0].counts.delivered == 7);
    until(&shipper, "a status", |_| {
        let status = status::read(&bench.storage, bench.clock.wall(), None);
        let standings: Vec<_> = status.destinations.iter().map(|view| view.standing).collect();
        standings == [status::Standing::Configured, status::Standing::Unconfigured]
    });
    let random = SeededRandom::new(9);
    let [configured, old] = ["a", "old"].map(|id| {
        let destination = String::from(id);
        let command = Command::Remove { destination };
        commands::submit(&bench.storage, &random, bench.clock.wall(), "a test", &command).unwrap()
    });
    let answer = |ticket| commands::answer_to(&bench.storage, ticket).unwrap();
    until(&shipper, "answers", |_| {
        answer(&configured).is_some() && answer(&old).is_some()
    });
    assert!(
        matches!(answer(&configured), Some(Outcome::Refused { message }) if message.contains("remove it there first"))
    );
    assert_eq!(
        answer(&old),
        Some(Outcome::Done {
            message: String::from("old is forgotten, with 5 pending records and 0 dead letters")
        })
    );
    let cursors = cursor::peek_all(&bench.storage).unwrap();
    assert_eq!(cursors.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["a"]);
    let asked = commands::due(&bench.storage, control::Role::Writer, bench.clock.wall()).unwrap();
    let text = String::from("destination old was given up by a test: 5 pending records and 0 dead letters");
    assert_eq!(
        asked.into_iter().map(|due| due.command).collect::<Vec<_>>(),
        [Command::Note { text }]
    );
    shipper.stop(PATIENCE);
}

#[test]
fn the_status_is_published_and_says_what_is_wrong() {
    let mut bench = Bench::new();
    bench.write(10);
    let door = Door::new();
    *locked(&door.fault) = Fault::Status(401);
    let broken = LaneConfig::held("broken", String::from("url is not a URL"));
    let shipper = bench.start(vec![lane("a", &door, 1), broken]).unwrap();
    until(&shipper, "a hold that is published", |_| {
        let now = bench.clock.wall();
        let status = status::read(&bench.storage, now, None);
        let destinations: Vec<_> = status.destinations.iter().map(|view| &view.status).collect();
        let held = |index: usize, kind: HoldKind, text: &str| match &destinations[index].activity {
            status::Activity::Held {
                kind: found, reason, ..
            } => *found == kind && reason.contains(text),
            _ => false,
        };
        destinations.len() == 2
            && held(0, HoldKind::Auth, "status 401")
            && held(1, HoldKind::Config, "url is not a URL")
            && destinations[1].backlog.pending == 10
    });
    *locked(&door.fault) = Fault::None;
    until(&shipper, "its end", |all| all[0].counts.delivered == 10);
    shipper.stop(PATIENCE);
}

#[test]
fn a_reload_keeps_the_cursors_and_serves_what_is_new() {
    let mut bench = Bench::new();
    bench.write(10);
    let (first, second) = (Door::new(), Door::new());
    let shipper = bench.start(vec![lane("a", &first, 1)]).unwrap();
    until(&shipper, "the first lane", |all| all[0].counts.delivered == 10);
    let lanes = Lanes {
        lanes: vec![lane("a", &second, 1), lane("b", &second, 1)],
        held: None,
    };
    shipper.reload(lanes, PATIENCE).unwrap();
    bench.write(5);
    shipper.nudge();
    until(&shipper, "both", |all| {
        all[0].counts.delivered == 15 && all[1].counts.delivered == 15
    });
    let times = locked(&second.receiver).times(15);
    assert_eq!((&times[..10], &times[10..]), (&[1; 10][..], &[2; 5][..]));
    shipper.stop(PATIENCE);
}

#[test]
fn a_reload_leaves_alone_what_did_not_change() {
    let mut bench = Bench::new();
    bench.write(10);
    let (door, other) = (Door::new(), Door::new());
    let made_of = || {
        let file: crate::destination::KindConfig = crate::destination::KindConfig::from_table(
            "file",
            "path = \"/out\"".parse().unwrap(),
            &crate::config::Environment::empty(),
        )
        .unwrap();
        Some(Arc::new((
            crate::config::DestinationConfig::new("a", file),
            crate::exclude::Exclusion::NOTHING,
        )))
    };
    let unchanged = || LaneConfig {
        made_of: made_of(),
        ..lane("a", &door, 1)
    };
    door.set(Shut::Hanging { waiting: 0 });
    let shipper = bench.start(vec![unchanged(), lane("b", &other, 1)]).unwrap();
    door.wait_for_hanging(1);
    until(&shipper, "the other one", |all| all[1].counts.delivered == 10);
    let lanes = Lanes {
        lanes: vec![lane("c", &other, 1), unchanged()],
        held: None,
    };
    // Its request hangs over the reload, which does not wait for it.
    shipper.reload(lanes, PATIENCE).unwrap();
    let ids: Vec<_> = shipper.statuses().into_iter().map(|status| status.id).collect();
    assert_eq!(ids, ["c", "a"]);
    assert_eq!(shipper.statuses()[1].in_flight, 1);
    door.set(Shut::Open);
    until(&shipper, "both", |all| {
        all[0].counts.delivered == 10 && all[1].counts.delivered == 10
    });
    shipper.stop(PATIENCE);
    // The door keeps nothing of what hung; a second request would be there.
    assert_eq!(door.stored(), [0_u64; 0], "nothing was sent twice");
}

#[test]
fn a_command_that_comes_during_a_reload_is_done_after_it() {
    let mut bench = Bench::new();
    bench.write(10);
    let door = Door::new();
    door.set(Shut::Hanging { waiting: 0 });
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    door.wait_for_hanging(1);
    let lanes = Lanes {
        lanes: vec![lane("a", &door, 1)],
        held: None,
    };
    let command = Command::Replay {
        destination: String::from("a"),
        from: 0,
        to: 10,
    };
    let answer = std::thread::scope(|scope| {
        let reload = scope.spawn(|| shipper.reload(lanes, PATIENCE));
        until(&shipper, "no lane", <[_]>::is_empty);
        let random = SeededRandom::new(9);
        let ticket =
            commands::submit(&bench.storage, &random, bench.clock.wall(), "a test", &command).unwrap();
        let answer = || commands::answer_to(&bench.storage, &ticket).unwrap();
        // The control thread looks twice in this time.
        let end = bench.clock.monotonic().plus(2 * REPORT);
        until(&shipper, "time to look", |_| {
            answer().is_some() || bench.clock.monotonic() >= end
        });
        assert_eq!(answer(), None);
        door.set(Shut::Open);
        reload.join().unwrap().unwrap();
        until(&shipper, "the answer", |_| answer().is_some());
        answer()
    });
    assert!(matches!(answer, Some(Outcome::Done { .. })), "{answer:?}");
    shipper.stop(PATIENCE);
}

#[test]
fn a_destination_that_cannot_be_built_yet_is_held_and_tried_again() {
    let mut bench = Bench::new();
    bench.write(10);
    let (good, late) = (Door::new(), Door::new());
    let Target::Route(route) = lane("late", &late, 4).target else {
        unreachable!("a lane has a route");
    };
    let mounted = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&mounted);
    let mut awaited = lane("late", &late, 4);
    awaited.target = Target::Awaited {
        reason: String::from("no key file at first"),
        build: Arc::new(move || match there.load(Ordering::SeqCst) {
            true => Ok(route.clone()),
            false => Err(String::from("no key file yet")),
        }),
    };
    let shipper = bench.start(vec![lane("good", &good, 1), awaited]).unwrap();
    until(&shipper, "the other one, and the hold", |all| {
        let held = matches!(&all[1].activity, status::Activity::Held { kind: HoldKind::Config, reason, .. } if reason == "no key file yet");
        held && all[0].counts.delivered == 10 && all[1].backlog.pending == 10
    });
    mounted.store(true, Ordering::SeqCst);
    shipper.shared.runners()[1].hurry();
    until(&shipper, "what was kept for it", |all| {
        all[1].counts.delivered == 10
    });
    late.set(Shut::Hanging { waiting: 0 });
    bench.write(100);
    shipper.nudge();
    late.wait_for_hanging(4);
    late.set(Shut::Open);
    until(&shipper, "all", |all| all[1].counts.delivered == 110);
    shipper.stop(PATIENCE);
}

#[test]
fn where_nothing_is_known_of_the_destinations_those_of_the_spool_are_held() {
    let mut bench = Bench::new();
    bench.write(3);
    let door = Door::new();
    let shipper = bench.start(vec![lane("a", &door, 1)]).unwrap();
    until(&shipper, "all", |all| all[0].counts.delivered == 3);
    let nothing = Lanes {
        lanes: Vec::new(),
        held: Some(String::from("line 3: not TOML")),
    };
    shipper.reload(nothing, PATIENCE).unwrap();
    let all = shipper.statuses();
    assert_eq!(
        (all.len(), all[0].id.as_str(), all[0].counts.delivered),
        (1, "a", 3)
    );
    assert!(matches!(&all[0].activity, status::Activity::Held { reason, .. } if reason.contains("not TOML")));
    shipper.stop(PATIENCE);
}
