//! The keys of tokens from an OAuth 2.0 server. Pure.

use std::path::PathBuf;

use super::config::secret;
use crate::config::Environment;
use crate::credentials::oauth2::login::Consent;
use crate::credentials::oauth2::{Client, ClientAuthentication, Grant};
use crate::destination::config::{ConfigError, Many, absolute};
use crate::destination::endpoint::{Endpoint, EndpointError, Plaintext};

/// The keys as they are written.
#[derive(Clone, Default, PartialEq, serde::Deserialize)]
pub struct RawOAuth2 {
    /// Where tokens are had.
    oauth_token_url: Option<String>,
    /// The registered client's id.
    oauth_client_id: Option<String>,
    /// Its secret; a public client has none.
    oauth_client_secret: Option<String>,
    /// Where a request has id and secret: `header` (default) or `body`.
    oauth_client_auth: Option<String>,
    /// What is asked for: a list, or one text.
    oauth_scope: Option<Many>,
    /// For whom the token is, where the server wants to know.
    oauth_audience: Option<String>,
    /// For which resource the token is (RFC 8707).
    oauth_resource: Option<String>,
    /// The page that asks a person.
    oauth_authorization_url: Option<String>,
    /// What that page is told beside, as `access_type=offline`.
    oauth_parameters: Option<Many>,
    /// Where `auditship oauth2 login` keeps the login.
    oauth_token_file: Option<PathBuf>,
}

/// The keys of every grant.
pub(super) const COMMON: [&str; 7] = [
    "oauth_token_url",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_client_auth",
    "oauth_scope",
    "oauth_audience",
    "oauth_resource",
];

/// The keys of a person's login.
pub(super) const LOGIN: [&str; 3] = ["oauth_authorization_url", "oauth_parameters", "oauth_token_file"];

/// The parameters that protect a login, or that are told by keys of their own.
const RESERVED: [&str; 9] = [
    "audience",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "resource",
    "response_type",
    "scope",
    "state",
];

impl RawOAuth2 {
    /// The keys that are set.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let given = [
            self.oauth_token_url.is_some(),
            self.oauth_client_id.is_some(),
            self.oauth_client_secret.is_some(),
            self.oauth_client_auth.is_some(),
            self.oauth_scope.is_some(),
            self.oauth_audience.is_some(),
            self.oauth_resource.is_some(),
            self.oauth_authorization_url.is_some(),
            self.oauth_parameters.is_some(),
            self.oauth_token_file.is_some(),
        ];
        let keys = COMMON.iter().chain(&LOGIN).zip(given);
        keys.filter(|(_, given)| *given).map(|(key, _)| *key).collect()
    }

    /// Client and grant of `auth = "oauth2_client_credentials"`.
    pub(super) fn client_credentials(
        self,
        environment: &Environment,
    ) -> Result<(Client, Grant), ConfigError> {
        if self.oauth_client_secret.is_none() {
            return Err(ConfigError::Missing {
                key: "oauth_client_secret",
                expected: "the client's secret, `env:NAME` or `file:PATH`",
            });
        }
        Ok((self.client(environment)?, Grant::ClientCredentials))
    }

    /// Client and grant of `auth = "oauth2_authorization_code"`.
    pub(super) fn authorization_code(
        mut self,
        environment: &Environment,
    ) -> Result<(Client, Grant), ConfigError> {
        let page = self.oauth_authorization_url.take();
        let page = page.ok_or(ConfigError::Missing {
            key: "oauth_authorization_url",
            expected: "the page that asks a person, as `https://login.example.com/authorize`",
        })?;
        let file = self.oauth_token_file.take().ok_or(ConfigError::Missing {
            key: "oauth_token_file",
            expected: "where the login is kept, as `/var/lib/auditship/siem.token`",
        })?;
        let token_file = absolute("oauth_token_file", file)?;
        if token_file.file_name().and_then(std::ffi::OsStr::to_str).is_none() {
            let problem = format!("{} is no file's name", token_file.display());
            return Err(ConfigError::invalid("oauth_token_file", problem));
        }
        let parameters = self
            .oauth_parameters
            .take()
            .map(|many| many.0)
            .unwrap_or_default();
        let consent = Consent {
            authorization_url: url("oauth_authorization_url", &page)?,
            parameters: parameters
                .iter()
                .map(|text| parameter(text))
                .collect::<Result<_, _>>()?,
            token_file,
        };
        Ok((self.client(environment)?, Grant::AuthorizationCode(consent)))
    }

    fn client(self, environment: &Environment) -> Result<Client, ConfigError> {
        let token_url = self.oauth_token_url.ok_or(ConfigError::Missing {
            key: "oauth_token_url",
            expected: "where tokens are had, as `https://login.example.com/oauth2/token`",
        })?;
        let id = self.oauth_client_id.filter(|id| !id.is_empty());
        let authentication = match self.oauth_client_auth.as_deref() {
            None | Some("header") => ClientAuthentication::Header,
            Some("body") => ClientAuthentication::Body,
            Some(other) => {
                let problem = format!("`{other}` is no place of a client's secret; use `header` or `body`");
                return Err(ConfigError::invalid("oauth_client_auth", problem));
            }
        };
        let key = "oauth_client_secret";
        let given = self.oauth_client_secret.as_deref();
        if given.is_none() && self.oauth_client_auth.is_some() {
            let problem =
                "says where a secret goes, and there is none: set `oauth_client_secret`, or remove it";
            return Err(ConfigError::invalid("oauth_client_auth", problem));
        }
        Ok(Client {
            token_url: url("oauth_token_url", &token_url)?,
            id: id.ok_or(ConfigError::Missing {
                key: "oauth_client_id",
                expected: "the id that the client was registered with",
            })?,
            secret: given
                .map(|given| secret(key, Some(given), "the secret", environment))
                .transpose()?,
            authentication,
            scope: self
                .oauth_scope
                .map(|scope| scope.0.join(" "))
                .filter(|scope| !scope.is_empty()),
            audience: self.oauth_audience,
            resource: self.oauth_resource,
        })
    }
}

/// A URL to which secrets go: in the clear to this host only, whatever `allow_plaintext` says of records.
fn url(key: &'static str, text: &str) -> Result<Endpoint, ConfigError> {
    Endpoint::parse(text, Plaintext::LoopbackOnly).map_err(|error| match error {
        EndpointError::Plaintext { host } => {
            let problem = format!("http:// would send secrets to {host} in the clear: use https://");
            ConfigError::invalid(key, problem)
        }
        error => ConfigError::invalid(key, error),
    })
}

fn parameter(text: &str) -> Result<(String, String), ConfigError> {
    let invalid = |problem: String| Err(ConfigError::invalid("oauth_parameters", problem));
    match text.split_once('=') {
        Some((name, _)) if RESERVED.contains(&name) => {
            invalid(format!("`{name}` is set by the login itself: remove it"))
        }
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => invalid(format!("{text:?} is no parameter: write `access_type=offline`")),
    }
}
