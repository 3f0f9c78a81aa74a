//! What can be told of an endpoint without sending it a record.
//!
//! No request of plain HTTP proves that records would be stored and stores nothing. `OPTIONS` changes nothing by
//! definition (RFC 9110 9.2.1); its answer proves name resolution, connection, proxy and TLS with both certificates,
//! and a 401 or 403 is taken for what it says.

use ::http::{Method, Request};

use super::Http;
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::destination::reply::summary;

impl Check for Http {
    fn next(&self, answers: &[Answer]) -> Step {
        let response = match answers.first() {
            None => {
                let mut request = Request::new(Vec::new());
                *request.method_mut() = Method::OPTIONS;
                *request.uri_mut() = self.config.endpoint.uri().clone();
                return Step::Ask(request);
            }
            Some(Ok(response)) => response,
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
        };
        let said = summary(response, &self.config.endpoint.hidden());
        Step::Found(match response.status().as_u16() {
            401 | 403 | 407 => Finding::Failed {
                reason: format!("{said} (check the credentials)"),
            },
            404 | 410 => Finding::Failed {
                reason: format!("{said} (check `url`)"),
            },
            500 | 502..=504 => Finding::Failed {
                reason: format!("{said} (the receiver is not well)"),
            },
            _ => Finding::Reachable {
                proven: format!("{} answers {said}", self.config.endpoint),
                open: String::from("that it stores records: only a record would show it"),
            },
        })
    }
}
