//! Requests for tokens and the words of their answers, as RFC 6749 and its relatives have them. Pure.

use ::http::{HeaderValue, Method, Request, Response, Uri, header};
use serde_json::Value;

use crate::destination::endpoint::percent_encoded;
use crate::secret::Exposed;

/// A form (`application/x-www-form-urlencoded`) for `uri`.
pub(super) fn form(uri: &Uri, fields: &[(&str, &str)]) -> Request<Vec<u8>> {
    post(
        uri,
        "application/x-www-form-urlencoded",
        pairs(fields).into_bytes(),
    )
}

/// `fields` as a form or a query string has them.
pub(super) fn pairs(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(percent_encoded(name));
        text.push('=');
        text.extend(percent_encoded(value));
    }
    text
}

/// `body` for `uri`.
pub(super) fn post(uri: &Uri, content_type: &'static str, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request
}

/// The status and the error's own words, in the form of RFC 6749 or of Google's APIs, without `secrets`.
pub(super) fn said(response: &Response<Vec<u8>>, secrets: &[&Exposed]) -> String {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let words = match (body.get("error"), body.get("error_description")) {
        // RFC 6749
        (Some(Value::String(error)), Some(Value::String(description))) => format!("{error}: {description}"),
        (Some(Value::String(error)), _) => error.clone(),
        // google.rpc.Status
        (Some(error), _) => error
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        (None, _) => String::new(),
    };
    match printable(&words, secrets).as_str() {
        "" => format!("it answered {status}"),
        words => format!("it answered {status}: {words}"),
    }
}

/// The beginning of `words` on one line, without `secrets`, as they are and as a form has them.
pub(super) fn printable(words: &str, secrets: &[&Exposed]) -> String {
    let secrets = secrets.iter().map(|secret| secret.value());
    let words = secrets
        .filter(|secret| !secret.is_empty())
        .fold(words.to_owned(), |words, secret| {
            let encoded = percent_encoded(secret).to_string();
            words
                .replace(secret, "[redacted]")
                .replace(&encoded, "[redacted]")
        });
    words
        .chars()
        .map(|found| if found.is_control() { ' ' } else { found })
        .take(200)
        .collect()
}
