//! What stands at a name that is taken, and what that means for the batch that wanted it.

use crate::destination::{BodyDigest, Outcome};
use crate::hex::hex;
use crate::transport::SendError;

/// What was found at a name that is taken; put into the extensions of the answer that said so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "decode must treat all of them")]
pub enum Found {
    /// This batch, stored by an earlier sending.
    Same,
    /// Something else.
    Other {
        /// What it says of itself, for a person.
        what: String,
    },
    /// It may not be looked at, or has gone.
    Unknown {
        /// Why, for a person.
        why: String,
    },
    /// It cannot be looked at now.
    Later {
        /// Why, for a person.
        why: String,
    },
}

impl Found {
    /// By the digest that stands in the object's metadata, if any does.
    pub(in crate::destination) fn by_digest(ours: Option<&BodyDigest>, stored: Option<&str>) -> Self {
        match (ours, stored) {
            (Some(ours), Some(stored)) if stored.eq_ignore_ascii_case(&hex(&ours.0).to_string()) => {
                Self::Same
            }
            (Some(_), Some(_)) => Self::Other {
                what: String::from("it holds another batch"),
            },
            (_, None) => Self::Other {
                what: String::from("it was not written by auditship"),
            },
            (None, _) => Self::Unknown {
                why: String::from("the digest of what was sent is not known"),
            },
        }
    }

    /// When the store tells another checksum of it than that of what was sent.
    pub(in crate::destination) fn damaged() -> Self {
        Self::Other {
            what: String::from("its bytes are not those that were sent: the store tells another checksum"),
        }
    }

    /// When looking got no answer.
    pub(in crate::destination) fn unanswered(error: &SendError) -> Self {
        Self::Later {
            why: error.to_string(),
        }
    }

    /// What it means. `name` is for a person; `allow` is the permission that looking needs.
    pub(in crate::destination) fn outcome(found: Option<&Self>, name: &str, allow: &str) -> Outcome {
        match found {
            Some(Self::Same) => Outcome::Stored,
            Some(Self::Other { what }) => Outcome::Taken {
                reason: format!("{name} is there already, and {what}"),
            },
            Some(Self::Later { why }) => Outcome::Unavailable {
                after: None,
                reason: format!(
                    "{name} is there already; whether it is this batch cannot be told now: {why}"
                ),
            },
            Some(Self::Unknown { why }) => Outcome::Exists {
                reason: format!(
                    "{name} is there already, and could not be compared ({why}); `{allow}` would allow it"
                ),
            },
            None => Outcome::Exists {
                reason: format!("{name} is there already, and was not compared"),
            },
        }
    }
}
