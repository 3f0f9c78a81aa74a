//! Asks which permissions we have on the bucket: Google answers exactly the question, and nothing is written.

use ::http::{Request, Response};
use serde_json::Value;

use super::Gcs;
use super::decode::decode;
use crate::destination::Destination as _;
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::transport::authorized::ClockSkew;

/// What shipping needs.
pub(super) const CREATE: &str = "storage.objects.create";
/// The smallest role that has it.
pub(super) const ROLE: &str = "roles/storage.objectCreator";

impl Check for Gcs {
    fn next(&self, answers: &[Answer]) -> Step {
        Step::Found(match answers.first() {
            None => match Request::get(self.config.address.permissions(CREATE)).body(Vec::new()) {
                Ok(question) => return Step::Ask(question),
                Err(error) => Finding::Failed {
                    reason: format!("the check cannot be asked: {error}"),
                },
            },
            Some(Ok(answer)) if answer.status() == 200 => self.found(answer),
            Some(Ok(answer)) => Finding::failed(&decode(&self.config, "", answer)),
            Some(Err(error)) => Finding::unanswered(error),
        })
    }
}

impl Gcs {
    fn found(&self, answer: &Response<Vec<u8>>) -> Finding {
        let Ok(answered) = serde_json::from_slice::<Value>(answer.body()) else {
            return Finding::Failed {
                reason: String::from("the answer is not Cloud Storage's: does something else listen there?"),
            };
        };
        let bucket = &self.config.address.bucket;
        let granted = answered["permissions"].as_array();
        if !granted.is_some_and(|granted| granted.iter().any(|permission| permission == CREATE)) {
            return Finding::Failed {
                reason: format!(
                    "these credentials may not create objects in {bucket}: gcloud storage buckets add-iam-policy-binding \
                     gs://{bucket} --member=MEMBER --role={ROLE}"
                ),
            };
        }
        let mut proven = format!("{} takes objects of these credentials", self.target());
        if let Some(skew) = answer.extensions().get::<ClockSkew>() {
            proven.push_str(&format!("; {}", skew.explain()));
        }
        match &self.config.kms_key {
            None => Finding::Ready { proven },
            Some(key) => Finding::Reachable {
                proven,
                open: format!(
                    "whether Cloud Storage's service agent may use {key} shows when an object is written"
                ),
            },
        }
    }
}
