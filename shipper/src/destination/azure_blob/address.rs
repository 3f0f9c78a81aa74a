//! Which URL a container has, and which names accounts and containers may have. Pure.

use ::http::Uri;

use crate::destination::azure::Cloud;
use crate::destination::config::ConfigError;
use crate::destination::endpoint::Endpoint;

/// The URL of a container, without a final slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    uri: Uri,
    container: String,
}

impl Address {
    /// Of `container` of `account`, both valid names; at `endpoint` in place of the cloud's own.
    pub(super) fn new(
        account: &str,
        container: &str,
        cloud: Cloud,
        endpoint: Option<&Endpoint>,
    ) -> Result<Self, ConfigError> {
        let base = match endpoint {
            None => format!("https://{account}.{}", cloud.blob_suffix()),
            Some(endpoint) => {
                let uri = endpoint.uri();
                if uri.query().is_some() {
                    let problem =
                        "the URL of a server has no `?` part: remove it, and give a SAS as `sas_token`";
                    return Err(ConfigError::invalid("endpoint", problem));
                }
                uri.to_string().trim_end_matches('/').to_owned()
            }
        };
        let url = format!("{base}/{container}");
        match url.parse() {
            Ok(uri) => Ok(Self {
                uri,
                container: container.to_owned(),
            }),
            Err(_) => Err(ConfigError::invalid("endpoint", format!("{url} is no URL"))),
        }
    }

    /// The URL of the container.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The container's name.
    pub(super) fn container(&self) -> &str {
        &self.container
    }

    /// The URL of a blob. Names need no escaping: see [`crate::destination::object_name`].
    pub(super) fn blob(&self, name: &str) -> String {
        format!("{}/{name}", self.uri)
    }

    /// Asks for the container's properties.
    pub(super) fn properties(&self) -> String {
        format!("{}?restype=container", self.uri)
    }
}

/// Azure's rules.
pub(super) fn check_account(name: &str) -> Result<(), ConfigError> {
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (3..=24).contains(&name.len()) && name.bytes().all(is_valid) {
        return Ok(());
    }
    let problem = format!(
        "`{name}` is no storage account: its name has 3 to 24 small letters and digits (write a URL into `endpoint`)"
    );
    Err(ConfigError::invalid("account_name", problem))
}

/// Azure's rules.
pub(super) fn check_container(name: &str) -> Result<(), ConfigError> {
    let problem = if name.contains('/') {
        "has a `/` in it: write the container's name alone, and folders into `prefix`"
    } else if !(3..=63).contains(&name.len()) {
        "is not 3 to 63 characters long"
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        "may have small letters, digits and `-` only"
    } else if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        "must begin and end with a letter or a digit, and have no two `-` in a row"
    } else {
        return Ok(());
    };
    Err(ConfigError::invalid(
        "container_name",
        format!("`{name}` {problem}"),
    ))
}
