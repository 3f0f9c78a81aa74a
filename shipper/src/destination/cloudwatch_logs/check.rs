//! Whether records would be stored, told without storing one.
//!
//! The question is a put of one event of 1970. The service looks at the keys, the permission, the group and the stream
//! before it looks at the event, then leaves it out and says so: `tooOldLogEventEndIndex` 1. Nothing is made that is
//! missing: the question does not carry [`super::create::CreateWhatIsMissing`].

use ::http::StatusCode;
use serde_json::json;

use super::CloudWatchLogs;
use super::decode::{Unreadable, rejected};
use super::encode::operation;
use crate::destination::Destination as _;
use crate::destination::aws::{error_code, error_message};
use crate::destination::check::{Answer, Check, Finding, Step, meaning};
use crate::transport::authorized::ClockSkew;

impl Check for CloudWatchLogs {
    fn next(&self, answers: &[Answer]) -> Step {
        let response = match answers.first() {
            None => {
                return Step::Ask(operation(
                    self.config.endpoint.uri(),
                    "PutLogEvents",
                    self.probe(),
                ));
            }
            Some(Ok(response)) => response,
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
        };
        if response.status() == StatusCode::OK {
            return Step::Found(self.answered(rejected(response, 1), &ClockSkew::note(response)));
        }
        if error_code(response) == "ResourceNotFoundException"
            && let Some(finding) = self.would_be_made(&error_message(response))
        {
            return Step::Found(finding);
        }
        Step::Found(Finding::failed(&meaning(self, response)))
    }
}

impl CloudWatchLogs {
    fn probe(&self) -> Vec<u8> {
        let message = "auditship check: an event of 1970, which is not kept";
        let event = json!({ "timestamp": 0, "message": message });
        json!({
            "logGroupName": self.config.group,
            "logStreamName": self.config.stream,
            "logEvents": [event],
        })
        .to_string()
        .into_bytes()
    }

    fn answered(&self, rejected: Result<super::decode::Rejected, Unreadable>, clock: &str) -> Finding {
        let target = self.target();
        match rejected {
            Ok(rejected) if rejected.too_old == 1 || rejected.expired == 1 => Finding::Ready {
                proven: format!("records may be put into {target}{clock}"),
            },
            Ok(_) => Finding::Reachable {
                proven: format!("records may be put into {target}{clock}"),
                open: String::from(
                    "whether this is CloudWatch Logs: it took an event of 1970, which CloudWatch Logs does not",
                ),
            },
            Err(unreadable) => Finding::Failed {
                reason: format!("200, but {unreadable}"),
            },
        }
    }

    /// What is missing, if the first batch makes it.
    fn would_be_made(&self, message: &str) -> Option<Finding> {
        let config = &self.config;
        let (what, actions) = if message.to_ascii_lowercase().contains("log group") {
            config.creation.as_ref()?;
            let what = format!("the log group {} does not exist yet", config.group);
            (what, "logs:CreateLogGroup and logs:CreateLogStream")
        } else {
            let what = format!(
                "the log stream {} of {} does not exist yet",
                config.stream, config.group
            );
            (what, "logs:CreateLogStream")
        };
        Some(Finding::Reachable {
            proven: format!("{} answers and takes the credentials; {what}", config.endpoint),
            open: format!("that it may be created with the first records, which needs {actions}"),
        })
    }
}
