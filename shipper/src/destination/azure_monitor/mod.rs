//! Azure Monitor by the Logs Ingestion API: one array of rows for each batch, to a stream of a data collection rule.
//!
//! # In scope
//! Rows and columns, the limits of the API, what each of its answers says, and what it does without saying so.
//!
//! # Out of scope
//! Tokens ([`crate::credentials::azure::entra`]); the HTTP Data Collector API, which was retired in September 2026.
//!
//! # Invariants
//! 1. What the service would alter without a word is not sent as delivered: a value of more than 64 KB would be cut, a time
//!    more than two days old or one day ahead replaced. Such a record is left out of the request (`left_out.rs`), and its verdict
//!    says why, unless `too_old` says that it is to be stored under another time.
//! 2. What has no column is in the record's column: columns that a stream does not declare would be dropped.
//! 3. The body is an array: an object would be answered 204 and dropped.
//! 4. The API knows no name for a batch: what may be stored and is sent again may be stored twice, and `auditship.spool`,
//!    `auditship.epoch` and `auditship.seq` of the record tell.
//!
//! # Records that are too old
//! `too_old` is what it is for `cloudwatch_logs`: `dead_letter` (default), or `restamp`, by which the row's `TimeGenerated` is the
//! time at which the batch was made; the record's own stays in it.

mod check;
mod config;
mod decode;
mod encode;
mod left_out;
mod limits;
mod row;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Config, RawConfig};

use super::config::{ConfigError, Route, wire};
use super::{
    AzureRole, Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits, Outcome,
    Permissions,
};
use crate::credentials::azure::entra::Entra;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::transport::Transport;
use crate::transport::authorized::{Authorize, AuthorizedTransport};
use crate::transport::inquiring::InquiringTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "azure_monitor";

/// A configured stream.
#[derive(Clone, Debug)]
pub struct AzureMonitor {
    config: Config,
}

impl AzureMonitor {
    /// A stream as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// The way to the stream over `wire`: requests carry a token of `tokens`, and what they leave out is known to their answers.
pub fn transport(
    wire: Arc<dyn Transport>,
    tokens: Arc<dyn Authorize>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Transport> {
    let authorized = Arc::new(AuthorizedTransport::new(wire, tokens, clock));
    Arc::new(InquiringTransport::new(authorized, Arc::new(left_out::Carrying)))
}

/// Stream and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let wire = wire(config.options.clone())?;
    let clock = Arc::new(SystemClock::new());
    let tokens = Entra::new(config.identity.clone(), config.scope, clock.clone())
        .map_err(|error| ConfigError::invalid("credential", error))?;
    let destination = Arc::new(AzureMonitor::new(config.clone()));
    Ok(Route {
        transport: transport(Arc::new(wire), Arc::new(tokens), clock),
        check: destination.clone(),
        destination,
    })
}

impl Destination for AzureMonitor {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let config = &self.config;
        format!(
            "stream {} of {} at {}",
            config.stream, config.dcr, config.endpoint
        )
    }

    fn limits(&self) -> Limits {
        limits::limits()
    }

    /// Of the stream's URL.
    fn fingerprint(&self) -> Fingerprint {
        super::fingerprint(KIND, &[&self.config.uri.to_string()])
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, self.config.compression)
    }

    fn encode(&self, batch: &Batch<'_>, context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch, context)
    }

    fn is_stale(&self, batch: &Batch<'_>, now: Timestamp) -> bool {
        left_out::is_stale(&self.config, batch, now)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, batch, response)
    }

    /// By place in the spool; the table is most often named as the stream.
    fn query(&self, batch: &Batch<'_>) -> String {
        let config = &self.config;
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let (_, table) = config.stream.split_once('-').unwrap_or(("", &config.stream));
        let own = "auditship";
        let place = match config.columns.iter().any(|column| column == own) {
            true => own.to_owned(),
            false => format!("{}.{own}", config.record_column),
        };
        format!(
            "az monitor log-analytics query --workspace WORKSPACE_ID --analytics-query {}",
            super::shell_word(&format!(
                "{table} | where {place}.seq == {} and {place}.spool == \"{}\"",
                first.id.seq, first.id.spool
            ))
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Azure(AzureRole {
            data_actions: vec!["Microsoft.Insights/Telemetry/Write"],
            predefined: Some(decode::ROLE),
            scope: format!(
                "/subscriptions/SUBSCRIPTION/resourceGroups/RESOURCE_GROUP/providers/Microsoft.Insights/dataCollectionRules/\
                 NAME_OF_{}",
                self.config.dcr
            ),
            purpose: "to send rows to the data collection rule",
        })
    }
}
