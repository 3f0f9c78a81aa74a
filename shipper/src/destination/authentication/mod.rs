//! Who sends: the keys that say how we prove it to a collector, the same for every kind that is reached by plain HTTP.
//!
//! # In scope
//! No proof, Basic, a bearer token, an API key, a secret in the query string, headers with secrets, AWS's signature, tokens
//! of an OAuth 2.0 server, and a client certificate beside any of them. What is fixed is put in by [`crate::transport::http`] at each sending; what is
//! fetched or signed is by [`crate::transport::authorized`].
//!
//! # Out of scope
//! What a refusal means for a batch ([`crate::destination`]); the clouds' own destinations, which have one way each.
//!
//! # Invariants
//! 1. No request as a destination encodes it holds a secret, so that none is journalled.
//! 2. No secret is in a `Debug` form or an error.
//! 3. A key that the chosen way has no use for is an error: who believes to be authenticated is.

mod certificate;
mod config;
mod headers;
mod oauth2;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::HeaderValue;

pub use certificate::RawCertificate;
pub use config::RawAuthentication;
pub use oauth2::RawOAuth2;

use super::config::{ConfigError, wire};
use super::connection::RawConnection;
use crate::config::Environment;
use crate::credentials::aws::{self, Signer};
use crate::credentials::oauth2::{Client, Grant, OAuth2};
use crate::credentials::web::Web;
use crate::time::{Clock, SystemClock};
use crate::transport::Transport;
use crate::transport::authorized::{Authorize, AuthorizedTransport};
use crate::transport::http::{Identity, Options, SecretHeader, SecretParameter};

/// A validated way to prove who sends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Authentication {
    /// Sent with every request, `Authorization` included where it is fixed.
    headers: Vec<SecretHeader>,
    parameters: Vec<SecretParameter>,
    certificate: Option<Identity>,
    /// What is made for each sending.
    made: Made,
    /// Who sends, as far as that is no secret: it may decide where records land.
    account: Option<String>,
}

/// What is fetched or computed for a sending.
#[derive(Clone, Debug, Default, PartialEq)]
enum Made {
    /// Nothing.
    #[default]
    Nothing,
    /// AWS's signature.
    AwsSignature {
        service: String,
        region: String,
        identity: Box<aws::Identity>,
    },
    /// A token of an OAuth 2.0 server.
    Token(Box<Granted>),
}

/// Tokens of an OAuth 2.0 server: whose, and how the server is reached.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "made here, read by the command line")]
pub struct Granted {
    /// The registered client.
    pub client: Client,
    /// By what right.
    pub grant: Grant,
    /// How the server is reached; the proxy is chosen for it.
    pub connection: RawConnection,
    /// Where the proxy is named, unless `connection` names one.
    pub environment: Environment,
}

impl Granted {
    /// The way to the authorization server.
    pub fn web(&self) -> Web {
        Web::new(self.connection.clone(), self.environment.clone())
    }
}

impl Authentication {
    /// Who sends, where that is told in so many words: a part of a destination's fingerprint.
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The tokens of an OAuth 2.0 server by which it is proven, if it is.
    pub fn granted(&self) -> Option<&Granted> {
        match &self.made {
            Made::Token(granted) => Some(granted),
            Made::Nothing | Made::AwsSignature { .. } => None,
        }
    }

    /// Takes `granted` for the way to prove it.
    fn token(
        &mut self,
        (client, grant): (Client, Grant),
        connection: &RawConnection,
        environment: &Environment,
    ) {
        self.account = Some(client.id.clone());
        self.made = Made::Token(Box::new(Granted {
            client,
            grant,
            connection: connection.clone(),
            environment: environment.clone(),
        }));
    }

    /// The name that AWS's signature is made for, where there is one.
    pub(super) fn aws_service(&self) -> Option<&str> {
        match &self.made {
            Made::AwsSignature { service, .. } => Some(service),
            _ => None,
        }
    }

    /// `options` with what every request carries.
    pub(super) fn options(&self, options: Options) -> Options {
        Options {
            identity: self.certificate.clone(),
            headers: [options.headers, self.headers.clone()].concat(),
            parameters: [options.parameters, self.parameters.clone()].concat(),
            ..options
        }
    }

    /// The way to a collector that is reached as `options` say. Reads certificates and keys, connects to nothing.
    ///
    /// # Errors
    /// [`ConfigError`] when a certificate or key cannot be read or does not fit.
    pub(super) fn transport(&self, options: &Options) -> Result<Arc<dyn Transport>, ConfigError> {
        let wire = wire(self.options(options.clone()))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let authorize: Arc<dyn Authorize> = match &self.made {
            Made::Nothing => return Ok(Arc::new(wire)),
            Made::AwsSignature {
                service,
                region,
                identity,
            } => {
                let keys = aws::provider(identity, region, clock.clone());
                Arc::new(Signer::new(
                    keys,
                    aws::Service::Configured(service.clone()),
                    region,
                ))
            }
            Made::Token(granted) => Arc::new(OAuth2::new(
                granted.client.clone(),
                &granted.grant,
                Arc::new(granted.web()),
                clock.clone(),
            )),
        };
        Ok(Arc::new(AuthorizedTransport::new(
            Arc::new(wire),
            authorize,
            clock,
        )))
    }
}

/// A header's value as it stands in a configuration, where it is no secret.
fn plain_value(name: &str, value: &str) -> Result<HeaderValue, ConfigError> {
    HeaderValue::from_str(value).map_err(|_| {
        let problem = format!("{name}: the value has characters that no header may have");
        ConfigError::invalid("header", problem)
    })
}
