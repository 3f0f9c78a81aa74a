//! What an answer leaves open: whose blob it is that has the name. Pure.

use ::http::{Method, Request, Response};

use super::AzureBlob;
use super::decode::{is_taken, may_be_taken};
use super::encode::{asked, metadata_header};
use crate::destination::BodyDigest;
use crate::destination::azure::error_code;
use crate::destination::object::{CHECKSUM, DIGEST, Damaged, Found, Tells, Told, text};
use crate::transport::SendError;
use crate::transport::inquiring::Inquire;

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
        if let Some(answer) = answer {
            let found = Found::of(self, request, answer);
            response.extensions_mut().insert(found);
        } else if response.status() == 201 {
            Damaged::mark(self, request, response);
        }
    }
}

impl Tells for AzureBlob {
    fn sent(&self, request: &Request<Vec<u8>>) -> Option<String> {
        text(request.headers(), self.config.checksum.header())
    }

    /// An MD5 that was sent is kept with the blob and told of it ever after; a CRC64 need not be.
    fn told(&self, answer: &Response<Vec<u8>>) -> Option<Told> {
        Some(Told {
            checksum: text(answer.headers(), self.config.checksum.header()),
            digest: text(answer.headers(), &metadata_header(DIGEST)),
            came_with: text(answer.headers(), &metadata_header(CHECKSUM)),
        })
    }

    fn code(&self, answer: &Response<Vec<u8>>) -> String {
        error_code(answer)
    }
}
