use ::http::{HeaderMap, header};

use super::*;
use crate::config::Environment;
use crate::destination::KindConfig;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::transport::scripted::{ScriptedTransport, Step as Scripted};
use crate::transport::{SendError, Transport};

const BASE: &str = "https://endpoint4.collection.sumologic.com/receiver/v1/http";

fn parse(keys: &str) -> Result<Config, ConfigError> {
    let url = format!("{BASE}/hunter2==");
    let environment =
        Environment::from([("SUMO_URL", url.as_str()), ("CODE", "hunter2==")]).with_hostname("web-1");
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment)? {
        KindConfig::SumoLogic(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn sumo(keys: &str) -> SumoLogic {
    SumoLogic::new(parse(&format!("url = \"{BASE}/hunter2==\"\n{keys}")).unwrap())
}

fn answer(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .body(body.as_bytes().to_vec())
        .unwrap()
}

/// The rows of the table, status by status.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let classes: [(Class, &[u16]); 9] = [
        (Class::Stored, &[200]),
        (Class::Auth, &[401, 403, 407]),
        (Class::Unacknowledged, &[201, 202, 204]),
        (Class::Config, &[301, 308, 404, 405, 410, 415, 501]),
        // The suite's batch has three records.
        (Class::TooLarge, &[408, 413]),
        (Class::Throttled, &[429]),
        (Class::Unavailable, &[425, 503, 507]),
        (Class::Unclear, &[100, 500, 502, 504, 599, 600, 999]),
        (Class::Refused, &[400, 409, 422]),
    ];
    let of =
        |(class, codes): (Class, &'static [u16])| codes.iter().map(move |code| (answer(*code, ""), 0, class));
    classes.into_iter().flat_map(of).collect()
}

fn records(plain: &[u8]) -> Vec<serde_json::Value> {
    let lines = plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn every_byte(plain: &[u8]) -> u64 {
    plain.len() as u64
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "",
        "compression = \"none\"\nlong_records = \"split\"\nsource_category = \"a\"",
    ] {
        let config = parse(&format!("url = \"env:SUMO_URL\"\n{keys}")).unwrap();
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Own {
                counted: every_byte,
                records,
            },
            // What is said back of the code is masked by the transport: see below.
            secrets: vec![],
            shown: vec![],
            stored: vec![200],
            answers: answers(),
        });
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            route.destination.target(),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

#[test]
fn the_code_is_in_the_url_that_is_sent_and_nowhere_else() {
    let sumo = sumo("source_category = \"prod/audit\"\nfields = \"a=b, c=d\"\ncompression = \"none\"");
    let lines = Lines::new([b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
    let attempt = contract::attempt(&sumo, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = sumo.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    assert_eq!(request.uri().to_string(), BASE);
    assert_eq!(request.body(), b"{\"a\":1}\n{\"b\":2}\n");
    let headers = request.headers();
    assert_eq!(headers["x-sumo-category"], "prod/audit");
    assert_eq!(headers["x-sumo-name"], "auditship");
    assert_eq!(headers["x-sumo-host"], "web-1");
    assert_eq!(headers["x-sumo-fields"], "a=b,c=d");
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(!sumo.query(&batch).contains("hunter2"));

    let said = answer(400, "no hunter2== and hunter2== here, hunter2");
    let wire = ScriptedTransport::new([], Scripted::Answer(said));
    let secret = Secret::parse("hunter2==", &Environment::empty()).unwrap();
    let transport = secret_url::SecretUrl::new(Arc::new(wire.clone()), secret);
    let response = transport.send_with(&request, &HeaderMap::new()).unwrap();
    assert_eq!(wire.received()[0].uri().to_string(), format!("{BASE}/hunter2=="));
    assert_eq!(response.body(), b"no ********* and ********* here, hunter2");
    let odd = Secret::parse("hunter2/../x?y", &Environment::empty()).unwrap();
    let error = secret_url::SecretUrl::new(Arc::new(wire), odd)
        .send(&request)
        .unwrap_err();
    assert!(
        matches!(&error, SendError::NoCredentials { reason } if !reason.contains("hunter2")),
        "{error:?}"
    );
}

#[test]
fn a_single_record_that_takes_too_long_is_not_given_up() {
    let sumo = sumo("");
    let decode = |records: usize| {
        let lines = Lines::new((0..records).map(|_| b"{}".to_vec()));
        let attempt = contract::attempt(&sumo, &lines);
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        contract::class(&sumo.decode(&batch, &answer(408, "")))
    };
    assert_eq!((decode(1), decode(2)), (Class::Unclear, Class::TooLarge));
}

#[test]
fn a_fingerprint_tells_sources_apart() {
    let of = |keys: &str| SumoLogic::new(parse(keys).unwrap()).fingerprint();
    let base = of(&format!("url = \"{BASE}/hunter2==\""));
    assert_eq!(base, of("url = \"env:SUMO_URL\""));
    assert_eq!(base, of(&format!("url = \"{BASE}\"\ntoken = \"env:CODE\"")));
    assert_ne!(base, of(&format!("url = \"{BASE}/other\"")));
    assert_ne!(
        of(&format!("url = \"{BASE}\"\ntoken = \"file:/a\"")),
        of(&format!("url = \"{BASE}\"\ntoken = \"file:/b\""))
    );
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    for (keys, key, part) in [
        ("", "url", "is missing"),
        ("url = \"env:ABSENT\"", "url", "ABSENT"),
        ("url = \"file:/a\"", "url", "`token = "),
        (
            "url = \"https://a.example/hunter2\"",
            "url",
            "/receiver/v1/http/CODE",
        ),
        (
            "url = \"https://a.example/receiver/v1/http/hunter2/x\"",
            "url",
            "/receiver/v1/http/CODE",
        ),
        (
            "url = \"https://a.example/receiver/v1/http/hunter2?x=1\"",
            "url",
            "/receiver/v1/http/CODE",
        ),
        (
            "url = \"http://a.example/receiver/v1/http/hunter2\"",
            "url",
            "allow_plaintext",
        ),
        (
            "url = \"https://a.example/receiver/v1/http\"",
            "token",
            "is missing",
        ),
        ("{url}token = \"hunter2\"", "token", "already"),
        ("{url}source_category = \"\"", "source_category", "is empty"),
        ("{url}source_host = \"bücher\"", "source_host", "ASCII"),
        ("{url}fields = [\"a\"]", "fields", "name=value"),
        ("{url}long_records = \"cut\"", "long_records", "`split`"),
        ("{url}compression = \"zstd\"", "compression", "`gzip`"),
        (
            "{url}source_categorie = \"a\"",
            "source_categorie",
            "did you mean `source_category`?",
        ),
    ] {
        let keys = keys.replace("{url}", &format!("url = \"{BASE}/hunter2\"\n"));
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        let text = error.to_string();
        assert!(text.contains(part) && !text.contains("hunter2"), "{keys}: {text}");
    }
}

#[test]
fn every_key_that_is_listed_is_read() {
    for key in KindConfig::keys(KIND).unwrap() {
        let table: toml::Table = toml::from_str(&format!("{key} = [[1]]")).unwrap();
        let error = KindConfig::from_table(KIND, table, &Environment::empty()).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
        assert_eq!(error.key(), key);
    }
}

#[test]
fn a_check_sends_no_message_and_says_what_to_look_at() {
    let sumo = sumo("");
    let Step::Ask(question) = sumo.next(&[]) else {
        panic!("asks nothing")
    };
    assert_eq!(
        (question.method().as_str(), question.body().len()),
        ("OPTIONS", 0)
    );
    let judge = |response| match sumo.next(&[Ok(response)]) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    assert!(
        matches!(judge(answer(200, "")), Finding::Reachable { open, .. } if open.contains("ingest budget"))
    );
    assert!(matches!(judge(answer(401, "")), Finding::Failed { .. }));
}
