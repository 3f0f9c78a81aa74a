//! The time of a request, which Blob Storage wants beside a token.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Request, Response};

use super::http_date;
use crate::credentials::CredentialError;
use crate::time::Timestamp;
use crate::transport::authorized::{Authorize, Renewal};

/// Adds `x-ms-date` to what proves who sends.
pub struct Dated {
    inner: Arc<dyn Authorize>,
}

impl Dated {
    /// Beside what `inner` adds.
    pub fn new(inner: Arc<dyn Authorize>) -> Self {
        Self { inner }
    }
}

impl Authorize for Dated {
    fn authorize(&self, request: &Request<Vec<u8>>, at: Timestamp) -> Result<HeaderMap, CredentialError> {
        let mut headers = self.inner.authorize(request, at)?;
        if let Ok(date) = HeaderValue::try_from(http_date(at)) {
            headers.insert("x-ms-date", date);
        }
        Ok(headers)
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        self.inner.is_refusal(response)
    }

    fn renew(&self) -> Renewal {
        self.inner.renew()
    }
}
