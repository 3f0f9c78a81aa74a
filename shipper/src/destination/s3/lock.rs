//! Object Lock: what may not be deleted until when. The keys, and the headers that ask for it.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue};

use crate::destination::config::{ConfigError, Flag, Whole};
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

/// For how long, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    mode: &'static str,
    period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Days(u32),
    Until(Timestamp),
}

/// The longest that S3 takes: a hundred years.
const MAX_DAYS: u32 = 36_500;
const DAY: Duration = Duration::from_secs(86_400);

impl RawLock {
    /// The names of the keys.
    pub(super) const KEYS: &'static [&'static str] = &[
        "object_lock",
        "object_lock_days",
        "object_lock_until",
        "legal_hold",
    ];

    pub(super) fn validate(self) -> Result<Lock, ConfigError> {
        let mode = match self
            .object_lock
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None => None,
            Some("governance") => Some("GOVERNANCE"),
            Some("compliance") => Some("COMPLIANCE"),
            Some(other) => {
                let problem = format!("`{other}` is no mode; use `governance` or `compliance`");
                return Err(ConfigError::invalid("object_lock", problem));
            }
        };
        let period = match (self.object_lock_days, &self.object_lock_until) {
            (None, None) => None,
            (Some(Whole(days)), None) => {
                let valid = u32::try_from(days)
                    .ok()
                    .filter(|days| (1..=MAX_DAYS).contains(days));
                let days = valid.ok_or_else(|| {
                    let problem = format!("{days} is not between 1 and {MAX_DAYS} days");
                    ConfigError::invalid("object_lock_days", problem)
                })?;
                Some(("object_lock_days", Period::Days(days)))
            }
            (None, Some(until)) => {
                let until = until
                    .parse()
                    .map_err(|error| ConfigError::invalid("object_lock_until", error))?;
                Some(("object_lock_until", Period::Until(until)))
            }
            (Some(_), Some(_)) => {
                let problem = "and `object_lock_days` exclude each other: remove one of them";
                return Err(ConfigError::invalid("object_lock_until", problem));
            }
        };
        let retention = match (mode, period) {
            (None, None) => None,
            (Some(mode), Some((_, period))) => Some(Retention { mode, period }),
            (Some(_), None) => {
                return Err(ConfigError::Missing {
                    key: "object_lock_days",
                    expected: "how long objects are kept from deletion, as `365` (or set `object_lock_until`)",
                });
            }
            (None, Some((key, _))) => {
                let problem = "is for `object_lock`: set that to `governance` or `compliance`, or remove it";
                return Err(ConfigError::invalid(key, problem));
            }
        };
        Ok(Lock {
            retention,
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
        if let Some(Retention { mode, period }) = self.retention {
            let until = match period {
                // A batch may wait longer for its destination than it is to be kept; a date that has passed would be
                // refused for ever.
                Period::Days(days) => made_at.plus(DAY * days).max(now.plus(DAY)),
                Period::Until(until) => until,
            };
            headers.push((
                HeaderName::from_static("x-amz-object-lock-mode"),
                HeaderValue::from_static(mode),
            ));
            if let Ok(until) = HeaderValue::from_str(&seconds(until)) {
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
