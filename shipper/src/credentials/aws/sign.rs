//! Signature Version 4 over a request, by AWS's own signer.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use super::Provide;
use crate::credentials::CredentialError;
use crate::destination::SentDigest;
use crate::destination::aws::error_code;
use crate::hex::hex;
use crate::time::Timestamp;
use crate::transport::authorized::{Authorize, Renewal};

/// A service that is signed for: S3 has rules of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a service is S3 or it is not")]
pub enum Service {
    /// Paths as they are, each character encoded once, and the body's digest in a header.
    S3,
    /// Any other, by its signing name, as `logs`.
    Named(&'static str),
    /// Any other, by a signing name that a configuration gives. The body's digest is in a header: OpenSearch Serverless
    /// asks for it, and no service minds.
    Configured(String),
}

impl Service {
    fn name(&self) -> &str {
        match self {
            Self::S3 => "s3",
            Self::Named(name) => name,
            Self::Configured(name) => name,
        }
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        match self {
            Self::S3 => {
                settings.percent_encoding_mode = PercentEncodingMode::Single;
                settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            }
            Self::Named(_) => {}
            Self::Configured(_) => settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256,
        }
        settings
    }
}

/// Signs requests to one service in one region.
pub struct Signer {
    keys: Arc<dyn Provide>,
    service: Service,
    region: String,
}

impl Signer {
    /// A signer with the keys of `keys`.
    pub fn new(keys: Arc<dyn Provide>, service: Service, region: &str) -> Self {
        Self {
            keys,
            service,
            region: region.to_owned(),
        }
    }

    fn headers(
        &self,
        keys: Credentials,
        request: &Request<Vec<u8>>,
        at: SystemTime,
    ) -> Result<HeaderMap, String> {
        let identity = keys.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.name())
            .time(at)
            .settings(self.service.settings())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| Ok((name.as_str(), value.to_str()?)))
            .collect::<Result<Vec<_>, ::http::header::ToStrError>>()
            .map_err(|error| error.to_string())?;
        let body = match request.extensions().get::<SentDigest>() {
            Some(SentDigest(digest)) => SignableBody::Precomputed(hex(digest).to_string()),
            None => SignableBody::Bytes(request.body()),
        };
        let uri = request.uri().to_string();
        let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body)
            .map_err(|error| error.to_string())?;
        let (instructions, _) = sign(signable, &params)
            .map_err(|error| error.to_string())?
            .into_parts();
        let mut signed = HeaderMap::new();
        for (name, value) in instructions.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let mut value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
            value.set_sensitive(matches!(name.as_str(), "authorization" | "x-amz-security-token"));
            signed.insert(name, value);
        }
        Ok(signed)
    }
}

impl Authorize for Signer {
    fn authorize(&self, request: &Request<Vec<u8>>, at: Timestamp) -> Result<HeaderMap, CredentialError> {
        let keys = self.keys.credentials()?;
        let at = UNIX_EPOCH + Duration::from_nanos(u64::try_from(at.0).unwrap_or(0));
        self.headers(keys, request, at)
            .map_err(|reason| CredentialError::Refused {
                source: String::from("signing"),
                reason,
            })
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        matches!(response.status().as_u16(), 400 | 401 | 403) && is_refusal_code(&error_code(response))
    }

    fn renew(&self) -> Renewal {
        self.keys.renew()
    }
}

/// The codes by which AWS refuses keys, tokens, signatures and their times (its error reference, and botocore's lists).
fn is_refusal_code(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
    )
}
