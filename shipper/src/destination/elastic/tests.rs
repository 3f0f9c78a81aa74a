use ::http::header;
use serde_json::{Value, json};

use super::*;
use crate::config::Environment;
use crate::destination::check::{Answer, Check, Finding, Step};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::{KindConfig, Verdict};
use crate::time::Timestamp;
use crate::transport::BodyCut;

const URL: &str = "https://es.example:9200";
/// Stands for the id of the document in whose place it is.
const ID: &str = "its own";

/// The key of the record of the suite at `place`.
fn id(place: usize) -> String {
    let lines = Lines::new((0..=place).map(|_| b"{}".to_vec()));
    lines.records()[place].entry.key.to_string()
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    let environment = Environment::from([("AWS_REGION", "eu-central-1")]);
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment)? {
        KindConfig::Elastic(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn elastic(keys: &str) -> Elastic {
    Elastic::new(parse(&format!("url = \"{URL}\"\nindex = \"logs-audit\"\n{keys}")).unwrap())
}

fn answer(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .body(body.as_bytes().to_vec())
        .unwrap()
}

fn bulk(items: &[Value]) -> Response<Vec<u8>> {
    let own = |(place, item): (usize, &Value)| {
        let mut item = item.clone();
        if item["_id"] == ID {
            item["_id"] = Value::from(id(place));
        }
        json!({ "create": item })
    };
    let items: Vec<Value> = items.iter().enumerate().map(own).collect();
    answer(200, &json!({ "errors": true, "items": items }).to_string())
}

fn item(status: u16, kind: &str) -> Value {
    match kind {
        "" => json!({ "_id": ID, "status": status, "result": "created" }),
        kind => json!({ "_id": ID, "status": status, "error": { "type": kind, "reason": "why" } }),
    }
}

/// Of a document that went into the failure store: what is kept there is another document, with an id of its own.
fn in_failure_store() -> Value {
    json!({
        "_index": ".fs-logs-audit-2026.01.01-000002",
        "_id": "QqMgvpkBDDUGYBmsEi2q",
        "status": 201,
        "result": "created",
        "failure_store": "used",
    })
}

/// Every row of both tables. Answers of three items are for the three records of the suite.
fn answers() -> Vec<(Response<Vec<u8>>, u32, Class)> {
    let with = |third: Value| bulk(&[item(201, ""), item(200, ""), third]);
    let mut cut = answer(200, "{\"errors\":false,\"items\":[");
    cut.extensions_mut().insert(BodyCut);
    let mut answers = vec![
        // Not the first sending: an answer for three is not one for as many as the suite's search sends.
        (with(item(201, "")), 1, Class::Verdicts),
        (
            with(item(409, "version_conflict_engine_exception")),
            1,
            Class::Verdicts,
        ),
        (
            with(item(429, "es_rejected_execution_exception")),
            1,
            Class::Verdicts,
        ),
        (with(item(400, "mapper_parsing_exception")), 1, Class::Verdicts),
        (
            with(item(503, "unavailable_shards_exception")),
            1,
            Class::Verdicts,
        ),
        (with(item(404, "index_not_found_exception")), 1, Class::Config),
        (with(item(403, "security_exception")), 1, Class::Auth),
        (with(item(403, "cluster_block_exception")), 1, Class::Verdicts),
        (bulk(&[item(201, ""), item(201, "")]), 1, Class::Unclear),
        (
            with(json!({ "_id": "another", "status": 201 })),
            1,
            Class::Unclear,
        ),
        (with(in_failure_store()), 1, Class::Verdicts),
        (with(json!({ "status": 201 })), 1, Class::Unclear),
        (with(json!({ "_id": ID })), 1, Class::Unclear),
        (answer(200, "{\"took\":1,\"errors\":false}"), 1, Class::Unclear),
        (answer(200, "<html>"), 1, Class::Unclear),
        (cut, 1, Class::TooLarge),
        (
            answer(
                403,
                "{\"error\":{\"type\":\"cluster_block_exception\"},\"status\":403}",
            ),
            1,
            Class::Unavailable,
        ),
    ];
    let classes: [(Class, &[u16]); 7] = [
        (Class::Auth, &[401, 403, 407]),
        (
            Class::Config,
            &[201, 202, 204, 301, 404, 405, 406, 410, 411, 415, 501, 505],
        ),
        (Class::TooLarge, &[413]),
        (Class::Throttled, &[429]),
        (Class::Unavailable, &[425, 503, 507]),
        (Class::Unclear, &[100, 408, 500, 502, 504, 599, 600, 999]),
        (Class::Refused, &[400, 409, 422]),
    ];
    for (class, codes) in classes {
        answers.extend(codes.iter().map(|code| (answer(*code, ""), 0, class)));
    }
    answers
}

fn records(plain: &[u8]) -> Vec<Value> {
    let plain = plain.strip_suffix(b"\n").expect("ends with a newline");
    let lines: Vec<&[u8]> = plain.split(|byte| *byte == b'\n').collect();
    let pairs = lines.chunks(2).map(|pair| {
        let action: Value = serde_json::from_slice(pair[0]).unwrap();
        let id = action["create"]["_id"].as_str().unwrap();
        assert_eq!((id.len(), action.as_object().unwrap().len()), (32, 1), "{action}");
        serde_json::from_slice(pair[1]).unwrap()
    });
    pairs.collect()
}

fn every_byte(plain: &[u8]) -> u64 {
    plain.len() as u64
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "auth = \"api_key\"\ntoken = \"hunter2\"",
        "username = \"me\"\npassword = \"hunter2\"\ncompression = \"none\"",
        "auth = \"aws\"\naws_service = \"es\"",
    ] {
        let keys = format!("url = \"{URL}/path/\"\nindex = \"logs-audit\"\n{keys}");
        let config = parse(&keys).unwrap();
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Own {
                counted: every_byte,
                records,
            },
            // What is said back of them is masked by the transport.
            secrets: vec![],
            shown: vec![],
            stored: vec![],
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

fn decode(response: &Response<Vec<u8>>, records: usize) -> Outcome {
    let elastic = elastic("");
    let lines = Lines::new((0..records).map(|_| b"{}".to_vec()));
    let attempt = contract::attempt(&elastic, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    elastic.decode(&batch, response)
}

#[test]
fn each_document_has_its_verdict_in_its_place() {
    let again = Verdict::Retry { after: None };
    let rejected = |code: &str, reason: &str| Verdict::Rejected {
        code: code.to_owned(),
        reason: reason.to_owned(),
    };
    let caused = json!({ "_id": ID, "status": 400, "error": {
        "type": "document_parsing_exception", "reason": "failed to parse", "caused_by": { "reason": "no date" } } });
    let response = bulk(&[
        item(201, ""),
        item(200, ""),
        item(409, "version_conflict_engine_exception"),
        item(429, "es_rejected_execution_exception"),
        item(500, "exception"),
        item(403, "cluster_block_exception"),
        item(429, "cluster_block_exception"),
        caused,
        item(413, ""),
        item(409, "other_exception"),
        // Neither stored nor refused in so many words.
        item(202, ""),
        item(201, "odd_exception"),
        json!({ "_id": ID, "status": 201, "result": "created", "failure_store": "not_applicable_or_unknown" }),
        // An ingest pipeline has dropped it: the service calls that a success.
        json!({ "_id": ID, "status": 200, "result": "noop" }),
        json!({ "_id": ID, "status": 201 }),
        json!({ "_id": ID, "status": 400, "failure_store": "not_enabled", "error": { "type": "a" } }),
    ]);
    let expected = vec![
        Verdict::Stored,
        Verdict::Stored,
        Verdict::Stored,
        again.clone(),
        again.clone(),
        again.clone(),
        again.clone(),
        rejected(
            "document_parsing_exception",
            "400 document_parsing_exception failed to parse no date",
        ),
        rejected("413", "413"),
        rejected("other_exception", "409 other_exception why"),
        again.clone(),
        again.clone(),
        Verdict::Stored,
        rejected(
            "dropped",
            "200: an ingest pipeline of logs-audit has dropped it: look for its `drop` processor",
        ),
        again,
        rejected("a", "400 a"),
    ];
    assert_eq!(decode(&response, expected.len()), Outcome::Verdicts(expected));
}

#[test]
fn what_is_in_the_failure_store_is_not_stored_and_all_others_are() {
    let outcome = decode(&bulk(&[item(201, ""), in_failure_store(), item(201, "")]), 3);
    let Outcome::Verdicts(verdicts) = outcome else {
        panic!("{outcome:?}")
    };
    let [
        Verdict::Stored,
        Verdict::NotKept { code, reason },
        Verdict::Stored,
    ] = verdicts.as_slice()
    else {
        panic!("{verdicts:?}")
    };
    assert_eq!(code, "failure_store");
    assert!(reason.contains("logs-audit::failures"), "{reason}");
}

#[test]
fn what_the_failure_store_did_not_take_either_has_the_verdict_of_its_error() {
    // Redirected by a pipeline: the id is the redirected document's, if it has come to have one.
    let failed = |id: Option<&str>| {
        let mut item = item(400, "document_parsing_exception");
        item["failure_store"] = Value::from("failed");
        item["_id"] = Value::from(id);
        item
    };
    for id in [None, Some("QqMgvpkBDDUGYBmsEi2q"), Some(ID)] {
        let outcome = decode(&bulk(&[item(201, ""), failed(id)]), 2);
        let Outcome::Verdicts(verdicts) = outcome else {
            panic!("{id:?}: {outcome:?}")
        };
        assert!(
            matches!(verdicts.as_slice(), [Verdict::Stored, Verdict::Rejected { .. }]),
            "{id:?}: {verdicts:?}"
        );
    }
}

#[test]
fn the_ids_of_all_others_say_that_an_answer_with_a_failure_store_is_ours() {
    for items in [
        // One place too far: the documents are others, or in another order.
        [
            in_failure_store(),
            json!({ "_id": id(0), "status": 201, "result": "created" }),
        ],
        [in_failure_store(), json!({ "status": 201 })],
        [
            in_failure_store(),
            json!({ "_id": "another", "status": 201, "failure_store": "not_enabled" }),
        ],
    ] {
        assert_eq!(
            contract::class(&decode(&bulk(&items), 2)),
            Class::Unclear,
            "{items:?}"
        );
    }
}

#[test]
fn an_answer_that_broke_off_gives_nobody_a_verdict() {
    let mut response = bulk(&[item(201, "")]);
    response.extensions_mut().insert(BodyCut);
    assert_eq!(contract::class(&decode(&response, 1)), Class::Unclear);
    assert_eq!(contract::class(&decode(&response, 2)), Class::TooLarge);
}

#[test]
fn a_request_is_what_the_cluster_expects() {
    let elastic = elastic("compression = \"none\"");
    let lines = Lines::new([b"{\"a\":1}".to_vec()]);
    let attempt = contract::attempt(&elastic, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = elastic.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    assert_eq!(
        String::from_utf8(request.body().clone()).unwrap(),
        format!("{{\"create\":{{\"_id\":\"{}\"}}}}\n{{\"a\":1}}\n", id(0))
    );
    assert_eq!(request.body().len() as u64, elastic.size(&lines.records()[0]));
    assert_eq!(request.uri().path(), "/logs-audit/_bulk");
    let query = request.uri().query().unwrap();
    assert!(
        query.starts_with("filter_path=errors,items.*._id,items.*.status,items.*.result,"),
        "{query}"
    );
    assert_eq!(request.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(request.headers().len(), 1);
    assert_eq!(
        elastic.query(&batch),
        format!(
            "curl '{URL}/logs-audit/_search?q=_id:{}' (with the credentials)",
            id(0)
        )
    );
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let base = format!("url = \"{URL}\"\nindex = \"a\"\n");
    for (keys, key, part) in [
        ("index = \"a\"", "url", "is missing"),
        ("url = \"https://a.example\"", "index", "is missing"),
        (
            "url = \"http://a.example\"\nindex = \"a\"",
            "url",
            "allow_plaintext",
        ),
        (
            "url = \"https://a.example?x=1\"\nindex = \"a\"",
            "url",
            "query string",
        ),
        ("url = \"https://a.example\"\nindex = \"\"", "index", "1 to 255"),
        ("url = \"https://a.example\"\nindex = \"Audit\"", "index", "'A'"),
        ("url = \"https://a.example\"\nindex = \"a,b\"", "index", "','"),
        ("url = \"https://a.example\"\nindex = \"_all\"", "index", "begins"),
        (
            "{base}auth = \"aws\"\naws_service = \"aoss\"",
            "aws_service",
            "Serverless",
        ),
        ("{base}auth = \"digest\"", "auth", "`api_key`"),
        ("{base}max_request_bytes = \"1GiB\"", "max_request_bytes", "10000"),
        ("{base}compression = \"zstd\"", "compression", "`gzip`"),
        ("{base}indx = \"a\"", "indx", "did you mean `index`?"),
    ] {
        let keys = keys.replace("{base}", &base);
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
    assert!(parse(&format!("{base}auth = \"aws\"\naws_service = \"es\"")).is_ok());
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
fn a_check_asks_for_the_privilege_and_the_index() {
    let elastic = elastic("");
    let Step::Ask(first) = elastic.next(&[]) else {
        panic!("asks nothing")
    };
    assert_eq!(first.uri().path(), "/_security/user/_has_privileges");
    let asked: Value = serde_json::from_slice(first.body()).unwrap();
    assert_eq!(asked["index"][0]["privileges"], json!(["create_doc"]));
    let yes = || Ok(answer(200, "{\"has_all_requested\":true}"));
    let unknown = || Ok(answer(400, "{\"error\":\"no handler found for uri\"}"));
    let Step::Ask(second) = elastic.next(&[yes()]) else {
        panic!("asks once")
    };
    assert_eq!(
        (second.method().as_str(), second.uri().path()),
        ("GET", "/logs-audit")
    );
    let found = |answers: &[Answer]| match elastic.next(answers) {
        Step::Found(finding) => finding,
        Step::Ask(question) => panic!("asks for {question:?}"),
    };
    assert!(matches!(
        found(&[yes(), Ok(answer(200, "{}"))]),
        Finding::Ready { .. }
    ));
    assert!(
        matches!(found(&[yes(), Ok(answer(404, ""))]), Finding::Reachable { open, .. } if open.contains("does not exist yet"))
    );
    assert!(
        matches!(found(&[yes(), Ok(answer(403, ""))]), Finding::Reachable { open, .. } if open.contains("may not look"))
    );
    assert!(
        matches!(found(&[unknown(), Ok(answer(200, "{}"))]), Finding::Reachable { open, .. } if open.contains("create documents"))
    );
    assert!(matches!(
        found(&[unknown(), Ok(answer(403, ""))]),
        Finding::Failed { .. }
    ));
    assert!(matches!(found(&[Ok(answer(401, ""))]), Finding::Failed { .. }));
    assert!(matches!(
        found(&[Ok(answer(200, "{\"has_all_requested\":false}"))]),
        Finding::Failed { reason } if reason.contains("create_doc")
    ));
}
