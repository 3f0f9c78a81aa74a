//! Tokens of an OAuth 2.0 authorization server (RFC 6749), as a registered client or for a person who logged in once.
//!
//! # In scope
//! Client credentials; the authorization code with PKCE ([`login`], once, by a person) and refresh tokens from then on,
//! rotating or not. One refresh at a time, over all processes that share a token file.
//!
//! # Out of scope
//! Clients that prove themselves with a key (`private_key_jwt`) or a certificate; DPoP; what a refusal means for a batch
//! ([`crate::destination`]).
//!
//! # Invariants
//! 1. *Durable before used.* A server that rotates refresh tokens takes each once: using one twice looks like a theft, and
//!    many servers then revoke the whole login. So what an answer brings is on disk before its access token is used
//!    ([`store`]), and the room for it was taken before it was asked for: a full disk is found while nothing is lost.
//! 2. *One at a time.* A refresh is made only with the lock of the token file, and with what the file holds *then*: who
//!    comes second finds the first one's token there and uses it.
//! 3. A token is renewed [`EARLY`], used until it really expires, and dropped when the receiver answers 401: then another
//!    is fetched, once.
//! 4. A server that is down or says so is tried again; whatever needs a person (a revoked login, a wrong client secret, no
//!    token file) holds the destination.
//!
//! # What a crash or a lost answer may cost
//! Only the server knows a new refresh token from the moment when it makes it until it is synced to disk here. When the
//! process, the machine or the connection ends in between, the file still has the old one, and the next refresh sends
//! that. A server that does not rotate, or lets the last one be used again for a while (many do, for this case), answers
//! it; one that takes it for theft answers `invalid_grant`: the destination is held, its records are kept, and a person logs in
//! again. The protocol leaves a client no better way. At any other moment a crash costs nothing.
//!
//! Runs on the sending thread that needs a token first.

mod answer;
mod client;
pub mod login;
pub mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};

pub use client::{Client, ClientAuthentication};
pub use store::{TokenFile, Tokens};

use super::CredentialError;
use super::cache::{Cache, Expiring, PAUSE};
use crate::secret::Exposed;
use crate::time::{Clock, Timestamp};
use crate::transport::Transport;
use crate::transport::authorized::{Authorize, Renewal};
use store::{Room, Session};

/// How long before its end a token is renewed.
pub const EARLY: Duration = Duration::from_secs(60);

/// How long another process is waited for that refreshes the same token: longer than a request may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// By what right tokens are had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "made by configurations")]
pub enum Grant {
    /// The client's own.
    ClientCredentials,
    /// That of a person who logged in: what came of it is in a file.
    AuthorizationCode(login::Consent),
}

/// Gives access tokens.
pub struct OAuth2 {
    client: Client,
    web: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    tokens: Cache<Exposed>,
    source: Source,
}

enum Source {
    Client,
    Login { file: TokenFile, last: Mutex<Last> },
}

/// What was done with a token file last.
#[derive(Clone, Default)]
struct Last {
    /// The access token, and from where: one that lay in the file was not asked for.
    token: Option<(Exposed, Origin)>,
    unsaved: Option<Box<Unsaved>>,
}

/// What the server gave and the disk did not take: nobody else knows it.
#[derive(Clone)]
struct Unsaved {
    /// What the file held then. When it holds something else now, that counts.
    before: Tokens,
    tokens: Tokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    File,
    Server,
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl OAuth2 {
    /// Tokens for `client` by `grant`, asked for over `web`.
    pub fn new(client: Client, grant: &Grant, web: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let source = match grant {
            Grant::ClientCredentials => Source::Client,
            Grant::AuthorizationCode(consent) => Source::Login {
                file: TokenFile::at(&consent.token_file),
                last: Mutex::default(),
            },
        };
        Self::from(client, source, web, clock)
    }

    fn from(client: Client, source: Source, web: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            web,
            tokens: Cache::new(clock.clone(), EARLY),
            clock,
            source,
        }
    }

    fn fetch(&self) -> Result<Expiring<Exposed>, CredentialError> {
        match &self.source {
            Source::Client => {
                let granted = self
                    .client
                    .ask(&*self.web, &*self.clock, client::Asked::ClientCredentials)?;
                Ok(granted.access)
            }
            Source::Login { file, last } => self.shared(file, last),
        }
    }

    /// What the file holds, when it is another token than the one that is used up, and otherwise what the server gives for
    /// its refresh token.
    fn shared(&self, file: &TokenFile, last: &Mutex<Last>) -> Result<Expiring<Exposed>, CredentialError> {
        let session = session(file, &*self.clock)?;
        let stored = session.read()?;
        stored.check_owner(&self.client, file)?;
        let state = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unsaved = state.unsaved.filter(|unsaved| unsaved.before == stored);
        let (tokens, origin) = match unsaved {
            Some(unsaved) => (self.keep(session.reserve()?, *unsaved, last)?, Origin::Server),
            None if self.is_news(&stored, state.token.as_ref()) => (stored, Origin::File),
            None => (self.refresh(&session, stored, last)?, Origin::Server),
        };
        let access = tokens.access();
        let mut state = last.lock().unwrap_or_else(PoisonError::into_inner);
        state.token = Some((access.value.clone(), origin));
        Ok(access)
    }

    /// Whether somebody else has put a token there that is good for a while.
    fn is_news(&self, stored: &Tokens, last: Option<&(Exposed, Origin)>) -> bool {
        let access = stored.access();
        let is_other = last.is_none_or(|(token, _)| *token != access.value);
        let soon = self.clock.wall().plus(PAUSE);
        is_other && access.until.is_some_and(|until| soon < until)
    }

    fn refresh(
        &self,
        session: &Session,
        stored: Tokens,
        last: &Mutex<Last>,
    ) -> Result<Tokens, CredentialError> {
        let room = session.reserve()?;
        let asked = client::Asked::Refresh(stored.refresh_token());
        let granted = match self.client.ask(&*self.web, &*self.clock, asked) {
            Ok(granted) => granted,
            Err(error) => {
                room.give_back();
                return Err(error);
            }
        };
        let tokens = stored.renewed(granted);
        let before = stored;
        self.keep(room, Unsaved { before, tokens }, last)
    }

    /// Makes tokens durable. When that fails they stay in memory, and are the first thing that is tried next time.
    fn keep(&self, room: Room<'_>, unsaved: Unsaved, last: &Mutex<Last>) -> Result<Tokens, CredentialError> {
        let written = room.write(&unsaved.tokens);
        let tokens = unsaved.tokens.clone();
        let mut state = last.lock().unwrap_or_else(PoisonError::into_inner);
        state.unsaved = written.is_err().then(|| Box::new(unsaved));
        written.map(|()| tokens)
    }
}

/// The token file's lock, as soon as nobody else has it.
fn session(file: &TokenFile, clock: &dyn Clock) -> Result<Session, CredentialError> {
    let since = clock.monotonic();
    loop {
        if let Some(session) = file.try_lock()? {
            return Ok(session);
        }
        if clock.monotonic().since(since) > PATIENCE {
            return Err(CredentialError::Unreachable {
                source: file.to_string(),
                reason: format!(
                    "another process has been refreshing it for {} s: look whether it hangs",
                    PATIENCE.as_secs()
                ),
            });
        }
        store::pause();
    }
}

impl Authorize for OAuth2 {
    fn authorize(&self, _: &Request<Vec<u8>>, _: Timestamp) -> Result<HeaderMap, CredentialError> {
        let token = self.tokens.value(|| self.fetch())?;
        // What an answer gives has no other characters than a header may have.
        let value = HeaderValue::from_str(&format!("Bearer {}", token.value()));
        let mut value = value.map_err(|_| CredentialError::Refused {
            source: String::from("the token"),
            reason: String::from("has characters in it that no header may have"),
        })?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    /// 403 is not one: it says that this token may not, and another of the same grant may not either.
    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        response.status() == StatusCode::UNAUTHORIZED
    }

    /// A token is what it is at any time.
    fn is_timed(&self) -> bool {
        false
    }

    fn renew(&self) -> Renewal {
        // What lay in the file was not asked for a moment ago: nobody is asked too often.
        let was_found = match &self.source {
            Source::Client => false,
            Source::Login { last, .. } => {
                let state = last.lock().unwrap_or_else(PoisonError::into_inner);
                matches!(state.token, Some((_, Origin::File)))
            }
        };
        let pause = if was_found { Duration::ZERO } else { PAUSE };
        self.tokens.renew_or_lose(pause, || self.fetch())
    }
}
