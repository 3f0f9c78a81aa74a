//! Amazon CloudWatch Logs: one `PutLogEvents` for each batch, with a verdict for every record.
//!
//! # In scope
//! The request of the API (JSON 1.1), its limits, what each of its answers says of each record, and the log stream and
//! group that are missing (`create.rs`).
//!
//! # Out of scope
//! Keys and signatures: [`AuthorizedTransport`] signs at each sending.
//!
//! # Invariants
//! 1. A 200 is no receipt: events that are too old, too new or older than the group's retention are left out of it and
//!    named by index (`rejectedLogEventsInfo`). Indices count in the order of the request, which is sorted by time
//!    (`order.rs`); verdicts are given in the order of the batch. A 200 that is not of AWS (`x-amzn-RequestId`, the content type) says nothing.
//! 2. The API knows no name for a batch: what may be stored and is sent again may be stored twice. The records are the
//!    same to the byte, so `dedup auditship.spool, auditship.epoch, auditship.seq` removes them when the log is read.
//! 3. What stands in a request depends on the batch and its journalled attempt, never on the moment of the sending.
//!
//! # Records that are too old
//! The API takes events up to 14 days old (or as old as the group's retention allows) and up to 2 hours ahead of its
//! clock. `too_old` says what becomes of the others:
//! * `dead_letter` (default): they are sent as they are, and what is rejected becomes a dead letter, with the reason.
//! * `restamp`: they are stored at the time at which their batch was made (`made_at` of the journal, so that a further
//!   sending is the same to the byte); the true time stays in the record's own `@timestamp`. If one record of a batch is
//!   too old for its own time, *all* of the batch get the new one: single ones would be 14 days away from their
//!   neighbours, and no request may span more than 24 hours. Records that are too new are stamped one by one, since
//!   their neighbours are at most 24 hours older than they, and `made_at` lies in between. What is rejected nevertheless
//!   (the batch waited for longer than the hour that restamping leaves, or the group keeps events for less) becomes a dead letter.

mod check;
mod config;
mod create;
mod decode;
mod encode;
mod escape;
mod limits;
mod order;
mod template;
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
use crate::time::{SystemClock, Timestamp};
use crate::transport::authorized::AuthorizedTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "cloudwatch_logs";

/// Where the service is found.
const SERVICE: aws::Service = aws::Service {
    host: "logs",
    variable: "CLOUDWATCH_LOGS",
};

/// A configured log stream.
#[derive(Clone, Debug)]
pub struct CloudWatchLogs {
    config: Config,
}

impl CloudWatchLogs {
    /// A log stream as configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

/// Log stream and transport in one.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let http = wire(config.options.clone())?;
    let (clock, region) = (Arc::new(SystemClock::new()), &config.aws.region);
    let keys = provider(&config.aws.identity, region, clock.clone());
    let signer = Signer::new(keys, Service::Named("logs"), region);
    let authorized = AuthorizedTransport::new(Arc::new(http), Arc::new(signer), clock);
    let destination = Arc::new(CloudWatchLogs::new(config.clone()));
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(create::Creating::new(Arc::new(authorized), config.clone())),
        check: destination,
    })
}

impl Destination for CloudWatchLogs {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        let config = &self.config;
        format!(
            "log stream {} of {} in {} ({})",
            config.stream, config.group, config.aws.region, config.endpoint
        )
    }

    fn limits(&self) -> Limits {
        limits::limits(&self.config)
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        limits::size(record)
    }

    /// Of URL, region, role, group and stream. Which account the keys belong to is not known here; that of a role is.
    fn fingerprint(&self) -> Fingerprint {
        let config = &self.config;
        let url = config.endpoint.uri().to_string();
        let role = config.aws.identity.role_arn.as_deref().unwrap_or_default();
        super::fingerprint(
            KIND,
            &[&url, &config.aws.region, role, &config.group, &config.stream],
        )
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, self.config.compression)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        encode::encode(&self.config, batch)
    }

    fn is_stale(&self, batch: &Batch<'_>, now: Timestamp) -> bool {
        order::is_stale(&self.config, batch, now)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.config, batch, response)
    }

    /// By place in the spool, within a minute of where the event is stored.
    fn query(&self, batch: &Batch<'_>) -> String {
        let config = &self.config;
        let Some(first) = batch.records.first() else {
            return self.target();
        };
        let at = order::Stamps::new(config, batch).of(first);
        format!(
            "aws logs filter-log-events {} --log-group-name {} --log-stream-names {} \
             --start-time {} --end-time {} \
             --filter-pattern '{{ $.auditship.seq = {} && $.auditship.spool = \"{}\" }}'",
            config.aws.cli_options(),
            super::shell_word(&config.group),
            super::shell_word(&config.stream),
            at.saturating_sub(60_000).max(0),
            at.saturating_add(60_000),
            first.id.seq,
            first.id.spool,
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Aws(self.config.statements())
    }
}

impl Config {
    /// Account numbers are not known from a configuration. One policy is for a fleet: what is another on each host is `*`.
    fn statements(&self) -> Vec<AwsStatement> {
        let group = self.aws.arn(&format!(
            "logs:{}:*:log-group:{}",
            self.aws.region, self.group_anywhere
        ));
        let stream = format!("{group}:log-stream:{}", self.stream_anywhere);
        let mut statements = vec![
            AwsStatement {
                sid: "AuditshipPut",
                actions: vec!["logs:PutLogEvents"],
                resources: vec![stream.clone()],
                condition: None,
                purpose: "to store records",
            },
            AwsStatement {
                sid: "AuditshipStream",
                actions: vec!["logs:CreateLogStream"],
                // The service checks the group, as `GROUP:*` or as the stream's own ARN.
                resources: vec![format!("{group}:*")],
                condition: None,
                purpose: "to create the log stream; not needed once it exists",
            },
        ];
        if let Some(creation) = &self.creation {
            let mut actions = vec!["logs:CreateLogGroup"];
            if creation.retention_days.is_some() {
                actions.push("logs:PutRetentionPolicy");
            }
            if !creation.tags.is_empty() {
                actions.push("logs:TagResource");
            }
            statements.push(AwsStatement {
                sid: "AuditshipGroup",
                actions,
                resources: vec![group.clone(), format!("{group}:*")],
                condition: None,
                purpose: "to create the log group; not needed once it exists",
            });
        }
        statements
    }
}
