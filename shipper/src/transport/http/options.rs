//! How requests are sent: time limits, certificates, proxy, and the headers that hold secrets.

use std::path::PathBuf;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::proxy::Proxy;
use crate::destination::endpoint::percent_encoded;
use crate::secret::{Exposed, Secret, SecretError};

/// How requests are sent.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Options {
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// PEM file of the authorities that may sign the receiver's certificate; without it, the system's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate.
    pub identity: Option<Identity>,
    /// The proxy, already chosen for the receiver; without it, a direct connection.
    pub proxy: Option<Proxy>,
    /// Headers of every request.
    pub headers: Vec<SecretHeader>,
    /// Parameters that are added to the query string of every request.
    pub parameters: Vec<SecretParameter>,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Timeouts {
    /// To find the host's address, and as long again to connect, proxy and TLS included.
    pub connect: Duration,
    /// To send a request's head, and as long again for its body.
    pub send: Duration,
    /// From the end of the request to the head of the response, and as long again for its body.
    pub response: Duration,
    /// For all of it.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(60),
            response: Duration::from_secs(60),
            total: Duration::from_secs(120),
        }
    }
}

/// A certificate of ours with its key. Both files are read again when one of them changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Identity {
    /// PEM: the certificate, then its intermediates.
    pub cert_file: PathBuf,
    /// PEM: the private key (PKCS #8, PKCS #1 or SEC 1), not encrypted.
    pub key_file: PathBuf,
}

/// A header whose value is a secret, put in when a request is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "made by configurations")]
pub enum SecretHeader {
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// Without a colon.
        username: String,
        /// UTF-8.
        password: Secret,
    },
    /// `Authorization: Bearer` (RFC 6750).
    Bearer(Secret),
    /// `Authorization: ApiKey`, as Elasticsearch has it.
    ApiKey(Secret),
    /// `Authorization: Splunk`.
    Splunk(Secret),
    /// Any other.
    Plain {
        /// The name.
        name: HeaderName,
        /// The whole value.
        value: Secret,
    },
}

/// A parameter of the query string whose value is a secret, put in when a request is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct SecretParameter {
    /// The name.
    pub name: String,
    /// The value, before it is encoded.
    pub value: Secret,
}

/// A parameter as it is sent, and the texts in it that must not be shown.
pub(super) struct FilledParameter {
    /// `name=value`, encoded.
    pub(super) pair: Exposed,
    pub(super) masks: Vec<Exposed>,
}

impl SecretParameter {
    /// The parameter with its secret, read now.
    pub(super) fn fill(&self) -> Result<FilledParameter, SecretError> {
        let value = self.value.expose()?;
        let encoded = percent_encoded(value.value()).to_string();
        Ok(FilledParameter {
            pair: Exposed::new(format!("{}={encoded}", percent_encoded(&self.name))),
            masks: vec![Exposed::new(encoded), value],
        })
    }
}

/// A header as it is sent, and the texts in it that must not be shown.
pub(super) struct FilledHeader {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    pub(super) masks: Vec<Exposed>,
}

impl FilledHeader {
    /// A header that came with the request. What is sensitive in it is masked, but for
    /// the word before the first blank, which is a scheme (`Bearer`).
    pub(super) fn further(name: &HeaderName, value: &HeaderValue) -> Self {
        let text = value.to_str().unwrap_or_default();
        let secret = text.split_once(' ').map_or(text, |(_, secret)| secret);
        let masks = match value.is_sensitive() && !secret.is_empty() {
            true => vec![Exposed::new(secret.to_owned())],
            false => Vec::new(),
        };
        Self {
            name: name.clone(),
            value: value.clone(),
            masks,
        }
    }
}

/// Why a header cannot be filled.
pub(super) enum HeaderError {
    Secret(SecretError),
    /// The secret has a line end or another control character in it.
    Control(HeaderName),
}

impl SecretHeader {
    /// The header's name.
    pub fn name(&self) -> &HeaderName {
        match self {
            Self::Basic { .. } | Self::Bearer(_) | Self::ApiKey(_) | Self::Splunk(_) => {
                &header::AUTHORIZATION
            }
            Self::Plain { name, .. } => name,
        }
    }

    /// The header with its secret, read now.
    pub(super) fn fill(&self) -> Result<FilledHeader, HeaderError> {
        let (text, masks) = match self {
            Self::Basic { username, password } => {
                let password = password.expose().map_err(HeaderError::Secret)?;
                let encoded = BASE64.encode(format!("{username}:{}", password.value()));
                (format!("Basic {encoded}"), vec![Exposed::new(encoded), password])
            }
            Self::Bearer(token) => {
                let token = token.expose().map_err(HeaderError::Secret)?;
                (format!("Bearer {}", token.value()), vec![token])
            }
            Self::ApiKey(key) => {
                let key = key.expose().map_err(HeaderError::Secret)?;
                (format!("ApiKey {}", key.value()), vec![key])
            }
            Self::Splunk(token) => {
                let token = token.expose().map_err(HeaderError::Secret)?;
                (format!("Splunk {}", token.value()), vec![token])
            }
            Self::Plain { value, .. } => {
                let value = value.expose().map_err(HeaderError::Secret)?;
                (value.value().to_owned(), vec![value])
            }
        };
        let name = self.name().clone();
        match HeaderValue::from_bytes(text.as_bytes()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Ok(FilledHeader { name, value, masks })
            }
            Err(_) => Err(HeaderError::Control(name)),
        }
    }
}
