use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::time::{ManualClock, Timestamp};
use crate::transport::scripted::{ScriptedTransport, Step};

const RATE: Rate = Rate {
    records: 1_000,
    bytes: 1_000_000,
};

struct Fixed(Option<Rate>);

impl Pace for Fixed {
    fn rate(&self) -> Option<Rate> {
        self.0
    }
}

fn weighing(weight: Weight) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    request.extensions_mut().insert(weight);
    request
}

const HALF_A_SECOND: Weight = Weight {
    records: 500,
    bytes: 1,
};

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
fn a_request_costs_the_longer_of_its_two_times() {
    for (weight, millis) in [
        (HALF_A_SECOND, 500),
        (
            Weight {
                records: 1,
                bytes: 500_000,
            },
            500,
        ),
        (
            Weight {
                records: 500,
                bytes: 700_000,
            },
            700,
        ),
        // Heavier than a second's worth: it goes, and the next one waits for it.
        (
            Weight {
                records: 1,
                bytes: 10_000_000,
            },
            10_000,
        ),
    ] {
        let mut account = Account::default();
        assert_eq!(account.wait(Monotonic(7)), Duration::ZERO);
        account.take(Monotonic(7), weight, RATE);
        assert_eq!(account.wait(Monotonic(7)), Duration::from_millis(millis));
        let later = Monotonic(7).plus(Duration::from_millis(millis));
        assert_eq!(account.wait(later), Duration::ZERO);
        // A rest is not saved up.
        let rested = later.plus(Duration::from_secs(60));
        account.take(rested, weight, RATE);
        assert_eq!(account.wait(rested), Duration::from_millis(millis));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The first invariant, for each stretch of a random run.
    #[test]
    fn no_stretch_of_time_sees_more_than_the_rate(
        steps in prop::collection::vec((0_u64..3_000_000_000, 1_u64..501, 1_u64..3_000_000), 1..60),
    ) {
        let mut account = Account::default();
        let mut now = Monotonic(0);
        let mut sent: Vec<(u64, Weight)> = Vec::new();
        for (rest, records, bytes) in steps {
            now = Monotonic(now.0 + rest);
            now = now.plus(account.wait(now));
            prop_assert_eq!(account.wait(now), Duration::ZERO);
            let weight = Weight { records, bytes };
            account.take(now, weight, RATE);
            sent.push((now.0, weight));
        }
        for first in 0..sent.len() {
            let (mut records, mut bytes) = (0, 0);
            for (at, weight) in &sent[first..] {
                // What went before this one, in the time until it.
                let seconds = (at - sent[first].0) as f64 / 1e9;
                prop_assert!(records as f64 <= seconds * 1e3 + 1.0, "{} records in {} s", records, seconds);
                prop_assert!(bytes as f64 <= seconds * 1e6 + 1.0, "{} bytes in {} s", bytes, seconds);
                records += weight.records;
                bytes += weight.bytes;
            }
        }
    }
}

#[test]
fn what_has_no_weight_and_what_has_no_rate_goes_at_once() {
    let world = World::new(None);
    for _ in 0..10 {
        world.transport.send(&weighing(HALF_A_SECOND)).unwrap();
    }
    assert_eq!((world.receiver.attempts(), world.waits()), (10, 0));
    let world = World::new(Some(RATE));
    world.transport.send(&weighing(HALF_A_SECOND)).unwrap();
    world.transport.send(&Request::new(Vec::new())).unwrap();
    assert_eq!((world.receiver.attempts(), world.waits()), (2, 0));
}

#[test]
fn it_waits_until_what_went_before_is_paid_for() {
    let world = World::new(Some(RATE));
    for sent in 0..20 {
        world.transport.send(&weighing(HALF_A_SECOND)).unwrap();
        assert_eq!(world.clock.monotonic(), Monotonic(sent * 500_000_000));
    }
    assert_eq!((world.receiver.attempts(), world.waits()), (20, 19));
}

#[test]
fn an_interruption_ends_a_wait_and_says_that_nothing_was_sent() {
    let world = World::new(Some(RATE));
    world.transport.send(&weighing(HALF_A_SECOND)).unwrap();
    world.transport.interrupt();
    let ended = world.transport.send(&weighing(HALF_A_SECOND));
    assert!(matches!(ended, Err(SendError::NotSent { .. })), "{ended:?}");
    assert_eq!(world.receiver.attempts(), 1);
    // What needs no wait goes, as a question that a stop does not hold up.
    world.transport.send(&Request::new(Vec::new())).unwrap();
}
