//! A transport that asks a further question where an answer alone leaves open what it means: whose object is it that has
//! the name, in which region is the bucket.
//!
//! # Invariants
//! 1. The answer to the request itself is passed on as it is; what was found beside it is in its extensions.
//! 2. A question stores nothing, and at most one is asked of each answer. When it cannot be answered, that is what is
//!    told: the request's own answer is never lost with it.
//!
//! Runs on the calling (sending) thread; may be called from several at a time.

use std::sync::Arc;

use ::http::{HeaderMap, Request, Response};

use super::{SendError, Transport};

/// What a destination wants to know beside an answer. Pure.
pub trait Inquire: Send + Sync {
    /// What to ask, now that `response` came to `request`.
    fn question(&self, request: &Request<Vec<u8>>, response: &Response<Vec<u8>>) -> Option<Request<Vec<u8>>>;

    /// Puts what is known into the extensions of `response`, with the `answer` to the question if there was one.
    fn conclude(
        &self,
        request: &Request<Vec<u8>>,
        response: &mut Response<Vec<u8>>,
        answer: Option<Result<Response<Vec<u8>>, SendError>>,
    );
}

/// Sends requests, and the questions that their answers raise. See the module.
pub struct InquiringTransport {
    inner: Arc<dyn Transport>,
    inquire: Arc<dyn Inquire>,
}

impl InquiringTransport {
    /// Sends by way of `inner`, questions too.
    pub fn new(inner: Arc<dyn Transport>, inquire: Arc<dyn Inquire>) -> Self {
        Self { inner, inquire }
    }
}

impl Transport for InquiringTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let mut response = self.inner.send_with(request, further)?;
        let question = self.inquire.question(request, &response);
        let answer = question.map(|question| self.inner.send(&question));
        self.inquire.conclude(request, &mut response, answer);
        Ok(response)
    }

    fn interrupt(&self) {
        self.inner.interrupt();
    }
}
