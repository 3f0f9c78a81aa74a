//! What the documents promise of every destination.

use std::collections::BTreeSet;
use std::path::Path;

use auditship::config::{Config, Environment, Strictness};
use auditship::destination::KindConfig;

/// Words between backticks in the first column of the tables of a section.
fn documented(text: &str, section: &str) -> BTreeSet<String> {
    let (_, after) = text
        .split_once(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("no section {section}"));
    let section = after.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_key_of_every_destination_is_documented_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/DESTINATIONS.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let connection = documented(&text, "How it is reached");
    let aws = documented(&text, "Who we are at AWS");
    let azure = documented(&text, "Who we are at Azure");
    let sender = documented(&text, "Who sends");
    for kind in KindConfig::KINDS {
        let keys: BTreeSet<String> = KindConfig::keys(kind)
            .expect("a kind")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut known = documented(&text, kind);
        for shared in [&connection, &aws, &azure, &sender] {
            if shared.is_subset(&keys) {
                known.extend(shared.iter().cloned());
            }
        }
        assert_eq!(
            known, keys,
            "{kind}: the document on the left, the keys on the right"
        );
    }
}

#[test]
fn every_example_is_a_valid_configuration() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let listed = std::fs::read_dir(examples).expect("the folder is there");
    let files = listed.map(|entry| entry.expect("listed").path());
    let examples: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(!examples.is_empty());
    let environment = Environment::empty().with_hostname("web-1");
    for path in examples {
        let text = std::fs::read_to_string(&path).expect("text");
        let name = path.display().to_string();
        let config = Config::from_toml_text(&text, &name, &environment, Strictness::Strict);
        assert!(config.is_ok(), "{name}: {}", config.unwrap_err());
    }
}
