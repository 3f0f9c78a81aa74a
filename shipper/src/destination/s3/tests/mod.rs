mod checking;
mod keys;
mod request;
mod sending;

use ::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::inquire::Region;
use super::*;
use crate::config::Environment;
use crate::destination::check::{self, Finding};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::object::{Damaged, Found};
use crate::destination::{Attempt, BodyDigest, KindConfig, SentDigest};
use crate::time::ManualClock;
use crate::transport::SendError;
use crate::transport::authorized::ClockSkew;
use crate::transport::scripted::{ScriptedTransport, Step};

fn environment() -> Environment {
    Environment::from([
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-secret"),
        ("AWS_REGION", "eu-central-1"),
    ])
}

fn parse_in(keys: &str, environment: &Environment) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), environment)? {
        KindConfig::S3(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    parse_in(keys, &environment())
}

fn s3(keys: &str) -> S3 {
    S3::new(parse(&format!("bucket = \"audit-logs\"\n{keys}")).unwrap())
}

/// Every key at once, but those that exclude one another.
const FULL: &str = r#"
prefix = "audit"
storage_class = "STANDARD_IA"
object_tags = ["team=sec ops", "stage=a/b"]
expected_bucket_owner = "123456789012"
encryption = "kms"
kms_key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"
encryption_context = ["purpose=audit", "host=a"]
bucket_key = true
object_lock = "compliance"
object_lock_days = 30
legal_hold = true
"#;

fn answer(status: u16, code: &str) -> Response<Vec<u8>> {
    let body = match code {
        "" => String::new(),
        code => format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>in words</Message><Region>us-west-2</Region></Error>"
        ),
    };
    Response::builder()
        .status(status)
        .body(body.into_bytes())
        .unwrap()
}

fn with<T: Clone + Send + Sync + 'static>(
    mut response: Response<Vec<u8>>,
    extension: T,
) -> Response<Vec<u8>> {
    response.extensions_mut().insert(extension);
    response
}

fn created() -> Response<Vec<u8>> {
    let response = Response::builder().status(200).header("etag", "\"0\"");
    response.body(Vec::new()).unwrap()
}

/// The table of decode's documentation, line by line.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let why = || String::from("why");
    let told = [
        (created(), Class::Stored),
        (with(created(), Damaged), Class::Taken),
        (answer(200, ""), Class::Unclear),
        (answer(412, "PreconditionFailed"), Class::Exists),
        (with(answer(412, ""), Found::Same), Class::Stored),
        (with(answer(412, ""), Found::Other { what: why() }), Class::Taken),
        (
            with(answer(412, ""), Found::Unknown { why: why() }),
            Class::Exists,
        ),
        (
            with(answer(412, ""), Found::Later { why: why() }),
            Class::Unavailable,
        ),
        (
            with(
                answer(301, "PermanentRedirect"),
                Region(String::from("us-west-2")),
            ),
            Class::Config,
        ),
        (
            with(
                answer(400, "AuthorizationHeaderMalformed"),
                Region(String::from("us-west-2")),
            ),
            Class::Config,
        ),
        // Its region is ours: something else is malformed.
        (
            with(
                answer(400, "AuthorizationHeaderMalformed"),
                Region(String::from("eu-central-1")),
            ),
            Class::Auth,
        ),
        (answer(400, "AuthorizationHeaderMalformed"), Class::Auth),
    ];
    let coded: [(Class, &[(u16, &str)]); 7] = [
        (
            Class::Unavailable,
            &[
                (409, "ConditionalRequestConflict"),
                (409, "OperationAborted"),
                (400, "RequestTimeout"),
                (400, "BadDigest"),
                (400, "InvalidDigest"),
                (400, "XAmzContentSHA256Mismatch"),
                (400, "IncompleteBody"),
                (503, "ServiceUnavailable"),
            ],
        ),
        (
            Class::Throttled,
            &[
                (503, "SlowDown"),
                (400, "Throttling"),
                (400, "RequestLimitExceeded"),
                (429, ""),
            ],
        ),
        (
            Class::Auth,
            &[
                (403, "AccessDenied"),
                (403, "InvalidAccessKeyId"),
                (403, "SignatureDoesNotMatch"),
                (403, "RequestTimeTooSkewed"),
                (400, "ExpiredToken"),
                (400, "InvalidToken"),
                (403, ""),
                (401, ""),
            ],
        ),
        (
            Class::Config,
            &[
                (301, "PermanentRedirect"),
                (302, ""),
                (307, "TemporaryRedirect"),
                (308, ""),
                (400, "IllegalLocationConstraintException"),
                (404, "NoSuchBucket"),
                (404, ""),
                (400, "KMS.DisabledException"),
                (400, "KMS.NotFoundException"),
                (400, "InvalidRequest"),
                (400, "InvalidArgument"),
                (400, "MetadataTooLarge"),
                (400, ""),
                (405, "MethodNotAllowed"),
                (409, "InvalidBucketState"),
                (411, "MissingContentLength"),
                (501, "NotImplemented"),
                (304, ""),
                (407, ""),
            ],
        ),
        (Class::TooLarge, &[(400, "EntityTooLarge"), (413, "")]),
        (
            Class::Unclear,
            &[
                (500, "InternalError"),
                (500, ""),
                (502, ""),
                (503, ""),
                (504, ""),
                (408, ""),
                (100, ""),
                (201, ""),
                (204, ""),
                (599, ""),
                (999, ""),
            ],
        ),
        (Class::Refused, &[]),
    ];
    let coded = coded.into_iter().flat_map(|(class, answers)| {
        answers
            .iter()
            .map(move |(status, code)| (answer(*status, code), class))
    });
    told.into_iter()
        .chain(coded)
        .map(|(answer, class)| (answer, 0, class))
        .collect()
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "",
        "format = \"json_array\"\ncompression = \"zstd\"\nchecksum = \"md5\"\nkey_preset = \"harness\"",
        "compression = \"none\"\nchecksum = \"none\"\nkey = \"{prefix}/{nonce}\"\nprefix = \"a\"",
        FULL,
    ] {
        let config = parse(&format!(
            "bucket = \"audit-logs\"\nproxy = \"http://p:hunter2-proxy@proxy.example:1\"\n{keys}"
        ))
        .unwrap();
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Lines,
            secrets: vec![],
            shown: vec![],
            stored: vec![200],
            answers: answers(),
        });
        // What is said back of a secret is masked by the transport, and tested there.
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            route.destination.target(),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

fn lines() -> Lines {
    Lines::new([
        b"{\"a\":1}".to_vec(),
        b"{\"b\":2}".to_vec(),
        b"{\"c\":3}".to_vec(),
    ])
}

fn encode(s3: &S3) -> Request<Vec<u8>> {
    request::encode_at(s3, &lines(), Timestamp(0))
}

fn sender(s3: &S3, steps: Vec<Step>) -> (Arc<dyn Transport>, ScriptedTransport) {
    let wire = ScriptedTransport::new(steps, Step::NotSent);
    let clock = Arc::new(ManualClock::at(Timestamp(1_767_323_045_000_000_000)));
    (s3.transport(Arc::new(wire.clone()), clock), wire)
}

fn headed(status: u16, headers: &[(&str, &str)]) -> Step {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Step::Answer(response.body(Vec::new()).unwrap())
}

proptest! {
    // Whatever comes back, nothing but a 200 and an object that was compared means "stored".
    #[test]
    fn no_answer_is_stored_by_accident(
        status in 100_u16..1000,
        code in "[A-Za-z.]{0,30}",
        region in proptest::option::of("[a-z0-9-]{1,20}"),
        etag in any::<bool>(),
    ) {
        let mut response = answer(status, &code);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(region) = region {
            response.headers_mut().insert("x-amz-bucket-region", region.parse().unwrap());
        }
        if etag {
            response.headers_mut().insert("etag", "x".parse().unwrap());
        }
        let outcome = decode::decode(&s3("").config, "name", &response);
        prop_assert_eq!(outcome == Outcome::Stored, status == 200 && etag);
        let blames_records = matches!(outcome, Outcome::Refused { .. } | Outcome::Verdicts(_));
        prop_assert!(!blames_records);
    }
}
