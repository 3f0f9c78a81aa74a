//! Amazon Data Firehose: one `PutRecordBatch` for each batch, with a verdict for every record.
//!
//! # In scope
//! The request of the API (JSON 1.1), its limits, what each answer says of each record.
//!
//! # Out of scope
//! Keys and signatures: [`AuthorizedTransport`] signs at each sending. What becomes of records behind the stream: Firehose
//! keeps what it cannot deliver for 24 hours and reports that elsewhere.
//!
//! # Invariants
//! 1. A 200 is no receipt: any part of the records may have failed, or "might have failed". Those alone are sent again.
//! 2. Firehose joins records as they are, so each ends with a newline: an object that it writes is NDJSON.
//! 3. The API knows no name for a batch: what may be stored and is sent again may arrive twice. The records are the same
//!    to the byte, with their place in the spool (`auditship`) in them. It promises no order.

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

use super::aws;
use super::config::{ConfigError, Route, wire};
use super::{
    AwsStatement, Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits,
    Outcome, Permissions, Record,
};
use crate::credentials::aws::{Service, Signer, provider};
use crate::time::SystemClock;
use crate::transport::authorized::AuthorizedTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "firehose";

/// Where the service is found.
const SERVICE: aws::Service<'static> = aws::Service {
    host: "firehose",
    variable: "FIREHOSE",
};

/// A configured stream.
#[derive(Clone, Debug)]
pub struct Firehose {
    config: Config,
}

impl Firehose {
    /// A stream as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Stream and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let http = wire(config.options.clone())?;
    let (clock, region) = (Arc::new(SystemClock::new()), &config.aws.region);
    let keys = provider(&config.aws.identity, region, clock.clone());
    let signer = Signer::new(keys, Service::Named("firehose"), region);
    let destination = Arc::new(Firehose::new(config.clone()));
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(AuthorizedTransport::new(Arc::new(http), Arc::new(signer), clock)),
        check: destination,
    })
}

impl Destination for Firehose {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let config = &self.config;
        format!(
            "Firehose stream {} in {} ({})",
            config.stream, config.aws.region, config.endpoint
        )
    }

    fn limits(&self) -> Limits {
        limits::LIMITS
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        limits::size(record)
    }

    /// Of URL, region, role and stream. Which account the keys belong to is not known here; that of a role is.
    fn fingerprint(&self) -> Fingerprint {
        let config = &self.config;
        let url = config.endpoint.uri().to_string();
        let role = config.aws.identity.role_arn.as_deref().unwrap_or_default();
        super::fingerprint(KIND, &[&url, &config.aws.region, role, &config.stream])
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, Compression::None)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, batch, response)
    }

    /// Where the stream delivers to is its own affair: the command says where, and what to look for there.
    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let config = &self.config;
        format!(
            "aws firehose describe-delivery-stream {} --delivery-stream-name {} \
             --query 'DeliveryStreamDescription.Destinations' # there, after its buffering time: the line with \
             \"spool\":\"{}\" and \"seq\":{}",
            config.aws.cli_options(),
            super::shell_word(&config.stream),
            first.id.spool,
            first.id.seq,
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Aws(self.config.statements())
    }
}

impl Config {
    /// Account numbers are not known from a configuration.
    fn statements(&self) -> Vec<AwsStatement> {
        let stream = self.aws.arn(&format!(
            "firehose:{}:*:deliverystream/{}",
            self.aws.region, self.stream
        ));
        let statement = |sid, action, purpose| AwsStatement {
            sid,
            actions: vec![action],
            resources: vec![stream.clone()],
            condition: None,
            purpose,
        };
        vec![
            statement("AuditshipPut", "firehose:PutRecordBatch", "to store records"),
            statement(
                "AuditshipCheck",
                "firehose:DescribeDeliveryStream",
                "for `auditship check`; not needed to ship",
            ),
        ]
    }
}
