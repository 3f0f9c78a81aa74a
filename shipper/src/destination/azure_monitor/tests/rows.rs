//! Rows and columns.

use super::super::row::{column, write};
use super::*;

fn row(keys: &str, json: &str) -> Result<Value, TooLong> {
    let mut row = Vec::new();
    write(&monitor(keys).config, json.as_bytes(), NOW, &mut row)?;
    let mut row: Value = serde_json::from_slice(&row).unwrap();
    assert_eq!(
        row.as_object_mut().unwrap().remove("TimeGenerated").unwrap(),
        "2026-01-02T03:04:05.0000000Z"
    );
    Ok(row)
}

#[test]
fn names_become_names_of_columns() {
    for (name, expected) in [
        ("event", Some("event")),
        ("@timestamp", Some("timestamp")),
        ("event.action", Some("event_action")),
        ("_x-1", Some("x_1")),
        ("9lives", Some("lives")),
        ("größe", Some("gr__e")),
        ("42", None),
        ("", None),
        ("ä", None),
    ] {
        assert_eq!(column(name).as_deref(), expected, "{name}");
    }
    assert!(column(&"x".repeat(45)).is_some());
    assert_eq!(column(&"x".repeat(46)), None);
}

#[test]
fn what_has_a_column_is_in_it_and_all_the_rest_together() {
    let keys = "columns = [\"event\", \"timestamp\", \"user_name\"]\nrecord_column = \"Rest\"";
    let json = r#"{"@timestamp":"t","event":{"id":1,"n":0.5},"user.name":"u","user-name":"v","a\n":[2],"TimeGenerated":"x"}"#;
    assert_eq!(
        row(keys, json).unwrap(),
        json!({
            "timestamp": "t",
            "event": {"id": 1, "n": 0.5},
            "user_name": "u",
            "Rest": {"user-name": "v", "a\n": [2], "TimeGenerated": "x"},
        })
    );
    // Numbers stand as they stood.
    let mut plain = Vec::new();
    write(
        &monitor(keys).config,
        br#"{"event":1.00,"b":1e2}"#,
        NOW,
        &mut plain,
    )
    .unwrap();
    assert!(
        plain.ends_with(br#","event":1.00,"Rest":{"b":1e2}}"#),
        "{}",
        String::from_utf8_lossy(&plain)
    );
    assert_eq!(row(keys, "{}").unwrap(), json!({}));
    assert_eq!(row("", "{\"a\":{}}").unwrap(), json!({"Record": {"a": {}}}));
}

#[test]
fn a_value_that_would_be_cut_is_refused_unless_it_is_spread() {
    let text = "x".repeat(40_000);
    let json = format!("{{\"a\":\"{text}\",\"b\":\"{text}\"}}");
    let error = row("", &json).unwrap_err();
    assert_eq!((error.column.as_str(), error.bytes), ("Record", json.len()));
    assert!(row("columns = \"a\"", &json).is_ok());
    let long = "y".repeat(70_000);
    let json = format!("{{\"a\":\"{long}\"}}");
    assert_eq!(row("columns = \"a\"", &json).unwrap_err().column, "a");
    // To the byte.
    let fits = format!("{{\"a\":\"{}\"}}", "z".repeat(64_000 - 8));
    assert_eq!(fits.len(), 64_000);
    assert!(row("", &fits).is_ok());
    assert!(row("", &fits.replacen('z', "zz", 1)).is_err());
}
