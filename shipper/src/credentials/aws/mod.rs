//! AWS: keys from the usual chain, and requests signed with them (SigV4).
//!
//! # Invariants
//! 1. Every sending is signed anew: a signature holds for minutes, a batch is sent until it is stored.
//! 2. Every header of the request is signed, and nothing that a proxy may change.

mod sign;

use std::sync::Arc;

use aws_credential_types::Credentials;

pub use sign::{Service, Signer};

use super::CredentialError;
use crate::config::Environment;
use crate::transport::authorized::Renewal;

/// Whose keys: what the configuration says beside the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Identity {
    /// A profile of the shared files, in place of the environment's.
    pub profile: Option<String>,
    /// A role to assume with what the chain finds.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// Where the chain looks for variables.
    pub environment: Environment,
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

/// The keys of `identity`.
pub fn provider(identity: &Identity) -> Arc<dyn Provide> {
    Arc::new(EnvironmentKeys(identity.environment.clone()))
}

/// `AWS_ACCESS_KEY_ID` and its companions.
struct EnvironmentKeys(Environment);

impl Provide for EnvironmentKeys {
    fn credentials(&self) -> Result<Credentials, CredentialError> {
        let key = self.0.filled("AWS_ACCESS_KEY_ID");
        let (Some(key), Some(secret)) = (key, self.0.filled("AWS_SECRET_ACCESS_KEY")) else {
            return Err(CredentialError::Missing {
                advice: String::from("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            });
        };
        let token = self.0.filled("AWS_SESSION_TOKEN").map(str::to_owned);
        Ok(Credentials::new(key, secret, token, None, "environment"))
    }

    fn renew(&self) -> Renewal {
        Renewal::Same
    }
}
