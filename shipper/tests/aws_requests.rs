//! What goes to AWS against botocore: 500 random batches as its models of the API judge them, and signatures as its
//! signer makes them.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

#[path = "support/python.rs"]
mod python;

use std::sync::Arc;

use auditship::config::Environment;
use auditship::credentials::aws::{Identity, Service, Signer, provider};
use auditship::destination::check::Step;
use auditship::destination::{Attempt, Batch, Compression, Context, Format, KindConfig, Record, build};
use auditship::random::{Random as _, SeededRandom};
use auditship::spool::draft::TableEntry;
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::{SystemClock, Timestamp};
use auditship::transport::authorized::Authorize as _;
use base64::Engine as _;
use http::Request;
use python::{Program, moto};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const BATCHES: u32 = 500;
const REGION: &str = "eu-central-1";

struct Dice(SeededRandom);

impl Dice {
    fn below(&self, end: u64) -> u64 {
        self.0.next_u64().unwrap() % end
    }

    fn of<'a>(&self, all: &'a str) -> &'a str {
        let characters: Vec<_> = all.char_indices().collect();
        let chosen = usize::try_from(self.below(characters.len() as u64)).unwrap();
        let (at, found) = characters[chosen];
        &all[at..at + found.len_utf8()]
    }

    fn text(&self, all: &str, longest: u64) -> String {
        (0..=self.below(longest)).map(|_| self.of(all)).collect()
    }
}

struct Oracle(Program);

/// Who signs, with or without a session token.
struct Signing {
    environment: Environment,
    token: Option<&'static str>,
}

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

impl Signing {
    fn new(token: Option<&'static str>) -> Self {
        let variables = [
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", token.unwrap_or_default()),
        ];
        Self {
            environment: Environment::from(variables).with_hostname("web-1"),
            token,
        }
    }
}

impl Oracle {
    fn start(test: &str) -> Option<Self> {
        let python = moto(test)?;
        Some(Self(Program::start(&python, "aws/oracle.py")))
    }

    /// Compares the headers that both signers add; returns what the model finds wrong with the body.
    fn agrees(
        &mut self,
        request: &Request<Vec<u8>>,
        signing: &Signing,
        service: Service,
        operation: Option<&str>,
        at: Timestamp,
    ) -> Value {
        let identity = Identity {
            environment: signing.environment.clone(),
            ..Identity::default()
        };
        let keys = provider(&identity, REGION, Arc::new(SystemClock::new()));
        let mut ours = Signer::new(keys, service.clone(), REGION)
            .authorize(request, at)
            .unwrap();
        let stamp = at.to_rfc3339()[..19].replace(['-', ':'], "") + "Z";
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = |headers: &http::HeaderMap| {
            let pairs = headers.iter();
            pairs
                .map(|(name, value)| (name.to_string(), text(value).into()))
                .collect()
        };
        let mut sent: serde_json::Map<String, Value> = headers(request.headers());
        // botocore signs this header when it is there, and puts it there itself for S3 only.
        if let Service::Configured(_) = service {
            let digest = ours.remove("x-amz-content-sha256").unwrap();
            sent.insert(String::from("x-amz-content-sha256"), text(&digest).into());
        }
        let question = json!({
            "service": match &service {
                Service::S3 => "s3",
                Service::Named(name) => name,
                Service::Configured(name) => name,
            },
            "region": REGION,
            "key": KEY,
            "secret": SECRET,
            "token": signing.token,
            "at": stamp,
            "method": request.method().as_str(),
            "url": request.uri().to_string(),
            "headers": sent,
            "body": base64::engine::general_purpose::STANDARD.encode(request.body()),
            "operation": operation,
        });
        let answer: Value = serde_json::from_str(&self.0.ask(&question.to_string())).unwrap();
        assert_eq!(
            answer["headers"],
            Value::Object(headers(&ours)),
            "{} {}",
            request.method(),
            request.uri()
        );
        answer["errors"].clone()
    }
}

/// A batch of the service, encoded.
fn put(dice: &Dice, signing: &Signing) -> (Request<Vec<u8>>, Vec<(i64, String)>) {
    let group = dice.text("azAZ09._-/#", 500);
    let stream = dice.text("azAZ09 \"\\'/[]{}$@äß\u{1f600}", 200).replace('{', "(");
    let compression = ["none", "gzip"][usize::from(dice.below(8) == 0)];
    let keys = toml_of(&[
        ("log_group_name", &group),
        ("log_stream_name", &stream),
        ("compression", compression),
        (
            "too_old",
            ["dead_letter", "restamp"][usize::from(dice.below(2) == 0)],
        ),
    ]);
    let made_at = Timestamp(1_767_323_045_000_000_000);
    let rows: Vec<_> = (0..=dice.below(60))
        .map(|seq| {
            let text = dice.text("az09 \"\\/\n\t\u{0}\u{1f}\u{7f}äß\u{2028}\u{1f600}", 300);
            let json = serde_json::to_string(&json!({ "message": text, "seq": seq })).unwrap();
            let back = i64::try_from(dice.below(40 * 24 * 3_600 * 1_000)).unwrap() * 1_000_000;
            (entry(Timestamp(made_at.0 + 86_400_000_000_000 - back)), json)
        })
        .collect();
    let compression = match compression {
        "gzip" => Compression::Gzip,
        _ => Compression::None,
    };
    let request = encoded("cloudwatch_logs", keys, signing, (made_at, compression), &rows);
    let sent = rows
        .into_iter()
        .map(|(entry, json)| (entry.time.as_millis(), json));
    (request, sent.collect())
}

fn toml_of(keys: &[(&str, &str)]) -> toml::Table {
    let pairs = keys.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), toml::Value::String((*value).to_owned())))
        .collect()
}

fn entry(time: Timestamp) -> TableEntry {
    TableEntry {
        len: 0,
        added: 0,
        flags: 0,
        time,
        key: Key([1; 16]),
        categories: 0,
        id_hash: 0,
    }
}

#[test]
fn batches_for_cloudwatch_logs_are_as_its_model_wants_them_and_signed_as_botocore_signs() {
    let Some(mut oracle) = Oracle::start("AWS requests: CloudWatch Logs") else {
        return;
    };
    let dice = Dice(SeededRandom::new(500));
    for number in 0..BATCHES {
        let signing = Signing::new([None, Some("session/token+with=all")][usize::from(number % 2 == 0)]);
        let (request, sent) = put(&dice, &signing);
        let at = Timestamp(i64::try_from(dice.below(4_000_000_000)).unwrap() * 1_000_000_000);
        let compressed = request.headers().contains_key("content-encoding");
        let operation = (!compressed).then_some("PutLogEvents");
        let errors = oracle.agrees(&request, &signing, Service::Named("logs"), operation, at);
        assert_eq!(errors, json!([]), "{number}");
        if compressed {
            continue;
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let mut messages: Vec<_> = body["logEvents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| &event["message"])
            .collect();
        let mut expected: Vec<_> = sent.iter().map(|(_, json)| Value::from(json.as_str())).collect();
        messages.sort_by_key(|message| message.to_string());
        expected.sort_by_key(ToString::to_string);
        assert!(
            messages.into_iter().eq(&expected),
            "{number}: other messages than records"
        );
    }
}

#[test]
fn objects_are_signed_as_botocore_signs_for_s3() {
    let Some(mut oracle) = Oracle::start("AWS requests: S3") else {
        return;
    };
    let dice = Dice(SeededRandom::new(501));
    for number in 0..BATCHES {
        let signing = Signing::new([None, Some("session/token+with=all")][usize::from(number % 2 == 0)]);
        // As they are in a URL: escaped once, and neither merged nor shortened by the signer.
        let key: String = (0..=dice.below(60))
            .map(|_| {
                [
                    "a", "Z", "0", "-", "_", ".", "~", "/", "%20", "%C3%A4", "%2F", "%25", "..", "//",
                ]
            })
            .map(|parts| parts[usize::try_from(dice.below(parts.len() as u64)).unwrap()])
            .collect();
        let uri = format!("https://audit.s3.{REGION}.amazonaws.com/{key}");
        let request = Request::put(uri)
            .header("content-type", "application/x-ndjson")
            .header("if-none-match", "*")
            .header("x-amz-checksum-sha256", dice.text("az09+/", 43))
            .header("x-amz-meta-count", number.to_string())
            .body(dice.text("{}\"a\n", 400).into_bytes())
            .unwrap();
        let at = Timestamp(i64::try_from(dice.below(4_000_000_000)).unwrap() * 1_000_000_000);
        oracle.agrees(&request, &signing, Service::S3, None, at);
    }
}

#[test]
fn requests_to_a_configured_service_are_signed_as_botocore_signs() {
    let Some(mut oracle) = Oracle::start("AWS requests: a configured service") else {
        return;
    };
    let dice = Dice(SeededRandom::new(502));
    for number in 0..BATCHES {
        let signing = Signing::new([None, Some("session/token+with=all")][usize::from(number % 2 == 0)]);
        let name = ["es", "aoss", "execute-api"][usize::from(number % 3 == 0) + usize::from(number % 5 == 0)];
        let path = dice.text("azAZ09_-.~", 20);
        let uri = format!("https://search.{REGION}.example/{path}/_bulk?refresh=false&b=%20c");
        let request = Request::post(uri)
            .header("content-type", "application/x-ndjson")
            .header("idempotency-key", number.to_string())
            .body(dice.text("{}\"a\n", 400).into_bytes())
            .unwrap();
        let at = Timestamp(i64::try_from(dice.below(4_000_000_000)).unwrap() * 1_000_000_000);
        let digest = hex(&Sha256::digest(request.body()));
        let keys = Identity {
            environment: signing.environment.clone(),
            ..Identity::default()
        };
        let keys = provider(&keys, REGION, Arc::new(SystemClock::new()));
        let service = Service::Configured(name.to_owned());
        let ours = Signer::new(keys, service.clone(), REGION)
            .authorize(&request, at)
            .unwrap();
        assert_eq!(ours["x-amz-content-sha256"], digest.as_str());
        oracle.agrees(&request, &signing, service, None, at);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records of any text, and a batch of them.
fn rows(dice: &Dice, longest: u64) -> Vec<(TableEntry, String)> {
    let row = |n: u64| {
        let text = dice.text("az09 \"\\/\n\t\u{0}\u{1f}\u{7f}äß\u{2028}\u{1f600}", longest);
        let host = dice.text("ab\"\\ä\u{1f600}", 400);
        let json = match dice.below(4) {
            0 => json!({ "message": text, "n": n }),
            1 => json!({ "message": text, "n": n, "host.name": dice.below(10) }),
            _ => json!({ "message": text, "n": n, "host": { "name": host } }),
        };
        let mut entry = entry(Timestamp(0));
        entry.key = Key([u8::try_from(n % 251).unwrap(); 16]);
        (entry, json.to_string())
    };
    (0..=dice.below(60)).map(row).collect()
}

/// When a batch is made and how it is compressed, where a request says neither.
const PLAIN: (Timestamp, Compression) = (Timestamp(0), Compression::None);

/// The request that a destination makes of these records.
fn encoded(
    kind: &str,
    keys: toml::Table,
    signing: &Signing,
    (made_at, compression): (Timestamp, Compression),
    rows: &[(TableEntry, String)],
) -> Request<Vec<u8>> {
    let config = KindConfig::from_table(kind, keys, &signing.environment).unwrap();
    let records: Vec<_> = (0..)
        .zip(rows)
        .map(|(seq, (entry, json))| Record {
            id: RecordId {
                spool: SpoolId([7; 16]),
                epoch: Epoch(1),
                seq,
            },
            entry,
            json: json.as_bytes(),
        })
        .collect();
    let attempt = Attempt {
        nonce: 1,
        made_at,
        name: String::from("a"),
        format: Format::Native,
        compression,
        earlier: 0,
    };
    let batch = Batch {
        records: &records,
        attempt: &attempt,
    };
    let route = build(&config).unwrap();
    route.destination.encode(&batch, &Context::at(made_at)).unwrap()
}

/// The lines of all records of a request, in order.
fn lines(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let data = |record: &Value| {
        let data = base64::engine::general_purpose::STANDARD.decode(record["Data"].as_str().unwrap());
        String::from_utf8(data.unwrap()).unwrap()
    };
    let text: String = body["Records"].as_array().unwrap().iter().map(data).collect();
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn batches_for_kinesis_are_as_its_model_wants_them_and_signed_as_botocore_signs() {
    let Some(mut oracle) = Oracle::start("AWS requests: Kinesis") else {
        return;
    };
    let dice = Dice(SeededRandom::new(502));
    for number in 0..BATCHES {
        let signing = Signing::new([None, Some("session/token+with=all")][usize::from(number % 2 == 0)]);
        let name = dice.text("azAZ09._-", 127);
        let arn = format!("arn:aws:kinesis:{REGION}:123456789012:stream/{name}");
        let mut keys = match dice.below(2) {
            0 => toml_of(&[("stream", &name)]),
            _ => toml_of(&[("stream_arn", &arn)]),
        };
        let is_keyed = dice.below(2) == 0;
        if is_keyed {
            keys.extend(toml_of(&[("partition_key", "host.name")]));
        }
        let is_aggregated = dice.below(2) == 0;
        if is_aggregated {
            keys.extend(toml_of(&[("aggregation", "ndjson")]));
        }
        let rows = rows(&dice, 300);
        let request = encoded("kinesis", keys, &signing, PLAIN, &rows);
        let at = Timestamp(i64::try_from(dice.below(4_000_000_000)).unwrap() * 1_000_000_000);
        let operation = Some("PutRecords");
        let errors = oracle.agrees(&request, &signing, Service::Named("kinesis"), operation, at);
        assert_eq!(errors, json!([]), "{number}");
        let mut sent = lines(request.body());
        let mut expected: Vec<_> = rows.into_iter().map(|(_, json)| json).collect();
        if is_keyed && is_aggregated {
            sent.sort_unstable();
            expected.sort_unstable();
        }
        assert!(sent == expected, "{number}: other lines than records");
    }
}

#[test]
fn batches_for_firehose_are_as_its_model_wants_them_and_signed_as_botocore_signs() {
    let Some(mut oracle) = Oracle::start("AWS requests: Firehose") else {
        return;
    };
    let dice = Dice(SeededRandom::new(503));
    for number in 0..BATCHES {
        let signing = Signing::new([None, Some("session/token+with=all")][usize::from(number % 2 == 0)]);
        let keys = toml_of(&[("delivery_stream", &dice.text("azAZ09._-", 63))]);
        let rows = rows(&dice, 300);
        let request = encoded("firehose", keys, &signing, PLAIN, &rows);
        let at = Timestamp(i64::try_from(dice.below(4_000_000_000)).unwrap() * 1_000_000_000);
        let operation = Some("PutRecordBatch");
        let errors = oracle.agrees(&request, &signing, Service::Named("firehose"), operation, at);
        assert_eq!(errors, json!([]), "{number}");
        let expected: Vec<_> = rows.into_iter().map(|(_, json)| json).collect();
        assert!(
            lines(request.body()) == expected,
            "{number}: other lines than records"
        );
    }
}

#[test]
fn what_a_check_asks_of_kinesis_and_firehose_is_as_their_models_want_it() {
    let Some(mut oracle) = Oracle::start("AWS requests: checks") else {
        return;
    };
    let signing = Signing::new(None);
    let mut asked = Vec::new();
    for (kind, key) in [("kinesis", "stream"), ("firehose", "delivery_stream")] {
        let config = KindConfig::from_table(kind, toml_of(&[(key, "audit")]), &signing.environment).unwrap();
        let route = build(&config).unwrap();
        let passed = json!({ "__type": "DryRunOperationException", "message": "" });
        let passed = http::Response::builder()
            .status(400)
            .body(passed.to_string().into_bytes());
        let answers = [Ok(passed.unwrap())];
        for answers in [&answers[..0], &answers] {
            let Step::Ask(question) = route.check.next(answers) else {
                continue;
            };
            let target = question.headers()["x-amz-target"].to_str().unwrap().to_owned();
            let (_, operation) = target.split_once('.').unwrap();
            let service = Service::Named(kind);
            let errors = oracle.agrees(&question, &signing, service, Some(operation), Timestamp(0));
            assert_eq!(errors, json!([]), "{operation}");
            asked.push(operation.to_owned());
        }
    }
    assert_eq!(
        asked,
        ["PutRecords", "DescribeStreamSummary", "DescribeDeliveryStream"]
    );
}
