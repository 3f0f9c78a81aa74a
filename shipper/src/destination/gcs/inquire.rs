//! What an answer leaves open: whose object it is that has the name. Pure.

use ::http::{Method, Request, Response};
use serde_json::Value;

use super::Gcs;
use super::encode::Crc32c;
use crate::destination::BodyDigest;
use crate::destination::object::{DIGEST, Found};
use crate::transport::SendError;
use crate::transport::inquiring::Inquire;

/// The store tells another checksum than that of what was sent; put into the extensions of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

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
            response.extensions_mut().insert(found(request, answer));
        } else if response.status() == 200
            && let Ok(stored) = serde_json::from_slice(response.body())
            && is_damaged(request, &stored)
        {
            response.extensions_mut().insert(Damaged);
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

fn found(request: &Request<Vec<u8>>, answer: Result<Response<Vec<u8>>, SendError>) -> Found {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Found::unanswered(&error),
    };
    match answer.status().as_u16() {
        200 => match serde_json::from_slice::<Value>(answer.body()) {
            // What it says of itself is ours, and not what it holds.
            Ok(object) if is_damaged(request, &object) => Found::damaged(),
            Ok(object) => {
                let stored = object["metadata"][DIGEST].as_str();
                Found::by_digest(request.extensions().get::<BodyDigest>(), stored)
            }
            Err(_) => Found::Unknown {
                why: String::from("what is said of it is not JSON"),
            },
        },
        status @ (408 | 429 | 500..) => Found::Later {
            why: format!("asked for it, {status} was answered"),
        },
        status => Found::Unknown {
            why: format!("asked for it, {status} was answered"),
        },
    }
}

/// Whether the store tells another checksum of the object than that of what is sent.
fn is_damaged(sent: &Request<Vec<u8>>, object: &Value) -> bool {
    let sums = (sent.extensions().get(), object["crc32c"].as_str());
    matches!(sums, (Some(Crc32c(sent)), Some(stored)) if stored != sent)
}
