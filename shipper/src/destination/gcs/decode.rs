//! What Cloud Storage's answers mean for a batch.
//!
//! | answer | meaning |
//! |---|---|
//! | 200 that names the object | stored |
//! | 200 that tells another checksum than was sent | held: what stands at the name is not the batch |
//! | 200 that does not name the object | unclear: sent again under the same name |
//! | 412 `conditionNotMet`, 403 where the object is there | the name is taken: see [`Found`] |
//! | other 412 (a policy of the organisation, of the bucket) | held: bucket |
//! | 429, `rateLimitExceeded`, `userRateLimitExceeded` | later and slower |
//! | 400 that says that a checksum is not that of the bytes | nothing landed: sent again |
//! | 401, other 403 | held: who we are, or what we may do |
//! | 404, `cloudKms…`, every other 3xx and 4xx | held: bucket or configuration |
//! | 413 | halved |
//! | 408, 5xx, anything else | unclear: it may be stored |
//!
//! A store takes bytes as they are: nothing here is the fault of a record, so nothing is searched for one.

use ::http::Response;
use serde_json::Value;

use super::check::{CREATE, ROLE};
use super::config::Config;
use crate::destination::Outcome;
use crate::destination::object::{Damaged, Found};
use crate::destination::reply::{retry_after, said};
use crate::transport::authorized::ClockSkew;

/// Google's own form of an error, as far as it is there.
struct Said {
    reason: String,
    message: String,
}

/// A pure function of the response and of what was found beside it; words of the body are only shown.
pub(super) fn decode(config: &Config, name: &str, response: &Response<Vec<u8>>) -> Outcome {
    let status = response.status().as_u16();
    let after = retry_after(response.headers());
    let error = error(response);
    let said = said(response, &error.reason, &error.message);
    let found = response.extensions().get::<Found>();
    let held = |hint: &str| Outcome::Config {
        reason: format!("{said} ({hint})"),
    };
    match (status, error.reason.as_str()) {
        (200, _) => stored(name, response),
        (412, "" | "conditionNotMet") => Found::outcome(found, name, "storage.objects.get"),
        (403, _) if matches!(found, Some(Found::Same | Found::Other { .. })) => {
            Found::outcome(found, name, "storage.objects.get")
        }
        (429, _) | (_, "rateLimitExceeded" | "userRateLimitExceeded") => {
            Outcome::Throttled { after, reason: said }
        }
        (_, reason) if reason.starts_with("cloudKms") => held(
            "check `kms_key`: it must exist, be enabled and be where the bucket is, and Cloud Storage's service agent must be allowed to use it",
        ),
        (400, _) if error.message.contains("doesn't match calculated") => {
            Outcome::Unavailable { after, reason: said }
        }
        (401 | 403, _) => {
            let skew = response
                .extensions()
                .get::<ClockSkew>()
                .map(|skew| skew.explain());
            let advice = match &skew {
                Some(skew) if status == 401 => skew.clone(),
                _ if error.reason == "insufficientPermissions" => String::from(
                    "the VM's access scopes do not let it write: add devstorage.read_write, or set `credentials_file`",
                ),
                _ if status == 401 => {
                    String::from("the token is not accepted: check the credentials, and this host's clock")
                }
                _ => format!("allow {CREATE} on the bucket {}: {ROLE}", config.address.bucket),
            };
            let clock = skew
                .filter(|_| status == 403)
                .map_or_else(String::new, |skew| format!("; {skew}"));
            Outcome::Auth {
                reason: format!("{said} ({advice}{clock})"),
            }
        }
        (404, _) => held("check `bucket` and `endpoint`: the bucket must be made by you"),
        (408, _) => Outcome::Unclear { reason: said },
        (413, _) => Outcome::TooLarge { reason: said },
        (300..=499, _) => held("check the keys of this destination against what the bucket has and allows"),
        _ => Outcome::Unclear { reason: said },
    }
}

fn stored(name: &str, response: &Response<Vec<u8>>) -> Outcome {
    let unclear = |reason: &str| Outcome::Unclear {
        reason: reason.to_owned(),
    };
    if let Some(damaged) = Damaged::outcome(response) {
        return damaged;
    }
    let object: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    match object["name"] == *name {
        true => Outcome::Stored,
        false => unclear(
            "a 200 that does not name the object is not Cloud Storage's: does something else listen there?",
        ),
    }
}

fn error(response: &Response<Vec<u8>>) -> Said {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let error = &body["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Said {
        reason: text(&error["errors"][0]["reason"]),
        message: text(&error["message"]),
    }
}
