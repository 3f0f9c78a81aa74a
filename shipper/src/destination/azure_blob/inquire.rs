//! What an answer leaves open: whose blob it is that has the name. Pure.

use ::http::{Method, Request, Response};

use super::AzureBlob;
use super::decode::{is_taken, may_be_taken};
use super::encode::{asked, metadata_header};
use crate::destination::BodyDigest;
use crate::destination::azure::error_code;
use crate::destination::object::{DIGEST, Found};
use crate::transport::SendError;
use crate::transport::inquiring::Inquire;

/// The service tells another checksum than that of what was sent; put into the extensions of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl Inquire for AzureBlob {
    fn question(&self, request: &Request<Vec<u8>>, response: &Response<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        // A check asks with another condition, and looks at nothing.
        let is_batch = request.method() == Method::PUT && request.extensions().get::<BodyDigest>().is_some();
        if !is_batch || !(is_taken(response) || may_be_taken(response)) {
            return None;
        }
        asked(Request::head(request.uri())).body(Vec::new()).ok()
    }

    fn conclude(
        &self,
        request: &Request<Vec<u8>>,
        response: &mut Response<Vec<u8>>,
        answer: Option<Result<Response<Vec<u8>>, SendError>>,
    ) {
        let sum = self.config.checksum.header();
        if let Some(answer) = answer {
            response.extensions_mut().insert(found(request, answer));
        } else if response.status() == 201
            && let (Some(sent), Some(stored)) = (request.headers().get(sum), response.headers().get(sum))
            && sent != stored
        {
            response.extensions_mut().insert(Damaged);
        }
    }
}

fn found(request: &Request<Vec<u8>>, answer: Result<Response<Vec<u8>>, SendError>) -> Found {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Found::unanswered(&error),
    };
    match answer.status().as_u16() {
        200 => {
            let stored = answer.headers().get(metadata_header(DIGEST));
            let stored = stored.and_then(|value| value.to_str().ok());
            Found::by_digest(request.extensions().get::<BodyDigest>(), stored)
        }
        status @ (408 | 429 | 500..) => Found::Later {
            why: format!("HEAD was answered with {status}"),
        },
        status => Found::Unknown {
            why: format!("HEAD was answered with {status} {}", error_code(&answer))
                .trim_end()
                .to_owned(),
        },
    }
}
