//! The keys of a `sumo_logic` destination.

use ::http::{HeaderName, HeaderValue};

use crate::config::Environment;
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Many, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::Endpoint;
use crate::destination::{Compression, preset};
use crate::secret::Secret;
use crate::transport::http::Options;

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The source's URL, literal or `env:NAME`; without the code at its end when `token` has that.
    url: Option<String>,
    /// The code at the end of the URL, where `url` leaves it out; a secret.
    token: Option<String>,
    /// `X-Sumo-Category`; default what the source says.
    source_category: Option<String>,
    /// `X-Sumo-Name`; default `auditship`.
    source_name: Option<String>,
    /// `X-Sumo-Host`; default this host's name.
    source_host: Option<String>,
    /// `X-Sumo-Fields`, as `name=value`.
    fields: Option<Many>,
    /// What becomes of records above 64 KB: `dead_letter` (default) or `split`, as the source does with its messages.
    long_records: Option<String>,
    /// `gzip` (default) or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// Allows `http://` to another host. Default false.
    allow_plaintext: Option<Flag>,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `sumo_logic` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Without the code.
    pub(super) endpoint: Endpoint,
    pub(super) token: Secret,
    /// A digest of the code, or the file that it is in.
    pub(super) source: String,
    pub(super) category: Option<String>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) long_records: LongRecords,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) options: Options,
}

/// What becomes of records that are longer than a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LongRecords {
    /// They become dead letters.
    DeadLetter,
    /// They are sent, and split by the source.
    Split,
}

/// What every source's URL has before its code.
const PATH: &str = "/receiver/v1/http";
const EXPECTED: &str = "the URL of an HTTP source, as `https://endpoint4.collection.sumologic.com/receiver/v1/http/CODE`, literal \
                        or `env:NAME`";

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "url",
        "token",
        "source_category",
        "source_name",
        "source_host",
        "fields",
        "long_records",
        "compression",
        "compression_level",
        "allow_plaintext",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do; nothing of the URL's code is in it.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let url = self.url.as_deref().ok_or(ConfigError::Missing {
            key: "url",
            expected: EXPECTED,
        })?;
        if url.starts_with("file:") {
            let problem = "write the URL without the code at its end, and `token = \"file:PATH\"` for that";
            return Err(ConfigError::invalid("url", problem));
        }
        let url = Secret::parse(url, environment).and_then(|url| url.expose());
        let url = url.map_err(|error| ConfigError::invalid("url", error))?;
        let (base, code) = split(url.value())?;
        let endpoint = preset::address("url", base, self.allow_plaintext)?;
        let token = match (code, self.token.as_deref()) {
            ("", Some(token)) => token,
            (code, None) if !code.is_empty() => code,
            ("", None) => {
                return Err(ConfigError::Missing {
                    key: "token",
                    expected: "the code at the end of the source's URL (which `url` leaves out), `env:NAME` or `file:PATH`",
                });
            }
            _ => {
                let problem = "`url` has a code at its end already: remove one of them";
                return Err(ConfigError::invalid("token", problem));
            }
        };
        let source = match token.strip_prefix("file:") {
            Some(_) => token.to_owned(),
            None => digest(token, environment),
        };
        let token =
            Secret::parse(token, environment).map_err(|error| ConfigError::invalid("token", error))?;
        let name = self.source_name.unwrap_or_else(|| String::from("auditship"));
        let host = self
            .source_host
            .or_else(|| environment.hostname().map(str::to_owned));
        let texts = [
            ("source_category", "x-sumo-category", self.source_category.clone()),
            ("source_name", "x-sumo-name", Some(name)),
            ("source_host", "x-sumo-host", host),
            ("fields", "x-sumo-fields", fields(self.fields)?),
        ];
        let mut headers = Vec::new();
        for (key, name, text) in texts {
            if let Some(text) = preset::text(key, text)? {
                headers.push((HeaderName::from_static(name), value(key, &text)?));
            }
        }
        let (compression, level) =
            preset::compression(self.compression.as_deref(), self.compression_level, "Sumo Logic")?;
        Ok(Config {
            options: self.connection.validate(endpoint.uri(), environment)?,
            endpoint,
            token,
            source,
            category: self.source_category,
            headers,
            long_records: match self.long_records.as_deref().unwrap_or("dead_letter") {
                "dead_letter" => LongRecords::DeadLetter,
                "split" => LongRecords::Split,
                other => {
                    let problem = format!("`{other}` is no policy; use `dead_letter` or `split`");
                    return Err(ConfigError::invalid("long_records", problem));
                }
            },
            compression,
            level,
        })
    }
}

/// The URL up to its code, and the code.
fn split(url: &str) -> Result<(&str, &str), ConfigError> {
    let at = url.find(PATH).map(|at| at + PATH.len());
    let parts = at.map(|at| url.split_at(at));
    match parts {
        Some((base, "")) => Ok((base, "")),
        Some((base, rest)) if rest.starts_with('/') && !rest[1..].contains(['/', '?', '#']) => {
            Ok((base, &rest[1..]))
        }
        _ => Err(ConfigError::invalid(
            "url",
            format!("is no URL of an HTTP source: its path is {PATH}/CODE"),
        )),
    }
}

/// Tells two codes apart and gives neither away.
fn digest(token: &str, environment: &Environment) -> String {
    let exposed = Secret::parse(token, environment).and_then(|secret| secret.expose());
    exposed.map_or(String::new(), |token| {
        blake3::hash(token.value().as_bytes()).to_hex()[..32].to_owned()
    })
}

fn fields(given: Option<Many>) -> Result<Option<String>, ConfigError> {
    let fields = given.map(|fields| fields.0).unwrap_or_default();
    for field in &fields {
        if field
            .split_once('=')
            .is_none_or(|(name, value)| name.is_empty() || value.is_empty())
        {
            let problem = format!("{field:?} is no field: write it as `name=value`");
            return Err(ConfigError::invalid("fields", problem));
        }
    }
    Ok((!fields.is_empty()).then(|| fields.join(",")))
}

fn value(key: &'static str, text: &str) -> Result<HeaderValue, ConfigError> {
    let visible = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| visible)
        .ok_or_else(|| ConfigError::invalid(key, "goes into a header: use ASCII letters, digits and signs"))
}
