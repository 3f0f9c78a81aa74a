//! The keys of an `http` destination.

use std::fmt;
use std::path::PathBuf;

use ::http::{HeaderName, HeaderValue, Method};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::success::SuccessCodes;
use crate::config::Environment;
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Many, Whole, absolute};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::destination::{Compression, Format};
use crate::secret::Secret;
use crate::transport::http::{Identity, Options, SecretHeader};

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// Where records are sent.
    url: Option<String>,
    /// `POST` (default), `PUT` or `PATCH`.
    method: Option<String>,
    /// Further headers: a table, or `Name: value` texts. Values are secrets: literal, `env:NAME` or `file:PATH`.
    header: Option<Headers>,
    /// `none`, `basic` or `bearer`; without it what `username` or `token` imply.
    auth: Option<String>,
    /// Basic: the user, without a colon.
    username: Option<String>,
    /// Basic: the password; a secret.
    password: Option<String>,
    /// Bearer: the token; a secret.
    token: Option<String>,
    /// Statuses that mean "stored"; default `200-299`. Numbers and ranges from 200 to 299, and 409.
    success_codes: Option<Many>,
    /// `ndjson` (default) or `json_array`.
    format: Option<String>,
    /// `none` (default: a receiver that does not know `Content-Encoding` may store the compressed bytes and answer 200),
    /// `gzip` or `zstd`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small) for gzip, 1 to 19 for zstd; default in [`Level`].
    compression_level: Option<Whole>,
    /// Allows `http://` to another host. Default false.
    allow_plaintext: Option<Flag>,
    /// PEM file of our certificate, followed by its intermediates.
    cert_file: Option<PathBuf>,
    /// PEM file of our private key.
    key_file: Option<PathBuf>,
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
    pub(super) compression: Compression,
    pub(super) level: Level,
    /// Who sends: part of the fingerprint, not a secret.
    pub(super) account: Option<String>,
    pub(super) options: Options,
}

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "url",
        "method",
        "header",
        "auth",
        "username",
        "password",
        "token",
        "success_codes",
        "format",
        "compression",
        "compression_level",
        "allow_plaintext",
        "cert_file",
        "key_file",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let url = self.url.as_deref().ok_or(ConfigError::Missing {
            key: "url",
            expected: "where records are sent, as `https://collector.example.com/audit`",
        })?;
        let plaintext = match self.allow_plaintext {
            Some(Flag(true)) => Plaintext::Anywhere,
            Some(Flag(false)) | None => Plaintext::LoopbackOnly,
        };
        let endpoint = Endpoint::parse(url, plaintext).map_err(|error| ConfigError::invalid("url", error))?;
        let format = Format::from_name(self.format.as_deref().unwrap_or("ndjson"))?;
        let compression = Compression::from_name(self.compression.as_deref().unwrap_or("none"))?;
        let authorization = self.authorization(environment)?;
        let mut content_type = HeaderValue::from_static(format.content_type());
        let authorized = authorization.is_some();
        let mut headers = Vec::from_iter(authorization);
        for (name, value) in self.header.map(|headers| headers.0).unwrap_or_default() {
            let name = header_name(&name, authorized)?;
            let invalid =
                |error: &dyn fmt::Display| ConfigError::invalid("header", format!("{name}: {error}"));
            if name == ::http::header::CONTENT_TYPE {
                content_type = HeaderValue::from_str(&value)
                    .map_err(|_| invalid(&"the value has characters that no header may have"))?;
            } else {
                let value = Secret::parse(&value, environment).map_err(|error| invalid(&error))?;
                headers.push(SecretHeader::Plain { name, value });
            }
        }
        let identity = match (self.cert_file, self.key_file) {
            (None, None) => None,
            (Some(cert_file), Some(key_file)) => Some(Identity {
                cert_file: absolute("cert_file", cert_file)?,
                key_file: absolute("key_file", key_file)?,
            }),
            (Some(_), None) => {
                return Err(ConfigError::Missing {
                    key: "key_file",
                    expected: "the PEM file of the private key that belongs to `cert_file`",
                });
            }
            (None, Some(_)) => {
                return Err(ConfigError::Missing {
                    key: "cert_file",
                    expected: "the PEM file of the certificate that belongs to `key_file`",
                });
            }
        };
        let options = Options {
            identity,
            headers,
            ..self.connection.validate(endpoint.uri(), environment)?
        };
        Ok(Config {
            endpoint,
            method: method(self.method.as_deref().unwrap_or("POST"))?,
            content_type,
            success: SuccessCodes::parse(&self.success_codes.map(|codes| codes.0).unwrap_or_default())
                .map_err(|error| ConfigError::invalid("success_codes", error))?,
            format,
            compression,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
            account: self.username,
            options,
        })
    }

    fn authorization(&self, environment: &Environment) -> Result<Option<SecretHeader>, ConfigError> {
        let secret = |key, value: &Option<String>, expected| {
            let value = value.as_deref().ok_or(ConfigError::Missing { key, expected })?;
            Secret::parse(value, environment).map_err(|error| ConfigError::invalid(key, error))
        };
        let implied = match (&self.username, &self.token) {
            (None, None) => "none",
            (Some(_), None) => "basic",
            (None, Some(_)) => "bearer",
            (Some(_), Some(_)) => {
                let problem = "`username` and `token` exclude each other: remove one of them";
                return Err(ConfigError::invalid("token", problem));
            }
        };
        let auth = self.auth.as_deref().unwrap_or(implied).to_ascii_lowercase();
        let unused = |key, given: bool| match given {
            true => Err(ConfigError::invalid(
                key,
                format!("`auth = \"{auth}\"` does not use it: remove one of them"),
            )),
            false => Ok(()),
        };
        match auth.as_str() {
            "none" => {
                unused("username", self.username.is_some())?;
                unused("password", self.password.is_some())?;
                unused("token", self.token.is_some())?;
                Ok(None)
            }
            "basic" => {
                unused("token", self.token.is_some())?;
                let username = self.username.clone().ok_or(ConfigError::Missing {
                    key: "username",
                    expected: "the user of basic authentication",
                })?;
                if username.contains(':') || username.contains(char::is_control) {
                    let problem = "a user name with a colon or a control character cannot be sent (RFC 7617)";
                    return Err(ConfigError::invalid("username", problem));
                }
                let password = secret(
                    "password",
                    &self.password,
                    "the password, `env:NAME` or `file:PATH`",
                )?;
                Ok(Some(SecretHeader::Basic { username, password }))
            }
            "bearer" => {
                unused("username", self.username.is_some())?;
                unused("password", self.password.is_some())?;
                let token = secret("token", &self.token, "the token, `env:NAME` or `file:PATH`")?;
                Ok(Some(SecretHeader::Bearer(token)))
            }
            other => {
                let problem = format!("`{other}` is no way to authenticate; use `none`, `basic` or `bearer`");
                Err(ConfigError::invalid("auth", problem))
            }
        }
    }
}

/// Names that the request itself needs: a second value would change where a request ends, or who sends it.
const RESERVED: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn header_name(name: &str, has_authorization: bool) -> Result<HeaderName, ConfigError> {
    let invalid = |problem: String| Err(ConfigError::invalid("header", problem));
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return invalid(format!("{name:?} is no header name; write `Name: value`"));
    };
    if RESERVED.contains(&parsed.as_str()) {
        return invalid(format!("`{parsed}` is set by the request itself: remove it"));
    }
    if parsed == ::http::header::AUTHORIZATION && has_authorization {
        return invalid(String::from(
            "`authorization` is set by `auth` as well: remove one of them",
        ));
    }
    Ok(parsed)
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

/// Header names and values, as a table, a list of `Name: value` texts, or one such text.
struct Headers(Vec<(String, String)>);

impl Headers {
    /// A colon or blanks stand between name and value; the host writes blanks in a stanza.
    fn split(line: &str) -> (String, String) {
        let line = line.trim();
        let end = line.find([':', ' ', '\t']).unwrap_or(line.len());
        let (name, value) = line.split_at(end);
        let value = value.trim_start();
        (
            name.to_owned(),
            value.strip_prefix(':').unwrap_or(value).trim().to_owned(),
        )
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsHeaders;

        impl<'de> Visitor<'de> for AsHeaders {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of header names and values, or `Name: value`")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<Headers, E> {
                Ok(Headers(vec![Headers::split(line)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(line) = lines.next_element::<String>()? {
                    headers.push(Headers::split(&line));
                }
                Ok(Headers(headers))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(entry) = table.next_entry()? {
                    headers.push(entry);
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_any(AsHeaders)
    }
}
