//! An HTTP source of Sumo Logic.

use auditship::spool::cursor::HoldKind;

use super::bench::Bench;
use super::fake::Fake;
use super::preset;
use super::sumo_fake::{CODE, Store, start};

const RECORDS: u64 = 5_000;

fn bench(source: &Fake<Store>, keys: &str) -> Bench {
    let keys = format!(
        "url = \"{}\"\nsource_category = \"prod/audit\"\nfields = [\"team=audit\", \"env=test\"]\n{keys}",
        source.url(&format!("/receiver/v1/http/{CODE}"))
    );
    preset("sumo_logic", &keys)
}

#[test]
fn every_record_is_ingested_once_through_every_refusal_that_keeps_nothing() {
    let source = start([429, 503, 429, 504], usize::MAX);
    let mut bench = bench(&source, "batch_max_bytes = \"5MiB\"");
    bench.write_numbers(RECORDS);
    bench.drain();
    assert_eq!(bench.status().counts.delivered, RECORDS);
    source.look(|store| {
        assert_eq!(store.ingested.len() as u64, RECORDS);
        assert!(store.ingested.values().all(|times| *times == 1));
        assert!(store.most > 900_000 && store.most <= 1_000_000, "{}", store.most);
        let header = |name: &str| {
            let found = store.headers.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(header("x-sumo-category"), Some("prod/audit"));
        assert_eq!(header("x-sumo-name"), Some("auditship"));
        assert_eq!(header("x-sumo-host"), Some("web-1"));
        assert_eq!(header("x-sumo-fields"), Some("team=audit,env=test"));
        assert_eq!(header("content-encoding"), Some("gzip"));
    });
    assert!(!bench.status().target.contains(CODE));
}

#[test]
fn a_source_that_is_too_slow_gets_less_at_a_time_and_nothing_is_lost() {
    let source = start([], 100_000);
    let mut bench = bench(&source, "");
    bench.write_numbers(RECORDS);
    bench.drain();
    assert_eq!(
        (bench.status().counts.delivered, bench.letters().len()),
        (RECORDS, 0)
    );
    source.look(|store| {
        assert_eq!(store.ingested.len() as u64, RECORDS);
        // What a 408 has kept came again.
        assert!(store.ingested.values().any(|times| *times > 1));
    });
}

#[test]
fn a_message_that_would_be_split_is_a_dead_letter_or_split_as_is_said() {
    let long = format!("{{\"pad\":\"{}\"}}\n{{\"n\":1}}\n", "x".repeat(70_000));
    let source = start([], usize::MAX);
    let mut letters = bench(&source, "");
    letters.write(&long);
    letters.drain();
    let found = letters.letters();
    assert_eq!((found.len(), found[0].code.as_str()), (1, "record_too_large"));
    source.look(|store| assert_eq!((store.split, store.ingested.len()), (0, 1)));

    let source = start([], usize::MAX);
    let mut split = bench(&source, "long_records = \"split\"");
    split.write(&long);
    split.drain();
    assert_eq!(split.status().counts.delivered, 2);
    source.look(|store| assert_eq!((store.split, store.ingested.len()), (1, 1)));
}

#[test]
fn a_code_in_a_file_may_come_late_and_a_wrong_one_holds() {
    let source = start([], usize::MAX);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("code");
    let keys = format!(
        "url = \"{}\"\ntoken = \"file:{}\"",
        source.url("/receiver/v1/http"),
        file.display()
    );
    let mut bench = preset("sumo_logic", &keys);
    bench.write_numbers(3);
    let reason = bench.held(HoldKind::Auth);
    assert!(reason.contains(&file.display().to_string()), "{reason}");
    std::fs::write(&file, "WRONG\n").expect("written");
    bench.until("it is used", |status| {
        status
            .last_error
            .as_ref()
            .is_some_and(|error| error.message.contains("401"))
    });
    std::fs::write(&file, format!("{CODE}\n")).expect("written");
    bench.drain();
    source.look(|store| assert_eq!(store.ingested.len(), 3));
}
