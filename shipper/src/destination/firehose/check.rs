//! What can be known without storing a record: Firehose has no dry run, so the stream is described. That proves that it is
//! there and takes records, and nothing of the permission to put.

use ::http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::Firehose;
use super::decode::refusal;
use crate::destination::aws::{error_code, operation};
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::destination::{AwsStatement, Destination as _};
use crate::transport::authorized::ClockSkew;

impl Check for Firehose {
    fn next(&self, answers: &[Answer]) -> Step {
        Step::Found(match answers.first() {
            None => return Step::Ask(self.question()),
            Some(Ok(response)) => self.described(response),
            Some(Err(error)) => Finding::unanswered(error),
        })
    }
}

/// The stream in its own words.
struct Description {
    status: String,
    /// `DirectPut` where records may be put.
    source: String,
}

impl Description {
    fn read(response: &Response<Vec<u8>>) -> Option<Self> {
        if response.status() != StatusCode::OK || !response.headers().contains_key("x-amzn-requestid") {
            return None;
        }
        let body: Value = serde_json::from_slice(response.body()).ok()?;
        let description = body.get("DeliveryStreamDescription")?;
        let text = |key: &str| description.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            status: text("DeliveryStreamStatus")?,
            source: text("DeliveryStreamType").unwrap_or_default(),
        })
    }
}

impl Firehose {
    fn question(&self) -> Request<Vec<u8>> {
        let body = json!({ "DeliveryStreamName": self.config.stream, "Limit": 1 }).to_string();
        operation(
            self.config.endpoint.uri(),
            "Firehose_20150804.DescribeDeliveryStream",
            body.into_bytes(),
        )
    }

    fn described(&self, response: &Response<Vec<u8>>) -> Finding {
        const ACTION: &str = "firehose:DescribeDeliveryStream";
        let open =
            "whether records may be put: Firehose has no question for it; `auditship send-test` stores one";
        let Some(description) = Description::read(response) else {
            if error_code(response) == "AccessDeniedException" {
                return Finding::Reachable {
                    proven: format!("{} answers and takes the credentials", self.config.endpoint),
                    open: format!(
                        "{open}; nor whether the stream is there: allow {}",
                        AwsStatement::allowing(ACTION, &self.config.statements())
                    ),
                };
            }
            return Finding::failed(&refusal(&self.config, ACTION, response));
        };
        if !matches!(description.source.as_str(), "" | "DirectPut") {
            return Finding::Failed {
                reason: format!(
                    "{} has the source {}: use one whose source is Direct PUT",
                    self.target(),
                    description.source
                ),
            };
        }
        if description.status != "ACTIVE" {
            return Finding::Failed {
                reason: format!(
                    "{} is {}, not ACTIVE: it takes no records",
                    self.target(),
                    description.status
                ),
            };
        }
        Finding::Reachable {
            proven: format!("{} is ACTIVE{}", self.target(), ClockSkew::note(response)),
            open: open.to_owned(),
        }
    }
}
