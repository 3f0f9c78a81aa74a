//! A server as the tests look at it: buckets made, objects listed and read, with signatures that it checks.

use std::sync::Arc;

use auditship::credentials::aws::{Identity, Service, Signer, provider};
use auditship::time::SystemClock;
use auditship::transport::Transport;
use auditship::transport::authorized::AuthorizedTransport;
use auditship_testkit::servers::User;
use flate2::read::MultiGzDecoder;
use http::{Request, Response};

use super::batch::plain_wire;
use super::environment;

pub(crate) struct Store {
    url: String,
    transport: AuthorizedTransport,
}

impl Store {
    pub(crate) fn at(url: &str, user: User, region: &str) -> Self {
        let clock = Arc::new(SystemClock::new());
        let identity = Identity {
            environment: environment(user),
            ..Identity::default()
        };
        let signer = Signer::new(provider(&identity, region, clock.clone()), Service::S3, region);
        Self {
            url: url.to_owned(),
            transport: AuthorizedTransport::new(plain_wire(), Arc::new(signer), clock),
        }
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Vec<u8>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.as_bytes().to_vec()).expect("a request");
        self.transport.send(&request).expect("answered")
    }

    pub(crate) fn make_bucket(&self, bucket: &str, headers: &[(&str, &str)]) {
        let response = self.ask("PUT", bucket, headers, "");
        assert_eq!(response.status(), 200, "{}", text(&response));
    }

    /// The names of all objects, in order.
    pub(crate) fn names(&self, bucket: &str) -> Vec<String> {
        let mut names = Vec::<String>::new();
        loop {
            let after = names
                .last()
                .map(|name| format!("&start-after={name}"))
                .unwrap_or_default();
            let response = self.ask(
                "GET",
                &format!("{bucket}?list-type=2&max-keys=1000{after}"),
                &[],
                "",
            );
            assert_eq!(response.status(), 200, "{}", text(&response));
            let page = text(&response);
            let keys = page
                .split("<Key>")
                .skip(1)
                .filter_map(|rest| rest.split_once("</Key>"));
            let before = names.len();
            names.extend(keys.map(|(key, _)| key.to_owned()));
            if names.len() - before < 1000 {
                return names;
            }
        }
    }

    pub(crate) fn object(&self, bucket: &str, name: &str) -> Response<Vec<u8>> {
        let response = self.ask("GET", &format!("{bucket}/{name}"), &[], "");
        assert_eq!(response.status(), 200, "{}", text(&response));
        response
    }

    /// The lines of every object of a bucket, which are compressed by gzip.
    pub(crate) fn lines(&self, bucket: &str) -> Vec<String> {
        let objects = self.names(bucket);
        let lines = objects.iter().flat_map(|name| {
            let plain =
                std::io::read_to_string(MultiGzDecoder::new(self.object(bucket, name).body().as_slice()));
            let plain = plain.expect("gzip of text");
            assert!(plain.ends_with('\n'), "{name} ends in the middle of a line");
            plain.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        lines.collect()
    }
}

pub(crate) fn text(response: &Response<Vec<u8>>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}
