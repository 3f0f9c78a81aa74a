//! How AWS names an error, in each of its protocols, and the classes that all of its services share.

use ::http::Response;

/// What an error's code says, whatever the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::destination) enum ErrorClass {
    /// Later and slower.
    Throttled,
    /// Later.
    Unavailable,
    /// Who sends, or what it may do.
    Auth,
    /// Nothing that all services mean alike.
    Other,
}

/// The error's code without its decorations: from `x-amzn-errortype`, `__type` of a JSON body or `<Code>` of an XML one;
/// empty when there is none.
pub(crate) fn error_code(response: &Response<Vec<u8>>) -> String {
    let header = response
        .headers()
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let code = header
        .or_else(|| json_text(response.body(), &["__type", "code"]))
        .or_else(|| xml_text(response.body(), "Code"))
        .unwrap_or_default();
    // `com.amazonaws.logs#ResourceNotFoundException:http://...`
    let code = code.rsplit_once('#').map_or(code.as_str(), |(_, code)| code);
    let code = code.split_once(':').map_or(code, |(code, _)| code).trim();
    code.chars().take(128).collect()
}

/// What the service says in words; empty when it says nothing.
pub(in crate::destination) fn error_message(response: &Response<Vec<u8>>) -> String {
    json_text(response.body(), &["message", "Message"])
        .or_else(|| xml_text(response.body(), "Message"))
        .unwrap_or_default()
}

/// By code first, by status second: AWS answers 400 to almost everything, throttling included.
pub(in crate::destination) fn classify(code: &str, status: u16) -> ErrorClass {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "TransactionInProgressException"
        | "EC2ThrottledException" => ErrorClass::Throttled,
        "RequestTimeout"
        | "RequestTimeoutException"
        | "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => ErrorClass::Unavailable,
        "UnrecognizedClientException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "AccessDenied"
        | "AccessDeniedException" => ErrorClass::Auth,
        _ => match status {
            429 => ErrorClass::Throttled,
            503 => ErrorClass::Unavailable,
            401 | 403 => ErrorClass::Auth,
            _ => ErrorClass::Other,
        },
    }
}

fn json_text(body: &[u8], keys: &[&str]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    keys.iter()
        .find_map(|key| body.get(key)?.as_str().map(str::to_owned))
}

/// The text of the first element `name`; error bodies are flat and have no attributes.
pub(in crate::destination) fn xml_text(body: &[u8], name: &str) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let (_, after) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(header: Option<&str>, body: &str) -> Response<Vec<u8>> {
        let mut response = Response::builder().status(400);
        if let Some(header) = header {
            response = response.header("x-amzn-errortype", header);
        }
        response.body(body.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_code_is_found_in_each_protocol() {
        for (header, body, code, message) in [
            (
                None,
                r#"{"__type":"ThrottlingException","message":"slow"}"#,
                "ThrottlingException",
                "slow",
            ),
            (
                None,
                r#"{"__type":"com.amazonaws.logs#X:http://y","Message":"m"}"#,
                "X",
                "m",
            ),
            (Some("X:http://internal.amazon.com/coral/"), "{}", "X", ""),
            (
                None,
                "<Error><Code>SlowDown</Code><Message>a b</Message></Error>",
                "SlowDown",
                "a b",
            ),
            (None, "<Error><Code>", "", ""),
            (None, "", "", ""),
            (None, "{\"__type\":7}", "", ""),
        ] {
            let response = response(header, body);
            assert_eq!(
                (error_code(&response), error_message(&response)),
                (code.to_owned(), message.to_owned())
            );
        }
    }

    #[test]
    fn a_code_beats_the_status() {
        assert_eq!(classify("ThrottlingException", 400), ErrorClass::Throttled);
        assert_eq!(classify("ExpiredTokenException", 400), ErrorClass::Auth);
        assert_eq!(classify("", 503), ErrorClass::Unavailable);
        assert_eq!(classify("", 500), ErrorClass::Other);
        assert_eq!(classify("ResourceNotFoundException", 400), ErrorClass::Other);
    }
}
