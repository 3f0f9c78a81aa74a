//! Where Google's own tools look for credentials (Application Default Credentials), in their order. Reads no file, but
//! looks whether gcloud's is there.

use std::path::PathBuf;

use super::Identity;

/// Where credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file.
    File {
        path: PathBuf,
        /// What names it, for a person.
        named_by: &'static str,
    },
    /// At the metadata server of the VM.
    Metadata {
        /// Where a file was looked for, for a person.
        looked_for: String,
    },
}

impl Place {
    /// The configured file, else that of GOOGLE_APPLICATION_CREDENTIALS, else gcloud's if there is one, else the metadata
    /// server. A file that is named and cannot be used is an error and no reason to look further.
    pub(super) fn find(identity: &Identity) -> Self {
        let environment = &identity.environment;
        if let Some(path) = &identity.credentials_file {
            return Self::File {
                path: path.clone(),
                named_by: "`credentials_file`",
            };
        }
        if let Some(path) = environment.filled("GOOGLE_APPLICATION_CREDENTIALS") {
            return Self::File {
                path: PathBuf::from(path),
                named_by: "GOOGLE_APPLICATION_CREDENTIALS",
            };
        }
        let folder = environment
            .filled("CLOUDSDK_CONFIG")
            .map(PathBuf::from)
            .or_else(|| {
                let home = PathBuf::from(environment.filled("HOME")?);
                Some(home.join(".config/gcloud"))
            });
        let well_known = folder.map(|folder| folder.join("application_default_credentials.json"));
        match well_known {
            Some(path) if path.exists() => Self::File {
                path,
                named_by: "gcloud auth application-default login",
            },
            Some(path) => Self::Metadata {
                looked_for: format!(
                    "`credentials_file` and GOOGLE_APPLICATION_CREDENTIALS are not set, {} does not exist",
                    path.display()
                ),
            },
            None => Self::Metadata {
                looked_for: String::from("`credentials_file` and GOOGLE_APPLICATION_CREDENTIALS are not set"),
            },
        }
    }
}
