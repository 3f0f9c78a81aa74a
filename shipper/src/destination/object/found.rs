//! What stands at a name that is taken, and what that means for the batch that wanted it.

use ::http::{Request, Response};

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

/// What a store tells of an object that it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::destination) struct Told {
    /// The checksum that it has of the bytes, if it tells that.
    pub(in crate::destination) checksum: Option<String>,
    /// Our digest in the object's metadata, if it is there.
    pub(in crate::destination) digest: Option<String>,
    /// The checksum in the object's metadata, if it is there: that of the bytes as they were sent.
    pub(in crate::destination) came_with: Option<String>,
}

impl Told {
    /// Whether the store has other bytes than came.
    fn is_damaged(&self) -> bool {
        matches!((&self.came_with, &self.checksum), (Some(came), Some(has)) if came != has)
    }
}

/// Where a store tells what it holds.
pub(in crate::destination) trait Tells {
    /// The checksum that goes with `request`, as the store would tell it.
    fn sent(&self, request: &Request<Vec<u8>>) -> Option<String>;

    /// What an answer tells of an object; `None` when it cannot be read.
    fn told(&self, answer: &Response<Vec<u8>>) -> Option<Told>;

    /// The store's own word for why it does not tell, if it has one.
    fn code(&self, _answer: &Response<Vec<u8>>) -> String {
        String::new()
    }
}

/// The store tells another checksum than that of what was sent; put into the extensions of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::destination) struct Damaged;

impl Damaged {
    /// Marks the answer that says that `request` was stored, when it tells of other bytes.
    pub(in crate::destination) fn mark(
        store: &dyn Tells,
        request: &Request<Vec<u8>>,
        response: &mut Response<Vec<u8>>,
    ) {
        let stored = store.told(response).and_then(|told| told.checksum);
        if matches!((store.sent(request), stored), (Some(sent), Some(stored)) if sent != stored) {
            response.extensions_mut().insert(Self);
        }
    }

    /// What the mark means, if an answer has it: the name is taken now, by other bytes than ours. Whoever asks for it again
    /// finds our own digest beside them.
    pub(in crate::destination) fn outcome(response: &Response<Vec<u8>>) -> Option<Outcome> {
        response.extensions().get::<Self>().map(|_| Outcome::Taken {
            reason: String::from(
                "the store has kept other bytes than were sent (it tells another checksum): delete that object or keep it as \
                 evidence",
            ),
        })
    }
}

impl Found {
    /// By the answer to the question about the name that `request` wanted.
    pub(in crate::destination) fn of(
        store: &dyn Tells,
        request: &Request<Vec<u8>>,
        answer: Result<Response<Vec<u8>>, SendError>,
    ) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let why = error.to_string();
                return Self::Later { why };
            }
        };
        let answered = |status: u16| {
            let code = store.code(&answer);
            format!("asked for it, {status} {code}").trim_end().to_owned() + " was answered"
        };
        match answer.status().as_u16() {
            200 => match store.told(&answer) {
                // What it says of itself is ours, and not what it holds.
                Some(told) if told.is_damaged() => Self::Other {
                    what: String::from(
                        "its bytes are not those that were sent: the store tells another checksum",
                    ),
                },
                Some(told) => Self::by_digest(request.extensions().get(), told.digest.as_deref()),
                None => Self::Unknown {
                    why: String::from("what is said of it cannot be read"),
                },
            },
            status @ (408 | 429 | 500..) => Self::Later {
                why: answered(status),
            },
            status => Self::Unknown {
                why: answered(status),
            },
        }
    }

    /// By the digest that stands in the object's metadata, if any does.
    fn by_digest(ours: Option<&BodyDigest>, stored: Option<&str>) -> Self {
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
