//! Requests for tokens, and what is made of the answers. Pure but for [`ask`].

use std::time::Duration;

use ::http::{Request, Response, StatusCode, Uri, header};
use serde_json::Value;

use crate::credentials::CredentialError;
use crate::credentials::cache::Expiring;
pub(super) use crate::credentials::exchange::form;
use crate::credentials::exchange::{post, said};
use crate::secret::Exposed;
use crate::time::{Clock, Timestamp};
use crate::transport::Transport;

/// Sends `request` to `source`; only a 200 is an answer. `advice` is what to do when it refuses.
pub(super) fn ask(
    transport: &dyn Transport,
    request: &Request<Vec<u8>>,
    source: &str,
    secrets: &[&Exposed],
    advice: &str,
) -> Result<Response<Vec<u8>>, CredentialError> {
    let response = transport
        .send(request)
        .map_err(|error| CredentialError::Unreachable {
            source: source.to_owned(),
            reason: error.into_reason(),
        })?;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(response);
    }
    let said = said(&response, secrets);
    Err(match status.as_u16() {
        408 | 425 | 429 | 500..=599 => CredentialError::Unreachable {
            source: source.to_owned(),
            reason: said,
        },
        _ => CredentialError::Refused {
            source: source.to_owned(),
            reason: format!("{said} ({advice})"),
        },
    })
}

/// JSON for `uri`.
pub(super) fn json(uri: &Uri, body: &Value) -> Request<Vec<u8>> {
    post(uri, "application/json", body.to_string().into_bytes())
}

/// The token of `{"access_token": ..., "expires_in": ...}`.
pub(super) fn access_token(
    response: &Response<Vec<u8>>,
    source: &str,
    clock: &dyn Clock,
) -> Result<Expiring<Exposed>, CredentialError> {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let token = token(&body, "access_token", source)?;
    // Google sends a number; RFC 8693 leaves the field out where there is no end.
    let lifetime = match body.get("expires_in") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
        None => None,
    };
    Ok(Expiring {
        value: token,
        until: lifetime.map(|seconds| clock.wall().plus(Duration::from_secs(seconds))),
    })
}

/// The token of `{"accessToken": ..., "expireTime": ...}`. Its end is taken relative to the answer's own `Date`, so that a
/// clock of ours that is off does no harm.
pub(super) fn generated_token(
    response: &Response<Vec<u8>>,
    source: &str,
    clock: &dyn Clock,
) -> Result<Expiring<Exposed>, CredentialError> {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let token = token(&body, "accessToken", source)?;
    let end: Option<Timestamp> = body
        .get("expireTime")
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    let Some(end) = end else {
        return Err(not_understood(source, "expireTime"));
    };
    let until = match date(response) {
        Some(date) => Timestamp(clock.wall().0.saturating_add(end.0.saturating_sub(date.0))),
        None => end,
    };
    Ok(Expiring {
        value: token,
        until: Some(until),
    })
}

fn date(response: &Response<Vec<u8>>) -> Option<Timestamp> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()?;
    i64::try_from(date.as_nanosecond()).ok().map(Timestamp)
}

fn token(body: &Value, field: &str, source: &str) -> Result<Exposed, CredentialError> {
    let token = body.get(field).and_then(Value::as_str).unwrap_or_default();
    // Only what a header may hold: a token is sent as one.
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(not_understood(source, field));
    }
    Ok(Exposed::new(token.to_owned()))
}

fn not_understood(source: &str, field: &str) -> CredentialError {
    CredentialError::Refused {
        source: source.to_owned(),
        reason: format!("its answer has no usable `{field}`: does something else answer there?"),
    }
}
