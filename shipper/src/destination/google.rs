//! What the destinations at Google have in common: the keys that say as whom. Pure.

use std::path::PathBuf;

use super::config::{ConfigError, absolute};
use super::connection::RawConnection;
use crate::config::Environment;
use crate::credentials::google::Identity;

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct RawGoogle {
    /// A credential file, in place of where Google's tools look.
    credentials_file: Option<PathBuf>,
    /// The project that pays and whose quota counts.
    quota_project: Option<String>,
}

impl RawGoogle {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &["credentials_file", "quota_project"];

    /// As whom. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(super) fn validate(
        self,
        connection: RawConnection,
        environment: &Environment,
    ) -> Result<Identity, ConfigError> {
        Ok(Identity {
            credentials_file: self
                .credentials_file
                .map(|path| absolute("credentials_file", path))
                .transpose()?,
            quota_project: self.quota_project,
            connection,
            environment: environment.clone(),
        })
    }
}
