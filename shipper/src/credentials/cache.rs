//! A value that expires, fetched by one thread at a time and renewed early.
//!
//! # Invariants
//! 1. One fetch at a time; whoever has nothing to go on with waits for it and takes what came of it, error included.
//! 2. A value is given out until it expires. From `margin` before that it is renewed by the first who asks, on that thread;
//!    the others go on with the old one meanwhile.
//! 3. A renewal that failed, or brought what was there before, is tried again no sooner than [`PAUSE`] later. So a source
//!    that hands out the same value until shortly before its end (Google's metadata server) is not hammered.
//! 4. A value that was just fetched is given out for [`PAUSE`] whatever its end says: against a clock that is off, the
//!    receiver's word counts and not ours.
//!
//! Times of expiry are of the wall clock, pauses of the monotonic one. Nothing here sleeps. Runs on the threads that ask;
//! the lock is not held during a fetch.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::CredentialError;
use crate::time::{Clock, Monotonic, Timestamp};
use crate::transport::authorized::Renewal;

/// The least time between two attempts to renew.
pub const PAUSE: Duration = Duration::from_secs(10);

/// A value and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever fetches")]
pub struct Expiring<T> {
    /// The value.
    pub value: T,
    /// From when on it is of no use; `None` when it has no end.
    pub until: Option<Timestamp>,
}

/// See the module.
pub struct Cache<T> {
    clock: Arc<dyn Clock>,
    margin: Duration,
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    held: Option<Held<T>>,
    fetching: Fetching,
    /// How many fetches have ended.
    fetches: u64,
    /// How often anybody has waited for one.
    waits: u64,
    /// What came of the last one; `None` when it ended in a panic.
    outcome: Option<Result<(), CredentialError>>,
    /// When the last one ended.
    ended_at: Option<Monotonic>,
}

struct Held<T> {
    current: Expiring<T>,
    fetched_at: Monotonic,
    /// When it took the place of another value.
    changed_at: Option<Monotonic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetching {
    /// Nobody fetches.
    Idle,
    /// Somebody does.
    UnderWay,
}

/// What there is to go on with.
enum Standing<T> {
    /// Good for longer than the margin, or renewed as often as is decent.
    Good(T),
    /// Good, and to be renewed.
    Ageing(T),
    /// Nothing.
    Gone,
}

impl<T: Clone + PartialEq> Cache<T> {
    /// An empty cache, whose values are renewed `margin` before their end.
    pub fn new(clock: Arc<dyn Clock>, margin: Duration) -> Self {
        Self {
            clock,
            margin,
            state: Mutex::new(State {
                held: None,
                fetching: Fetching::Idle,
                fetches: 0,
                waits: 0,
                outcome: None,
                ended_at: None,
            }),
            ended: Condvar::new(),
        }
    }

    /// The value, fetched with `fetch` when there is none that holds, or when it is time to renew it.
    ///
    /// # Errors
    /// The error of `fetch`, when there is nothing else to go on with.
    pub fn value(
        &self,
        fetch: impl FnOnce() -> Result<Expiring<T>, CredentialError>,
    ) -> Result<T, CredentialError> {
        let mut state = self.lock();
        loop {
            let standing = self.standing(&state);
            match (standing, state.fetching) {
                (Standing::Good(value), _) | (Standing::Ageing(value), Fetching::UnderWay) => {
                    return Ok(value);
                }
                (Standing::Ageing(old), Fetching::Idle) => {
                    // The old one is good for this request, whatever came of the renewal.
                    return Ok(self.fetch_now(state, fetch).unwrap_or(old));
                }
                (Standing::Gone, Fetching::Idle) => return self.fetch_now(state, fetch),
                (Standing::Gone, Fetching::UnderWay) => {
                    state = self.wait(state);
                    match (&state.outcome, &state.held) {
                        (Some(Ok(())), Some(held)) => return Ok(held.current.value.clone()),
                        (Some(Err(error)), _) => return Err(error.clone()),
                        // Whoever fetched is gone: somebody else must.
                        (_, _) => {}
                    }
                }
            }
        }
    }

    /// The receiver refuses the value: fetches it again, unless that was done less than [`PAUSE`] ago, and tells whether
    /// it is another one now. Whoever asks shortly after a change has most likely used the one of before it, and is told
    /// of it too.
    pub fn renew(&self, fetch: impl FnOnce() -> Result<Expiring<T>, CredentialError>) -> Renewal {
        match self.replace(PAUSE, fetch) {
            // Its error will be told by whoever asks for the value when the old one has expired.
            Err(_) => Renewal::Same,
            Ok(renewal) => renewal,
        }
    }

    /// As [`Cache::renew`], for a value that is of no use any more when the receiver refuses it: when no other can be had it
    /// is given up. `pause` is [`PAUSE`], or nothing for a value that was found without asking anybody.
    pub fn renew_or_lose(
        &self,
        pause: Duration,
        fetch: impl FnOnce() -> Result<Expiring<T>, CredentialError>,
    ) -> Renewal {
        self.replace(pause, fetch).unwrap_or_else(|error| {
            self.lock().held = None;
            Renewal::Lost(error)
        })
    }

    /// Fetches again, unless that was done less than `pause` ago.
    fn replace(
        &self,
        pause: Duration,
        fetch: impl FnOnce() -> Result<Expiring<T>, CredentialError>,
    ) -> Result<Renewal, CredentialError> {
        let mut state = self.lock();
        let mut pause = pause;
        if state.fetching == Fetching::UnderWay {
            state = self.wait(state);
            // What somebody else has just asked for was not found.
            pause = PAUSE;
        }
        let now = self.clock.monotonic();
        let is_within = |pause, at: Option<Monotonic>| at.is_some_and(|at| now.since(at) < pause);
        if state.fetching == Fetching::Idle && !is_within(pause, state.ended_at) {
            self.fetch_now(state, fetch)?;
            state = self.lock();
        }
        Ok(match &state.held {
            Some(held) if is_within(PAUSE, held.changed_at) => Renewal::Changed,
            _ => Renewal::Same,
        })
    }

    fn standing(&self, state: &State<T>) -> Standing<T> {
        let Some(held) = &state.held else {
            return Standing::Gone;
        };
        let now = self.clock.monotonic();
        let paused = state.ended_at.is_some_and(|at| now.since(at) < PAUSE);
        let value = || held.current.value.clone();
        let Some(until) = held.current.until else {
            return Standing::Good(value());
        };
        let wall = self.clock.wall();
        if wall >= until && now.since(held.fetched_at) >= PAUSE {
            return Standing::Gone;
        }
        if paused || wall.plus(self.margin) < until {
            return Standing::Good(value());
        }
        Standing::Ageing(value())
    }

    /// Fetches, and keeps what comes of it.
    fn fetch_now(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        fetch: impl FnOnce() -> Result<Expiring<T>, CredentialError>,
    ) -> Result<T, CredentialError> {
        state.fetching = Fetching::UnderWay;
        drop(state);
        let end = End { cache: self };
        let fetched = fetch();
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let outcome = match fetched {
            Ok(current) => {
                let before = state.held.take();
                let changed_at = match before {
                    Some(before) if before.current.value == current.value => before.changed_at,
                    Some(_) => Some(now),
                    None => None,
                };
                let value = current.value.clone();
                state.held = Some(Held {
                    current,
                    fetched_at: now,
                    changed_at,
                });
                Ok(value)
            }
            Err(error) => Err(error),
        };
        state.outcome = Some(outcome.as_ref().map(|_| ()).map_err(Clone::clone));
        drop(state);
        drop(end);
        outcome
    }

    /// Until the fetch that is under way has ended.
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        let seen = state.fetches;
        state.waits += 1;
        self.ended
            .wait_while(state, |state| state.fetches == seen)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Cache<T> {
    /// No code of others runs while the lock is held, so that what a panic leaves is consistent.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a fetch, also when it panics.
struct End<'a, T> {
    cache: &'a Cache<T>,
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if std::thread::panicking() {
            state.outcome = None;
        }
        state.fetching = Fetching::Idle;
        state.fetches += 1;
        state.ended_at = Some(self.cache.clock.monotonic());
        drop(state);
        self.cache.ended.notify_all();
    }
}

#[cfg(test)]
mod tests;
