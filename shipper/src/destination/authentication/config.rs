//! The keys that say who sends. Pure: secrets in files are read at each sending.

use std::fmt;

use ::http::HeaderValue;
use ::http::header::CONTENT_TYPE;

use super::certificate::RawCertificate;
use super::headers::{Headers, header_name};
use super::oauth2::{self, RawOAuth2};
use super::{Authentication, Made, plain_value};
use crate::config::Environment;
use crate::credentials::aws::{Identity, Variant};
use crate::destination::aws;
use crate::destination::config::ConfigError;
use crate::destination::connection::RawConnection;
use crate::secret::Secret;
use crate::transport::http::{SecretHeader, SecretParameter};

/// The keys as they are written.
#[derive(Clone, Default, PartialEq, serde::Deserialize)]
pub struct RawAuthentication {
    /// One of [`WAYS`]; without it what `username` or `token` imply.
    auth: Option<String>,
    /// Basic: the user, without a colon.
    username: Option<String>,
    /// Basic: the password; a secret.
    password: Option<String>,
    /// The bearer token, the API key or the value of `query_parameter`; a secret.
    token: Option<String>,
    /// In the query string: the parameter's name.
    query_parameter: Option<String>,
    /// Further headers: a table, or `Name: value` texts. Values are secrets: literal, `env:NAME` or `file:PATH`.
    header: Option<Headers>,
    /// AWS: the name that is signed for, as `es`, `aoss` or `execute-api`.
    aws_service: Option<String>,
    /// AWS: as `eu-central-1`; default what `AWS_REGION`, else `AWS_DEFAULT_REGION` says.
    region: Option<String>,
    /// AWS: a profile of the shared configuration files.
    profile: Option<String>,
    /// AWS: a role to assume with the credentials that the chain finds.
    role_arn: Option<String>,
    /// AWS: the external id that the role's trust policy asks for.
    external_id: Option<String>,
    /// Tokens of an OAuth 2.0 server.
    #[serde(flatten)]
    oauth2: RawOAuth2,
    /// Our certificate.
    #[serde(flatten)]
    certificate: RawCertificate,
}

/// Names only: most values may be secrets.
impl fmt::Debug for RawAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAuthentication")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// The ways, and the keys that each has a use for beside `header`, `cert_file` and `key_file`.
const WAYS: &[(&str, &[&[&str]])] = &[
    ("none", &[]),
    ("basic", &[&["username", "password"]]),
    ("bearer", &[&["token"]]),
    ("api_key", &[&["token"]]),
    ("query", &[&["query_parameter", "token"]]),
    (
        "aws",
        &[&["aws_service", "region", "profile", "role_arn", "external_id"]],
    ),
    ("oauth2_client_credentials", &[&oauth2::COMMON]),
    ("oauth2_authorization_code", &[&oauth2::COMMON, &oauth2::LOGIN]),
];

impl RawAuthentication {
    /// The names of the keys, those of [`RawCertificate`] included.
    pub const KEYS: &'static [&'static str] = &[
        "auth",
        "username",
        "password",
        "token",
        "query_parameter",
        "header",
        "aws_service",
        "region",
        "profile",
        "role_arn",
        "external_id",
        "oauth_token_url",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_client_auth",
        "oauth_scope",
        "oauth_audience",
        "oauth_resource",
        "oauth_authorization_url",
        "oauth_parameters",
        "oauth_token_file",
        "cert_file",
        "key_file",
    ];

    /// The content type that `header` names, for a kind that lets it be chosen; for all others it is an error to name one.
    pub(in crate::destination) fn take_content_type(&mut self) -> Result<Option<HeaderValue>, ConfigError> {
        let Some(Headers(headers)) = &mut self.header else {
            return Ok(None);
        };
        let is_content_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str());
        let named: Vec<_> = headers.extract_if(.., |header| is_content_type(header)).collect();
        match named.last() {
            Some((name, value)) => plain_value(name, value).map(Some),
            None => Ok(None),
        }
    }

    /// Turns the keys into a way to prove who sends. `connection` is how those are reached who give credentials. Reads no
    /// file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(in crate::destination) fn validate(
        mut self,
        connection: &RawConnection,
        environment: &Environment,
    ) -> Result<Authentication, ConfigError> {
        let way = self.way()?;
        let headers = self.header.take().unwrap_or_default();
        let mut authentication = Authentication {
            certificate: std::mem::take(&mut self.certificate).validate()?,
            ..Authentication::default()
        };
        match way {
            "basic" => {
                let basic = self.basic(environment)?;
                authentication.account = self.username;
                authentication.headers.push(basic);
            }
            "bearer" => {
                let token = self.token(environment)?;
                authentication.headers.push(SecretHeader::Bearer(token));
            }
            "api_key" => {
                let token = self.token(environment)?;
                authentication.headers.push(SecretHeader::ApiKey(token));
            }
            "query" => authentication.parameters.push(self.parameter(environment)?),
            "aws" => authentication.made = self.aws_signature(connection, environment)?,
            "oauth2_client_credentials" => {
                let granted = self.oauth2.client_credentials(environment)?;
                authentication.token(granted, connection, environment);
            }
            "oauth2_authorization_code" => {
                let granted = self.oauth2.authorization_code(environment)?;
                authentication.token(granted, connection, environment);
            }
            _ => {}
        }
        let authorized = !authentication.headers.is_empty() || authentication.made != Made::Nothing;
        for (name, value) in headers.0 {
            let name = header_name(&name, authorized)?;
            let value = Secret::parse(&value, environment)
                .map_err(|error| ConfigError::invalid("header", format!("{name}: {error}")))?;
            authentication.headers.push(SecretHeader::Plain { name, value });
        }
        Ok(authentication)
    }

    /// The way that is named or implied, by its name in [`WAYS`]. No key is set that it has no use for.
    fn way(&self) -> Result<&'static str, ConfigError> {
        let implied = match (&self.username, &self.token) {
            (None, None) => "none",
            (Some(_), None) => "basic",
            (None, Some(_)) => "bearer",
            (Some(_), Some(_)) => {
                let problem = "`username` and `token` exclude each other: remove one of them";
                return Err(ConfigError::invalid("token", problem));
            }
        };
        let named = self.auth.as_deref().unwrap_or(implied).to_ascii_lowercase();
        let Some((way, used)) = WAYS.iter().find(|(way, _)| *way == named) else {
            let ways: Vec<_> = WAYS.iter().map(|(way, _)| format!("`{way}`")).collect();
            let problem = format!(
                "`{named}` is no way to authenticate; there are {}",
                ways.join(", ")
            );
            return Err(ConfigError::invalid("auth", problem));
        };
        let unused = self.given().into_iter().find(|key| !used.concat().contains(key));
        match unused {
            Some(key) => {
                let problem = format!("`auth = \"{way}\"` does not use it: remove one of them");
                Err(ConfigError::invalid(key, problem))
            }
            None => Ok(way),
        }
    }

    /// The keys that are set and belong to one way or another.
    fn given(&self) -> Vec<&'static str> {
        let texts = [
            ("username", &self.username),
            ("password", &self.password),
            ("token", &self.token),
            ("query_parameter", &self.query_parameter),
            ("aws_service", &self.aws_service),
            ("region", &self.region),
            ("profile", &self.profile),
            ("role_arn", &self.role_arn),
            ("external_id", &self.external_id),
        ];
        let given = texts.into_iter().filter(|(_, value)| value.is_some());
        given.map(|(key, _)| key).chain(self.oauth2.given()).collect()
    }

    fn basic(&self, environment: &Environment) -> Result<SecretHeader, ConfigError> {
        let username = self.username.clone().ok_or(ConfigError::Missing {
            key: "username",
            expected: "the user of basic authentication",
        })?;
        if username.contains(':') || username.contains(char::is_control) {
            let problem = "a user name with a colon or a control character cannot be sent (RFC 7617)";
            return Err(ConfigError::invalid("username", problem));
        }
        let expected = "the password, `env:NAME` or `file:PATH`";
        let password = secret("password", self.password.as_deref(), expected, environment)?;
        Ok(SecretHeader::Basic { username, password })
    }

    fn token(&self, environment: &Environment) -> Result<Secret, ConfigError> {
        let expected = "the token, `env:NAME` or `file:PATH`";
        secret("token", self.token.as_deref(), expected, environment)
    }

    fn parameter(&self, environment: &Environment) -> Result<SecretParameter, ConfigError> {
        let name = self.query_parameter.clone().filter(|name| !name.is_empty());
        Ok(SecretParameter {
            name: name.ok_or(ConfigError::Missing {
                key: "query_parameter",
                expected: "the name of the parameter that `token` is the value of, as `api_key`",
            })?,
            value: self.token(environment)?,
        })
    }

    fn aws_signature(
        self,
        connection: &RawConnection,
        environment: &Environment,
    ) -> Result<Made, ConfigError> {
        let service = self.aws_service.ok_or(ConfigError::Missing {
            key: "aws_service",
            expected: "the name that requests are signed for, as `es`, `aoss` or `execute-api`",
        })?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if service.is_empty() || !service.bytes().all(is_name) {
            let problem = format!("{service:?} is no service: write it as `es`, `aoss` or `execute-api`");
            return Err(ConfigError::invalid("aws_service", problem));
        }
        aws::check_role(self.role_arn.as_deref(), self.external_id.as_deref())?;
        Ok(Made::AwsSignature {
            service,
            region: aws::region(self.region, environment)?,
            identity: Box::new(Identity {
                profile: self.profile,
                role_arn: self.role_arn,
                external_id: self.external_id,
                variant: Variant::default(),
                connection: connection.clone(),
                environment: environment.clone(),
            }),
        })
    }
}

/// The secret that `key` is or names.
pub(super) fn secret(
    key: &'static str,
    value: Option<&str>,
    expected: &'static str,
    environment: &Environment,
) -> Result<Secret, ConfigError> {
    let value = value.ok_or(ConfigError::Missing { key, expected })?;
    Secret::parse(value, environment).map_err(|error| ConfigError::invalid(key, error))
}
