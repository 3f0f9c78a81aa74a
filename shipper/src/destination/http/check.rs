//! What can be told of an endpoint without sending it a record.
//!
//! No request of plain HTTP proves that records would be stored and stores nothing. `OPTIONS` changes nothing by
//! definition (RFC 9110 9.2.1); its answer proves name resolution, connection, proxy and TLS with both certificates,
//! and a 401 or 403 is taken for what it says.

use ::http::{Method, Request, Response};

use super::Http;
use crate::destination::check::{Check, Finding};
use crate::destination::reply::summary;
use crate::transport::SendError;

impl Check for Http {
    fn probe(&self) -> Request<Vec<u8>> {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::OPTIONS;
        *request.uri_mut() = self.config.endpoint.uri().clone();
        request
    }

    fn judge(&self, answer: &Result<Response<Vec<u8>>, SendError>) -> Finding {
        let response = match answer {
            Ok(response) => response,
            Err(error) => return Finding::unanswered(error),
        };
        let said = summary(response, &self.config.endpoint.hidden());
        match response.status().as_u16() {
            401 | 403 | 407 => Finding::Failed {
                reason: format!("{said} (check the credentials)"),
            },
            404 | 410 => Finding::Failed {
                reason: format!("{said} (check `url`)"),
            },
            _ => Finding::Reachable {
                proven: format!("{} answers {said}", self.config.endpoint),
                open: String::from("that it stores records: only a record would show it"),
            },
        }
    }
}
