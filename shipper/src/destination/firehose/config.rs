//! The keys of a `firehose` destination.

use super::SERVICE;
use crate::config::Environment;
use crate::destination::aws::{Aws, RawAws};
use crate::destination::config::ConfigError;
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::transport::http::Options;

/// The keys as they are written. Where Fluent Bit's own output has one of the same meaning, it has the same name.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The stream's name.
    delivery_stream: Option<String>,
    /// Where and as whom.
    #[serde(flatten)]
    aws: RawAws,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `firehose` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) stream: String,
    pub(super) aws: Aws,
    pub(super) endpoint: Endpoint,
    pub(super) options: Options,
}

const MAX_NAME: usize = 64;

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &["delivery_stream"];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let stream = self.delivery_stream.ok_or(ConfigError::Missing {
            key: "delivery_stream",
            expected: "the Firehose stream's name, as `audit-to-s3`",
        })?;
        if let Some(problem) = problem(&stream) {
            return Err(ConfigError::invalid("delivery_stream", problem));
        }
        let aws = self.aws.validate(&SERVICE, &self.connection, environment)?;
        // The service's own is https; a given one was judged when it was read.
        let endpoint = Endpoint::parse(&aws.base(&SERVICE)?.to_string(), Plaintext::Anywhere)
            .map_err(|error| ConfigError::invalid("endpoint", error))?;
        Ok(Config {
            stream,
            options: self.connection.validate(endpoint.uri(), environment)?,
            aws,
            endpoint,
        })
    }
}

fn problem(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Some(format!(
            "has {} bytes, but a Firehose stream's name has 1 to {MAX_NAME}",
            name.len()
        ));
    }
    let allowed = |found: &char| found.is_ascii_alphanumeric() || "_.-".contains(*found);
    let found = name.chars().find(|found| !allowed(found))?;
    Some(format!(
        "{name:?} has {found:?} in it: a Firehose stream's name has letters, digits and `_ . -` only"
    ))
}
