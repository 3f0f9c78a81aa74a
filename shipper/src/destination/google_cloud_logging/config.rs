//! The keys of a `google_cloud_logging` destination.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::envelope::{self, Envelope};
use super::names;
use super::resource::{Resource, VM};
use super::severity::Severities;
use crate::config::{Age, Environment};
use crate::credentials::google::Identity;
use crate::destination::Compression;
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::destination::google::RawGoogle;

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The project that the log is in. Default GOOGLE_CLOUD_PROJECT, else the project that the credential file names.
    project_id: Option<String>,
    /// The log: an id in that project (default `auditship`), or `organizations/ID/logs/LOG` and the like.
    log_name: Option<String>,
    /// The monitored resource's type: `global` (default), `gce_instance`, `generic_node`, `generic_task` or any other.
    resource: Option<String>,
    /// Of `gce_instance`: the number of the VM. Without it and `zone`, the metadata server is asked.
    instance_id: Option<String>,
    /// Of `gce_instance`: as `europe-west3-a`.
    zone: Option<String>,
    /// Labels of any resource: a table, or `name=value` with commas between. `project_id` is there by itself.
    resource_labels: Option<Pairs>,
    /// Labels of each entry, as `job=engflow_logs`.
    labels: Option<Pairs>,
    /// The severity of each `event.outcome`; default `success=INFO, failure=WARNING, unknown=DEFAULT`.
    severity: Option<Pairs>,
    /// A template of `jsonPayload` with one hole, as `{"data": {{{ log_message }}}}`, or of a whole request. Default the
    /// record itself.
    envelope: Option<String>,
    /// How long the log's bucket keeps entries: one that is older is accepted and not kept. Default 30d, as `_Default` has.
    retention: Option<Age>,
    /// As whom.
    #[serde(flatten)]
    google: RawGoogle,
    /// URL in place of the API's own: a regional one, as `https://logging.europe-west3.rep.googleapis.com`.
    endpoint: Option<String>,
    /// `none` (default) or `gzip`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// Allows an `http://` endpoint on another host. Default false.
    allow_plaintext: Option<Flag>,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `google_cloud_logging` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `None`: the credential file must name it.
    pub(super) project: Option<String>,
    pub(super) log: Log,
    pub(super) resource: Resource,
    pub(super) labels: Vec<(String, String)>,
    pub(super) severities: Severities,
    pub(super) envelope: Envelope,
    pub(super) retention: Duration,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) identity: Identity,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// In the destination's project.
    Id(String),
    /// As a request has it.
    Full(String),
}

/// The most labels that an entry may have, and the longest names and values: longer ones are cut off in silence.
const MAX_LABELS: usize = 64;
const MAX_LABEL_NAME: usize = 512;
const MAX_LABEL_VALUE: usize = 64 * 1024;

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "project_id",
        "log_name",
        "resource",
        "instance_id",
        "zone",
        "resource_labels",
        "labels",
        "severity",
        "envelope",
        "retention",
        "endpoint",
        "compression",
        "compression_level",
        "allow_plaintext",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let template = match &self.envelope {
            None => envelope::Template::default(),
            Some(text) => envelope::parse(text)?,
        };
        let project = self
            .project_id
            .or_else(|| environment.filled("GOOGLE_CLOUD_PROJECT").map(str::to_owned));
        if let Some(project) = project.as_deref().filter(|project| !names::is_project(project)) {
            let problem = format!("{project:?} is no project's id: write it as `audit-project-1`");
            return Err(ConfigError::invalid("project_id", problem));
        }
        let log_name = one_of(self.log_name, template.log_name, "log_name", "logName")?;
        let log_name = log_name.as_deref().unwrap_or("auditship");
        let log = if names::is_full(log_name) {
            names::full(log_name).map(Log::Full)
        } else {
            names::of_project("any", log_name).map(|_| Log::Id(log_name.to_owned()))
        };
        let kind = one_of(self.resource, template.resource_type, "resource", "resource.type")?;
        let mut resource_labels = self.resource_labels.unwrap_or_default().0;
        resource_labels.extend(template.resource_labels);
        let mut labels = self.labels.unwrap_or_default().0;
        labels.extend(template.labels);
        let compression = match self.compression.as_deref().unwrap_or("none") {
            "zstd" => {
                let problem = "the API does not take zstd: use `none` or `gzip`";
                return Err(ConfigError::invalid("compression", problem));
            }
            name => Compression::from_name(name)?,
        };
        let resource = resource(
            kind.as_deref().unwrap_or("global"),
            checked("resource_labels", resource_labels)?,
            self.instance_id,
            self.zone,
        )?;
        if resource == Resource::ThisVm && compression != Compression::None {
            let problem =
                "needs the resource when a batch is made: set `instance_id` and `zone`, or remove it";
            return Err(ConfigError::invalid("compression", problem));
        }
        let plaintext = Plaintext::from(self.allow_plaintext);
        let endpoint = self
            .endpoint
            .as_deref()
            .map(|url| Endpoint::parse(url, plaintext))
            .transpose()
            .map_err(|error| ConfigError::invalid("endpoint", error))?;
        // The same for whatever host: what is wrong shows here and not when a token is fetched.
        let anywhere = ::http::Uri::from_static("https://logging.googleapis.com/");
        let target = endpoint.as_ref().map_or(&anywhere, Endpoint::uri);
        self.connection.clone().validate(target, environment)?;
        Ok(Config {
            project,
            log: log.map_err(|problem| ConfigError::invalid("log_name", problem))?,
            resource,
            labels: checked("labels", labels)?,
            severities: Severities::parse(&self.severity.unwrap_or_default().0)?,
            envelope: template.envelope,
            retention: match self.retention {
                None => Duration::from_secs(30 * 24 * 3600),
                Some(Age(Duration::ZERO)) => {
                    return Err(ConfigError::invalid(
                        "retention",
                        "must be longer than nothing, as 30d",
                    ));
                }
                Some(Age(retention)) => retention,
            },
            endpoint,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
            compression,
            identity: self.google.validate(self.connection, environment)?,
        })
    }
}

/// What a key says or the template.
fn one_of(
    given: Option<String>,
    of_template: Option<String>,
    key: &'static str,
    field: &str,
) -> Result<Option<String>, ConfigError> {
    match (given, of_template) {
        (Some(_), Some(_)) => {
            let problem = format!("is set by `{field}` in `envelope` as well: remove one of them");
            Err(ConfigError::invalid(key, problem))
        }
        (given, of_template) => Ok(given.or(of_template)),
    }
}

fn checked(key: &'static str, labels: Vec<(String, String)>) -> Result<Vec<(String, String)>, ConfigError> {
    let invalid = |problem: String| Err(ConfigError::invalid(key, problem));
    if labels.len() > MAX_LABELS {
        return invalid(format!("has {} labels; there may be {MAX_LABELS}", labels.len()));
    }
    for (at, (name, value)) in labels.iter().enumerate() {
        if name.is_empty() || name.len() > MAX_LABEL_NAME || value.len() > MAX_LABEL_VALUE {
            return invalid(format!(
                "`{}` is too long or empty: a name has 1 to {MAX_LABEL_NAME} bytes, a value up to {MAX_LABEL_VALUE}",
                name.chars().take(40).collect::<String>()
            ));
        }
        if labels[..at].iter().any(|(before, _)| before == name) {
            return invalid(format!("`{name}` is set twice: remove one of them"));
        }
    }
    Ok(labels)
}

fn resource(
    kind: &str,
    mut labels: Vec<(String, String)>,
    instance_id: Option<String>,
    zone: Option<String>,
) -> Result<Resource, ConfigError> {
    let is_kind = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    if kind.is_empty() || kind.len() > 256 || !kind.bytes().all(is_kind) {
        let problem =
            format!("{kind:?} is no resource type: use `global`, `gce_instance`, `generic_node` or another");
        return Err(ConfigError::invalid("resource", problem));
    }
    let has = |labels: &[(String, String)], name: &str| labels.iter().any(|(found, _)| found == name);
    if kind != VM {
        if instance_id.is_some() || zone.is_some() {
            let key = if instance_id.is_some() {
                "instance_id"
            } else {
                "zone"
            };
            let problem = "is for `resource = \"gce_instance\"`: set that, or use `resource_labels`";
            return Err(ConfigError::invalid(key, problem));
        }
        return Ok(Resource::Known {
            kind: kind.to_owned(),
            labels,
        });
    }
    for (key, value) in [("instance_id", instance_id), ("zone", zone)] {
        if let Some(value) = value {
            if has(&labels, key) {
                let problem = "is set in `resource_labels` as well: remove one of them";
                return Err(ConfigError::invalid(key, problem));
            }
            labels.push((key.to_owned(), value));
        }
    }
    let value = |name: &str| {
        labels
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    };
    match (value("instance_id"), value("zone")) {
        (None, None) if labels.is_empty() => Ok(Resource::ThisVm),
        (None, _) => Err(ConfigError::Missing {
            key: "instance_id",
            expected: "the VM's number, as 4242424242424242424, or remove `zone` and `resource_labels` to have the \
                       metadata server asked",
        }),
        (Some(_), None) => Err(ConfigError::Missing {
            key: "zone",
            expected: "the VM's zone, as `europe-west3-a`, or remove `instance_id` to have the metadata server asked",
        }),
        (Some(id), Some(zone)) => {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                let problem =
                    format!("{id:?} is no VM's number: it is not its name but as 4242424242424242424");
                return Err(ConfigError::invalid("instance_id", problem));
            }
            if zone.is_empty() || zone.contains('/') {
                let problem = format!("{zone:?} is no zone: write it as `europe-west3-a`");
                return Err(ConfigError::invalid("zone", problem));
            }
            Ok(Resource::Known {
                kind: kind.to_owned(),
                labels,
            })
        }
    }
}

/// Names and values: a table, a list of `name=value`, or such texts with commas between.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn split<E: de::Error>(text: &str) -> Result<(String, String), E> {
        match text.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(E::invalid_value(de::Unexpected::Str(text), &"name=value")),
        }
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsPairs;

        impl<'de> Visitor<'de> for AsPairs {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names and values, or `name=value` with commas between")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Pairs, E> {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(Pairs::split).collect::<Result<_, E>>().map(Pairs)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(text) = texts.next_element::<String>()? {
                    pairs.push(Pairs::split(&text)?);
                }
                Ok(Pairs(pairs))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = table.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_any(AsPairs)
    }
}
