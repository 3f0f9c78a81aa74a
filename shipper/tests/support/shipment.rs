//! A file that the binary ships through a spool, and what came of it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// With SIGKILL.
pub(crate) fn kill(mut child: Child) {
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// Asks until it is so; the only way to see what another process does.
#[expect(
    clippy::disallowed_methods,
    reason = "another process gives no event to wait for"
)]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to this: {what}");
}

/// So many records of different days and users.
pub(crate) fn records(count: u64) -> String {
    let record = |n: u64| {
        format!(
            "{{\"n\":{n},\"@timestamp\":\"2026-01-{:02}T00:00:00.{:09}Z\",\"event\":{{\"id\":\"id-{n}\",\"category\":[\"file\"]}},\
             \"message\":\"user {} opened /srv/{n}\"}}\n",
            n % 28 + 1,
            n,
            n % 97,
        )
    };
    (0..count).map(record).collect()
}

/// Lines by the number that the spool gave each; panics when a number stands twice.
pub(crate) fn by_number(lines: impl IntoIterator<Item = String>) -> BTreeMap<u64, String> {
    let mut numbered = BTreeMap::new();
    for line in lines {
        let record: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let number = record["auditship"]["seq"].as_u64().expect("a number");
        let before = numbered.insert(number, line);
        assert_eq!(before, None, "{number} is there twice");
    }
    numbered
}

/// What `auditship cat` says of a folder: of a spool, or of what was delivered.
pub(crate) fn cat(spool: &Path) -> BTreeMap<u64, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_auditship"))
        .arg("cat")
        .arg(spool)
        .output();
    let output = output.expect("it ends");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    by_number(text.lines().map(str::to_owned))
}
