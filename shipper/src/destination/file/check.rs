//! Proves that objects can be written: the transport writes a file of its own beside them, syncs and removes it.

use ::http::{Method, Request, Response, StatusCode};

use super::File;
use super::decode::decode;
use crate::destination::check::{Check, Finding};
use crate::transport::SendError;

impl Check for File {
    fn probe(&self) -> Request<Vec<u8>> {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::OPTIONS;
        request
    }

    fn judge(&self, answer: &Result<Response<Vec<u8>>, SendError>) -> Finding {
        match answer {
            Ok(response) if response.status() == StatusCode::NO_CONTENT => Finding::Ready {
                proven: format!("{} takes files", self.config.path.display()),
            },
            Ok(response) => Finding::failed(decode(&self.config, response)),
            Err(error) => Finding::unanswered(error),
        }
    }
}
