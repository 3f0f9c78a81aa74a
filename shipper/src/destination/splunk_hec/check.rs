//! Whether records would be stored, told without storing one.
//!
//! A request without a body is answered "no data" (code 5) when the token is good, and by what is wrong with it otherwise;
//! Amazon's own deliveries ask so. Then it is asked for an acknowledgement that nobody waits for, which a token without
//! acknowledgement refuses (code 14). Which indexes the token may write to only an event would show.

use ::http::{HeaderValue, Method, Request};
use serde_json::Value;

use super::SplunkHec;
use super::ack::{CHANNEL, acks, guid, question};
use super::config::Ack;
use crate::destination::Destination as _;
use crate::destination::check::{Answer, Check, Finding, Step, meaning};

impl Check for SplunkHec {
    fn next(&self, answers: &[Answer]) -> Step {
        // Hexadecimal digits and hyphens. No batch is ever sent in this channel.
        let channel =
            HeaderValue::from_str(&guid(self.fingerprint())).unwrap_or(HeaderValue::from_static(""));
        let Some(token) = answers.first() else {
            let mut request = Request::new(Vec::new());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.config.data_url.clone();
            request.headers_mut().insert(CHANNEL, channel);
            return Step::Ask(request);
        };
        match token {
            Err(error) => return Step::Found(Finding::unanswered(error)),
            Ok(response) if !is_no_data(response) => return self.failed(response),
            Ok(_) => {}
        }
        if self.config.ack == Ack::None {
            return Step::Found(Finding::Reachable {
                proven: format!("{} takes the token", self.config.endpoint),
                open: format!(
                    "that what it parses is stored: without acknowledgement nobody says so{}",
                    self.index()
                        .map_or(String::new(), |index| format!("; and {index}"))
                ),
            });
        }
        let acknowledged = match answers.get(1) {
            None => return Step::Ask(question(&self.config.ack_url, &channel, 0)),
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
            Some(Ok(response)) => response,
        };
        if acks(acknowledged).is_none() {
            return self.failed(acknowledged);
        }
        let proven = format!("{} takes the token and acknowledges", self.config.endpoint);
        Step::Found(match self.index() {
            None => Finding::Ready { proven },
            Some(open) => Finding::Reachable { proven, open },
        })
    }
}

impl SplunkHec {
    fn index(&self) -> Option<String> {
        let index = self.config.index.as_ref()?;
        Some(format!(
            "that the token may write to the index {index}: only an event would show it"
        ))
    }

    fn failed(&self, response: &::http::Response<Vec<u8>>) -> Step {
        Step::Found(Finding::failed(&meaning(self, response)))
    }
}

fn is_no_data(response: &::http::Response<Vec<u8>>) -> bool {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    body["code"] == 5
}
