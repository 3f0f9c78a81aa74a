//! A container as the tests look at it, and shared access signatures as its owner makes them.

use std::sync::Arc;

use auditship::config::Environment;
use auditship::credentials::azure::SharedKey;
use auditship::secret::Secret;
use auditship::time::SystemClock;
use auditship::transport::Transport;
use auditship::transport::authorized::AuthorizedTransport;
use auditship_testkit::servers::azurite::Azurite;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::MultiGzDecoder;
use http::{Request, Response};

use super::batch::plain_wire;

/// A container that was made here.
pub(crate) struct Store {
    url: String,
    container: String,
    transport: AuthorizedTransport,
}

impl Store {
    /// Makes `container`.
    pub(crate) fn make(azurite: &Azurite, container: &str) -> Self {
        Self::make_over(plain_wire(), azurite, container)
    }

    /// Makes `container` by way of `wire`.
    pub(crate) fn make_over(wire: Arc<dyn Transport>, azurite: &Azurite, container: &str) -> Self {
        let key = Secret::parse(Azurite::KEY, &Environment::empty()).expect("a key");
        let signer = SharedKey::new(Azurite::ACCOUNT.to_owned(), key);
        let clock = Arc::new(SystemClock::new());
        let store = Self {
            url: azurite.url.clone(),
            container: container.to_owned(),
            transport: AuthorizedTransport::new(wire, Arc::new(signer), clock),
        };
        let made = store.ask("PUT", "?restype=container", b"");
        assert_eq!(made.status(), 201, "{}", text(&made));
        store
    }

    pub(crate) fn ask(&self, method: &str, rest: &str, body: &[u8]) -> Response<Vec<u8>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{}{rest}", self.url, self.container))
            .header("x-ms-version", "2021-12-02")
            .header("x-ms-blob-type", "BlockBlob")
            .body(body.to_vec())
            .expect("a request");
        self.transport.send(&request).expect("answered")
    }

    /// The names of all blobs, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let response = self.ask("GET", "?restype=container&comp=list", b"");
        assert_eq!(response.status(), 200, "{}", text(&response));
        let page = text(&response);
        assert!(
            page.contains("<NextMarker/>") || page.contains("<NextMarker></NextMarker>"),
            "{page}"
        );
        page.split("<Blob><Name>")
            .skip(1)
            .filter_map(|rest| rest.split_once("</Name>"))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    pub(crate) fn blob(&self, name: &str) -> Response<Vec<u8>> {
        let response = self.ask("GET", &format!("/{name}"), b"");
        assert_eq!(response.status(), 200, "{}", text(&response));
        response
    }

    /// The lines of every blob, which are compressed by gzip.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.names().into_iter().flat_map(|name| {
            let plain = std::io::read_to_string(MultiGzDecoder::new(self.blob(&name).body().as_slice()));
            let plain = plain.expect("gzip of text");
            assert!(plain.ends_with('\n'), "{name} ends in the middle of a line");
            plain.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        lines.collect()
    }
}

/// A service SAS of `container` (string-to-sign of versions since 2020-12-06).
pub(crate) fn sas(container: &str, permissions: &str, until: &str) -> String {
    let version = "2021-12-02";
    let resource = format!("/blob/{}/{container}", Azurite::ACCOUNT);
    let fields = [
        permissions,
        "",
        until,
        &resource,
        "",
        "",
        "",
        version,
        "c",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
    ];
    let key = BASE64.decode(Azurite::KEY).expect("Base64");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signature = BASE64.encode(ring::hmac::sign(&key, fields.join("\n").as_bytes()));
    let escaped = |text: &str| {
        text.replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D")
            .replace(':', "%3A")
    };
    format!(
        "sv={version}&sr=c&sp={permissions}&se={}&sig={}",
        escaped(until),
        escaped(&signature)
    )
}

pub(crate) fn text(response: &Response<Vec<u8>>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}
