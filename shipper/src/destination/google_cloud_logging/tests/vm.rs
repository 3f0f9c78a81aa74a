//! Which VM this is.

use std::sync::Mutex;

use ::http::HeaderMap;
use serde_json::json;

use super::super::resource::ResourceTransport;
use super::*;
use crate::destination::check::{Check, Step};
use crate::transport::SendError;
use crate::transport::scripted::{self, ScriptedTransport};

/// A metadata server: what it answers, and what it was asked.
struct Server {
    answers: Mutex<Vec<Response<Vec<u8>>>>,
    asked: Mutex<Vec<String>>,
}

impl Transport for Server {
    fn send_with(&self, request: &Request<Vec<u8>>, _: &HeaderMap) -> Result<Response<Vec<u8>>, SendError> {
        self.asked.lock().unwrap().push(request.uri().path().to_owned());
        self.answers.lock().unwrap().pop().ok_or(SendError::NotSent {
            reason: String::from("nobody is there"),
        })
    }
}

fn server(answers: &[&str]) -> Arc<Server> {
    let flavor = [("metadata-flavor", "Google")];
    Arc::new(Server {
        answers: Mutex::new(
            answers
                .iter()
                .rev()
                .map(|body| answer(200, &flavor, body))
                .collect(),
        ),
        asked: Mutex::default(),
    })
}

#[test]
fn a_request_gets_the_vm_s_resource_when_it_is_sent() {
    let logging = logging("resource = \"gce_instance\"");
    let receiver = ScriptedTransport::new([], scripted::Step::Answer(answer(200, &[], "{}")));
    let server = server(&["projects/99/zones/europe-west3-a", "4242424242424242424"]);
    let metadata = MetadataServer::new(&Environment::empty(), server.clone());
    let transport = ResourceTransport::new(Arc::new(receiver.clone()), metadata);
    let plain = request(&logging, &["{\"a\":1}"]);
    assert!(!String::from_utf8_lossy(plain.body()).contains("\"resource\""));
    transport.send(&plain).unwrap();
    transport.send(&plain).unwrap();
    let Step::Ask(dry_run) = logging.next(&[]) else {
        panic!("asks nothing")
    };
    transport.send(&dry_run).unwrap();
    let asked = [
        "/computeMetadata/v1/instance/zone",
        "/computeMetadata/v1/instance/id",
    ];
    assert_eq!(*server.asked.lock().unwrap(), asked, "once");
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    for got in &received {
        let body: serde_json::Value = serde_json::from_slice(got.body()).unwrap();
        let labels = json!({ "project_id": "audit-project", "instance_id": "4242424242424242424", "zone": "europe-west3-a" });
        assert_eq!(
            body["resource"],
            json!({ "type": "gce_instance", "labels": labels })
        );
        assert_eq!(body["logName"], "projects/audit-project/logs/auditship");
        assert_eq!(
            (got.method(), got.headers()["content-type"].to_str().unwrap()),
            (&::http::Method::POST, "application/json")
        );
        let around = u64::from(logging.limits().envelope);
        assert!((got.body().len() as u64) < around + 500);
    }
    let given = super::logging(
        "resource = \"gce_instance\"\ninstance_id = \"4242424242424242424\"\nzone = \"europe-west3-a\"",
    );
    let given = sent(&given, &["{\"a\":1}"]);
    let found: serde_json::Value = serde_json::from_slice(received[0].body()).unwrap();
    assert_eq!(given, found, "the same as when they are given");
}

#[test]
fn until_the_vm_is_known_nothing_is_sent() {
    let logging = logging("resource = \"gce_instance\"");
    let receiver = ScriptedTransport::new([], scripted::Step::Answer(answer(200, &[], "{}")));
    let metadata = MetadataServer::new(&Environment::empty(), server(&["projects/99/zones/z-a"]));
    let transport = ResourceTransport::new(Arc::new(receiver.clone()), metadata);
    let error = transport.send(&request(&logging, &["{}"])).unwrap_err();
    let SendError::NotSent { reason } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("set `instance_id` and `zone`"), "{reason}");
    assert_eq!(receiver.attempts(), 0);
}
