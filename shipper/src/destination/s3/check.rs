//! Proves the right to write by beginning a multipart upload with the headers of real objects and giving it up: nothing
//! is stored, nobody sees it.

use ::http::header::CONTENT_TYPE;
use ::http::{Method, Request, Response};

use super::S3;
use super::config::Checksum;
use super::decode::decode;
use super::encode::{content_type, demands, owner};
use super::permission;
use crate::destination::aws::{error_code, error_message, xml_text};
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::destination::endpoint::percent_encoded;
use crate::destination::reply::date;
use crate::destination::{AwsStatement, Destination as _, Outcome};
use crate::time::Timestamp;
use crate::transport::authorized::ClockSkew;

impl Check for S3 {
    fn next(&self, answers: &[Answer]) -> Step {
        let (now, answers) = match (self.config.lock.retention, answers) {
            (None, answers) => (Timestamp::default(), answers),
            // The store's own clock says until when an object of now is to be kept.
            (Some(_), []) => {
                return match self.look() {
                    Some(question) => Step::Ask(question),
                    None => failed("the check cannot be asked: report this"),
                };
            }
            (Some(_), [Err(error), ..]) => return Step::Found(Finding::unanswered(error)),
            (Some(_), [Ok(looked), answers @ ..]) => match date(looked.headers()) {
                Some(now) => (now, answers),
                None => {
                    return failed("an answer without a Date is not S3's: does something else listen there?");
                }
            },
        };
        match answers {
            [] => match self.begin(now) {
                Some(question) => Step::Ask(question),
                None => failed("the check cannot be asked: report this"),
            },
            [Ok(begun)] if begun.status() == 200 => match self.give_up(begun) {
                Some(question) => Step::Ask(question),
                None => failed(
                    "a 200 without an upload's id is not S3's: does something else listen at this endpoint?",
                ),
            },
            [Ok(begun), given_up] if begun.status() == 200 => Step::Found(self.found(begun, given_up)),
            [Ok(refused), ..] => Step::Found(self.refused(refused)),
            [Err(error), ..] => Step::Found(Finding::unanswered(error)),
        }
    }
}

fn failed(reason: &str) -> Step {
    Step::Found(Finding::Failed {
        reason: reason.to_owned(),
    })
}

impl S3 {
    fn probe(&self) -> String {
        format!("{}auditship-check", self.config.layout.name.start())
    }

    /// `HeadBucket`, of which only the time is of interest.
    fn look(&self) -> Option<Request<Vec<u8>>> {
        Request::head(self.config.address.bucket()).body(Vec::new()).ok()
    }

    /// `CreateMultipartUpload`. It needs `s3:PutObject`, and for KMS a data key, as a batch does.
    fn begin(&self, now: Timestamp) -> Option<Request<Vec<u8>>> {
        let config = &self.config;
        let (format, compression) = self.body();
        let mut question = Request::builder()
            .method(Method::POST)
            .uri(format!("{}?uploads", config.address.object(&self.probe())))
            .header(CONTENT_TYPE, content_type(format, compression));
        for (name, value) in &demands(config, now, now) {
            question = question.header(name, value);
        }
        if config.checksum == Checksum::Sha256 {
            question = question.header("x-amz-checksum-algorithm", "SHA256");
        }
        question.body(Vec::new()).ok()
    }

    /// `AbortMultipartUpload`.
    fn give_up(&self, begun: &Response<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        let id = xml_text(begun.body(), "UploadId")?;
        let object = self.config.address.object(&self.probe());
        let mut question = Request::delete(format!("{object}?uploadId={}", percent_encoded(&id)));
        if let Some((name, value)) = owner(&self.config) {
            question = question.header(name, value);
        }
        question.body(Vec::new()).ok()
    }

    fn found(&self, begun: &Response<Vec<u8>>, given_up: &Answer) -> Finding {
        let mut proven = format!(
            "{} takes objects of these credentials: region, signature and permission to write are right",
            self.target()
        );
        proven.push_str(&match begun.extensions().get::<ClockSkew>() {
            Some(skew) => format!(
                "; {}, requests are signed by the store's until then",
                skew.explain()
            ),
            None => String::from(", and so is this host's clock"),
        });
        match given_up {
            Ok(answer) if answer.status().is_success() => Finding::Ready { proven },
            Ok(answer) => Finding::Reachable {
                proven,
                open: format!(
                    "the upload that was begun for the check could not be given up ({}): {}; it holds nothing, and can be \
                     removed by `aws s3api abort-multipart-upload`",
                    answer.status(),
                    policy(&self.check_statement()),
                ),
            },
            Err(error) => Finding::Reachable {
                proven,
                open: format!("the upload that was begun for the check could not be given up: {error}"),
            },
        }
    }

    fn check_statement(&self) -> Vec<AwsStatement> {
        permission::missing(&self.config, "s3:AbortMultipartUpload")
    }

    /// With the statements that lack, when a permission does.
    fn refused(&self, response: &Response<Vec<u8>>) -> Finding {
        let outcome = decode(&self.config, &self.probe(), response);
        let code = error_code(response);
        match (outcome, code.as_str()) {
            (Outcome::Auth { reason }, "AccessDenied" | "AccessDeniedException" | "") => {
                let missing = permission::missing(&self.config, &error_message(response));
                Finding::Failed {
                    reason: format!("{reason}; {}", policy(&missing)),
                }
            }
            (outcome, _) => Finding::failed(&outcome),
        }
    }
}

/// `the policy needs` and statements in JSON, to be pasted.
fn policy(statements: &[AwsStatement]) -> String {
    let statements: Vec<String> = statements
        .iter()
        .map(|statement| statement.to_json().to_string())
        .collect();
    format!("the policy needs {}", statements.join(", "))
}
