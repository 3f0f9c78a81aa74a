//! What can be told of a source without sending it a message: little. A `GET` or `POST` would be taken for one; `OPTIONS`
//! changes nothing by definition (RFC 9110 9.2.1), and a 401 is taken for what it says.

use ::http::{Method, Request};

use super::SumoLogic;
use crate::destination::Outcome;
use crate::destination::check::{Answer, Check, Finding, Step, meaning};
use crate::destination::reply::summary;

impl Check for SumoLogic {
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
        let outcome = meaning(self, response);
        Step::Found(match outcome {
            Outcome::Auth { .. } => Finding::failed(&outcome),
            _ => Finding::Reachable {
                proven: format!("{} answers {}", self.config.endpoint, summary(response, &[])),
                open: String::from(
                    "that it stores records: only a record would show it. In Sumo Logic: \"one message per request\" must be \
                     off at the source, and no ingest budget may stop collecting (it drops data and answers 200)",
                ),
            },
        })
    }
}
