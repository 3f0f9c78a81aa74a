//! What may not be deleted until when: the keys, and the headers that ask for it.

use ::http::{HeaderName, HeaderValue};

use crate::credentials::azure::http_date;
use crate::destination::config::{ConfigError, Flag, Whole};
use crate::destination::retention::{Retention, Terms};
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
    policy: Option<Retention>,
    legal_hold: bool,
}

const TERMS: Terms = Terms {
    mode: "immutability_policy",
    modes: [("unlocked", "Unlocked"), ("locked", "Locked")],
    days: (
        "immutability_days",
        "how long blobs are kept from deletion, as `365` (or set `immutability_until`)",
    ),
    max_days: 146_000,
    until: "immutability_until",
};

impl RawImmutability {
    /// The names of the keys.
    pub(super) const KEYS: &'static [&'static str] = &[
        "immutability_policy",
        "immutability_days",
        "immutability_until",
        "legal_hold",
    ];

    pub(super) fn validate(self) -> Result<Immutability, ConfigError> {
        let (mode, until) = (
            self.immutability_policy.as_deref(),
            self.immutability_until.as_deref(),
        );
        Ok(Immutability {
            policy: TERMS.retention(mode, self.immutability_days, until)?,
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
        if let Some(policy) = self.policy {
            if let Ok(until) = HeaderValue::try_from(http_date(policy.until(made_at, now))) {
                headers.push((
                    HeaderName::from_static("x-ms-immutability-policy-until-date"),
                    until,
                ));
            }
            headers.push((
                HeaderName::from_static("x-ms-immutability-policy-mode"),
                HeaderValue::from_static(policy.mode),
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
