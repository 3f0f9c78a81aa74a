//! Credentials: sent as they should be, read again when they change, never shown.

use auditship::config::Environment;
use auditship_testkit::receiver::{Receiver, Reply};

use super::{configured, reason, route, send};

#[test]
fn credentials_are_sent_and_said_back_masked() {
    // echo -n 'aladdin:opensesame' | base64
    let basic = "YWxhZGRpbjpvcGVuc2VzYW1l";
    let environment = Environment::from([("PASS", "opensesame")]);
    for (keys, header, value, secrets) in [
        (
            "token = \"opensesame\"",
            "authorization",
            "Bearer opensesame",
            &["opensesame"][..],
        ),
        (
            "username = \"aladdin\"\npassword = \"env:PASS\"",
            "authorization",
            "Basic YWxhZGRpbjpvcGVuc2VzYW1l",
            &["opensesame", basic],
        ),
        (
            "header = { X-Api-Key = \"opensesame\" }",
            "x-api-key",
            "opensesame",
            &["opensesame"],
        ),
        (
            "header = \"Authorization: Splunk opensesame\"",
            "authorization",
            "Splunk opensesame",
            &["Splunk opensesame"],
        ),
    ] {
        let said = format!("no: {} {}", secrets.join(" "), secrets.join("/"));
        let receiver = Receiver::start([], Reply::text(401, &said));
        let url = receiver.url("/");
        let route = configured(&format!("url = \"{url}\"\n{keys}"), &environment).expect("valid keys");
        let outcome = format!("{:?}", send(&route));
        assert!(outcome.starts_with("Ok(Auth"), "{outcome}");
        for secret in secrets {
            assert!(!outcome.contains(secret), "{outcome}");
        }
        assert_eq!(receiver.requests()[0].header(header), Some(value));
    }
}

#[test]
fn a_token_in_a_file_is_read_at_each_sending() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let receiver = Receiver::start([], Reply::Status(200));
    let route = route(
        &receiver.url("/"),
        &format!("token = \"file:{}\"", path.display()),
    );

    let (kind, text) = reason(send(&route));
    assert_eq!(kind, "no credentials");
    assert!(text.contains(path.to_str().expect("UTF-8")), "{text}");

    for token in ["first", "second"] {
        std::fs::write(&path, format!("{token}\n")).expect("the file can be written");
        send(&route).expect("an answer");
    }
    std::fs::write(&path, "hunter2\r\nX-Evil: 1").expect("the file can be written");
    let (kind, text) = reason(send(&route));
    assert_eq!(kind, "no credentials");
    assert!(
        text.contains("control character") && !text.contains("hunter2"),
        "{text}"
    );

    let sent: Vec<_> = receiver
        .requests()
        .iter()
        .filter_map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
}
