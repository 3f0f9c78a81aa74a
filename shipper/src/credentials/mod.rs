//! Who we are for a cloud: found where the cloud's own tools look, cached, renewed early, and never shown.
//!
//! # In scope
//! The credential chains of AWS ([`aws`]) and Google ([`google`]), keys and signatures of Azure ([`azure`]), tokens of any OAuth
//! 2.0 server ([`oauth2`]), and how each proves itself in a request ([`crate::transport::authorized::Authorize`]).
//!
//! # Out of scope
//! Static headers and Basic authentication of `http` ([`crate::transport::http`]); what a refusal means
//! ([`crate::destination`]).
//!
//! # Invariants
//! 1. No secret is in a `Debug` form, an error or a log.
//! 2. Metadata services are reached without a proxy.
//! 3. One fetch at a time for an identity; what is cached is used until it really expires.
//! 4. The environment is a snapshot ([`crate::config::Environment`]); files are read anew when they change.
//!
//! Runs on the sending thread that needs a credential first.

pub mod aws;
pub mod azure;
pub mod cache;
mod exchange;
pub mod google;
pub mod oauth2;
pub mod web;

use std::fmt;

/// Why there are no credentials. Comparable; no secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialError {
    /// No source has any.
    Missing {
        /// Where was looked, and what to do.
        advice: String,
    },
    /// A source is there, but refuses or is wrong: a file that cannot be read, a role that may not be assumed.
    Refused {
        /// Which source.
        source: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// A source cannot be reached now.
    Unreachable {
        /// Which source.
        source: String,
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { advice } => write!(f, "none found: {advice}"),
            Self::Refused { source, reason } => write!(f, "{source}: {reason}"),
            Self::Unreachable { source, reason } => write!(f, "{source} cannot be reached: {reason}"),
        }
    }
}

impl std::error::Error for CredentialError {}
