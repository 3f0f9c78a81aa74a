use ::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::*;
use crate::config::Environment;
use crate::credentials::CredentialError;
use crate::destination::check::{self, Finding};
use crate::destination::contract::{self, Class, Layout, Lines, Part, Subject};
use crate::destination::object::{Damaged, Found};
use crate::destination::{Attempt, KindConfig};
use crate::time::ManualClock;
use crate::transport::authorized::{ClockSkew, Renewal};
use crate::transport::scripted::{ScriptedTransport, Step};

fn parse_in(keys: &str, environment: &Environment) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), environment)? {
        KindConfig::Gcs(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    parse_in(keys, &Environment::empty())
}

fn gcs(keys: &str) -> Gcs {
    Gcs::new(parse(&format!("bucket = \"audit-logs\"\n{keys}")).unwrap())
}

const FULL: &str = r#"
prefix = "audit"
storage_class = "NEARLINE"
kms_key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
quota_project = "payer"
custom_time = "made_at"
"#;

fn refused(status: u16, reason: &str) -> Response<Vec<u8>> {
    let body = match reason {
        "" => String::new(),
        reason => json!({"error": {"code": status, "message": format!("in words of {reason}"), "errors": [{"reason": reason}]}})
            .to_string(),
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

fn answered(body: &Value) -> Response<Vec<u8>> {
    Response::new(body.to_string().into_bytes())
}

/// The table of decode's documentation, line by line, but for 200: that has to name the object.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let why = || String::from("why");
    let taken = || refused(412, "conditionNotMet");
    let mismatch =
        "{\"error\":{\"message\":\"Provided CRC32C \\\"a\\\" doesn't match calculated CRC32C \\\"b\\\".\"}}";
    let mismatch = Response::builder()
        .status(400)
        .body(mismatch.as_bytes().to_vec())
        .unwrap();
    [
        (answered(&json!({"name": "another"})), Class::Unclear),
        (refused(200, ""), Class::Unclear),
        (taken(), Class::Exists),
        (refused(412, ""), Class::Exists),
        (with(taken(), Found::Same), Class::Stored),
        (with(taken(), Found::Other { what: why() }), Class::Taken),
        (with(taken(), Found::Unknown { why: why() }), Class::Exists),
        (with(taken(), Found::Later { why: why() }), Class::Unavailable),
        (refused(412, "orgPolicyConstraintFailed"), Class::Config),
        (refused(403, "forbidden"), Class::Auth),
        (with(refused(403, "forbidden"), Found::Same), Class::Stored),
        (
            with(refused(403, "forbidden"), Found::Other { what: why() }),
            Class::Taken,
        ),
        (
            with(refused(403, "forbidden"), Found::Unknown { why: why() }),
            Class::Auth,
        ),
        (
            with(refused(403, "forbidden"), Found::Later { why: why() }),
            Class::Auth,
        ),
        (refused(403, "rateLimitExceeded"), Class::Throttled),
        (refused(403, "userRateLimitExceeded"), Class::Throttled),
        (refused(429, "rateLimitExceeded"), Class::Throttled),
        (refused(429, ""), Class::Throttled),
        (refused(401, "authError"), Class::Auth),
        (refused(400, "cloudKmsBadKey"), Class::Config),
        (refused(403, "cloudKmsPermissionDenied"), Class::Config),
        (mismatch, Class::Unavailable),
        (refused(400, "invalid"), Class::Config),
        (refused(404, "notFound"), Class::Config),
        (refused(411, ""), Class::Config),
        (refused(409, "conflict"), Class::Config),
        (refused(302, ""), Class::Config),
        (refused(308, ""), Class::Config),
        (refused(413, "uploadTooLarge"), Class::TooLarge),
        (refused(408, ""), Class::Unclear),
        (refused(500, "backendError"), Class::Unclear),
        (refused(502, ""), Class::Unclear),
        (refused(503, "backendError"), Class::Unclear),
        (refused(504, ""), Class::Unclear),
        (refused(201, ""), Class::Unclear),
        (refused(999, ""), Class::Unclear),
    ]
    .into_iter()
    .map(|(answer, class)| (answer, 0, class))
    .collect()
}

/// What Google reads: the object's resource and its bytes (RFC 2387).
fn parts(request: &Request<Vec<u8>>) -> (Value, HeaderMap, Vec<u8>) {
    let content_type = request.headers()["content-type"].to_str().unwrap();
    let boundary = content_type.strip_prefix("multipart/related; boundary=").unwrap();
    let body = request.body();
    let (open, close) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}--\r\n"));
    let between = format!("\r\n--{boundary}\r\n");
    let body = body.strip_prefix(open.as_bytes()).unwrap();
    let body = body.strip_suffix(close.as_bytes()).unwrap();
    let at = |window: &[u8], text: &str| {
        window
            .windows(text.len())
            .position(|found| found == text.as_bytes())
            .unwrap()
    };
    let middle = at(body, &between);
    let (resource, data) = (&body[..middle], &body[middle + between.len()..]);
    let head = |part: &[u8]| {
        let end = at(part, "\r\n\r\n");
        let (name, value) = std::str::from_utf8(&part[..end])
            .unwrap()
            .split_once(": ")
            .unwrap();
        let head = HeaderMap::from_iter([(name.to_lowercase().parse().unwrap(), value.parse().unwrap())]);
        (head, part[end + 4..].to_vec())
    };
    let (resource_head, resource) = head(resource);
    assert_eq!(resource_head["content-type"], "application/json; charset=UTF-8");
    let (head, data) = head(data);
    (serde_json::from_slice(&resource).unwrap(), head, data)
}

fn object_of(request: &Request<Vec<u8>>) -> Part {
    let (resource, _, bytes) = parts(request);
    Part {
        name: resource["name"].as_str().unwrap().to_owned(),
        bytes,
    }
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "",
        "format = \"json_array\"\ncompression = \"zstd\"\nkey_preset = \"harness\"",
        "compression = \"none\"\nkey = \"{prefix}/{nonce}\"\nprefix = \"a\"",
        FULL,
    ] {
        let config = parse(&format!(
            "bucket = \"audit-logs\"\nproxy = \"http://p:hunter2-proxy@proxy.example:1\"\n{keys}"
        ))
        .unwrap();
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Part { read: object_of },
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

fn encode(gcs: &Gcs) -> (Request<Vec<u8>>, String) {
    let lines = lines();
    let attempt = contract::attempt(gcs, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    (
        gcs.encode(&batch, &Context::at(Timestamp(0))).unwrap(),
        attempt.name,
    )
}

#[test]
fn a_request_creates_one_object_and_says_what_is_in_it() {
    let (request, name) = encode(&gcs("compression = \"none\""));
    assert_eq!(request.method(), Method::POST);
    assert_eq!(
        request.uri().to_string(),
        "https://storage.googleapis.com/upload/storage/v1/b/audit-logs/o\
         ?uploadType=multipart&ifGenerationMatch=0&fields=name%2Cgeneration%2Ccrc32c"
    );
    let (resource, head, data) = parts(&request);
    assert_eq!(head["content-type"], "application/x-ndjson");
    assert_eq!(data, b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    let id = "07070707070707070707070707070707-0000000000000009";
    assert_eq!(
        resource,
        json!({
            "name": name,
            "contentType": "application/x-ndjson",
            "crc32c": CRC32C,
            "md5Hash": MD5,
            "customTime": "1970-01-01T00:00:00.000102000Z",
            "metadata": {
                "auditship-sha256": SHA256,
                "auditship-checksum": CRC32C,
                "auditship-records": "3",
                "auditship-earliest": "1970-01-01T00:00:00.000100000Z",
                "auditship-latest": "1970-01-01T00:00:00.000102000Z",
                "auditship-first": format!("{id}-100"),
                "auditship-last": format!("{id}-102"),
            },
        })
    );
}

/// Of those three lines, by other programs.
const CRC32C: &str = "KIP/mA==";
const MD5: &str = "Z0LA6x9RrMiAr4z9pqpCKg==";
const SHA256: &str = "ef1c3cd9cd7c0cf0b0b7b745afbc853d1c7eebe134f3ab5b89650ff06c431e37";

#[test]
fn what_is_asked_of_the_store_is_in_the_request() {
    let (request, _) = encode(&gcs(FULL));
    let query = request.uri().query().unwrap();
    assert!(
        query.contains("&kmsKeyName=projects%2Fp%2Flocations%2Fl%2FkeyRings%2Fr%2FcryptoKeys%2Fk"),
        "{query}"
    );
    let (resource, head, data) = parts(&request);
    assert_eq!(resource["storageClass"], "NEARLINE");
    assert_eq!(resource["customTime"], "2026-01-02T03:04:05.000000000Z");
    assert!(
        resource["name"]
            .as_str()
            .unwrap()
            .starts_with("audit/2026/01/02/03/")
    );
    // Compressed, and checked as it is sent.
    assert_eq!(
        (&head["content-type"], &resource["contentType"]),
        (&"application/gzip".parse().unwrap(), &json!("application/gzip"))
    );
    assert_eq!(resource["md5Hash"], BASE64.encode(Md5::digest(&data)));
    assert_eq!(resource.get("contentEncoding"), None);
    let time = |keys: &str| parts(&encode(&gcs(keys)).0).0.get("customTime").cloned();
    assert_eq!(
        time("custom_time = \"earliest\""),
        Some(json!("1970-01-01T00:00:00.000100000Z"))
    );
    assert_eq!(time("custom_time = \"none\""), None);
}

#[test]
fn endpoints_are_those_that_google_documents() {
    for (keys, url) in [
        ("", "https://storage.googleapis.com/storage/v1/b/audit-logs"),
        (
            "location = \"europe-west3\"",
            "https://storage.europe-west3.rep.googleapis.com/storage/v1/b/audit-logs",
        ),
        (
            "endpoint = \"https://gate.example/gcs/\"",
            "https://gate.example/gcs/storage/v1/b/audit-logs",
        ),
    ] {
        assert_eq!(gcs(keys).config.address.api(""), url);
    }
    let set = Environment::from([("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9023")]);
    let config = parse_in("bucket = \"abc\"", &set).unwrap();
    assert_eq!(config.address.api(""), "http://127.0.0.1:9023/storage/v1/b/abc");
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let bucket = |name: &str| format!("bucket = \"{name}\"");
    let with_bucket = |keys: &str| format!("bucket = \"audit-logs\"\n{keys}");
    for (keys, key, part) in [
        (String::new(), "bucket", "is missing"),
        (bucket("ab"), "bucket", "3 to 63"),
        (bucket(&"x".repeat(64)), "bucket", "3 to 63"),
        (bucket("Audit"), "bucket", "lower-case"),
        (bucket("_audit"), "bucket", "begin and end"),
        (bucket("a..b"), "bucket", "two dots"),
        (bucket("10.0.0.1"), "bucket", "IP address"),
        (bucket("goog-audit"), "bucket", "keeps for itself"),
        (bucket("my-google-audit"), "bucket", "keeps for itself"),
        (bucket("gs://audit"), "bucket", "`prefix`"),
        (with_bucket("location = \"Europe\""), "location", "europe-west3"),
        (
            with_bucket("location = \"a\"\nendpoint = \"https://b.example\""),
            "location",
            "exclude",
        ),
        (
            with_bucket("endpoint = \"http://b.example\""),
            "endpoint",
            "in the clear",
        ),
        (
            with_bucket("endpoint = \"https://b.example/?a\""),
            "endpoint",
            "`?`",
        ),
        (
            with_bucket("storage_class = \"nearline\""),
            "storage_class",
            "NEARLINE",
        ),
        (with_bucket("kms_key = \"my-key\""), "kms_key", "cryptoKeys"),
        (
            with_bucket("kms_key = \"projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1\""),
            "kms_key",
            "version",
        ),
        (with_bucket("custom_time = \"now\""), "custom_time", "`latest`"),
        (
            with_bucket("credentials_file = \"key.json\""),
            "credentials_file",
            "absolute",
        ),
        (with_bucket("key = \"{yyyy}\""), "key", "{nonce}"),
        (with_bucket("buckt = \"a\""), "buckt", "did you mean `bucket`?"),
    ] {
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
    assert!(parse(&bucket(&format!("{}.{}", "x".repeat(60), "y".repeat(60)))).is_ok());
}

#[test]
fn every_key_of_the_list_is_a_key() {
    // What the list has and the struct lacks would be ignored without a word.
    for key in KindConfig::keys(KIND).unwrap() {
        let error = parse(&format!("{key} = [[1]]")).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
    }
}

struct Token;

impl Authorize for Token {
    fn authorize(&self, _: &Request<Vec<u8>>, _: Timestamp) -> Result<HeaderMap, CredentialError> {
        let bearer = "Bearer t".parse().unwrap();
        Ok(HeaderMap::from_iter([(::http::header::AUTHORIZATION, bearer)]))
    }

    fn is_refusal(&self, response: &Response<Vec<u8>>) -> bool {
        response.status() == 401
    }

    fn renew(&self) -> Renewal {
        Renewal::Same
    }
}

fn sender(gcs: &Gcs, steps: Vec<Step>) -> (Arc<dyn Transport>, ScriptedTransport) {
    let wire = ScriptedTransport::new(steps, Step::NotSent);
    let clock = Arc::new(ManualClock::at(Timestamp(1_767_323_045_000_000_000)));
    (
        gcs.transport(Arc::new(wire.clone()), Arc::new(Token), clock),
        wire,
    )
}

fn send(gcs: &Gcs, steps: Vec<Step>) -> (Outcome, Vec<Request<Vec<u8>>>) {
    let (transport, wire) = sender(gcs, steps);
    let lines = lines();
    let attempt = contract::attempt(gcs, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = gcs.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    let response = transport.send(&request).unwrap();
    (gcs.decode(&batch, &response), wire.received())
}

#[test]
fn an_object_is_stored_when_the_answer_names_it() {
    let gcs = gcs("");
    let (request, name) = encode(&gcs);
    let crc = parts(&request).0["crc32c"].clone();
    for (answer, class) in [
        (
            json!({"name": name, "generation": "1", "crc32c": crc}),
            Class::Stored,
        ),
        (json!({"name": name, "generation": "1"}), Class::Stored),
        (json!({"name": name, "crc32c": "AAAAAA=="}), Class::Taken),
        (json!({"name": "other", "crc32c": crc}), Class::Unclear),
    ] {
        let (outcome, sent) = send(&gcs, vec![Step::Answer(answered(&answer))]);
        assert_eq!(contract::class(&outcome), class, "{answer}: {outcome:?}");
        assert_eq!(sent[0].headers()["authorization"], "Bearer t");
    }
    let damaged = with(answered(&json!({"name": name})), Damaged);
    assert_eq!(
        contract::class(&decode::decode(&gcs.config, &name, &damaged)),
        Class::Taken
    );
}

#[test]
fn a_name_that_is_taken_is_looked_at() {
    let gcs = gcs("prefix = \"a\"");
    let ours = parts(&encode(&gcs).0).0["metadata"].clone();
    let taken = |status| {
        Step::Answer(refused(
            status,
            if status == 412 {
                "conditionNotMet"
            } else {
                "forbidden"
            },
        ))
    };
    let known = |metadata: Value| Step::Answer(answered(&json!({ "metadata": metadata })));
    let crc = parts(&encode(&gcs).0).0["crc32c"].clone();
    let mut earlier = ours.clone();
    earlier["auditship-checksum"] = json!("AAAAAA==");
    let holding = |metadata: Value, crc: &Value| {
        Step::Answer(answered(&json!({ "metadata": metadata, "crc32c": crc })))
    };
    for (first, look, class) in [
        (412, known(ours.clone()), Class::Stored),
        (412, holding(ours.clone(), &crc), Class::Stored),
        // The same records as an earlier sending compressed them.
        (412, holding(earlier, &json!("AAAAAA==")), Class::Stored),
        // What it says of itself came with it; what the store tells of its bytes did not.
        (412, holding(ours.clone(), &json!("AAAAAA==")), Class::Taken),
        (403, holding(ours.clone(), &json!("AAAAAA==")), Class::Taken),
        (403, known(ours.clone()), Class::Stored),
        (412, known(json!({"auditship-sha256": "00"})), Class::Taken),
        (412, Step::Answer(answered(&json!({}))), Class::Taken),
        (403, known(json!({"auditship-sha256": "00"})), Class::Taken),
        (412, Step::Answer(refused(403, "forbidden")), Class::Exists),
        (403, Step::Answer(refused(403, "forbidden")), Class::Auth),
        (412, Step::Answer(refused(404, "notFound")), Class::Exists),
        (412, Step::Answer(refused(503, "")), Class::Unavailable),
        (412, Step::Swallowed, Class::Unavailable),
    ] {
        let (outcome, sent) = send(&gcs, vec![taken(first), look]);
        assert_eq!(contract::class(&outcome), class, "{outcome:?}");
        let name = object_of(&sent[0]).name.replace('/', "%2F");
        assert_eq!(sent[1].method(), Method::GET);
        assert_eq!(
            sent[1].uri().to_string(),
            format!("https://storage.googleapis.com/storage/v1/b/audit-logs/o/{name}?fields=crc32c,metadata")
        );
    }
}

#[test]
fn a_check_asks_for_the_permission_and_writes_nothing() {
    let checked = |keys: &str, answer: Response<Vec<u8>>| {
        let gcs = gcs(keys);
        let (transport, wire) = sender(&gcs, vec![Step::Answer(answer)]);
        let finding = check::run(&gcs, &*transport);
        let sent = wire.received();
        assert_eq!((sent.len(), sent[0].method()), (1, &Method::GET));
        assert_eq!(
            sent[0].uri().to_string(),
            "https://storage.googleapis.com/storage/v1/b/audit-logs/iam/testPermissions?permissions=storage.objects.create"
        );
        finding
    };
    let granted = || answered(&json!({"permissions": ["storage.objects.create"]}));
    assert!(
        matches!(checked("", granted()), Finding::Ready { proven } if proven.contains("gs://audit-logs/"))
    );
    let key = "kms_key = \"projects/p/locations/l/keyRings/r/cryptoKeys/k\"";
    assert!(
        matches!(checked(key, granted()), Finding::Reachable { open, .. } if open.contains("service agent"))
    );
    for (answer, words) in [
        (answered(&json!({})), "--role=roles/storage.objectCreator"),
        (
            answered(&json!({"permissions": ["storage.objects.get"]})),
            "may not create objects in audit-logs",
        ),
        (refused(404, "notFound"), "`bucket`"),
        (refused(401, "authError"), "check the credentials"),
        (refused(200, ""), "something else"),
    ] {
        let finding = checked("", answer);
        assert!(
            matches!(&finding, Finding::Failed { reason } if reason.contains(words)),
            "{words}: {finding:?}"
        );
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let reason = |response| match decode::decode(&gcs("").config, "n", &response) {
        Outcome::Auth { reason } | Outcome::Config { reason } => reason,
        other => panic!("{other:?}"),
    };
    for (response, words) in [
        (
            refused(403, "forbidden"),
            "403 forbidden: in words of forbidden (allow storage.objects.create on the bucket audit-logs: roles/storage.objectCreator)",
        ),
        (
            with(
                refused(401, "authError"),
                ClockSkew {
                    ahead: -7_200_000_000_000,
                },
            ),
            "this host's clock is 120 min ahead of",
        ),
        (
            with(
                refused(403, "forbidden"),
                ClockSkew {
                    ahead: 180_000_000_000,
                },
            ),
            "roles/storage.objectCreator; this host's clock is 3 min behind",
        ),
        (refused(403, "insufficientPermissions"), "access scopes"),
        (refused(401, "authError"), "the token is not accepted"),
        (refused(400, "cloudKmsDisabledKey"), "check `kms_key`"),
        (refused(404, "notFound"), "must be made by you"),
    ] {
        let reason = reason(response);
        assert!(reason.contains(words), "{words} is not in {reason}");
    }
}

#[test]
fn a_stored_record_can_be_found() {
    let gcs = gcs("");
    let lines = lines();
    let attempt = Attempt {
        name: String::from("a/b.gz"),
        ..contract::attempt(&gcs, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    assert_eq!(
        gcs.query(&batch),
        "gcloud storage cat gs://audit-logs/a/b.gz | gzip -dc | grep '\"seq\":100}'"
    );
    let Permissions::Google(permissions) = gcs.permissions() else {
        panic!("not Google's")
    };
    assert_eq!(permissions[0].resource, "buckets/audit-logs");
}
