//! Any HTTP endpoint: one request for each batch, stored as a whole or not at all.
//!
//! # In scope
//! NDJSON or a JSON array, each record in a template or as it is, plain or compressed; an `Idempotency-Key` that is the batch's name; what statuses mean.
//!
//! # Out of scope
//! Credentials ([`super::authentication`]): they are put in at each sending, so that a request as encoded here holds none
//! and a rotated token needs no new encoding. A verdict for each record: a plain endpoint has one answer for all of them.
//!
//! # Invariants
//! 1. Only a status in `success_codes` means "stored"; redirects are not followed and never do.
//! 2. A sending that may have been stored is sent again under the same key and with the same plain bytes.

mod check;
mod config;
mod decode;
mod encode;
mod limits;
mod success;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use super::config::{ConfigError, Route};
use super::{
    Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome, Permissions,
};

/// The kind's name in a configuration.
pub(super) const KIND: &str = "http";

/// A configured endpoint.
#[derive(Clone, Debug)]
pub struct Http {
    config: Config,
}

impl Http {
    /// An endpoint as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Endpoint and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let transport = config.authentication.transport(&config.options)?;
    let destination = Arc::new(Http::new(config.clone()));
    Ok(Route {
        destination: destination.clone(),
        transport,
        check: destination,
    })
}

impl Destination for Http {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        self.config.endpoint.to_string()
    }

    fn limits(&self) -> Limits {
        limits::limits(self.config.format, &self.config.around)
    }

    /// Of method, URL, user and template. The query string counts, since it may choose where records land; of a digest of sixteen
    /// bytes it cannot be told.
    fn fingerprint(&self) -> Fingerprint {
        let uri = self.config.endpoint.uri().to_string();
        let account = self.config.authentication.account().unwrap_or_default();
        let template = self.config.around.shown();
        let parts = [self.config.method.as_str(), &uri, account];
        super::fingerprint(KIND, &[&parts[..], template.as_deref().as_slice()].concat())
    }

    fn body(&self) -> (Format, Compression) {
        (self.config.format, self.config.compression)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, batch.attempt, response)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        let first = batch
            .records
            .first()
            .map(|record| record.id.seq)
            .unwrap_or_default();
        format!(
            "ask {} for the record whose auditship.seq is {first}, or for Idempotency-Key {}",
            self.config.endpoint, batch.attempt.name
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Other(format!("to {} to {}", self.config.method, self.config.endpoint))
    }
}
