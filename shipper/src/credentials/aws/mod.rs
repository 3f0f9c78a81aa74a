//! AWS: keys from the usual chain, and requests signed with them (SigV4).
//!
//! # Invariants
//! 1. Every sending is signed anew: a signature holds for minutes, a batch is sent until it is stored.
//! 2. Every header of the request is signed, and nothing that a proxy may change.
//! 3. Keys are renewed [`EARLY`] before they expire, by one thread; until they have expired, and while renewing fails,
//!    the old ones are used.

mod chain;
mod client;
mod sign;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;

pub use sign::{Service, Signer};

use super::CredentialError;
use super::cache::{Cache, Expiring};
use crate::config::Environment;
use crate::destination::connection::RawConnection;
use crate::stamp::Stamp;
use crate::time::{Clock, Timestamp};
use crate::transport::authorized::Renewal;
use chain::Chain;

/// How long before they expire keys are renewed: role sessions live for 15 minutes at least, and AWS's metadata services
/// have the next ones ready five minutes before the end.
pub const EARLY: Duration = Duration::from_secs(300);

/// Whose keys: what the configuration says beside the chain.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Identity {
    /// A profile of the shared files, in place of the environment's.
    pub profile: Option<String>,
    /// A role to assume with what the chain finds.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// Which of their endpoints STS and its like are asked at, as the service that keys are for.
    pub variant: Variant,
    /// How STS and its like are reached; the proxy is chosen for each.
    pub connection: RawConnection,
    /// Where the chain looks for variables.
    pub environment: Environment,
}

/// Which of a service's endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Variant {
    /// Those whose cryptography is validated by FIPS 140.
    pub fips: bool,
    /// Those that IPv6 reaches.
    pub dual_stack: bool,
}

/// Gives keys.
pub trait Provide: Send + Sync {
    /// The keys to sign with now.
    ///
    /// # Errors
    /// [`CredentialError`]: there are none.
    fn credentials(&self) -> Result<Credentials, CredentialError>;

    /// See [`crate::transport::authorized::Authorize::renew`].
    fn renew(&self) -> Renewal;
}

/// The keys of `identity`, for a service in `region`.
pub fn provider(identity: &Identity, region: &str, clock: Arc<dyn Clock>) -> Arc<dyn Provide> {
    let chain = Chain::new(identity, region);
    Arc::new(CachedKeys {
        stamps: Mutex::new(chain.stamps()),
        chain,
        cache: Cache::new(clock, EARLY),
    })
}

/// The chain's keys, as long as they hold.
struct CachedKeys {
    chain: Chain,
    cache: Cache<Credentials>,
    /// What the chain's files looked like when it was asked last.
    stamps: Mutex<Vec<Stamp>>,
}

impl fmt::Debug for CachedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedKeys").finish_non_exhaustive()
    }
}

impl CachedKeys {
    fn fetch(&self) -> Result<Expiring<Credentials>, CredentialError> {
        // Before they are read: a change in between shows the next time.
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = self.chain.stamps();
        let keys = self.chain.fetch()?;
        Ok(Expiring {
            until: keys.expiry().map(timestamp),
            value: keys,
        })
    }

    fn files_have_changed(&self) -> bool {
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) != self.chain.stamps()
    }
}

impl Provide for CachedKeys {
    fn credentials(&self) -> Result<Credentials, CredentialError> {
        if self.files_have_changed() {
            // Unless they were read a moment ago; then at one of the next requests.
            self.cache.renew(|| self.fetch());
        }
        self.cache.value(|| self.fetch())
    }

    fn renew(&self) -> Renewal {
        self.cache.renew(|| self.fetch())
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let nanos = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
}
