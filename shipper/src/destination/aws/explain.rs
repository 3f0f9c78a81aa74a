//! What an answer of AWS says to a person. Pure.

use ::http::Response;

use super::error::{error_code, error_message};
use crate::destination::reply::{excerpt, summary};
use crate::transport::authorized::ClockSkew;

/// The status and the service's own words, without what is `hidden`.
pub(in crate::destination) fn said(response: &Response<Vec<u8>>, hidden: &[String]) -> String {
    let (code, message) = (error_code(response), error_message(response));
    if code.is_empty() {
        return summary(response, hidden);
    }
    let message = excerpt(message.as_bytes(), hidden);
    format!(
        "{} {}: {message}",
        response.status().as_str(),
        excerpt(code.as_bytes(), hidden)
    )
}

/// Why the service refuses who sends and what to do; `denied` says it when it is a permission that is missing.
pub(in crate::destination) fn who(
    response: &Response<Vec<u8>>,
    code: &str,
    denied: impl FnOnce() -> String,
) -> String {
    let skew = response.extensions().get::<ClockSkew>();
    match (code, skew) {
        // Requests are signed by the service's clock then: it is not the cause, and still to be set right.
        ("AccessDenied" | "AccessDeniedException", Some(skew)) => {
            return format!("{}; {}", denied(), skew.explain());
        }
        (_, Some(skew)) => return skew.explain(),
        (_, None) => {}
    }
    match code {
        "AccessDenied" | "AccessDeniedException" => denied(),
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => String::from(
            "the access key is not known: check it, its session token, and that it is one of this partition",
        ),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            String::from("the credentials have expired: renew them where they come from")
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            String::from("check the secret access key, `region` and this host's clock")
        }
        _ => String::from("check the credentials and what they may do"),
    }
}
