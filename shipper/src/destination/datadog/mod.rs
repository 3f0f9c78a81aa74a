//! Datadog's log intake (v2): one request for each batch, taken as a whole.
//!
//! # In scope
//! A log for each record, the intake's limits, and what becomes of records that it would take and not keep.
//!
//! # Out of scope
//! The key: [`crate::transport::http`] puts it in at each sending.
//!
//! # Invariants
//! 1. *A 202 is no receipt.* The intake cuts a log above 1 MB and drops one older than 18 hours, and says neither. So no log
//!    above 1 MB is sent (its record becomes a dead letter, whole), and after a 202 a record that is older counts as rejected,
//!    by the intake's clock.
//! 2. A record is one attribute of its log (`attribute`): no field of it meets one that Datadog gives a meaning of its own.
//! 3. The intake knows no name for a batch: what may be stored and is sent again may be stored twice, the same to the byte.
//!
//! # Records that are too old
//! `too_old` says what becomes of them, as for CloudWatch Logs: `dead_letter` (default), or `restamp`: each that would be too
//! old gets the time at which its batch was made (of the journal, so that a further sending is the same to the byte); its own
//! stays in it. One whose batch waited for longer than 18 hours becomes a dead letter nevertheless; sent again from there it
//! is in a new batch.

mod check;
mod config;
mod decode;
mod encode;
mod limits;
mod stamp;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use super::config::{ConfigError, Route, wire};
use super::{
    Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome, Permissions,
    Record,
};
use crate::time::Timestamp;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "datadog";

/// A configured intake.
#[derive(Clone, Debug)]
pub struct Datadog {
    config: Config,
}

impl Datadog {
    /// An intake as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Intake and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let transport = wire(config.options.clone())?;
    let destination = Arc::new(Datadog::new(config.clone()));
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(transport),
        check: destination,
    })
}

impl Destination for Datadog {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        self.config.logs_url.to_string()
    }

    fn limits(&self) -> Limits {
        limits::limits()
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        limits::size(&self.config, record)
    }

    /// Of the URL. Which account the key belongs to is not known here.
    fn fingerprint(&self) -> Fingerprint {
        super::fingerprint(KIND, &[&self.config.logs_url.to_string()])
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, self.config.compression)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn is_stale(&self, batch: &Batch<'_>, now: Timestamp) -> bool {
        stamp::is_stale(&self.config, batch, now)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, batch, response)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let attribute = &self.config.attribute;
        format!(
            "in the Log Explorer: @{attribute}.auditship.spool:{} @{attribute}.auditship.seq:{} (at {})",
            first.id.spool,
            first.id.seq,
            stamp::stamp(&self.config, batch.attempt, first).to_rfc3339()
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Other(format!(
            "an API key of the organization for {} (no application key)",
            self.config.logs_url
        ))
    }
}
