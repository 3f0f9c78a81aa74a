//! Elasticsearch and OpenSearch: `_bulk`, one `create` for each record under an id of its own, and a verdict for each.
//!
//! # In scope
//! The request, its limits, what the answer says of each document; an index or a data stream.
//!
//! # Out of scope
//! Who sends ([`super::authentication`]): Basic, an API key, a bearer token or AWS's signature, put in at each sending.
//!
//! # Invariants
//! 1. *`_id` is the record's key*, the same in every sending, and documents are only ever created. So a conflict (409) says that
//!    the record is there already: stored. What is sent twice is there once, except across a rollover of a data stream: the
//!    next backing index does not know the ids of the one before.
//! 2. A 200 is no receipt: each document has a status of its own, in the order of the request. One that is missing, or of
//!    another id, makes the whole answer unclear.
//! 3. What went into a failure store is not stored: it is rejected, and where it is is said. There it is a part of another
//!    document with another id, so its place in the answer says whose it is, and it is not sent again: each sending would
//!    leave one more there.

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

use super::config::{ConfigError, Route};
use super::{
    Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome, Permissions,
    Record,
};

/// The kind's name in a configuration.
pub(super) const KIND: &str = "elastic";

/// The index privilege that sending needs.
const PRIVILEGE: &str = "create_doc";

/// A configured index or data stream.
#[derive(Clone, Debug)]
pub struct Elastic {
    config: Config,
}

impl Elastic {
    /// An index or data stream as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Index and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let transport = config.authentication.transport(&config.options)?;
    let destination = Arc::new(Elastic::new(config.clone()));
    Ok(Route {
        destination: destination.clone(),
        transport,
        check: destination,
    })
}

impl Destination for Elastic {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        format!("{} of {}", self.config.index, self.config.endpoint)
    }

    fn limits(&self) -> Limits {
        limits::limits(&self.config)
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        limits::size(record)
    }

    /// Of URL and index.
    fn fingerprint(&self) -> Fingerprint {
        let config = &self.config;
        super::fingerprint(KIND, &[&config.endpoint.uri().to_string(), &config.index])
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, self.config.compression)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, batch, response)
    }

    /// By id, over all backing indices.
    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let url = format!("{}?q=_id:{}", self.config.search_url, first.entry.key);
        format!("curl {} (with the credentials)", super::shell_word(&url))
    }

    fn permissions(&self) -> Permissions {
        let index = &self.config.index;
        Permissions::Other(format!(
            "the index privilege {PRIVILEGE} on {index} (OpenSearch: indices:data/write/bulk and indices:data/write/index), and \
             auto_configure only if the first record is to make it"
        ))
    }
}
