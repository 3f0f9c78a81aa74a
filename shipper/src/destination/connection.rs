//! The keys that say how a receiver is reached, the same for every kind that is reached by HTTP. Pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ::http::Uri;

use super::config::{ConfigError, absolute};
use crate::config::{Age, Environment};
use crate::transport::http::{Options, Proxy, Timeouts};

/// The keys as they are written.
#[derive(Clone, Default, PartialEq, serde::Deserialize)]
pub struct RawConnection {
    /// PEM file of the authorities that may sign the receiver's certificate, in place of the system's.
    ca_file: Option<PathBuf>,
    /// URL of an HTTP proxy, or `none`; default what the environment says. It may hold a user and a password; a secret.
    proxy: Option<String>,
    /// To find the host and connect, TLS included; default 10s.
    connect_timeout: Option<Age>,
    /// To send one request; default 60s.
    send_timeout: Option<Age>,
    /// From the end of the request to the end of the response; default 60s.
    response_timeout: Option<Age>,
    /// For the whole of a request; default 2m.
    timeout: Option<Age>,
}

/// Without what may be secret: the URL of a proxy may hold a password.
impl fmt::Debug for RawConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawConnection")
            .field("ca_file", &self.ca_file)
            .field("proxy", &self.proxy.as_ref().map(|_| "[redacted]"))
            .finish_non_exhaustive()
    }
}

impl RawConnection {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "ca_file",
        "proxy",
        "connect_timeout",
        "send_timeout",
        "response_timeout",
        "timeout",
    ];

    /// How `target` is reached. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, target: &Uri, environment: &Environment) -> Result<Options, ConfigError> {
        let defaults = Timeouts::default();
        let or =
            |given: Option<Age>, key, default| positive(given, key).map(|given| given.unwrap_or(default));
        let timeouts = Timeouts {
            connect: or(self.connect_timeout, "connect_timeout", defaults.connect)?,
            send: or(self.send_timeout, "send_timeout", defaults.send)?,
            response: or(self.response_timeout, "response_timeout", defaults.response)?,
            total: or(self.timeout, "timeout", defaults.total)?,
        };
        Ok(Options {
            timeouts,
            ca_file: self.ca_file.map(|path| absolute("ca_file", path)).transpose()?,
            identity: None,
            proxy: Proxy::choose(self.proxy.as_deref(), target, environment)
                .map_err(|error| ConfigError::invalid("proxy", error))?,
            headers: Vec::new(),
            parameters: Vec::new(),
        })
    }
}

fn positive(given: Option<Age>, key: &'static str) -> Result<Option<Duration>, ConfigError> {
    match given {
        Some(Age(Duration::ZERO)) => Err(ConfigError::invalid(key, "must be longer than nothing, as 30s")),
        Some(Age(time)) => Ok(Some(time)),
        None => Ok(None),
    }
}
