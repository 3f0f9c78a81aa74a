//! A transport that keeps to what a receiver takes in a second, so that it need not be told to slow down.
//!
//! # In scope
//! Waiting, before a request goes, until those before it are paid for: a request costs the time that its weight takes at the
//! rate.
//!
//! # Out of scope
//! What the rate is ([`Pace`]) and what a request weighs ([`Weight`], from the destination). What is throttled
//! nevertheless (others write too, keys are not spread evenly) is [`crate::deliver`]'s.
//!
//! # Invariants
//! 1. In any time of `t` seconds at most the weight of `t` seconds goes out, and one request more.
//! 2. A request is never held back for longer than those before it take; none is too heavy to go.
//! 3. A wait ends at once when the transport is interrupted: nothing was sent then, and it says so.
//!
//! Runs on the calling (sending) thread; may be called from several at a time, which then wait for one another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response};

use super::pause::{Pause, Waited};
use super::{SendError, Transport};
use crate::time::{Clock, Monotonic};

/// What a request weighs, put into its extensions by a destination. A request without one is not paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain numbers")]
pub struct Weight {
    /// Records, as the receiver counts them.
    pub records: u64,
    /// Bytes, as the receiver counts them.
    pub bytes: u64,
}

/// What a receiver takes in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain numbers")]
pub struct Rate {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Says what a receiver takes, which may change.
pub trait Pace: Send + Sync {
    /// `None` while it is not known, or without a limit.
    fn rate(&self) -> Option<Rate>;
}

/// Until when what has gone out is paid for.
#[derive(Debug, Default)]
struct Account {
    paid: Monotonic,
}

impl Account {
    /// How long to wait before anything goes.
    fn wait(&self, now: Monotonic) -> Duration {
        self.paid.since(now)
    }

    /// `weight` goes now.
    fn take(&mut self, now: Monotonic, weight: Weight, rate: Rate) {
        let time = cost(weight.records, rate.records).max(cost(weight.bytes, rate.bytes));
        self.paid = self.paid.max(now).plus(time);
    }
}

fn cost(weight: u64, rate: u64) -> Duration {
    let nanos = u128::from(weight) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Waits where it must, then sends. See the module.
pub struct PacedTransport {
    inner: Arc<dyn Transport>,
    pace: Arc<dyn Pace>,
    clock: Arc<dyn Clock>,
    pause: Arc<dyn Pause>,
    account: Mutex<Account>,
}

impl PacedTransport {
    /// Sends by way of `inner`, no faster than `pace` says.
    pub fn new(
        inner: Arc<dyn Transport>,
        pace: Arc<dyn Pace>,
        clock: Arc<dyn Clock>,
        pause: Arc<dyn Pause>,
    ) -> Self {
        Self {
            inner,
            pace,
            clock,
            pause,
            account: Mutex::default(),
        }
    }

    /// Returns when `weight` may go, which is then taken.
    fn await_turn(&self, weight: Weight) -> Result<(), SendError> {
        while let Some(rate) = self.pace.rate() {
            let wait = {
                let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
                let now = self.clock.monotonic();
                let wait = account.wait(now);
                if wait.is_zero() {
                    account.take(now, weight, rate);
                    break;
                }
                wait
            };
            if self.pause.wait(wait) == Waited::Interrupted {
                return Err(SendError::NotSent {
                    reason: String::from("stopped while it waited for its turn at the stream's rate"),
                });
            }
        }
        Ok(())
    }
}

impl Transport for PacedTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        if let Some(weight) = request.extensions().get() {
            self.await_turn(*weight)?;
        }
        self.inner.send_with(request, further)
    }

    fn interrupt(&self) {
        self.pause.interrupt();
        self.inner.interrupt();
    }
}

#[cfg(test)]
mod tests;
