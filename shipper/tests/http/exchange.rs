//! Requests, answers, and every way in which an answer can fail to come.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use auditship::destination::Outcome;
use auditship::transport::BodyCut;
use auditship_testkit::receiver::{Receiver, Reply};

use super::{LONG, reason, route, send, send_batch};

#[test]
fn a_batch_arrives_as_it_was_encoded() {
    let receiver = Receiver::start([], Reply::Status(200));
    let route = route(
        &receiver.url("/audit/v1?stream=a%20b"),
        "compression = \"gzip\"\nformat = \"json_array\"",
    );
    assert_eq!(
        send_batch(&route, &[b"{\"a\":1}", b"{\"b\":2}"], 0xab),
        Ok(Outcome::Stored)
    );
    let requests = receiver.requests();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/audit/v1?stream=a%20b")
    );
    assert_eq!(request.plain, b"[{\"a\":1},{\"b\":2}]");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(
        request.header("host"),
        Some(format!("localhost:{}", receiver.address().port()).as_str())
    );
    assert_eq!(
        request.header("content-length"),
        Some(request.body.len().to_string().as_str())
    );
    assert_eq!(
        request.header("user-agent"),
        Some(concat!("auditship/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(request.header("accept-encoding"), None);
    assert!(
        request
            .key()
            .is_some_and(|key| key.ends_with("-0-1-00000000000000ab")),
        "{:?}",
        request.key()
    );
    assert_eq!(receiver.problems(), [""; 0]);
}

#[test]
fn zstd_and_plain_arrive_too() {
    let receiver = Receiver::start([], Reply::Status(204));
    for compression in ["none", "zstd"] {
        let route = route(
            &receiver.url("/"),
            &format!("compression = \"{compression}\"\nmethod = \"PUT\""),
        );
        assert_eq!(send(&route), Ok(Outcome::Stored));
    }
    assert!(
        receiver
            .requests()
            .iter()
            .all(|request| request.plain == b"{\"a\":1}\n" && request.method == "PUT")
    );
    assert_eq!((receiver.requests().len(), receiver.problems()), (2, vec![]));
}

#[test]
fn a_connection_is_used_again() {
    let receiver = Receiver::start([], Reply::text(200, "stored"));
    let route = route(&receiver.url("/"), "");
    for nonce in 0..5 {
        assert_eq!(send_batch(&route, &[b"{}"], nonce), Ok(Outcome::Stored));
    }
    assert_eq!((receiver.requests().len(), receiver.connections()), (5, 1));
}

#[test]
fn several_threads_send_at_a_time() {
    let receiver = Receiver::start(
        [],
        Reply::After(Duration::from_millis(50), Box::new(Reply::Status(200))),
    );
    let route = Arc::new(route(&receiver.url("/"), ""));
    let senders: Vec<_> = (0..4)
        .map(|nonce| {
            let route = route.clone();
            std::thread::spawn(move || send_batch(&route, &[b"{}"], nonce))
        })
        .collect();
    for sender in senders {
        assert_eq!(sender.join().expect("no panic"), Ok(Outcome::Stored));
    }
    assert_eq!(receiver.requests().len(), 4);
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = Receiver::start([], Reply::Status(200));
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::start(
            [],
            Reply::Full {
                status,
                headers: vec![(String::from("location"), elsewhere.url("/"))],
                body: b"moved".to_vec(),
            },
        );
        let outcome = send(&route(&receiver.url("/"), "")).expect("an answer");
        let Outcome::Config { reason } = outcome else {
            panic!("{status}: {outcome:?}")
        };
        assert!(reason.contains("not followed"), "{reason}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn the_body_of_an_error_comes_with_its_status() {
    let receiver = Receiver::start([], Reply::text(422, "field `when` is no date"));
    let outcome = send(&route(&receiver.url("/"), ""));
    let reason = String::from("422 Unprocessable Entity: field `when` is no date");
    assert_eq!(
        outcome,
        Ok(Outcome::Refused {
            code: String::from("422"),
            reason
        })
    );
}

#[test]
fn silence_is_told_apart_from_never_sent() {
    let receiver = Receiver::start([], Reply::Hang);
    let silent = route(&receiver.url("/"), "response_timeout = \"200ms\"");
    let (kind, text) = reason(send(&silent));
    assert_eq!(kind, "unanswered");
    assert!(text.contains("`response_timeout`"), "{text}");
    assert_eq!(receiver.wait_for(1, LONG).len(), 1);

    let short = route(&receiver.url("/"), "timeout = \"200ms\"");
    let (kind, text) = reason(send(&short));
    assert_eq!(kind, "unanswered");
    assert!(text.contains("`timeout`"), "{text}");

    let receiver = Receiver::start([], Reply::Close);
    let (kind, text) = reason(send(&route(&receiver.url("/"), "")));
    assert_eq!(kind, "unanswered");
    assert!(
        text.contains("closed without an answer") || text.contains("was cut"),
        "{text}"
    );
    assert_eq!(receiver.wait_for(1, LONG).len(), 1);
}

#[test]
fn a_receiver_that_is_not_there_was_sent_nothing() {
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        listener.local_addr().expect("an address").port()
    };
    let (kind, text) = reason(send(&route(
        &format!("http://127.0.0.1:{free}/x?sig=hunter2"),
        "",
    )));
    assert_eq!(kind, "not sent");
    assert_eq!(
        text,
        format!("127.0.0.1:{free}: connection refused; does the receiver run, and is the port right?")
    );

    let (kind, text) = reason(send(&route(
        "http://nowhere.localhost.invalid/",
        "allow_plaintext = true\nconnect_timeout = \"2s\"",
    )));
    assert_eq!(kind, "not sent");
    assert!(text.starts_with("nowhere.localhost.invalid: "), "{text}");
}

#[test]
fn what_is_no_http_is_no_answer() {
    for bytes in [
        &b"220 smtp.example ESMTP\r\n"[..],
        b"\0\x01\x02",
        b"HTTP/1.1 abc\r\n\r\n",
    ] {
        let receiver = Receiver::start([], Reply::Raw(bytes.to_vec()));
        let (kind, _) = reason(send(&route(&receiver.url("/"), "")));
        assert_eq!(kind, "unanswered");
        assert_eq!(receiver.wait_for(1, LONG).len(), 1);
    }
    let endless = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'y'; 100_000]].concat();
    let receiver = Receiver::start([], Reply::Raw(endless));
    assert_eq!(reason(send(&route(&receiver.url("/"), ""))).0, "unanswered");
}

/// 16 MiB are more than any socket buffers: the receiver has answered and closed before they are out.
#[test]
fn a_refusal_without_reading_the_body_is_heard_at_the_second_sending_at_the_latest() {
    let receiver = Receiver::start([], Reply::Early(413));
    let route = route(&receiver.url("/"), "");
    let line = [b"\"".to_vec(), vec![b'x'; 16 << 20], b"\"".to_vec()].concat();
    let send = || send_batch(&route, &[&line], 1);
    let outcome = send().or_else(|_| send());
    assert!(matches!(outcome, Ok(Outcome::TooLarge { .. })), "{outcome:?}");
    receiver.then(Reply::Status(200));
    assert_eq!(send(), Ok(Outcome::Stored));
    assert_eq!(send(), Ok(Outcome::Stored));
    let asked = |at: usize| receiver.requests()[at].header("expect").map(str::to_owned);
    assert_eq!(
        (receiver.requests().len(), asked(1)),
        (2, None),
        "it asks first only after a cut"
    );
}

#[test]
fn a_body_that_is_not_whole_is_marked_and_its_status_counts() {
    let mut request = ::http::Request::post("http://127.0.0.1/")
        .body(b"{}".to_vec())
        .expect("a request");
    for (reply, kept, is_cut) in [
        (Reply::text(200, "whole"), 5, false),
        (Reply::Cut(200), 14, true),
        (Reply::text(200, &"x".repeat(1 << 20)), 1 << 20, false),
        (Reply::text(200, &"x".repeat((1 << 20) + 1)), 1 << 20, true),
        (Reply::text(200, &"x".repeat(5 << 20)), 1 << 20, true),
    ] {
        let receiver = Receiver::start([], reply);
        let route = route(&receiver.url("/"), "");
        *request.uri_mut() = receiver.url("/").parse().expect("a URL");
        let response = route.transport.send(&request).expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.body().len(), kept);
        assert_eq!(response.extensions().get::<BodyCut>().is_some(), is_cut, "{kept}");
    }
}

#[test]
fn a_check_sends_no_record() {
    let receiver = Receiver::start([], Reply::Status(405));
    let route = route(&receiver.url("/audit"), "token = \"t\"");
    let finding = auditship::destination::check::run(&*route.check, &*route.transport);
    assert!(
        matches!(finding, auditship::destination::check::Finding::Reachable { .. }),
        "{finding:?}"
    );
    let requests = receiver.requests();
    assert_eq!(
        (requests[0].method.as_str(), requests[0].body.len()),
        ("OPTIONS", 0)
    );
    assert_eq!(requests[0].header("authorization"), Some("Bearer t"));
}
