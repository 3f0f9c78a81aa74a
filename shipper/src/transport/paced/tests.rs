use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::time::{ManualClock, Timestamp};
use crate::transport::scripted::{ScriptedTransport, Step};

fn rate(parts: u64) -> Rate {
    Rate {
        parts: parts.try_into().unwrap(),
        records: 1_000,
        bytes: 1_000_000,
    }
}

struct Fixed(Option<Rate>);

impl Pace for Fixed {
    fn rate(&self) -> Option<Rate> {
        self.0
    }
}

fn holding(load: Load) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    request.extensions_mut().insert(load);
    request
}

/// Records in one place of the key space.
fn at(place: u128, count: usize, bytes: u64) -> Load {
    Load(vec![Item { place, bytes }; count])
}

/// Half a second of a part.
fn half() -> Load {
    at(0, 500, 1)
}

/// Time goes by while it is waited, and at no other time.
struct Passing {
    clock: Arc<ManualClock>,
    waits: AtomicU64,
    interrupted: AtomicBool,
}

impl Pause for Passing {
    fn wait(&self, time: Duration) -> Waited {
        if self.interrupted.load(Ordering::SeqCst) {
            return Waited::Interrupted;
        }
        self.waits.fetch_add(1, Ordering::SeqCst);
        self.clock.advance(time);
        Waited::Enough
    }

    fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
    }
}

struct World {
    transport: PacedTransport,
    receiver: ScriptedTransport,
    clock: Arc<ManualClock>,
    pause: Arc<Passing>,
}

impl World {
    fn new(rate: Option<Rate>) -> Self {
        let receiver = ScriptedTransport::new([], Step::status(::http::StatusCode::OK));
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        let pause = Arc::new(Passing {
            clock: clock.clone(),
            waits: AtomicU64::new(0),
            interrupted: AtomicBool::new(false),
        });
        Self {
            transport: PacedTransport::new(
                Arc::new(receiver.clone()),
                Arc::new(Fixed(rate)),
                clock.clone(),
                pause.clone(),
            ),
            receiver,
            clock,
            pause,
        }
    }

    fn waits(&self) -> u64 {
        self.pause.waits.load(Ordering::SeqCst)
    }
}

#[test]
fn a_request_costs_a_part_the_longer_of_its_two_times() {
    for (load, millis) in [
        (half(), 500),
        (at(0, 1, 500_000), 500),
        (at(0, 500, 1_400), 700),
        // Heavier than a second's worth.
        (at(0, 1, 10_000_000), 10_000),
    ] {
        let costs = rate(1).costs(&load);
        assert_eq!(costs, HashMap::from([(0, Duration::from_millis(millis))]));
    }
}

#[test]
fn the_parts_share_the_key_space_evenly_and_in_order() {
    for (parts, place, part) in [
        (1, 0, 0),
        (1, u128::MAX, 0),
        (2, u128::MAX / 2, 0),
        (2, u128::MAX / 2 + 1, 1),
        (4, 0x4000 << 112, 1),
        (4, u128::MAX, 3),
        (3, u128::MAX / 3 - (1 << 64), 0),
        (3, u128::MAX / 3 + (1 << 64), 1),
        (u64::MAX, u128::MAX, u64::MAX - 1),
    ] {
        assert_eq!(rate(parts).part(place), part, "{place:x} of {parts}");
    }
}

#[test]
fn a_request_waits_for_the_parts_that_it_reaches_and_for_no_other() {
    let (first, second) = (0, u128::MAX);
    let world = World::new(Some(rate(2)));
    let now = || world.clock.monotonic().since(Monotonic(0)).as_millis();
    world.transport.send(&holding(at(first, 500, 1))).unwrap();
    world.transport.send(&holding(at(second, 500, 1))).unwrap();
    assert_eq!(now(), 0);
    world.transport.send(&holding(at(first, 500, 1))).unwrap();
    assert_eq!(now(), 500);
    // The other part has had its rest, this one is owed nothing before its time.
    let both = Load([at(first, 250, 1).0, at(second, 250, 1).0].concat());
    world.transport.send(&holding(both)).unwrap();
    assert_eq!(now(), 750);
    world.transport.send(&holding(at(second, 250, 1))).unwrap();
    assert_eq!(now(), 750);
}

#[test]
fn what_is_owed_is_forgotten_where_the_parts_are_other_ones() {
    let mut account = Account::default();
    account.settle(Monotonic(1), rate(2));
    let costs = rate(2).costs(&half());
    account.take(Monotonic(1), &costs);
    assert_eq!(account.wait(Monotonic(1), &costs), AHEAD);
    account.settle(Monotonic(1), rate(2));
    assert_eq!(account.wait(Monotonic(1), &costs), AHEAD);
    account.settle(Monotonic(1), rate(4));
    assert_eq!(account.wait(Monotonic(1), &costs), Duration::ZERO);
}

/// A rest before each request, and its records: where, and how large.
fn run() -> impl Strategy<Value = Vec<(u64, Vec<(u128, u64)>)>> {
    let records = prop::collection::vec((any::<u128>(), 1_u64..60_000), 1..60);
    prop::collection::vec((0_u64..1_000_000_000, records), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The first two invariants, for each part and each stretch of a random run.
    #[test]
    fn no_stretch_of_time_sees_more_than_the_rate(run in run(), parts in 1_u64..5) {
        let rate = rate(parts);
        let mut account = Account::default();
        let mut now = Monotonic(0);
        // When, for each part: seconds of it that went.
        let mut sent: Vec<(u64, HashMap<u64, f64>)> = Vec::new();
        for (rest, records) in run {
            now = Monotonic(now.0 + rest);
            let costs = rate.costs(&Load(records.into_iter().map(|(place, bytes)| Item { place, bytes }).collect()));
            account.settle(now, rate);
            now = now.plus(account.wait(now, &costs));
            account.settle(now, rate);
            prop_assert_eq!(account.wait(now, &costs), Duration::ZERO, "one wait is enough");
            account.take(now, &costs);
            sent.push((now.0, costs.iter().map(|(part, cost)| (*part, cost.as_secs_f64())).collect()));
        }
        for part in 0..parts {
            let of = |costs: &HashMap<u64, f64>| costs.get(&part).copied().unwrap_or_default();
            for first in 0..sent.len() {
                let (mut sum, mut heaviest) = (0.0, 0.0_f64);
                for (at, costs) in &sent[first..] {
                    (sum, heaviest) = (sum + of(costs), heaviest.max(of(costs)));
                    let seconds = (at - sent[first].0) as f64 / 1e9;
                    let bound = seconds + heaviest.max(AHEAD.as_secs_f64()) + 1e-6;
                    prop_assert!(sum <= bound, "{} s of part {} in {} s", sum, part, seconds);
                }
            }
        }
    }
}

#[test]
fn what_has_no_weight_and_what_has_no_rate_goes_at_once() {
    let world = World::new(None);
    for _ in 0..10 {
        world.transport.send(&holding(half())).unwrap();
    }
    assert_eq!((world.receiver.attempts(), world.waits()), (10, 0));
    let world = World::new(Some(rate(1)));
    world.transport.send(&holding(half())).unwrap();
    world.transport.send(&Request::new(Vec::new())).unwrap();
    assert_eq!((world.receiver.attempts(), world.waits()), (2, 0));
}

#[test]
fn it_waits_until_what_went_before_is_paid_for() {
    let world = World::new(Some(rate(1)));
    for sent in 0..20 {
        world.transport.send(&holding(half())).unwrap();
        assert_eq!(world.clock.monotonic(), Monotonic(sent * 500_000_000));
    }
    assert_eq!((world.receiver.attempts(), world.waits()), (20, 19));
}

#[test]
fn an_interruption_ends_a_wait_and_says_that_nothing_was_sent() {
    let world = World::new(Some(rate(1)));
    world.transport.send(&holding(half())).unwrap();
    world.transport.interrupt();
    let ended = world.transport.send(&holding(half()));
    assert!(matches!(ended, Err(SendError::NotSent { .. })), "{ended:?}");
    assert_eq!(world.receiver.attempts(), 1);
    // What needs no wait goes, as a question that a stop does not hold up.
    world.transport.send(&Request::new(Vec::new())).unwrap();
}
