//! Microsoft's own crate on our blocking HTTP client: its requests are sent on the calling thread, without a runtime.
//!
//! # Invariants
//! 1. Metadata services (link-local and loopback addresses) are reached without a proxy; Entra ID with the connection keys of
//!    the destination.
//! 2. What gets no answer, or one that says that Entra ID itself is in trouble, is not tried again here: whoever ships does
//!    that, later and for ever.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use ::http::{Request, Response};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, StatusCode};
use azure_core::{Error, Result};

use crate::credentials::web::is_metadata;
use crate::destination::endpoint::is_loopback;
use crate::transport::{SendError, Transport};

/// Sends what Microsoft's crate asks for.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) web: Arc<dyn Transport>,
    /// Without a proxy.
    pub(super) direct: Arc<dyn Transport>,
}

impl Client {
    fn send(&self, request: &azure_core::http::Request) -> Result<AsyncRawResponse> {
        let other = |error: ::http::Error| Error::new(ErrorKind::Other, error);
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "the request's body is a stream",
            ));
        };
        let mut plain = Request::builder()
            .method(request.method().as_ref())
            .uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            // The client has a name of its own.
            if !name.as_str().eq_ignore_ascii_case("user-agent") {
                plain = plain.header(name.as_str(), value.as_str());
            }
        }
        let plain = plain.body(body.to_vec()).map_err(other)?;
        let host = plain.uri().host().unwrap_or_default();
        let is_here = plain.uri().scheme_str() == Some("http") && is_loopback(host);
        let response = match is_here || is_metadata(plain.uri()) {
            true => self.direct.send(&plain),
            false => self.web.send(&plain).and_then(|response| settled(host, response)),
        };
        let response = response.map_err(|error| Error::new(ErrorKind::Other, error))?;
        let mut headers = Headers::new();
        for (name, value) in response.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let status = StatusCode::from(response.status().as_u16());
        Ok(AsyncRawResponse::from_bytes(
            status,
            headers,
            response.into_body(),
        ))
    }
}

/// An answer of Entra ID that is about what was asked; a proxy's page about its trouble is none.
fn settled(host: &str, response: Response<Vec<u8>>) -> std::result::Result<Response<Vec<u8>>, SendError> {
    match response.status().as_u16() {
        status @ (408 | 429 | 500..) => Err(SendError::Unanswered {
            reason: format!("{host} answered {status}"),
        }),
        _ => Ok(response),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// As `async_trait` would write it; what is sent here is sent when the future is made.
impl HttpClient for Client {
    fn execute_request<'client, 'request, 'future>(
        &'client self,
        request: &'request azure_core::http::Request,
    ) -> Pin<Box<dyn Future<Output = Result<AsyncRawResponse>> + Send + 'future>>
    where
        'client: 'future,
        'request: 'future,
        Self: 'future,
    {
        Box::pin(std::future::ready(self.send(request)))
    }
}
