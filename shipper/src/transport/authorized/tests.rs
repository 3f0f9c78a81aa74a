use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use ::http::{HeaderValue, StatusCode};

use super::*;
use crate::time::ManualClock;
use crate::transport::scripted::{ScriptedTransport, Step};

/// Signs with the time, and has the next token after each renewal.
struct Signature {
    tokens: Mutex<Vec<Option<&'static str>>>,
    renewals: AtomicUsize,
}

impl Signature {
    fn new(tokens: &[Option<&'static str>]) -> Arc<Self> {
        Arc::new(Self {
            tokens: Mutex::new(tokens.iter().rev().copied().collect()),
            renewals: AtomicUsize::new(0),
        })
    }
}

impl Authorize for Signature {
    fn authorize(&self, _: &Request<Vec<u8>>, at: Timestamp) -> Result<HeaderMap, CredentialError> {
        let token = self.tokens.lock().unwrap().last().copied().flatten();
        let Some(token) = token else {
            return Err(CredentialError::Missing {
                advice: String::from("log in"),
            });
        };
        let value = HeaderValue::from_str(&format!("{token} at {}", at.0 / 1_000_000_000)).unwrap();
        Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        response.status() == StatusCode::UNAUTHORIZED
    }

    fn renew(&self) -> Renewal {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        let mut tokens = self.tokens.lock().unwrap();
        if tokens.len() > 1 {
            tokens.pop();
            return Renewal::Changed;
        }
        Renewal::Same
    }
}

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;

fn answer(status: u16, date: Option<&str>) -> Step {
    let mut response = Response::builder().status(status);
    if let Some(date) = date {
        response = response.header("date", date);
    }
    Step::Answer(response.body(Vec::new()).unwrap())
}

/// Sends one request; gives the response and what was signed, in order.
fn send(signature: &Arc<Signature>, steps: Vec<Step>) -> (Result<Response<Vec<u8>>, SendError>, Vec<String>) {
    let receiver = ScriptedTransport::new(steps, answer(299, None));
    let clock = Arc::new(ManualClock::at(Timestamp(NOW * 1_000_000_000)));
    let transport = AuthorizedTransport::new(Arc::new(receiver.clone()), signature.clone(), clock);
    let response = transport.send(&Request::new(b"body".to_vec()));
    let signed = receiver.received().into_iter().map(|request| {
        assert_eq!(request.body(), b"body");
        request.headers()["authorization"].to_str().unwrap().to_owned()
    });
    (response, signed.collect())
}

#[test]
fn what_is_not_refused_is_sent_once() {
    let signature = Signature::new(&[Some("a"), Some("b")]);
    for status in [200, 403, 400, 500] {
        let (response, signed) = send(&signature, vec![answer(status, None)]);
        assert_eq!(response.unwrap().status(), status);
        assert_eq!(signed, [format!("a at {NOW}")]);
    }
    assert_eq!(signature.renewals.load(Ordering::SeqCst), 0);
}

#[test]
fn a_refusal_is_tried_again_only_with_other_credentials() {
    let signature = Signature::new(&[Some("a"), Some("b")]);
    let (response, signed) = send(&signature, vec![answer(401, None), answer(201, None)]);
    assert_eq!(response.unwrap().status(), 201);
    assert_eq!(signed, [format!("a at {NOW}"), format!("b at {NOW}")]);
    let (response, signed) = send(&signature, vec![answer(401, None), answer(201, None)]);
    assert_eq!(response.unwrap().status(), 401);
    assert_eq!(signed, [format!("b at {NOW}")]);
    // And never more than once.
    let signature = Signature::new(&[Some("a"), Some("b"), Some("c")]);
    let (response, signed) = send(&signature, vec![answer(401, None), answer(401, None)]);
    assert_eq!((response.unwrap().status().as_u16(), signed.len()), (401, 2));
}

#[test]
fn a_clock_that_is_off_is_corrected_and_named() {
    let signature = Signature::new(&[Some("a")]);
    let ahead = Some("Thu, 01 Jan 2026 00:20:00 GMT");
    let (response, signed) = send(&signature, vec![answer(401, ahead), answer(200, ahead)]);
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(signed, [format!("a at {NOW}"), format!("a at {}", NOW + 1200)]);
    let skew = response.extensions().get::<ClockSkew>().unwrap();
    assert_eq!(
        skew.explain(),
        "this host's clock is 20 min behind the receiver's: set it right (NTP)"
    );
    let behind = Some("Wed, 31 Dec 2025 23:00:00 GMT");
    let (response, signed) = send(&signature, vec![answer(401, behind), answer(200, behind)]);
    assert_eq!(signed[1], format!("a at {}", NOW - 3600));
    let response = response.unwrap();
    let skew = response.extensions().get::<ClockSkew>().unwrap();
    assert!(skew.explain().contains("60 min ahead of"), "{}", skew.explain());
}

#[test]
fn a_clock_that_is_off_by_days_is_named_and_not_signed_for() {
    let signature = Signature::new(&[Some("a")]);
    let ahead = Some("Mon, 05 Jan 2026 00:00:00 GMT");
    let (response, signed) = send(&signature, vec![answer(401, ahead), answer(200, ahead)]);
    let response = response.unwrap();
    assert_eq!((response.status().as_u16(), signed.len()), (401, 1));
    let skew = response.extensions().get::<ClockSkew>().unwrap();
    assert!(skew.explain().contains("4 days behind"), "{}", skew.explain());
}

#[test]
fn a_small_difference_is_none() {
    let signature = Signature::new(&[Some("a")]);
    for date in [
        "Thu, 01 Jan 2026 00:01:59 GMT",
        "Wed, 31 Dec 2025 23:58:01 GMT",
        "yesterday",
    ] {
        let (response, signed) = send(&signature, vec![answer(401, Some(date))]);
        let response = response.unwrap();
        assert_eq!((response.status().as_u16(), signed.len()), (401, 1), "{date}");
        assert_eq!(response.extensions().get::<ClockSkew>(), None);
    }
}

#[test]
fn without_credentials_nothing_is_sent() {
    let (response, signed) = send(&Signature::new(&[None]), Vec::new());
    let reason = String::from("none found: log in");
    assert_eq!(response.unwrap_err(), SendError::NoCredentials { reason });
    assert_eq!(signed, [""; 0]);
}
