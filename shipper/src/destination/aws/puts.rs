//! What an answer to a list of records means, for the two services that take one: Kinesis and Firehose. Pure.
//!
//! | answer | meaning | because |
//! |---|---|---|
//! | 200 with `x-amzn-RequestId` | each entry by itself | one without an id and without an error is not understood |
//! | 200 in which every entry failed | what the first one's error means for the batch | it is no record's fault |
//! | 200 with a result for each entry, `x-amzn-RequestId` or not | the same | some proxies take headers away; ids prove it as well |
//! | 200 with neither, any other 2xx or 3xx | config | something else answered: a proxy, a portal, a wrong URL |
//! | 200 that is cut, no JSON, or has another number of entries or failures than it says | unclear | |
//! | `ProvisionedThroughputExceededException`, `ThrottlingException` and their kin, 429 | throttled | |
//! | `InternalFailure*`, any other 5xx, 1xx, 408 | unclear | "the write might have completed" |
//! | `ServiceUnavailable*`, 503 | throttled at Firehose, which says so; unavailable | |
//! | `ResourceNotFoundException` | config | |
//! | keys, tokens, signatures, `AccessDeniedException`, `KMSAccessDeniedException`, 401, 403, 407 | auth | |
//! | any other fault of the stream's KMS key, a stream that takes no records, `DryRunOperationException` | config | |
//! | 413 | too large | |
//! | any other 4xx without a code of the service | config | something else answered |
//! | any other 4xx, as `InvalidArgumentException` | refused | some record of it may be the cause |

use ::http::{Response, StatusCode};
use serde_json::Value;

use super::error::{ErrorClass, classify, error_code, error_message};
use super::explain::{said, who};
use crate::destination::Outcome;
use crate::destination::reply::{excerpt, retry_after};
use crate::transport::BodyCut;

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::destination) enum Put {
    /// The service has it, and has given it an id.
    Stored,
    /// It failed, or might have.
    Failed,
}

/// How a service names its parts, and what only it says.
pub(in crate::destination) struct Dialect<'a> {
    /// Its name, for a person.
    pub(in crate::destination) service: &'static str,
    /// The member with one result for each entry.
    pub(in crate::destination) results: &'static str,
    /// The member with the number of failures.
    pub(in crate::destination) failures: &'static str,
    /// The member that only a stored entry has.
    pub(in crate::destination) id: &'static str,
    /// What to allow when the put itself is denied.
    pub(in crate::destination) denied: &'a dyn Fn() -> String,
    /// What an error means that is not the same at every service, with what to do.
    pub(in crate::destination) particular: &'a Particular<'a>,
    /// What must not be shown.
    pub(in crate::destination) hidden: Vec<String>,
}

/// What a code with its message means at one service only, with what to do.
type Particular<'a> = dyn Fn(&str, &str) -> Option<(Meaning, String)> + 'a;

/// What an error means for the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::destination) enum Meaning {
    Throttled,
    Unavailable,
    Unclear,
    Auth,
    Config,
    TooLarge,
    Refused,
}

impl Dialect<'_> {
    /// What became of each of `count` entries, or what the answer means for all of them.
    ///
    /// # Errors
    /// The outcome of the whole batch.
    pub(in crate::destination) fn puts(
        &self,
        response: &Response<Vec<u8>>,
        count: usize,
    ) -> Result<Vec<Put>, Outcome> {
        match response.status() {
            StatusCode::OK => self.accepted(response, count),
            status if status.is_success() || status.is_redirection() => Err(Outcome::Config {
                reason: format!("{} ({})", said(response, &self.hidden), self.not_aws()),
            }),
            _ => Err(self.refused(response)),
        }
    }

    fn not_aws(&self) -> String {
        format!(
            "this does not come from {}: check `endpoint`, `region` and `proxy`",
            self.service
        )
    }

    fn accepted(&self, response: &Response<Vec<u8>>, count: usize) -> Result<Vec<Put>, Outcome> {
        let unclear = |what: &str| Outcome::Unclear {
            reason: format!("200, but {what}"),
        };
        if response.extensions().get() == Some(&BodyCut) {
            return Err(unclear("the answer broke off"));
        }
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let Some(results) = body.get(self.results).and_then(Value::as_array) else {
            return Err(match response.headers().contains_key("x-amzn-requestid") {
                true => unclear("the answer has no results"),
                false => Outcome::Config {
                    reason: format!(
                        "200, but without results and x-amzn-RequestId: {}",
                        self.not_aws()
                    ),
                },
            });
        };
        if results.len() != count {
            let what = format!("{} results for {count} records", results.len());
            return Err(unclear(&what));
        }
        let puts: Vec<Put> = results
            .iter()
            .map(|result| self.put(result))
            .collect::<Option<_>>()
            .ok_or_else(|| unclear("a record is neither stored nor failed"))?;
        let failed = puts.iter().filter(|put| **put == Put::Failed).count();
        let told = match body.get(self.failures) {
            None | Some(Value::Null) => Some(0),
            Some(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        };
        // Kinesis may leave a zero out, by its model.
        if told != Some(failed) {
            let what = format!("{} is not {failed}, the number that failed", self.failures);
            return Err(unclear(&what));
        }
        match results.first() {
            Some(first) if failed == count => Err(self.all_failed(response, first, count)),
            _ => Ok(puts),
        }
    }

    /// `None` when the result says neither.
    fn put(&self, result: &Value) -> Option<Put> {
        let text = |key: &str| {
            result
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        match (text("ErrorCode"), text(self.id)) {
            (Some(_), _) => Some(Put::Failed),
            (None, Some(_)) => Some(Put::Stored),
            (None, None) => None,
        }
    }

    fn all_failed(&self, response: &Response<Vec<u8>>, first: &Value, count: usize) -> Outcome {
        let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default();
        let (code, message) = (text("ErrorCode"), text("ErrorMessage"));
        let reason = format!(
            "{count} of {count} records failed, the first with {}: {}",
            excerpt(code.as_bytes(), &self.hidden),
            excerpt(message.as_bytes(), &self.hidden)
        );
        let (meaning, hint) = self.meaning(response, code, message);
        let meaning = match meaning {
            Meaning::Throttled | Meaning::Auth | Meaning::Config => meaning,
            // Of single records nothing else is documented: they are tried again.
            _ => Meaning::Unavailable,
        };
        outcome(meaning, code, explained(reason, hint), response)
    }

    fn refused(&self, response: &Response<Vec<u8>>) -> Outcome {
        let (code, message) = (error_code(response), error_message(response));
        let (meaning, hint) = self.meaning(response, &code, &message);
        outcome(
            meaning,
            &code,
            explained(said(response, &self.hidden), hint),
            response,
        )
    }

    fn meaning(&self, response: &Response<Vec<u8>>, code: &str, message: &str) -> (Meaning, Option<String>) {
        if let Some((meaning, hint)) = (self.particular)(code, message) {
            return (meaning, Some(hint));
        }
        match code {
            // Whether it is stored is left open.
            "InternalFailure" | "InternalFailureException" => return (Meaning::Unclear, None),
            "DryRunOperationException" => {
                let hint =
                    "nothing was stored: something between here and the service makes tests of requests";
                return (Meaning::Config, Some(hint.to_owned()));
            }
            "UnknownOperationException" => {
                let hint = String::from("check `endpoint` and `region`");
                return (Meaning::Config, Some(hint));
            }
            _ => {}
        }
        let status = response.status().as_u16();
        match classify(code, status) {
            ErrorClass::Throttled => (Meaning::Throttled, None),
            ErrorClass::Unavailable => (Meaning::Unavailable, None),
            ErrorClass::Auth => (Meaning::Auth, Some(who(response, code, self.denied))),
            ErrorClass::Other => match (code, status) {
                (_, 407) => {
                    let hint = String::from("the proxy wants credentials: put them into `proxy`");
                    (Meaning::Auth, Some(hint))
                }
                (_, 408 | 100..=199 | 500..) => (Meaning::Unclear, None),
                (_, 413) => (Meaning::TooLarge, None),
                ("", _) => (Meaning::Config, Some(self.not_aws())),
                _ => (Meaning::Refused, None),
            },
        }
    }
}

fn explained(reason: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{reason} ({hint})"),
        None => reason,
    }
}

fn outcome(meaning: Meaning, code: &str, reason: String, response: &Response<Vec<u8>>) -> Outcome {
    let after = retry_after(response.headers());
    match meaning {
        Meaning::Throttled => Outcome::Throttled { after, reason },
        Meaning::Unavailable => Outcome::Unavailable { after, reason },
        Meaning::Unclear => Outcome::Unclear { reason },
        Meaning::Auth => Outcome::Auth { reason },
        Meaning::Config => Outcome::Config { reason },
        Meaning::TooLarge => Outcome::TooLarge { reason },
        Meaning::Refused => Outcome::Refused {
            code: code.to_owned(),
            reason,
        },
    }
}
