//! A transport that keeps to what a receiver takes in a second, so that it need not be told to slow down.
//!
//! # In scope
//! Waiting, before a request goes, until those before it are paid for. A receiver is made of equal parts (the shards of a
//! stream), each of which takes so much in a second; what a request gives to a part costs that part the time which it takes.
//!
//! # Out of scope
//! What the rate is ([`Pace`]) and what a request holds ([`Load`], from the destination). What is throttled nevertheless
//! (others write too, parts are not equal) is [`crate::deliver`]'s.
//!
//! # Invariants
//! 1. In any time of `t` seconds a part gets at most the weight of `t` seconds and of `AHEAD` more, or one request more
//!    where that is heavier.
//! 2. A request is never held back for longer than those before it take; none is too heavy to go.
//! 3. A wait ends at once when the transport is interrupted: nothing was sent then, and it says so.
//!
//! Runs on the calling (sending) thread; may be called from several at a time, which then wait for one another.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response};

use super::pause::{Pause, Waited};
use super::{SendError, Transport};
use crate::time::{Clock, Monotonic};

/// How far a part may be ahead of its rate, so that what falls on one part by chance evens out. A request of half of what a
/// part takes in a second is no further ahead than that by itself.
const AHEAD: Duration = Duration::from_millis(500);

/// What a request holds, put into its extensions by a destination. A request without it is not paced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a list")]
pub struct Load(pub Vec<Item>);

/// A record, as the receiver counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain numbers")]
pub struct Item {
    /// Where it falls in the receiver's key space, which the parts share evenly and in order.
    pub place: u128,
    /// Bytes.
    pub bytes: u64,
}

/// What a receiver takes in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three plain numbers")]
pub struct Rate {
    /// Parts of the receiver.
    pub parts: NonZeroU64,
    /// Records, for each part.
    pub records: u64,
    /// Bytes, for each part.
    pub bytes: u64,
}

impl Rate {
    fn part(&self, place: u128) -> u64 {
        // Both factors are below 2^64.
        (((place >> 64) * u128::from(self.parts.get())) >> 64) as u64
    }

    /// What a request costs each part that it reaches.
    fn costs(&self, load: &Load) -> HashMap<u64, Duration> {
        let mut weights: HashMap<u64, (u64, u64)> = HashMap::new();
        for item in &load.0 {
            let (records, bytes) = weights.entry(self.part(item.place)).or_default();
            *records += 1;
            *bytes = bytes.saturating_add(item.bytes);
        }
        let cost =
            |(part, (records, bytes))| (part, time(records, self.records).max(time(bytes, self.bytes)));
        weights.into_iter().map(cost).collect()
    }
}

fn time(weight: u64, rate: u64) -> Duration {
    let nanos = u128::from(weight) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Says what a receiver takes, which may change.
pub trait Pace: Send + Sync {
    /// `None` while it is not known, or without a limit.
    fn rate(&self) -> Option<Rate>;
}

/// Until when what each part has got is paid for.
#[derive(Debug, Default)]
struct Account {
    /// The number of parts that `paid` speaks of.
    parts: Option<NonZeroU64>,
    /// Without those that owe nothing.
    paid: HashMap<u64, Monotonic>,
}

impl Account {
    /// Forgets what is paid for, and everything where the parts are other ones.
    fn settle(&mut self, now: Monotonic, rate: Rate) {
        if self.parts != Some(rate.parts) {
            self.parts = Some(rate.parts);
            self.paid.clear();
        }
        self.paid.retain(|_, paid| *paid > now);
    }

    /// How long to wait before this goes.
    fn wait(&self, now: Monotonic, costs: &HashMap<u64, Duration>) -> Duration {
        let of = |(part, cost): (&u64, &Duration)| {
            let paid = self.paid.get(part)?;
            // Until the part owes nothing, or no more than it may owe when this has gone.
            Some(paid.since(now).min(paid.plus(*cost).since(now.plus(AHEAD))))
        };
        costs.iter().filter_map(of).max().unwrap_or_default()
    }

    /// It goes now.
    fn take(&mut self, now: Monotonic, costs: &HashMap<u64, Duration>) {
        for (part, cost) in costs {
            let paid = self.paid.entry(*part).or_insert(now);
            *paid = (*paid).max(now).plus(*cost);
        }
    }
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

    /// Returns when `load` may go, which is then taken.
    fn await_turn(&self, load: &Load) -> Result<(), SendError> {
        while let Some(rate) = self.pace.rate() {
            let costs = rate.costs(load);
            let wait = {
                let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
                let now = self.clock.monotonic();
                account.settle(now, rate);
                let wait = account.wait(now, &costs);
                if wait.is_zero() {
                    account.take(now, &costs);
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
        if let Some(load) = request.extensions().get() {
            self.await_turn(load)?;
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
