//! Through a proxy, around it, and when it does not let us through.

use auditship::config::Environment;
use auditship::destination::{Outcome, Route};
use auditship_testkit::receiver::authority::{Authority, Clients, Validity};
use auditship_testkit::receiver::proxy::{Gate, Proxy};
use auditship_testkit::receiver::{Receiver, Reply};

use super::{configured, reason, send};

/// A name that only the proxy can reach.
const FAR: &str = "collector.invalid";

fn url_of(proxy: &Proxy) -> String {
    format!("http://{}", proxy.address())
}

fn through(keys: &str, environment: &Environment) -> Route {
    configured(keys, environment).expect("valid keys")
}

#[test]
fn tls_goes_through_the_tunnel_to_the_far_name() {
    let authority = Authority::new("ours");
    let server = authority.issue(&[FAR], Validity::Now).server(Clients::Anybody);
    let receiver = Receiver::start_tls([], Reply::Status(200), server);
    let proxy = Proxy::start(receiver.address(), Gate::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).expect("the file can be written");
    let keys = format!("url = \"https://{FAR}/a\"\nca_file = \"{}\"\n", ca.display());

    let configured = format!("{keys}proxy = \"{}\"", url_of(&proxy));
    assert_eq!(
        send(&through(&configured, &Environment::empty())),
        Ok(Outcome::Stored)
    );
    let environment = Environment::from([("https_proxy", url_of(&proxy).as_str())]);
    assert_eq!(send(&through(&keys, &environment)), Ok(Outcome::Stored));
    assert_eq!(
        proxy.asked(),
        [
            format!("CONNECT {FAR}:443 HTTP/1.1"),
            format!("CONNECT {FAR}:443 HTTP/1.1")
        ]
    );
    let request = &receiver.requests()[0];
    assert_eq!(
        (request.target.as_str(), request.header("host")),
        ("/a", Some(FAR))
    );

    // The tunnel does not make a certificate right.
    let wrong = through(&configured.replace(FAR, "other.invalid"), &Environment::empty());
    assert_eq!(reason(send(&wrong)).0, "tls");
}

#[test]
fn plain_http_goes_through_a_tunnel_too() {
    let receiver = Receiver::start([], Reply::Status(200));
    let proxy = Proxy::start(receiver.address(), Gate::Open);
    let keys = format!("url = \"http://{FAR}:8080/a\"\nallow_plaintext = true");
    let environment = Environment::from([("http_proxy", url_of(&proxy).as_str())]);
    assert_eq!(send(&through(&keys, &environment)), Ok(Outcome::Stored));
    assert_eq!(proxy.asked(), [format!("CONNECT {FAR}:8080 HTTP/1.1")]);
}

#[test]
fn no_proxy_goes_around_it() {
    let receiver = Receiver::start([], Reply::Status(200));
    let proxy = Proxy::start(receiver.address(), Gate::Open);
    let address = url_of(&proxy);
    let environment = Environment::from([("all_proxy", address.as_str()), ("no_proxy", ".invalid")]);
    let keys = format!("url = \"http://{FAR}/a\"\nallow_plaintext = true\nconnect_timeout = \"2s\"");
    assert_eq!(reason(send(&through(&keys, &environment))).0, "not sent");
    // This host is reached directly whatever the environment says.
    let environment = Environment::from([("all_proxy", address.as_str())]);
    let near = format!("url = \"{}\"", receiver.url("/"));
    assert_eq!(send(&through(&near, &environment)), Ok(Outcome::Stored));
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn a_proxy_that_refuses_was_sent_no_record() {
    let receiver = Receiver::start([], Reply::Status(200));
    let keys = format!("url = \"http://{FAR}/a\"\nallow_plaintext = true\n");

    // echo -n 'me:hunter2' | base64
    let proxy = Proxy::start(
        receiver.address(),
        Gate::Authorized(String::from("Basic bWU6aHVudGVyMg==")),
    );
    let at = proxy.address();
    let (kind, text) = reason(send(&through(
        &format!("{keys}proxy = \"http://me:hunter3@{at}\""),
        &Environment::empty(),
    )));
    assert_eq!(kind, "not sent");
    assert!(
        text.contains("407") && text.contains("`proxy`") && !text.contains("hunter"),
        "{text}"
    );
    let route = through(
        &format!("{keys}proxy = \"http://me:hunter2@{at}\""),
        &Environment::empty(),
    );
    assert_eq!(send(&route), Ok(Outcome::Stored));
    assert!(!format!("{route:?}").contains("hunter"));

    let closed = Proxy::start(receiver.address(), Gate::Closed(403));
    let (kind, text) = reason(send(&through(
        &format!("{keys}proxy = \"{}\"", url_of(&closed)),
        &Environment::empty(),
    )));
    assert_eq!(kind, "not sent");
    assert!(text.contains("403"), "{text}");

    let gone = url_of(&closed);
    drop(closed);
    let (kind, text) = reason(send(&through(
        &format!("{keys}proxy = \"{gone}\""),
        &Environment::empty(),
    )));
    assert_eq!(kind, "not sent");
    assert!(
        text.starts_with(gone.trim_start_matches("http://")),
        "the proxy is named: {text}"
    );
    assert_eq!(receiver.requests().len(), 1);
}
