//! What the presets for HTTP collectors have in common: keys that mean the same, and statuses that say the same. Pure.

use ::http::{HeaderValue, Request, Response, Uri, header};

use super::body::{Body, Level};
use super::config::{ConfigError, Flag, Whole};
use super::endpoint::{Endpoint, Plaintext};
use super::reply::retry_after;
use super::{Compression, EncodeError, Outcome};

/// The URL that `key` gives, without a query string.
pub(super) fn address(
    key: &'static str,
    url: &str,
    allow_plaintext: Option<Flag>,
) -> Result<Endpoint, ConfigError> {
    let plaintext = Plaintext::from(allow_plaintext);
    let endpoint = Endpoint::parse(url, plaintext).map_err(|error| ConfigError::invalid(key, error))?;
    match endpoint.uri().query() {
        None => Ok(endpoint),
        Some(_) => Err(ConfigError::invalid(
            key,
            "has a query string: what belongs there has keys of its own, remove it",
        )),
    }
}

/// `path` (which begins with a slash) below `base`, whatever slash that ends with.
pub(super) fn below(key: &'static str, base: &str, path: &str) -> Result<Uri, ConfigError> {
    let url = format!("{}{path}", base.trim_end_matches('/'));
    url.parse()
        .map_err(|_| ConfigError::invalid(key, "gives no URL with what is added to it"))
}

/// Compression of new batches, for services that understand gzip and nothing better: gzip, unless something is said.
pub(super) fn compression(
    name: Option<&str>,
    level: Option<Whole>,
    service: &str,
) -> Result<(Compression, Level), ConfigError> {
    let compression = match Compression::from_name(name.unwrap_or("gzip"))? {
        Compression::Zstd => {
            let problem = format!("{service} does not understand `zstd`; use `gzip` or `none`");
            return Err(ConfigError::invalid("compression", problem));
        }
        compression => compression,
    };
    Ok((compression, Level::new(compression, level.map(|level| level.0))?))
}

/// A text for a field of the service's own: neither empty nor with characters that nobody could see.
pub(super) fn text(key: &'static str, given: Option<String>) -> Result<Option<String>, ConfigError> {
    match given {
        Some(text) if text.is_empty() || text.contains(char::is_control) => {
            let problem = "is empty, or has a control character in it: write a text, or remove the key";
            Err(ConfigError::invalid(key, problem))
        }
        given => Ok(given),
    }
}

/// `text` as a JSON string, marks included.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A `POST` of `body`.
pub(super) fn post(
    uri: &Uri,
    content_type: &'static str,
    compression: Compression,
    body: Body,
) -> Request<Vec<u8>> {
    let mut request = Request::new(body.bytes);
    *request.method_mut() = ::http::Method::POST;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(encoding) = compression.content_encoding() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    request.extensions_mut().insert(body.digest);
    request
}

/// Why a body was not made.
pub(super) fn not_compressed(error: std::io::Error) -> EncodeError {
    EncodeError::Request(format!("compressing failed: {error}"))
}

/// What statuses mean everywhere; `None` for a 2xx and for the 4xx that are about what was sent. `said` is the answer for
/// a person, `who` what to look at when the sender is refused, `place` the key that says where to.
pub(super) fn by_status(
    response: &Response<Vec<u8>>,
    said: &str,
    who: &str,
    place: &'static str,
) -> Option<Outcome> {
    let hint = |hint: &str| format!("{said} ({hint})");
    let after = retry_after(response.headers());
    let reason = said.to_owned();
    Some(match response.status().as_u16() {
        401 | 403 => Outcome::Auth { reason: hint(who) },
        407 => Outcome::Auth {
            reason: hint("the proxy wants credentials: put them into `proxy`"),
        },
        300..=399 | 402 | 404 | 405 | 406 | 410 | 411 | 415 | 426 | 501 | 505 | 511 => Outcome::Config {
            reason: hint(&format!("check `{place}`")),
        },
        413 => Outcome::TooLarge { reason },
        425 | 503 | 507 => Outcome::Unavailable { after, reason },
        429 => Outcome::Throttled { after, reason },
        408 => Outcome::Unclear { reason },
        200..=299 | 400..=499 => return None,
        _ => Outcome::Unclear { reason },
    })
}
