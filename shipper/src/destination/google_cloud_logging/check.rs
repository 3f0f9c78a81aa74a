//! Whether entries would be written: the API's own dry run, which checks a request like any other and writes nothing.

use super::{GoogleCloudLogging, decode};
use crate::destination::Outcome;
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::transport::authorized::ClockSkew;

impl Check for GoogleCloudLogging {
    fn next(&self, answers: &[Answer]) -> Step {
        let response = match answers.first() {
            None => return Step::Ask(self.frame.dry_run(&self.shape)),
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
            Some(Ok(response)) => response,
        };
        Step::Found(match decode::answer(&self.named(), 1, response) {
            Outcome::Stored => Finding::Ready {
                proven: format!(
                    "{} takes entries for {} from us (a dry run: nothing was written){}",
                    self.frame.url.host().unwrap_or_default(),
                    self.log_name,
                    ClockSkew::note(response)
                ),
            },
            outcome => Finding::failed(&outcome),
        })
    }
}
