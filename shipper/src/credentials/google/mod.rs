//! Google: tokens of whoever this host is there, found where Google's own tools look, and put into requests.
//!
//! # In scope
//! Application Default Credentials in their order: a file that is named, gcloud's file, the metadata server. Files of type
//! `service_account` (a token that is signed here: no request), `authorized_user`, `external_account` (federation, by
//! file, URL or AWS) and `impersonated_service_account`.
//!
//! # Out of scope
//! Programs that print tokens: refused. What a refusal means for a batch ([`crate::destination`]).
//!
//! # Invariants
//! 1. A file that is named and cannot be used is an error, never a reason to be somebody else.
//! 2. A file that changes is read again at the next request; while the new one cannot be used (it may be half written), the
//!    old one's identity goes on as long as its token holds.
//! 3. A token is renewed [`MARGIN`] before its end: the metadata server gives out the same one until 4 to 5 minutes before
//!    it, so that more would be asked for in vain.
//! 4. Metadata servers are reached without a proxy and believed only with their header.

mod answer;
mod aws_subject;
mod external;
mod file;
mod jwt;
mod metadata;
mod place;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::json;

use self::file::{AuthorizedUser, File, Impersonation, Kind, ServiceAccount};
use self::place::Place;
use super::CredentialError;
use super::cache::{Cache, Expiring};
use super::web::{Web, metadata_transport};
use crate::config::Environment;
use crate::destination::connection::RawConnection;
use crate::secret::Exposed;
use crate::stamp::Stamp;
use crate::time::{Clock, Timestamp};
use crate::transport::authorized::{Authorize, Renewal};
use crate::transport::{SendError, Transport};

pub use file::DEFAULT_UNIVERSE;
pub use metadata::MetadataServer;

/// How long before its end a token is renewed, as Google's own libraries do.
pub const MARGIN: Duration = Duration::from_secs(225);

/// What Google's own libraries wait for a metadata service.
pub const METADATA_CONNECT: Duration = Duration::from_secs(3);

/// What a token that is exchanged for another one is for.
const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Whose tokens: what the configuration says beside the usual places.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Identity {
    /// A credential file, in place of the usual ones.
    pub credentials_file: Option<PathBuf>,
    /// The project that pays and whose quota counts, in place of the file's.
    pub quota_project: Option<String>,
    /// How token endpoints are reached; the proxy is chosen for each.
    pub connection: RawConnection,
    /// Where variables are looked up.
    pub environment: Environment,
}

/// What a credential file says beside who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The project of a service account's key.
    pub project_id: Option<String>,
    /// The domain of its APIs.
    pub universe_domain: Option<String>,
}

impl Identity {
    /// What the credential file says, read now; nothing when there is none.
    ///
    /// # Errors
    /// [`CredentialError`]: there is a file, and it cannot be used.
    pub fn facts(&self) -> Result<Facts, CredentialError> {
        match Place::find(self) {
            Place::File { path, named_by } => file::read(&path, named_by).map(|file| Facts {
                project_id: file.project_id,
                universe_domain: file.universe_domain,
            }),
            Place::Metadata { .. } => Ok(Facts {
                project_id: None,
                universe_domain: None,
            }),
        }
    }
}

/// Puts tokens for one scope into requests. See the module.
pub struct Google {
    identity: Identity,
    scope: &'static str,
    outside: Outside,
    loaded: Mutex<Option<Loaded>>,
}

/// What a fetch needs of outside.
struct Outside {
    web: Arc<dyn Transport>,
    /// Without a proxy.
    direct: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    environment: Environment,
}

/// Who we are at the moment, and of which version of which file that was read.
struct Loaded {
    place: Place,
    stamp: Option<Stamp>,
    source: Arc<Source>,
    /// Why the file as it is now cannot be used; the source is then still the one of before.
    problem: Option<CredentialError>,
}

/// Whatever gives tokens.
struct Source {
    kind: SourceKind,
    quota_project: Option<String>,
}

enum SourceKind {
    /// Signed here: the last token, from when, and until when.
    SelfSigned {
        account: ServiceAccount,
        last: Mutex<Option<Signed>>,
    },
    /// Fetched, from what a file says.
    Fetched { kind: Kind, tokens: Cache<Exposed> },
    /// Fetched from the metadata server.
    Metadata {
        server: MetadataServer,
        looked_for: String,
        tokens: Cache<Exposed>,
    },
}

struct Signed {
    token: Exposed,
    at: Timestamp,
    until: Timestamp,
}

impl Google {
    /// Tokens of `identity` for `scope`. Opens nothing: credentials are looked for at the first request.
    ///
    /// # Errors
    /// [`SendError`]: no client can be made.
    pub fn new(identity: Identity, scope: &'static str, clock: Arc<dyn Clock>) -> Result<Self, SendError> {
        let web = Web::new(identity.connection.clone(), identity.environment.clone());
        let direct = Arc::new(metadata_transport(METADATA_CONNECT)?);
        Ok(Self::over(identity, scope, clock, Arc::new(web), direct))
    }

    /// The same, by way of `web` to token endpoints and of `direct` to metadata servers.
    pub(crate) fn over(
        identity: Identity,
        scope: &'static str,
        clock: Arc<dyn Clock>,
        web: Arc<dyn Transport>,
        direct: Arc<dyn Transport>,
    ) -> Self {
        Self {
            outside: Outside {
                web,
                direct,
                clock,
                environment: identity.environment.clone(),
            },
            identity,
            scope,
            loaded: Mutex::new(None),
        }
    }

    /// The source, read again when its file has changed.
    fn source(&self) -> Result<Loaded, CredentialError> {
        let place = Place::find(&self.identity);
        let stamp = match &place {
            Place::File { path, .. } => Some(Stamp::of(path)),
            Place::Metadata { .. } => None,
        };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = |loaded: &&mut Loaded| loaded.place == place && loaded.stamp == stamp;
        if let Some(loaded) = loaded.as_mut().filter(is_current) {
            return Ok(loaded.clone());
        }
        let (source, problem) = match (self.read(&place), loaded.as_ref()) {
            (Ok(source), _) => (Arc::new(source), None),
            (Err(problem), Some(before)) => (before.source.clone(), Some(problem)),
            (Err(problem), None) => return Err(problem),
        };
        let now = Loaded {
            place,
            stamp,
            source,
            problem,
        };
        *loaded = Some(now.clone());
        Ok(now)
    }

    fn read(&self, place: &Place) -> Result<Source, CredentialError> {
        let tokens = || Cache::new(self.outside.clock.clone(), MARGIN);
        match place {
            Place::File { path, named_by } => {
                let File {
                    kind, quota_project, ..
                } = file::read(path, named_by)?;
                let kind = match kind {
                    Kind::ServiceAccount(account) => SourceKind::SelfSigned {
                        account,
                        last: Mutex::new(None),
                    },
                    kind => SourceKind::Fetched {
                        kind,
                        tokens: tokens(),
                    },
                };
                Ok(Source { kind, quota_project })
            }
            Place::Metadata { looked_for } => Ok(Source {
                kind: SourceKind::Metadata {
                    server: MetadataServer::new(&self.identity.environment, self.outside.direct.clone()),
                    looked_for: looked_for.clone(),
                    tokens: tokens(),
                },
                quota_project: None,
            }),
        }
    }

    /// A token, at `at` by the receiver's clock, and the project that pays.
    fn token(&self, at: Timestamp) -> Result<(Exposed, Option<String>), CredentialError> {
        let loaded = self.source()?;
        let token = match &loaded.source.kind {
            SourceKind::SelfSigned { account, last } => self_signed(account, last, self.scope, at),
            SourceKind::Fetched { tokens, .. } | SourceKind::Metadata { tokens, .. } => {
                tokens.value(|| self.fetch(&loaded.source.kind))
            }
        };
        match (token, loaded.problem) {
            (Ok(token), _) => {
                let variable = self.identity.environment.filled("GOOGLE_CLOUD_QUOTA_PROJECT");
                let quota_project = self
                    .identity
                    .quota_project
                    .clone()
                    .or_else(|| variable.map(str::to_owned))
                    .or_else(|| loaded.source.quota_project.clone());
                Ok((token, quota_project))
            }
            // The old identity has nothing to go on with either: what is wrong is the new file.
            (Err(_), Some(problem)) => Err(problem),
            (Err(error), None) => Err(error),
        }
    }

    fn fetch(&self, kind: &SourceKind) -> Result<Expiring<Exposed>, CredentialError> {
        match kind {
            SourceKind::SelfSigned { account, .. } => base_token(account, self.scope, &self.outside),
            SourceKind::Fetched { kind, .. } => fetch(kind, self.scope, &self.outside),
            SourceKind::Metadata { server, looked_for, .. } => {
                server
                    .token(self.scope, &*self.outside.clock)
                    .map_err(|error| match error {
                        CredentialError::Unreachable { source, reason } => CredentialError::Missing {
                            advice: format!(
                                "{looked_for}, and {source} cannot be reached ({reason}): set `credentials_file` to a \
                                 service account's key, unless this is a VM at Google"
                            ),
                        },
                        other => other,
                    })
            }
        }
    }
}

impl Clone for Loaded {
    fn clone(&self) -> Self {
        Self {
            place: self.place.clone(),
            stamp: self.stamp,
            source: self.source.clone(),
            problem: self.problem.clone(),
        }
    }
}

/// The last token as long as `at` lies well inside it, else a new one. By the receiver's clock, so that a token that was
/// signed before it was known how far ours is off is not used again.
fn self_signed(
    account: &ServiceAccount,
    last: &Mutex<Option<Signed>>,
    scope: &str,
    at: Timestamp,
) -> Result<Exposed, CredentialError> {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(signed) = last.as_ref()
        && signed.at <= at
        && at.plus(MARGIN) < signed.until
    {
        return Ok(signed.token.clone());
    }
    let (token, until) = sign(account, scope, at)?;
    *last = Some(Signed {
        token: token.clone(),
        at,
        until,
    });
    Ok(token)
}

fn sign(
    account: &ServiceAccount,
    scope: &str,
    at: Timestamp,
) -> Result<(Exposed, Timestamp), CredentialError> {
    let claims = jwt::Claims {
        email: &account.email,
        key_id: &account.key_id,
        scope,
    };
    jwt::sign(&account.key, &claims, at).map_err(|reason| CredentialError::Refused {
        source: format!("the key of {}", account.email),
        reason: reason.to_owned(),
    })
}

/// A token of a service account that is exchanged for another one.
fn base_token(
    account: &ServiceAccount,
    scope: &str,
    outside: &Outside,
) -> Result<Expiring<Exposed>, CredentialError> {
    let (value, until) = sign(account, scope, outside.clock.wall())?;
    Ok(Expiring {
        value,
        until: Some(until),
    })
}

fn fetch(kind: &Kind, scope: &str, outside: &Outside) -> Result<Expiring<Exposed>, CredentialError> {
    match kind {
        Kind::ServiceAccount(account) => base_token(account, scope, outside),
        Kind::AuthorizedUser(user) => refresh(user, outside),
        Kind::External(external) => external.token(scope, outside),
        Kind::Impersonated { base, target } => {
            let base = fetch(base, CLOUD_PLATFORM, outside)?;
            impersonate(target, &base.value, scope, outside)
        }
    }
}

/// The scope is the one that the user agreed to: asking for another is an error.
fn refresh(user: &AuthorizedUser, outside: &Outside) -> Result<Expiring<Exposed>, CredentialError> {
    let source = format!("the token endpoint {}", user.token_uri.host().unwrap_or_default());
    let request = answer::form(
        &user.token_uri,
        &[
            ("grant_type", "refresh_token"),
            ("client_id", &user.client_id),
            ("client_secret", user.client_secret.value()),
            ("refresh_token", user.refresh_token.value()),
        ],
    );
    let secrets = [&user.client_secret, &user.refresh_token];
    let advice = "log in again with `gcloud auth application-default login`";
    let response = answer::ask(&*outside.web, &request, &source, &secrets, advice)?;
    answer::access_token(&response, &source, &*outside.clock)
}

/// A token of another service account, for one of ours.
fn impersonate(
    target: &Impersonation,
    base: &Exposed,
    scope: &str,
    outside: &Outside,
) -> Result<Expiring<Exposed>, CredentialError> {
    let body = json!({
        "scope": [scope],
        "lifetime": format!("{}s", target.lifetime),
        "delegates": target.delegates,
    });
    let mut request = answer::json(&target.url, &body);
    request.headers_mut().insert(header::AUTHORIZATION, bearer(base)?);
    let account = target.url.path().rsplit('/').next().unwrap_or_default();
    let account = account.split(':').next().unwrap_or_default();
    let source = format!("impersonating {account}");
    let advice = "grant roles/iam.serviceAccountTokenCreator on that account to whoever the file says we are";
    let response = answer::ask(&*outside.web, &request, &source, &[base], advice)?;
    answer::generated_token(&response, &source, &*outside.clock)
}

fn bearer(token: &Exposed) -> Result<HeaderValue, CredentialError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.value())).map_err(|_| {
        CredentialError::Refused {
            source: String::from("the token"),
            reason: String::from("has characters in it that no header may have"),
        }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Authorize for Google {
    fn authorize(&self, _: &Request<Vec<u8>>, at: Timestamp) -> Result<HeaderMap, CredentialError> {
        let (token, quota_project) = self.token(at)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer(&token)?);
        if let Some(project) = quota_project {
            let value = HeaderValue::from_str(&project).map_err(|_| CredentialError::Refused {
                source: String::from("the quota project"),
                reason: String::from(
                    "is no project id: correct `quota_project` or the file's `quota_project_id`",
                ),
            })?;
            headers.insert("x-goog-user-project", value);
        }
        Ok(headers)
    }

    /// 403 is not one: it says that this identity may not, and another token of it may not either.
    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        response.status() == StatusCode::UNAUTHORIZED
    }

    fn renew(&self) -> Renewal {
        let before = self
            .loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|loaded| loaded.source.clone());
        let Ok(loaded) = self.source() else {
            return Renewal::Same;
        };
        if before.is_some_and(|before| !Arc::ptr_eq(&before, &loaded.source)) {
            return Renewal::Changed;
        }
        match &loaded.source.kind {
            // Another one would say the same; a clock that is off is corrected by the transport.
            SourceKind::SelfSigned { .. } => Renewal::Same,
            SourceKind::Fetched { tokens, .. } | SourceKind::Metadata { tokens, .. } => {
                tokens.renew(|| self.fetch(&loaded.source.kind))
            }
        }
    }
}
