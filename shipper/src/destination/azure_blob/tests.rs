use ::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::config::Environment;
use crate::credentials::azure::SasTerm;
use crate::destination::check::{self, Finding};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::object::{Damaged, Found};
use crate::destination::{Attempt, KindConfig};
use crate::time::ManualClock;
use crate::transport::authorized::ClockSkew;
use crate::transport::scripted::{ScriptedTransport, Step};

mod keys;

const KEY: &str = "aHVudGVyMi1zaGFyZWQta2V5";
const SAS: &str = "sv=2021-12-02&sp=c&se=2026-01-02T00%3A00%3A00Z&sig=hunter2-sas-signature";

fn parse(keys: &str) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &Environment::empty())? {
        KindConfig::AzureBlob(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn with_access(access: &str, keys: &str) -> AzureBlob {
    let keys = format!("account_name = \"auditacct\"\ncontainer_name = \"audit\"\n{access}\n{keys}");
    AzureBlob::new(parse(&keys).unwrap())
}

fn blob(keys: &str) -> AzureBlob {
    with_access(&format!("shared_key = \"{KEY}\""), keys)
}

const FULL: &str = r#"
prefix = "a"
access_tier = "cool"
index_tags = ["team=audit", "cost centre=4/2"]
encryption_scope = "audit-scope"
checksum = "crc64"
immutability_policy = "locked"
immutability_days = 365
legal_hold = true
"#;

fn refused(status: u16, code: &str) -> Response<Vec<u8>> {
    let mut response = Response::builder().status(status);
    let mut body = String::new();
    if !code.is_empty() {
        response = response.header("x-ms-error-code", code);
        body = format!(
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>in words of {code}\nRequestId:7</Message></Error>"
        );
    }
    response.body(body.into_bytes()).unwrap()
}

fn created() -> Response<Vec<u8>> {
    let response = Response::builder().status(201).header("etag", "\"0x8D\"");
    response.body(Vec::new()).unwrap()
}

fn with<T: Clone + Send + Sync + 'static>(
    mut response: Response<Vec<u8>>,
    extension: T,
) -> Response<Vec<u8>> {
    response.extensions_mut().insert(extension);
    response
}

/// The table of decode's documentation, line by line.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let why = || String::from("why");
    let taken = || refused(409, "BlobAlreadyExists");
    [
        (created(), Class::Stored),
        (with(created(), Damaged), Class::Taken),
        (refused(201, ""), Class::Unclear),
        (refused(200, ""), Class::Unclear),
        (taken(), Class::Exists),
        (refused(412, "ConditionNotMet"), Class::Exists),
        (refused(412, ""), Class::Exists),
        (refused(409, "BlobImmutableDueToPolicy"), Class::Exists),
        (refused(409, "BlobImmutableDueToLegalHold"), Class::Exists),
        (refused(403, "UnauthorizedBlobOverwrite"), Class::Exists),
        (with(taken(), Found::Same), Class::Stored),
        (with(taken(), Found::Other { what: why() }), Class::Taken),
        (with(taken(), Found::Unknown { why: why() }), Class::Exists),
        (with(taken(), Found::Later { why: why() }), Class::Unavailable),
        (
            with(refused(403, "UnauthorizedBlobOverwrite"), Found::Same),
            Class::Stored,
        ),
        (
            with(refused(403, "AuthorizationPermissionMismatch"), Found::Same),
            Class::Stored,
        ),
        (
            with(
                refused(403, "AuthorizationPermissionMismatch"),
                Found::Other { what: why() },
            ),
            Class::Taken,
        ),
        (
            with(
                refused(403, "AuthorizationPermissionMismatch"),
                Found::Unknown { why: why() },
            ),
            Class::Auth,
        ),
        (refused(409, "ContainerBeingDeleted"), Class::Unavailable),
        (refused(409, "AccountIsBeingCreated"), Class::Unavailable),
        (refused(409, "ContainerDisabled"), Class::Config),
        (refused(409, ""), Class::Config),
        (refused(400, "Md5Mismatch"), Class::Unavailable),
        (refused(400, "Crc64Mismatch"), Class::Unavailable),
        (refused(400, "InvalidHeaderValue"), Class::Config),
        (refused(403, "AuthenticationFailed"), Class::Auth),
        (refused(403, "AuthorizationFailure"), Class::Auth),
        (refused(403, "AuthorizationPermissionMismatch"), Class::Auth),
        (refused(403, "KeyBasedAuthenticationNotPermitted"), Class::Auth),
        (refused(403, ""), Class::Auth),
        (refused(401, "NoAuthenticationInformation"), Class::Auth),
        (refused(404, "ContainerNotFound"), Class::Config),
        (refused(404, ""), Class::Config),
        (refused(301, ""), Class::Config),
        (refused(308, ""), Class::Config),
        (refused(411, "MissingContentLengthHeader"), Class::Config),
        (refused(413, "RequestBodyTooLarge"), Class::TooLarge),
        (refused(429, "TooManyRequests"), Class::Throttled),
        (refused(503, "ServerBusy"), Class::Throttled),
        (refused(503, ""), Class::Unclear),
        (refused(500, "OperationTimedOut"), Class::Unclear),
        (refused(500, "InternalError"), Class::Unclear),
        (refused(408, ""), Class::Unclear),
        (refused(502, ""), Class::Unclear),
        (refused(999, ""), Class::Unclear),
    ]
    .into_iter()
    .map(|(answer, class)| (answer, 0, class))
    .collect()
}

#[test]
fn the_contract_is_kept() {
    let key = format!("shared_key = \"{KEY}\"");
    let sas = format!("sas_token = \"{SAS}\"");
    for (access, keys) in [
        (&key, ""),
        (
            &sas,
            "format = \"json_array\"\ncompression = \"zstd\"\nkey_preset = \"harness\"",
        ),
        (
            &key,
            "compression = \"none\"\nkey = \"{prefix}/{nonce}\"\nprefix = \"a\"",
        ),
        (&sas, FULL),
    ] {
        let keys = format!("proxy = \"http://p:hunter2-proxy@proxy.example:1\"\n{keys}");
        let config = with_access(access, &keys).config;
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Lines,
            // What is said back of a secret is masked by the transports, and tested there.
            secrets: vec![],
            shown: vec![],
            stored: vec![201],
            answers: answers(),
        });
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            route.destination.target(),
            format!("{:?}", route.destination.permissions()),
        ] {
            assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
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

fn encode(blob: &AzureBlob) -> (Request<Vec<u8>>, String) {
    let lines = lines();
    let attempt = contract::attempt(blob, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = blob.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    (request, attempt.name)
}

/// Of those three lines, by other programs.
const MD5: &str = "Z0LA6x9RrMiAr4z9pqpCKg==";
const SHA256: &str = "ef1c3cd9cd7c0cf0b0b7b745afbc853d1c7eebe134f3ab5b89650ff06c431e37";

#[test]
fn a_request_creates_one_blob_and_says_what_is_in_it() {
    let (request, name) = encode(&blob("compression = \"none\""));
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(
        request.uri().to_string(),
        format!("https://auditacct.blob.core.windows.net/audit/{name}")
    );
    assert_eq!(request.body(), b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    let id = "07070707070707070707070707070707-0000000000000009";
    let expected = [
        ("x-ms-version", "2021-12-02"),
        ("if-none-match", "*"),
        ("content-type", "application/x-ndjson"),
        ("content-md5", MD5),
        ("x-ms-meta-auditship_sha256", SHA256),
        ("x-ms-meta-auditship_checksum", MD5),
        ("x-ms-meta-auditship_records", "3"),
        ("x-ms-meta-auditship_earliest", "1970-01-01T00:00:00.000100000Z"),
        ("x-ms-meta-auditship_latest", "1970-01-01T00:00:00.000102000Z"),
        ("x-ms-meta-auditship_first", &format!("{id}-100")),
        ("x-ms-meta-auditship_last", &format!("{id}-102")),
        ("x-ms-blob-type", "BlockBlob"),
    ];
    let expected: HeaderMap = expected
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    assert_eq!(request.headers(), &expected);
}

#[test]
fn what_is_asked_of_the_service_is_in_the_request() {
    let (request, _) = encode(&blob(FULL));
    let headers = request.headers();
    assert_eq!(headers["content-type"], "application/gzip");
    assert_eq!(headers.get("content-encoding"), None);
    assert_eq!(headers.get("content-md5"), None);
    let sum = BASE64.encode(crc64::crc64(request.body()).to_le_bytes());
    assert_eq!(headers["x-ms-content-crc64"], *sum);
    for (name, value) in [
        ("x-ms-access-tier", "Cool"),
        ("x-ms-tags", "team=audit&cost%20centre=4%2F2"),
        ("x-ms-encryption-scope", "audit-scope"),
        ("x-ms-immutability-policy-mode", "Locked"),
        // 365 days after 2026-01-02T03:04:05Z.
        (
            "x-ms-immutability-policy-until-date",
            "Sat, 02 Jan 2027 03:04:05 GMT",
        ),
        ("x-ms-legal-hold", "true"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[test]
fn a_batch_that_waited_too_long_is_kept_for_a_day_at_least() {
    let blob = blob("immutability_policy = \"unlocked\"\nimmutability_days = 1");
    let lines = lines();
    let attempt = contract::attempt(&blob, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let now = Context::at("2026-03-01T00:00:00Z".parse().unwrap());
    let request = blob.encode(&batch, &now).unwrap();
    assert_eq!(
        request.headers()["x-ms-immutability-policy-until-date"],
        "Mon, 02 Mar 2026 00:00:00 GMT"
    );
}

fn sender(blob: &AzureBlob, steps: Vec<Step>) -> (Arc<dyn Transport>, ScriptedTransport) {
    let wire = ScriptedTransport::new(steps, Step::NotSent);
    let clock = Arc::new(ManualClock::at(Timestamp(1_767_323_045_000_000_000)));
    (blob.transport(Arc::new(wire.clone()), clock).unwrap(), wire)
}

fn send(blob: &AzureBlob, steps: Vec<Step>) -> (Outcome, Vec<Request<Vec<u8>>>) {
    let (transport, wire) = sender(blob, steps);
    let lines = lines();
    let attempt = contract::attempt(blob, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = blob.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    let response = transport.send(&request).unwrap();
    (blob.decode(&batch, &response), wire.received())
}

#[test]
fn a_blob_is_stored_when_its_checksum_is_that_of_what_was_sent() {
    for (keys, name) in [
        ("", "content-md5"),
        ("checksum = \"crc64\"", "x-ms-content-crc64"),
    ] {
        let blob = blob(keys);
        let sent = encode(&blob).0.headers()[name].clone();
        for (told, class) in [
            (Some(sent), Class::Stored),
            (None, Class::Stored),
            (Some("AAAAAA==".parse().unwrap()), Class::Taken),
        ] {
            let mut answer = created();
            if let Some(told) = told {
                answer.headers_mut().insert(name, told);
            }
            let (outcome, sent) = send(&blob, vec![Step::Answer(answer)]);
            assert_eq!(contract::class(&outcome), class, "{outcome:?}");
            let authorization = sent[0].headers()["authorization"].to_str().unwrap();
            assert!(
                authorization.starts_with("SharedKey auditacct:"),
                "{authorization}"
            );
        }
    }
}

#[test]
fn a_name_that_is_taken_is_looked_at() {
    let blob = blob("prefix = \"a\"");
    let taken = || Step::Answer(refused(409, "BlobAlreadyExists"));
    let known = |digest: Option<&str>| {
        let mut response = Response::builder().status(200);
        if let Some(digest) = digest {
            response = response.header("x-ms-meta-auditship_sha256", digest);
        }
        Step::Answer(response.body(Vec::new()).unwrap())
    };
    for (look, class) in [
        (known(Some(SHA256)), Class::Stored),
        (known(Some("00")), Class::Taken),
        (known(None), Class::Taken),
        (
            Step::Answer(refused(403, "AuthorizationPermissionMismatch")),
            Class::Exists,
        ),
        (Step::Answer(refused(404, "BlobNotFound")), Class::Exists),
        (Step::Answer(refused(503, "ServerBusy")), Class::Unavailable),
        (Step::Swallowed, Class::Unavailable),
    ] {
        let (outcome, sent) = send(&blob, vec![taken(), look]);
        assert_eq!(contract::class(&outcome), class, "{outcome:?}");
        assert_eq!(sent[1].method(), Method::HEAD);
        assert_eq!(sent[1].uri(), sent[0].uri());
        assert_eq!(sent[1].headers()["x-ms-version"], "2021-12-02");
    }
}

#[test]
fn a_name_that_has_other_bytes_is_not_this_batch_whatever_its_metadata_says() {
    for (keys, name) in [
        ("", "content-md5"),
        ("checksum = \"crc64\"", "x-ms-content-crc64"),
    ] {
        let blob = blob(keys);
        let request = encode(&blob).0;
        let sum = request.headers()[name].to_str().unwrap();
        let digest = request.headers()["x-ms-meta-auditship_sha256"].clone();
        assert_eq!(request.headers()["x-ms-meta-auditship_checksum"], sum);
        for (came_with, told, class) in [
            (sum, Some(sum), Class::Stored),
            (sum, None, Class::Stored),
            (sum, Some("AAAAAA=="), Class::Taken),
            // The same records as an earlier sending compressed them.
            ("AAAAAA==", Some("AAAAAA=="), Class::Stored),
        ] {
            let mut look = Response::builder()
                .status(200)
                .header("x-ms-meta-auditship_sha256", &digest)
                .header("x-ms-meta-auditship_checksum", came_with);
            if let Some(told) = told {
                look = look.header(name, told);
            }
            let steps = vec![
                Step::Answer(refused(409, "BlobAlreadyExists")),
                Step::Answer(look.body(Vec::new()).unwrap()),
            ];
            let (outcome, _) = send(&blob, steps);
            assert_eq!(contract::class(&outcome), class, "{name} {told:?}: {outcome:?}");
            if let Outcome::Taken { reason } = outcome {
                assert!(reason.contains("another checksum"), "{reason}");
            }
        }
    }
}

#[test]
fn a_check_puts_under_a_condition_that_cannot_be_met() {
    let checked = |keys: &str, steps: Vec<Response<Vec<u8>>>| {
        let blob = blob(keys);
        let (transport, wire) = sender(&blob, steps.into_iter().map(Step::Answer).collect());
        let finding = check::run(&blob, &*transport);
        (finding, wire.received())
    };
    let (finding, sent) = checked(
        "prefix = \"a\"\naccess_tier = \"cold\"",
        vec![refused(412, "ConditionNotMet")],
    );
    assert!(matches!(finding, Finding::Ready { .. }), "{finding:?}");
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].uri().to_string(),
        "https://auditacct.blob.core.windows.net/audit/a/auditship-check"
    );
    assert_eq!(sent[0].headers()["if-match"], "\"0x0\"");
    assert_eq!(sent[0].headers()["x-ms-access-tier"], "Cold");
    assert!(sent[0].body().is_empty());

    let (finding, _) = checked("", vec![created()]);
    assert!(matches!(&finding, Finding::Reachable { open, .. } if open.contains("delete it")));
    for (answer, words) in [
        (refused(404, "ContainerNotFound"), "must be made by you"),
        (refused(403, "AuthenticationFailed"), "`shared_key`"),
        (refused(400, "InvalidHeaderValue"), "the keys of this destination"),
    ] {
        let (finding, _) = checked("", vec![answer]);
        assert!(
            matches!(&finding, Finding::Failed { reason } if reason.contains(words)),
            "{finding:?}"
        );
    }
    // Until when is said by the service's clock.
    let mut looked = refused(404, "ContainerNotFound");
    let date = "Thu, 01 Jan 2026 00:00:00 GMT".parse().unwrap();
    looked.headers_mut().insert("date", date);
    let days = "immutability_policy = \"locked\"\nimmutability_days = 2";
    let (finding, sent) = checked(days, vec![looked, refused(412, "")]);
    assert!(matches!(finding, Finding::Ready { .. }), "{finding:?}");
    assert_eq!(sent[0].uri().query(), Some("restype=container"));
    assert_eq!(
        sent[1].headers()["x-ms-immutability-policy-until-date"],
        "Sat, 03 Jan 2026 00:00:00 GMT"
    );
}

#[test]
fn a_refusal_says_what_to_do() {
    let reason = |blob: &AzureBlob, response| match decode::decode(&blob.config, "n", &response) {
        Outcome::Auth { reason } | Outcome::Config { reason } | Outcome::Exists { reason } => reason,
        other => panic!("{other:?}"),
    };
    let dated = |code: &str, date: &str, until: &str, permissions: &str| {
        let mut response = refused(403, code);
        response.headers_mut().insert("date", date.parse().unwrap());
        with(
            response,
            SasTerm {
                until: until.to_owned(),
                permissions: permissions.to_owned(),
            },
        )
    };
    let (key, sas) = (blob(""), with_access(&format!("sas_token = \"{SAS}\""), ""));
    let entra = with_access("", "");
    let failed = "AuthenticationFailed";
    let date = "Fri, 02 Jan 2026 03:04:05 GMT";
    for (blob, response, words) in [
        (
            &key,
            refused(403, failed),
            "403 AuthenticationFailed: in words of AuthenticationFailed (check `account_name` and `shared_key`",
        ),
        (
            &key,
            with(
                refused(403, failed),
                ClockSkew {
                    ahead: 7_200_000_000_000,
                },
            ),
            "this host's clock is 120 min behind",
        ),
        (
            &key,
            refused(403, "KeyBasedAuthenticationNotPermitted"),
            "takes no keys",
        ),
        (&key, refused(403, "AuthorizationFailure"), "network rules"),
        (&key, refused(404, "ContainerNotFound"), "must be made by you"),
        (
            &entra,
            refused(403, "AuthorizationPermissionMismatch"),
            "allow Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
        ),
        (
            &entra,
            refused(401, "InvalidAuthenticationInfo"),
            "the token is not accepted",
        ),
        (&key, refused(409, "BlobAlreadyExists"), "was not compared"),
        (
            &sas,
            dated(failed, date, "2026-01-02T00:00:00Z", "c"),
            "the SAS has expired at 2026-01-02T00:00:00Z: make a new one",
        ),
        (
            &sas,
            dated(failed, date, "2027-01-02T00:00:00Z", "c"),
            "holds until 2027-01-02T00:00:00Z",
        ),
        (
            &sas,
            dated(
                "AuthorizationPermissionMismatch",
                date,
                "2027-01-02T00:00:00Z",
                "rl",
            ),
            "it has `sp=rl` only",
        ),
        (&sas, refused(403, failed), "stored access policy"),
    ] {
        let reason = reason(blob, response);
        assert!(reason.contains(words), "{words} is not in {reason}");
    }
}

#[test]
fn a_stored_record_can_be_found() {
    let blob = blob("");
    let lines = lines();
    let attempt = Attempt {
        name: String::from("a/b.gz"),
        ..contract::attempt(&blob, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    assert_eq!(
        blob.query(&batch),
        "az storage blob download --account-name auditacct --container-name audit --name a/b.gz --auth-mode login \
         --no-progress | gzip -dc | grep '\"seq\":100}'"
    );
}
