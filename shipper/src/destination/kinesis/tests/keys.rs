//! What is written in a configuration.

use super::*;

#[test]
fn a_stream_and_a_region_are_enough() {
    let config = config("");
    assert_eq!(config.stream.member(), ("StreamName", "audit"));
    assert_eq!(
        (config.order, config.aggregation),
        (Order::None, Aggregation::None)
    );
    assert_eq!(
        (config.partition_key, config.shards, config.max_record_bytes),
        (None, None, None)
    );
    assert_eq!(
        kinesis("").target(),
        "stream audit in eu-central-1 (https://kinesis.eu-central-1.amazonaws.com/)"
    );
}

#[test]
fn what_cannot_be_used_is_named_with_its_key() {
    let arn = |rest: &str| format!("stream_arn = \"arn:aws:{rest}\"");
    for (keys, key, said) in [
        (String::new(), "stream", "is missing: set it to the stream's name"),
        ("stream = ''".into(), "stream", "has 0 bytes"),
        (
            format!("stream = '{}'", "a".repeat(129)),
            "stream",
            "has 129 bytes",
        ),
        ("stream = 'a b'".into(), "stream", "has ' ' in it"),
        (
            "stream = 'a'\nstream_arn = 'b'".into(),
            "stream_arn",
            "remove `stream`",
        ),
        (
            arn("kinesis:eu-central-1:1:stream/a"),
            "stream_arn",
            "is no stream's ARN",
        ),
        (
            arn("s3:eu-central-1:123456789012:stream/a"),
            "stream_arn",
            "is no stream's ARN",
        ),
        (
            arn("kinesis:eu-central-1:123456789012:a"),
            "stream_arn",
            "is no stream's ARN",
        ),
        (
            arn("kinesis:eu-central-1:123456789012:stream/"),
            "stream_arn",
            "has 0 bytes",
        ),
        (
            arn("kinesis:eu-west-1:123456789012:stream/a"),
            "stream_arn",
            "is of eu-west-1, but `region` is eu-central-1",
        ),
        (
            "stream = 'a'\norder = 'partition_key'".into(),
            "order",
            "set `partition_key` to a field",
        ),
        (
            "stream = 'a'\norder = 'strict'".into(),
            "order",
            "use `none` or `partition_key`",
        ),
        (
            "stream = 'a'\naggregation = 'kpl'".into(),
            "aggregation",
            "use `none` or `ndjson`",
        ),
        (
            "stream = 'a'\npartition_key = 'a..b'".into(),
            "partition_key",
            "is no field",
        ),
        (
            "stream = 'a'\npartition_key = ''".into(),
            "partition_key",
            "is no field",
        ),
        ("stream = 'a'\nshards = 0".into(), "shards", "use 1 to 1000000"),
        (
            "stream = 'a'\nmax_record_bytes = '512KiB'".into(),
            "max_record_bytes",
            "1MiB to 10MiB",
        ),
        (
            "stream = 'a'\nmax_record_bytes = '11MiB'".into(),
            "max_record_bytes",
            "1MiB to 10MiB",
        ),
        (
            "stream = 'a'\nstream_name = 'h'".into(),
            "stream_name",
            "has no such key",
        ),
        (
            "stream = 'a'\nendpoint = 'http://k.example'".into(),
            "endpoint",
            "in the clear",
        ),
    ] {
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        if key != "stream_name" {
            assert!(error.to_string().contains(said), "{keys}: {error}");
        }
    }
}

#[test]
fn the_endpoint_is_that_of_the_partition_or_the_given_one() {
    let of = |keys: &str| parse(keys).unwrap().endpoint.to_string();
    for (keys, url) in [
        ("", "https://kinesis.eu-central-1.amazonaws.com/"),
        (
            "use_fips = true",
            "https://kinesis-fips.eu-central-1.amazonaws.com/",
        ),
        ("use_dual_stack = true", "https://kinesis.eu-central-1.api.aws/"),
        (
            "region = \"cn-north-1\"",
            "https://kinesis.cn-north-1.amazonaws.com.cn/",
        ),
        ("endpoint = \"https://a.example\"", "https://a.example/"),
    ] {
        assert_eq!(of(&format!("stream = \"a\"\n{keys}")), url);
    }
    let arn = format!("stream_arn = \"{ARN}\"\n");
    assert_eq!(
        of(&format!("{arn}use_fips = true")),
        "https://210987654321.data-kinesis-fips.eu-central-1.amazonaws.com/"
    );
    assert_eq!(
        of(&format!("{arn}use_dual_stack = true")),
        "https://210987654321.data-kinesis.eu-central-1.api.aws/"
    );
}
