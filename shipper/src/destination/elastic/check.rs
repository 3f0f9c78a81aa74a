//! Whether documents would be created, told without creating one.
//!
//! Elasticsearch says whether who asks has a privilege; OpenSearch has no such question. Then it is asked for the index.

use ::http::{HeaderValue, Method, Request, Response, header};
use serde_json::{Value, json};

use super::{Elastic, PRIVILEGE};
use crate::destination::check::{Answer, Check, Finding, Step, meaning};

impl Check for Elastic {
    fn next(&self, answers: &[Answer]) -> Step {
        let config = &self.config;
        let privilege = match answers.first() {
            None => return Step::Ask(self.has_privileges()),
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
            Some(Ok(response)) => response,
        };
        let body: Value = serde_json::from_slice(privilege.body()).unwrap_or_default();
        let allowed = match (privilege.status().as_u16(), body["has_all_requested"].as_bool()) {
            (200, Some(true)) => true,
            (200, Some(false)) => {
                let reason = format!(
                    "who sends has no privilege {PRIVILEGE} on {}: grant it",
                    config.index
                );
                return Step::Found(Finding::Failed { reason });
            }
            // Without security, or OpenSearch: there is no such question.
            (200 | 400 | 404 | 405 | 500, _) => false,
            _ => return self.failed(privilege),
        };
        let index = match answers.get(1) {
            None => {
                let mut request = Request::new(Vec::new());
                *request.method_mut() = Method::GET;
                *request.uri_mut() = config.index_url.clone();
                return Step::Ask(request);
            }
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
            Some(Ok(response)) => response,
        };
        let (exists, open) = match index.status().as_u16() {
            200 => (format!("{} exists", config.index), None),
            404 => (
                format!("{} answers", config.endpoint),
                Some(format!(
                    "that {} may be created with the first record: it does not exist yet",
                    config.index
                )),
            ),
            // Reading what an index is like is a privilege of its own.
            403 if allowed => (
                format!("{} answers", config.endpoint),
                Some(format!("that {} exists: who sends may not look", config.index)),
            ),
            _ => return self.failed(index),
        };
        let open = match (allowed, open) {
            (true, open) => open,
            (false, None) => Some(format!("that who sends may create documents in {}", config.index)),
            (false, Some(open)) => Some(format!("{open}; and that who sends may create documents in it")),
        };
        let proven = match allowed {
            true => format!("{exists}, and who sends may create documents in it"),
            false => exists,
        };
        Step::Found(match open {
            None => Finding::Ready { proven },
            Some(open) => Finding::Reachable { proven, open },
        })
    }
}

impl Elastic {
    fn has_privileges(&self) -> Request<Vec<u8>> {
        let asked = json!({ "index": [{ "names": [self.config.index], "privileges": [PRIVILEGE] }] });
        let mut request = Request::new(asked.to_string().into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.privileges_url.clone();
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    fn failed(&self, response: &Response<Vec<u8>>) -> Step {
        Step::Found(Finding::failed(&meaning(self, response)))
    }
}
