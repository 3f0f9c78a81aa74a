//! What `auditship check` asks of a destination, and what the answers prove. Pure but for [`run`].

use super::{Attempt, Batch, Destination, Outcome};
use crate::time::Timestamp;
use crate::transport::{SendError, Transport};

/// Tells, as far as the destination allows it without storing a record, whether records would arrive.
pub trait Check: Send + Sync {
    /// What to ask next, or what is found, after `answers` to what was asked so far (none at first). Asks at most
    /// [`MAX_QUESTIONS`] times.
    fn next(&self, answers: &[Answer]) -> Step;
}

/// What came of a question.
pub type Answer = Result<::http::Response<Vec<u8>>, SendError>;

/// The most questions of one check, so that none runs for ever.
pub const MAX_QUESTIONS: usize = 8;

/// One step of a check.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever runs a check must treat all of them"
)]
pub enum Step {
    /// Send this, and come again with the answer.
    Ask(::http::Request<Vec<u8>>),
    /// That is all.
    Found(Finding),
}

/// Asks `transport` all that `check` wants to know.
pub fn run(check: &dyn Check, transport: &dyn Transport) -> Finding {
    let mut answers = Vec::new();
    loop {
        match check.next(&answers) {
            Step::Found(finding) => return finding,
            Step::Ask(_) if answers.len() == MAX_QUESTIONS => {
                return Finding::Failed {
                    reason: String::from("the check comes to no end: report this"),
                };
            }
            Step::Ask(question) => answers.push(transport.send(&question)),
        }
    }
}

/// What `destination` makes of the answer to a question about no record: nothing of the meaning depends on one.
pub(super) fn meaning(destination: &dyn Destination, answer: &::http::Response<Vec<u8>>) -> Outcome {
    let (format, compression) = destination.body();
    let attempt = Attempt {
        nonce: 0,
        made_at: Timestamp(0),
        name: String::new(),
        format,
        compression,
        earlier: 0,
    };
    let none = Batch {
        records: &[],
        attempt: &attempt,
    };
    destination.decode(&none, answer)
}

/// What a check found. Texts are for a person, with what to do; no secret in them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever prints it must treat all of them")]
pub enum Finding {
    /// Records would be stored.
    Ready {
        /// What was proven.
        proven: String,
    },
    /// Nothing is wrong as far as could be seen.
    Reachable {
        /// What was proven.
        proven: String,
        /// What was not, and why.
        open: String,
    },
    /// Records would not be stored.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

impl Finding {
    /// The finding of a request that got no answer.
    pub(super) fn unanswered(error: &SendError) -> Self {
        Self::Failed {
            reason: error.to_string(),
        }
    }

    /// The finding of an outcome other than "stored".
    pub(super) fn failed(outcome: &Outcome) -> Self {
        let reason = outcome.reason().unwrap_or("the answer says nothing of the probe");
        Self::Failed {
            reason: reason.to_owned(),
        }
    }
}
