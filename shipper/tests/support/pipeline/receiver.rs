//! The other side of `http`: stores each key once, refuses poison, and now and then fails in every way there is.
//!
//! It outlives its senders, and it objects at once to a key with two bodies, and to a key that comes again although it was
//! answered clearly and the sender did not die since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auditship::random::{Random, SeededRandom};
use auditship::transport::{SendError, Transport};
use http::{HeaderMap, Request, Response};

use super::chunks::POISON;

/// Handles to the same receiver.
#[derive(Clone, Default)]
pub(crate) struct Receiver(Arc<Mutex<Inner>>);

#[derive(Clone, Default)]
struct Inner {
    bodies: BTreeMap<String, Vec<u8>>,
    stored: BTreeSet<String>,
    /// Keys that were answered clearly, since the sender died last.
    closed: BTreeSet<String>,
    lines: BTreeMap<String, usize>,
    /// How many requests may still fail.
    faults: u64,
    requests: u64,
    seed: u64,
    cured: bool,
}

impl Receiver {
    /// One with the same memory and a life of its own.
    pub(crate) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.inner().clone())))
    }

    /// Some of the next requests fail, `faults` at most; which, follows from `seed`.
    pub(crate) fn fail(&self, faults: u64, seed: u64) {
        let mut inner = self.inner();
        inner.faults = faults;
        inner.seed = seed;
    }

    /// Whoever sends is another process now.
    pub(crate) fn sender_died(&self) {
        self.inner().closed.clear();
    }

    /// From now on poison is taken.
    pub(crate) fn cure(&self) {
        self.inner().cured = true;
    }

    pub(crate) fn is_cured(&self) -> bool {
        self.inner().cured
    }

    /// Each line that is stored, and how often.
    pub(crate) fn lines(&self) -> BTreeMap<String, usize> {
        self.inner().lines.clone()
    }

    /// How many different lines are stored.
    pub(crate) fn count(&self) -> u64 {
        self.inner().lines.len() as u64
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Receiver {
    fn send_with(&self, request: &Request<Vec<u8>>, _: &HeaderMap) -> Result<Response<Vec<u8>>, SendError> {
        self.inner().receive(request)
    }
}

impl Inner {
    fn receive(&mut self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendError> {
        let key = request.headers()["idempotency-key"]
            .to_str()
            .expect("text")
            .to_owned();
        let body = request.body();
        let before = self.bodies.entry(key.clone()).or_insert_with(|| body.clone());
        assert_eq!(before, body, "{key} has two bodies");
        assert!(!self.closed.contains(&key), "{key} comes again without a crash");
        let lost = Err(SendError::Unanswered {
            reason: String::from("no answer"),
        });
        match self.fault() {
            0 => Err(SendError::NotSent {
                reason: String::from("refused"),
            }),
            1 => lost,
            2 => {
                self.store(&key, body);
                lost
            }
            3 => answer(429),
            4 => answer(503),
            5 => answer(401),
            6 => answer(404),
            _ => {
                let status = self.store(&key, body);
                self.closed.insert(key);
                answer(status)
            }
        }
    }

    fn fault(&mut self) -> u64 {
        self.requests += 1;
        if self.faults == 0 {
            return u64::MAX;
        }
        self.faults -= 1;
        let dice = SeededRandom::new(self.seed.wrapping_add(self.requests));
        dice.next_u64().unwrap_or(u64::MAX) % 16
    }

    fn store(&mut self, key: &str, body: &[u8]) -> u16 {
        if self.stored.contains(key) {
            return 200;
        }
        let text = std::str::from_utf8(body).expect("text");
        if text.contains(POISON) && !self.cured {
            return 400;
        }
        self.stored.insert(key.to_owned());
        for line in text.lines() {
            *self.lines.entry(line.to_owned()).or_default() += 1;
        }
        200
    }
}

fn answer(status: u16) -> Result<Response<Vec<u8>>, SendError> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    Ok(response)
}
