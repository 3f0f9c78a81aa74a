//! Who is trusted, and who we say we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auditship::config::Environment;
use auditship::destination::Outcome;
use auditship_testkit::receiver::authority::{Authority, Clients, Issued, Validity};
use auditship_testkit::receiver::{Receiver, Reply};
use rustls::ServerConfig;

use super::{configured, reason, route, send};

/// A folder with certificates.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// By renaming, as whatever rotates certificates should.
    fn put(&self, name: &str, content: &str) -> String {
        let (path, new) = (self.path(name), self.path("new"));
        std::fs::write(&new, content).expect("the file can be written");
        std::fs::rename(new, &path).expect("the file can be renamed");
        path.display().to_string()
    }

    fn put_identity(&self, issued: &Issued) -> String {
        let (cert, key) = (
            self.put("cert.pem", &issued.cert),
            self.put("key.pem", &issued.key),
        );
        format!("cert_file = \"{cert}\"\nkey_file = \"{key}\"\n")
    }

    fn put_authority(&self, authority: &Authority) -> String {
        format!("ca_file = \"{}\"\n", self.put("ca.pem", authority.pem()))
    }
}

fn receiver(tls: Arc<ServerConfig>) -> Receiver {
    Receiver::start_tls([], Reply::Status(200), tls)
}

#[test]
fn only_the_named_authority_is_trusted() {
    let (files, authority) = (Files::new(), Authority::new("ours"));
    let receiver = receiver(
        authority
            .issue(&["localhost"], Validity::Now)
            .server(Clients::Anybody),
    );
    let ours = files.put_authority(&authority);
    assert_eq!(send(&route(&receiver.url("/"), &ours)), Ok(Outcome::Stored));

    let other = Files::new();
    let theirs = other.put_authority(&Authority::new("another"));
    for keys in [theirs.as_str(), ""] {
        let (kind, text) = reason(send(&route(&receiver.url("/?sig=hunter2"), keys)));
        assert_eq!(kind, "tls", "{text}");
        assert!(text.contains("`ca_file`") && !text.contains("hunter2"), "{text}");
    }
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn a_certificate_for_another_name_or_another_time_is_refused() {
    let (files, authority) = (Files::new(), Authority::new("ours"));
    let keys = files.put_authority(&authority);
    for (names, validity, words) in [
        (["elsewhere.example"], Validity::Now, "another name"),
        (["127.0.0.1"], Validity::Now, "another name"),
        (["localhost"], Validity::Expired, "expired"),
        (["localhost"], Validity::NotYet, "not valid yet"),
    ] {
        let receiver = receiver(authority.issue(&names, validity).server(Clients::Anybody));
        let (kind, text) = reason(send(&route(&receiver.url("/"), &keys)));
        assert_eq!(kind, "tls", "{text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(receiver.requests().len(), 0);
    }
}

#[test]
fn an_address_can_be_certified() {
    let (files, authority) = (Files::new(), Authority::new("ours"));
    let receiver = receiver(
        authority
            .issue(&["127.0.0.1"], Validity::Now)
            .server(Clients::Anybody),
    );
    let url = receiver.url("/").replace("localhost", "127.0.0.1");
    assert_eq!(
        send(&route(&url, &files.put_authority(&authority))),
        Ok(Outcome::Stored)
    );
}

#[test]
fn a_client_certificate_opens_the_door() {
    let (files, authority, clients) = (Files::new(), Authority::new("ours"), Authority::new("clients"));
    let receiver = receiver(
        authority
            .issue(&["localhost"], Validity::Now)
            .server(Clients::CertifiedBy(&clients)),
    );
    let ca = files.put_authority(&authority);

    // TLS 1.3 may cut the connection before the alert is read.
    let without = send(&route(&receiver.url("/"), &ca));
    assert!(without.is_err(), "{without:?}");
    let stranger = files.put_identity(&Authority::new("strangers").issue(&["us"], Validity::Now));
    let refused = send(&route(&receiver.url("/"), &format!("{ca}{stranger}")));
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(receiver.requests().len(), 0);

    let identity = files.put_identity(&clients.issue(&["us"], Validity::Now));
    assert_eq!(
        send(&route(&receiver.url("/"), &format!("{ca}{identity}"))),
        Ok(Outcome::Stored)
    );
    assert!(receiver.requests()[0].client_certificate);
}

#[test]
fn changed_files_are_read_again_and_halves_are_waited_for() {
    let (files, authority, clients) = (Files::new(), Authority::new("ours"), Authority::new("clients"));
    let server = authority.issue(&["localhost"], Validity::Now);
    let receiver = receiver(server.server(Clients::CertifiedBy(&clients)));
    let (good, stranger) = (
        clients.issue(&["us"], Validity::Now),
        Authority::new("strangers").issue(&["us"], Validity::Now),
    );
    let keys = format!(
        "{}{}",
        files.put_authority(&authority),
        files.put_identity(&stranger)
    );
    let route = route(&receiver.url("/"), &keys);
    assert!(send(&route).is_err());

    files.put("cert.pem", &good.cert);
    assert!(
        send(&route).is_err(),
        "certificate and key do not belong together yet"
    );
    files.put("key.pem", &good.key);
    assert_eq!(send(&route), Ok(Outcome::Stored));

    // What worked goes on working while the next pair is being put there.
    files.put("cert.pem", "half a certifi");
    assert_eq!(send(&route), Ok(Outcome::Stored));
    std::fs::remove_file(files.path("key.pem")).expect("it is there");
    assert_eq!(send(&route), Ok(Outcome::Stored));
    files.put_identity(&clients.issue(&["us"], Validity::Now));
    assert_eq!(send(&route), Ok(Outcome::Stored));

    // The authority changes too.
    files.put_authority(&Authority::new("another"));
    assert_eq!(reason(send(&route)).0, "tls");
}

#[test]
fn a_port_without_tls_is_told() {
    let plain = Receiver::start([], Reply::Status(200));
    let url = plain.url("/").replace("http:", "https:");
    let (kind, text) = reason(send(&route(&url, "")));
    assert_eq!(kind, "tls", "{text}");
    assert!(text.contains("does not speak TLS"), "{text}");
    assert_eq!(plain.requests().len(), 0);
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_is_sent() {
    let (files, authority) = (Files::new(), Authority::new("ours"));
    let (one, two) = (
        authority.issue(&["a"], Validity::Now),
        authority.issue(&["b"], Validity::Now),
    );
    let cert = files.put("cert.pem", &one.cert);
    let key = files.put("key.pem", &one.key);
    let other = files.put("other.pem", &two.key);
    let text = files.put("text.pem", "nothing of the kind");
    let damaged = files.put("damaged.pem", &one.cert.replace('A', "?"));
    let missing = files.path("missing.pem").display().to_string();
    let pair = |cert: &str, key: &str| format!("cert_file = \"{cert}\"\nkey_file = \"{key}\"");
    for (keys, key, path) in [
        (format!("ca_file = \"{missing}\""), "ca_file", &missing),
        (format!("ca_file = \"{text}\""), "ca_file", &text),
        (format!("ca_file = \"{damaged}\""), "ca_file", &damaged),
        (pair(&missing, &key), "cert_file", &missing),
        (pair(&text, &key), "cert_file", &text),
        (pair(&cert, &missing), "key_file", &missing),
        (pair(&cert, &text), "key_file", &text),
        (pair(&cert, &cert), "key_file", &cert),
        (pair(&cert, &other), "key_file", &other),
    ] {
        let error = configured(
            &format!("url = \"https://a.example/\"\n{keys}"),
            &Environment::empty(),
        )
        .expect_err(&keys);
        assert_eq!(error.key(), key, "{error}");
        assert!(error.to_string().contains(path.as_str()), "{error}");
        assert!(!error.to_string().contains("PRIVATE KEY-----\n"), "{error}");
    }
    assert!(Path::new(&cert).exists());
}

#[test]
fn the_process_gets_no_default_provider() {
    let (files, authority) = (Files::new(), Authority::new("ours"));
    let receiver = receiver(
        authority
            .issue(&["localhost"], Validity::Now)
            .server(Clients::Anybody),
    );
    assert_eq!(
        send(&route(&receiver.url("/"), &files.put_authority(&authority))),
        Ok(Outcome::Stored)
    );
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}
