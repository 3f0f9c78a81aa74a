//! A transport that proves at each sending who sends: fetches credentials, signs, and knows the receiver's clock.
//!
//! # In scope
//! One further attempt inside a sending when the receiver refuses who we are *and* something about it has changed since:
//! the credentials were renewed, or the receiver's clock is known better. How far the two clocks are apart.
//!
//! # Out of scope
//! Where credentials come from ([`crate::credentials`]); what a refusal means for the batch ([`crate::destination`]).
//!
//! # Invariants
//! 1. The body is never touched: what is journalled is what is sent.
//! 2. A second attempt is made only after an answer that says that nothing was stored.
//! 3. Without credentials nothing is sent: [`SendError::NoCredentials`], or [`SendError::NotSent`] while whoever gives them
//!    cannot be reached.
//!
//! Runs on the calling (sending) thread; may be called from several at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response, header};

use super::{SendError, Transport};
use crate::credentials::CredentialError;
use crate::time::{Clock, Timestamp};

/// Proves to a receiver who sends a request.
pub trait Authorize: Send + Sync {
    /// The headers that prove it, at `at` by the receiver's clock as far as that is known. Secrets in them are marked as
    /// sensitive. May fetch credentials, on the calling thread.
    ///
    /// # Errors
    /// [`CredentialError`]: there are none.
    fn authorize(&self, request: &Request<Vec<u8>>, at: Timestamp) -> Result<HeaderMap, CredentialError>;

    /// Whether `response` refuses who sends, or until when what proves it holds, rather than what is sent.
    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool;

    /// Whether what proves it is made with the time, so that a refusal may be about nothing but a clock.
    fn is_timed(&self) -> bool {
        true
    }

    /// The receiver has refused the credentials that were used last: fetches them again, unless that was done a moment
    /// ago, and tells whether they are others now.
    fn renew(&self) -> Renewal;
}

/// What came of fetching credentials again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the transport must treat all of them")]
pub enum Renewal {
    /// They are others now.
    Changed,
    /// They are the same, or others could not be had and these may still be good.
    Same,
    /// Others could not be had, and these are given up: why there are none now.
    Lost(CredentialError),
}

/// How far this host's clock is from the receiver's, put into a response's extensions when it is further than
/// [`ClockSkew::NOTABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain measure")]
pub struct ClockSkew {
    /// Nanoseconds that the receiver's clock is ahead; negative when this host's is.
    pub ahead: i64,
}

impl ClockSkew {
    /// Two minutes: less can be a slow answer, and no cloud minds it (AWS allows 5 minutes, S3 and Google 15 and 5).
    pub const NOTABLE: Duration = Duration::from_secs(120);

    /// A day. A clock that is further off is not signed for: what the host writes down would be wrong by as much, dates
    /// until which an object cannot be deleted included.
    pub const CORRECTED: Duration = Duration::from_secs(24 * 3600);

    /// `this host's clock is 20 min behind the receiver's: set it right (NTP)`.
    pub fn explain(self) -> String {
        let seconds = self.ahead.unsigned_abs() / 1_000_000_000;
        let how_far = match seconds {
            0..180 => format!("{seconds} s"),
            180..10_800 => format!("{} min", seconds / 60),
            10_800..259_200 => format!("{} h", seconds / 3_600),
            _ => format!("{} days", seconds / 86_400),
        };
        let side = if self.ahead > 0 { "behind" } else { "ahead of" };
        format!("this host's clock is {how_far} {side} the receiver's: set it right (NTP)")
    }

    /// What the answer to a check that went well says of this host's clock.
    pub(crate) fn note(response: &Response<Vec<u8>>) -> String {
        match response.extensions().get::<Self>() {
            None if !response.headers().contains_key(header::DATE) => String::new(),
            Some(skew) => format!(
                "; {}, requests are timed by the receiver's until then",
                skew.explain()
            ),
            None => String::from("; this host's clock is right"),
        }
    }

    fn is_notable(self) -> bool {
        self.distance() > Self::NOTABLE
    }

    fn distance(self) -> Duration {
        Duration::from_nanos(self.ahead.unsigned_abs())
    }
}

/// Adds what proves who sends to every request. See the module.
pub struct AuthorizedTransport {
    inner: Arc<dyn Transport>,
    authorize: Arc<dyn Authorize>,
    clock: Arc<dyn Clock>,
    /// Nanoseconds that the receiver's clock is ahead, as far as is known; small differences count as none.
    ahead: AtomicI64,
}

impl AuthorizedTransport {
    /// Sends by way of `inner`.
    pub fn new(inner: Arc<dyn Transport>, authorize: Arc<dyn Authorize>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            authorize,
            clock,
            ahead: AtomicI64::new(0),
        }
    }

    fn attempt(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let now = self.clock.wall();
        let at = Timestamp(now.0.saturating_add(self.ahead.load(Ordering::Relaxed)));
        let mut headers = self.authorize.authorize(request, at).map_err(without)?;
        headers.extend(further.clone());
        let mut response = self.inner.send_with(request, &headers)?;
        if let Some(skew) = skew(response.headers(), now, self.clock.wall()) {
            let is_corrected = skew.is_notable() && skew.distance() <= ClockSkew::CORRECTED;
            let ahead = if is_corrected { skew.ahead } else { 0 };
            self.ahead.store(ahead, Ordering::Relaxed);
            if skew.is_notable() {
                response.extensions_mut().insert(skew);
            }
        }
        Ok(response)
    }
}

impl Transport for AuthorizedTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let signed_for = self.ahead.load(Ordering::Relaxed);
        let response = self.attempt(request, further)?;
        if !self.authorize.is_refusal(&response) {
            return Ok(response);
        }
        let learned = self.ahead.load(Ordering::Relaxed).abs_diff(signed_for);
        let is_better_known = Duration::from_nanos(learned) > ClockSkew::NOTABLE / 2;
        let clock_known_better = is_better_known && self.authorize.is_timed();
        if clock_known_better {
            return self.attempt(request, further);
        }
        match self.authorize.renew() {
            Renewal::Changed => self.attempt(request, further),
            Renewal::Same => Ok(response),
            // The refusal says that nothing was stored; this says what to do.
            Renewal::Lost(error) => Err(without(error)),
        }
    }

    fn interrupt(&self) {
        self.inner.interrupt();
    }
}

/// What comes of having no credentials.
fn without(error: CredentialError) -> SendError {
    let reason = error.to_string();
    match error {
        // As the receiver itself: it comes back without anybody's doing.
        CredentialError::Unreachable { .. } => SendError::NotSent { reason },
        _ => SendError::NoCredentials { reason },
    }
}

/// From the reply's own `Date`, which has whole seconds: the middle of the sending stands for the moment of the reply.
fn skew(headers: &HeaderMap, before: Timestamp, after: Timestamp) -> Option<ClockSkew> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()?;
    let theirs = i64::try_from(date.as_nanosecond()).ok()?;
    let ours = before.0.midpoint(after.0);
    Some(ClockSkew {
        ahead: theirs.saturating_sub(ours),
    })
}

#[cfg(test)]
mod tests;
