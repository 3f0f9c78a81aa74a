//! The keys of a `datadog` destination.

use ::http::{HeaderName, Uri};

use crate::config::Environment;
pub(super) use crate::destination::TooOld;
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Many, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::{Compression, preset};
use crate::secret::Secret;
use crate::transport::http::{Options, SecretHeader};

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The site of the organization, as `datadoghq.eu`; default `datadoghq.com`.
    site: Option<String>,
    /// The API key; a secret.
    apikey: Option<String>,
    /// Default `auditship`: which pipeline treats the logs.
    dd_source: Option<String>,
    /// Tags, as `env:production`.
    dd_tags: Option<Many>,
    /// The service that the logs are of.
    dd_service: Option<String>,
    /// Default this host's name.
    dd_hostname: Option<String>,
    /// The attribute that a record is in; default `audit`.
    attribute: Option<String>,
    /// What becomes of records that the intake would drop for their age: `dead_letter` (default) or `restamp`.
    too_old: Option<String>,
    /// `gzip` (default) or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// URL in place of the site's own, for the intake and the API, as that of a pipeline of one's own.
    endpoint: Option<String>,
    /// Allows an `http://` endpoint on another host. Default false.
    allow_plaintext: Option<Flag>,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `datadog` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) logs_url: Uri,
    pub(super) validate_url: Uri,
    /// What a log begins with, up to its time.
    pub(super) head: String,
    /// What stands between its time and its record.
    pub(super) middle: String,
    pub(super) attribute: String,
    pub(super) too_old: TooOld,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) options: Options,
}

const API_KEY: HeaderName = HeaderName::from_static("dd-api-key");
/// Attributes to which Datadog gives a meaning of its own.
const RESERVED: [&str; 12] = [
    "ddsource",
    "ddtags",
    "hostname",
    "service",
    "timestamp",
    "message",
    "host",
    "source",
    "status",
    "date",
    "trace_id",
    "span_id",
];

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "site",
        "apikey",
        "dd_source",
        "dd_tags",
        "dd_service",
        "dd_hostname",
        "attribute",
        "too_old",
        "compression",
        "compression_level",
        "endpoint",
        "allow_plaintext",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let key = self.apikey.as_deref().ok_or(ConfigError::Missing {
            key: "apikey",
            expected: "an API key of the organization, `env:NAME` or `file:PATH`",
        })?;
        let key = Secret::parse(key, environment).map_err(|error| ConfigError::invalid("apikey", error))?;
        let (intake, api) = match (&self.endpoint, &self.site) {
            (Some(_), Some(_)) => {
                let problem = "`endpoint` and `site` exclude each other: remove one of them";
                return Err(ConfigError::invalid("endpoint", problem));
            }
            (Some(endpoint), None) => {
                let endpoint = preset::address("endpoint", endpoint, self.allow_plaintext)?;
                (endpoint.uri().to_string(), endpoint.uri().to_string())
            }
            (None, site) => {
                let site = site_name(site.as_deref().unwrap_or("datadoghq.com"))?;
                (
                    format!("https://http-intake.logs.{site}"),
                    format!("https://api.{site}"),
                )
            }
        };
        let place = if self.endpoint.is_some() {
            "endpoint"
        } else {
            "site"
        };
        let logs_url = preset::below(place, &intake, "/api/v2/logs")?;
        let attribute = attribute(self.attribute.unwrap_or_else(|| String::from("audit")))?;
        let hostname = preset::text("dd_hostname", self.dd_hostname)?;
        let fields = [
            (
                "ddsource",
                Some(preset::text("dd_source", self.dd_source)?.unwrap_or_else(|| String::from("auditship"))),
            ),
            ("ddtags", tags(self.dd_tags)?),
            (
                "hostname",
                hostname.or_else(|| environment.hostname().map(str::to_owned)),
            ),
            ("service", preset::text("dd_service", self.dd_service)?),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let fields: String = fields
            .map(|(name, value)| format!("\"{name}\":{},", preset::quoted(&value)))
            .collect();
        let (compression, level) = preset::compression(
            self.compression.as_deref(),
            self.compression_level,
            "Datadog's intake",
        )?;
        Ok(Config {
            head: format!("{{{fields}\"timestamp\":"),
            middle: format!(",{}:", preset::quoted(&attribute)),
            attribute,
            too_old: TooOld::parse(self.too_old.as_deref())?,
            compression,
            level,
            options: Options {
                headers: vec![SecretHeader::Plain {
                    name: API_KEY,
                    value: key,
                }],
                ..self.connection.validate(&logs_url, environment)?
            },
            validate_url: preset::below(place, &api, "/api/v1/validate")?,
            logs_url,
        })
    }
}

fn site_name(site: &str) -> Result<&str, ConfigError> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    if site.contains('.') && site.bytes().all(is_part) && !site.starts_with('.') {
        return Ok(site);
    }
    let problem =
        format!("{site:?} is no site: write it as datadoghq.com, us5.datadoghq.com or datadoghq.eu");
    Err(ConfigError::invalid("site", problem))
}

fn tags(given: Option<Many>) -> Result<Option<String>, ConfigError> {
    let tags = given.map(|tags| tags.0).unwrap_or_default();
    for tag in &tags {
        let well_formed = tag
            .split_once(':')
            .is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
        if !well_formed || tag.contains(|found: char| found.is_control() || found == ',') {
            let problem = format!("{tag:?} is no tag: write it as `env:production`");
            return Err(ConfigError::invalid("dd_tags", problem));
        }
    }
    Ok((!tags.is_empty()).then(|| tags.join(",")))
}

fn attribute(name: String) -> Result<String, ConfigError> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_part) {
        let problem = format!("{name:?} is no attribute: use letters, digits and `_`");
        return Err(ConfigError::invalid("attribute", problem));
    }
    if RESERVED.contains(&name.as_str()) {
        let problem = format!("Datadog gives `{name}` a meaning of its own: use another name");
        return Err(ConfigError::invalid("attribute", problem));
    }
    Ok(name)
}
