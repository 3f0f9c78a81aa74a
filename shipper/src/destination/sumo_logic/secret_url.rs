//! A transport that puts the secret end of a URL in at each sending, and masks it where an answer says it back.
//!
//! Runs on the sending thread; may be called from several at a time.

use std::sync::Arc;

use ::http::{HeaderMap, Request, Response, Uri};

use crate::secret::Secret;
use crate::transport::{SendError, Transport};

/// See the module.
pub(super) struct SecretUrl {
    inner: Arc<dyn Transport>,
    code: Secret,
}

impl SecretUrl {
    /// Sends by way of `inner`, to the request's URL with `/` and `code` after it.
    pub(super) fn new(inner: Arc<dyn Transport>, code: Secret) -> Self {
        Self { inner, code }
    }
}

impl Transport for SecretUrl {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let no_code = |reason: String| SendError::NoCredentials { reason };
        let code = self
            .code
            .expose()
            .map_err(|error| no_code(format!("the code of the source's URL: {error}")))?;
        let text = code.value();
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte);
        let uri = format!("{}/{text}", request.uri()).parse::<Uri>();
        let uri = uri.ok().filter(|_| text.bytes().all(is_part)).ok_or_else(|| {
            no_code(String::from(
                "the code of the source's URL (`token`) has characters that no URL may have",
            ))
        })?;
        let mut request = request.clone();
        *request.uri_mut() = uri;
        let mut response = self.inner.send_with(&request, further)?;
        code.mask(response.body_mut());
        Ok(response)
    }

    fn interrupt(&self) {
        self.inner.interrupt();
    }
}
