//! What a record becomes.

use serde_json::json;

use super::super::fields::{Field, Found, Level};
use super::*;

#[test]
fn a_request_is_what_the_api_documents() {
    let logging = logging(
        "log_name = \"audit/login\"\nlabels = { job = \"engflow_logs\" }\nresource = \"generic_node\"\nresource_labels = \"location=eu, node_id=n1\"",
    );
    let request = request(&logging, &["{\"a\":1}", "{\"b\":[2]}"]);
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://logging.googleapis.com/v2/entries:write");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers().len(), 1);
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    let entry = |seq: u64, payload: serde_json::Value, time: &str| {
        json!({
            "jsonPayload": payload,
            "severity": "DEFAULT",
            "insertId": key(seq),
            "timestamp": time,
        })
    };
    assert_eq!(
        body,
        json!({
            "logName": "projects/audit-project/logs/audit%2Flogin",
            "partialSuccess": true,
            "labels": { "job": "engflow_logs" },
            "resource": {
                "type": "generic_node",
                "labels": { "project_id": "audit-project", "location": "eu", "node_id": "n1" },
            },
            "entries": [
                entry(100, json!({ "a": 1 }), "1970-01-01T00:00:00.000100000Z"),
                entry(101, json!({ "b": [2] }), "1970-01-01T00:00:00.000101000Z"),
            ],
        })
    );
}

/// The key that the contract's records have.
fn key(seq: u64) -> String {
    blake3::hash(&seq.to_le_bytes()).to_hex()[..32].to_owned()
}

#[test]
fn severity_is_the_outcome_s() {
    for (line, keys, severity) in [
        ("{\"event\":{\"outcome\":\"success\"}}", "", "INFO"),
        ("{\"event\":{\"outcome\":\"failure\"}}", "", "WARNING"),
        ("{\"event\":{\"outcome\":\"unknown\"}}", "", "DEFAULT"),
        ("{\"event\":{\"outcome\":5}}", "", "DEFAULT"),
        ("{\"event\":{\"outcome\":[\"failure\"]}}", "", "DEFAULT"),
        ("{\"event.outcome\":\"failure\"}", "", "WARNING"),
        (
            "{\"event\" : { \"id\":\"a\", \"outcome\" : \"failure\" } }",
            "",
            "WARNING",
        ),
        // Not the record's own outcome.
        ("{\"a\":{\"event\":{\"outcome\":\"failure\"}}}", "", "DEFAULT"),
        ("{\"a\":[{\"event\":{\"outcome\":\"failure\"}}]}", "", "DEFAULT"),
        (
            "{\"a\":[{\"event.outcome\":\"failure\"}],\"event\":{\"x\":{\"outcome\":\"failure\"}}}",
            "",
            "DEFAULT",
        ),
        ("{\"event\":[{\"outcome\":\"failure\"}]}", "", "DEFAULT"),
        (
            "{\"event\":{\"x\":[1,{\"y\":2}],\"outcome\":\"success\"},\"eventual\":{\"outcome\":\"failure\"}}",
            "",
            "INFO",
        ),
        (
            "{\"event\":{\"outcome\":\"failure\"}}",
            "severity = { failure = \"error\" }",
            "ERROR",
        ),
        (
            "{\"event\":{\"outcome\":\"success\"}}",
            "severity = \"success=NOTICE, unknown=DEBUG\"",
            "NOTICE",
        ),
        ("{}", "severity = \"success=NOTICE, unknown=DEBUG\"", "DEBUG"),
    ] {
        assert_eq!(entry(keys, line)["severity"], severity, "{line} {keys}");
    }
}

#[test]
fn an_http_exchange_is_shown_as_one() {
    let record = json!({
        "event": { "outcome": "success", "duration": 1_500_000_001_i64 },
        "http": {
            "version": "1.1",
            "request": { "method": "POST", "referrer": "https://a.example/\"x\"", "body": { "bytes": 12 } },
            "response": { "status_code": 201, "body.bytes": 3_000_000_000_i64, "bytes": "4000000000" },
        },
        "url": { "original": "/x?y=1", "full": "https://b.example/x?y=1" },
        "user_agent.original": "curl/8",
        "source": { "ip": "10.0.0.1" },
        "client": { "ip": "10.0.0.2" },
        "destination": { "ip": "::1" },
    });
    assert_eq!(
        entry("", &record.to_string())["httpRequest"],
        json!({
            "requestMethod": "POST",
            "requestUrl": "https://b.example/x?y=1",
            "requestSize": "12",
            "status": 201,
            "responseSize": "4000000000",
            "userAgent": "curl/8",
            "remoteIp": "10.0.0.2",
            "serverIp": "::1",
            "referer": "https://a.example/\"x\"",
            "latency": "1.500000001s",
            "protocol": "HTTP/1.1",
        })
    );
    // What cannot be one of the API's values is left to the payload.
    for (record, expected) in [
        (
            json!({ "http": { "response": { "status_code": 404 } } }),
            json!({ "status": 404 }),
        ),
        (
            json!({ "http": { "response": { "status_code": "503" } } }),
            json!({ "status": 503 }),
        ),
        (
            json!({ "http": { "request": { "method": "GET", "bytes": -1 }, "response": { "status_code": 4.5 } } }),
            json!({ "requestMethod": "GET" }),
        ),
        (
            json!({ "http.request.method": "GET", "http": { "response": { "status_code": 99_999_999_999_i64 } } }),
            json!({ "requestMethod": "GET" }),
        ),
        (
            json!({ "http": { "request": { "method": ["GET"] } }, "url": { "full": "x" } }),
            json!(null),
        ),
        (
            json!({ "http": { "request": { "method": "" } }, "source": { "ip": "x" } }),
            json!(null),
        ),
        (
            json!({ "source": { "ip": "x" }, "event": { "duration": 5 } }),
            json!(null),
        ),
    ] {
        assert_eq!(
            entry("", &record.to_string())["httpRequest"],
            expected,
            "{record}"
        );
    }
}

/// What `name` is, in every way to write it: each dot is a dot or a level.
fn ways(name: &str) -> Vec<Option<Field>> {
    let parts: Vec<&str> = name.split('.').collect();
    let found = (0..1_u32 << (parts.len() - 1)).map(|ways| {
        let mut level = Level::START;
        let mut written = String::new();
        for (at, part) in parts.iter().enumerate() {
            written.push_str(part);
            let last = at + 1 == parts.len();
            if !last && ways & (1 << at) != 0 {
                written.push('.');
                continue;
            }
            let (field, below) = level.enter(written.as_bytes());
            if last {
                return field;
            }
            level = below;
            written.clear();
        }
        None
    });
    found.collect()
}

#[test]
fn each_field_is_found_nested_dotted_and_mixed() {
    for (name, field) in [
        ("event.outcome", Field::Outcome),
        ("event.duration", Field::Duration),
        ("http.request.method", Field::Method),
        ("http.request.bytes", Field::RequestBytes),
        ("http.request.body.bytes", Field::RequestBodyBytes),
        ("http.request.referrer", Field::Referrer),
        ("http.response.status_code", Field::Status),
        ("http.response.bytes", Field::ResponseBytes),
        ("http.response.body.bytes", Field::ResponseBodyBytes),
        ("http.version", Field::HttpVersion),
        ("url.full", Field::UrlFull),
        ("url.original", Field::UrlOriginal),
        ("user_agent.original", Field::UserAgent),
        ("client.ip", Field::ClientIp),
        ("source.ip", Field::SourceIp),
        ("server.ip", Field::ServerIp),
        ("destination.ip", Field::DestinationIp),
    ] {
        for found in ways(name) {
            assert_eq!(found, Some(field), "{name}");
        }
        let mut found = Found::default();
        found.set(field, b"\"first\"");
        found.set(field, b"\"second\"");
        assert_eq!(found.text(field), Some(&b"first"[..]));
    }
    for name in [
        "",
        "event",
        "eve",
        "event.outcomes",
        "event.outcome.x",
        ".event.outcome",
        "x.event.outcome",
    ] {
        for found in ways(name) {
            assert_eq!(found, None, "{name}");
        }
    }
}

#[test]
fn a_record_goes_into_an_envelope() {
    let payload = |keys: &str| {
        entry(
            keys,
            "{\"id\":9007199254740993,\"event\":{\"outcome\":\"failure\"}}",
        )
    };
    let record = json!({ "id": "9007199254740993", "event": { "outcome": "failure" } });
    let simple = payload("envelope = '{\"data\": {{{ log_message }}}}'");
    assert_eq!(simple["jsonPayload"], json!({ "data": record }));
    assert_eq!(simple["severity"], "WARNING");
    let deep = payload("envelope = '''{\"a\": [1, {\"b\": {{{log_message}}} }, 2],\n \"c\": \"d\"}'''");
    assert_eq!(
        deep["jsonPayload"],
        json!({ "a": [1, { "b": record }, 2], "c": "d" })
    );
    assert_eq!(payload("envelope = '{{{log_message}}}'")["jsonPayload"], record);
}

/// As Workato's documentation has it, with a resource that says which VM.
#[test]
fn a_whole_request_can_be_the_envelope() {
    let template = r#"{ "logName" : "projects/your-project-name/logs/workato-logs", "resource": { "type": "gce_instance", "labels": {"instance_id": "7", "zone": "z-a"} }, "entries": [ { "jsonPayload": { "data": {{{ log_message }}} } } ] }"#;
    let logging = logging(&format!("envelope = '{template}'"));
    let body = sent(&logging, &["{\"a\":1}"]);
    assert_eq!(body["logName"], "projects/your-project-name/logs/workato-logs");
    assert_eq!(body["resource"]["type"], "gce_instance");
    assert_eq!(body["resource"]["labels"]["zone"], "z-a");
    assert_eq!(body["entries"][0]["jsonPayload"], json!({ "data": { "a": 1 } }));
    // Word for word: the VM is then the one that this runs on.
    let template = r#"{ "logName" : "projects/your-project-name/logs/workato-logs", "resource": { "type": "gce_instance"}, "entries": [ { "jsonPayload": { "data": {{{ log_message }}} } } ] }"#;
    let config = parse(&format!("envelope = '{template}'")).unwrap();
    assert_eq!(config.resource, Resource::ThisVm);
}

#[test]
fn a_person_finds_a_record_by_its_key() {
    let lines = Lines::new([b"{}".to_vec()]);
    let query = |logging: &GoogleCloudLogging| {
        let attempt = crate::destination::contract::attempt(logging, &lines);
        logging.query(&Batch {
            records: &lines.records(),
            attempt: &attempt,
        })
    };
    assert_eq!(
        query(&logging("")),
        format!(
            "gcloud logging read 'logName=\"projects/audit-project/logs/auditship\" AND insertId=\"{}\" AND \
             timestamp=\"1970-01-01T00:00:00.000100000Z\"' --project=audit-project",
            key(100)
        )
    );
    assert!(query(&logging("log_name = \"organizations/123/logs/a\"")).ends_with("--organization=123"));
}

#[test]
fn what_may_be_needed_is_one_permission() {
    let needed = |keys: &str| match logging(keys).permissions() {
        Permissions::Google(needed) => needed
            .into_iter()
            .map(|one| (one.permission, one.role, one.resource))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let of = |resource: &str| {
        vec![(
            "logging.logEntries.create",
            "roles/logging.logWriter",
            resource.to_owned(),
        )]
    };
    assert_eq!(needed(""), of("projects/audit-project"));
    assert_eq!(needed("log_name = \"folders/9/logs/a\""), of("folders/9"));
}

#[test]
fn a_fingerprint_is_of_place_and_name() {
    let base = logging("").fingerprint();
    assert_eq!(
        base,
        logging("labels = \"a=b\"\nseverity = \"failure=ERROR\"\ncompression = \"gzip\"").fingerprint()
    );
    for other in [
        "log_name = \"other\"",
        "endpoint = \"https://logging.europe-west3.rep.googleapis.com\"",
    ] {
        assert_ne!(base, logging(other).fingerprint(), "{other}");
    }
}
