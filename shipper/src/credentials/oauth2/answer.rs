//! What an authorization server's answer means. Pure.
//!
//! | answer | is | because |
//! |---|---|---|
//! | 200 with `access_token` | a token | |
//! | `invalid_grant` | refused | the login is over: revoked, expired, or used by somebody else. A person logs in again |
//! | `invalid_client`, `unauthorized_client` | refused | id, secret or the place of the secret is wrong |
//! | `invalid_scope`, `invalid_target` | refused | scope, audience or resource is wrong |
//! | `temporarily_unavailable`, `server_error`, `slow_down`; 408, 425, 429, 5xx | unreachable | tried again |
//! | anything else | refused | URL or configuration is wrong |

use std::time::Duration;

use ::http::{Response, StatusCode};
use serde_json::Value;

use crate::credentials::CredentialError;
use crate::credentials::cache::Expiring;
use crate::credentials::exchange::said;
use crate::secret::Exposed;
use crate::time::Timestamp;

/// A token whose life is not told is asked for again after that.
const UNTOLD_LIFE: Duration = Duration::from_secs(300);

/// What a server granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) access: Expiring<Exposed>,
    /// A new one, or the first; without it the old one goes on.
    pub(super) refresh: Option<Exposed>,
}

/// What `response` grants. `source` is who gave it, `secrets` what was sent, `asked_at` when.
pub(super) fn granted(
    response: &Response<Vec<u8>>,
    source: &str,
    secrets: &[&Exposed],
    asked_at: Timestamp,
) -> Result<Granted, CredentialError> {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let error = body.get("error").and_then(Value::as_str);
    if response.status() != StatusCode::OK || error.is_some() {
        return Err(refusal(response, error.unwrap_or_default(), source, secrets));
    }
    let text = |field| body.get(field).and_then(Value::as_str);
    let token = |field| text(field).filter(|token| is_token(token));
    let not_understood = |problem: &str| CredentialError::Refused {
        source: source.to_owned(),
        reason: format!("{problem}: check `oauth_token_url`"),
    };
    let Some(access) = token("access_token") else {
        return Err(not_understood("its answer has no usable `access_token`"));
    };
    if text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(not_understood("its token is not a bearer token"));
    }
    if body.get("refresh_token").is_some_and(|given| !given.is_null()) && token("refresh_token").is_none() {
        return Err(not_understood("its answer has no usable `refresh_token`"));
    }
    Ok(Granted {
        access: Expiring {
            value: Exposed::new(access.to_owned()),
            until: Some(asked_at.plus(life(body.get("expires_in")))),
        },
        refresh: token("refresh_token").map(|token| Exposed::new(token.to_owned())),
    })
}

/// A number of seconds, which some servers send as text.
fn life(told: Option<&Value>) -> Duration {
    let seconds = match told {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Number(number)) => number.as_f64(),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| (0.0..1e9).contains(seconds));
    seconds.map_or(UNTOLD_LIFE, Duration::from_secs_f64)
}

/// Only what a header may hold.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refusal(response: &Response<Vec<u8>>, error: &str, source: &str, secrets: &[&Exposed]) -> CredentialError {
    let said = said(response, secrets);
    let source = source.to_owned();
    let advice = match (error, response.status().as_u16()) {
        ("temporarily_unavailable" | "server_error" | "slow_down", _) | (_, 408 | 425 | 429 | 500..=599) => {
            return CredentialError::Unreachable { source, reason: said };
        }
        ("invalid_grant", _) => {
            "the login is over, revoked or used elsewhere: run `auditship oauth2 login` again"
        }
        ("invalid_client" | "unauthorized_client", _) | ("", 401 | 403) => {
            "check `oauth_client_id`, `oauth_client_secret`, `oauth_client_auth` and what the client may do there"
        }
        ("invalid_scope" | "invalid_target", _) => {
            "check `oauth_scope`, `oauth_audience` and `oauth_resource`"
        }
        (_, 407) => "the proxy wants credentials: put them into `proxy`",
        _ => "check `oauth_token_url`, and what the server wants to be told",
    };
    CredentialError::Refused {
        source,
        reason: format!("{said} ({advice})"),
    }
}
