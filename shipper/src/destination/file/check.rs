//! Proves that objects can be written: the transport writes a file of its own beside them, syncs and removes it.

use ::http::{Method, Request, StatusCode};

use super::File;
use super::decode::decode;
use crate::destination::check::{Answer, Check, Finding, Step};

impl Check for File {
    fn next(&self, answers: &[Answer]) -> Step {
        Step::Found(match answers.first() {
            None => {
                let mut request = Request::new(Vec::new());
                *request.method_mut() = Method::OPTIONS;
                return Step::Ask(request);
            }
            Some(Ok(response)) if response.status() == StatusCode::NO_CONTENT => Finding::Ready {
                proven: format!("{} takes files", self.config.path.display()),
            },
            Some(Ok(response)) => Finding::failed(&decode(&self.config, response)),
            Some(Err(error)) => Finding::unanswered(error),
        })
    }
}
