//! Splunk's HTTP Event Collector: events or raw lines, stored when the indexer acknowledges them.
//!
//! # In scope
//! The requests of the collector, its limits, its codes; the indexer's acknowledgement (`ack.rs`).
//!
//! # Out of scope
//! The token: [`crate::transport::http`] puts it in at each sending.
//!
//! # Invariants
//! 1. A 200 says that events were parsed. Stored is what an indexer has acknowledged, and nothing else, unless the
//!    configuration says `ack = "none"`: what that gives up is said in status and check.
//! 2. Before the first record goes, the collector has shown that the token has acknowledgement: otherwise nothing is sent.
//! 3. A batch that is never acknowledged is sent again a few times (`ack_resend`), then held until a person resumes it: each
//!    sending may be stored, and there is no name by which the collector would recognise it. The records are the same to the
//!    byte, so `dedup auditship.spool auditship.epoch auditship.seq` removes them when they are searched.
//!
//! # An event that is refused
//! The collector stops at the first event that it does not take and names it (`invalid-event-number`, counted from 0). That
//! record becomes a dead letter; all others go again, those before it too, which the collector may have kept: they may be
//! there twice. An answer without a usable number is searched by halves.

mod ack;
mod check;
mod config;
mod decode;
mod encode;
mod limits;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Ack, Config, RawConfig};

use super::config::{ConfigError, Route, wire};
use super::{
    Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome, Permissions,
    Record,
};
use crate::random::OsRandom;
use crate::time::SystemClock;
use crate::transport::pause::RealPause;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "splunk_hec";

/// A configured collector.
#[derive(Clone, Debug)]
pub struct SplunkHec {
    config: Config,
}

impl SplunkHec {
    /// A collector as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Collector and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let http = wire(config.options.clone())?;
    let destination = Arc::new(SplunkHec::new(config.clone()));
    let transport = ack::AckTransport::new(
        Arc::new(http),
        config.ack_url.clone(),
        config.ack.timeout(),
        ack::Surroundings {
            clock: Arc::new(SystemClock::new()),
            pause: Arc::new(RealPause::default()),
            random: Arc::new(OsRandom::new()),
        },
    );
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(transport),
        check: destination,
    })
}

impl Destination for SplunkHec {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let config = &self.config;
        let index = config.index.as_deref().unwrap_or("the token's own");
        let weaker = match config.ack {
            Ack::Required { .. } => "",
            Ack::None => ", without acknowledgement: what was parsed counts as stored",
        };
        format!("index {index} of {}{weaker}", config.endpoint)
    }

    fn limits(&self) -> Limits {
        limits::limits(&self.config)
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        limits::size(&self.config, record)
    }

    /// Of URL, endpoint and index.
    fn fingerprint(&self) -> Fingerprint {
        let config = &self.config;
        let index = config.index.as_deref().unwrap_or_default();
        super::fingerprint(KIND, &[&config.data_url.to_string(), index])
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

    /// By place in the spool, in the second of the event.
    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let index = self.config.index.as_deref().unwrap_or("*");
        let second = first.entry.time.as_millis().max(0) / 1_000;
        let time = match self.config.mode {
            config::Mode::Event => format!(" earliest={second} latest={}", second + 1),
            // What time a raw line has is the source type's business.
            config::Mode::Raw => String::new(),
        };
        format!(
            "search index={index} auditship.spool={} auditship.seq={}{time}",
            first.id.spool, first.id.seq
        )
    }

    fn permissions(&self) -> Permissions {
        let index = match &self.config.index {
            Some(index) => format!("the index {index}"),
            None => String::from("its default index"),
        };
        let ack = match self.config.ack {
            Ack::Required { .. } => ", and with indexer acknowledgement (useACK = 1)",
            Ack::None => "",
        };
        Permissions::Other(format!(
            "an HTTP Event Collector token of {} that may write to {index}{ack}",
            self.config.endpoint
        ))
    }
}
