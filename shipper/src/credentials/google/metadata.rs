//! The metadata server of a VM at Google: tokens of its service account, and which VM it is.
//!
//! # Invariants
//! 1. Reached without a proxy; an answer without `Metadata-Flavor: Google` is another server's and not believed.

use std::sync::Arc;

use ::http::{HeaderValue, Request, Response};

use super::answer;
use crate::config::Environment;
use crate::credentials::CredentialError;
use crate::credentials::cache::Expiring;
use crate::destination::endpoint::percent_encoded;
use crate::secret::Exposed;
use crate::time::Clock;
use crate::transport::Transport;

/// The server's name where GCE_METADATA_HOST does not give another.
const HOST: &str = "metadata.google.internal";
/// Asked for in each request and given in each answer.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// A metadata server.
#[derive(Clone)]
pub struct MetadataServer {
    host: String,
    transport: Arc<dyn Transport>,
}

impl MetadataServer {
    /// The one that `environment` names (GCE_METADATA_HOST), else that of Google's VMs; reached by `transport`, which uses
    /// no proxy.
    pub fn new(environment: &Environment, transport: Arc<dyn Transport>) -> Self {
        Self {
            host: environment.filled("GCE_METADATA_HOST").unwrap_or(HOST).to_owned(),
            transport,
        }
    }

    /// For a person.
    pub(super) fn source(&self) -> String {
        format!("the metadata server {}", self.host)
    }

    /// What the server says at `path` below `computeMetadata/v1/`, as `instance/id`.
    ///
    /// # Errors
    /// [`CredentialError`]: it cannot be reached, does not know, or is another server.
    pub fn text(&self, path: &str) -> Result<String, CredentialError> {
        let response = self.ask(path, "is this a VM at Google? Set the value in the configuration")?;
        let text = String::from_utf8_lossy(response.body()).trim().to_owned();
        if text.is_empty() || text.len() > 512 || text.contains(char::is_control) {
            return Err(self.refused(&format!("{path} is nothing that can be used")));
        }
        Ok(text)
    }

    /// A token of the VM's service account.
    pub(super) fn token(&self, scope: &str, clock: &dyn Clock) -> Result<Expiring<Exposed>, CredentialError> {
        let mut path = String::from("instance/service-accounts/default/token?scopes=");
        path.extend(percent_encoded(scope));
        let response = self.ask(
            &path,
            "attach a service account to the VM, or set `credentials_file`",
        )?;
        answer::access_token(&response, &self.source(), clock)
    }

    fn ask(&self, path: &str, advice: &str) -> Result<Response<Vec<u8>>, CredentialError> {
        let request = Request::builder()
            .uri(format!("http://{}/computeMetadata/v1/{path}", self.host))
            .header(FLAVOR.0, HeaderValue::from_static(FLAVOR.1))
            .body(Vec::new())
            .map_err(|_| self.refused("is no host name: check GCE_METADATA_HOST"))?;
        let response = answer::ask(&*self.transport, &request, &self.source(), &[], advice)?;
        let flavor = response.headers().get(FLAVOR.0).map(HeaderValue::as_bytes);
        if flavor != Some(FLAVOR.1.as_bytes()) {
            return Err(self
                .refused("does not answer as Google's (no `Metadata-Flavor: Google`): is this a VM there?"));
        }
        Ok(response)
    }

    fn refused(&self, reason: &str) -> CredentialError {
        CredentialError::Refused {
            source: self.source(),
            reason: reason.to_owned(),
        }
    }
}
