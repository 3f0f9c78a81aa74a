//! What may not be deleted until when: the keys, and the headers that ask for it.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue};

use crate::credentials::azure::http_date;
use crate::destination::config::{ConfigError, Flag, Whole};
use crate::time::Timestamp;

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub(super) struct RawImmutability {
    /// `unlocked` (may be shortened or lifted) or `locked` (may only be extended); default what the container has. The
    /// container must have been made with version-level immutability.
    immutability_policy: Option<String>,
    /// For how many days from the making of a batch.
    immutability_days: Option<Whole>,
    /// In place of days: until when, as `2033-01-01T00:00:00Z`.
    immutability_until: Option<String>,
    /// Whether blobs are held until somebody lifts it. Default false.
    legal_hold: Option<Flag>,
}

/// How blobs are kept from deletion beside what the container does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Immutability {
    policy: Option<Policy>,
    legal_hold: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    /// As the header has it.
    mode: &'static str,
    period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Days(u32),
    Until(Timestamp),
}

/// The longest that Azure takes.
const MAX_DAYS: u32 = 146_000;
const DAY: Duration = Duration::from_secs(86_400);

impl RawImmutability {
    /// The names of the keys.
    pub(super) const KEYS: &'static [&'static str] = &[
        "immutability_policy",
        "immutability_days",
        "immutability_until",
        "legal_hold",
    ];

    pub(super) fn validate(self) -> Result<Immutability, ConfigError> {
        let mode = self.immutability_policy.map(|mode| mode.to_ascii_lowercase());
        let mode = match mode.as_deref() {
            None => None,
            Some("unlocked") => Some("Unlocked"),
            Some("locked") => Some("Locked"),
            Some(other) => {
                let problem = format!("`{other}` is no policy; use `unlocked` or `locked`");
                return Err(ConfigError::invalid("immutability_policy", problem));
            }
        };
        let period = match (self.immutability_days, self.immutability_until) {
            (None, None) => None,
            (Some(Whole(days)), None) => {
                let valid = u32::try_from(days).ok();
                let valid = valid.filter(|days| (1..=MAX_DAYS).contains(days));
                let days = valid.ok_or_else(|| {
                    let problem = format!("{days} is not between 1 and {MAX_DAYS} days");
                    ConfigError::invalid("immutability_days", problem)
                })?;
                Some(("immutability_days", Period::Days(days)))
            }
            (None, Some(until)) => {
                let until = until.parse();
                let until = until.map_err(|error| ConfigError::invalid("immutability_until", error))?;
                Some(("immutability_until", Period::Until(until)))
            }
            (Some(_), Some(_)) => {
                let problem = "and `immutability_days` exclude each other: remove one of them";
                return Err(ConfigError::invalid("immutability_until", problem));
            }
        };
        let policy = match (mode, period) {
            (None, None) => None,
            (Some(mode), Some((_, period))) => Some(Policy { mode, period }),
            (Some(_), None) => {
                return Err(ConfigError::Missing {
                    key: "immutability_days",
                    expected: "how long blobs are kept from deletion, as `365` (or set `immutability_until`)",
                });
            }
            (None, Some((key, _))) => {
                let problem =
                    "is for `immutability_policy`: set that to `unlocked` or `locked`, or remove it";
                return Err(ConfigError::invalid(key, problem));
            }
        };
        Ok(Immutability {
            policy,
            legal_hold: self.legal_hold == Some(Flag(true)),
        })
    }
}

impl Immutability {
    /// Whether it asks for anything.
    pub(super) fn is_some(self) -> bool {
        self.policy.is_some() || self.legal_hold
    }

    /// Whether what it asks for depends on the time.
    pub(super) fn is_timed(self) -> bool {
        self.policy.is_some()
    }

    /// The headers that ask for it, for a batch of `made_at` that is sent at `now`.
    pub(super) fn headers(self, made_at: Timestamp, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        if let Some(Policy { mode, period }) = self.policy {
            let until = match period {
                // A batch may wait longer for its destination than it is to be kept; a date that has passed would be
                // refused for ever.
                Period::Days(days) => made_at.plus(DAY * days).max(now.plus(DAY)),
                Period::Until(until) => until,
            };
            if let Ok(until) = HeaderValue::try_from(http_date(until)) {
                headers.push((
                    HeaderName::from_static("x-ms-immutability-policy-until-date"),
                    until,
                ));
            }
            headers.push((
                HeaderName::from_static("x-ms-immutability-policy-mode"),
                HeaderValue::from_static(mode),
            ));
        }
        if self.legal_hold {
            headers.push((
                HeaderName::from_static("x-ms-legal-hold"),
                HeaderValue::from_static("true"),
            ));
        }
        headers
    }
}
