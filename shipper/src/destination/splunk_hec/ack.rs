//! A transport that does not come back with a batch before an indexer has acknowledged it, or the time for that is up.
//!
//! # In scope
//! Channels; the question whether the token has acknowledgement at all, before the first record goes; asking for a batch's
//! acknowledgement again and again, by the way that the batch took (cookies of a load balancer).
//!
//! # Out of scope
//! What it means for the batch: `decode.rs` reads it from the response's extensions.
//!
//! # Invariants
//! 1. *A channel carries one unacknowledged batch.* Numbers of acknowledgements begin at 0 in each channel of each indexer, so
//!    an indexer that comes back empty gives the number of a lost batch to another one; in a channel of its own no other can
//!    get it. A channel whose batch was acknowledged is used again, any other never.
//! 2. Only `true` for the very number that the batch was given is an acknowledgement. An error of the question is no answer.
//! 3. Nothing is sent while it is not known that the token has acknowledgement.
//!
//! Runs on the sending thread, which waits; others send their batches meanwhile. A stop ends the wait after one further
//! question.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use serde_json::{Value, json};

use crate::destination::reply::summary;
use crate::random::Random;
use crate::time::Clock;
use crate::transport::pause::{Pause, Waited};
use crate::transport::{SendError, Transport};

pub(super) const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// Put into a request's extensions whose acknowledgement is to be awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct AwaitAck;

/// Put into the extensions of an answer to the question that comes before the first record: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NothingSent;

/// What became of the acknowledgement, put into the extensions of an answer to data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// It has come.
    Received,
    /// The answer named no number to ask for.
    NotOffered,
    /// It has not come.
    Missing {
        /// For how long it was waited for.
        waited: Duration,
        /// What the last question was answered, where that was not a plain "not yet".
        problem: Option<String>,
        /// Why it is not waited for any longer.
        end: Waited,
    },
}

/// The first wait; each further one is twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// What Splunk advises.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Time and chance.
pub(super) struct Surroundings {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pause: Arc<dyn Pause>,
    pub(super) random: Arc<dyn Random>,
}

/// Sends, and waits for the acknowledgement. See the module.
pub(super) struct AckTransport {
    inner: Arc<dyn Transport>,
    url: Uri,
    timeout: Duration,
    around: Surroundings,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The token has acknowledgement.
    is_on: bool,
    /// Channels in which nothing is open.
    free: Vec<HeaderValue>,
}

/// The answer to one question.
enum Asked {
    Acknowledged,
    NotYet,
    Problem(String),
}

impl AckTransport {
    /// Sends by way of `inner`; acknowledgements are asked for at `url`.
    pub(super) fn new(inner: Arc<dyn Transport>, url: Uri, timeout: Duration, around: Surroundings) -> Self {
        Self {
            inner,
            url,
            timeout,
            around,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn channel(&self) -> Result<HeaderValue, SendError> {
        if let Some(free) = self.known().free.pop() {
            return Ok(free);
        }
        let mut bytes = [0; 16];
        let filled = self.around.random.fill(&mut bytes);
        filled.map_err(|error| SendError::NotSent {
            reason: format!("no channel for acknowledgements: {error}"),
        })?;
        // Hexadecimal digits and hyphens.
        Ok(HeaderValue::from_str(&guid(bytes)).unwrap_or(HeaderValue::from_static("")))
    }

    /// Whether the token has acknowledgement: `None` when it has, else the answer that does not say so.
    fn is_off(&self, channel: &HeaderValue) -> Result<Option<Response<Vec<u8>>>, SendError> {
        if self.known().is_on {
            return Ok(None);
        }
        let question = question(&self.url, channel, 0);
        let mut response = self.inner.send(&question).map_err(|error| match error {
            // The question may have arrived; no record has been sent.
            SendError::Unanswered { reason } => SendError::NotSent { reason },
            error => error,
        })?;
        if acks(&response).is_some() {
            self.known().is_on = true;
            return Ok(None);
        }
        response.extensions_mut().insert(NothingSent);
        Ok(Some(response))
    }

    /// Asks until it is acknowledged, the time is up, or nothing more is to be sent.
    fn wait(&self, channel: &HeaderValue, id: u64, cookies: Option<&HeaderValue>) -> Acknowledgement {
        let begun = self.around.clock.monotonic();
        let mut question = question(&self.url, channel, id);
        if let Some(cookies) = cookies {
            question.headers_mut().insert(header::COOKIE, cookies.clone());
        }
        let mut wait = FIRST_WAIT;
        loop {
            let waited = self.around.clock.monotonic().since(begun);
            let end = self
                .around
                .pause
                .wait(wait.min(self.timeout.saturating_sub(waited)));
            let problem = match self.ask(&question, id) {
                Asked::Acknowledged => return Acknowledgement::Received,
                Asked::NotYet => None,
                Asked::Problem(problem) => Some(problem),
            };
            let waited = self.around.clock.monotonic().since(begun);
            if end == Waited::Interrupted || waited >= self.timeout {
                return Acknowledgement::Missing { waited, problem, end };
            }
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    fn ask(&self, question: &Request<Vec<u8>>, id: u64) -> Asked {
        let response = match self.inner.send(question) {
            Ok(response) => response,
            Err(error) => return Asked::Problem(error.to_string()),
        };
        let Some(acks) = acks(&response) else {
            return Asked::Problem(summary(&response, &[]));
        };
        match acks.get(id.to_string()) {
            Some(Value::Bool(true)) => Asked::Acknowledged,
            Some(Value::Bool(false)) => Asked::NotYet,
            _ => Asked::Problem(format!("the answer does not speak of acknowledgement {id}")),
        }
    }
}

impl Transport for AckTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        if request.extensions().get::<AwaitAck>().is_none() {
            return self.inner.send_with(request, further);
        }
        let channel = self.channel()?;
        if let Some(response) = self.is_off(&channel)? {
            self.known().free.push(channel);
            return Ok(response);
        }
        let mut further = further.clone();
        further.insert(CHANNEL, channel.clone());
        let mut response = self.inner.send_with(request, &further)?;
        if response.status() != StatusCode::OK {
            // After a server's error, and a time-out of whatever is in between, something may be open in the channel.
            if response.status().is_client_error() && response.status() != StatusCode::REQUEST_TIMEOUT {
                self.known().free.push(channel);
            }
            return Ok(response);
        }
        let acknowledgement = match ack_id(&response) {
            Some(id) => self.wait(&channel, id, cookies(&response).as_ref()),
            None => {
                self.known().is_on = false;
                Acknowledgement::NotOffered
            }
        };
        if acknowledgement == Acknowledgement::Received {
            self.known().free.push(channel);
        }
        response.extensions_mut().insert(acknowledgement);
        Ok(response)
    }

    fn interrupt(&self) {
        self.around.pause.interrupt();
        self.inner.interrupt();
    }
}

/// Whether `id` is acknowledged in `channel`.
pub(super) fn question(url: &Uri, channel: &HeaderValue, id: u64) -> Request<Vec<u8>> {
    let mut request = Request::new(json!({ "acks": [id] }).to_string().into_bytes());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(CHANNEL, channel.clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// The acknowledgements that an answer to a question speaks of.
pub(super) fn acks(response: &Response<Vec<u8>>) -> Option<Value> {
    if response.status() != StatusCode::OK {
        return None;
    }
    let mut body: Value = serde_json::from_slice(response.body()).ok()?;
    body.get_mut("acks").map(Value::take).filter(Value::is_object)
}

fn ack_id(response: &Response<Vec<u8>>) -> Option<u64> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    body.get("ackId")?.as_u64()
}

/// What a load balancer wants to hear to lead the questions where the batch went.
fn cookies(response: &Response<Vec<u8>>) -> Option<HeaderValue> {
    let given = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs: Vec<&str> = given
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .map(str::trim)
        .filter(|pair| pair.contains('='))
        .collect();
    let mut cookies = HeaderValue::from_str(&pairs.join("; "))
        .ok()
        .filter(|_| !pairs.is_empty())?;
    cookies.set_sensitive(true);
    Some(cookies)
}

/// 16 bytes as a GUID of version 4.
pub(super) fn guid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = u128::from_be_bytes(bytes);
    let digits = format!("{hex:032x}");
    let [a, b, c, d, e] = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(from, to)| &digits[from..to]);
    format!("{a}-{b}-{c}-{d}-{e}")
}
