//! Google Cloud Logging: `entries:write`, a verdict for each record.
//!
//! # In scope
//! One entry a record: its JSON as `jsonPayload` (or in an envelope), frozen event time, the record's key as `insertId`,
//! severity by outcome, `httpRequest` from ECS fields; what the API's partial errors say of each entry.
//!
//! # Out of scope
//! Tokens: [`crate::credentials::google`]. Which VM this is, when nobody says: `resource.rs`, at the first sending.
//!
//! # Invariants
//! 1. `insertId` and timestamp are the record's own, the same in every sending: what comes twice is shown once.
//! 2. `partialSuccess` is always set: a record is delivered when the API accepted it, whatever became of its neighbours.
//! 3. No number is changed: what a double cannot hold is a text (`payload.rs`).
//! 4. An entry older than the log's bucket keeps, or more than 24 hours ahead, is accepted by the API and not stored there: it
//!    does not count as stored.

mod check;
mod config;
mod decode;
mod encode;
mod entry;
mod envelope;
mod fields;
mod http_request;
mod limits;
mod names;
mod payload;
mod resource;
mod severity;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response, Uri};

pub use config::{Config, RawConfig};

use self::config::Log;
use self::encode::Frame;
use self::entry::Shape;
use self::payload::Count;
use self::resource::{Resource, ResourceTransport};
use super::config::{ConfigError, Route, wire};
use super::{
    Batch, Compression, Context, Destination, EncodeError, Fingerprint, Format, GooglePermission, Limits,
    Outcome, Permissions, Record,
};
use crate::credentials::google::METADATA_CONNECT;
use crate::credentials::google::{DEFAULT_UNIVERSE, Google, MetadataServer};
use crate::credentials::web::metadata_transport;
use crate::time::SystemClock;
use crate::transport::Transport;
use crate::transport::authorized::AuthorizedTransport;

/// The kind's name in a configuration.
pub(super) const KIND: &str = "google_cloud_logging";

/// All that writing needs, and nothing else.
const SCOPE: &str = "https://www.googleapis.com/auth/logging.write";

/// A configured log.
#[derive(Clone, Debug)]
pub struct GoogleCloudLogging {
    frame: Frame,
    shape: Shape,
    compression: Compression,
    /// As `projects/ID/logs/LOG`, encoded.
    log_name: String,
    /// As `projects/ID`.
    parent: String,
    retention: Duration,
}

impl GoogleCloudLogging {
    /// A log as configured, in `project`, by the API of `universe`.
    ///
    /// # Errors
    /// [`ConfigError`]: its URL or name cannot be made.
    pub fn new(config: &Config, project: &str, universe: &str) -> Result<Self, ConfigError> {
        let log_name = match &config.log {
            Log::Full(name) => name.clone(),
            Log::Id(id) => {
                names::of_project(project, id).map_err(|problem| ConfigError::invalid("log_name", problem))?
            }
        };
        let parent = log_name.split("/logs/").next().unwrap_or_default().to_owned();
        let base = match &config.endpoint {
            Some(endpoint) => endpoint.uri().to_string(),
            None => format!("https://logging.{universe}"),
        };
        let url: Uri = format!("{}/v2/entries:write", base.trim_end_matches('/'))
            .parse()
            .map_err(|_| {
                ConfigError::invalid(
                    "endpoint",
                    "write it without a path, as https://logging.googleapis.com",
                )
            })?;
        let resource = with_project(&config.resource, project);
        let frame = Frame::new(url, config.level, project, &log_name, &resource, &config.labels);
        let shared_weight = (frame.around() + 4 * config.labels.len()) as u64 + u64::from(resource::VM_BYTES);
        Ok(Self {
            frame,
            shape: Shape {
                envelope: config.envelope.clone(),
                severities: config.severities,
                shared_weight,
            },
            compression: config.compression,
            log_name,
            parent,
            retention: config.retention,
        })
    }

    fn named(&self) -> decode::Named<'_> {
        decode::Named {
            parent: &self.parent,
            log_name: &self.log_name,
            retention: self.retention,
        }
    }
}

/// Every type of resource has a `project_id`.
fn with_project(resource: &Resource, project: &str) -> Resource {
    let mut resource = resource.clone();
    if let Resource::Known { labels, .. } = &mut resource
        && !labels.iter().any(|(name, _)| name == "project_id")
    {
        labels.insert(0, (String::from("project_id"), project.to_owned()));
    }
    resource
}

/// Log, tokens and transport in one. Reads the credential file where that must say which project or universe is meant.
pub(super) fn route(config: &Config) -> Result<Route, ConfigError> {
    let facts = config.identity.facts();
    let project = match (&config.project, &facts) {
        (Some(project), _) => project.clone(),
        (None, Ok(facts)) => facts.project_id.clone().ok_or(ConfigError::Missing {
            key: "project_id",
            expected: "the project that the log is in (the credentials do not name one)",
        })?,
        (None, Err(error)) => {
            let problem = format!("is not set, and the credentials do not tell it: {error}");
            return Err(ConfigError::invalid("project_id", problem));
        }
    };
    // A file that cannot be read now is told of when a token is wanted.
    let universe = facts.ok().and_then(|facts| facts.universe_domain);
    let variable = config.identity.environment.filled("GOOGLE_CLOUD_UNIVERSE_DOMAIN");
    let universe = universe.as_deref().or(variable).unwrap_or(DEFAULT_UNIVERSE);
    let destination = Arc::new(GoogleCloudLogging::new(config, &project, universe)?);
    let options = config
        .identity
        .connection
        .clone()
        .validate(&destination.frame.url, &config.identity.environment)?;
    let http = wire(options)?;
    let unusable = |error: crate::transport::SendError| ConfigError::invalid("credentials_file", error);
    let mut inner: Arc<dyn Transport> = Arc::new(http);
    if config.resource == Resource::ThisVm {
        let direct = Arc::new(metadata_transport(METADATA_CONNECT).map_err(unusable)?);
        let server = MetadataServer::new(&config.identity.environment, direct);
        inner = Arc::new(ResourceTransport::new(inner, server));
    }
    let clock = Arc::new(SystemClock::new());
    let google = Google::new(config.identity.clone(), SCOPE, clock.clone()).map_err(unusable)?;
    Ok(Route {
        destination: destination.clone(),
        transport: Arc::new(AuthorizedTransport::new(inner, Arc::new(google), clock)),
        check: destination,
    })
}

impl Destination for GoogleCloudLogging {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn target(&self) -> String {
        match self.frame.url.host() {
            Some(host) if host != "logging.googleapis.com" => format!("{} at {host}", self.log_name),
            _ => self.log_name.clone(),
        }
    }

    fn limits(&self) -> Limits {
        limits::limits(self.frame.around())
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        let mut json = Count::default();
        let weight = self.shape.write(record, &mut json);
        json.0.max(weight)
    }

    /// Of the API's address and the log's name.
    fn fingerprint(&self) -> Fingerprint {
        super::fingerprint(KIND, &[&self.frame.url.to_string(), &self.log_name])
    }

    fn body(&self) -> (Format, Compression) {
        (Format::Native, self.compression)
    }

    fn encode(&self, batch: &Batch<'_>, _context: &Context) -> Result<Request<Vec<u8>>, EncodeError> {
        self.frame.encode(&self.shape, batch)
    }

    fn decode(&self, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
        decode::decode(&self.named(), batch, response)
    }

    /// With the time, so that neither the console nor gcloud looks at the last hours only.
    fn query(&self, batch: &Batch<'_>) -> String {
        let Some(record) = batch.records.first() else {
            return format!("logName=\"{}\"", self.log_name);
        };
        let (kind, id) = self.parent.split_once('/').unwrap_or_default();
        format!(
            "gcloud logging read 'logName=\"{}\" AND insertId=\"{}\" AND timestamp=\"{}\"' --{}={id}",
            self.log_name,
            record.entry.key,
            record.entry.time.to_rfc3339(),
            kind.trim_end_matches('s')
        )
    }

    fn permissions(&self) -> Permissions {
        Permissions::Google(vec![GooglePermission {
            permission: decode::PERMISSION,
            role: decode::ROLE,
            resource: self.parent.clone(),
            purpose: "write entries",
        }])
    }
}
