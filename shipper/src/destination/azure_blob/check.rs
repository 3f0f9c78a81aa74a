//! Proves the right to write by asking for a blob under a condition that cannot be met: what is wrong with who we are, the
//! container or what is asked of it is said before the condition is.

use ::http::header::IF_MATCH;
use ::http::{Request, Response};

use super::AzureBlob;
use super::decode::decode;
use super::encode::{asked, demands};
use crate::destination::Destination as _;
use crate::destination::azure::error_code;
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::destination::reply::date;
use crate::time::Timestamp;
use crate::transport::authorized::ClockSkew;

/// Of no blob.
const NO_ETAG: &str = "\"0x0\"";

impl Check for AzureBlob {
    fn next(&self, answers: &[Answer]) -> Step {
        let (now, answers) = match (self.config.immutability.is_timed(), answers) {
            (false, answers) => (Timestamp::default(), answers),
            // The service's own clock says until when a blob of now is to be kept; a refusal has the time too.
            (true, []) => {
                let question = asked(Request::head(self.config.address.properties()));
                return ask(question.body(Vec::new()));
            }
            (true, [Err(error), ..]) => return Step::Found(Finding::unanswered(error)),
            (true, [Ok(looked), answers @ ..]) => match date(looked.headers()) {
                Some(now) => (now, answers),
                None => {
                    return failed(
                        "an answer without a Date is not Blob Storage's: does something else listen there?",
                    );
                }
            },
        };
        match answers {
            [] => ask(self.probe(now)),
            [Ok(answer), ..] => Step::Found(self.found(answer)),
            [Err(error), ..] => Step::Found(Finding::unanswered(error)),
        }
    }
}

fn ask(question: Result<Request<Vec<u8>>, ::http::Error>) -> Step {
    match question {
        Ok(question) => Step::Ask(question),
        Err(error) => failed(&format!("the check cannot be asked: {error}")),
    }
}

fn failed(reason: &str) -> Step {
    Step::Found(Finding::Failed {
        reason: reason.to_owned(),
    })
}

impl AzureBlob {
    fn probe_name(&self) -> String {
        format!("{}auditship-check", self.config.layout.name.start())
    }

    fn probe(&self, now: Timestamp) -> Result<Request<Vec<u8>>, ::http::Error> {
        let url = self.config.address.blob(&self.probe_name());
        let mut question = asked(Request::put(url)).header(IF_MATCH, NO_ETAG);
        for (name, value) in &demands(&self.config, now, now) {
            question = question.header(name, value);
        }
        question.body(Vec::new())
    }

    fn found(&self, answer: &Response<Vec<u8>>) -> Finding {
        let skew = match answer.extensions().get::<ClockSkew>() {
            Some(skew) => format!("; {}", skew.explain()),
            None => String::new(),
        };
        let proven = format!("{} lets these credentials write{skew}", self.target());
        match (answer.status().as_u16(), error_code(answer).as_str()) {
            (412, _) => Finding::Ready { proven },
            (201, _) => Finding::Reachable {
                proven,
                open: format!(
                    "the server takes no notice of `If-Match` and has stored the empty blob {}: delete it; if it takes \
                     none of `If-None-Match` either, a batch may be stored twice under one name",
                    self.probe_name()
                ),
            },
            _ => Finding::failed(&decode(&self.config, &self.probe_name(), answer)),
        }
    }
}
