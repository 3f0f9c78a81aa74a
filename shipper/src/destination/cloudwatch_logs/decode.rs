//! What an answer means for each record of a batch.
//!
//! | answer | outcome | because |
//! |---|---|---|
//! | 200 with `x-amzn-RequestId` or the content type of the protocol | a verdict for each | events named in `rejectedLogEventsInfo` are not stored, all others are |
//! | 200 without either, any other 2xx or 3xx | config | something else answered: a proxy, a portal, a wrong URL |
//! | 200 whose body is cut, is no JSON, or names indices that do not exist | unclear | |
//! | 200 with a rejection of a kind that is not known | unacknowledged, held at once | what is stored cannot be told, and would be stored again |
//! | `ThrottlingException` and its kin, 429 | throttled | |
//! | `ServiceUnavailableException`, `InternalFailure`, `OperationAbortedException`, 503 | unavailable | |
//! | any other 5xx, 1xx, 408 | unclear | |
//! | `ResourceNotFoundException` | config; unavailable when what is missing was just made | the message says which |
//! | `UnrecognizedClientException`, `ExpiredToken*`, `InvalidSignature*`, `AccessDeniedException` and their kin, 401, 403, 407 | auth | |
//! | `InvalidParameterException` that says "Upload too large", 413 | too large | the batch |
//! | any other `InvalidParameterException`, `SerializationException`, `ValidationException` | refused | some record of it may be the cause: "Log event too large" is one that bisection finds |
//! | `DataAlreadyAcceptedException` | unclear at first, stored after an earlier sending | old servers only: it has this very batch |
//! | `InvalidSequenceTokenException` | config | old servers only: they want tokens that the API does without since 2023 |
//! | to an operation that makes something: `LimitExceededException`, `InvalidParameterException` | config | no record has anything to do with it |
//! | any other 4xx without a code of the service | config | something else answered |
//! | any other 4xx | refused | |

use std::fmt;

use ::http::header::CONTENT_TYPE;
use ::http::{Response, StatusCode};
use serde_json::Value;

use super::create::{Asked, Operation};
use super::{Config, order};
use crate::destination::aws::{ErrorClass, classify, error_code, error_message, said, who};
use crate::destination::reply::{excerpt, retry_after};
use crate::destination::{AwsStatement, Batch, Outcome, Verdict};
use crate::transport::BodyCut;
use crate::transport::authorized::ClockSkew;

/// A pure function of the response and of the order in which the records were sent.
pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let asked = response.extensions().get::<Asked>().copied();
    match (response.status(), asked) {
        (StatusCode::OK, None | Some(Asked::Again)) => accepted(config, batch, response),
        (status, _) if status.is_success() || status.is_redirection() => Outcome::Config {
            reason: format!("{} ({NOT_AWS})", said(response, &config.endpoint.hidden())),
        },
        _ => refused(config, batch, response, asked),
    }
}

const NOT_AWS: &str = "this does not come from CloudWatch Logs: check `endpoint`, `region` and `proxy`";

/// The ranges of events that a 200 leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    /// Before this index events are too old.
    pub(super) too_old: usize,
    /// Before this index events are older than the group keeps them.
    pub(super) expired: usize,
    /// From this index on events are too new.
    pub(super) too_new: usize,
}

/// Why a 200 cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It does not come from the service.
    NotAws,
    /// It is not whole, or not what the API describes.
    Malformed(&'static str),
    /// A rejection that the API did not have when this was written.
    UnknownRejection(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAws => write!(
                f,
                "without x-amzn-RequestId or the content type {PROTOCOL}: {NOT_AWS}"
            ),
            Self::Malformed(what) => f.write_str(what),
            Self::UnknownRejection(key) => write!(
                f,
                "with the rejection {key}, which this auditship is too old to know: update it"
            ),
        }
    }
}

/// The content type of the API's answers, with which no portal or placeholder page comes.
const PROTOCOL: &str = "application/x-amz-json-1.1";

/// Whether the service answered. Some proxies take headers away that they do not know, hence the second sign.
fn is_aws(response: &Response<Vec<u8>>) -> bool {
    let headers = response.headers();
    headers.contains_key("x-amzn-requestid")
        || headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes()))
}

/// Reads a 200 to a put of `count` events.
pub(super) fn rejected(response: &Response<Vec<u8>>, count: usize) -> Result<Rejected, Unreadable> {
    let mut rejected = Rejected {
        too_old: 0,
        expired: 0,
        too_new: count,
    };
    if !is_aws(response) {
        return Err(Unreadable::NotAws);
    }
    if response.extensions().get() == Some(&BodyCut) {
        return Err(Unreadable::Malformed("the answer broke off"));
    }
    let body: Value = serde_json::from_slice(response.body())
        .map_err(|_| Unreadable::Malformed("the answer is no JSON"))?;
    let Value::Object(body) = body else {
        return Err(Unreadable::Malformed("the answer is no JSON object"));
    };
    let info = match body.get("rejectedLogEventsInfo") {
        None | Some(Value::Null) => return Ok(rejected),
        Some(Value::Object(info)) => info,
        Some(_) => return Err(Unreadable::Malformed("rejectedLogEventsInfo is no object")),
    };
    for (key, value) in info {
        let place = match key.as_str() {
            "tooOldLogEventEndIndex" => &mut rejected.too_old,
            "expiredLogEventEndIndex" => &mut rejected.expired,
            "tooNewLogEventStartIndex" => &mut rejected.too_new,
            _ if value.is_null() => continue,
            _ => return Err(Unreadable::UnknownRejection(excerpt(key.as_bytes(), &[]))),
        };
        if value.is_null() {
            continue;
        }
        *place = value
            .as_u64()
            .and_then(|index| usize::try_from(index).ok())
            .filter(|index| *index <= count)
            .ok_or(Unreadable::Malformed(
                "rejectedLogEventsInfo names events that were not sent",
            ))?;
    }
    Ok(rejected)
}

impl Rejected {
    /// The service's code and the reason for the event at `index` of the request; `None` when it is stored.
    fn of(self, index: usize) -> Option<(&'static str, &'static str)> {
        if index < self.too_old {
            Some((
                "tooOldLogEvent",
                "older than the 14 days that CloudWatch Logs takes",
            ))
        } else if index < self.expired {
            Some(("expiredLogEvent", "older than the log group's retention"))
        } else if index >= self.too_new {
            Some((
                "tooNewLogEvent",
                "more than 2 hours ahead of the clock of CloudWatch Logs",
            ))
        } else {
            None
        }
    }
}

fn accepted(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let rejected = match rejected(response, batch.records.len()) {
        Ok(rejected) => rejected,
        Err(unreadable) => {
            let reason = format!("200, but {unreadable}");
            return match unreadable {
                Unreadable::Malformed(_) => Outcome::Unclear { reason },
                Unreadable::NotAws => Outcome::Config { reason },
                // Some are stored, and each further sending would store them once more.
                Unreadable::UnknownRejection(_) => Outcome::Unacknowledged { again: 0, reason },
            };
        }
    };
    let clock = response.extensions().get::<ClockSkew>();
    let clock = clock.map_or(String::new(), |skew| format!(" ({})", skew.explain()));
    let mut verdicts = vec![Verdict::Stored; batch.records.len()];
    for (index, (time, place)) in order::order(config, batch).into_iter().enumerate() {
        if let (Some((code, reason)), Some(verdict)) = (rejected.of(index), verdicts.get_mut(place)) {
            *verdict = Verdict::Rejected {
                code: code.to_owned(),
                reason: explained(batch, time, place, reason) + &clock,
            };
        }
    }
    Outcome::Verdicts(verdicts)
}

/// With the time that was sent, where it is not the record's own.
fn explained(batch: &Batch<'_>, sent: i64, place: usize, reason: &str) -> String {
    let Some(record) = batch.records.get(place) else {
        return reason.to_owned();
    };
    let own = record.entry.time;
    if own.as_millis() == sent {
        return format!("its time is {}, {reason}", own.to_rfc3339());
    }
    let given = crate::time::Timestamp(sent.saturating_mul(1_000_000));
    format!(
        "its time is {}, it was sent as of {}, {reason}",
        own.to_rfc3339(),
        given.to_rfc3339()
    )
}

fn refused(
    config: &Config,
    batch: &Batch<'_>,
    response: &Response<Vec<u8>>,
    asked: Option<Asked>,
) -> Outcome {
    let code = error_code(response);
    let message = error_message(response);
    let status = response.status().as_u16();
    let operation = match asked {
        Some(Asked::Instead(operation)) => Some(operation),
        Some(Asked::Again) | None => None,
    };
    let reason = match operation {
        Some(operation) => format!(
            "{}: {}",
            operation.name(),
            said(response, &config.endpoint.hidden())
        ),
        None => said(response, &config.endpoint.hidden()),
    };
    let hint = |hint: &str| format!("{reason} ({hint})");
    let after = retry_after(response.headers());
    match (code.as_str(), operation) {
        ("LimitExceededException", Some(Operation::CreateLogGroup)) => {
            return Outcome::Config {
                reason: hint(
                    "the account has as many log groups as it may: ask for more, or create this one by hand",
                ),
            };
        }
        ("OperationAbortedException", _) => return Outcome::Unavailable { after, reason },
        ("ResourceNotFoundException", _) if asked == Some(Asked::Again) => {
            return Outcome::Unavailable { after, reason };
        }
        ("ResourceNotFoundException", _) => {
            return Outcome::Config {
                reason: hint(&missing(config, operation, &message)),
            };
        }
        ("DataAlreadyAcceptedException", None) if batch.attempt.earlier > 0 => return Outcome::Stored,
        ("DataAlreadyAcceptedException", None) => return Outcome::Unclear { reason },
        ("InvalidSequenceTokenException", _) => {
            return Outcome::Config {
                reason: hint(
                    "this server wants sequence tokens, which CloudWatch Logs does without since 2023: check `endpoint`",
                ),
            };
        }
        _ => {}
    }
    match classify(&code, status) {
        ErrorClass::Throttled => Outcome::Throttled { after, reason },
        ErrorClass::Unavailable => Outcome::Unavailable { after, reason },
        ErrorClass::Auth => Outcome::Auth {
            reason: hint(&who(response, &code, || denied(config, operation))),
        },
        ErrorClass::Other if batch.records.len() == 1 && is_event_too_large(&message) => {
            Outcome::Verdicts(vec![Verdict::Rejected {
                reason: hint("set `max_event_bytes` to what this region takes"),
                code,
            }])
        }
        ErrorClass::Other => other(operation, &code, &message, status, reason),
    }
}

fn other(operation: Option<Operation>, code: &str, message: &str, status: u16, reason: String) -> Outcome {
    match (code, status) {
        (_, 407) => Outcome::Auth {
            reason: format!("{reason} (the proxy wants credentials: put them into `proxy`)"),
        },
        (_, 408 | 100..=199 | 500..) => Outcome::Unclear { reason },
        (_, 413) => Outcome::TooLarge { reason },
        ("", _) => Outcome::Config {
            reason: format!("{reason} ({NOT_AWS})"),
        },
        ("UnknownOperationException", _) => Outcome::Config {
            reason: format!("{reason} (check `endpoint` and `region`)"),
        },
        _ if operation.is_some() => Outcome::Config { reason },
        ("InvalidParameterException", _) if is_upload_too_large(message) => Outcome::TooLarge { reason },
        _ => Outcome::Refused {
            code: code.to_owned(),
            reason,
        },
    }
}

/// "Upload too large: 1048584 bytes exceeds limit of 1048576" is about the request; "Log event too large: ..." is about one
/// of its events.
fn is_upload_too_large(message: &str) -> bool {
    message.to_ascii_lowercase().contains("upload too large")
}

/// It says so of a record that is alone in its request: no other can be meant.
fn is_event_too_large(message: &str) -> bool {
    message.to_ascii_lowercase().contains("log event too large")
}

/// Which of the two is missing, and what to do.
fn missing(config: &Config, operation: Option<Operation>, message: &str) -> String {
    let group_is_missing = operation.is_some() || message.to_ascii_lowercase().contains("log group");
    if group_is_missing {
        format!(
            "create the log group {} in {}, correct `log_group_name` or `region`, or set `auto_create_group = true`",
            config.group, config.aws.region
        )
    } else {
        format!(
            "the log stream {} of {} is missing: create it, or allow {}",
            config.stream,
            config.group,
            AwsStatement::allowing("logs:CreateLogStream", &config.statements())
        )
    }
}

fn denied(config: &Config, operation: Option<Operation>) -> String {
    let action = format!("logs:{}", operation.map_or("PutLogEvents", Operation::name));
    format!("allow {}", AwsStatement::allowing(&action, &config.statements()))
}
