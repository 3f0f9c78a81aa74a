mod answers;
mod asking;
mod keys;
mod plan;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::config::Environment;
use crate::destination::contract::{self, Layout, Subject};
use crate::destination::{Attempt, BodyDigest, KindConfig, SentDigest};
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::time::Timestamp;
use crate::transport::paced::Load;

/// 2026-01-02T03:04:05Z.
const MADE_AT: Timestamp = Timestamp(1_767_323_045_000_000_000);
const ARN: &str = "arn:aws:kinesis:eu-central-1:210987654321:stream/audit";

fn environment() -> Environment {
    Environment::from([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDHUNTER2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-secret"),
    ])
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &environment())? {
        KindConfig::Kinesis(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn config(keys: &str) -> Config {
    parse(&format!("stream = \"audit\"\n{keys}")).unwrap()
}

fn kinesis(keys: &str) -> Kinesis {
    Kinesis::new(config(keys))
}

/// Records from which a batch is borrowed.
struct Rows(Vec<(RecordId, TableEntry, Vec<u8>)>);

impl Rows {
    fn new<T: AsRef<str>>(rows: impl IntoIterator<Item = T>) -> Self {
        let row = |(seq, json): (u64, T)| {
            let id = RecordId {
                spool: SpoolId([7; 16]),
                epoch: Epoch(9),
                seq,
            };
            let entry = TableEntry {
                len: 0,
                added: 0,
                flags: 0,
                time: MADE_AT,
                key: Key::of_position(&id),
                categories: 0,
                id_hash: 0,
            };
            (id, entry, json.as_ref().as_bytes().to_vec())
        };
        Self((0..).zip(rows).map(row).collect())
    }

    fn records(&self) -> Vec<Record<'_>> {
        self.0
            .iter()
            .map(|(id, entry, json)| Record { id: *id, entry, json })
            .collect()
    }
}

fn attempt() -> Attempt {
    Attempt {
        nonce: 1,
        made_at: MADE_AT,
        name: String::from("a-batch"),
        format: Format::Native,
        compression: Compression::None,
        earlier: 0,
    }
}

fn encode(to: &Kinesis, records: &[Record<'_>]) -> Request<Vec<u8>> {
    let batch = Batch {
        records,
        attempt: &attempt(),
    };
    to.encode(&batch, &Context::at(Timestamp(0))).unwrap()
}

/// `(partition key, data)` of each entry, as a reader of the API's requests finds them.
fn entries(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let entry = |entry: &Value| {
        let members: Vec<_> = entry.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["Data", "PartitionKey"]);
        (
            entry["PartitionKey"].as_str().unwrap().to_owned(),
            STANDARD.decode(entry["Data"].as_str().unwrap()).unwrap(),
        )
    };
    body["Records"].as_array().unwrap().iter().map(entry).collect()
}

/// What the API counts, by its documentation: data before base64 and keys.
fn counted(body: &[u8]) -> u64 {
    let entries = entries(body).into_iter();
    entries.map(|(key, data)| (key.len() + data.len()) as u64).sum()
}

/// Every line is a record, the last one too.
fn lines(body: &[u8]) -> Vec<Value> {
    let mut records = Vec::new();
    for (_, data) in entries(body) {
        let text = String::from_utf8(data).unwrap();
        assert!(text.ends_with('\n'));
        records.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    records
}

#[test]
fn the_contract_is_kept() {
    for keys in [
        "",
        "aggregation = \"ndjson\"",
        "partition_key = \"host.name\"\norder = \"partition_key\"",
        "partition_key = \"host.name\"\norder = \"partition_key\"\naggregation = \"ndjson\"",
        "shards = 2\nmax_record_bytes = \"2MiB\"",
    ] {
        let secret = "endpoint = \"https://gateway.example/?key=hunter2-query\"\n\
                      proxy = \"http://p:hunter2-proxy@proxy.example:3128\"";
        let config = config(&format!("{secret}\n{keys}"));
        let route = route(&config).unwrap();
        contract::suite(&Subject {
            destination: route.destination.clone(),
            layout: Layout::Own {
                counted,
                records: lines,
            },
            secrets: vec!["hunter2-query"],
            shown: vec![],
            stored: vec![200],
            answers: answers::classes(match keys.contains("ndjson") {
                true => 1,
                false => 3,
            }),
        });
        // What is said back of the other secrets is masked by the transport, and tested there.
        let shown = format!("{config:?} {route:?} {}", route.destination.target());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_request_is_what_the_service_expects() {
    let rows = Rows::new([r#"{"host":{"name":"a\"b"}}"#, r#"{"host.name":7}"#, "{}"]);
    let request = encode(&kinesis("partition_key = \"host.name\""), &rows.records());
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://kinesis.eu-central-1.amazonaws.com/");
    assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.1");
    assert_eq!(request.headers()["x-amz-target"], "Kinesis_20131202.PutRecords");
    assert_eq!(request.headers().len(), 2, "{:?}", request.headers());
    let expected = json!({
        "StreamName": "audit",
        "Records": [
            // echo '{"host":{"name":"a\"b"}}' | base64
            { "Data": "eyJob3N0Ijp7Im5hbWUiOiJhXCJiIn19Cg==", "PartitionKey": "a\"b" },
            // echo '{"host.name":7}' | base64
            { "Data": "eyJob3N0Lm5hbWUiOjd9Cg==", "PartitionKey": "7" },
            // Its own key.
            { "Data": "e30K", "PartitionKey": crate::hex::hex(&rows.0[2].1.key.0).to_string() },
        ],
    });
    assert_eq!(serde_json::from_slice::<Value>(request.body()).unwrap(), expected);
    let BodyDigest(digest) = *request.extensions().get().unwrap();
    assert_eq!(request.extensions().get(), Some(&SentDigest(digest)));
    let Load(load) = request.extensions().get().unwrap();
    // printf 'a"b' | md5sum, and so on.
    let places: Vec<String> = load.iter().map(|item| format!("{:032x}", item.place)).collect();
    assert_eq!(
        places[..2],
        [
            "c8f88ec84680a7ec056720570290dd34",
            "8f14e45fceea167a5a36dedd4bea2543"
        ]
    );
    assert_eq!(load.len(), 3);
    assert_eq!(
        load.iter().map(|item| item.bytes).sum::<u64>(),
        counted(request.body())
    );
}

#[test]
fn a_stream_of_another_account_is_named_by_its_arn_at_the_endpoint_of_its_account() {
    let to = Kinesis::new(parse(&format!("stream_arn = \"{ARN}\"")).unwrap());
    let request = encode(&to, &Rows::new(["{}"]).records());
    assert_eq!(
        request.uri(),
        "https://210987654321.data-kinesis.eu-central-1.amazonaws.com/"
    );
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        (&body["StreamARN"], &body["StreamName"]),
        (&json!(ARN), &Value::Null)
    );
    let question = ask::question(&to.config);
    assert_eq!(
        question.uri(),
        "https://210987654321.control-kinesis.eu-central-1.amazonaws.com/"
    );
    assert_eq!(
        to.target(),
        "stream audit of account 210987654321 in eu-central-1 \
         (https://210987654321.data-kinesis.eu-central-1.amazonaws.com/)"
    );
    let custom = parse(&format!(
        "stream_arn = \"{ARN}\"\nendpoint = \"https://a.example\""
    ))
    .unwrap();
    assert_eq!(
        (custom.url(), custom.control.uri()),
        (custom.endpoint.uri(), custom.endpoint.uri())
    );
}

#[test]
fn a_record_is_found_by_reading_the_stream_from_when_its_batch_was_made() {
    let rows = Rows::new(["{}"]);
    let batch = Batch {
        records: &rows.records(),
        attempt: &attempt(),
    };
    assert_eq!(
        kinesis("endpoint = \"http://localhost:5000\"").query(&batch),
        "for shard in $(aws kinesis list-shards --region eu-central-1 --endpoint-url http://localhost:5000/ --output text \
         --stream-name 'audit' --query 'Shards[].ShardId'); do iterator=$(aws kinesis get-shard-iterator --region \
         eu-central-1 --endpoint-url http://localhost:5000/ --output text --stream-name 'audit' --shard-id $shard \
         --shard-iterator-type AT_TIMESTAMP --timestamp 1767322985); aws kinesis get-records --region eu-central-1 \
         --endpoint-url http://localhost:5000/ --output text --shard-iterator $iterator --query 'Records[].[Data]' \
         | while read -r data; do echo \"$data\" | base64 -d; done; done \
         | grep '\"spool\":\"07070707070707070707070707070707\"' | grep '\"seq\":0'"
    );
}

#[test]
fn a_destination_is_another_one_when_anything_of_its_place_is_another() {
    let mut prints: Vec<_> = [
        "",
        "region = \"eu-west-1\"",
        "use_fips = true",
        "endpoint = \"https://a.example\"",
        "role_arn = \"arn:aws:iam::123456789012:role/a\"",
    ]
    .iter()
    .map(|keys| kinesis(keys).fingerprint())
    .collect();
    for other in ["stream = \"b\"", &format!("stream_arn = \"{ARN}\"")] {
        prints.push(Kinesis::new(parse(other).unwrap()).fingerprint());
    }
    for (at, print) in prints.iter().enumerate() {
        assert!(!prints[..at].contains(print), "{at}");
    }
    assert_eq!(prints[0], kinesis("profile = \"p\"\nshards = 4").fingerprint());
}

#[test]
fn permissions_are_the_least() {
    let statements = |keys: &str| match Kinesis::new(parse(keys).unwrap()).permissions() {
        Permissions::Aws(statements) => statements
            .into_iter()
            .map(|statement| (statement.actions, statement.resources))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let of = |action, stream: &str| (vec![action], vec![stream.to_owned()]);
    let stream = "arn:aws:kinesis:eu-central-1:*:stream/audit";
    assert_eq!(
        statements("stream = \"audit\""),
        [
            of("kinesis:PutRecords", stream),
            of("kinesis:DescribeStreamSummary", stream)
        ]
    );
    assert_eq!(
        statements(&format!(
            "stream_arn = \"{ARN}\"\nshards = 1\nmax_record_bytes = \"1MiB\""
        )),
        [of("kinesis:PutRecords", ARN)]
    );
}
