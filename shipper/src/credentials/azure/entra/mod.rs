//! Entra ID: tokens of an application or a managed identity, by Microsoft's own crate, put into requests.
//!
//! # In scope
//! Client secret, client certificate, workload identity (a federated token in a file), managed identity (VM, App Service),
//! Azure CLI for a developer. Which of them is decided by the configuration, not by trying.
//!
//! # Out of scope
//! Managed identities that the crate does not know (Azure Arc, Service Fabric, Cloud Shell): refused by name.
//!
//! # Invariants
//! 1. Nobody else's identity is ever taken: what is configured and cannot be used is an error.
//! 2. The crate's credential is made anew for each fetch: what its files say now counts. The token is kept here, renewed
//!    [`MARGIN`] before its end by one thread; until it has ended, and while renewing fails, the old one is used.
//!
//! What says where the managed identity is (`IDENTITY_ENDPOINT` and its like) the crate reads from the process' environment
//! itself; the Azure CLI runs in that environment too.

mod certificate;
mod client;
mod explain;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, header};
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport as AzureTransport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};

use self::certificate::Certificate;
use self::client::Client;
use crate::config::Environment;
use crate::credentials::CredentialError;
use crate::credentials::cache::{Cache, Expiring};
use crate::credentials::web::{Web, metadata_transport};
use crate::destination::azure::error_code;
use crate::destination::connection::RawConnection;
use crate::secret::{Exposed, Secret};
use crate::time::{Clock, Timestamp};
use crate::transport::authorized::{Authorize, Renewal};
use crate::transport::{SendError, Transport};

/// How long before its end a token is renewed, as Microsoft's own libraries do.
pub const MARGIN: Duration = Duration::from_secs(300);

/// How long a metadata service is waited for: it is one hop away, or not there.
const METADATA_CONNECT: Duration = Duration::from_secs(3);

/// Whose tokens.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Identity {
    /// By what.
    pub method: Method,
    /// Entra ID's URL, as `https://login.microsoftonline.com`.
    pub authority: String,
    /// How Entra ID is reached; the proxy is chosen for it.
    pub connection: RawConnection,
    /// Where the proxy is looked up.
    pub environment: Environment,
}

/// By what an identity proves itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "made by configurations")]
pub enum Method {
    /// An application with its secret.
    ClientSecret {
        /// Whose.
        application: Application,
        /// The secret.
        secret: Secret,
    },
    /// An application with its certificate.
    ClientCertificate {
        /// Whose.
        application: Application,
        /// PEM: the certificate and its private key.
        file: PathBuf,
    },
    /// An application with a token that somebody else gives, as Kubernetes.
    WorkloadIdentity {
        /// Whose.
        application: Application,
        /// The file in which the token is put.
        file: PathBuf,
    },
    /// What this machine is.
    ManagedIdentity(Option<Assigned>),
    /// Who is logged in to the Azure CLI.
    AzureCli {
        /// In place of the CLI's own.
        tenant: Option<String>,
    },
}

/// An application in a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Application {
    /// The tenant's id or name.
    pub tenant: String,
    /// The application's (client's) id.
    pub client: String,
}

/// Which of several managed identities of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "made by configurations")]
pub enum Assigned {
    /// By its client id.
    Client(String),
    /// By its object id.
    Object(String),
    /// By its resource id.
    Resource(String),
}

impl Method {
    /// For a person.
    fn source(&self) -> String {
        match self {
            Self::ClientSecret { application, .. } => {
                format!("Entra ID, with the secret of {}", application.client)
            }
            Self::ClientCertificate { application, .. } => {
                format!("Entra ID, with the certificate of {}", application.client)
            }
            Self::WorkloadIdentity { application, file } => format!(
                "Entra ID, as the workload {} ({})",
                application.client,
                file.display()
            ),
            Self::ManagedIdentity(None) => String::from("this machine's managed identity"),
            Self::ManagedIdentity(Some(
                Assigned::Client(id) | Assigned::Object(id) | Assigned::Resource(id),
            )) => format!("the managed identity {id}"),
            Self::AzureCli { .. } => String::from("the Azure CLI"),
        }
    }
}

/// Puts tokens for one service into requests. See the module.
pub struct Entra {
    identity: Identity,
    scope: String,
    client: Client,
    clock: Arc<dyn Clock>,
    tokens: Cache<Exposed>,
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entra")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Entra {
    /// Tokens of `identity` for `scope`, as `https://storage.azure.com/.default`. Opens nothing: tokens are fetched at the
    /// first request.
    ///
    /// # Errors
    /// [`SendError`]: no client can be made.
    pub fn new(identity: Identity, scope: &str, clock: Arc<dyn Clock>) -> Result<Self, SendError> {
        let web = Web::new(identity.connection.clone(), identity.environment.clone());
        let direct = metadata_transport(METADATA_CONNECT)?;
        Ok(Self::over(
            identity,
            scope,
            clock,
            Arc::new(web),
            Arc::new(direct),
        ))
    }

    /// The same, by way of `web` to Entra ID and of `direct` to metadata services.
    pub(crate) fn over(
        identity: Identity,
        scope: &str,
        clock: Arc<dyn Clock>,
        web: Arc<dyn Transport>,
        direct: Arc<dyn Transport>,
    ) -> Self {
        Self {
            identity,
            scope: scope.to_owned(),
            client: Client { web, direct },
            tokens: Cache::new(clock.clone(), MARGIN),
            clock,
        }
    }

    fn fetch(&self) -> Result<Expiring<Exposed>, CredentialError> {
        let refused = |reason: String| CredentialError::Refused {
            source: self.identity.method.source(),
            reason,
        };
        let explain = |error: azure_core::Error| self.identity.explain(&error);
        if let Method::ClientSecret { secret, .. } = &self.identity.method {
            secret.expose().map_err(|error| refused(error.to_string()))?;
        }
        let credential = self.credential().map_err(explain)?;
        // Every future of the crate is ready, or is made so by a thread of its own: no runtime is needed.
        let token = pollster::block_on(credential.get_token(&[&self.scope], None)).map_err(explain)?;
        let until = i64::try_from(token.expires_on.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        let value = token.token.secret().to_owned();
        if value.is_empty() {
            return Err(refused(String::from("the answer has no token in it")));
        }
        Ok(Expiring {
            value: Exposed::new(value),
            until: Some(Timestamp(until)),
        })
    }

    /// The crate's own, made anew.
    fn credential(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let client_options = self.options();
        Ok(match &self.identity.method {
            Method::ClientSecret { application, secret } => {
                // That it can be had was seen a moment ago.
                let secret = secret.expose().map(|secret| secret.value().to_owned());
                ClientSecretCredential::new(
                    &application.tenant,
                    application.client.clone(),
                    secret.unwrap_or_default().into(),
                    Some(ClientSecretCredentialOptions { client_options }),
                )?
            }
            Method::ClientCertificate { application, file } => {
                let assertion = Certificate {
                    file: file.clone(),
                    client_id: application.client.clone(),
                    audience: format!(
                        "{}/{}/oauth2/v2.0/token",
                        self.identity.authority, application.tenant
                    ),
                    now: self.clock.wall(),
                };
                ClientAssertionCredential::new(
                    application.tenant.clone(),
                    application.client.clone(),
                    assertion,
                    Some(ClientAssertionCredentialOptions { client_options }),
                )?
            }
            Method::WorkloadIdentity { application, file } => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: Some(application.client.clone()),
                    tenant_id: Some(application.tenant.clone()),
                    token_file_path: Some(file.clone()),
                }))?
            }
            Method::ManagedIdentity(assigned) => {
                let user_assigned_id = assigned.clone().map(|assigned| match assigned {
                    Assigned::Client(id) => UserAssignedId::ClientId(id),
                    Assigned::Object(id) => UserAssignedId::ObjectId(id),
                    Assigned::Resource(id) => UserAssignedId::ResourceId(id),
                });
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id,
                    client_options,
                }))?
            }
            Method::AzureCli { tenant } => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                tenant_id: tenant.clone(),
                ..AzureCliCredentialOptions::default()
            }))?,
        })
    }

    fn options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.identity.authority);
        ClientOptions {
            transport: Some(AzureTransport::new(Arc::new(self.client.clone()))),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(cloud.into())),
            ..ClientOptions::default()
        }
    }
}

impl Authorize for Entra {
    fn authorize(&self, _: &Request<Vec<u8>>, _: Timestamp) -> Result<HeaderMap, CredentialError> {
        let token = self.tokens.value(|| self.fetch())?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.value())).map_err(|_| {
            CredentialError::Refused {
                source: self.identity.method.source(),
                reason: String::from("the token has characters that no header may have"),
            }
        })?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        match response.status().as_u16() {
            401 => true,
            403 => matches!(
                error_code(response).as_str(),
                "AuthenticationFailed" | "InvalidAuthenticationInfo"
            ),
            _ => false,
        }
    }

    fn renew(&self) -> Renewal {
        self.tokens.renew(|| self.fetch())
    }
}
