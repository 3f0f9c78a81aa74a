//! What Blob Storage's answers mean for a batch.
//!
//! | answer | meaning |
//! |---|---|
//! | 201 with an `ETag` | stored |
//! | 201 that tells another checksum than was sent | the name is taken, by other bytes than ours: held |
//! | 201 that has no `ETag` | unclear: sent again under the same name |
//! | 412, 409 `BlobAlreadyExists`, `BlobImmutableDueTo…`, 403 `UnauthorizedBlobOverwrite` | the name is taken: see [`Found`] |
//! | 403 `AuthorizationPermissionMismatch` where the blob is there and could be compared | the same |
//! | 409 `ContainerBeingDeleted`, `AccountIsBeing…`; 400 `Md5Mismatch`, `Crc64Mismatch` | nothing landed: sent again |
//! | 429, 503 `ServerBusy` | later and slower |
//! | 401, other 403 | held: who we are, or what we may do |
//! | 404, every other 3xx and 4xx | held: container or configuration |
//! | 413 | halved |
//! | 408, other 5xx, anything else | unclear: it may be stored |
//!
//! A store takes bytes as they are: nothing here is the fault of a record, so nothing is searched for one.

use ::http::Response;

use super::config::{Access, Config};
use super::permission;
use crate::credentials::azure::SasTerm;
use crate::destination::Outcome;
use crate::destination::azure::{error_code, error_message};
use crate::destination::object::{Damaged, Found};
use crate::destination::reply::{date, retry_after, said};
use crate::time::Timestamp;
use crate::transport::authorized::ClockSkew;

/// Whether an answer says that the name is taken.
pub(super) fn is_taken(response: &Response<Vec<u8>>) -> bool {
    let code = error_code(response);
    match response.status().as_u16() {
        412 => true,
        409 => code == "BlobAlreadyExists" || code.starts_with("BlobImmutableDueTo"),
        403 => code == "UnauthorizedBlobOverwrite",
        _ => false,
    }
}

/// Whether an answer may be about the name: some servers refuse like this who may create and not write over.
pub(super) fn may_be_taken(response: &Response<Vec<u8>>) -> bool {
    response.status() == 403 && error_code(response) == "AuthorizationPermissionMismatch"
}

/// A pure function of the response and of what was found beside it; words of the body are only shown.
pub(super) fn decode(config: &Config, name: &str, response: &Response<Vec<u8>>) -> Outcome {
    let status = response.status().as_u16();
    let code = error_code(response);
    let after = retry_after(response.headers());
    let said = said(response, &code, &error_message(response));
    if status == 201 {
        return stored(response);
    }
    if is_taken(response) {
        return Found::outcome(response.extensions().get(), name, permission::READ);
    }
    let found = response.extensions().get::<Found>();
    if may_be_taken(response) && matches!(found, Some(Found::Same | Found::Other { .. })) {
        return Found::outcome(found, name, permission::READ);
    }
    let held = |hint: &str| Outcome::Config {
        reason: format!("{said} ({hint})"),
    };
    match (status, code.as_str()) {
        (409, "ContainerBeingDeleted" | "AccountIsBeingCreated" | "AccountBeingCreated")
        | (400, "Md5Mismatch" | "Crc64Mismatch") => Outcome::Unavailable { after, reason: said },
        (429, _) | (503, "ServerBusy") => Outcome::Throttled { after, reason: said },
        (401 | 403, _) => Outcome::Auth {
            reason: format!("{said} ({})", advice(config, response, &code)),
        },
        (404, "" | "ContainerNotFound") => {
            held("check `account_name`, `container_name` and `endpoint`: the container must be made by you")
        }
        (408, _) => Outcome::Unclear { reason: said },
        (413, _) => Outcome::TooLarge { reason: said },
        (300..=499, _) => {
            held("check the keys of this destination against what the container has and allows")
        }
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
        false => unclear("a 201 without an ETag is not Blob Storage's: does something else listen there?"),
    }
}

/// What to do about a refusal of who we are.
fn advice(config: &Config, response: &Response<Vec<u8>>, code: &str) -> String {
    if let Some(skew) = response.extensions().get::<ClockSkew>() {
        return skew.explain();
    }
    match (code, &config.access) {
        (_, Access::Sas(_)) => sas_advice(response),
        ("KeyBasedAuthenticationNotPermitted", _) => {
            String::from("this account takes no keys: use a `sas_token` that a user has delegated")
        }
        ("AuthenticationFailed", Access::SharedKey(_)) => String::from(
            "check `account_name` and `shared_key`: is it one of this account's, and not rotated?",
        ),
        ("AuthorizationFailure", _) => String::from(
            "check `account_name`, `shared_key` and the account's network rules: its firewall may not let this host in",
        ),
        (_, Access::SharedKey(_)) => String::from("check `account_name` and `shared_key`"),
        (
            "AuthenticationFailed" | "InvalidAuthenticationInfo" | "NoAuthenticationInformation" | "",
            Access::Entra(_),
        ) => String::from("the token is not accepted: check the tenant, `cloud`, and this host's clock"),
        (_, Access::Entra(_)) => format!(
            "allow {} on the container, as `auditship iam` prints it; a role takes some minutes to count",
            permission::CREATE
        ),
    }
}

/// A SAS says itself until when it holds and what it allows.
fn sas_advice(response: &Response<Vec<u8>>) -> String {
    const RENEW: &str = "make a new one (with `sp=c`) and put it where `sas_token` says";
    let term = response
        .extensions()
        .get::<SasTerm>()
        .cloned()
        .unwrap_or_default();
    let until = term.until.parse::<Timestamp>();
    match (until, date(response.headers())) {
        (Ok(until), Some(now)) if until <= now => format!("the SAS has expired at {}: {RENEW}", term.until),
        _ if !term.permissions.is_empty() && !term.permissions.contains(['c', 'w']) => format!(
            "the SAS does not allow to create blobs, it has `sp={}` only: {RENEW}",
            term.permissions
        ),
        _ if !term.until.is_empty() => format!(
            "check the SAS: its signature, that it is for this container, its addresses; it holds until {} and has `sp={}` \
             (with `r` in it a blob that is there already is compared)",
            term.until, term.permissions
        ),
        _ => format!("check the SAS, and the stored access policy that it names; or {RENEW}"),
    }
}
