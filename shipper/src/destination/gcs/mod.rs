//! Google Cloud Storage by its JSON API: one object for each batch by a multipart upload, created only.
//!
//! # In scope
//! Names, bodies, checksums, custom time, storage class, customer-managed keys; what every answer means; a check that
//! writes nothing.
//!
//! # Out of scope
//! Tokens ([`crate::credentials::google`]); resumable uploads (a batch is far below what one request may hold); retention of single
//! objects (buckets have retention policies).
//!
//! # Invariants
//! 1. Every object is put with `ifGenerationMatch=0`; `storage.objects.create` alone is enough to ship.
//! 2. "Stored" is said by a 200 that names the object and whose checksum, if one is told, is that of what was sent; or by an
//!    object of the batch's name that has the batch's digest in its metadata.
//! 3. No answer rejects records: a store takes bytes as they are, so what it refuses is about the request or the bucket.

mod address;
mod check;
mod config;
mod decode;
mod encode;
mod inquire;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use super::config::{ConfigError, Route, wire};
use super::object;
use super::{
    Batch, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, GooglePermission,
    Limits, Outcome, Permissions,
};
use crate::credentials::google::Google;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::transport::Transport;
use crate::transport::authorized::{Authorize, AuthorizedTransport};
use crate::transport::inquiring::InquiringTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "gcs";

/// What tokens are asked for: objects are created and looked at.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// A configured bucket.
#[derive(Clone, Debug)]
pub struct Gcs {
    config: Config,
}

impl Gcs {
    /// A bucket as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The way to the bucket over `wire`: requests carry a token of `tokens`, and answers that leave something open are
    /// inquired into.
    pub fn transport(
        &self,
        wire: Arc<dyn Transport>,
        tokens: Arc<dyn Authorize>,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn Transport> {
        let authorized = Arc::new(AuthorizedTransport::new(wire, tokens, clock));
        Arc::new(InquiringTransport::new(authorized, Arc::new(self.clone())))
    }
}

/// Bucket and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let wire = wire(config.options.clone())?;
    let clock = Arc::new(SystemClock::new());
    let tokens = Google::new(config.identity.clone(), SCOPE, clock.clone())
        .map_err(|error| ConfigError::invalid("credentials_file", error))?;
    let destination = Arc::new(Gcs::new(config.clone()));
    Ok(Route {
        transport: destination.transport(Arc::new(wire), Arc::new(tokens), clock),
        check: destination.clone(),
        destination,
    })
}

impl Destination for Gcs {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let start = self.config.layout.name.start();
        let target = format!("gs://{}/{start}", self.config.address.bucket);
        match &self.config.endpoint {
            Some(endpoint) => format!("{target} at {endpoint}"),
            None => target,
        }
    }

    fn limits(&self) -> Limits {
        object::limits(self.config.layout.format)
    }

    /// Of the bucket, and of the server where that is not Google's. By which endpoint of Google's it is reached is no matter.
    fn fingerprint(&self) -> Fingerprint {
        let server = self.config.endpoint.as_ref();
        let server = server.map_or_else(String::new, |endpoint| endpoint.uri().to_string());
        super::fingerprint(KIND, &[&server, &self.config.address.bucket])
    }

    fn body(&self) -> (Format, Compression) {
        (self.config.layout.format, self.config.layout.compression)
    }

    fn name(&self, bounds: &Bounds, made_at: Timestamp, nonce: u64) -> String {
        self.config.layout.name.render(bounds, made_at, nonce)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, &batch.attempt.name, response)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        let object = format!("gs://{}/{}", self.config.address.bucket, batch.attempt.name);
        object::query(&format!("gcloud storage cat {object}"), batch)
    }

    /// `storage.objects.get` is not among them: it would let the host read what it has shipped. Where it is allowed, an
    /// object whose name is taken is compared.
    fn permissions(&self) -> Permissions {
        Permissions::Google(vec![GooglePermission {
            permission: check::CREATE,
            role: check::ROLE,
            resource: format!("buckets/{}", self.config.address.bucket),
            purpose: "to create objects",
        }])
    }
}
