//! What a status means for a batch.
//!
//! | status | outcome | because |
//! |---|---|---|
//! | 200 | stored | there is no further word |
//! | any other 2xx | unacknowledged, held at once | something else answered, and may have handed it on |
//! | 3xx, 404 and their kin | config | something else answered |
//! | 401, 403, 407 | auth | the code of the URL |
//! | 408 | too large; unclear for a single record | the source was not through in time; a part may be stored |
//! | 413 | too large | |
//! | 429 | throttled | nothing of the request was kept |
//! | 503 | unavailable | |
//! | 500, 502, 504 and any other 5xx | unclear | |
//! | 400 and any other 4xx | refused | some message of it may be the cause |

use ::http::Response;

use crate::destination::preset::by_status;
use crate::destination::reply::summary;
use crate::destination::{Batch, Outcome};

/// A pure function of the status and of the number of records.
pub(super) fn decode(batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let said = summary(response, &[]);
    match response.status().as_u16() {
        200 => return Outcome::Stored,
        408 if batch.records.len() > 1 => {
            return Outcome::TooLarge {
                reason: format!("{said} (the source was not through with it in time)"),
            };
        }
        _ => {}
    }
    let who = "check the code at the end of `url`, or `token`";
    let other = || match response.status().as_u16() {
        200..=299 => Outcome::not_its_own(format!(
            "{said} (is this an HTTP source? check `url`, and what stands before it)"
        )),
        status => Outcome::Refused {
            code: status.to_string(),
            reason: said.clone(),
        },
    };
    by_status(response, &said, who, "url").unwrap_or_else(other)
}
