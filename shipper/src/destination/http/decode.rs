//! What a status means for a batch.
//!
//! | status | outcome | because |
//! |---|---|---|
//! | in `success_codes` (default 200-299) | stored | the configuration says so |
//! | 401, 403, 407 | auth | who sends, or what it may do, is wrong |
//! | 3xx, 402, 404, 405, 406, 410, 411, 415, 426, 501, 505, 511; 2xx outside `success_codes` | config | URL, method, format or receiver is wrong, whatever the records are |
//! | 408, 500, 502, 504 and any other 5xx, 1xx, 6xx and above | unclear | a part of the receiver may have stored it before another failed |
//! | 409 after an earlier sending | unclear | the receiver knows the key: it stores it now, or has stored it |
//! | 413 | too large | |
//! | 425, 503, 507 | unavailable | refused before it was looked at |
//! | 429 | throttled | |
//! | 400, 409 at first, 412, 422 and any other 4xx | refused | some record of it may be the cause |

use ::http::{Response, header};

use super::Config;
use crate::destination::reply::{retry_after, summary};
use crate::destination::{Attempt, Outcome};

/// A pure function of the status, `Retry-After` and whether the batch was sent before; the body only gives words.
pub(super) fn decode(config: &Config, attempt: &Attempt, response: &Response<Vec<u8>>) -> Outcome {
    let code = response.status().as_u16();
    if config.success.contains(code) {
        return Outcome::Stored;
    }
    let said = summary(response, &config.endpoint.hidden());
    let after = retry_after(response.headers());
    let hint = |hint: &str| format!("{said} ({hint})");
    match code {
        401 | 403 => Outcome::Auth {
            reason: hint(
                "check `auth`, `username`, `password`, `token`, `header` and what they may do at the receiver",
            ),
        },
        407 => Outcome::Auth {
            reason: hint("the proxy wants credentials: put them into `proxy`"),
        },
        // The place it points to may hold a secret; only that there is one is told.
        300..=399 if response.headers().contains_key(header::LOCATION) => Outcome::Config {
            reason: hint("redirects are not followed: set `url` to where the receiver really is"),
        },
        300..=399 | 402 | 404 | 410 | 511 => Outcome::Config {
            reason: hint("check `url`"),
        },
        405 | 501 => Outcome::Config {
            reason: hint("check `method` and `url`"),
        },
        406 | 411 | 415 | 426 | 505 => Outcome::Config {
            reason: hint(
                "check `format`, `compression` and the content type: the receiver does not take them",
            ),
        },
        200..=299 => Outcome::Config {
            reason: hint("not in `success_codes`: add it if it means that the records are stored"),
        },
        409 if attempt.earlier > 0 => Outcome::Unclear {
            reason: hint("if the receiver says so of a key that it has stored, add 409 to `success_codes`"),
        },
        413 => Outcome::TooLarge { reason: said },
        425 | 503 | 507 => Outcome::Unavailable { after, reason: said },
        429 => Outcome::Throttled { after, reason: said },
        408 => Outcome::Unclear { reason: said },
        400..=499 => Outcome::Refused {
            code: code.to_string(),
            reason: said,
        },
        _ => Outcome::Unclear { reason: said },
    }
}
