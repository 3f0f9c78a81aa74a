use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use ::http::{HeaderMap, Request, Response};

use super::*;
use crate::destination::SentDigest;
use crate::transport::authorized::Authorize as _;

struct Fixed(Credentials);

impl Provide for Fixed {
    fn credentials(&self) -> Result<Credentials, CredentialError> {
        Ok(self.0.clone())
    }

    fn renew(&self) -> Renewal {
        Renewal::Same
    }
}

/// The keys of AWS's own examples.
fn keys(token: Option<&str>) -> Arc<dyn Provide> {
    let token = token.map(str::to_owned);
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    Arc::new(Fixed(Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        secret,
        token,
        None,
        "test",
    )))
}

fn signed(service: Service, request: &Request<Vec<u8>>, at: &str, token: Option<&str>) -> HeaderMap {
    let signer = Signer::new(keys(token), service, "us-east-1");
    signer.authorize(request, at.parse().unwrap()).unwrap()
}

/// The PutObject of "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)" in the S3 API
/// reference.
#[test]
fn the_example_of_the_s3_reference_has_its_signature() {
    let request = Request::put("https://examplebucket.s3.amazonaws.com/test%24file.text")
        .header("date", "Fri, 24 May 2013 00:00:00 GMT")
        .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .body(b"Welcome to Amazon S3.".to_vec())
        .unwrap();
    let headers = signed(Service::S3, &request, "2013-05-24T00:00:00Z", None);
    assert_eq!(
        headers["x-amz-content-sha256"],
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    );
    assert_eq!(
        headers["authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
         Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
}

#[test]
fn a_digest_that_is_known_is_not_computed_again() {
    use sha2::Digest as _;

    let body = b"{}".to_vec();
    let mut request = Request::post("https://logs.us-east-1.amazonaws.com/")
        .body(body)
        .unwrap();
    let at = "2026-01-01T00:00:00Z";
    let computed = signed(Service::Named("logs"), &request, at, None);
    let digest = sha2::Sha256::digest(b"{}").into();
    request.extensions_mut().insert(SentDigest(digest));
    assert_eq!(signed(Service::Named("logs"), &request, at, None), computed);
    // And it is what is signed.
    request.extensions_mut().insert(SentDigest([0; 32]));
    assert_ne!(signed(Service::Named("logs"), &request, at, None), computed);
}

#[test]
fn what_is_secret_is_marked() {
    let request = Request::post("https://logs.us-east-1.amazonaws.com/")
        .body(Vec::new())
        .unwrap();
    let headers = signed(
        Service::Named("logs"),
        &request,
        "2026-01-01T00:00:00Z",
        Some("session"),
    );
    assert_eq!(headers["x-amz-security-token"], "session");
    for (name, value) in &headers {
        let secret = ["authorization", "x-amz-security-token"].contains(&name.as_str());
        assert_eq!(value.is_sensitive(), secret, "{name}");
    }
    assert!(!format!("{headers:?}").contains("session"));
}

#[test]
fn only_what_concerns_the_identity_is_a_refusal() {
    let signer = Signer::new(keys(None), Service::S3, "us-east-1");
    let answer = |status: u16, code: &str| {
        let body = format!("<Error><Code>{code}</Code></Error>").into_bytes();
        Response::builder().status(status).body(body).unwrap()
    };
    for (status, code, refusal) in [
        (403, "SignatureDoesNotMatch", true),
        (403, "RequestTimeTooSkewed", true),
        (400, "ExpiredToken", true),
        (403, "AccessDenied", false),
        (404, "NoSuchBucket", false),
        (500, "ExpiredToken", false),
        (200, "", false),
    ] {
        assert_eq!(
            signer.is_refusal(&answer(status, code)),
            refusal,
            "{status} {code}"
        );
    }
}

#[test]
fn keys_of_the_snapshot_are_used_unless_a_profile_is_named() {
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", "t"),
    ];
    let identity = Identity {
        environment: Environment::from(environment),
        ..Identity::default()
    };
    let keys = Chain::new(&identity, "us-east-1").fetch().unwrap();
    assert_eq!((keys.access_key_id(), keys.session_token()), ("AKID", Some("t")));
    let profile = Some(String::from("no-such-profile"));
    let identity = Identity { profile, ..identity };
    assert!(Chain::new(&identity, "us-east-1").fetch().is_err());
}

#[test]
fn keys_never_come_from_another_host_in_the_clear() {
    let role = Some(String::from("arn:aws:iam::123456789012:role/audit"));
    // Keys of the environment alone need nobody.
    for (url, role_arn, refused) in [
        ("http://sts.example", role, true),
        ("http://sts.example", None, false),
        ("https://sts.example", None, false),
    ] {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_ENDPOINT_URL_STS", url),
        ];
        let identity = Identity {
            environment: Environment::from(variables),
            role_arn,
            ..Identity::default()
        };
        let fetched = Chain::new(&identity, "us-east-1").fetch();
        assert_eq!(fetched.is_err(), refused, "{url}");
        let told = fetched.err().map_or_else(String::new, |error| error.to_string());
        assert_eq!(told.contains("in the clear"), refused, "{told}");
    }
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let identity = Identity {
        profile: Some(String::from("no-such-profile")),
        ..Identity::default()
    };
    let error = Chain::new(&identity, "us-east-1").fetch().unwrap_err();
    let told = error.to_string();
    assert!(told.contains("no-such-profile"), "{told}");
}

#[test]
fn a_role_is_assumed_at_the_variant_of_sts_that_is_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let identity = Identity {
        role_arn: Some(String::from("arn:aws:iam::123456789012:role/audit")),
        variant: Variant {
            fips: true,
            dual_stack: false,
        },
        environment: Environment::from([
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("HTTPS_PROXY", url.as_str()),
        ]),
        ..Identity::default()
    };
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        line
    });
    Chain::new(&identity, "us-east-1").fetch().unwrap_err();
    let line = asked.join().unwrap();
    assert!(
        line.starts_with("CONNECT sts-fips.us-east-1.amazonaws.com:443 "),
        "{line}"
    );
}
