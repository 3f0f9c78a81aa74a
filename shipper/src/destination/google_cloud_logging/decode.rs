//! What an answer means for a batch. The body is a `google.rpc.Status`; whose words are for people, whose codes count.
//!
//! | answer | outcome | because |
//! |---|---|---|
//! | 200 with an empty JSON object | stored, but see below for entries of another time | |
//! | any other 200 | unclear | it is not the API's answer |
//! | any status with `WriteLogEntriesPartialErrors` | a verdict for each entry, see below | the others are written |
//! | 400, 403 whose body is cut | unclear; too large when it is cut for its size | which entries are written is in the part that lacks |
//! | 400 "Request payload size exceeds ..." , 413 | too large | |
//! | any other 400, any other 4xx | refused | without details nothing is written: some entry may be the cause |
//! | 401 | auth | the token |
//! | 403 with SERVICE_DISABLED, BILLING_DISABLED, CONSUMER_INVALID | config | the project, not who asks |
//! | any other 403, 407 | auth | a permission is missing, or the token's scope is too small |
//! | 404, 3xx, 405, 410, 411, 415, 501, 505, 511 | config | log, project or endpoint is wrong |
//! | 409, 425, 503 | unavailable | |
//! | 429 | throttled | after `RetryInfo` or `Retry-After` |
//! | 408, 499, 500, 502, 504, anything else | unclear | sent again, it is recognised by insertId and timestamp |
//!
//! | an entry's code | verdict |
//! |---|---|
//! | absent | stored; rejected when it is older than `retention` or more than 24 hours ahead: the API accepts such an entry and its bucket does not keep it |
//! | 3, 5, 6, 9, 11, 12, 15 | rejected: this entry will never be taken |
//! | 7, 16 (permission, identity) | again; when it is every entry, the batch is refused for it: auth |
//! | 1, 2, 4, 8, 10, 13, 14, any other | again |

use std::time::Duration;

use ::http::Response;
use serde_json::Value;

use crate::destination::reply::{date, excerpt, retry_after};
use crate::destination::{Batch, Outcome, Record, Verdict};
use crate::time::Timestamp;
use crate::transport::BodyCut;
use crate::transport::authorized::ClockSkew;
use crate::transport::http::MAX_BODY;

/// What the words of an outcome name.
pub(super) struct Named<'a> {
    /// As `projects/ID`.
    pub(super) parent: &'a str,
    pub(super) log_name: &'a str,
    pub(super) retention: Duration,
}

/// The permission that is needed, and the smallest role that has it.
pub(super) const PERMISSION: &str = "logging.logEntries.create";
pub(super) const ROLE: &str = "roles/logging.logWriter";

/// Pure: of the answer, the number of records and their times.
pub(super) fn decode(named: &Named<'_>, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    // By the API's clock: a batch may have waited for long, and ours may be off.
    let now = date(response.headers()).unwrap_or(batch.attempt.made_at);
    let kept = |record: &Record<'_>| kept(named, record.entry.time, now);
    match answer(named, batch.records.len(), response) {
        Outcome::Stored if batch.records.iter().all(|record| kept(record) == Verdict::Stored) => {
            Outcome::Stored
        }
        Outcome::Stored => Outcome::Verdicts(batch.records.iter().map(kept).collect()),
        Outcome::Verdicts(verdicts) => {
            let judged = verdicts.into_iter().zip(batch.records);
            let judged = judged.map(|(verdict, record)| match verdict {
                Verdict::Stored => kept(record),
                verdict => verdict,
            });
            Outcome::Verdicts(judged.collect())
        }
        outcome => outcome,
    }
}

/// The furthest that an entry may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// An entry of `time` is accepted: whether its bucket keeps it, `now` by the API's clock.
fn kept(named: &Named<'_>, time: Timestamp, now: Timestamp) -> Verdict {
    let retention = i64::try_from(named.retention.as_nanos()).unwrap_or(i64::MAX);
    if time.0 < now.0.saturating_sub(retention) {
        let days = named.retention.as_secs() / 86_400;
        return Verdict::NotKept {
            code: String::from("older_than_retention"),
            reason: format!(
                "accepted and passed on to sinks, but of {} and so older than the {days} days that the log's bucket \
                 keeps: if it keeps entries longer, set `retention` to that",
                time.to_rfc3339()
            ),
        };
    }
    if time > now.plus(MAX_AHEAD) {
        return Verdict::NotKept {
            code: String::from("too_far_ahead"),
            reason: format!(
                "accepted and passed on to sinks, but of {} and so more than 24 hours ahead, which the log's bucket does \
                 not keep: check the clock of its source",
                time.to_rfc3339()
            ),
        };
    }
    Verdict::Stored
}

/// What an answer to a request of `count` entries says, whatever they are.
pub(super) fn answer(named: &Named<'_>, count: usize, response: &Response<Vec<u8>>) -> Outcome {
    let code = response.status().as_u16();
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let error = body.get("error");
    if code == 200 {
        return match (&body, error) {
            // The API's answer has no fields.
            (Value::Object(fields), None) if fields.is_empty() => Outcome::Stored,
            _ => Outcome::Unclear {
                reason: String::from("200, but not the API's answer: does something else answer there?"),
            },
        };
    }
    // The details of a partial success may be in what is missing.
    if matches!(code, 400 | 403) && response.extensions().get() == Some(&BodyCut) {
        return match response.body().len() < MAX_BODY {
            true => Outcome::Unclear {
                reason: format!("{code}, and the answer broke off"),
            },
            false => Outcome::TooLarge {
                reason: format!("{code}, and the answer has more verdicts than can be read at a time"),
            },
        };
    }
    let details = error
        .and_then(|error| error.get("details"))
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let said = said(code, error, response);
    if let Some(errors) = detail(details, "google.logging.v2.WriteLogEntriesPartialErrors") {
        return verdicts(named, count, errors, &said);
    }
    let after = retry_info(details).or_else(|| retry_after(response.headers()));
    let hint = |hint: &str| format!("{said} ({hint})");
    let size = "Request payload size exceeds";
    match code {
        413 => Outcome::TooLarge { reason: said },
        400 if said.contains(size) => Outcome::TooLarge { reason: said },
        401 => Outcome::Auth {
            reason: match response.extensions().get::<ClockSkew>() {
                Some(skew) => hint(&skew.explain()),
                None => hint("the token is not accepted: check the credentials, and this host's clock"),
            },
        },
        403 => forbidden(named, details, &said),
        407 => Outcome::Auth {
            reason: hint("the proxy wants credentials: put them into `proxy`"),
        },
        404 => Outcome::Config {
            reason: hint(&format!(
                "check `project_id`, `log_name` ({}) and `endpoint`",
                named.log_name
            )),
        },
        300..=399 | 405 | 410 | 411 | 415 | 501 | 505 | 511 => Outcome::Config {
            reason: hint("check `endpoint`"),
        },
        409 | 425 | 503 => Outcome::Unavailable { after, reason: said },
        429 => Outcome::Throttled { after, reason: said },
        408 | 499 => Outcome::Unclear { reason: said },
        400..=498 => Outcome::Refused {
            code: status(error).map_or_else(|| code.to_string(), str::to_owned),
            reason: said,
        },
        _ => Outcome::Unclear { reason: said },
    }
}

/// `403 PERMISSION_DENIED: Permission ... denied`, at most some 250 characters.
fn said(code: u16, error: Option<&Value>, response: &Response<Vec<u8>>) -> String {
    let mut said = code.to_string();
    if let Some(status) = status(error) {
        said.push(' ');
        said.push_str(status);
    }
    let message = error
        .and_then(|error| error.get("message"))
        .and_then(Value::as_str);
    let words = excerpt(message.map_or(response.body(), str::as_bytes), &[]);
    if !words.is_empty() {
        said.push_str(": ");
        said.push_str(&words);
    }
    said
}

/// `INVALID_ARGUMENT`; nothing that is not such a word.
fn status(error: Option<&Value>) -> Option<&str> {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    error?
        .get("status")?
        .as_str()
        .filter(|status| (1..64).contains(&status.len()) && status.bytes().all(is_part))
}

/// The detail of a type.
fn detail<'a>(details: &'a [Value], kind: &str) -> Option<&'a Value> {
    details.iter().find(|detail| {
        let found = detail.get("@type").and_then(Value::as_str);
        found.is_some_and(|found| found.rsplit('/').next() == Some(kind))
    })
}

/// `{"retryDelay": "1.5s"}`
fn retry_info(details: &[Value]) -> Option<Duration> {
    let delay = detail(details, "google.rpc.RetryInfo")?
        .get("retryDelay")?
        .as_str()?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn forbidden(named: &Named<'_>, details: &[Value], said: &str) -> Outcome {
    let reason = detail(details, "google.rpc.ErrorInfo")
        .and_then(|info| info.get("reason"))
        .and_then(Value::as_str);
    let id = named.parent.split('/').nth(1).unwrap_or_default();
    match reason {
        Some("SERVICE_DISABLED") => Outcome::Config {
            reason: format!(
                "{said} (enable the API: gcloud services enable logging.googleapis.com --project={id})"
            ),
        },
        Some("BILLING_DISABLED" | "CONSUMER_INVALID" | "USER_PROJECT_DENIED") => Outcome::Config {
            reason: format!(
                "{said} (check that {} exists and has billing, and `quota_project`)",
                named.parent
            ),
        },
        Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT") => Outcome::Auth {
            reason: format!(
                "{said} (the VM's access scopes do not have logging.write: add it, or set `credentials_file`)"
            ),
        },
        _ => Outcome::Auth {
            reason: format!(
                "{said} ({PERMISSION} is missing on {}: grant {ROLE} to whoever sends; `auditship iam` prints how)",
                named.parent
            ),
        },
    }
}

/// `{"logEntryErrors": {"3": {"code": 3, "message": "..."}}}`; entries that are not in it are written.
fn verdicts(named: &Named<'_>, count: usize, errors: &Value, said: &str) -> Outcome {
    let not_understood = |what: &str| Outcome::Unclear {
        reason: format!("{said} (which entries were written cannot be told: {what})"),
    };
    let Some(errors) = errors.get("logEntryErrors").and_then(Value::as_object) else {
        return not_understood("no `logEntryErrors`");
    };
    if errors.is_empty() {
        return not_understood("`logEntryErrors` is empty");
    }
    let mut verdicts = vec![Verdict::Stored; count];
    let mut denied = 0;
    for (index, error) in errors {
        let slot = index
            .parse()
            .ok()
            .and_then(|index: usize| verdicts.get_mut(index));
        let Some(slot) = slot else {
            return not_understood("an index that no entry has");
        };
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let message = excerpt(message.as_bytes(), &[]);
        *slot = match error.get("code").and_then(Value::as_i64) {
            Some(code @ (3 | 5 | 6 | 9 | 11 | 12 | 15)) => Verdict::Rejected {
                code: name(code).to_owned(),
                reason: message,
            },
            Some(7 | 16) => {
                denied += 1;
                Verdict::Retry { after: None }
            }
            _ => Verdict::Retry { after: None },
        };
    }
    if denied == count {
        return forbidden(named, &[], said);
    }
    Outcome::Verdicts(verdicts)
}

/// The codes of gRPC by their names.
fn name(code: i64) -> &'static str {
    match code {
        3 => "INVALID_ARGUMENT",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        9 => "FAILED_PRECONDITION",
        11 => "OUT_OF_RANGE",
        12 => "UNIMPLEMENTED",
        15 => "DATA_LOSS",
        _ => "UNKNOWN",
    }
}
