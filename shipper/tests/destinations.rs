//! The commands that ask destinations themselves, through the built binary: `check`, `send-test`, `iam`.

mod cli_support;

use std::path::Path;

use auditship_testkit::receiver::{Receiver, Reply};
use cli_support::auditship;
use serde_json::Value;

fn configuration(directory: &Path, destinations: &str) -> String {
    let file = directory.join("auditship.toml");
    let spool = directory.join("spool");
    let text = format!("[spool]\npath = \"{}\"\n{destinations}", spool.display());
    std::fs::write(&file, text).expect("written");
    file.display().to_string()
}

fn http(id: &str, url: &str) -> String {
    format!("[[destination]]\nid = \"{id}\"\ntype = \"http\"\nurl = \"{url}\"\ntoken = \"hunter2\"\n")
}

#[test]
fn check_asks_every_destination_and_stores_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let archive = directory.path().join("archive");
    let receiver = Receiver::start([], Reply::Status(204));
    let destinations = format!(
        "[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{}\"\n{}",
        archive.display(),
        http("siem", &receiver.url("/audit"))
    );
    let file = configuration(directory.path(), &destinations);
    let check = auditship(&["check", "-c", &file]);
    assert_eq!((check.code, check.stderr.as_str()), (0, ""), "{}", check.stdout);
    let lines: Vec<&str> = check.stdout.lines().collect();
    assert_eq!(
        lines[0],
        format!("archive (file): ready: {} takes files", archive.display())
    );
    assert!(lines[1].starts_with("siem (http): reachable: "), "{}", lines[1]);
    assert_eq!(lines[2], "    not proven:");
    assert!(
        receiver
            .requests()
            .iter()
            .all(|request| request.method == "OPTIONS")
    );
    assert!(!directory.path().join("spool").exists());

    let refusing = Receiver::start([], Reply::Status(401));
    let file = configuration(directory.path(), &http("siem", &refusing.url("/audit")));
    let check = auditship(&["check", "-c", &file, "--destination", "siem", "--json"]);
    assert_eq!(check.code, 1);
    let result: Value = serde_json::from_str(&check.stdout).expect("JSON");
    assert_eq!(result["destinations"][0]["id"], "siem");
    assert_eq!(result["destinations"][0]["result"], "failed");
    assert!(!check.stdout.contains("hunter2"));

    let unknown = auditship(&["check", "-c", &file, "--destination", "sieme"]);
    assert_eq!(unknown.code, 3);
    assert!(
        unknown.stderr.contains("did you mean `siem`?"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn check_reads_the_stanzas_of_fluent_bit_too() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([], Reply::Status(204));
    let file = directory.path().join("fluent-bit.conf");
    let text = format!(
        "[OUTPUT]\n    Name auditship\n    Match *\n    Id a\n    Spool {}/spool\n    Destination http\n    Url {}\n    \
         Workers 1\n    Retry_Limit no_limits\n",
        directory.path().display(),
        receiver.url("/audit")
    );
    std::fs::write(&file, &text).expect("written");
    let check = auditship(&["check", "-c", &file.display().to_string()]);
    assert_eq!(check.code, 0, "{} {}", check.stdout, check.stderr);
    assert!(check.stdout.contains("(http): reachable"), "{}", check.stdout);
    // A stanza beside it that cannot be used is no destination, and not well.
    let broken =
        "\n[OUTPUT]\n    Name auditship\n    Match *\n    Id b\n    Destination http\n    Url nowhere\n";
    std::fs::write(&file, text + broken).expect("written");
    for command in ["check", "send-test"] {
        let done = auditship(&[command, "-c", &file.display().to_string()]);
        assert_eq!(done.code, 1, "{command}: {} {}", done.stdout, done.stderr);
        assert!(
            done.stderr.contains("`Url`: a URL here begins with"),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_said_with_its_place() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = configuration(
        directory.path(),
        "[[destination]]\nid = \"a\"\ntype = \"http\"\nurl = \"nowhere\"\n",
    );
    for command in [["check", "-c"], ["send-test", "-c"], ["iam", "a"]] {
        let mut arguments = command.to_vec();
        if command[0] == "iam" {
            arguments.push("-c");
        }
        arguments.push(&file);
        let done = auditship(&arguments);
        assert_eq!((done.code, done.stdout.as_str()), (3, ""), "{command:?}");
        assert!(done.stderr.contains("auditship.toml:6"), "{}", done.stderr);
    }
}

#[test]
fn a_test_record_arrives_and_can_be_found() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let archive = directory.path().join("archive");
    let receiver = Receiver::start([], Reply::Status(200));
    let destinations = format!(
        "[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{}\"\n{}",
        archive.display(),
        http("siem", &receiver.url("/audit"))
    );
    let file = configuration(directory.path(), &destinations);
    let sent = auditship(&["send-test", "-c", &file]);
    assert_eq!((sent.code, sent.stderr.as_str()), (0, ""), "{}", sent.stdout);
    let lines: Vec<&str> = sent.stdout.lines().collect();
    let id = lines[0].strip_prefix("archive: stored ").expect("an id");
    // The query that is printed finds it.
    let object = lines[1]
        .trim()
        .strip_prefix("auditship cat '")
        .expect("a command");
    let found = auditship(&["cat", object.trim_end_matches('\'')]);
    let record: Value = serde_json::from_str(&found.stdout).expect("one record");
    assert_eq!(record["event"]["id"], id);
    assert_eq!(record["event"]["action"], "auditship-send-test");
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    let record: Value = serde_json::from_slice(&requests[0].plain).expect("one record");
    assert_eq!(
        lines[2],
        format!("siem: stored {}", record["event"]["id"].as_str().expect("text"))
    );
    assert!(!directory.path().join("spool").exists());
}

#[test]
fn a_test_record_that_is_not_stored_is_told_as_such() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([], Reply::text(403, "you sent hunter2"));
    let file = configuration(directory.path(), &http("siem", &receiver.url("/audit")));
    let sent = auditship(&["send-test", "-c", &file, "--destination", "siem"]);
    assert_eq!(sent.code, 1);
    assert!(
        sent.stdout.starts_with("siem: not stored: 403 Forbidden"),
        "{}",
        sent.stdout
    );
    assert!(!sent.stdout.contains("hunter2"), "{}", sent.stdout);
}
