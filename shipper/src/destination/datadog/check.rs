//! What can be told of an intake without sending it a log.
//!
//! The API says of a key whether it is valid. That the intake itself is reached only a log would show.

use ::http::{Method, Request};
use serde_json::Value;

use super::Datadog;
use crate::destination::check::{Answer, Check, Finding, Step, meaning};

impl Check for Datadog {
    fn next(&self, answers: &[Answer]) -> Step {
        let response = match answers.first() {
            None => {
                let mut request = Request::new(Vec::new());
                *request.method_mut() = Method::GET;
                *request.uri_mut() = self.config.validate_url.clone();
                return Step::Ask(request);
            }
            Some(Ok(response)) => response,
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
        };
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if response.status() == 200 && body["valid"] == true {
            return Step::Found(Finding::Reachable {
                proven: String::from("the API key is valid"),
                open: format!(
                    "that {} takes logs: only a log would show it",
                    self.config.logs_url
                ),
            });
        }
        Step::Found(Finding::failed(&meaning(self, response)))
    }
}
