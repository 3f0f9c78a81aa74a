//! What `auditship check` asks of a destination: one request, and what its answer proves. Pure.

use super::Outcome;
use crate::transport::SendError;

/// Tells, as far as the destination allows it without storing a record, whether records would arrive.
pub trait Check: Send + Sync {
    /// The request that proves the most.
    fn probe(&self) -> ::http::Request<Vec<u8>>;

    /// What the answer to it proves.
    fn judge(&self, answer: &Result<::http::Response<Vec<u8>>, SendError>) -> Finding;
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
    pub(super) fn failed(outcome: Outcome) -> Self {
        let reason = match outcome {
            Outcome::Verdicts(_) | Outcome::Stored => String::from("the answer says nothing of the probe"),
            Outcome::Exists { reason }
            | Outcome::Taken { reason }
            | Outcome::Throttled { reason, .. }
            | Outcome::Unavailable { reason, .. }
            | Outcome::Auth { reason }
            | Outcome::Config { reason }
            | Outcome::TooLarge { reason }
            | Outcome::Refused { reason, .. }
            | Outcome::Unclear { reason } => reason,
        };
        Self::Failed { reason }
    }
}
