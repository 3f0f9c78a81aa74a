//! A local directory: one object for each batch, under folders by date, whole or not there at all.
//!
//! # In scope
//! Names, the body, what the transport's answers mean. A batch is a `PUT` with `If-None-Match: *`, as for an object
//! store, so that crashes and second sendings have the same meaning here as there.
//!
//! # Out of scope
//! Disks: [`crate::transport::file`] executes the request and is durable before it answers.
//!
//! # Invariants
//! 1. A name is taken once: it holds the batch's nonce, so what has it is this batch, sent before.
//! 2. No name leaves the directory: see [`super::object_name`].

mod check;
mod config;
mod decode;
mod encode;
mod limits;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use super::config::Route;
use super::{
    Batch, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome,
    Permissions,
};
use crate::spool::storage::Storage;
use crate::spool::storage::fs::FsStorage;
use crate::time::Timestamp;
use crate::transport::file::FileTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "file";

/// A configured directory.
#[derive(Clone, Debug)]
pub struct File {
    config: Config,
}

impl File {
    /// A directory as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Directory and transport in one. The directory is opened, and created if its parent is there, at the first sending.
pub(super) fn route(config: &Config) -> Route {
    let destination = Arc::new(File::new(config.clone()));
    let path = config.path.clone();
    let transport = FileTransport::new(move || {
        let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(&path)?);
        Ok(storage)
    });
    Route {
        destination: destination.clone(),
        transport: Arc::new(transport),
        check: destination,
    }
}

impl Destination for File {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        self.config.path.display().to_string()
    }

    fn limits(&self) -> Limits {
        limits::limits(self.config.format)
    }

    fn fingerprint(&self) -> Fingerprint {
        super::fingerprint(KIND, &[&self.config.path.to_string_lossy()])
    }

    fn body(&self) -> (Format, Compression) {
        (self.config.format, self.config.compression)
    }

    fn name(&self, bounds: &Bounds, made_at: Timestamp, nonce: u64) -> String {
        self.config.name.render(bounds, made_at, nonce)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn decode(&self, _batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, response)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        let object = self.config.path.join(&batch.attempt.name);
        format!("auditship cat {}", super::shell_word(&object.to_string_lossy()))
    }

    fn permissions(&self) -> Permissions {
        Permissions::Other(format!("to write below {}", self.config.path.display()))
    }
}
