//! The built binary on a spool that nobody has open: looking, pausing, dead letters, quarantine, printing.

mod cli_support;
#[path = "support/intake.rs"]
mod intake;

use std::path::PathBuf;
use std::sync::Arc;

use auditship::config::{Config, Environment, ShipperMode, Strictness};
use auditship::control::desired::{self, DesiredState};
use auditship::control::status::{self, ShipperStatus};
use auditship::instance::Instance;
use auditship::spool::Reader;
use auditship::spool::cursor::Cursor;
use auditship::spool::dead_letter::{self, DeadLetter};
use auditship::spool::identity::RecordId;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship::time::{Clock as _, SystemClock, Timestamp};
use cli_support::{Outcome, auditship};

/// Three records and a line that is none, a destination that has had nothing, one dead letter.
struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
    letter: RecordId,
}

const RECORDS: [&str; 3] = [
    r#"{"n":1,"event":{"id":"a","category":"iam"}}"#,
    r#"{"n":2,"event":{"id":"b","category":["file"]}}"#,
    r#"{"n":3,"event":{"id":"c"}}"#,
];

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("spool");
        let text = format!(
            "[spool]\npath = {path:?}\nid = \"test\"\n[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"/nowhere\"\n"
        );
        let mut config =
            Config::from_toml_text(&text, "test", &Environment::empty(), Strictness::Strict).expect("good");
        // Nothing is to be sent here: the destination's cursor is made by hand.
        config.destinations.clear();
        config.shipper = ShipperMode::External;
        let mut instance = Instance::start(&config, &intake::outside()).expect("a fresh spool");
        let lines = format!("{}\n{}\nnot json\n{}\n", RECORDS[0], RECORDS[1], RECORDS[2]);
        intake::hand_over(&mut instance, &lines);
        instance.tick();
        instance.stop(std::time::Duration::ZERO);

        let storage: Arc<dyn Storage> = Arc::new(FsStorage::open(&path).expect("there"));
        let mut reader = Reader::open(Arc::clone(&storage)).expect("a spool");
        Cursor::open_or_create(Arc::clone(&storage), "archive", reader.spool_id(), 0).expect("a cursor");
        let letter = loop {
            if let auditship::spool::ReadStep::Block(block) = reader.next().expect("readable")
                && !block.table.is_empty()
            {
                break DeadLetter {
                    id: block.id(1),
                    key: block.table[1].key,
                    time: block.table[1].time,
                    code: "400".to_owned(),
                    reason: "too old".to_owned(),
                    at: Timestamp(1_767_225_600_000_000_000),
                    attempts: 2,
                    record: RECORDS[1].as_bytes().to_vec(),
                };
            }
        };
        dead_letter::put(&*storage, "archive", &letter).expect("written");
        Self {
            _dir: dir,
            path,
            letter: letter.id,
        }
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let path = self.path.display().to_string();
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|word| if *word == "SPOOL" { path.as_str() } else { word })
            .collect();
        auditship(&arguments)
    }
}

#[test]
fn cat_prints_the_records_in_order() {
    let fixture = Fixture::new();
    let outcome = fixture.run(&["cat", "SPOOL"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3);
    for (line, record) in lines.iter().zip(RECORDS) {
        let record = record.strip_suffix('}').expect("an object");
        assert!(line.starts_with(record), "{line}");
        assert!(line.contains("\"auditship\":{\"spool\":"), "{line}");
    }
}

#[test]
fn status_shows_the_sums_and_is_red_while_nobody_ships() {
    let fixture = Fixture::new();
    let outcome = fixture.run(&["status", "SPOOL"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    for expected in [
        "health    red: 3 records wait and no shipper runs",
        "writer    not running; last was test",
        "received  3 = 0 excluded + 0 duplicate + 3 spooled",
        "1 undecodable region in quarantine, 8 B",
        "DESTINATION  STATE    PENDING  DELIVERED  DEAD",
        "archive      stopped  3        0          ",
    ] {
        assert!(
            outcome.stdout.contains(expected),
            "{expected}\nis not in\n{}",
            outcome.stdout
        );
    }
    let json = fixture.run(&["status", "--json", "SPOOL"]);
    let value: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(value["health"]["colour"], "red");
    assert_eq!(value["writer"]["snapshot"]["totals"]["spooled"], 3);
    assert_eq!(value["destinations"][0]["id"], "archive");
}

#[test]
fn pause_and_resume_are_wishes_that_stay() {
    let fixture = Fixture::new();
    let storage = FsStorage::open(&fixture.path).expect("there");
    let state = || {
        desired::read(&storage)
            .expect("readable")
            .of("archive", DesiredState::Active)
            .0
    };
    assert_eq!(
        fixture.run(&["pause", "archive", "--spool", "SPOOL"]),
        Outcome::ok("archive will be paused when a shipper runs; none does now\n")
    );
    assert_eq!(state(), DesiredState::Inactive);
    assert_eq!(
        fixture.run(&["resume", "archive", "--spool", "SPOOL"]),
        Outcome::ok("archive will be active when a shipper runs; none does now\n")
    );
    assert_eq!(state(), DesiredState::Active);

    let misspelt = fixture.run(&["pause", "archve", "--spool", "SPOOL"]);
    assert_eq!((misspelt.code, misspelt.stdout.as_str()), (4, ""));
    assert!(
        misspelt
            .stderr
            .ends_with("no destination `archve`; did you mean `archive`? It has archive\n"),
        "{}",
        misspelt.stderr
    );
}

#[test]
fn dead_letters_are_listed_and_shown() {
    let fixture = Fixture::new();
    let name = format!("{}-{}", fixture.letter.epoch, fixture.letter.seq);
    let list = fixture.run(&["dead-letter", "list", "--spool", "SPOOL"]);
    assert_eq!((list.code, list.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = list.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", list.stdout);
    assert!(
        lines[1].starts_with(&format!(
            "archive      {name}  2026-01-01T00:00:00.000000000Z  400   too old"
        )),
        "{}",
        lines[1]
    );

    let show = fixture.run(&["dead-letter", "show", "archive", &name, "--spool", "SPOOL"]);
    assert_eq!(
        (show.code, show.stdout.as_str()),
        (0, format!("{}\n", RECORDS[1]).as_str())
    );
    assert_eq!(
        show.stderr,
        "auditship: archive refused it at 2026-01-01T00:00:00.000000000Z after 2 sendings: 400 too old\n"
    );

    let json = fixture.run(&[
        "dead-letter",
        "show",
        "--json",
        "archive",
        &name,
        "--spool",
        "SPOOL",
    ]);
    let value: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        (&value["record"], &value["record_json"]["n"]),
        (&serde_json::json!(name), &serde_json::json!(2))
    );

    let absent = fixture.run(&[
        "dead-letter",
        "show",
        "archive",
        "00000000000000ff-9",
        "--spool",
        "SPOOL",
    ]);
    assert_eq!(absent.code, 4);
    let wrong = fixture.run(&["dead-letter", "show", "archive", "nonsense", "--spool", "SPOOL"]);
    assert_eq!(wrong.code, 2);
}

#[test]
fn commands_are_kept_for_whoever_comes() {
    let fixture = Fixture::new();
    for arguments in [
        vec!["dead-letter", "retry", "--all", "archive", "--spool", "SPOOL"],
        vec!["quarantine", "retry", "--all", "--spool", "SPOOL"],
        vec!["quarantine", "discard", "--all", "--spool", "SPOOL"],
        vec!["replay", "archive", "--from", "0", "--spool", "SPOOL"],
    ] {
        let outcome = fixture.run(&arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (5, ""),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains("is kept as number"), "{}", outcome.stderr);
    }
    let beyond = fixture.run(&["replay", "archive", "--from", "3", "--spool", "SPOOL"]);
    assert_eq!(beyond.code, 4);
    assert!(
        beyond
            .stderr
            .contains("there are no records from 3 up to 3; the next one will be 3"),
        "{}",
        beyond.stderr
    );
}

#[test]
fn quarantine_names_file_and_line() {
    let fixture = Fixture::new();
    let list = fixture.run(&["quarantine", "list", "--json", "--spool", "SPOOL"]);
    assert_eq!((list.code, list.stderr.as_str()), (0, ""));
    let value: serde_json::Value = serde_json::from_str(&list.stdout).expect("one object");
    assert_eq!(value["origin"], "test, line 3");
    let place = value["place"].as_str().expect("text");
    let retry = fixture.run(&["quarantine", "retry", place, "--spool", "SPOOL"]);
    assert_eq!(retry.code, 5, "{}", retry.stderr);
}

/// A configuration of the fixture's spool with only this destination.
fn configuration(fixture: &Fixture, id: &str) -> PathBuf {
    let path = fixture.path.with_file_name(format!("{id}.toml"));
    let text = format!(
        "[spool]\npath = {:?}\nid = \"test\"\n[[destination]]\nid = \"{id}\"\ntype = \"file\"\npath = \"/nowhere\"\n",
        fixture.path
    );
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn forget_gives_up_what_is_not_configured_and_nothing_else() {
    let fixture = Fixture::new();
    let (with, without) = (
        configuration(&fixture, "archive"),
        configuration(&fixture, "another"),
    );
    let in_file = |id: &str, file: &PathBuf| {
        auditship(&["forget", id, "--config", file.to_str().expect("a plain path")])
    };
    let broken = configuration(&fixture, "archive").with_file_name("broken.toml");
    let text = std::fs::read_to_string(&with).expect("there");
    std::fs::write(&broken, text + "batch_max_agee = \"5m\"\n").expect("written");
    let cursor = fixture.path.join("cursors/archive.cur");
    for (outcome, expected) in [
        (in_file("archive", &with), "it is in the configuration"),
        (in_file("archive", &broken), "it is in the configuration"),
        (
            fixture.run(&["forget", "archive", "--spool", "SPOOL"]),
            "name the configuration with --config FILE",
        ),
        (in_file("archve", &without), "did you mean `archive`?"),
    ] {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (4, ""));
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
        assert!(cursor.exists());
    }
    assert_eq!(
        in_file("archive", &without),
        Outcome::ok("archive is forgotten, with 3 pending records and 1 dead letters\n")
    );
    assert!(!cursor.exists());
    let status = fixture.run(&["status", "--json", "SPOOL"]);
    let value: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!(value["destinations"], serde_json::json!([]));
}

#[test]
fn forget_needs_no_configuration_when_the_last_shipper_ran_without_the_destination() {
    let fixture = Fixture::new();
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::open(&fixture.path).expect("there"));
    let last = ShipperStatus {
        at: SystemClock::new().wall(),
        program: Default::default(),
        instance: "test".to_owned(),
        spool: Reader::open(Arc::clone(&storage)).expect("a spool").spool_id(),
        destinations: Vec::new(),
    };
    status::publish(&*storage, &last).expect("written");
    let shown = fixture.run(&["status", "SPOOL"]).stdout;
    for expected in [
        "archive      not configured  3  ",
        "archive: it is no longer configured",
        "`auditship forget archive`",
    ] {
        assert!(shown.contains(expected), "{expected}\nis not in\n{shown}");
    }
    assert_eq!(
        fixture.run(&["forget", "archive", "--spool", "SPOOL"]),
        Outcome::ok("archive is forgotten, with 3 pending records and 1 dead letters\n")
    );
}

#[test]
fn a_shipper_that_holds_the_lock_is_asked_to_forget() {
    let fixture = Fixture::new();
    let without = configuration(&fixture, "another");
    let storage = FsStorage::open(&fixture.path).expect("there");
    let _lock = storage.try_lock("shipper.lock").expect("a file").expect("free");
    let outcome = auditship(&[
        "forget",
        "archive",
        "--wait",
        "1ms",
        "--config",
        without.to_str().expect("a plain path"),
    ]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (5, ""),
        "{}",
        outcome.stderr
    );
    assert!(fixture.path.join("cursors/archive.cur").exists());
}
