//! The `file` destination on a real directory.

use auditship::config::Environment;
use auditship::destination::{KindConfig, Outcome, build};

use super::send_batch;

#[test]
fn a_batch_becomes_one_object_under_folders_by_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let keys = format!("path = \"{}\"", path.display()).parse().expect("TOML");
    let config = KindConfig::from_table("file", keys, &Environment::empty()).expect("valid keys");
    let route = build(&config).expect("nothing is read");
    assert!(!path.exists(), "building opens nothing");
    assert_eq!(
        send_batch(&route, &[b"{\"a\":1}", b"{\"b\":2}"], 5),
        Ok(Outcome::Stored)
    );
    let name = format!(
        "1970/01/01/00/{}-0000000000000001-{:020}-{:020}-{:016x}.ndjson.gz",
        "07".repeat(16),
        0,
        1,
        5
    );
    let object = std::fs::read(path.join(&name)).expect("the object is there");
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&object[..]), &mut plain).expect("gzip");
    assert_eq!(plain, "{\"a\":1}\n{\"b\":2}\n");
    let again = send_batch(&route, &[b"{\"a\":1}", b"{\"b\":2}"], 5);
    assert!(matches!(again, Ok(Outcome::Exists { .. })), "{again:?}");
    assert_eq!(
        send_batch(&route, &[b"{\"a\":1}", b"{\"b\":2}"], 6),
        Ok(Outcome::Stored)
    );
}
