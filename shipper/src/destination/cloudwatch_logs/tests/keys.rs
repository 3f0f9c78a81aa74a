//! What is written in a configuration.

use super::*;

#[test]
fn a_group_and_a_region_are_enough() {
    let config = config("");
    assert_eq!(
        (config.group.as_str(), config.stream.as_str()),
        ("/audit/x", "web-1")
    );
    assert_eq!(config.creation, None);
    assert_eq!(config.too_old, TooOld::DeadLetter);
    assert_eq!(config.compression, Compression::None);
    assert_eq!(
        cloudwatch("").target(),
        "log stream web-1 of /audit/x in eu-central-1 (https://logs.eu-central-1.amazonaws.com/)"
    );
}

#[test]
fn names_of_the_longest_and_oddest_kind_are_taken() {
    let group = format!("{}/#._-Az9", "x".repeat(504));
    let stream = "ä".repeat(512);
    let keys = format!("log_group_name = \"{group}\"\nlog_stream_name = \"{stream}\"");
    let config = parse(&keys).unwrap();
    assert_eq!((config.group, config.stream), (group, stream));
    assert!(parse("log_group_name = \"/aws/lambda/x\"").is_ok());
    assert_eq!(
        super::config("log_stream_name = \"a/[$x]/${hostname}\"").stream,
        "a/[$x]/web-1"
    );
}

#[test]
fn what_cannot_be_used_is_named_with_its_key() {
    for (keys, key, said) in [
        ("", "log_group_name", "is missing: set it to the log group"),
        ("log_group_name = ''", "log_group_name", "has 0 characters"),
        ("log_group_name = 'a b'", "log_group_name", "has ' ' in it"),
        ("log_group_name = 'a:b'", "log_group_name", "has ':' in it"),
        ("log_group_name = 'ä'", "log_group_name", "has 'ä' in it"),
        (
            "log_group_name = 'aws/x'",
            "log_group_name",
            "which AWS keeps for itself",
        ),
        ("log_group_name = '{hostname'", "log_group_name", "has no `}`"),
        (
            "log_group_name = '{host}'",
            "log_group_name",
            "there is no placeholder `{host}`",
        ),
        (
            "log_group_name = '{env:NONE}'",
            "log_group_name",
            "NONE is not set",
        ),
        (
            "log_group_name = 'g'\nlog_stream_name = 'a:b'",
            "log_stream_name",
            "has ':' in it",
        ),
        (
            "log_group_name = 'g'\nlog_stream_name = 'a*'",
            "log_stream_name",
            "has '*' in it",
        ),
        (
            "log_group_name = 'g'\nlog_stream_name = \"a\\nb\"",
            "log_stream_name",
            "has '\\n' in it",
        ),
        (
            "log_group_name = 'g'\nlog_stream_name = ''",
            "log_stream_name",
            "has 0 characters",
        ),
        (
            "log_group_name = 'g'\nlog_retention_days = 30",
            "log_retention_days",
            "set `auto_create_group = true`",
        ),
        (
            "log_group_name = 'g'\nkms_key_id = 'k'",
            "kms_key_id",
            "set `auto_create_group = true`",
        ),
        (
            "log_group_name = 'g'\nlog_group_tags = 'k=v'",
            "log_group_tags",
            "set `auto_create_group = true`",
        ),
        (
            "log_group_name = 'g'\ndeletion_protection = true",
            "deletion_protection",
            "set `auto_create_group",
        ),
        (
            "log_group_name = 'g'\nauto_create_group = true\nlog_retention_days = 13",
            "log_retention_days",
            "1, 3, 5",
        ),
        (
            "log_group_name = 'g'\nauto_create_group = true\nlog_retention_days = -1",
            "log_retention_days",
            "-1 days",
        ),
        (
            "log_group_name = 'g'\nauto_create_group = true\nkms_key_id = 'alias/a'",
            "kms_key_id",
            "is no key's ARN",
        ),
        (
            "log_group_name = 'g'\nauto_create_group = true\nlog_group_tags = 'a'",
            "log_group_tags",
            "has no `=`",
        ),
        (
            "log_group_name = 'g'\nauto_create_group = true\nlog_group_tags = 'a=1,a=2'",
            "log_group_tags",
            "twice",
        ),
        (
            "log_group_name = 'g'\nauto_create_group = true\nlog_group_tags = 'aws:a=1'",
            "log_group_tags",
            "is no tag",
        ),
        (
            "log_group_name = 'g'\ntoo_old = 'drop'",
            "too_old",
            "`dead_letter` or `restamp`",
        ),
        (
            "log_group_name = 'g'\nmax_event_bytes = '2MiB'",
            "max_event_bytes",
            "to 1048550",
        ),
        (
            "log_group_name = 'g'\nmax_event_bytes = '1B'",
            "max_event_bytes",
            "from 1024",
        ),
        (
            "log_group_name = 'g'\ncompression = 'zstd'",
            "compression",
            "does not understand `zstd`",
        ),
        (
            "log_group_name = 'g'\ncompression_level = 3",
            "compression_level",
            "`compression` is `none`",
        ),
        ("log_group_name = 'g'\nregion = 'EU'", "region", "is no region"),
        (
            "log_group_name = 'g'\nendpoint = 'http://logs.example'",
            "endpoint",
            "in the clear",
        ),
        (
            "log_group_name = 'g'\nlog_group = 'h'",
            "log_group",
            "did you mean `log_group_name`",
        ),
        ("log_group_name = 7", "log_group_name", "expected a string"),
    ] {
        let error = parse(keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(said), "{keys}: {error}");
    }
}

#[test]
fn a_name_may_have_512_characters_and_no_more() {
    let group = |length: usize| parse(&format!("log_group_name = \"{}\"", "g".repeat(length)));
    assert!(group(512).is_ok() && group(513).is_err());
}

#[test]
fn a_retention_of_nothing_is_for_ever() {
    let config = config("auto_create_group = true\nlog_retention_days = 0");
    assert_eq!(config.creation.unwrap().retention_days, None);
}

#[test]
fn the_endpoint_is_that_of_the_partition_or_the_given_one() {
    for (keys, url) in [
        ("", "https://logs.eu-central-1.amazonaws.com/"),
        ("use_fips = true", "https://logs-fips.eu-central-1.amazonaws.com/"),
        ("use_dual_stack = true", "https://logs.eu-central-1.api.aws/"),
        (
            "region = \"cn-north-1\"",
            "https://logs.cn-north-1.amazonaws.com.cn/",
        ),
        (
            "endpoint = \"https://vpce-1.logs.eu-central-1.vpce.amazonaws.com\"",
            "https://vpce-1.logs.eu-central-1.vpce.amazonaws.com/",
        ),
    ] {
        assert_eq!(config(keys).endpoint.to_string(), url);
    }
}
