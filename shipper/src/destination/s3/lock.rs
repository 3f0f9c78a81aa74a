//! Object Lock: what may not be deleted until when. The keys, and the headers that ask for it.

use ::http::{HeaderName, HeaderValue};

use crate::destination::config::{ConfigError, Flag, Whole};
use crate::destination::retention::{Retention, Terms};
use crate::time::Timestamp;

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub(super) struct RawLock {
    /// `governance` or `compliance`; default what the bucket has. The bucket must have been made with Object Lock.
    object_lock: Option<String>,
    /// For how many days from the making of a batch.
    object_lock_days: Option<Whole>,
    /// In place of days: until when, as `2033-01-01T00:00:00Z`.
    object_lock_until: Option<String>,
    /// Whether objects are held until somebody lifts it. Default false.
    legal_hold: Option<Flag>,
}

/// How objects are kept from deletion beside what the bucket does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) retention: Option<Retention>,
    pub(super) legal_hold: bool,
}

const TERMS: Terms = Terms {
    mode: "object_lock",
    modes: [("governance", "GOVERNANCE"), ("compliance", "COMPLIANCE")],
    days: (
        "object_lock_days",
        "how long objects are kept from deletion, as `365` (or set `object_lock_until`)",
    ),
    // A hundred years.
    max_days: 36_500,
    until: "object_lock_until",
};

impl RawLock {
    /// The names of the keys.
    pub(super) const KEYS: &'static [&'static str] = &[
        "object_lock",
        "object_lock_days",
        "object_lock_until",
        "legal_hold",
    ];

    pub(super) fn validate(self) -> Result<Lock, ConfigError> {
        let (mode, until) = (self.object_lock.as_deref(), self.object_lock_until.as_deref());
        Ok(Lock {
            retention: TERMS.retention(mode, self.object_lock_days, until)?,
            legal_hold: self.legal_hold == Some(Flag(true)),
        })
    }
}

impl Lock {
    /// Whether it asks for anything.
    pub(super) fn is_some(self) -> bool {
        self.retention.is_some() || self.legal_hold
    }

    /// The headers that ask for it, for a batch of `made_at` that is sent at `now`.
    pub(super) fn headers(self, made_at: Timestamp, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        if let Some(retention) = self.retention {
            headers.push((
                HeaderName::from_static("x-amz-object-lock-mode"),
                HeaderValue::from_static(retention.mode),
            ));
            if let Ok(until) = HeaderValue::from_str(&seconds(retention.until(made_at, now))) {
                headers.push((
                    HeaderName::from_static("x-amz-object-lock-retain-until-date"),
                    until,
                ));
            }
        }
        if self.legal_hold {
            headers.push((
                HeaderName::from_static("x-amz-object-lock-legal-hold"),
                HeaderValue::from_static("ON"),
            ));
        }
        headers
    }
}

/// `2026-01-02T03:04:05Z`
fn seconds(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    // RFC 3339 with nine digits after the point, always.
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}
