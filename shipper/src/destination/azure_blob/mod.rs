//! Azure Blob Storage: one block blob for each batch by `Put Blob`, created only.
//!
//! # In scope
//! Names, bodies, checksums, access tier, index tags, immutability; what every answer means; a check that writes nothing.
//!
//! # Out of scope
//! Keys, signatures and tokens ([`crate::credentials::azure`]); staged blocks and append blobs (a batch is far below what one request
//! may hold, and neither can be sent again without harm).
//!
//! # Invariants
//! 1. Every blob is put with `If-None-Match: *`; the right to create is enough to ship.
//! 2. "Stored" is said by a 201 with an `ETag` whose checksum, if one is told, is that of what was sent; or by a blob of the
//!    batch's name that has the batch's digest in its metadata.
//! 3. No answer rejects records: a store takes bytes as they are, so what it refuses is about the request or the container.

mod address;
mod check;
mod config;
mod crc64;
mod decode;
mod encode;
mod immutability;
mod inquire;
mod permission;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use self::config::Access;
use super::config::{ConfigError, Route, wire};
use super::object;
use super::{
    Batch, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome,
    Permissions,
};
use crate::credentials::azure::entra::Entra;
use crate::credentials::azure::{Dated, SasTransport, SharedKey};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::transport::authorized::AuthorizedTransport;
use crate::transport::inquiring::InquiringTransport;
use crate::transport::{SendError, Transport};

/// The kind's name in a configuration.
pub(super) const KIND: &str = "azure_blob";

/// What tokens are asked for, in every cloud.
const SCOPE: &str = "https://storage.azure.com/.default";

/// A configured container.
#[derive(Clone, Debug)]
pub struct AzureBlob {
    config: Config,
}

impl AzureBlob {
    /// A container as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The way to the container over `wire`: requests prove who sends them, and answers that leave something open are
    /// inquired into.
    ///
    /// # Errors
    /// [`SendError`]: no client for tokens can be made.
    pub fn transport(
        &self,
        wire: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn Transport>, SendError> {
        let authorized: Arc<dyn Transport> = match &self.config.access {
            Access::SharedKey(key) => {
                let signer = SharedKey::new(self.config.account.clone(), key.clone());
                Arc::new(AuthorizedTransport::new(wire, Arc::new(signer), clock))
            }
            Access::Sas(sas) => Arc::new(SasTransport::new(wire, sas.clone())),
            Access::Entra(identity) => {
                let tokens = Entra::new(*identity.clone(), SCOPE, clock.clone())?;
                let dated = Dated::new(Arc::new(tokens));
                Arc::new(AuthorizedTransport::new(wire, Arc::new(dated), clock))
            }
        };
        Ok(Arc::new(InquiringTransport::new(
            authorized,
            Arc::new(self.clone()),
        )))
    }
}

/// Container and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let wire = wire(config.options.clone())?;
    let destination = Arc::new(AzureBlob::new(config.clone()));
    let clock = Arc::new(SystemClock::new());
    let transport = destination.transport(Arc::new(wire), clock);
    Ok(Route {
        transport: transport.map_err(|error| ConfigError::invalid("credential", error))?,
        check: destination.clone(),
        destination,
    })
}

impl Destination for AzureBlob {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let start = self.config.layout.name.start();
        format!("{}/{start}", self.config.address.uri())
    }

    fn limits(&self) -> Limits {
        object::limits(self.config.layout.format)
    }

    /// Of the container's URL.
    fn fingerprint(&self) -> Fingerprint {
        super::fingerprint(KIND, &[&self.config.address.uri().to_string()])
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
        let config = &self.config;
        let endpoint = match &config.endpoint {
            Some(endpoint) => format!(" --blob-endpoint {endpoint}"),
            None => String::new(),
        };
        let download = format!(
            "az storage blob download --account-name {}{endpoint} --container-name {} --name {} --auth-mode login --no-progress",
            config.account,
            config.address.container(),
            batch.attempt.name
        );
        object::query(&download, batch)
    }

    fn permissions(&self) -> Permissions {
        permission::permissions(&self.config)
    }
}
