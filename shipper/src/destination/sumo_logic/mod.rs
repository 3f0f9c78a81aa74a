//! An HTTP source of Sumo Logic: a message a line, one request for each batch.
//!
//! # In scope
//! The requests, the headers that say what the messages are, what statuses mean.
//!
//! # Out of scope
//! The code at the end of the source's URL is its secret: `secret_url.rs` puts it in at each sending, so that no journal,
//! error or status holds it.
//!
//! # Invariants
//! 1. A 200 is all that there is: it counts as stored. What Sumo Logic does not tell a sender (an ingest budget whose action is
//!    to stop collecting drops data under a 200) has to be watched for there.
//! 2. A message above 64 KB would be split, so that it could not be told whether a record is there: its record becomes a dead
//!    letter, unless `long_records` says otherwise.
//! 3. A 408 may have stored a part of a batch: it is halved and sent again, and may be there twice, the same to the byte.

mod check;
mod config;
mod decode;
mod encode;
mod limits;
mod secret_url;
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

/// The kind's name in a configuration.
pub(super) const KIND: &str = "sumo_logic";

/// A configured source.
#[derive(Clone, Debug)]
pub struct SumoLogic {
    config: Config,
}

impl SumoLogic {
    /// A source as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Source and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let http = wire(config.options.clone())?;
    let destination = Arc::new(SumoLogic::new(config.clone()));
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(secret_url::SecretUrl::new(Arc::new(http), config.token.clone())),
        check: destination,
    })
}

impl Destination for SumoLogic {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let config = &self.config;
        match &config.category {
            Some(category) => format!("{category} at {}", config.endpoint),
            None => config.endpoint.to_string(),
        }
    }

    fn limits(&self) -> Limits {
        limits::limits(&self.config)
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        record.json.len() as u64
    }

    /// Of the URL and of a digest of the code, or of the file that it is in.
    fn fingerprint(&self) -> Fingerprint {
        let config = &self.config;
        super::fingerprint(KIND, &[&config.endpoint.uri().to_string(), &config.source])
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, self.config.compression)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(batch, response)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let category = match &self.config.category {
            Some(category) => format!("_sourceCategory={} ", super::preset::quoted(category)),
            None => String::new(),
        };
        format!(
            "{category}\"{}\" | json \"auditship.seq\" as seq | where seq = {}",
            first.id.spool, first.id.seq
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Other(format!(
            "the URL of an HTTP source at {}, with \"one message per request\" off",
            self.config.endpoint
        ))
    }
}
