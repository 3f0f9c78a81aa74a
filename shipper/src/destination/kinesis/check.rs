//! Whether records would be stored, told without storing one.
//!
//! The question is a put with `DryRun`: the service looks at keys, permission, stream and parameters, stores nothing, and
//! says that all is well by an error (`DryRunOperationException`). Servers that do not know the parameter would store the
//! probe, so it is asked only in the domains of AWS; anywhere else the stream is only described.

use ::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Kinesis;
use super::ask::{Summary, question};
use super::decode::refusal;
use super::encode::PUT_RECORDS;
use crate::destination::aws::{error_code, operation};
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::destination::{AwsStatement, Destination as _};
use crate::transport::authorized::ClockSkew;

impl Check for Kinesis {
    fn next(&self, answers: &[Answer]) -> Step {
        let knows_dry_run = self.config.aws.is_at_home(self.config.url());
        let found = match (knows_dry_run, answers) {
            (true, []) => {
                return Step::Ask(operation(self.config.url(), PUT_RECORDS, self.probe()));
            }
            (false, []) => return Step::Ask(question(&self.config)),
            (true, [Ok(tried)]) if is_passed(tried) => return Step::Ask(question(&self.config)),
            (true, [Ok(tried), described, ..]) => self.passed(tried, described.as_ref().ok()),
            (true, [Ok(tried)]) => self.failed(tried),
            (false, [Ok(described), ..]) => self.described(described),
            (_, [Err(error), ..]) => Finding::unanswered(error),
        };
        Step::Found(found)
    }
}

/// It would have been stored.
fn is_passed(response: &Response<Vec<u8>>) -> bool {
    response.status() == StatusCode::BAD_REQUEST && error_code(response) == "DryRunOperationException"
}

impl Kinesis {
    fn probe(&self) -> Vec<u8> {
        let (name, value) = self.config.stream.member();
        let data = STANDARD.encode("auditship check: a test that is not kept\n");
        json!({
            name: value,
            "DryRun": true,
            "Records": [{ "Data": data, "PartitionKey": "auditship-check" }],
        })
        .to_string()
        .into_bytes()
    }

    fn passed(&self, tried: &Response<Vec<u8>>, described: Option<&Response<Vec<u8>>>) -> Finding {
        let stream = match described.and_then(Summary::read) {
            Some(summary) => self.words(&summary),
            None if self.config.is_asked() => format!(
                "how many shards it has and how large a record may be is not told, so nothing is paced: set `shards` and \
                 `max_record_bytes`, or allow {}",
                AwsStatement::allowing("kinesis:DescribeStreamSummary", &self.config.statements())
            ),
            None => String::from("as configured"),
        };
        Finding::Ready {
            proven: format!(
                "records may be put into {} ({stream}){}",
                self.target(),
                ClockSkew::note(tried)
            ),
        }
    }

    fn failed(&self, tried: &Response<Vec<u8>>) -> Finding {
        if tried.status() == StatusCode::OK {
            return Finding::Reachable {
                proven: format!("{} answers", self.config.endpoint),
                open: String::from(
                    "whether this is Kinesis: it took a test for a record, so that one may be in the stream",
                ),
            };
        }
        Finding::failed(&refusal(&self.config, "kinesis:PutRecords", tried))
    }

    fn described(&self, response: &Response<Vec<u8>>) -> Finding {
        let open = String::from(
            "whether records may be put: the question that stores nothing (`DryRun`) is asked only of AWS itself; \
             `auditship send-test` stores one",
        );
        match Summary::read(response) {
            Some(summary) => Finding::Reachable {
                proven: format!("{} is there ({})", self.target(), self.words(&summary)),
                open,
            },
            None if error_code(response) == "AccessDeniedException" => Finding::Reachable {
                proven: format!("{} answers and takes the credentials", self.config.endpoint),
                open,
            },
            None => Finding::failed(&refusal(&self.config, "kinesis:DescribeStreamSummary", response)),
        }
    }

    fn words(&self, summary: &Summary) -> String {
        let mode = if summary.is_on_demand {
            "on demand, not paced"
        } else {
            "provisioned"
        };
        let largest = summary.record_bytes.map_or(String::new(), |bytes| {
            format!(", records of up to {} KiB", bytes / 1_024)
        });
        format!("{}, {} shards, {mode}{largest}", summary.status, summary.shards)
    }
}
