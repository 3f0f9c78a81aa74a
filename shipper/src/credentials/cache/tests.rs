use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::time::ManualClock;

const MINUTE: Duration = Duration::from_secs(60);
const START: Timestamp = Timestamp(1_767_225_600_000_000_000);

struct World {
    clock: Arc<ManualClock>,
    cache: Arc<Cache<&'static str>>,
    fetches: AtomicUsize,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        Self {
            cache: Arc::new(Cache::new(clock.clone(), 4 * MINUTE)),
            clock,
            fetches: AtomicUsize::new(0),
        }
    }

    /// A value that holds for `lifetime` from now on.
    fn lasting(
        &self,
        value: &'static str,
        lifetime: Duration,
    ) -> Result<Expiring<&'static str>, CredentialError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let until = Some(self.clock.wall().plus(lifetime));
        Ok(Expiring { value, until })
    }

    fn down(&self) -> Result<Expiring<&'static str>, CredentialError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        Err(unreachable())
    }

    /// The value, with one of an hour where one is fetched.
    fn value(&self, fetched: &'static str) -> Result<&'static str, CredentialError> {
        self.cache.value(|| self.lasting(fetched, 60 * MINUTE))
    }

    fn value_while_down(&self) -> Result<&'static str, CredentialError> {
        self.cache.value(|| self.down())
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn unreachable() -> CredentialError {
    CredentialError::Unreachable {
        source: String::from("the token endpoint"),
        reason: String::from("down"),
    }
}

#[test]
fn a_value_is_fetched_once_and_renewed_before_its_end() {
    let world = World::new();
    assert_eq!(world.value("a"), Ok("a"));
    world.clock.advance(56 * MINUTE - Duration::from_nanos(1));
    assert_eq!((world.value("b"), world.fetches()), (Ok("a"), 1));
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!((world.value("b"), world.fetches()), (Ok("b"), 2));
}

#[test]
fn a_value_without_an_end_is_kept() {
    let world = World::new();
    let endless = || {
        Ok(Expiring {
            value: "a",
            until: None,
        })
    };
    assert_eq!(world.cache.value(endless), Ok("a"));
    world.clock.advance(1_000_000 * MINUTE);
    assert_eq!(world.value("b"), Ok("a"));
}

#[test]
fn a_failed_renewal_keeps_the_old_value_until_it_expires() {
    let world = World::new();
    assert_eq!(world.value("a"), Ok("a"));
    world.clock.advance(56 * MINUTE);
    assert_eq!((world.value_while_down(), world.fetches()), (Ok("a"), 2));
    // Not again before the pause is over.
    world.clock.advance(PAUSE - Duration::from_nanos(1));
    assert_eq!((world.value_while_down(), world.fetches()), (Ok("a"), 2));
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!((world.value_while_down(), world.fetches()), (Ok("a"), 3));
    world.clock.advance(4 * MINUTE - PAUSE - Duration::from_nanos(1));
    assert_eq!(world.value_while_down(), Ok("a"), "to its last moment");
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.value_while_down(), Err(unreachable()));
    // Without anything to go on with, everybody who asks may try.
    let before = world.fetches();
    assert_eq!(world.value_while_down(), Err(unreachable()));
    assert_eq!(world.fetches(), before + 1);
    assert_eq!(world.value("b"), Ok("b"));
}

#[test]
fn a_source_that_repeats_itself_is_not_hammered() {
    let world = World::new();
    let end = START.plus(60 * MINUTE);
    let same = || {
        world.fetches.fetch_add(1, Ordering::SeqCst);
        Ok(Expiring {
            value: "a",
            until: Some(end),
        })
    };
    assert_eq!(world.cache.value(same), Ok("a"));
    world.clock.advance(57 * MINUTE);
    for second in 0..30 {
        assert_eq!(world.cache.value(same), Ok("a"));
        assert_eq!(world.fetches(), 2 + second / 10, "after {second} s");
        world.clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn what_was_just_fetched_is_used_whatever_our_clock_says() {
    let world = World::new();
    let long_past = || {
        world.fetches.fetch_add(1, Ordering::SeqCst);
        Ok(Expiring {
            value: "a",
            until: Some(Timestamp(0)),
        })
    };
    assert_eq!(
        (world.cache.value(long_past), world.cache.value(long_past)),
        (Ok("a"), Ok("a"))
    );
    assert_eq!(world.fetches(), 1);
    world.clock.advance(PAUSE);
    assert_eq!((world.cache.value(long_past), world.fetches()), (Ok("a"), 2));
}

#[test]
fn a_refused_value_is_fetched_again_but_not_over_and_over() {
    let world = World::new();
    assert_eq!(world.value("a"), Ok("a"));
    let renew = |value| world.cache.renew(|| world.lasting(value, 60 * MINUTE));
    assert_eq!((renew("b"), world.fetches()), (Renewal::Same, 1), "it is new");
    world.clock.advance(PAUSE);
    assert_eq!(
        (renew("a"), world.fetches()),
        (Renewal::Same, 2),
        "the same again"
    );
    world.clock.advance(PAUSE);
    assert_eq!((renew("b"), world.fetches()), (Renewal::Changed, 3));
    // Another thread whose request went out with the old one.
    assert_eq!((renew("c"), world.fetches()), (Renewal::Changed, 3));
    assert_eq!(world.value("c"), Ok("b"));
    world.clock.advance(PAUSE);
    assert_eq!(world.cache.renew(|| world.down()), Renewal::Same);
    assert_eq!(world.value("c"), Ok("b"), "a failed renewal loses nothing");
}

#[test]
fn a_value_that_another_thread_has_just_asked_for_is_not_asked_for_again() {
    let world = World::new();
    assert_eq!(world.value("a"), Ok("a"));
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (world, started) = (&world, &started);
    thread::scope(|scope| {
        let first = scope.spawn(move || {
            world.cache.renew_or_lose(Duration::ZERO, || {
                started.send(()).unwrap();
                released.recv().unwrap();
                world.lasting("b", 60 * MINUTE)
            })
        });
        starts.recv().unwrap();
        let second = scope.spawn(|| {
            let renewed = || world.lasting("c", 60 * MINUTE);
            world.cache.renew_or_lose(Duration::ZERO, renewed)
        });
        while world.cache.lock().waits == 0 {
            thread::yield_now();
        }
        release.send(()).unwrap();
        for thread in [first, second] {
            assert_eq!(thread.join().unwrap(), Renewal::Changed);
        }
    });
    assert_eq!((world.value("d"), world.fetches()), (Ok("b"), 2));
}

#[test]
fn many_threads_wait_for_one_fetch() {
    let world = World::new();
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (world, started) = (&world, &started);
    thread::scope(|scope| {
        let first = scope.spawn(move || {
            world.cache.value(|| {
                started.send(()).unwrap();
                released.recv().unwrap();
                world.lasting("a", 60 * MINUTE)
            })
        });
        starts.recv().unwrap();
        let others: Vec<_> = (0..8).map(|_| scope.spawn(|| world.value("b"))).collect();
        release.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok("a"));
        for other in others {
            assert_eq!(other.join().unwrap(), Ok("a"));
        }
    });
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_renewal_holds_nobody_up() {
    let world = World::new();
    assert_eq!(world.value("a"), Ok("a"));
    world.clock.advance(57 * MINUTE);
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (world, started) = (&world, &started);
    thread::scope(|scope| {
        let renewing = scope.spawn(move || {
            world.cache.value(|| {
                started.send(()).unwrap();
                released.recv().unwrap();
                world.lasting("b", 60 * MINUTE)
            })
        });
        starts.recv().unwrap();
        // Would wait for ever if it waited for the renewal.
        assert_eq!(world.value("c"), Ok("a"));
        release.send(()).unwrap();
        assert_eq!(renewing.join().unwrap(), Ok("b"));
    });
    assert_eq!((world.value("c"), world.fetches()), (Ok("b"), 2));
}

#[test]
fn a_fetch_that_panics_leaves_the_next_one_free() {
    let world = World::new();
    thread::scope(|scope| {
        let panicking = scope.spawn(|| world.cache.value(|| panic!("as the test wants it")));
        assert!(panicking.join().is_err());
    });
    assert_eq!(world.value("a"), Ok("a"));
}

#[test]
fn those_who_wait_share_the_error() {
    let world = World::new();
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (world, started) = (&world, &started);
    thread::scope(|scope| {
        let first = scope.spawn(move || {
            world.cache.value(|| {
                started.send(()).unwrap();
                released.recv().unwrap();
                world.down()
            })
        });
        starts.recv().unwrap();
        let other = scope.spawn(|| world.value_while_down());
        release.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Err(unreachable()));
        assert_eq!(other.join().unwrap(), Err(unreachable()));
    });
}
