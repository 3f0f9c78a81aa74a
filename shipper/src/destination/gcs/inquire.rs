//! What an answer leaves open: whose object it is that has the name. Pure.

use ::http::{Method, Request, Response};
use serde_json::Value;

use super::Gcs;
use super::encode::Crc32c;
use crate::destination::object::{CHECKSUM, DIGEST, Damaged, Found, Tells, Told};
use crate::transport::SendError;
use crate::transport::inquiring::Inquire;

impl Inquire for Gcs {
    fn question(&self, request: &Request<Vec<u8>>, response: &Response<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        // Whoever may create and not delete is told 403 of a name that is taken by some of Google's ways.
        let may_be_taken = matches!(response.status().as_u16(), 403 | 412);
        if request.method() != Method::POST || !may_be_taken {
            return None;
        }
        let name = name_in(request.body())?;
        Request::get(self.config.address.object(&name))
            .body(Vec::new())
            .ok()
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
        } else if response.status() == 200 {
            Damaged::mark(self, request, response);
        }
    }
}

/// The object's name from the first part of a body that [`super::encode`] has made.
fn name_in(body: &[u8]) -> Option<String> {
    let start = body.iter().position(|byte| *byte == b'{')?;
    let mut values = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<Value>();
    let resource = values.next()?.ok()?;
    resource["name"].as_str().map(str::to_owned)
}

impl Tells for Gcs {
    fn sent(&self, request: &Request<Vec<u8>>) -> Option<String> {
        request.extensions().get().map(|Crc32c(sent)| sent.clone())
    }

    fn told(&self, answer: &Response<Vec<u8>>) -> Option<Told> {
        let object: Value = serde_json::from_slice(answer.body()).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Told {
            checksum: text(&object["crc32c"]),
            digest: text(&object["metadata"][DIGEST]),
            came_with: text(&object["metadata"][CHECKSUM]),
        })
    }
}
