//! The keys of a `splunk_hec` destination.

use std::time::Duration;

use ::http::Uri;

use super::limits::DEFAULT_BYTES;
use crate::config::{Age, ByteSize, Environment};
use crate::destination::Compression;
use crate::destination::authentication::RawCertificate;
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, percent_encoded};
use crate::destination::{Limits, preset};
use crate::secret::Secret;
use crate::transport::http::{Options, SecretHeader};

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The collector, as `https://splunk.example.com:8088`; a path before `/services/collector` is kept.
    url: Option<String>,
    /// The token; a secret.
    token: Option<String>,
    /// `event` (default) or `raw`: to which of its two endpoints.
    mode: Option<String>,
    /// Where events go; default what the token says.
    event_index: Option<String>,
    /// Default `auditship`.
    event_source: Option<String>,
    /// Default `_json` for events; for raw lines what the token says.
    event_sourcetype: Option<String>,
    /// Default this host's name.
    event_host: Option<String>,
    /// `required` (default): stored is what an indexer has acknowledged. `none`: what was parsed.
    ack: Option<String>,
    /// How long an acknowledgement is waited for; default 5m.
    ack_timeout: Option<Age>,
    /// How often a batch is sent again that was not acknowledged, before the destination is held; default 1.
    ack_resend: Option<Whole>,
    /// The most bytes of a request before compression; default 1 MB.
    max_request_bytes: Option<ByteSize>,
    /// `gzip` (default) or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// Allows `http://` to another host. Default false.
    allow_plaintext: Option<Flag>,
    /// Our own certificate.
    #[serde(flatten)]
    certificate: RawCertificate,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `splunk_hec` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) endpoint: Endpoint,
    pub(super) data_url: Uri,
    pub(super) ack_url: Uri,
    pub(super) mode: Mode,
    pub(super) index: Option<String>,
    /// What an event has between its time and its record.
    pub(super) middle: String,
    pub(super) ack: Ack,
    pub(super) max_request_bytes: u64,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) options: Options,
}

/// Which of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// JSON objects with an event in each.
    Event,
    /// Lines.
    Raw,
}

/// When a batch counts as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Ack {
    /// When an indexer has acknowledged it.
    Required {
        /// How long that is waited for.
        timeout: Duration,
        /// How often it is sent again without.
        again: u32,
    },
    /// When it was parsed.
    None,
}

impl Ack {
    pub(super) fn timeout(self) -> Duration {
        match self {
            Self::Required { timeout, .. } => timeout,
            Self::None => Duration::ZERO,
        }
    }
}

const ACK_TIMEOUT: Duration = Duration::from_secs(300);
/// Splunk's own advice is to wait for minutes: less would send again what is only late.
const LEAST_ACK_TIMEOUT: Duration = Duration::from_secs(1);
const MOST_RESENDS: i64 = 10;

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "url",
        "token",
        "mode",
        "event_index",
        "event_source",
        "event_sourcetype",
        "event_host",
        "ack",
        "ack_timeout",
        "ack_resend",
        "max_request_bytes",
        "compression",
        "compression_level",
        "allow_plaintext",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let ack = self.ack()?;
        let url = self.url.as_deref().ok_or(ConfigError::Missing {
            key: "url",
            expected: "the collector, as `https://splunk.example.com:8088`",
        })?;
        let base = match url.split_once("/services/collector") {
            None => url,
            Some((base, "" | "/" | "/event" | "/raw")) => base,
            Some((_, rest)) => {
                let problem = format!(
                    "`/services/collector{rest}` is not taken: end it before, and use `mode` and the `event_` keys for what \
                     stands there"
                );
                return Err(ConfigError::invalid("url", problem));
            }
        };
        let endpoint = preset::address("url", base, self.allow_plaintext)?;
        let token = self.token.as_deref().ok_or(ConfigError::Missing {
            key: "token",
            expected: "the collector's token, `env:NAME` or `file:PATH`",
        })?;
        let token =
            Secret::parse(token, environment).map_err(|error| ConfigError::invalid("token", error))?;
        let mode = match self.mode.as_deref().unwrap_or("event") {
            "event" => Mode::Event,
            "raw" => Mode::Raw,
            other => {
                let problem = format!("`{other}` is no endpoint of the collector; use `event` or `raw`");
                return Err(ConfigError::invalid("mode", problem));
            }
        };
        let sourcetype = match (preset::text("event_sourcetype", self.event_sourcetype)?, mode) {
            (None, Mode::Event) => Some(String::from("_json")),
            (sourcetype, _) => sourcetype,
        };
        let host = preset::text("event_host", self.event_host)?;
        let index = preset::text("event_index", self.event_index)?;
        let metadata = [
            ("host", host.or_else(|| environment.hostname().map(str::to_owned))),
            (
                "source",
                Some(
                    preset::text("event_source", self.event_source)?
                        .unwrap_or_else(|| String::from("auditship")),
                ),
            ),
            ("sourcetype", sourcetype),
            ("index", index.clone()),
        ];
        let base = endpoint.uri().to_string();
        let data = match mode {
            Mode::Event => String::from("/services/collector/event"),
            Mode::Raw => format!("/services/collector/raw?{}", query(&metadata)),
        };
        let (compression, level) = preset::compression(
            self.compression.as_deref(),
            self.compression_level,
            "the HTTP Event Collector",
        )?;
        let options = Options {
            headers: vec![SecretHeader::Splunk(token)],
            identity: self.certificate.validate()?,
            ..self.connection.validate(endpoint.uri(), environment)?
        };
        Ok(Config {
            data_url: preset::below("url", &base, &data)?,
            ack_url: preset::below("url", &base, "/services/collector/ack")?,
            endpoint,
            mode,
            index,
            middle: middle(&metadata),
            ack,
            max_request_bytes: max_request_bytes(self.max_request_bytes)?,
            compression,
            level,
            options,
        })
    }

    fn ack(&self) -> Result<Ack, ConfigError> {
        match self.ack.as_deref().unwrap_or("required") {
            "required" => {}
            "none" => {
                let unused = [
                    ("ack_timeout", self.ack_timeout.is_some()),
                    ("ack_resend", self.ack_resend.is_some()),
                ];
                return match unused.into_iter().find(|(_, given)| *given) {
                    Some((key, _)) => Err(ConfigError::invalid(
                        key,
                        "`ack = \"none\"` does not use it: remove it",
                    )),
                    None => Ok(Ack::None),
                };
            }
            other => {
                let problem = format!("`{other}` is no way to know what is stored; use `required` or `none`");
                return Err(ConfigError::invalid("ack", problem));
            }
        }
        let timeout = match self.ack_timeout {
            None => ACK_TIMEOUT,
            Some(Age(timeout)) if timeout >= LEAST_ACK_TIMEOUT => timeout,
            Some(_) => {
                return Err(ConfigError::invalid(
                    "ack_timeout",
                    "is shorter than 1s: an indexer takes its time",
                ));
            }
        };
        let again = match self.ack_resend {
            None => 1,
            Some(Whole(again)) => u32::try_from(again)
                .ok()
                .filter(|_| again <= MOST_RESENDS)
                .ok_or_else(|| {
                    let problem = format!("{again} is not a number from 0 to {MOST_RESENDS}");
                    ConfigError::invalid("ack_resend", problem)
                })?,
        };
        Ok(Ack::Required { timeout, again })
    }
}

fn max_request_bytes(given: Option<ByteSize>) -> Result<u64, ConfigError> {
    match given {
        None => Ok(DEFAULT_BYTES),
        Some(ByteSize(bytes)) if (10_000..=Limits::MAX_BYTES).contains(&bytes) => Ok(bytes),
        Some(ByteSize(bytes)) => {
            let problem = format!(
                "{bytes} is not a number of bytes from 10000 to {}",
                Limits::MAX_BYTES
            );
            Err(ConfigError::invalid("max_request_bytes", problem))
        }
    }
}

fn query(metadata: &[(&str, Option<String>)]) -> String {
    let pairs = metadata
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    pairs.join("&")
}

fn middle(metadata: &[(&str, Option<String>)]) -> String {
    let pairs = metadata
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let pairs: String = pairs
        .map(|(name, value)| format!(",\"{name}\":{}", preset::quoted(value)))
        .collect();
    format!("{pairs},\"event\":")
}
