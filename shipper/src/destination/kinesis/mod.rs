//! Amazon Kinesis Data Streams: one `PutRecords` for each batch, with a verdict for every record.
//!
//! # In scope
//! The request of the API (JSON 1.1), its limits and those of the stream, partition keys, the order of records of one key
//! (`plan.rs`), what each answer says of each record.
//!
//! # Out of scope
//! Keys and signatures: [`AuthorizedTransport`] signs at each sending. Waiting: [`PacedTransport`].
//!
//! # Invariants
//! 1. A 200 is no receipt: any part of the records may have failed. Those alone are sent again.
//! 2. Every record in the stream is one line or several, each with a newline at its end: what reads lines reads both.
//! 3. The API knows no name for a batch: what may be stored and is sent again may be in the stream twice. The records are
//!    the same to the byte, with their place in the spool (`auditship`) in them.
//! 4. What stands in a request depends on the batch and the configuration, never on what was learned of the stream.

mod ask;
mod check;
mod config;
mod decode;
mod encode;
mod key;
mod limits;
mod plan;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};

pub use config::{Aggregation, Config, Order, RawConfig};

use self::ask::{Asking, Known};
use super::aws;
use super::config::{ConfigError, Route, wire};
use super::{
    AwsStatement, Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits,
    Outcome, Permissions, Record,
};
use crate::credentials::aws::{Service, Signer, provider};
use crate::time::SystemClock;
use crate::transport::authorized::AuthorizedTransport;
use crate::transport::paced::{Pace as _, PacedTransport};
use crate::transport::pause::RealPause;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "kinesis";

/// Where the service is found.
const SERVICE: aws::Service<'static> = aws::Service {
    host: "kinesis",
    variable: "KINESIS",
};

/// A configured stream.
#[derive(Clone, Debug)]
pub struct Kinesis {
    config: Config,
    known: Arc<Known>,
}

impl Kinesis {
    /// A stream as configured.
    pub fn new(config: Config) -> Self {
        let known = Arc::new(Known::new(&config));
        Self { config, known }
    }
}

/// Stream and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let http = wire(config.options.clone())?;
    let (clock, region) = (Arc::new(SystemClock::new()), &config.aws.region);
    let keys = provider(&config.aws.identity, region, clock.clone());
    let signer = Signer::new(keys, Service::Named("kinesis"), region);
    let authorized = AuthorizedTransport::new(Arc::new(http), Arc::new(signer), clock.clone());
    let destination = Arc::new(Kinesis::new(config.clone()));
    let known = Arc::clone(&destination.known);
    let asking = Asking::new(
        Arc::new(authorized),
        config.clone(),
        Arc::clone(&known),
        clock.clone(),
    );
    let pause = Arc::new(RealPause::default());
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(PacedTransport::new(Arc::new(asking), known, clock, pause)),
        check: destination,
    })
}

impl Destination for Kinesis {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let config = &self.config;
        format!(
            "stream {} in {} ({})",
            config.stream, config.aws.region, config.endpoint
        )
    }

    /// They become those of the stream when it has been asked.
    fn limits(&self) -> Limits {
        limits::limits(&self.config, self.known.record_bytes(), self.known.rate())
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        limits::size(&self.config, record)
    }

    /// Of URL, region, role and stream. Which account the keys belong to is not known here; that of an ARN or role is.
    fn fingerprint(&self) -> Fingerprint {
        let config = &self.config;
        let url = config.url().to_string();
        let role = config.aws.identity.role_arn.as_deref().unwrap_or_default();
        let (_, stream) = config.stream.member();
        super::fingerprint(KIND, &[&url, &config.aws.region, role, stream])
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

    /// A stream has no search: all of its shards are read from a minute before the batch was made.
    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let config = &self.config;
        let from = batch.attempt.made_at.as_millis() / 1_000 - 60;
        let option = match config.stream.member() {
            ("StreamARN", arn) => format!("--stream-arn {}", super::shell_word(arn)),
            (_, name) => format!("--stream-name {}", super::shell_word(name)),
        };
        let aws = |command: &str| format!("aws kinesis {command} {} --output text", config.aws.cli_options());
        format!(
            "for shard in $({} {option} --query 'Shards[].ShardId'); do iterator=$({} {option} --shard-id $shard \
             --shard-iterator-type AT_TIMESTAMP --timestamp {from}); {} --shard-iterator $iterator \
             --query 'Records[].[Data]' | while read -r data; do echo \"$data\" | base64 -d; done; done \
             | grep {} | grep {}",
            aws("list-shards"),
            aws("get-shard-iterator"),
            aws("get-records"),
            super::shell_word(&format!("\"spool\":\"{}\"", first.id.spool)),
            super::shell_word(&format!("\"seq\":{}", first.id.seq)),
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Aws(self.config.statements())
    }
}

impl Config {
    /// Account numbers are not known from a name.
    fn statements(&self) -> Vec<AwsStatement> {
        let stream = match self.stream.member() {
            ("StreamARN", arn) => arn.to_owned(),
            (_, name) => self
                .aws
                .arn(&format!("kinesis:{}:*:stream/{name}", self.aws.region)),
        };
        let mut statements = vec![AwsStatement {
            sid: "AuditshipPut",
            actions: vec!["kinesis:PutRecords"],
            resources: vec![stream.clone()],
            condition: None,
            purpose: "to store records; an encrypted stream wants kms:GenerateDataKey on its key too",
        }];
        if self.is_asked() {
            statements.push(AwsStatement {
                sid: "AuditshipDescribe",
                actions: vec!["kinesis:DescribeStreamSummary"],
                resources: vec![stream],
                condition: None,
                purpose: "to know how many shards the stream has and how large a record may be; not needed where `shards` \
                          and `max_record_bytes` are set",
            });
        }
        statements
    }
}
