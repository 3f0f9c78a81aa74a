use super::*;

#[test]
fn hosts_are_those_that_aws_documents() {
    let standard = "https://audit-logs.s3.eu-central-1.amazonaws.com";
    for (keys, bucket) in [
        ("", standard),
        (
            "path_style = true",
            "https://s3.eu-central-1.amazonaws.com/audit-logs",
        ),
        (
            "use_fips = true\nregion = \"us-east-1\"",
            "https://audit-logs.s3-fips.us-east-1.amazonaws.com",
        ),
        (
            "use_dual_stack = true",
            "https://audit-logs.s3.dualstack.eu-central-1.amazonaws.com",
        ),
        (
            "use_fips = true\nuse_dual_stack = true\nregion = \"us-gov-west-1\"",
            "https://audit-logs.s3-fips.dualstack.us-gov-west-1.amazonaws.com",
        ),
        (
            "region = \"cn-north-1\"",
            "https://audit-logs.s3.cn-north-1.amazonaws.com.cn",
        ),
        (
            "region = \"eusc-de-east-1\"",
            "https://audit-logs.s3.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "endpoint = \"https://ceph.example:8443/\"",
            "https://ceph.example:8443/audit-logs",
        ),
        (
            "endpoint = \"https://gate.example/s3\"",
            "https://gate.example/s3/audit-logs",
        ),
        (
            "endpoint = \"https://ceph.example\"\npath_style = false",
            "https://audit-logs.ceph.example",
        ),
    ] {
        assert_eq!(s3(keys).config.address.bucket(), bucket, "{keys}");
    }
    let dotted = parse("bucket = \"audit.example.com\"").unwrap();
    assert_eq!(
        dotted.address.bucket(),
        "https://s3.eu-central-1.amazonaws.com/audit.example.com"
    );
    let set = Environment::from([
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_S3", "https://here.example"),
    ]);
    let config = parse_in("bucket = \"abc\"", &set).unwrap();
    assert_eq!(config.address.bucket(), "https://here.example/abc");
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let bucket = |name: &str| format!("bucket = \"{name}\"");
    let with_bucket = |keys: &str| format!("bucket = \"audit-logs\"\n{keys}");
    let long = "x".repeat(64);
    let cases = [
        (String::new(), "bucket", "is missing"),
        (bucket("ab"), "bucket", "3 to 63"),
        (bucket(&long), "bucket", "3 to 63"),
        (bucket("Audit"), "bucket", "lower-case"),
        (bucket("au_dit"), "bucket", "lower-case"),
        (bucket("-audit"), "bucket", "begin and end"),
        (bucket("audit."), "bucket", "begin and end"),
        (bucket("au..dit"), "bucket", "two dots"),
        (bucket("192.168.5.4"), "bucket", "IP address"),
        (bucket("xn--audit"), "bucket", "keeps for itself"),
        (bucket("audit--use1-az4--x-s3"), "bucket", "directory"),
        (bucket("s3://audit"), "bucket", "`prefix`"),
        (bucket("audit/logs"), "bucket", "`prefix`"),
        (bucket("arn:aws:s3:::audit"), "bucket", "alias"),
        (with_bucket("checksum = \"crc\""), "checksum", "`sha256`"),
        (
            with_bucket("checksum = \"none\"\nobject_lock = \"compliance\"\nobject_lock_days = 1"),
            "checksum",
            "Object Lock needs",
        ),
        (
            with_bucket("checksum = \"none\"\nlegal_hold = true"),
            "checksum",
            "Object Lock needs",
        ),
        (
            with_bucket("object_lock = \"strict\"\nobject_lock_days = 1"),
            "object_lock",
            "`governance`",
        ),
        (
            with_bucket("object_lock = \"compliance\""),
            "object_lock_days",
            "is missing",
        ),
        (
            with_bucket("object_lock_days = 3"),
            "object_lock_days",
            "`object_lock`",
        ),
        (
            with_bucket("object_lock = \"compliance\"\nobject_lock_days = 0"),
            "object_lock_days",
            "between",
        ),
        (
            with_bucket("object_lock = \"compliance\"\nobject_lock_days = 36501"),
            "object_lock_days",
            "between",
        ),
        (
            with_bucket("object_lock = \"compliance\"\nobject_lock_until = \"tomorrow\""),
            "object_lock_until",
            "RFC 3339",
        ),
        (
            with_bucket(
                "object_lock = \"compliance\"\nobject_lock_days = 1\nobject_lock_until = \"2033-01-01T00:00:00Z\"",
            ),
            "object_lock_until",
            "exclude",
        ),
        (with_bucket("encryption = \"aws:kms\""), "encryption", "`kms`"),
        (
            with_bucket("kms_key_id = \"alias/a\""),
            "kms_key_id",
            "`encryption",
        ),
        (
            with_bucket("encryption = \"aes256\"\nbucket_key = true"),
            "bucket_key",
            "`encryption",
        ),
        (
            with_bucket("encryption = \"kms\"\nkms_key_id = \"\""),
            "kms_key_id",
            "ARN",
        ),
        (
            with_bucket("encryption = \"kms\"\nencryption_context = \"a\""),
            "encryption_context",
            "name=value",
        ),
        (
            with_bucket("encryption = \"kms_dsse\"\nbucket_key = true"),
            "bucket_key",
            "kms_dsse",
        ),
        (
            with_bucket("storage_class = \"glacier\""),
            "storage_class",
            "STANDARD_IA",
        ),
        (with_bucket("object_tags = \"a\""), "object_tags", "name=value"),
        (with_bucket("object_tags = \"a=1,a=2\""), "object_tags", "twice"),
        (
            with_bucket("object_tags = \"a=b&c\""),
            "object_tags",
            "may not be",
        ),
        (
            with_bucket("object_tags = \"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1\""),
            "object_tags",
            "at most 10",
        ),
        (
            with_bucket("expected_bucket_owner = \"1234\""),
            "expected_bucket_owner",
            "twelve",
        ),
        (with_bucket("key = \"{yyyy}\""), "key", "{nonce}"),
        (with_bucket("key_preset = \"vector\""), "key_preset", "`harness`"),
        (
            with_bucket("key_preset = \"harness\"\nkey = \"{nonce}\""),
            "key_preset",
            "exclude",
        ),
        (with_bucket("prefix = \"/a\""), "prefix", "begin or end"),
        (
            with_bucket("endpoint = \"http://ceph.example\""),
            "endpoint",
            "in the clear",
        ),
        (
            with_bucket("endpoint = \"https://ceph.example/?a=b\""),
            "endpoint",
            "`?`",
        ),
        (
            with_bucket("use_fips = true\nregion = \"cn-north-1\""),
            "use_fips",
            "China",
        ),
        (with_bucket("region = \"EU\""), "region", "eu-central-1"),
        (
            with_bucket("buckets = \"a\""),
            "buckets",
            "did you mean `bucket`?",
        ),
    ];
    for (keys, key, part) in &cases {
        let error = parse(keys).unwrap_err();
        assert_eq!(error.key(), *key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
    let error = parse_in("bucket = \"abc\"", &Environment::empty()).unwrap_err();
    assert_eq!(error.key(), "region");
}

#[test]
fn every_key_of_the_list_is_a_key() {
    // What the list has and the struct lacks would be ignored without a word.
    for key in KindConfig::keys(KIND).unwrap() {
        let error = parse(&format!("{key} = [[1]]")).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
    }
}

#[test]
fn permissions_are_those_that_the_configuration_needs() {
    let actions = |keys: &str| match s3(keys).permissions() {
        Permissions::Aws(statements) => statements
            .iter()
            .map(|statement| {
                format!(
                    "{} {}",
                    statement.actions.join("+"),
                    statement.resources.join(" ")
                )
            })
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        actions("region = \"cn-north-1\""),
        [
            "s3:PutObject arn:aws-cn:s3:::audit-logs/*",
            "s3:AbortMultipartUpload arn:aws-cn:s3:::audit-logs/*"
        ]
    );
    let objects = "arn:aws:s3:::audit-logs/audit/*";
    assert_eq!(
        actions(FULL),
        [
            format!("s3:PutObject {objects}"),
            format!("s3:PutObjectTagging {objects}"),
            format!("s3:PutObjectRetention {objects}"),
            format!("s3:PutObjectLegalHold {objects}"),
            format!("s3:AbortMultipartUpload {objects}"),
            String::from(
                "kms:GenerateDataKey+kms:Decrypt arn:aws:kms:eu-central-1:*:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            ),
        ]
    );
    for (key, resource) in [
        ("arn:aws:kms:eu-west-1:1:key/a", "arn:aws:kms:eu-west-1:1:key/a"),
        ("alias/audit", "arn:aws:kms:eu-central-1:*:key/*"),
        (
            "arn:aws:kms:eu-west-1:1:alias/audit",
            "arn:aws:kms:eu-west-1:1:key/*",
        ),
    ] {
        let actions = actions(&format!("encryption = \"kms\"\nkms_key_id = \"{key}\""));
        assert!(
            actions.last().unwrap().ends_with(&format!(" {resource}")),
            "{actions:?}"
        );
    }
}
