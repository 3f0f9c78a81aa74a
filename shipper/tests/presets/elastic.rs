//! Elasticsearch and OpenSearch: each document has its verdict, and what is sent twice is there once.

use auditship::spool::cursor::HoldKind;

use super::bench::Bench;
use super::elastic_fake::{Flavour, Store, start};
use super::fake::Fake;
use super::preset;

const RECORDS: u64 = 5_000;

fn bench(cluster: &Fake<Store>, keys: &str) -> Bench {
    let keys = format!("url = \"{}\"\nindex = \"logs-audit\"\n{keys}", cluster.url(""));
    preset("elastic", &keys)
}

const API_KEY: &str = "auth = \"api_key\"\ntoken = \"aWQ6a2V5\"";

fn with_key(flavour: Flavour) -> Fake<Store> {
    start(flavour, "ApiKey aWQ6a2V5")
}

#[test]
fn every_record_is_there_once_whatever_gets_lost() {
    let cluster = with_key(Flavour::Elasticsearch);
    cluster.change(|store| {
        store.lose = 3;
        store.first = [429, 503, 502, 408].into();
        store.max_content_length = 30_000;
    });
    let mut bench = bench(
        &cluster,
        &format!("{API_KEY}\nmax_request_bytes = \"400KB\"\ncompression = \"none\""),
    );
    bench.write_numbers(RECORDS);
    bench.drain();
    assert_eq!(
        (bench.status().counts.delivered, bench.letters().len()),
        (RECORDS, 0)
    );
    cluster.look(|store| {
        assert_eq!(store.documents.len() as u64, RECORDS);
        assert!(store.conflicts > 0, "what was lost came again");
        assert!(store.most <= 30_000);
        let mut numbers: Vec<u64> = store
            .documents
            .values()
            .map(|document| document["n"].as_u64().expect("n"))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..RECORDS).collect::<Vec<_>>());
    });
}

#[test]
fn each_document_has_its_own_verdict() {
    for flavour in [Flavour::Elasticsearch, Flavour::FailureStore, Flavour::OpenSearch] {
        let cluster = with_key(flavour);
        let mut bench = bench(&cluster, API_KEY);
        let fault = |n: u64| match n {
            n if n % 100 == 3 => ",\"fault\":\"busy\"",
            n if n % 100 == 5 => ",\"fault\":\"down\"",
            n if n % 400 == 7 => ",\"fault\":\"mapping\"",
            1_999 => ",\"fault\":\"dropped\"",
            _ => "",
        };
        let lines: String = (0..2_000)
            .map(|n| format!("{{\"n\":{n}{}}}\n", fault(n)))
            .collect();
        bench.write(&lines);
        bench.drain();
        let letters = bench.letters();
        let found: Vec<u64> = letters.iter().map(|letter| letter.id.seq).collect();
        assert_eq!(found, [7, 407, 807, 1_207, 1_607, 1_999], "{flavour:?}");
        let code = match flavour {
            Flavour::FailureStore => "failure_store",
            Flavour::Elasticsearch | Flavour::OpenSearch => "document_parsing_exception",
        };
        let codes: Vec<&str> = letters.iter().map(|letter| letter.code.as_str()).collect();
        assert_eq!(codes, [code, code, code, code, code, "dropped"], "{letters:?}");
        assert_eq!(bench.status().counts.delivered, 1_994);
        cluster.look(|store| {
            assert_eq!(store.documents.len(), 1_994);
            assert_eq!(
                store.failed.len(),
                if flavour == Flavour::FailureStore { 5 } else { 0 }
            );
        });
    }
}

#[test]
fn who_sends_and_a_missing_index_hold_and_lose_nothing() {
    let cluster = start(Flavour::Elasticsearch, "Basic c2hpcDpzZWNyZXQ=");
    cluster.change(|store| store.missing = true);
    let mut wrong = bench(&cluster, "username = \"ship\"\npassword = \"wrong\"");
    wrong.write_numbers(3);
    let reason = wrong.held(HoldKind::Auth);
    assert!(reason.contains("create_doc"), "{reason}");

    let mut bench = bench(&cluster, "username = \"ship\"\npassword = \"secret\"");
    bench.write_numbers(3);
    let reason = bench.held(HoldKind::Config);
    assert!(
        reason.contains("create the index or data stream logs-audit"),
        "{reason}"
    );
    assert!(bench.letters().is_empty());
    cluster.change(|store| store.missing = false);
    bench.drain();
    cluster.look(|store| assert_eq!(store.documents.len(), 3));
}
