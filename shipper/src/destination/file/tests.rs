use ::http::{Method, header};

use super::*;
use crate::config::Environment;
use crate::destination::check::{self, Finding};
use crate::destination::contract::{self, Class, Layout, Lines, Subject};
use crate::destination::{ConfigError, KindConfig};
use crate::spool::storage::sim::SimStorage;
use crate::transport::Transport;

fn parse(keys: &str) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), &Environment::empty())? {
        KindConfig::File(config) => Ok(config),
        other => panic!("{other:?}"),
    }
}

fn file(keys: &str) -> File {
    File::new(parse(&format!("path = \"/var/audit\"\n{keys}")).unwrap())
}

fn answer(status: u16) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .body(b"words".to_vec())
        .unwrap()
}

#[test]
fn the_contract_is_kept() {
    let answers = [
        (201, Class::Stored),
        (412, Class::Exists),
        (507, Class::Unavailable),
        (503, Class::Unavailable),
        (403, Class::Auth),
        (404, Class::Config),
        (400, Class::Config),
        (405, Class::Config),
        (500, Class::Unclear),
        (200, Class::Unclear),
        (999, Class::Unclear),
    ];
    for keys in [
        "",
        "format = \"json_array\"\ncompression = \"zstd\"",
        "compression = \"none\"\nkey = \"{prefix}/{nonce}\"\nprefix = \"a\"",
    ] {
        let file = file(keys);
        contract::suite(&Subject {
            destination: Arc::new(file.clone()),
            layout: Layout::Lines,
            secrets: vec![],
            shown: vec![format!("{file:?}")],
            stored: vec![201],
            answers: answers
                .iter()
                .map(|(status, class)| (answer(*status), 0, *class))
                .collect(),
        });
    }
}

#[test]
fn names_end_as_their_content_says() {
    let bounds = Lines::new([b"{}".to_vec()]).bounds();
    for (keys, end) in [
        ("", "-000000000000002a.ndjson.gz"),
        ("compression = \"none\"", "-000000000000002a.ndjson"),
        (
            "compression = \"zstd\"\nformat = \"json_array\"",
            "-000000000000002a.json.zst",
        ),
    ] {
        let name = file(keys).name(&bounds, Timestamp(0), 42);
        assert!(
            name.starts_with("1970/01/01/00/0707") && name.ends_with(end),
            "{name}"
        );
    }
    let name = file("prefix = \"audit/\"").name(&bounds, Timestamp(0), 42);
    assert!(name.starts_with("audit/1970/01/01/00/"), "{name}");
}

#[test]
fn encode_transport_and_decode_fit_one_another() {
    let file = file("");
    let disk = SimStorage::new();
    let transport = {
        let disk = disk.clone();
        FileTransport::new(move || Ok(Arc::new(disk.clone())))
    };
    let lines = Lines::new([b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
    let attempt = contract::attempt(&file, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = file.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(request.headers()[header::IF_NONE_MATCH], "*");
    assert_eq!(
        file.decode(&batch, &transport.send(&request).unwrap()),
        Outcome::Stored
    );
    let again = file.decode(&batch, &transport.send(&request).unwrap());
    assert_eq!(contract::class(&again), Class::Exists);
    let stored = crate::spool::storage::read_small(&disk, &attempt.name, 1 << 20)
        .unwrap()
        .unwrap();
    assert_eq!(
        contract::plain(&stored, Compression::Gzip),
        b"{\"a\":1}\n{\"b\":2}\n"
    );
    assert!(matches!(check::run(&file, &transport), Finding::Ready { .. }));
    disk.set_budget(Some(0));
    assert!(matches!(check::run(&file, &transport), Finding::Failed { .. }));
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    for (keys, key, part) in [
        ("", "path", "is missing"),
        ("path = \"out\"", "path", "absolute"),
        ("path = \"/out\"\nkey = \"{yyyy}\"", "key", "{nonce}"),
        ("path = \"/out\"\nkey = \"{uuid}{nonce}\"", "key", "{spool}"),
        ("path = \"/out\"\nkey = \"../{nonce}\"", "key", "dot"),
        ("path = \"/out\"\nprefix = \"../\"", "prefix", "dot"),
        ("path = \"/out\"\nprefix = \"/\"", "prefix", "begin or end with"),
        (
            "path = \"/out\"\ncompression_level = 99",
            "compression_level",
            "gzip",
        ),
        (
            "path = \"/out\"\nurl = \"https://a/\"",
            "url",
            "is no key of a `file` destination",
        ),
        (
            "path = \"/out\"\nformats = \"ndjson\"",
            "formats",
            "did you mean `format`?",
        ),
    ] {
        let error = parse(keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
    let error = KindConfig::from_table("flie", toml::Table::new(), &Environment::empty()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`type`: there is no destination `flie`; there are {}; did you mean `file`?",
            KindConfig::KINDS.join(", ")
        )
    );
}

#[test]
fn the_list_of_keys_is_the_list_of_fields() {
    let error = toml::from_str::<RawConfig>("no_such_key = 1")
        .err()
        .unwrap()
        .to_string();
    let fields: Vec<&str> = error
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| *word != "no_such_key")
        .collect();
    let mut keys = RawConfig::KEYS.to_vec();
    let mut found = fields;
    keys.sort_unstable();
    found.sort_unstable();
    assert_eq!(keys, found, "{error}");
}

#[test]
fn a_default_needs_nothing_but_a_directory() {
    let config = Config::at("/var/audit").unwrap();
    assert_eq!(Ok(config), parse("path = \"/var/audit\""));
}
