use super::*;

pub(super) fn encode_at(s3: &S3, lines: &Lines, now: Timestamp) -> Request<Vec<u8>> {
    let attempt = contract::attempt(s3, lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    s3.encode(&batch, &Context::at(now)).unwrap()
}

fn shown(headers: &HeaderMap) -> Vec<String> {
    let mut shown: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    shown.sort();
    shown
}

#[test]
fn a_request_creates_one_object_and_says_what_is_in_it() {
    let request = encode(&s3("compression = \"none\""));
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(
        request.uri().to_string(),
        "https://audit-logs.s3.eu-central-1.amazonaws.com/2026/01/02/03/\
         07070707070707070707070707070707-0000000000000009-00000000000000000100-00000000000000000102-000000000000feed.ndjson"
    );
    let body = b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n";
    assert_eq!(request.body(), body);
    // printf '{"a":1}\n{"b":2}\n{"c":3}\n' | sha256sum, and the same in base64.
    let hex = SHA256_HEX;
    let digest: [u8; 32] = Sha256::digest(body).into();
    assert_eq!(request.extensions().get(), Some(&BodyDigest(digest)));
    assert_eq!(request.extensions().get(), Some(&SentDigest(digest)));
    assert_eq!(
        shown(request.headers()),
        [
            String::from("content-type: application/x-ndjson"),
            String::from("if-none-match: *"),
            format!("x-amz-checksum-sha256: {SHA256_BASE64}"),
            format!("x-amz-meta-auditship-checksum: {SHA256_BASE64}"),
            String::from("x-amz-meta-auditship-earliest: 1970-01-01T00:00:00.000100000Z"),
            String::from("x-amz-meta-auditship-first: 07070707070707070707070707070707-0000000000000009-100"),
            String::from("x-amz-meta-auditship-last: 07070707070707070707070707070707-0000000000000009-102"),
            String::from("x-amz-meta-auditship-latest: 1970-01-01T00:00:00.000102000Z"),
            String::from("x-amz-meta-auditship-records: 3"),
            format!("x-amz-meta-auditship-sha256: {hex}"),
            String::from("x-amz-sdk-checksum-algorithm: SHA256"),
        ]
    );
}

const SHA256_HEX: &str = "ef1c3cd9cd7c0cf0b0b7b745afbc853d1c7eebe134f3ab5b89650ff06c431e37";
const SHA256_BASE64: &str = "7xw82c18DPCwt7dFr7yFPRx+6+E086tbiWUP8GxDHjc=";
const MD5_BASE64: &str = "Z0LA6x9RrMiAr4z9pqpCKg==";

#[test]
fn compressed_objects_are_named_and_typed_as_what_they_are() {
    for (keys, end, content_type) in [
        ("", ".ndjson.gz", "application/gzip"),
        (
            "compression = \"zstd\"\nformat = \"json_array\"",
            ".json.zst",
            "application/zstd",
        ),
        (
            "compression = \"none\"\nformat = \"json_array\"",
            ".json",
            "application/json",
        ),
    ] {
        let request = encode(&s3(keys));
        assert!(request.uri().path().ends_with(end), "{}", request.uri());
        assert_eq!(request.headers()[header::CONTENT_TYPE], content_type);
        assert_eq!(request.headers().get(header::CONTENT_ENCODING), None);
        // Of what is sent, not of the plain bytes.
        let sent = BASE64.encode(Sha256::digest(request.body()));
        assert_eq!(request.headers()["x-amz-checksum-sha256"], sent.as_str());
    }
}

#[test]
fn the_checksum_can_be_another_or_none() {
    let request = encode(&s3("compression = \"none\"\nchecksum = \"md5\""));
    assert_eq!(request.headers()["content-md5"], MD5_BASE64);
    assert_eq!(request.headers().get("x-amz-checksum-sha256"), None);
    let request = encode(&s3("checksum = \"none\""));
    assert!(
        request
            .headers()
            .keys()
            .all(|name| !name.as_str().contains("checksum") && name != "content-md5")
    );
}

#[test]
fn what_is_asked_of_the_store_is_in_the_headers() {
    let request = encode(&s3(FULL));
    let has = |line: &str| {
        let shown = shown(request.headers());
        assert!(
            shown.iter().any(|header| header == line),
            "{line} is not in {shown:#?}"
        );
    };
    has("x-amz-storage-class: STANDARD_IA");
    has("x-amz-tagging: team=sec%20ops&stage=a%2Fb");
    has("x-amz-expected-bucket-owner: 123456789012");
    has("x-amz-server-side-encryption: aws:kms");
    has("x-amz-server-side-encryption-aws-kms-key-id: 1234abcd-12ab-34cd-56ef-1234567890ab");
    has("x-amz-server-side-encryption-bucket-key-enabled: true");
    has("x-amz-object-lock-mode: COMPLIANCE");
    has("x-amz-object-lock-retain-until-date: 2026-02-01T03:04:05Z");
    has("x-amz-object-lock-legal-hold: ON");
    let context = BASE64
        .decode(&request.headers()["x-amz-server-side-encryption-context"])
        .unwrap();
    let context: serde_json::Value = serde_json::from_slice(&context).unwrap();
    assert_eq!(context, serde_json::json!({"purpose": "audit", "host": "a"}));
    assert!(request.uri().path().starts_with("/audit/2026/"));

    let headers = |keys: &str| encode(&s3(keys)).headers().clone();
    assert_eq!(
        headers("encryption = \"aes256\"")["x-amz-server-side-encryption"],
        "AES256"
    );
    assert_eq!(
        headers("encryption = \"kms_dsse\"")["x-amz-server-side-encryption"],
        "aws:kms:dsse"
    );
    let until = "object_lock = \"governance\"\nobject_lock_until = \"2033-05-06T07:08:09.5+02:00\"";
    assert_eq!(
        headers(until)["x-amz-object-lock-retain-until-date"],
        "2033-05-06T05:08:09Z"
    );
    assert_eq!(headers(until)["x-amz-object-lock-mode"], "GOVERNANCE");
}

/// A date that has passed would be refused for ever.
#[test]
fn a_batch_that_waited_longer_than_it_is_to_be_kept_is_kept_for_a_day() {
    let s3 = s3("object_lock = \"compliance\"\nobject_lock_days = 1");
    let made_at = contract::attempt(&s3, &lines()).made_at;
    let until = |now| encode_at(&s3, &lines(), now).headers()["x-amz-object-lock-retain-until-date"].clone();
    assert_eq!(until(made_at), "2026-01-03T03:04:05Z");
    let month = std::time::Duration::from_secs(30 * 86_400);
    assert_eq!(until(made_at.plus(month)), "2026-02-02T03:04:05Z");
}

#[test]
fn a_stored_record_can_be_found() {
    let lines = lines();
    let query = |s3: &S3| {
        let attempt = Attempt {
            name: String::from("a/b.gz"),
            ..contract::attempt(s3, &lines)
        };
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        s3.query(&batch)
    };
    assert_eq!(
        query(&s3("")),
        "aws s3 cp s3://audit-logs/a/b.gz - --region eu-central-1 | gzip -dc | grep '\"seq\":100}'"
    );
    assert_eq!(
        query(&s3("endpoint = \"https://ceph.example\"\ncompression = \"none\"")),
        "aws s3 cp s3://audit-logs/a/b.gz - --region eu-central-1 --endpoint-url https://ceph.example/ | grep '\"seq\":100}'"
    );
}
