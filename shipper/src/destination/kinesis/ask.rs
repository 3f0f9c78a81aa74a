//! What the stream says of itself: how many shards it has and how large a record may be.
//!
//! # In scope
//! [`Known`], which limits and pace read, and [`Asking`], the transport that asks before a put: at the first one, and again
//! every ten minutes, since a stream can be resharded. Where both numbers are configured it never asks.
//!
//! # Invariants
//! 1. An answer that does not come, or is a refusal, changes nothing of the put that follows: what is not known is not
//!    paced, and no record is given up for a limit that is only supposed. After a refusal it is asked once an hour, so that
//!    an identity that may not ask does not fill the account's own audit log.
//!
//! Runs on the sending thread.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;

use super::Config;
use super::limits::{LEAST_RECORD, MAX_RECORD, rate};
use crate::destination::aws::operation;
use crate::time::{Clock, Monotonic};
use crate::transport::paced::{Load, Pace, Rate};
use crate::transport::{SendError, Transport};

/// After an answer.
const AGAIN: Duration = Duration::from_secs(600);
/// After none, or an error that passes.
const SOON: Duration = Duration::from_secs(30);
/// After a refusal.
const MUCH_LATER: Duration = Duration::from_secs(3_600);

/// What is known of a stream. Read and written by any thread.
#[derive(Debug)]
pub(super) struct Known {
    configured_shards: Option<u64>,
    configured_record: Option<u64>,
    /// 0: it is not known, or the stream grows by itself.
    shards: AtomicU64,
    /// 0: it is not known.
    record: AtomicU64,
}

impl Known {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            configured_shards: config.shards,
            configured_record: config.max_record_bytes,
            shards: AtomicU64::new(0),
            record: AtomicU64::new(0),
        }
    }

    /// The largest record; while it is not known the largest that any stream takes: nothing is given up on a guess.
    pub(super) fn record_bytes(&self) -> u64 {
        let learned = Some(self.record.load(Ordering::Relaxed)).filter(|known| *known > 0);
        self.configured_record.or(learned).unwrap_or(MAX_RECORD)
    }

    fn learn(&self, summary: &Summary) {
        self.shards
            .store(summary.paced_shards().unwrap_or(0), Ordering::Relaxed);
        self.record
            .store(summary.record_bytes.unwrap_or(0), Ordering::Relaxed);
    }
}

impl Pace for Known {
    fn rate(&self) -> Option<Rate> {
        let learned = Some(self.shards.load(Ordering::Relaxed)).filter(|known| *known > 0);
        NonZeroU64::new(self.configured_shards.or(learned)?).map(rate)
    }
}

/// A stream in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) status: String,
    pub(super) shards: u64,
    pub(super) is_on_demand: bool,
    pub(super) record_bytes: Option<u64>,
}

impl Summary {
    /// `None` for what is no answer of the service.
    pub(super) fn read(response: &Response<Vec<u8>>) -> Option<Self> {
        if response.status() != StatusCode::OK || !response.headers().contains_key("x-amzn-requestid") {
            return None;
        }
        let body: Value = serde_json::from_slice(response.body()).ok()?;
        let summary = body.get("StreamDescriptionSummary")?;
        let mode = summary
            .pointer("/StreamModeDetails/StreamMode")
            .and_then(Value::as_str);
        let kib = summary.get("MaxRecordSizeInKiB").and_then(Value::as_u64);
        Some(Self {
            status: summary.get("StreamStatus")?.as_str()?.to_owned(),
            shards: summary.get("OpenShardCount")?.as_u64()?,
            is_on_demand: mode == Some("ON_DEMAND"),
            record_bytes: kib
                .and_then(|kib| kib.checked_mul(1_024))
                .filter(|bytes| (LEAST_RECORD..=MAX_RECORD).contains(bytes)),
        })
    }

    /// A stream on demand grows with what it is given: to hold back would keep it small.
    fn paced_shards(&self) -> Option<u64> {
        (!self.is_on_demand && self.shards > 0).then_some(self.shards)
    }
}

/// The question. It stores nothing.
pub(super) fn question(config: &Config) -> Request<Vec<u8>> {
    let (name, value) = config.stream.member();
    let body = serde_json::json!({ name: value }).to_string();
    operation(
        config.control.uri(),
        "Kinesis_20131202.DescribeStreamSummary",
        body.into_bytes(),
    )
}

/// Asks before a put, where it is time. See the module.
pub(super) struct Asking {
    inner: Arc<dyn Transport>,
    config: Config,
    known: Arc<Known>,
    clock: Arc<dyn Clock>,
    /// A reading of the clock before which nothing is asked.
    next: AtomicU64,
}

impl Asking {
    pub(super) fn new(
        inner: Arc<dyn Transport>,
        config: Config,
        known: Arc<Known>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inner,
            config,
            known,
            clock,
            next: AtomicU64::new(0),
        }
    }

    fn ask(&self, now: Monotonic) {
        let answer = self.inner.send(&question(&self.config)).ok();
        let summary = answer.as_ref().and_then(Summary::read);
        if let Some(summary) = &summary {
            self.known.learn(summary);
        }
        let refused =
            answer.is_some_and(|answer| answer.status().is_client_error() && answer.status() != 429);
        let wait = match (summary, refused) {
            (Some(_), _) => AGAIN,
            (None, true) => MUCH_LATER,
            (None, false) => SOON,
        };
        self.next.store(now.plus(wait).0, Ordering::Relaxed);
    }
}

impl Transport for Asking {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let is_put = request.extensions().get::<Load>().is_some();
        let now = self.clock.monotonic();
        if is_put && self.config.is_asked() && now.0 >= self.next.load(Ordering::Relaxed) {
            self.ask(now);
        }
        self.inner.send_with(request, further)
    }

    fn interrupt(&self) {
        self.inner.interrupt();
    }
}
