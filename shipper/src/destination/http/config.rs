//! The keys of an `http` destination.

use ::http::{HeaderValue, Method};

use super::success::SuccessCodes;
use crate::config::Environment;
use crate::destination::authentication::{Authentication, RawAuthentication};
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Many, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::destination::hole::Around;
use crate::destination::{Compression, Format};
use crate::transport::http::Options;

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// Where records are sent.
    url: Option<String>,
    /// `POST` (default), `PUT` or `PATCH`.
    method: Option<String>,
    /// Statuses that mean "stored"; default `200-299`. Numbers and ranges from 200 to 299, and 409.
    success_codes: Option<Many>,
    /// `ndjson` (default) or `json_array`.
    format: Option<String>,
    /// A template of each record, with one hole: `{"data": {{{ log_message }}}}`.
    envelope: Option<String>,
    /// `none` (default: a receiver that does not know `Content-Encoding` may store the compressed bytes and answer 200),
    /// `gzip` or `zstd`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small) for gzip, 1 to 19 for zstd; default in [`Level`].
    compression_level: Option<Whole>,
    /// Allows `http://` to another host. Default false.
    allow_plaintext: Option<Flag>,
    /// Who sends.
    #[serde(flatten)]
    authentication: RawAuthentication,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `http` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    pub(super) content_type: HeaderValue,
    pub(super) success: SuccessCodes,
    pub(super) format: Format,
    /// What stands around each record.
    pub(super) around: Around,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) authentication: Authentication,
    pub(super) options: Options,
}

impl Config {
    /// Who sends.
    pub(in crate::destination) fn authentication(&self) -> &Authentication {
        &self.authentication
    }
}

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "url",
        "method",
        "success_codes",
        "format",
        "envelope",
        "compression",
        "compression_level",
        "allow_plaintext",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(mut self, environment: &Environment) -> Result<Config, ConfigError> {
        let url = self.url.as_deref().ok_or(ConfigError::Missing {
            key: "url",
            expected: "where records are sent, as `https://collector.example.com/audit`",
        })?;
        let plaintext = Plaintext::from(self.allow_plaintext);
        let endpoint = Endpoint::parse(url, plaintext).map_err(|error| ConfigError::invalid("url", error))?;
        let format = Format::from_name(self.format.as_deref().unwrap_or("ndjson"))?;
        let compression = Compression::from_name(self.compression.as_deref().unwrap_or("none"))?;
        let content_type = self.authentication.take_content_type()?;
        let authentication = self.authentication.validate(&self.connection, environment)?;
        let options = self.connection.validate(endpoint.uri(), environment)?;
        Ok(Config {
            endpoint,
            method: method(self.method.as_deref().unwrap_or("POST"))?,
            content_type: content_type.unwrap_or(HeaderValue::from_static(format.content_type())),
            success: SuccessCodes::parse(&self.success_codes.map(|codes| codes.0).unwrap_or_default())
                .map_err(|error| ConfigError::invalid("success_codes", error))?,
            format,
            around: self
                .envelope
                .as_deref()
                .map(Around::parse)
                .transpose()?
                .unwrap_or_default(),
            compression,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
            authentication,
            options,
        })
    }
}

fn method(name: &str) -> Result<Method, ConfigError> {
    match name.to_ascii_uppercase().as_str() {
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        _ => {
            let problem = format!("`{name}` sends no body that is kept; use `POST`, `PUT` or `PATCH`");
            Err(ConfigError::invalid("method", problem))
        }
    }
}
