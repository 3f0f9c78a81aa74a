//! The keys of an `azure_monitor` destination.

use ::http::Uri;

use super::row::MAX_NAME;
use crate::config::Environment;
use crate::credentials::azure::entra::Identity;
use crate::destination::Compression;
use crate::destination::TooOld;
use crate::destination::azure::{Cloud, RawAzure};
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Many, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::transport::http::Options;

/// The keys as they are written. Where Fluent Bit's own output has one of the same meaning, it has the same name.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The URL of the data collection endpoint, or the logs ingestion endpoint of the rule.
    dce_url: Option<String>,
    /// The immutable id of the data collection rule.
    dcr_id: Option<String>,
    /// The stream of the rule, as `Custom-Audit_CL`.
    stream_name: Option<String>,
    /// The dynamic column with the record, or with what has no column of its own; default `Record`.
    record_column: Option<String>,
    /// Columns of their own: fields of the record's first level.
    columns: Option<Many>,
    /// What becomes of records whose time the service would replace: `dead_letter` (default) or `restamp`.
    too_old: Option<String>,
    /// `gzip` (default) or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// In which cloud and as whom.
    #[serde(flatten)]
    azure: RawAzure,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `azure_monitor` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) endpoint: Endpoint,
    /// With rule, stream and version.
    pub(super) uri: Uri,
    pub(super) dcr: String,
    pub(super) stream: String,
    pub(super) record_column: String,
    pub(super) columns: Vec<String>,
    pub(super) too_old: TooOld,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) scope: &'static str,
    pub(super) identity: Identity,
    pub(super) options: Options,
}

/// Of the API.
const VERSION: &str = "2023-01-01";

/// Names that columns of a table cannot have here, in small letters.
const RESERVED: [&str; 8] = [
    "_resourceid",
    "id",
    "_subscriptionid",
    "tenantid",
    "type",
    "uniqueid",
    "title",
    "timegenerated",
];

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "dce_url",
        "dcr_id",
        "stream_name",
        "record_column",
        "columns",
        "too_old",
        "compression",
        "compression_level",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let url = self.dce_url.as_deref().ok_or(ConfigError::Missing {
            key: "dce_url",
            expected: "the logs ingestion endpoint, as `https://NAME-1234.REGION-1.ingest.monitor.azure.com`",
        })?;
        // A token goes there.
        let endpoint = Endpoint::parse(url, Plaintext::LoopbackOnly)
            .map_err(|error| ConfigError::invalid("dce_url", error))?;
        if endpoint.uri().query().is_some() || endpoint.uri().path() != "/" {
            let problem =
                "is the URL of an endpoint alone: write rule and stream into `dcr_id` and `stream_name`";
            return Err(ConfigError::invalid("dce_url", problem));
        }
        let dcr = rule(self.dcr_id)?;
        let stream = stream(self.stream_name)?;
        let base = endpoint.uri().to_string();
        let uri = format!(
            "{}/dataCollectionRules/{dcr}/streams/{stream}?api-version={VERSION}",
            base.trim_end_matches('/')
        );
        let uri = uri.parse();
        let uri = uri.map_err(|_| ConfigError::invalid("dce_url", "is no URL"))?;
        let record_column = self.record_column.unwrap_or_else(|| String::from("Record"));
        column("record_column", &record_column)?;
        let columns = self.columns.map(|columns| columns.0).unwrap_or_default();
        for (place, name) in columns.iter().enumerate() {
            column("columns", name)?;
            if columns[..place].contains(name) || *name == record_column {
                let problem = format!("`{name}` is there twice");
                return Err(ConfigError::invalid("columns", problem));
            }
        }
        let compression = match Compression::from_name(self.compression.as_deref().unwrap_or("gzip"))? {
            Compression::Zstd => {
                let problem = "Azure Monitor does not understand `zstd`; use `none` or `gzip`";
                return Err(ConfigError::invalid("compression", problem));
            }
            compression => compression,
        };
        let scope = match self.azure.cloud()? {
            Cloud::Public => "https://monitor.azure.com/.default",
            Cloud::UsGov => "https://monitor.azure.us/.default",
            Cloud::China => "https://monitor.azure.cn/.default",
        };
        Ok(Config {
            too_old: TooOld::parse(self.too_old.as_deref())?,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
            identity: self.azure.validate(self.connection.clone(), environment)?,
            options: self.connection.validate(endpoint.uri(), environment)?,
            endpoint,
            uri,
            dcr,
            stream,
            record_column,
            columns,
            compression,
            scope,
        })
    }
}

fn rule(id: Option<String>) -> Result<String, ConfigError> {
    let id = id.ok_or(ConfigError::Missing {
        key: "dcr_id",
        expected: "the immutable id of the data collection rule, as `dcr-0123456789abcdef0123456789abcdef`",
    })?;
    let is_id = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match id.strip_prefix("dcr-").is_some_and(is_id) {
        true => Ok(id),
        false => {
            let problem = format!(
                "`{id}` is no immutable id: az monitor data-collection rule show --ids RULE --query immutableId"
            );
            Err(ConfigError::invalid("dcr_id", problem))
        }
    }
}

fn stream(name: Option<String>) -> Result<String, ConfigError> {
    let name = name.ok_or(ConfigError::Missing {
        key: "stream_name",
        expected: "the stream that the rule declares, as `Custom-Audit_CL`",
    })?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_prefixed = name.starts_with("Custom-") || name.starts_with("Microsoft-");
    match is_prefixed && name.bytes().all(is_name) {
        true => Ok(name),
        false => {
            let problem = format!("`{name}` is no stream: write it as the rule does, as `Custom-Audit_CL`");
            Err(ConfigError::invalid("stream_name", problem))
        }
    }
}

fn column(key: &'static str, name: &str) -> Result<(), ConfigError> {
    let problem = if super::row::column(name).as_deref() != Some(name) {
        format!("is no name of a column: a letter, then letters, digits and `_`, {MAX_NAME} in all at most")
    } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        String::from("is a name that Azure Monitor keeps for itself")
    } else {
        return Ok(());
    };
    Err(ConfigError::invalid(key, format!("`{name}` {problem}")))
}
