//! AWS's own crates on our blocking HTTP client: their requests are sent on the calling thread, without a runtime.
//!
//! # Invariants
//! 1. Metadata services (link-local and loopback addresses) are reached without a proxy; every other host (STS, single
//!    sign-on) with the connection keys of the destination.
//! 2. A request has a bound in time: seconds for a metadata service, which may not be there, the destination's `timeout` for
//!    every other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::Identity;
use crate::credentials::web::{Web, is_metadata, metadata_transport};
use crate::transport::{SendError, Transport as _};

/// What AWS's own tools wait for a metadata service, which is one hop away or not there.
const METADATA_CONNECT: Duration = Duration::from_secs(1);

/// Sends what AWS's crates ask for.
#[derive(Clone)]
pub(super) struct Client {
    web: Arc<Web>,
}

impl Client {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            web: Arc::new(Web::new(
                identity.connection.clone(),
                identity.environment.clone(),
            )),
        }
    }

    fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (parts, body) = request.try_into_http1x().map_err(user)?.into_parts();
        // Every request of a credential provider is a few parameters in memory.
        let body = body.bytes().unwrap_or_default().to_vec();
        let request = Request::from_parts(parts, body);
        let response = match is_metadata(request.uri()) {
            true => metadata_transport(METADATA_CONNECT).and_then(|direct| direct.send(&request)),
            false => self.web.send(&request),
        };
        let (parts, body) = response.map_err(connector_error)?.into_parts();
        HttpResponse::try_from(Response::from_parts(parts, SdkBody::from(body))).map_err(user)
    }
}

fn user(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn connector_error(error: SendError) -> ConnectorError {
    match error {
        SendError::Tls { .. } => ConnectorError::user(error.into()),
        _ => ConnectorError::io(error.into()),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.send(request))
    }
}

/// Sleeps on the calling thread, between two tries of a provider.
#[derive(Debug)]
pub(super) struct ThreadSleep;

#[expect(
    clippy::disallowed_methods,
    reason = "AWS's own pauses between two tries, on the thread that awaits them"
)]
impl AsyncSleep for ThreadSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        // Polled only when what it is raced against is not ready, and that always is: see `Client`.
        Sleep::new(async move { std::thread::sleep(duration) })
    }
}
