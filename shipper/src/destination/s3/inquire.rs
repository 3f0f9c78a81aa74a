//! What an answer leaves open: whose object it is that has the name, and in which region the bucket is. Pure.

use ::http::{Method, Request, Response};

use super::S3;
use super::decode::is_elsewhere;
use super::encode::{SHA256, owner};
use crate::destination::aws::{error_code, xml_text};
use crate::destination::object::{CHECKSUM, DIGEST, Damaged, Found, Tells, Told, text};
use crate::transport::SendError;
use crate::transport::inquiring::Inquire;

/// The region in which the bucket is; put into the extensions of an answer that sends us elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region(pub(super) String);

impl Inquire for S3 {
    fn question(&self, request: &Request<Vec<u8>>, response: &Response<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        let url = match response.status().as_u16() {
            412 if request.method() == Method::PUT => request.uri().to_string(),
            // Any region tells anybody where a bucket is.
            _ if is_elsewhere(response) && region(response).is_none() => {
                self.config.address.bucket().to_owned()
            }
            _ => return None,
        };
        let mut question = Request::head(url);
        if response.status() == 412 {
            question = question.header("x-amz-checksum-mode", "ENABLED");
        }
        if let Some((name, value)) = owner(&self.config) {
            question = question.header(name, value);
        }
        question.body(Vec::new()).ok()
    }

    fn conclude(
        &self,
        request: &Request<Vec<u8>>,
        response: &mut Response<Vec<u8>>,
        answer: Option<Result<Response<Vec<u8>>, SendError>>,
    ) {
        let status = response.status().as_u16();
        if status == 412
            && let Some(answer) = answer
        {
            let found = Found::of(self, request, answer);
            response.extensions_mut().insert(found);
        } else if is_elsewhere(response) {
            let told = answer.and_then(Result::ok).as_ref().and_then(region);
            if let Some(region) = region(response).or(told) {
                response.extensions_mut().insert(Region(region));
            }
        } else if status == 200 {
            Damaged::mark(self, request, response);
        }
    }
}

impl Tells for S3 {
    fn sent(&self, request: &Request<Vec<u8>>) -> Option<String> {
        text(request.headers(), SHA256)
    }

    fn told(&self, answer: &Response<Vec<u8>>) -> Option<Told> {
        Some(Told {
            checksum: text(answer.headers(), SHA256),
            digest: text(answer.headers(), &format!("x-amz-meta-{DIGEST}")),
            came_with: text(answer.headers(), &format!("x-amz-meta-{CHECKSUM}")),
        })
    }
}

/// The region that an answer names. What is no name of a region is not passed on.
fn region(response: &Response<Vec<u8>>) -> Option<String> {
    let header = response.headers().get("x-amz-bucket-region");
    let header = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let named = || match error_code(response).as_str() {
        "AuthorizationHeaderMalformed" => xml_text(response.body(), "Region"),
        _ => None,
    };
    header.or_else(named).filter(|region| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=63).contains(&region.len()) && region.bytes().all(is_name)
    })
}
