//! A program is killed on the right side of the right call.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Writes three times to a segment, syncs, and renames; under a shell, so that it is an ordinary program.
const PROGRAM: &str = "mkdir -p segments && for i in 1 2 3; do echo $i >> segments/0.seg; done && \
    sync segments/0.seg && mv segments/0.seg object";

fn run(at: &str, directory: &Path) -> (Option<i32>, Value) {
    let report = directory.join("report");
    let status = Command::new(env!("CARGO_BIN_EXE_auditship-steps"))
        .arg(at)
        .arg(&report)
        .args(["sh", "-c", PROGRAM])
        .current_dir(directory)
        .status()
        .unwrap();
    (
        status.code(),
        serde_json::from_slice(&fs::read(report).unwrap()).unwrap(),
    )
}

#[test]
fn a_whole_run_is_counted() {
    let scratch = tempfile::tempdir().unwrap();
    let (code, report) = run("-", scratch.path());
    assert_eq!((code, &report["ended"]), (Some(0), &Value::from("exit 0")));
    assert_eq!(report["steps"]["segment-write"], 3);
    assert_eq!(report["steps"]["segment-sync"], 1);
    assert_eq!(report["steps"]["object-rename"], 1);
}

#[test]
fn before_and_after_differ_by_exactly_the_call() {
    let written = |at: &str| {
        let scratch = tempfile::tempdir().unwrap();
        let (code, report) = run(at, scratch.path());
        assert_eq!(
            (code, &report["ended"]),
            (Some(137), &Value::from("at-step")),
            "{at}"
        );
        let place =
            ["segments/0.seg", "object"].map(|name| fs::read_to_string(scratch.path().join(name)).ok());
        place.map(Option::unwrap_or_default)
    };
    assert_eq!(written("segment-write:2:before"), ["1\n", ""]);
    assert_eq!(written("segment-write:2:after"), ["1\n2\n", ""]);
    assert_eq!(written("object-rename:1:before"), ["1\n2\n3\n", ""]);
    assert_eq!(written("object-rename:1:after"), ["", "1\n2\n3\n"]);
}
