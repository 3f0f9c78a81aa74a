//! What the answers of [`crate::transport::file`] mean for a batch.

use ::http::{Response, StatusCode};

use super::Config;
use crate::destination::Outcome;
use crate::destination::reply::excerpt;

/// A pure function of the status; the body only gives words.
pub(super) fn decode(config: &Config, response: &Response<Vec<u8>>) -> Outcome {
    let path = config.path.display();
    let said = excerpt(response.body(), &[]);
    match response.status() {
        StatusCode::CREATED => Outcome::Stored,
        StatusCode::PRECONDITION_FAILED => Outcome::Exists {
            reason: format!("{path} has an object of this name: {said}"),
        },
        StatusCode::INSUFFICIENT_STORAGE => Outcome::Unavailable {
            after: None,
            reason: format!("{path} is full, make room there: {said}"),
        },
        StatusCode::FORBIDDEN => Outcome::Auth {
            reason: format!("{path} is not writable for this user, change its owner or mode: {said}"),
        },
        StatusCode::NOT_FOUND => Outcome::Config {
            reason: format!(
                "{path} cannot be created since its parent is missing, create it or set `path`: {said}"
            ),
        },
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Outcome::Config {
            reason: format!("{path} does not take this request: {said}"),
        },
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Unavailable {
            after: None,
            reason: format!("{path} cannot be written: {said}"),
        },
        other => Outcome::Unclear {
            reason: format!("{path}: {other}: {said}"),
        },
    }
}
