//! The keys of a `gcs` destination.

use super::address::{Address, check_bucket};
use crate::config::Environment;
use crate::credentials::google::Identity;
use crate::destination::config::{ConfigError, Flag};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::destination::google::RawGoogle;
use crate::destination::object::{Layout, RawObject};
use crate::transport::http::Options;

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct RawConfig {
    /// The bucket's name.
    bucket: Option<String>,
    /// A regional endpoint, as `europe-west3`: requests stay in that region. Default Google's global endpoint.
    location: Option<String>,
    /// URL in place of Google's: an emulator, a gateway, Private Service Connect.
    endpoint: Option<String>,
    /// Allows an `http://` endpoint on another host. Default false.
    allow_plaintext: Option<Flag>,
    /// As `NEARLINE` or `ARCHIVE`; default what the bucket has.
    storage_class: Option<String>,
    /// The key that encrypts, as `projects/P/locations/L/keyRings/R/cryptoKeys/K`; default what the bucket has.
    kms_key: Option<String>,
    /// As whom.
    #[serde(flatten)]
    google: RawGoogle,
    /// What an object's `customTime` is, which rules of its life cycle may count from: `latest` (default) or `earliest` event
    /// time, `made_at`, or `none`.
    custom_time: Option<String>,
    /// Names and bodies.
    #[serde(flatten)]
    object: RawObject,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `gcs` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) address: Address,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) layout: Layout,
    pub(super) storage_class: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) custom_time: CustomTime,
    pub(super) identity: Identity,
    pub(super) options: Options,
}

/// What an object's `customTime` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CustomTime {
    Latest,
    Earliest,
    MadeAt,
    None,
}

impl RawConfig {
    /// The names of the keys of its own; those of the connection come to these.
    pub fn keys() -> Vec<&'static str> {
        let own = [
            "bucket",
            "location",
            "endpoint",
            "allow_plaintext",
            "storage_class",
            "kms_key",
            "custom_time",
        ];
        [&own, RawObject::KEYS].concat()
    }

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let bucket = self.bucket.ok_or(ConfigError::Missing {
            key: "bucket",
            expected: "the name of the bucket",
        })?;
        check_bucket(&bucket)?;
        let plaintext = Plaintext::from(self.allow_plaintext);
        let invalid = |key, problem: String| Err(ConfigError::invalid(key, problem));
        let endpoint = self
            .endpoint
            .as_deref()
            .or_else(|| environment.filled("STORAGE_EMULATOR_HOST"))
            .map(|url| Endpoint::parse(url, plaintext))
            .transpose()
            .map_err(|error| ConfigError::invalid("endpoint", error))?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let base = match (&endpoint, self.location) {
            (None, None) => String::from("https://storage.googleapis.com"),
            (None, Some(location)) if !location.is_empty() && location.bytes().all(is_name) => {
                format!("https://storage.{location}.rep.googleapis.com")
            }
            (None, Some(location)) => {
                return invalid(
                    "location",
                    format!("`{location}` is no region: write it as `europe-west3`"),
                );
            }
            (Some(_), Some(_)) => {
                return invalid(
                    "location",
                    String::from("and `endpoint` exclude each other: remove one of them"),
                );
            }
            (Some(endpoint), None) => {
                let uri = endpoint.uri();
                if uri.query().is_some() {
                    return invalid(
                        "endpoint",
                        String::from("the URL of a server has no `?` part: remove it"),
                    );
                }
                uri.to_string().trim_end_matches('/').to_owned()
            }
        };
        if let Some(class) = &self.storage_class {
            let is_class = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            if class.is_empty() || !class.bytes().all(is_class) {
                return invalid(
                    "storage_class",
                    format!("`{class}` is no storage class: write it as `NEARLINE`"),
                );
            }
        }
        if let Some(key) = &self.kms_key {
            let parts: Vec<&str> = key.split('/').collect();
            let is_key = matches!(
                parts.as_slice(),
                ["projects", _, "locations", _, "keyRings", _, "cryptoKeys", _]
            );
            if !is_key || parts.contains(&"") {
                let problem = format!(
                    "`{key}` is no key: write it as projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version"
                );
                return invalid("kms_key", problem);
            }
        }
        let custom_time = match self.custom_time.as_deref() {
            None | Some("latest") => CustomTime::Latest,
            Some("earliest") => CustomTime::Earliest,
            Some("made_at") => CustomTime::MadeAt,
            Some("none") => CustomTime::None,
            Some(other) => {
                let problem = format!("`{other}`: use `latest`, `earliest`, `made_at` or `none`");
                return invalid("custom_time", problem);
            }
        };
        let uri = base.parse();
        let uri = uri.map_err(|_| ConfigError::invalid("endpoint", format!("{base} is no URL")))?;
        Ok(Config {
            layout: self.object.validate()?,
            options: self.connection.clone().validate(&uri, environment)?,
            address: Address { base, bucket },
            identity: self.google.validate(self.connection, environment)?,
            endpoint,
            storage_class: self.storage_class,
            kms_key: self.kms_key,
            custom_time,
        })
    }
}
