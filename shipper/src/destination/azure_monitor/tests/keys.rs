//! What a configuration may say.

use super::*;

#[test]
fn keys_that_cannot_be_used_are_named() {
    let named = |keys: &str| format!("{NAMED}{keys}");
    let url = |url: &str| NAMED.replace("https://audit-1234.westeurope-1.ingest.monitor.azure.com", url);
    for (keys, key, part) in [
        (String::new(), "dce_url", "is missing"),
        (url("audit.example"), "dce_url", "https://"),
        (url("http://a.example"), "dce_url", "in the clear"),
        (
            url("https://a.example/dataCollectionRules/x"),
            "dce_url",
            "`dcr_id`",
        ),
        (url("https://a.example/?a=b"), "dce_url", "`dcr_id`"),
        (
            NAMED.replace("dcr-0123456789abcdef0123456789abcdef", "/subscriptions/s"),
            "dcr_id",
            "immutableId",
        ),
        (
            NAMED.replace("Custom-Audit_CL", "Audit_CL"),
            "stream_name",
            "Custom-Audit_CL",
        ),
        (
            NAMED.replace("Custom-Audit_CL", "Custom-a/b"),
            "stream_name",
            "no stream",
        ),
        (
            named("record_column = \"1st\""),
            "record_column",
            "a letter, then",
        ),
        (named("columns = [\"event.action\"]"), "columns", "a letter, then"),
        (named("columns = [\"a\", \"a\"]"), "columns", "twice"),
        (named("columns = [\"Record\"]"), "columns", "twice"),
        (named("columns = [\"Type\"]"), "columns", "keeps for itself"),
        (
            named("columns = [\"TimeGenerated\"]"),
            "columns",
            "keeps for itself",
        ),
        (named("too_old = \"keep\""), "too_old", "`restamp`"),
        (named("compression = \"zstd\""), "compression", "`gzip`"),
        (named("cloud = \"mars\""), "cloud", "`usgov`"),
        (named("client_secret = \"hunter2\""), "tenant_id", "is missing"),
        (
            named("stream_nam = \"a\""),
            "stream_nam",
            "did you mean `stream_name`?",
        ),
    ] {
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn tokens_are_for_the_cloud_that_is_named() {
    for (keys, scope) in [
        ("", "https://monitor.azure.com/.default"),
        ("cloud = \"usgov\"", "https://monitor.azure.us/.default"),
        ("cloud = \"china\"", "https://monitor.azure.cn/.default"),
    ] {
        assert_eq!(monitor(keys).config.scope, scope);
    }
}

#[test]
fn every_key_of_the_list_is_a_key() {
    // What the list has and the struct lacks would be ignored without a word.
    for key in KindConfig::keys(KIND).unwrap() {
        let error = parse(&format!("{key} = [[1]]")).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
    }
}
