//! Federation from AWS: the subject token is a `GetCallerIdentity` request, signed with this host's AWS keys and not sent;
//! Google sends it, and believes what AWS answers.

use std::sync::Arc;

use ::http::{HeaderName, HeaderValue, Request, Uri, header};
use serde_json::json;

use super::file::Fields;
use super::{Outside, answer};
use crate::credentials::CredentialError;
use crate::credentials::aws::{self, Service, Signer};
use crate::destination::endpoint::percent_encoded;
use crate::secret::Exposed;
use crate::transport::authorized::Authorize as _;

/// What `credential_source` says of AWS.
pub(super) struct AwsSubject {
    /// With `{region}` in it.
    verification_url: String,
    /// Names the availability zone, where the environment does not name the region.
    region_url: Option<Uri>,
    /// Gives the session token that the metadata service wants (IMDSv2).
    session_url: Option<Uri>,
}

impl AwsSubject {
    pub(super) fn parse(source: &Fields<'_>) -> Result<Self, String> {
        if source.text("environment_id")? != "aws1" {
            return Err(String::from(
                "`credential_source.environment_id` is not `aws1`, the only version that is known",
            ));
        }
        let optional_url = |field| match source.optional(field)? {
            None => Ok(None),
            Some(url) => match url.parse::<Uri>() {
                Ok(uri) if uri.scheme().is_some() => Ok(Some(uri)),
                _ => Err(format!("`credential_source.{field}` is no URL")),
            },
        };
        let verification_url = source.text("regional_cred_verification_url")?;
        if !verification_url.starts_with("https://sts.") {
            return Err(String::from(
                "`credential_source.regional_cred_verification_url` does not begin with `https://sts.`",
            ));
        }
        Ok(Self {
            verification_url: verification_url.to_owned(),
            region_url: optional_url("region_url")?,
            session_url: optional_url("imdsv2_session_token_url")?,
        })
    }

    pub(super) fn token(&self, audience: &str, outside: &Outside) -> Result<Exposed, CredentialError> {
        let region = self.region(outside)?;
        let refused = |reason: &str| CredentialError::Refused {
            source: String::from("the AWS identity for the token exchange"),
            reason: reason.to_owned(),
        };
        let url = self.verification_url.replace("{region}", &region);
        let uri: Uri = url
            .parse()
            .map_err(|_| refused("`regional_cred_verification_url` is no URL"))?;
        let host = HeaderValue::from_str(uri.host().unwrap_or_default())
            .map_err(|_| refused("`regional_cred_verification_url` has no usable host"))?;
        let audience =
            HeaderValue::from_str(audience).map_err(|_| refused("`audience` is no header value"))?;
        let mut request = Request::new(Vec::new());
        *request.method_mut() = ::http::Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::HOST, host);
        request
            .headers_mut()
            .insert(HeaderName::from_static("x-goog-cloud-target-resource"), audience);
        let identity = aws::Identity {
            environment: outside.environment.clone(),
            ..aws::Identity::default()
        };
        let keys = aws::provider(&identity, &region, Arc::clone(&outside.clock));
        let signed =
            Signer::new(keys, Service::Named("sts"), &region).authorize(&request, outside.clock.wall())?;
        request.headers_mut().extend(signed);
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| json!({ "key": name.as_str(), "value": value.to_str().unwrap_or_default() }))
            .collect();
        let unsent = json!({ "url": url, "method": "POST", "headers": headers });
        let mut token = String::new();
        token.extend(percent_encoded(&unsent.to_string()));
        Ok(Exposed::new(token))
    }

    fn region(&self, outside: &Outside) -> Result<String, CredentialError> {
        let named = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .iter()
            .find_map(|name| outside.environment.filled(name));
        if let Some(region) = named {
            return Ok(region.to_owned());
        }
        let Some(uri) = &self.region_url else {
            return Err(CredentialError::Missing {
                advice: String::from("the AWS region for the token exchange: set AWS_REGION"),
            });
        };
        let source = "AWS's metadata service";
        let advice = "set AWS_REGION, unless this is a VM at AWS";
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = uri.clone();
        if let Some(session_url) = &self.session_url {
            let mut session = Request::new(Vec::new());
            *session.method_mut() = ::http::Method::PUT;
            *session.uri_mut() = session_url.clone();
            session.headers_mut().insert(
                HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"),
                HeaderValue::from_static("300"),
            );
            let response = answer::ask(&*outside.direct, &session, source, &[], advice)?;
            if let Ok(mut value) = HeaderValue::from_bytes(response.body().trim_ascii()) {
                value.set_sensitive(true);
                request
                    .headers_mut()
                    .insert(HeaderName::from_static("x-aws-ec2-metadata-token"), value);
            }
        }
        let response = answer::ask(&*outside.direct, &request, source, &[], advice)?;
        let zone = String::from_utf8_lossy(response.body()).trim().to_owned();
        // `us-east-1b`: the region without the zone's letter.
        match zone.strip_suffix(|letter: char| letter.is_ascii_lowercase()) {
            Some(region)
                if region
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') =>
            {
                Ok(region.to_owned())
            }
            _ => Err(CredentialError::Refused {
                source: source.to_owned(),
                reason: String::from("names no availability zone: set AWS_REGION"),
            }),
        }
    }
}
