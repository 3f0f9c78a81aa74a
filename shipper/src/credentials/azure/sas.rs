//! Requests that carry a shared access signature (SAS): a query string that says what may be done until when, and proves it.
//!
//! # Invariants
//! 1. It is appended to the URL at each sending, as it was given; it is nowhere else.
//! 2. What an answer says back of it is masked before anyone reads it.
//!
//! Runs on the calling (sending) thread; may be called from several at a time.

use std::sync::Arc;

use ::http::{HeaderMap, Request, Response, Uri};
use percent_encoding::percent_decode_str;

use crate::secret::{Exposed, Secret};
use crate::transport::{SendError, Transport};

/// Until when a SAS holds and what it allows, by its own words; put into the extensions of answers that refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct SasTerm {
    /// `se`, as `2027-01-01T00:00:00Z`; empty when a stored access policy says it.
    pub until: String,
    /// `sp`, as `cw`; empty when a stored access policy says it.
    pub permissions: String,
}

/// Appends a SAS to every request. See the module.
pub struct SasTransport {
    inner: Arc<dyn Transport>,
    sas: Secret,
}

impl SasTransport {
    /// Sends by way of `inner`.
    pub fn new(inner: Arc<dyn Transport>, sas: Secret) -> Self {
        Self { inner, sas }
    }
}

const NO_SAS: &str =
    "is no shared access signature: give what follows the `?` of a SAS URL, as sv=...&sp=c&se=...&sig=...";

/// What is wrong with a SAS whose text is known.
pub fn sas_problem(sas: &str) -> Option<&'static str> {
    let sas = query(sas);
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"#?\"<>\\^`{|}".contains(&byte);
    let is_signed = sas.split('&').any(|pair| {
        pair.split_once('=')
            .is_some_and(|(name, value)| name == "sig" && !value.is_empty())
    });
    (!is_signed || !sas.bytes().all(fits)).then_some(NO_SAS)
}

/// Without the `?` that portals put before it.
fn query(sas: &str) -> &str {
    let sas = sas.trim();
    sas.strip_prefix('?').unwrap_or(sas)
}

fn parameter(sas: &str, name: &str) -> String {
    let value = sas
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value));
    let value = percent_decode_str(value.unwrap_or_default()).decode_utf8_lossy();
    // It is shown: what is no time and no letters is not.
    let plain = |found: char| found.is_ascii_alphanumeric() || "-:.+".contains(found);
    match value.len() <= 40 && value.chars().all(plain) {
        true => value.into_owned(),
        false => String::new(),
    }
}

impl Transport for SasTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let unusable = |reason: &str| SendError::NoCredentials {
            reason: format!("`sas_token`: {reason}"),
        };
        let sas = self.sas.expose().map_err(|error| unusable(&error.to_string()))?;
        if let Some(problem) = sas_problem(sas.value()) {
            return Err(unusable(problem));
        }
        let sas = Exposed::new(query(sas.value()).to_owned());
        let mut signed = request.clone();
        *signed.uri_mut() = with_query(request.uri(), sas.value()).ok_or_else(|| unusable(NO_SAS))?;
        let mut response = self.inner.send_with(&signed, further)?;
        mask(&mut response, sas.value());
        if matches!(response.status().as_u16(), 401 | 403) {
            response.extensions_mut().insert(SasTerm {
                until: parameter(sas.value(), "se"),
                permissions: parameter(sas.value(), "sp"),
            });
        }
        Ok(response)
    }
}

fn with_query(uri: &Uri, further: &str) -> Option<Uri> {
    let path = uri.path();
    let query = match uri.query() {
        Some(query) => format!("{path}?{query}&{further}"),
        None => format!("{path}?{further}"),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The whole of it, and its signature as written and decoded.
fn mask(response: &mut Response<Vec<u8>>, sas: &str) {
    let signature = sas.split('&').find_map(|pair| pair.strip_prefix("sig="));
    let signature = signature.unwrap_or_default();
    let decoded = percent_decode_str(signature).decode_utf8_lossy().into_owned();
    let escaped = sas.replace('&', "&amp;");
    let hidden = [sas, &escaped, signature, &decoded];
    let hidden = || hidden.iter().filter(|text| !text.is_empty());
    let body = String::from_utf8_lossy(response.body());
    if hidden().any(|text| body.contains(*text)) {
        let masked = hidden().fold(body.into_owned(), |body, text| body.replace(text, "[redacted]"));
        *response.body_mut() = masked.into_bytes();
    }
    let headers = response.headers_mut();
    for value in headers.values_mut() {
        let says_it = |text: &str| hidden().any(|hidden| text.contains(*hidden));
        if value.to_str().is_ok_and(says_it) {
            *value = ::http::HeaderValue::from_static("[redacted]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use crate::transport::scripted::{ScriptedTransport, Step};

    const SAS: &str = "?sv=2021-12-02&sp=c&se=2027-01-01T00%3A00%3A00Z&sr=c&sig=hunter2%2Bx%3D";

    fn over(wire: &ScriptedTransport, sas: &str) -> SasTransport {
        SasTransport::new(
            Arc::new(wire.clone()),
            Secret::parse(sas, &Environment::empty()).unwrap(),
        )
    }

    fn answer(status: u16, body: &str) -> Step {
        let response = Response::builder()
            .status(status)
            .header("location", format!("https://a/b{SAS}"));
        Step::Answer(response.body(body.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn it_is_appended_as_it_was_given() {
        let wire = ScriptedTransport::new(vec![answer(201, ""), answer(201, "")], Step::NotSent);
        let transport = over(&wire, SAS);
        for url in ["https://a.example/c/b", "https://a.example/c?restype=container"] {
            let request = Request::put(url).body(b"x".to_vec()).unwrap();
            transport.send(&request).unwrap();
        }
        let sent = wire.received();
        assert_eq!(sent[0].uri().to_string(), format!("https://a.example/c/b{SAS}"));
        assert_eq!(
            sent[1].uri().to_string(),
            format!("https://a.example/c?restype=container&{}", &SAS[1..])
        );
        assert_eq!(sent[0].body(), b"x");
    }

    #[test]
    fn what_an_answer_says_back_of_it_is_masked() {
        let said = format!("{SAS} {} hunter2%2Bx%3D hunter2+x=", SAS.replace('&', "&amp;"));
        let wire = ScriptedTransport::new(vec![answer(403, &said)], Step::NotSent);
        let request = Request::put("https://a.example/c/b").body(Vec::new()).unwrap();
        let response = over(&wire, SAS).send(&request).unwrap();
        let shown = format!("{response:?} {}", String::from_utf8_lossy(response.body()));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(
            response.extensions().get(),
            Some(&SasTerm {
                until: String::from("2027-01-01T00:00:00Z"),
                permissions: String::from("c"),
            })
        );
    }

    #[test]
    fn what_is_no_sas_is_not_sent() {
        for sas in [
            "https://a.blob.core.windows.net/c?sv=1&sig=hunter2",
            "hunter2",
            "sv=1&sig=",
            "sv=1&sig=hunter2 x",
        ] {
            let wire = ScriptedTransport::new(vec![], Step::NotSent);
            let request = Request::put("https://a.example/c/b").body(Vec::new()).unwrap();
            let error = over(&wire, sas).send(&request).unwrap_err();
            assert!(matches!(&error, SendError::NoCredentials { .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(wire.received().is_empty());
        }
    }

    #[test]
    fn a_file_is_read_at_each_sending() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sas");
        std::fs::write(&path, "sv=1&sig=one\n").unwrap();
        let wire = ScriptedTransport::new(vec![answer(201, ""), answer(201, "")], Step::NotSent);
        let transport = over(&wire, &format!("file:{}", path.display()));
        let request = Request::put("https://a.example/c/b").body(Vec::new()).unwrap();
        transport.send(&request).unwrap();
        std::fs::write(&path, "sv=1&sig=two\n").unwrap();
        transport.send(&request).unwrap();
        let sent: Vec<_> = wire
            .received()
            .iter()
            .map(|sent| sent.uri().to_string())
            .collect();
        assert_eq!(
            sent,
            [
                "https://a.example/c/b?sv=1&sig=one",
                "https://a.example/c/b?sv=1&sig=two"
            ]
        );
    }
}
