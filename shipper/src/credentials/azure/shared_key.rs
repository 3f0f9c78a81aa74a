//! Requests that are signed with the key of a storage account (`Authorization: SharedKey`).

use std::sync::{Mutex, PoisonError};

use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::fmt::rfc2822::DateTimePrinter;
use percent_encoding::percent_decode_str;
use ring::hmac;

use crate::credentials::CredentialError;
use crate::destination::azure::error_code;
use crate::secret::{Exposed, Secret};
use crate::time::Timestamp;
use crate::transport::authorized::{Authorize, Renewal};

/// When a request was made; signed in place of `Date`.
const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// Signs with an account's key.
#[derive(Debug)]
pub struct SharedKey {
    account: String,
    key: Secret,
    /// What was signed with last.
    used: Mutex<Option<Exposed>>,
}

impl SharedKey {
    /// Signs as `account` with `key`, in Base64 as the portal shows it.
    pub fn new(account: String, key: Secret) -> Self {
        Self {
            account,
            key,
            used: Mutex::new(None),
        }
    }

    fn sign(&self, request: &Request<Vec<u8>>, date: &HeaderValue) -> Result<String, CredentialError> {
        let refused = |reason: String| CredentialError::Refused {
            source: String::from("`shared_key`"),
            reason,
        };
        let key = self.key.expose().map_err(|error| refused(error.to_string()))?;
        let bytes = BASE64
            .decode(key.value().trim())
            .map_err(|_| refused(String::from(NOT_BASE64)))?;
        let text = string_to_sign(&self.account, request, date);
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), text.as_bytes());
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Ok(BASE64.encode(signature))
    }
}

const NOT_BASE64: &str =
    "is no key of a storage account: copy one of the two from the account's access keys, in Base64";

/// What is wrong with a key whose text is known.
pub fn key_problem(key: &str) -> Option<&'static str> {
    match BASE64.decode(key.trim()) {
        Ok(bytes) if !bytes.is_empty() => None,
        Ok(_) | Err(_) => Some(NOT_BASE64),
    }
}

impl Authorize for SharedKey {
    fn authorize(&self, request: &Request<Vec<u8>>, at: Timestamp) -> Result<HeaderMap, CredentialError> {
        let unsigned = |_| CredentialError::Refused {
            source: String::from("`shared_key`"),
            reason: String::from("the request cannot be signed: check `account_name` and this host's clock"),
        };
        let date = HeaderValue::try_from(http_date(at)).map_err(unsigned)?;
        let signature = self.sign(request, &date)?;
        let mut value =
            HeaderValue::try_from(format!("SharedKey {}:{signature}", self.account)).map_err(unsigned)?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([
            (DATE, date),
            (header::AUTHORIZATION, value),
        ]))
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        let is_of_key = |code: &str| matches!(code, "AuthenticationFailed" | "AuthorizationFailure");
        response.status() == 403 && is_of_key(&error_code(response))
    }

    /// A key in a file may have been changed since it was signed with.
    fn renew(&self) -> Renewal {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match self.key.expose() {
            Ok(key) if used.as_ref().is_some_and(|used| *used != key) => Renewal::Changed,
            _ => Renewal::Same,
        }
    }
}

/// As in `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or_default();
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}

/// Verb, eleven standard headers, every `x-ms-` header in order, account and path, every parameter in order.
///
/// The service orders headers by letters without hyphens. For the names that are sent here (no hyphen in the names of
/// metadata) that is the order of bytes.
fn string_to_sign(account: &str, request: &Request<Vec<u8>>, date: &HeaderValue) -> String {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().trim().to_owned();
    let standard = |name: HeaderName| request.headers().get(name).map(text).unwrap_or_default();
    let length = match request.body().len() {
        0 => String::new(),
        length => length.to_string(),
    };
    let mut lines = vec![
        request.method().to_string(),
        standard(header::CONTENT_ENCODING),
        standard(header::CONTENT_LANGUAGE),
        length,
        standard(HeaderName::from_static("content-md5")),
        standard(header::CONTENT_TYPE),
        // `x-ms-date` stands for it.
        String::new(),
        standard(header::IF_MODIFIED_SINCE),
        standard(header::IF_MATCH),
        standard(header::IF_NONE_MATCH),
        standard(header::IF_UNMODIFIED_SINCE),
        standard(header::RANGE),
    ];
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str()
            .starts_with("x-ms-")
            .then(|| (name.to_string(), text(value)))
    };
    let mut headers: Vec<_> = request.headers().iter().filter_map(own).collect();
    headers.push((DATE.to_string(), text(date)));
    headers.sort();
    lines.extend(headers.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.push(format!("/{account}{}", request.uri().path()));
    let query = request.uri().query().unwrap_or_default();
    let mut parameters: Vec<_> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8_lossy();
            format!("{}:{value}", name.to_ascii_lowercase())
        })
        .collect();
    parameters.sort();
    lines.extend(parameters);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    /// `devstoreaccount1`'s key is public: every emulator has it.
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    fn signer(key: &str) -> SharedKey {
        let key = Secret::parse(key, &Environment::empty()).unwrap();
        SharedKey::new(String::from("devstoreaccount1"), key)
    }

    fn put() -> Request<Vec<u8>> {
        Request::put("http://127.0.0.1:10000/devstoreaccount1/audit/a/b.gz?comp=x%2Fy&Timeout=30")
            .header("if-none-match", "*")
            .header("content-type", "application/gzip")
            .header("x-ms-version", "2021-12-02")
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-other", "not signed")
            .body(b"body".to_vec())
            .unwrap()
    }

    #[test]
    fn what_is_signed_is_what_the_service_documents() {
        let date = HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(
            string_to_sign("devstoreaccount1", &put(), &date),
            "PUT\n\n\n4\n\napplication/gzip\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n\
             x-ms-date:Thu, 01 Jan 2026 00:00:00 GMT\nx-ms-version:2021-12-02\n\
             /devstoreaccount1/devstoreaccount1/audit/a/b.gz\ncomp:x/y\ntimeout:30"
        );
    }

    #[test]
    fn a_request_without_a_body_has_no_length() {
        let head = Request::head("https://a.blob.core.windows.net/c/b")
            .body(Vec::new())
            .unwrap();
        let date = HeaderValue::from_static("d");
        assert_eq!(
            string_to_sign("a", &head, &date),
            "HEAD\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:d\n/a/c/b"
        );
    }

    #[test]
    fn a_signature_is_sensitive_and_of_the_time_that_is_given() {
        let headers = signer(KEY)
            .authorize(&put(), Timestamp(1_767_225_600_000_000_000))
            .unwrap();
        assert_eq!(headers[DATE], "Thu, 01 Jan 2026 00:00:00 GMT");
        let value = &headers[header::AUTHORIZATION];
        assert!(value.is_sensitive());
        // Of the text above, by another program.
        assert_eq!(
            value.to_str().unwrap(),
            "SharedKey devstoreaccount1:+/5ge9qFgyNbfT1x7z64wzNhme1TWGUqA75U9Ae2KTE="
        );
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let error = signer("hunter2!").authorize(&put(), Timestamp(0)).unwrap_err();
        assert!(error.to_string().contains("access keys"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{:?}", signer(KEY)).contains("Eby8"));
        assert_eq!(key_problem(KEY), None);
        assert!(key_problem("hunter2!").is_some());
    }

    #[test]
    fn a_key_that_is_rotated_in_its_file_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, KEY).unwrap();
        let signer = signer(&format!("file:{}", path.display()));
        signer.authorize(&put(), Timestamp(0)).unwrap();
        assert_eq!(signer.renew(), Renewal::Same);
        std::fs::write(&path, "b3RoZXI=\n").unwrap();
        assert_eq!(signer.renew(), Renewal::Changed);
    }
}
