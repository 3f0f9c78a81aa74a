//! What S3's answers mean for a batch.
//!
//! | answer | meaning |
//! |---|---|
//! | 200 with an `ETag` | stored |
//! | 200 that tells another checksum than was sent | held: what stands at the name is not the batch |
//! | 200 without an `ETag` | unclear: sent again under the same name |
//! | 412 | the name is taken: see [`Found`] |
//! | 409 `ConditionalRequestConflict`, `OperationAborted` | nothing landed: sent again |
//! | 301, 302, 307, 308, `AuthorizationHeaderMalformed`, `IllegalLocationConstraintException` | held: another region, which is named |
//! | `SlowDown` and every other name of throttling, 429 | later and slower |
//! | `ServiceUnavailable`, `RequestTimeout`, `BadDigest`, `InvalidDigest`, `XAmzContentSHA256Mismatch`, `IncompleteBody` | nothing landed: sent again |
//! | `AccessDenied`, `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `ExpiredToken`, `RequestTimeTooSkewed` and their like, 401, 403 | held: who we are, or what we may do |
//! | `NoSuchBucket`, `KMS.…`, `InvalidRequest`, `MetadataTooLarge`, 501 and every other 3xx and 4xx | held: bucket or configuration |
//! | `EntityTooLarge`, 413 | halved |
//! | 408, `InternalError`, other 5xx, anything else | unclear: it may be stored |
//!
//! A store takes bytes as they are: nothing here is the fault of a record, so nothing is searched for one.

use ::http::Response;

use super::config::Config;
use super::inquire::Region;
use super::permission;
use crate::destination::Outcome;
use crate::destination::aws::{ErrorClass, classify, error_code, error_message};
use crate::destination::object::{Damaged, Found};
use crate::destination::reply::{retry_after, said};
use crate::transport::authorized::ClockSkew;

/// A pure function of the response and of what was found beside it; words of the body are only shown.
pub(super) fn decode(config: &Config, name: &str, response: &Response<Vec<u8>>) -> Outcome {
    let status = response.status().as_u16();
    let code = error_code(response);
    let after = retry_after(response.headers());
    let said = said(response, &code, &error_message(response));
    if status == 200 {
        return stored(response);
    }
    if status == 412 {
        return Found::outcome(response.extensions().get(), name, "s3:GetObject");
    }
    if is_elsewhere(response)
        && let Some(outcome) = elsewhere(config, response, &code)
    {
        return outcome;
    }
    match code.as_str() {
        "ConditionalRequestConflict"
        | "OperationAborted"
        | "RequestTimeout"
        | "BadDigest"
        | "InvalidDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "IncompleteBody" => return Outcome::Unavailable { after, reason: said },
        // It may have got further than to the place that failed.
        "InternalError" => return Outcome::Unclear { reason: said },
        "EntityTooLarge" | "MaxMessageLengthExceeded" => return Outcome::TooLarge { reason: said },
        _ => {}
    }
    if code.starts_with("KMS.") {
        let reason =
            format!("{said} (check `kms_key_id`: the key must exist, be enabled and be in this region)");
        return Outcome::Config { reason };
    }
    match classify(&code, status) {
        ErrorClass::Throttled => return Outcome::Throttled { after, reason: said },
        ErrorClass::Auth => {
            let reason = format!("{said} ({})", advice(config, response, &code));
            return Outcome::Auth { reason };
        }
        // A gateway's 503 says nothing about what it had passed on.
        ErrorClass::Unavailable if !code.is_empty() => return Outcome::Unavailable { after, reason: said },
        ErrorClass::Unavailable | ErrorClass::Other => {}
    }
    let held = |hint: &str| Outcome::Config {
        reason: format!("{said} ({hint})"),
    };
    match status {
        404 => held("check `bucket`, `region` and `endpoint`: the bucket must be made by you"),
        405 => held("check `endpoint`: it does not take objects"),
        408 => Outcome::Unclear { reason: said },
        413 => Outcome::TooLarge { reason: said },
        501 => held(
            "this server lacks something that is asked of it: `If-None-Match`, `checksum`, `encryption`, `object_lock` or `object_tags`",
        ),
        300..=499 => held("check the keys of this destination against what the bucket has and allows"),
        _ => Outcome::Unclear { reason: said },
    }
}

fn stored(response: &Response<Vec<u8>>) -> Outcome {
    let unclear = |reason: &str| Outcome::Unclear {
        reason: reason.to_owned(),
    };
    if let Some(damaged) = Damaged::outcome(response) {
        return damaged;
    }
    match response.headers().contains_key(::http::header::ETAG) {
        true => Outcome::Stored,
        false => unclear("a 200 without an ETag is not S3's: does something else listen at this endpoint?"),
    }
}

/// Whether an answer sends us to another region, or says that we have signed for a wrong one.
pub(super) fn is_elsewhere(response: &Response<Vec<u8>>) -> bool {
    match response.status().as_u16() {
        301 | 302 | 307 | 308 => true,
        400 => matches!(
            error_code(response).as_str(),
            "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"
        ),
        _ => false,
    }
}

/// `None` when it is not about regions after all.
fn elsewhere(config: &Config, response: &Response<Vec<u8>>, code: &str) -> Option<Outcome> {
    let (bucket, ours) = (&config.bucket, &config.aws.region);
    let said = said(response, code, &error_message(response));
    let reason = match response.extensions().get::<Region>() {
        Some(Region(right)) if right != ours => {
            format!("the bucket {bucket} is in {right}, not in {ours}: set `region = \"{right}\"` ({said})")
        }
        // The header is malformed in another way: its key id, for one.
        _ if code == "AuthorizationHeaderMalformed" => {
            let reason = format!("{said} (check the access key id and `region`)");
            return Some(Outcome::Auth { reason });
        }
        Some(_) => format!("{said} (the bucket is young and not known everywhere yet; or check `endpoint`)"),
        None => {
            format!("{said} (the bucket {bucket} seems not to be in {ours}: check `region` and `endpoint`)")
        }
    };
    Some(Outcome::Config { reason })
}

/// What to do about a refusal.
fn advice(config: &Config, response: &Response<Vec<u8>>, code: &str) -> String {
    if let Some(skew) = response.extensions().get::<ClockSkew>() {
        return match code {
            "AccessDenied" => {
                let denied = permission::advice(config, &error_message(response));
                format!("{denied}; {}", skew.explain())
            }
            _ => skew.explain(),
        };
    }
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" => {
            String::from("this host's clock and the store's are too far apart: set this host's right (NTP)")
        }
        "SignatureDoesNotMatch" => String::from(
            "the secret access key is another than this key id's, or something on the way changes requests",
        ),
        "InvalidAccessKeyId" | "InvalidClientTokenId" => {
            String::from("the access key id does not exist there, or its user was removed: give another")
        }
        "ExpiredToken" | "InvalidToken" => {
            String::from("the session token is no longer valid: renew the credentials")
        }
        _ => permission::advice(config, &error_message(response)),
    }
}
