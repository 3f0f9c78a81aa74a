//! Keys that cannot be used.

use super::{URL, parse};
use crate::config::Environment;
use crate::destination::KindConfig;
use crate::destination::config::ConfigError;
use crate::destination::splunk_hec::KIND;

#[test]
fn keys_that_cannot_be_used_are_named() {
    let base = format!("url = \"{URL}\"\ntoken = \"t\"\n");
    for (keys, key, part) in [
        ("token = \"t\"", "url", "is missing"),
        ("url = \"https://a.example\"", "token", "is missing"),
        (
            "url = \"http://a.example\"\ntoken = \"t\"",
            "url",
            "allow_plaintext",
        ),
        (
            "url = \"https://a.example?x=1\"\ntoken = \"t\"",
            "url",
            "query string",
        ),
        (
            "url = \"https://a.example/services/collector/raw/1.0\"\ntoken = \"t\"",
            "url",
            "/services/collector",
        ),
        (
            "url = \"https://a.example\"\ntoken = \"env:ABSENT\"",
            "token",
            "ABSENT",
        ),
        ("{base}mode = \"metrics\"", "mode", "`raw`"),
        ("{base}ack = \"optional\"", "ack", "`required`"),
        (
            "{base}ack = \"none\"\nack_timeout = \"5m\"",
            "ack_timeout",
            "does not use it",
        ),
        (
            "{base}ack = \"none\"\nack_resend = 1",
            "ack_resend",
            "does not use it",
        ),
        ("{base}ack_timeout = \"10ms\"", "ack_timeout", "shorter"),
        ("{base}ack_resend = -1", "ack_resend", "0 to 10"),
        ("{base}ack_resend = 11", "ack_resend", "0 to 10"),
        ("{base}max_request_bytes = \"1KiB\"", "max_request_bytes", "10000"),
        ("{base}compression = \"zstd\"", "compression", "`gzip`"),
        ("{base}event_index = \"\"", "event_index", "is empty"),
        ("{base}event_host = \"a\\nb\"", "event_host", "control"),
        ("{base}cert_file = \"/c\"", "key_file", "is missing"),
        (
            "{base}event_indx = \"a\"",
            "event_indx",
            "did you mean `event_index`?",
        ),
    ] {
        let keys = keys.replace("{base}", &base);
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
}

#[test]
fn a_url_may_name_the_collector_s_path() {
    for url in [
        "https://a.example:8088",
        "https://a.example:8088/",
        "https://a.example:8088/services/collector",
        "https://a.example:8088/services/collector/event",
    ] {
        let config = parse(&format!("url = \"{url}\"\ntoken = \"t\"")).unwrap();
        assert_eq!(
            (
                config.data_url.to_string().as_str(),
                config.ack_url.to_string().as_str()
            ),
            (
                "https://a.example:8088/services/collector/event",
                "https://a.example:8088/services/collector/ack"
            ),
            "{url}"
        );
    }
    let config = parse("url = \"https://a.example/splunk/\"\ntoken = \"t\"").unwrap();
    assert_eq!(config.ack_url.path(), "/splunk/services/collector/ack");
}

#[test]
fn every_key_that_is_listed_is_read() {
    for key in KindConfig::keys(KIND).unwrap() {
        let table: toml::Table = toml::from_str(&format!("{key} = [[1]]")).unwrap();
        let error = KindConfig::from_table(KIND, table, &Environment::empty()).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
        assert_eq!(error.key(), key);
    }
}
