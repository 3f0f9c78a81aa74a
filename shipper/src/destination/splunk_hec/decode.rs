//! What an answer means for each record of a batch. The collector's own code counts before the status.
//!
//! | answer | outcome | because |
//! |---|---|---|
//! | 200 with code 0, acknowledged | stored | an indexer has it |
//! | the same, not acknowledged in time | unacknowledged | sent again `ack_resend` times, then held |
//! | the same, without an `ackId` | unacknowledged, held at once | the token has no acknowledgement any more |
//! | the same, interrupted by a stop | unclear | it is sent again at the next start |
//! | the same with `ack = "none"` | stored | the configuration says so |
//! | code 1 to 4, 21, 22; 401, 403, 407 | auth | the token |
//! | code 6, 12, 13, 15 with `invalid-event-number` | that record is rejected, those in front are unclear, the rest goes again | the collector reads from the front |
//! | the same without one that was sent | refused | searched by halves |
//! | any other 2xx, to records | unacknowledged, held at once | something stands before the collector, and may hand on |
//! | code 7, 10, 11, 14, 16; 5, 17 to data; 3xx, 404 and their kin | config | index, token or URL |
//! | code 8, 408, 500, 502, 504 and any other 5xx | unclear | |
//! | code 9, 18 to 20, 429 | throttled | busy, queues full |
//! | 503 | unavailable | |
//! | 413 | too large | |
//! | any other 4xx, with a code of the collector or without | config | nothing says that it is about an event |
//!
//! To the question that comes before the first record, which is about none: refused and too large mean config, unclear means
//! unavailable.

use ::http::Response;
use serde_json::Value;

use super::Config;
use super::ack::{Acknowledgement, NothingSent};
use super::config::Ack;
use crate::destination::preset::by_status;
use crate::destination::reply::{excerpt, retry_after, summary};
use crate::destination::{Batch, Outcome, Verdict};
use crate::transport::pause::Waited;

/// A pure function of the response, its extensions included, and of the number of records.
pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let outcome = judge(config, batch, response);
    if was_sent(response) {
        return outcome;
    }
    let asked = |reason: &str| format!("nothing was sent; asked for acknowledgements: {reason}");
    let reason = asked(
        outcome
            .reason()
            .unwrap_or("the answer is none of the collector's"),
    );
    match outcome {
        Outcome::Auth { .. } => Outcome::Auth { reason },
        Outcome::Throttled { after, .. } => Outcome::Throttled { after, reason },
        Outcome::Unavailable { after, .. } => Outcome::Unavailable { after, reason },
        Outcome::Unclear { .. } => Outcome::Unavailable { after: None, reason },
        _ => Outcome::Config { reason },
    }
}

/// Whether the answer is to records, and not to the question that comes before them.
fn was_sent(response: &Response<Vec<u8>>) -> bool {
    response.extensions().get::<NothingSent>().is_none()
}

fn judge(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let code = body.get("code").and_then(Value::as_u64);
    let status = response.status().as_u16();
    let said = said(response, code, &body);
    let hint = |hint: &str| format!("{said} ({hint})");
    let after = retry_after(response.headers());
    let taken =
        status == 200 && (code == Some(0) || response.extensions().get() == Some(&Acknowledgement::Received));
    match (code, status) {
        _ if taken => accepted(config, response),
        (Some(1..=4 | 21 | 22), _) => Outcome::Auth { reason: hint(WHO) },
        (Some(6 | 12 | 13 | 15), 400..=499) => refused(batch, &body, code, said),
        (Some(7), 400..=499) => Outcome::Config {
            reason: hint("the token may not write to `event_index`: correct one of them"),
        },
        (Some(10 | 11), 400..=499) => Outcome::Config {
            reason: hint(
                "the channel does not reach the collector: does a proxy remove X-Splunk-Request-Channel?",
            ),
        },
        (Some(14), 400..=499) => Outcome::Config {
            reason: hint(ACK_IS_OFF),
        },
        (Some(16), 400..=499) => Outcome::Config {
            reason: hint(
                "the token reaches the collector in the query string: does something rewrite requests?",
            ),
        },
        (Some(5 | 17), _) => Outcome::Config {
            reason: hint("the records do not reach the collector: does something rewrite requests?"),
        },
        (Some(8), _) => Outcome::Unclear { reason: said },
        (Some(9 | 18..=20), _) => Outcome::Throttled { after, reason: said },
        (_, 200..=299) if was_sent(response) => Outcome::not_its_own(hint(
            "is this Splunk's collector? check `url`, and what stands before it",
        )),
        _ => by_status(response, &said, WHO, "url").unwrap_or_else(|| Outcome::Config {
            reason: hint("is this Splunk's collector? check `url`"),
        }),
    }
}

const WHO: &str = "check `token`: it must exist and be enabled";
pub(super) const ACK_IS_OFF: &str = "turn on indexer acknowledgement for this token (useACK = 1; Splunk Cloud has none), or set `ack = \"none\"`, \
     which counts as stored what was only parsed";

fn accepted(config: &Config, response: &Response<Vec<u8>>) -> Outcome {
    let Ack::Required { again, .. } = config.ack else {
        return Outcome::Stored;
    };
    match response.extensions().get::<Acknowledgement>() {
        Some(Acknowledgement::Received) => Outcome::Stored,
        Some(Acknowledgement::Missing {
            end: Waited::Interrupted,
            ..
        }) => Outcome::Unclear {
            reason: String::from("taken, and not acknowledged before the end"),
        },
        Some(Acknowledgement::Missing { waited, problem, .. }) => {
            let problem = problem
                .as_ref()
                .map_or(String::new(), |problem| format!("; last: {problem}"));
            let reason = format!(
                "taken, but no indexer has acknowledged it in {} s{problem}. Look at the indexers and their queues; behind a \
                 load balancer every request of a sender must reach the same indexer (cookies or the source address: \
                 stickiness)",
                waited.as_secs()
            );
            Outcome::Unacknowledged { again, reason }
        }
        Some(Acknowledgement::NotOffered) | None => Outcome::Unacknowledged {
            again: 0,
            reason: format!("taken, but the answer has no ackId to ask for ({ACK_IS_OFF})"),
        },
    }
}

/// The collector names the first event that it does not take.
fn refused(batch: &Batch<'_>, body: &Value, code: Option<u64>, reason: String) -> Outcome {
    let code = code.map(|code| code.to_string()).unwrap_or_default();
    let number = body.get("invalid-event-number").and_then(Value::as_u64);
    let place = number
        .and_then(|number| usize::try_from(number).ok())
        .filter(|place| *place < batch.records.len());
    let Some(place) = place else {
        return Outcome::Refused { code, reason };
    };
    let mut verdicts = vec![Verdict::Retry { after: None }; batch.records.len()];
    verdicts[..place].fill(Verdict::Unclear);
    verdicts[place] = Verdict::Rejected { code, reason };
    Outcome::Verdicts(verdicts)
}

/// The status, and the collector's own code and words.
fn said(response: &Response<Vec<u8>>, code: Option<u64>, body: &Value) -> String {
    let (Some(code), Some(text)) = (code, body.get("text").and_then(Value::as_str)) else {
        return summary(response, &[]);
    };
    let text = excerpt(text.as_bytes(), &[]);
    format!("{} {text} (code {code})", response.status().as_str())
}
