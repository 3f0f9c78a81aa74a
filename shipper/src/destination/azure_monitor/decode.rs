//! What an answer means for each record of a batch.
//!
//! | answer | outcome | because |
//! |---|---|---|
//! | 204 | stored; a verdict for each where the request left some out | it says nothing of single rows |
//! | 204 to a request of which it is not known what it left out | unclear | |
//! | any other 2xx | unacknowledged | something else answered, and may have handed it on: held until a person resumes it |
//! | 3xx | config | something else answered: a proxy, a portal, a wrong URL |
//! | 413, `ReadyBody_ClientConnectionAbort` and other codes of size | too large | |
//! | `RecordsTimeRangeIsMoreThan30Minutes` | too large | tables of the auxiliary plan: halves span less |
//! | 400 whose code names rule, stream or version; 404, 405, 410, 411, 415 | config | |
//! | any other 400, any other 4xx | refused | some record of it may be the cause |
//! | 401, 403, 407 | auth | the token, or the role on the rule |
//! | 429 | throttled | after `Retry-After` |
//! | 503 | unavailable | |
//! | 408, any other 5xx, anything else | unclear | the API knows no name for a batch: it may be stored twice |

use ::http::Response;

use super::config::Config;
use super::left_out::LeftOut;
use crate::destination::azure::{error_code, error_message};
use crate::destination::reply::{retry_after, said};
use crate::destination::{Batch, Outcome, Record, Verdict};
use crate::transport::authorized::ClockSkew;

/// The role that has the permission and little else.
pub(super) const ROLE: &str = "Monitoring Metrics Publisher";

/// A pure function of the response and of what its request left out; words of the body are only shown.
pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let status = response.status().as_u16();
    if status == 204 {
        return accepted(config, batch, response);
    }
    let code = error_code(response);
    let after = retry_after(response.headers());
    let said = said(response, &code, &error_message(response));
    let names = |word: &str| code.to_ascii_lowercase().contains(word);
    let held = |hint: &str| Outcome::Config {
        reason: format!("{said} ({hint})"),
    };
    match status {
        200..=299 => Outcome::not_its_own(format!(
            "{said} (this does not come from Logs Ingestion: check `dce_url` and `proxy`)"
        )),
        300..=399 => held("this does not come from Logs Ingestion: check `dce_url` and `proxy`"),
        413 => Outcome::TooLarge { reason: said },
        400 if names("connectionabort") || names("toolarge") || names("morethan30minutes") => {
            Outcome::TooLarge { reason: said }
        }
        400 if names("stream") || names("rule") || names("dcr") || names("version") => held(
            "check `dcr_id` and `stream_name`: the stream must be declared in the rule, as `Custom-Audit_CL`",
        ),
        401 => Outcome::Auth {
            reason: format!("{said} ({})", token(response)),
        },
        403 | 407 => Outcome::Auth {
            reason: format!(
                "{said} (allow it on the rule {}: the role {ROLE}, which takes up to 30 minutes to count; and check that the rule \
                 belongs to the endpoint `dce_url`)",
                config.dcr
            ),
        },
        404 => held(
            "check `dce_url`, `dcr_id` and `stream_name`: there is no such rule at this endpoint, or it declares no such stream",
        ),
        405 | 410 | 411 | 415 => held("check `dce_url`: is it the logs ingestion endpoint?"),
        429 => Outcome::Throttled { after, reason: said },
        503 => Outcome::Unavailable { after, reason: said },
        408 => Outcome::Unclear { reason: said },
        400..=499 => Outcome::Refused {
            code: match code.is_empty() {
                true => status.to_string(),
                false => code,
            },
            reason: said,
        },
        _ => Outcome::Unclear { reason: said },
    }
}

/// Of what the request had in it, and of what it left out.
fn accepted(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let Some(left_out) = response.extensions().get::<LeftOut>() else {
        return Outcome::Unclear {
            reason: String::from("204, but what the request left out is not known"),
        };
    };
    // What was sent is in the table, also where the service's clock is so far from ours that it replaced the time: the
    // record's own is in it, and each further sending would store it once more.
    let verdict = |(place, _): (usize, &Record<'_>)| match left_out.why(place) {
        Some(why) => why.verdict(config),
        None => Verdict::Stored,
    };
    let verdicts: Vec<Verdict> = batch.records.iter().enumerate().map(verdict).collect();
    match verdicts.iter().all(|verdict| *verdict == Verdict::Stored) {
        true => Outcome::Stored,
        false => Outcome::Verdicts(verdicts),
    }
}

fn token(response: &Response<Vec<u8>>) -> String {
    match response.extensions().get::<ClockSkew>() {
        Some(skew) => skew.explain(),
        None => String::from("the token is not accepted: check `cloud`, the tenant, and this host's clock"),
    }
}
