//! Our own certificate. Pure: the files are read when a connection is made ready.

use std::path::PathBuf;

use crate::destination::config::{ConfigError, absolute};
use crate::transport::http::Identity;

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct RawCertificate {
    /// PEM file of our certificate, followed by its intermediates.
    cert_file: Option<PathBuf>,
    /// PEM file of our private key.
    key_file: Option<PathBuf>,
}

impl RawCertificate {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &["cert_file", "key_file"];

    /// Both files, or none.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(in crate::destination) fn validate(self) -> Result<Option<Identity>, ConfigError> {
        match (self.cert_file, self.key_file) {
            (None, None) => Ok(None),
            (Some(cert_file), Some(key_file)) => Ok(Some(Identity {
                cert_file: absolute("cert_file", cert_file)?,
                key_file: absolute("key_file", key_file)?,
            })),
            (Some(_), None) => Err(ConfigError::Missing {
                key: "key_file",
                expected: "the PEM file of the private key that belongs to `cert_file`",
            }),
            (None, Some(_)) => Err(ConfigError::Missing {
                key: "cert_file",
                expected: "the PEM file of the certificate that belongs to `key_file`",
            }),
        }
    }
}
