//! Amazon S3 and what speaks its language: one object for each batch by `PutObject`, created only.
//!
//! # In scope
//! Names, bodies, checksums, encryption, Object Lock, storage class, tags; what every answer means; a check that writes
//! nothing.
//!
//! # Out of scope
//! Signatures and clocks ([`crate::transport::authorized`]), keys ([`crate::credentials::aws`]). Multipart uploads of
//! records (a batch is far below what one request may hold), ACLs (replaced by bucket policies), directory buckets.
//!
//! # Invariants
//! 1. Every object is put with `If-None-Match: *`; `s3:PutObject` alone is enough to ship.
//! 2. "Stored" is said by a 200 with an `ETag` whose checksum, if one is told, is that of what was sent; or by an object
//!    of the batch's name that has the batch's digest in its metadata.
//! 3. No answer rejects records: a store takes bytes as they are, so what it refuses is about the request or the bucket.

mod address;
mod check;
mod config;
mod decode;
mod encode;
mod encryption;
mod inquire;
mod lock;
mod permission;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use super::config::{ConfigError, Route, wire};
use super::object;
use super::{
    Batch, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome,
    Permissions,
};
use crate::credentials::aws::{Service, Signer, provider};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::transport::Transport;
use crate::transport::authorized::AuthorizedTransport;
use crate::transport::inquiring::InquiringTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "s3";

/// A configured bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    config: Config,
}

impl S3 {
    /// A bucket as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The way to the bucket over `wire`: requests are signed by `clock` with the configured keys, and answers that
    /// leave something open are inquired into.
    pub fn transport(&self, wire: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Arc<dyn Transport> {
        let aws = &self.config.aws;
        let keys = provider(&aws.identity, &aws.region, clock.clone());
        let signer = Arc::new(Signer::new(keys, Service::S3, &aws.region));
        let signed = Arc::new(AuthorizedTransport::new(wire, signer, clock));
        Arc::new(InquiringTransport::new(signed, Arc::new(self.clone())))
    }
}

/// Bucket and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let wire = wire(config.options.clone())?;
    let destination = Arc::new(S3::new(config.clone()));
    Ok(Route {
        transport: destination.transport(Arc::new(wire), Arc::new(SystemClock::new())),
        check: destination.clone(),
        destination,
    })
}

impl Destination for S3 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let Config { bucket, aws, .. } = &self.config;
        let start = self.config.layout.name.start();
        match &aws.endpoint {
            Some(endpoint) => format!("s3://{bucket}/{start} at {endpoint}"),
            None => format!("s3://{bucket}/{start} in {}", aws.region),
        }
    }

    fn limits(&self) -> Limits {
        object::limits(self.config.layout.format)
    }

    /// Of the bucket and of where there is only one of its name: the partition, or another maker's server. By which of its
    /// URLs it is reached is no matter.
    fn fingerprint(&self) -> Fingerprint {
        let Config { bucket, aws, .. } = &self.config;
        let place = aws.endpoint.as_ref().map(|endpoint| endpoint.uri().to_string());
        super::fingerprint(KIND, &[place.as_deref().unwrap_or(aws.partition.name), bucket])
    }

    fn body(&self) -> (Format, Compression) {
        (self.config.layout.format, self.config.layout.compression)
    }

    fn name(&self, bounds: &Bounds, made_at: Timestamp, nonce: u64) -> String {
        self.config.layout.name.render(bounds, made_at, nonce)
    }

    fn encode(&self, batch: &Batch<'_>, context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch, context)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, &batch.attempt.name, response)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        let Config { bucket, aws, .. } = &self.config;
        let (name, options) = (&batch.attempt.name, aws.cli_options());
        let fetch = format!("aws s3 cp s3://{bucket}/{name} - {options}");
        object::query(&fetch, batch)
    }

    fn permissions(&self) -> Permissions {
        Permissions::Aws(permission::statements(&self.config))
    }
}
