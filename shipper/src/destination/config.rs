//! From a table of keys and values to a validated destination, and from that to its two halves. Pure but for the
//! certificates that [`build`] reads.
//!
//! A value is what TOML gives or the text that a stanza gives: flags, lists, sizes and times are taken from both.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::authentication::{Granted, RawAuthentication, RawCertificate};
use super::aws::RawAws;
use super::azure::RawAzure;
use super::check::Check;
use super::connection::RawConnection;
use super::google::RawGoogle;
use super::{
    Compression, Destination, Format, azure_blob, azure_monitor, cloudwatch_logs, datadog, elastic, file,
    firehose, gcs, google_cloud_logging, http, kinesis, s3, splunk_hec, sumo_logic,
};
use crate::config::Environment;
use crate::transport::Transport;
use crate::transport::http::{HttpTransport, Options};

/// One destination of any kind, validated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum KindConfig {
    /// A local directory.
    File(file::Config),
    /// Google Cloud Logging.
    GoogleCloudLogging(Box<google_cloud_logging::Config>),
    /// Any HTTP endpoint.
    Http(Box<http::Config>),
    /// A log stream of Amazon CloudWatch Logs.
    CloudWatchLogs(Box<cloudwatch_logs::Config>),
    /// A bucket of S3.
    S3(Box<s3::Config>),
    /// A bucket of Google Cloud Storage.
    Gcs(Box<gcs::Config>),
    /// A container of Azure Blob Storage.
    AzureBlob(Box<azure_blob::Config>),
    /// A stream of Azure Monitor.
    AzureMonitor(Box<azure_monitor::Config>),
    /// Splunk's HTTP Event Collector.
    SplunkHec(Box<splunk_hec::Config>),
    /// A stream of Amazon Kinesis Data Streams.
    Kinesis(Box<kinesis::Config>),
    /// A stream of Amazon Data Firehose.
    Firehose(Box<firehose::Config>),
    /// Datadog's log intake.
    Datadog(Box<datadog::Config>),
    /// An HTTP source of Sumo Logic.
    SumoLogic(Box<sumo_logic::Config>),
    /// An index or data stream of Elasticsearch or OpenSearch.
    Elastic(Box<elastic::Config>),
}

impl KindConfig {
    /// The kinds by the names they have in a configuration.
    pub const KINDS: &'static [&'static str] = &[
        file::KIND,
        http::KIND,
        cloudwatch_logs::KIND,
        s3::KIND,
        gcs::KIND,
        azure_blob::KIND,
        azure_monitor::KIND,
        google_cloud_logging::KIND,
        splunk_hec::KIND,
        kinesis::KIND,
        firehose::KIND,
        datadog::KIND,
        sumo_logic::KIND,
        elastic::KIND,
    ];

    /// The keys of a kind's own, beside those that every destination has; `None` when there is no such kind.
    pub fn keys(kind: &str) -> Option<Vec<&'static str>> {
        let (s3, gcs) = (s3::RawConfig::keys(), gcs::RawConfig::keys());
        let azure_blob = azure_blob::RawConfig::keys();
        let groups: &[&[&str]] = match kind {
            file::KIND => &[file::RawConfig::KEYS],
            google_cloud_logging::KIND => &[
                google_cloud_logging::RawConfig::KEYS,
                RawGoogle::KEYS,
                RawConnection::KEYS,
            ],
            http::KIND => &[
                http::RawConfig::KEYS,
                RawAuthentication::KEYS,
                RawConnection::KEYS,
            ],
            cloudwatch_logs::KIND => &[
                cloudwatch_logs::RawConfig::KEYS,
                RawAws::KEYS,
                RawConnection::KEYS,
            ],
            s3::KIND => &[&s3, RawAws::KEYS, RawConnection::KEYS],
            splunk_hec::KIND => &[
                splunk_hec::RawConfig::KEYS,
                RawCertificate::KEYS,
                RawConnection::KEYS,
            ],
            datadog::KIND => &[datadog::RawConfig::KEYS, RawConnection::KEYS],
            sumo_logic::KIND => &[sumo_logic::RawConfig::KEYS, RawConnection::KEYS],
            elastic::KIND => &[
                elastic::RawConfig::KEYS,
                RawAuthentication::KEYS,
                RawConnection::KEYS,
            ],
            gcs::KIND => &[&gcs, RawGoogle::KEYS, RawConnection::KEYS],
            azure_blob::KIND => &[&azure_blob, RawAzure::KEYS, RawConnection::KEYS],
            azure_monitor::KIND => &[
                azure_monitor::RawConfig::KEYS,
                RawAzure::KEYS,
                RawConnection::KEYS,
            ],
            kinesis::KIND => &[kinesis::RawConfig::KEYS, RawAws::KEYS, RawConnection::KEYS],
            firehose::KIND => &[firehose::RawConfig::KEYS, RawAws::KEYS, RawConnection::KEYS],
            _ => return None,
        };
        Some(groups.concat())
    }

    /// Validates the keys of a kind's own. `environment` gives `env:` secrets and the proxy.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn from_table(
        kind: &str,
        table: toml::Table,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let Some(keys) = Self::keys(kind) else {
            return Err(ConfigError::UnknownKind {
                given: kind.to_owned(),
                nearest: nearest(kind, Self::KINDS),
            });
        };
        if let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey {
                key: key.clone(),
                kind: kind.to_owned(),
                nearest: nearest(key, &keys),
            });
        }
        match kind {
            file::KIND => from_raw::<file::RawConfig>(table)?.validate().map(Self::File),
            cloudwatch_logs::KIND => from_raw::<cloudwatch_logs::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::CloudWatchLogs(Box::new(config))),
            gcs::KIND => from_raw::<gcs::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::Gcs(Box::new(config))),
            azure_blob::KIND => from_raw::<azure_blob::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::AzureBlob(Box::new(config))),
            azure_monitor::KIND => from_raw::<azure_monitor::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::AzureMonitor(Box::new(config))),
            kinesis::KIND => from_raw::<kinesis::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::Kinesis(Box::new(config))),
            firehose::KIND => from_raw::<firehose::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::Firehose(Box::new(config))),
            s3::KIND => from_raw::<s3::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::S3(Box::new(config))),
            google_cloud_logging::KIND => from_raw::<google_cloud_logging::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::GoogleCloudLogging(Box::new(config))),
            splunk_hec::KIND => from_raw::<splunk_hec::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::SplunkHec(Box::new(config))),
            datadog::KIND => from_raw::<datadog::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::Datadog(Box::new(config))),
            sumo_logic::KIND => from_raw::<sumo_logic::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::SumoLogic(Box::new(config))),
            elastic::KIND => from_raw::<elastic::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::Elastic(Box::new(config))),
            _ => from_raw::<http::RawConfig>(table)?
                .validate(environment)
                .map(|config| Self::Http(Box::new(config))),
        }
    }

    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => file::KIND,
            Self::GoogleCloudLogging(_) => google_cloud_logging::KIND,
            Self::Http(_) => http::KIND,
            Self::CloudWatchLogs(_) => cloudwatch_logs::KIND,
            Self::S3(_) => s3::KIND,
            Self::Gcs(_) => gcs::KIND,
            Self::AzureBlob(_) => azure_blob::KIND,
            Self::AzureMonitor(_) => azure_monitor::KIND,
            Self::SplunkHec(_) => splunk_hec::KIND,
            Self::Kinesis(_) => kinesis::KIND,
            Self::Firehose(_) => firehose::KIND,
            Self::Datadog(_) => datadog::KIND,
            Self::SumoLogic(_) => sumo_logic::KIND,
            Self::Elastic(_) => elastic::KIND,
        }
    }
}

impl KindConfig {
    /// The tokens of an OAuth 2.0 server by which it proves who sends, if it does.
    pub fn granted(&self) -> Option<&Granted> {
        match self {
            Self::Http(config) => config.authentication().granted(),
            Self::Elastic(config) => config.authentication().granted(),
            _ => None,
        }
    }
}

/// A key whose value has the wrong type is found by reading each key alone: the error of the whole names none.
fn from_raw<'de, T: Deserialize<'de>>(table: toml::Table) -> Result<T, ConfigError> {
    let keys = table.clone();
    T::deserialize(toml::Value::Table(table)).map_err(|error| {
        let alone = |(key, value): (String, toml::Value)| {
            let alone = toml::Table::from_iter([(key.clone(), value)]);
            let error = T::deserialize(toml::Value::Table(alone)).err()?;
            Some((key, error))
        };
        let (key, error) = keys.into_iter().find_map(alone).unwrap_or((String::new(), error));
        let problem = error.to_string();
        // Of several lines the first says what is wrong; the others repeat the place.
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        ConfigError::Type { key, problem }
    })
}

fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    let given = given.to_ascii_lowercase();
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&given, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .map(|(_, known)| known)
}

/// A destination, ready for use: what its bytes mean and how they get there.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made here, taken apart by deliver")]
pub struct Route {
    /// Turns batches into requests and responses into verdicts.
    pub destination: Arc<dyn Destination>,
    /// Sends the requests.
    pub transport: Arc<dyn Transport>,
    /// Proves, as far as the destination allows, that records would arrive.
    pub check: Arc<dyn Check>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("kind", &self.destination.kind())
            .field("target", &self.destination.target())
            .finish_non_exhaustive()
    }
}

/// Makes the two halves of a destination. Reads certificates and keys, opens nothing else and connects to nothing.
///
/// # Errors
/// [`ConfigError`] when a certificate or key cannot be read or does not fit.
pub fn build(config: &KindConfig) -> Result<Route, ConfigError> {
    match config {
        KindConfig::File(config) => Ok(file::route(config)),
        KindConfig::GoogleCloudLogging(config) => google_cloud_logging::route(config),
        KindConfig::Http(config) => http::route(config),
        KindConfig::CloudWatchLogs(config) => cloudwatch_logs::route(config),
        KindConfig::S3(config) => s3::route(config),
        KindConfig::Gcs(config) => gcs::route(config),
        KindConfig::AzureBlob(config) => azure_blob::route(config),
        KindConfig::AzureMonitor(config) => azure_monitor::route(config),
        KindConfig::SplunkHec(config) => splunk_hec::route(config),
        KindConfig::Kinesis(config) => kinesis::route(config),
        KindConfig::Firehose(config) => firehose::route(config),
        KindConfig::Datadog(config) => datadog::route(config),
        KindConfig::SumoLogic(config) => sumo_logic::route(config),
        KindConfig::Elastic(config) => elastic::route(config),
    }
}

/// Why a destination's keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// No such kind of destination.
    UnknownKind {
        /// As written.
        given: String,
        /// The kind that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The kind has no such key.
    UnknownKey {
        /// As written.
        key: String,
        /// The kind.
        kind: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong type.
    Type {
        /// The key.
        key: String,
        /// What it must be.
        problem: String,
    },
    /// A key that the kind needs is missing.
    Missing {
        /// The key.
        key: &'static str,
        /// What it is, with an example.
        expected: &'static str,
    },
    /// A value that cannot be used.
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it and what to do; no secret in it.
        problem: String,
    },
}

impl ConfigError {
    /// The key at fault.
    pub fn key(&self) -> &str {
        match self {
            Self::UnknownKind { .. } => "type",
            Self::UnknownKey { key, .. } | Self::Type { key, .. } => key,
            Self::Missing { key, .. } | Self::Invalid { key, .. } => key,
        }
    }

    pub(crate) fn invalid(key: &'static str, problem: impl fmt::Display) -> Self {
        Self::Invalid {
            key,
            problem: problem.to_string(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = |f: &mut fmt::Formatter<'_>, nearest: &Option<&'static str>| match nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        };
        match self {
            Self::UnknownKind { given, nearest } => {
                write!(f, "`type`: there is no destination `{given}`; there are ")?;
                write!(f, "{}", KindConfig::KINDS.join(", "))?;
                meant(f, nearest)
            }
            Self::UnknownKey { key, kind, nearest } => {
                write!(f, "`{key}` is no key of a `{kind}` destination")?;
                meant(f, nearest)
            }
            Self::Type { key, problem } => write!(f, "`{key}`: {problem}"),
            Self::Missing { key, expected } => write!(f, "`{key}` is missing: set it to {expected}"),
            Self::Invalid { key, problem } => write!(f, "`{key}`: {problem}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Format {
    /// From its name in a configuration.
    pub(crate) fn from_name(name: &str) -> Result<Self, ConfigError> {
        match name {
            "ndjson" => Ok(Self::Ndjson),
            "json_array" => Ok(Self::JsonArray),
            _ => Err(ConfigError::invalid(
                "format",
                format!("`{name}` is no format; use `ndjson` or `json_array`"),
            )),
        }
    }
}

impl Compression {
    /// From its name in a configuration.
    pub(crate) fn from_name(name: &str) -> Result<Self, ConfigError> {
        match name {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(ConfigError::invalid(
                "compression",
                format!("`{name}` is no compression; use `none`, `gzip` or `zstd`"),
            )),
        }
    }
}

/// A path that begins with `/`: a daemon's working directory is nobody's to choose.
pub(crate) fn absolute(key: &'static str, path: PathBuf) -> Result<PathBuf, ConfigError> {
    if path.is_absolute() {
        return Ok(path);
    }
    let problem = format!("{} is not an absolute path: begin it with `/`", path.display());
    Err(ConfigError::invalid(key, problem))
}

/// The HTTP client that a route sends by.
///
/// # Errors
/// [`ConfigError`], naming the key whose value no client can be made with.
pub(super) fn wire(options: Options) -> Result<HttpTransport, ConfigError> {
    HttpTransport::new(options).map_err(|error| ConfigError::invalid(error.key(), error.to_string()))
}

/// A flag: TOML's `true`, or the words that the host accepts in a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

/// One text or several: a TOML array, or text with commas between. Numbers are taken as their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many(pub(crate) Vec<String>);

/// A whole number: TOML's own or as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) i64);

macro_rules! deserialize_by {
    ($name:ident, $expecting:expr, { $($methods:tt)* }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct By;
                impl<'de> Visitor<'de> for By {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    $($methods)*
                }
                deserializer.deserialize_any(By)
            }
        }
    };
}

deserialize_by!(Flag, "true or false", {
    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(flag))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Flag, E> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" => Ok(Flag(true)),
            "false" | "off" | "no" => Ok(Flag(false)),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
});

deserialize_by!(Whole, "a whole number", {
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
        text.trim()
            .parse()
            .map(Whole)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
});

deserialize_by!(Many, "a list, or text with commas between its parts", {
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Many, E> {
        Ok(Many(vec![number.to_string()]))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Many, E> {
        let parts = text.split(',').map(|part| part.trim().to_owned());
        Ok(Many(parts.filter(|part| !part.is_empty()).collect()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Many, A::Error> {
        let mut many = Vec::new();
        while let Some(part) = parts.next_element::<toml::Value>()? {
            many.push(match part {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                other => {
                    return Err(de::Error::invalid_type(
                        de::Unexpected::Other(other.type_str()),
                        &self,
                    ));
                }
            });
        }
        Ok(Many(many))
    }
});
