//! Proves that records would be taken by sending none: an empty array is answered 204, once token, role, rule and stream are
//! right.

use super::AzureMonitor;
use super::encode::asked;
use crate::destination::Destination as _;
use crate::destination::check::{Answer, Check, Finding, Step, meaning};
use crate::transport::authorized::ClockSkew;

impl Check for AzureMonitor {
    fn next(&self, answers: &[Answer]) -> Step {
        let response = match answers.first() {
            None => return Step::Ask(asked(&self.config, b"[]".to_vec())),
            Some(Ok(response)) => response,
            Some(Err(error)) => return Step::Found(Finding::unanswered(error)),
        };
        if response.status() == 204 {
            return Step::Found(Finding::Reachable {
                proven: format!(
                    "{} takes rows of these credentials{}",
                    self.target(),
                    ClockSkew::note(response)
                ),
                open: format!(
                    "that the stream declares the columns TimeGenerated, {}: Azure Monitor drops others without a word",
                    self.columns().join(", ")
                ),
            });
        }
        Step::Found(Finding::failed(&meaning(self, response)))
    }
}

impl AzureMonitor {
    fn columns(&self) -> Vec<&str> {
        let own = self.config.columns.iter().map(String::as_str);
        own.chain([self.config.record_column.as_str()]).collect()
    }
}
