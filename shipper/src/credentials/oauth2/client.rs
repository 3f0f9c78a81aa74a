//! A client that is registered at an authorization server, and how it asks for tokens.

use ::http::{HeaderMap, HeaderValue, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::answer::{self, Granted};
use crate::credentials::CredentialError;
use crate::credentials::exchange::form;
use crate::destination::endpoint::{Endpoint, percent_encoded};
use crate::secret::{Exposed, Secret};
use crate::time::Clock;
use crate::transport::Transport;

/// A registered client, and what it asks for.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Client {
    /// Where tokens are had.
    pub token_url: Endpoint,
    /// The client's id.
    pub id: String,
    /// Its secret; a public client has none.
    pub secret: Option<Secret>,
    /// Where in a request the secret is.
    pub authentication: ClientAuthentication,
    /// What is asked for, with blanks between.
    pub scope: Option<String>,
    /// For whom the token is, as some servers want it.
    pub audience: Option<String>,
    /// For which resource the token is (RFC 8707).
    pub resource: Option<String>,
}

/// Where in a request a client's id and secret are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6749 has these two")]
pub enum ClientAuthentication {
    /// In `Authorization: Basic`, which every server must know.
    #[default]
    Header,
    /// In the form.
    Body,
}

/// What is asked for.
pub(super) enum Asked<'a> {
    ClientCredentials,
    Refresh(&'a Exposed),
    Code {
        code: &'a Exposed,
        verifier: &'a Exposed,
        redirect_uri: &'a str,
    },
}

impl Client {
    /// Asks for a token, over `web`.
    pub(super) fn ask(
        &self,
        web: &dyn Transport,
        clock: &dyn Clock,
        asked: Asked<'_>,
    ) -> Result<Granted, CredentialError> {
        let host = self.token_url.uri().host().unwrap_or_default();
        let source = format!("the token endpoint {host}");
        let secret = self.secret.as_ref().map(Secret::expose).transpose();
        let secret = secret.map_err(|error| CredentialError::Refused {
            source: String::from("oauth_client_secret"),
            reason: error.to_string(),
        })?;
        let (request, further) = self.request(secret.as_ref(), &asked)?;
        // Its life is counted from before it can have begun.
        let asked_at = clock.wall();
        let response = web
            .send_with(&request, &further)
            .map_err(|error| CredentialError::Unreachable {
                source: source.clone(),
                reason: error.into_reason(),
            })?;
        let mut secrets: Vec<&Exposed> = secret.iter().collect();
        match asked {
            Asked::ClientCredentials => {}
            Asked::Refresh(token) => secrets.push(token),
            Asked::Code { code, verifier, .. } => secrets.extend([code, verifier]),
        }
        answer::granted(&response, &source, &secrets, asked_at)
    }

    /// The request, and the headers that hold a secret.
    fn request(
        &self,
        secret: Option<&Exposed>,
        asked: &Asked<'_>,
    ) -> Result<(Request<Vec<u8>>, HeaderMap), CredentialError> {
        let mut fields = match asked {
            Asked::ClientCredentials => vec![("grant_type", "client_credentials")],
            // Without `scope`: what the person agreed to, no less.
            Asked::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.value())],
            Asked::Code {
                code,
                verifier,
                redirect_uri,
            } => vec![
                ("grant_type", "authorization_code"),
                ("code", code.value()),
                ("code_verifier", verifier.value()),
                ("redirect_uri", redirect_uri),
            ],
        };
        if let (Asked::ClientCredentials, Some(scope)) = (asked, &self.scope) {
            fields.push(("scope", scope));
        }
        fields.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        fields.extend(self.resource.as_deref().map(|resource| ("resource", resource)));
        let mut further = HeaderMap::new();
        match (secret, self.authentication) {
            (Some(secret), ClientAuthentication::Header) => {
                // Each is encoded as in a form first (RFC 6749, 2.3.1).
                let pair = format!(
                    "{}:{}",
                    percent_encoded(&self.id),
                    percent_encoded(secret.value())
                );
                let value = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair)));
                let mut value = value.map_err(|_| CredentialError::Refused {
                    source: String::from("oauth_client_id"),
                    reason: String::from("is too long for a header"),
                })?;
                value.set_sensitive(true);
                further.insert(header::AUTHORIZATION, value);
            }
            (Some(secret), ClientAuthentication::Body) => {
                fields.extend([("client_id", self.id.as_str()), ("client_secret", secret.value())]);
            }
            (None, _) => fields.push(("client_id", &self.id)),
        }
        let mut request = form(self.token_url.uri(), &fields);
        // Some answer with a form otherwise.
        request
            .headers_mut()
            .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok((request, further))
    }
}
