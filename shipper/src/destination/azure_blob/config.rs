//! The keys of an `azure_blob` destination.

use ::http::{HeaderName, HeaderValue};

use super::address::{Address, check_account, check_container};
use super::immutability::{Immutability, RawImmutability};
use crate::config::Environment;
use crate::credentials::azure::entra::Identity;
use crate::credentials::azure::{key_problem, sas_problem};
use crate::destination::azure::RawAzure;
use crate::destination::config::{ConfigError, Flag, Many};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext, percent_encoded};
use crate::destination::object::{Layout, RawObject};
use crate::secret::Secret;
use crate::transport::http::Options;

/// The keys as they are written. Where Fluent Bit's own output has one of the same meaning, it has the same name.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The storage account.
    account_name: Option<String>,
    /// The container.
    container_name: Option<String>,
    /// A key of the account, in Base64; a secret.
    shared_key: Option<String>,
    /// A shared access signature: what follows the `?` of a SAS URL; a secret.
    sas_token: Option<String>,
    /// URL in place of `https://ACCOUNT.blob.core.windows.net`: an emulator, a private link.
    endpoint: Option<String>,
    /// Allows an `http://` endpoint on another host, for requests that are signed. Default false.
    allow_plaintext: Option<Flag>,
    /// `hot`, `cool`, `cold` or `archive`; default what the account has.
    access_tier: Option<String>,
    /// Index tags, `name=value`, at most ten.
    index_tags: Option<Many>,
    /// The encryption scope; default what the container has.
    encryption_scope: Option<String>,
    /// `md5` (default) or `crc64`.
    checksum: Option<String>,
    /// In which cloud and, without a key or a signature, as whom.
    #[serde(flatten)]
    azure: RawAzure,
    /// How blobs are kept from deletion.
    #[serde(flatten)]
    immutability: RawImmutability,
    /// Names and bodies.
    #[serde(flatten)]
    object: RawObject,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `azure_blob` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) account: String,
    pub(super) address: Address,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) access: Access,
    pub(super) layout: Layout,
    pub(super) checksum: Checksum,
    pub(super) immutability: Immutability,
    /// Headers of every blob: tier, tags, encryption scope.
    pub(super) fixed: Vec<(HeaderName, HeaderValue)>,
    pub(super) tagged: bool,
    pub(super) options: Options,
}

/// As whom.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Access {
    /// With a key of the account.
    SharedKey(Secret),
    /// With a shared access signature.
    Sas(Secret),
    /// With a token of Entra ID.
    Entra(Box<Identity>),
}

/// What the service checks a body with before it stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    Md5,
    Crc64,
}

impl RawConfig {
    /// The names of the keys of its own; those of the connection come to these.
    pub fn keys() -> Vec<&'static str> {
        let own = [
            "account_name",
            "container_name",
            "shared_key",
            "sas_token",
            "endpoint",
            "allow_plaintext",
            "access_tier",
            "index_tags",
            "encryption_scope",
            "checksum",
        ];
        [&own, RawImmutability::KEYS, RawObject::KEYS].concat()
    }

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let account = self.account_name.ok_or(ConfigError::Missing {
            key: "account_name",
            expected: "the name of the storage account",
        })?;
        check_account(&account)?;
        let container = self.container_name.ok_or(ConfigError::Missing {
            key: "container_name",
            expected: "the name of the container",
        })?;
        check_container(&container)?;
        let cloud = self.azure.cloud()?;
        let access = match (&self.shared_key, &self.sas_token) {
            (Some(_), Some(_)) => {
                let problem = "and `shared_key` exclude each other: remove one of them";
                return Err(ConfigError::invalid("sas_token", problem));
            }
            (None, None) => Access::Entra(Box::new(
                self.azure.validate(self.connection.clone(), environment)?,
            )),
            (key, sas) => {
                if let Some(given) = self.azure.given() {
                    let problem = "is for Entra ID: remove it, or `shared_key` and `sas_token`";
                    return Err(ConfigError::invalid(given, problem));
                }
                match (key, sas) {
                    (Some(key), _) => Access::SharedKey(secret("shared_key", key, environment, key_problem)?),
                    (None, sas) => {
                        let sas = sas.as_deref().unwrap_or_default();
                        Access::Sas(secret("sas_token", sas, environment, sas_problem)?)
                    }
                }
            }
        };
        let plaintext = match (self.allow_plaintext, &access) {
            (Some(Flag(true)), Access::SharedKey(_)) => Plaintext::Anywhere,
            (Some(Flag(true)), Access::Sas(_) | Access::Entra(_)) => {
                let problem = "what proves who we are would be sent in the clear: use https://, or a `shared_key`, which is not sent";
                return Err(ConfigError::invalid("allow_plaintext", problem));
            }
            (Some(Flag(false)) | None, _) => Plaintext::LoopbackOnly,
        };
        let endpoint = self
            .endpoint
            .map(|url| Endpoint::parse(&url, plaintext))
            .transpose();
        let endpoint = endpoint.map_err(|error| ConfigError::invalid("endpoint", error))?;
        let address = Address::new(&account, &container, cloud, endpoint.as_ref())?;
        let checksum = match self.checksum.as_deref() {
            None | Some("md5") => Checksum::Md5,
            Some("crc64") => Checksum::Crc64,
            Some(other) => {
                let problem = format!("`{other}` is no checksum here; use `md5` or `crc64`");
                return Err(ConfigError::invalid("checksum", problem));
            }
        };
        let mut fixed = Vec::new();
        if let Some(tier) = self.access_tier {
            fixed.push((HeaderName::from_static("x-ms-access-tier"), access_tier(&tier)?));
        }
        let tags = self.index_tags.map(|tags| tags.0).unwrap_or_default();
        if !tags.is_empty() {
            fixed.push((HeaderName::from_static("x-ms-tags"), tagging(&tags)?));
        }
        if let Some(scope) = self.encryption_scope {
            let value = encryption_scope(&scope)?;
            fixed.push((HeaderName::from_static("x-ms-encryption-scope"), value));
        }
        Ok(Config {
            layout: self.object.validate()?,
            immutability: self.immutability.validate()?,
            options: self.connection.validate(address.uri(), environment)?,
            tagged: !tags.is_empty(),
            account,
            address,
            endpoint,
            access,
            checksum,
            fixed,
        })
    }
}

/// What lies in a file is judged at its use: it may come later.
fn secret(
    key: &'static str,
    text: &str,
    environment: &Environment,
    problem: fn(&str) -> Option<&'static str>,
) -> Result<Secret, ConfigError> {
    let secret = Secret::parse(text, environment).map_err(|error| ConfigError::invalid(key, error))?;
    if !text.starts_with("file:")
        && let Ok(value) = secret.expose()
        && let Some(problem) = problem(value.value())
    {
        return Err(ConfigError::invalid(key, problem));
    }
    Ok(secret)
}

fn access_tier(name: &str) -> Result<HeaderValue, ConfigError> {
    let tiers = ["Hot", "Cool", "Cold", "Archive"];
    match tiers.into_iter().find(|tier| tier.eq_ignore_ascii_case(name)) {
        Some(tier) => Ok(HeaderValue::from_static(tier)),
        None => {
            let problem = format!("`{name}` is no access tier; use `hot`, `cool`, `cold` or `archive`");
            Err(ConfigError::invalid("access_tier", problem))
        }
    }
}

fn encryption_scope(name: &str) -> Result<HeaderValue, ConfigError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match HeaderValue::from_str(name) {
        Ok(value) if (3..=63).contains(&name.len()) && name.bytes().all(is_name) => Ok(value),
        _ => {
            let problem = format!("`{name}` is no encryption scope: 3 to 63 letters, digits, `-` and `_`");
            Err(ConfigError::invalid("encryption_scope", problem))
        }
    }
}

/// In the form of a query string, as the header wants it.
fn tagging(tags: &[String]) -> Result<HeaderValue, ConfigError> {
    let invalid = |problem: String| ConfigError::invalid("index_tags", problem);
    if tags.len() > 10 {
        let problem = format!("a blob has at most 10 index tags, these are {}", tags.len());
        return Err(invalid(problem));
    }
    let mut names = Vec::new();
    let mut pairs = Vec::new();
    for tag in tags {
        let (name, value) = tag
            .split_once('=')
            .ok_or_else(|| invalid(format!("`{tag}` is no tag: write it as `name=value`")))?;
        let allowed = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b" +-./:=_".contains(&byte))
        };
        if !(1..=128).contains(&name.len()) || value.len() > 256 || !allowed(name) || !allowed(value) {
            return Err(invalid(format!(
                "`{tag}` is no index tag: 1 to 128 letters, digits, blanks and `+ - . / : = _`, then `=` and up to 256 of them"
            )));
        }
        if names.contains(&name) {
            return Err(invalid(format!("`{name}` is there twice")));
        }
        names.push(name);
        pairs.push(format!("{}={}", percent_encoded(name), percent_encoded(value)));
    }
    HeaderValue::try_from(pairs.join("&")).map_err(|error| invalid(error.to_string()))
}
