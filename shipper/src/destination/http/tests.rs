use std::time::Duration;

use ::http::{Method, StatusCode, header};

use super::encode::IDEMPOTENCY_KEY;
use super::*;
use crate::config::Environment;
use crate::destination::check::{Check, Finding, Step};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::{Attempt, KindConfig};
use crate::time::Timestamp;
use crate::transport::SendError;
use crate::transport::http::HttpTransport;

const URL: &str = "https://collector.example:8443/audit";

fn environment() -> Environment {
    Environment::from([("TOKEN", "hunter2-env"), ("PASS", "hunter2-pass")])
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment())? {
        KindConfig::Http(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn http(keys: &str) -> Http {
    Http::new(parse(&format!("url = \"{URL}\"\n{keys}")).unwrap())
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Vec<u8>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.as_bytes().to_vec()).unwrap()
}

/// The table of the issue and of the module's documentation, status by status.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let classes = [
        (Class::Stored, &[200, 201, 202, 204, 299][..]),
        (Class::Auth, &[401, 403, 407]),
        (
            Class::Config,
            &[
                300, 301, 302, 304, 307, 308, 402, 404, 405, 406, 410, 411, 415, 426, 501, 505, 511,
            ],
        ),
        (Class::TooLarge, &[413]),
        (Class::Throttled, &[429]),
        (Class::Unavailable, &[425, 503, 507]),
        (
            Class::Unclear,
            &[100, 101, 199, 408, 500, 502, 504, 508, 520, 599, 600, 999],
        ),
        (Class::Refused, &[400, 409, 412, 414, 418, 422, 431, 451, 499]),
    ];
    let at_first = classes
        .into_iter()
        .flat_map(|(class, codes)| codes.iter().map(move |code| (answer(*code, &[], ""), 0, class)));
    at_first
        .chain([(answer(409, &[], ""), 1, Class::Unclear)])
        .collect()
}

#[test]
fn the_contract_is_kept() {
    let keys = [
        "",
        "format = \"json_array\"\ncompression = \"gzip\"",
        "compression = \"zstd\"\nmethod = \"put\"",
    ];
    for keys in keys {
        let secrets = "header = { X-Api-Key = \"hunter2-key\" }\nusername = \"me\"\npassword = \"env:PASS\"";
        let url = format!("url = \"{URL}?sig=hunter2-query&a=hunter2%2Bcoded\"");
        let config = parse(&format!(
            "{url}\n{secrets}\nproxy = \"http://p:hunter2-proxy@proxy.example:3128\"\n{keys}"
        ))
        .unwrap();
        let route = route(&config).unwrap();
        let transport = HttpTransport::new(config.authentication.options(config.options.clone())).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Lines,
            secrets: vec!["hunter2-query", "hunter2%2Bcoded", "hunter2+coded"],
            shown: vec![],
            stored: (200..300).collect(),
            answers: answers(),
        });
        // What is said back of the other secrets is masked by the transport, and tested there.
        for shown in [
            format!("{config:?}"),
            format!("{route:?}"),
            format!("{transport:?}"),
            route.destination.target(),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

/// The records of a body, each out of its template.
fn out_of_the_envelope(plain: &[u8]) -> Vec<serde_json::Value> {
    let plain = plain
        .strip_prefix(b"[")
        .map_or(plain, |inner| inner.strip_suffix(b"]").unwrap());
    let text = String::from_utf8(plain.to_vec()).unwrap();
    let text = text.replace("\"last \"}\n", "\"last \"},");
    let records: Vec<serde_json::Value> =
        serde_json::from_str(&format!("[{}]", text.trim_end_matches(','))).unwrap();
    let unwrap = |record: serde_json::Value| {
        assert_eq!(record["v"], "last ");
        assert_eq!(record.as_object().unwrap().len(), 2);
        record["event"].clone()
    };
    records.into_iter().map(unwrap).collect()
}

#[test]
fn the_contract_is_kept_with_a_template_too() {
    for format in ["ndjson", "json_array"] {
        let http = http(&format!(
            "format = \"{format}\"\nenvelope = '{{\"event\": {{{{{{ log_message }}}}}}, \"v\": \"last \"}}'"
        ));
        contract::suite(&Subject {
            destination: Arc::new(http),
            layout: Layout::Own {
                counted: |plain| plain.len() as u64,
                records: out_of_the_envelope,
            },
            secrets: vec![],
            shown: vec![],
            stored: (200..300).collect(),
            answers: answers(),
        });
    }
}

#[test]
fn a_request_is_what_the_receiver_expects() {
    let lines = Lines::new([b"{\"a\":1}".to_vec()]);
    let encode = |http: &Http| {
        let attempt = contract::attempt(http, &lines);
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        http.encode(&batch, &Context::at(Timestamp(0))).unwrap()
    };
    let request = encode(&http(""));
    assert_eq!(
        (request.method(), request.uri().to_string().as_str()),
        (&Method::POST, URL)
    );
    let headers = request.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(headers.get(header::CONTENT_ENCODING), None);
    assert_eq!(
        headers[IDEMPOTENCY_KEY],
        "07070707070707070707070707070707-0000000000000009-100-100-000000000000feed"
    );
    assert_eq!(headers.len(), 2);
    assert_eq!(request.body(), b"{\"a\":1}\n");

    let request = encode(&http(
        "format = \"json_array\"\ncompression = \"gzip\"\nmethod = \"PUT\"\nheader = \"Content-Type: application/vnd.audit+json\"",
    ));
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(
        request.headers()[header::CONTENT_TYPE],
        "application/vnd.audit+json"
    );
    assert_eq!(request.headers()[header::CONTENT_ENCODING], "gzip");
}

#[test]
fn a_content_type_of_the_configuration_is_not_put_on_another_format() {
    let http = http("header = \"Content-Type: text/x-audit-lines\"");
    let lines = Lines::new([b"{}".to_vec()]);
    let attempt = Attempt {
        format: Format::JsonArray,
        ..contract::attempt(&http, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = http.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
}

fn decode(http: &Http, response: &Response<Vec<u8>>, earlier: u32) -> Outcome {
    let lines = Lines::new([b"{}".to_vec()]);
    let attempt = Attempt {
        earlier,
        ..contract::attempt(http, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    http.decode(&batch, response)
}

#[test]
fn only_configured_statuses_mean_stored() {
    let http = http("success_codes = [202, \"204\", 409]");
    for (status, class) in [
        (200, Class::Config),
        (202, Class::Stored),
        (203, Class::Config),
        (204, Class::Stored),
        (409, Class::Stored),
        (404, Class::Config),
    ] {
        assert_eq!(
            contract::class(&decode(&http, &answer(status, &[], ""), 0)),
            class,
            "{status}"
        );
    }
}

#[test]
fn delays_and_words_are_taken_from_the_answer() {
    let http = http("");
    let after = Some(Duration::from_secs(7));
    assert_eq!(
        decode(&http, &answer(429, &[("retry-after", "7")], "slow\ndown"), 0),
        Outcome::Throttled {
            after,
            reason: String::from("429 Too Many Requests: slow down"),
        }
    );
    assert_eq!(
        decode(&http, &answer(503, &[("retry-after", "7")], ""), 0),
        Outcome::Unavailable {
            after,
            reason: String::from("503 Service Unavailable"),
        }
    );
    assert_eq!(
        decode(&http, &answer(422, &[], "{\"error\":\"bad date\"}"), 0),
        Outcome::Refused {
            code: String::from("422"),
            reason: String::from("422 Unprocessable Entity: {\"error\":\"bad date\"}"),
        }
    );
}

#[test]
fn a_fingerprint_tells_targets_apart_and_ignores_secrets() {
    let of = |keys: &str| Http::new(parse(keys).unwrap()).fingerprint();
    let url = format!("url = \"{URL}\"\n");
    let base = of(&url);
    assert_eq!(base, of(&format!("{url}token = \"a\"")), "a token is no target");
    assert_eq!(base, of(&format!("{url}timeout = \"1s\"")));
    assert_eq!(
        of(&format!("{url}username = \"me\"\npassword = \"a\"")),
        of(&format!("{url}username = \"me\"\npassword = \"b\""))
    );
    for other in [
        format!("url = \"{URL}/2\""),
        format!("url = \"{URL}?stream=2\""),
        format!("{url}method = \"PUT\""),
        format!("{url}envelope = '[{{{{{{ log_message }}}}}}]'"),
        format!("{url}username = \"me\"\npassword = \"a\""),
    ] {
        assert_ne!(base, of(&other), "{other}");
    }
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let url = format!("url = \"{URL}\"\n");
    for (keys, key, part) in [
        ("", "url", "is missing"),
        ("url = \"http://collector.example/\"", "url", "allow_plaintext"),
        ("url = \"https://me:hunter2@a.example/\"", "url", "username"),
        ("url = 5", "url", "string"),
        ("{url}method = \"GET\"", "method", "`POST`"),
        ("{url}format = \"xml\"", "format", "`ndjson`"),
        ("{url}envelope = '{\"a\": 1}'", "envelope", "has no hole"),
        (
            "{url}envelope = '{\"a\": \"{{{ log_message }}}\"}'",
            "envelope",
            "it is not JSON",
        ),
        (
            "{url}envelope = '{\"a\" {{{ log_message }}}}'",
            "envelope",
            "it is not JSON",
        ),
        ("{url}compression = \"brotli\"", "compression", "`zstd`"),
        ("{url}compression_level = 3", "compression_level", "`none`"),
        (
            "{url}compression = \"gzip\"\ncompression_level = \"10\"",
            "compression_level",
            "1 (fast)",
        ),
        (
            "{url}compression = \"gzip\"\ncompression_level = \"fast\"",
            "compression_level",
            "whole number",
        ),
        ("{url}auth = \"digest\"", "auth", "`bearer`"),
        ("{url}auth = \"basic\"", "username", "is missing"),
        ("{url}username = \"me\"", "password", "is missing"),
        ("{url}username = \"a:b\"\npassword = \"p\"", "username", "colon"),
        ("{url}auth = \"bearer\"", "token", "is missing"),
        ("{url}auth = \"none\"\ntoken = \"t\"", "token", "does not use it"),
        (
            "{url}auth = \"bearer\"\ntoken = \"t\"\npassword = \"p\"",
            "password",
            "does not use it",
        ),
        (
            "{url}username = \"me\"\npassword = \"p\"\ntoken = \"t\"",
            "token",
            "exclude",
        ),
        ("{url}token = \"env:ABSENT\"", "token", "ABSENT is not set"),
        ("{url}token = \"file:token\"", "token", "absolute"),
        (
            "{url}token = \"t\"\nheader = \"Authorization: x\"",
            "header",
            "`auth`",
        ),
        ("{url}header = \"Host: x\"", "header", "by the request itself"),
        (
            "{url}header = \"Content-Length: 1\"",
            "header",
            "by the request itself",
        ),
        (
            "{url}header = \"Idempotency-Key: 1\"",
            "header",
            "by the request itself",
        ),
        ("{url}header = \"Bäd: 1\"", "header", "no header name"),
        (
            "{url}header = [\"X-A: env:ABSENT\"]",
            "header",
            "ABSENT is not set",
        ),
        ("{url}header = 5", "header", "table"),
        ("{url}success_codes = [500]", "success_codes", "500 cannot mean"),
        ("{url}success_codes = [[]]", "success_codes", "list"),
        ("{url}cert_file = \"/c\"", "key_file", "is missing"),
        ("{url}key_file = \"/k\"", "cert_file", "is missing"),
        ("{url}ca_file = \"ca.pem\"", "ca_file", "absolute"),
        (
            "{url}cert_file = \"c\"\nkey_file = \"/k\"",
            "cert_file",
            "absolute",
        ),
        ("{url}proxy = \"socks5://p:1\"", "proxy", "SOCKS"),
        ("{url}proxy = \"env:ABSENT\"", "proxy", "ABSENT is not set"),
        ("{url}timeout = \"0s\"", "timeout", "longer than nothing"),
        ("{url}timeout = 30", "timeout", "unit"),
        (
            "{url}allow_plaintext = \"maybe\"",
            "allow_plaintext",
            "true or false",
        ),
        ("{url}pasword = \"p\"", "pasword", "did you mean `password`?"),
        ("{url}zzz = \"p\"", "zzz", "is no key of a `http` destination"),
    ] {
        let keys = keys.replace("{url}", &url);
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        let text = error.to_string();
        assert!(text.contains(part), "{keys}: {text}");
        assert!(text.contains(&format!("`{key}`")), "{keys}: {text}");
        assert!(!text.contains("hunter2"), "{keys}: {text}");
    }
}

#[test]
fn a_stanza_s_texts_mean_the_same_as_toml_s_values() {
    let toml = "url = \"http://c.example/\"\nallow_plaintext = true\nsuccess_codes = [200, \"202-204\"]\n\
                compression = \"gzip\"\ncompression_level = 6\nheader = { X-A = \"1\", X-B = \"2: 3\" }";
    let stanza = "url = \"http://c.example/\"\nallow_plaintext = \"On\"\nsuccess_codes = \"200, 202-204\"\n\
                  compression = \"gzip\"\ncompression_level = \"6\"\nheader = [\"X-A 1\", \"X-B: 2: 3\"]";
    assert_eq!(parse(toml), parse(stanza));
}

#[test]
fn every_key_that_is_listed_is_read() {
    let keys = KindConfig::keys(KIND).unwrap();
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        // No key takes a list of lists.
        let table: toml::Table = toml::from_str(&format!("{key} = [[1]]")).unwrap();
        let error = KindConfig::from_table(KIND, table, &Environment::empty()).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
        assert_eq!(error.key(), key);
    }
}

#[test]
fn a_check_writes_nothing_and_says_what_it_cannot_know() {
    let http = http("");
    let Step::Ask(probe) = http.next(&[]) else {
        panic!("asks nothing")
    };
    let judge = |answer| match http.next(&[answer]) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    assert_eq!((probe.method(), probe.body().len()), (&Method::OPTIONS, 0));
    assert!(matches!(
        judge(Ok(answer(204, &[], ""))),
        Finding::Reachable { .. }
    ));
    assert!(matches!(
        judge(Ok(answer(StatusCode::METHOD_NOT_ALLOWED.as_u16(), &[], ""))),
        Finding::Reachable { .. }
    ));
    for status in [401, 403, 404, 500, 503] {
        assert!(
            matches!(judge(Ok(answer(status, &[], ""))), Finding::Failed { .. }),
            "{status}"
        );
    }
    let error = SendError::NotSent {
        reason: String::from("a.example: connection refused"),
    };
    assert_eq!(
        judge(Err(error)),
        Finding::Failed {
            reason: String::from("not sent: a.example: connection refused"),
        }
    );
}
