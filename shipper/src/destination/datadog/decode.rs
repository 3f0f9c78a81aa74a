//! What an answer means for each record of a batch.
//!
//! | answer | outcome | because |
//! |---|---|---|
//! | 202 | stored; rejected for a log older than 18 hours, less five minutes, by the `Date` of the answer | the intake takes such a log and drops it |
//! | any other 2xx | unacknowledged, held at once | something else answered, and may have handed it on |
//! | 3xx, 404 and their kin | config | something else answered |
//! | 401, 403, 407 | auth | the key, or the site that it belongs to |
//! | 413 | too large | |
//! | 429 | throttled | |
//! | 503 | unavailable | |
//! | 408, 500, 502, 504 and any other 5xx | unclear | a part of the intake may have taken it |
//! | 400 and any other 4xx | refused | some log of it may be the cause |

use ::http::{Response, StatusCode};

use super::Config;
use super::stamp::{oldest, stamp};
use crate::destination::preset::by_status;
use crate::destination::reply::{date, summary};
use crate::destination::{Batch, Outcome, Record, Verdict};
use crate::time::Timestamp;

/// A pure function of the response and of the batch.
pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let said = summary(response, &[]);
    if response.status() == StatusCode::ACCEPTED {
        // By the intake's clock: a batch may have waited for long, and ours may be off.
        let now = date(response.headers()).unwrap_or(batch.attempt.made_at);
        let oldest = oldest(now);
        let verdicts = batch
            .records
            .iter()
            .map(|record| kept(config, batch, record, oldest));
        return Outcome::Verdicts(verdicts.collect());
    }
    let who = "check `apikey`, and that it is one of this `site`";
    let other = || match response.status().as_u16() {
        200..=299 => Outcome::not_its_own(format!(
            "{said} (is this Datadog's intake? check `site` or `endpoint`, and what stands before it)"
        )),
        status => Outcome::Refused {
            code: status.to_string(),
            reason: said.clone(),
        },
    };
    by_status(response, &said, who, "site").unwrap_or_else(other)
}

/// Whether the intake keeps the log that it took.
fn kept(config: &Config, batch: &Batch<'_>, record: &Record<'_>, oldest: Timestamp) -> Verdict {
    let sent = stamp(config, batch.attempt, record);
    if sent >= oldest {
        return Verdict::Stored;
    }
    let own = record.entry.time.to_rfc3339();
    let given = match sent == record.entry.time {
        true => String::new(),
        false => format!(", was sent as of {}", sent.to_rfc3339()),
    };
    Verdict::NotKept {
        code: String::from("older_than_18_hours"),
        reason: format!(
            "its time is {own}{given}, older than the 18 hours that Datadog keeps: `too_old = \"restamp\"` stores such \
             records under a new time"
        ),
    }
}
