use super::*;

fn begun() -> Step {
    let body = "<InitiateMultipartUploadResult><UploadId>a/b+c</UploadId></InitiateMultipartUploadResult>";
    Step::Answer(
        Response::builder()
            .status(200)
            .body(body.as_bytes().to_vec())
            .unwrap(),
    )
}

fn checked(s3: &S3, steps: Vec<Step>) -> (Finding, Vec<Request<Vec<u8>>>) {
    let (transport, wire) = sender(s3, steps);
    (check::run(s3, &*transport), wire.received())
}

#[test]
fn a_check_asks_as_a_batch_does_and_stores_nothing() {
    let time = headed(403, &[("date", "Fri, 02 Jan 2026 03:04:05 GMT")]);
    let (finding, sent) = checked(&s3(FULL), vec![time, begun(), headed(204, &[])]);
    assert!(
        matches!(&finding, Finding::Ready { proven } if proven.contains("s3://audit-logs/audit/ in eu-central-1")),
        "{finding:?}"
    );
    let [look, begin, give_up] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(look.method(), Method::HEAD);
    assert_eq!(begin.method(), Method::POST);
    let base = "https://audit-logs.s3.eu-central-1.amazonaws.com/audit/auditship-check";
    assert_eq!(begin.uri().to_string(), format!("{base}?uploads"));
    assert_eq!(give_up.method(), Method::DELETE);
    assert_eq!(give_up.uri().to_string(), format!("{base}?uploadId=a%2Fb%2Bc"));
    // What is asked of the store for a batch is asked for the check as well, but what is about bytes and preconditions.
    let batch = encode(&s3(FULL));
    let about_bytes = [
        "if-none-match",
        "x-amz-checksum-sha256",
        "x-amz-sdk-checksum-algorithm",
    ];
    for (name, value) in batch.headers() {
        if !about_bytes.contains(&name.as_str()) && !name.as_str().starts_with("x-amz-meta-") {
            assert_eq!(begin.headers().get(name), Some(value), "{name}");
        }
    }
}

#[test]
fn a_check_tells_what_lacks() {
    let failed = |steps: Vec<Step>| match checked(&s3("object_tags = \"a=b\""), steps).0 {
        Finding::Failed { reason } => reason,
        other => panic!("{other:?}"),
    };
    let denied = "<Error><Code>AccessDenied</Code><Message>not authorized to perform: s3:PutObjectTagging on resource: \"x\"</Message></Error>";
    let denied = Response::builder()
        .status(403)
        .body(denied.as_bytes().to_vec())
        .unwrap();
    let reason = failed(vec![Step::Answer(denied)]);
    assert!(
        reason.ends_with(
            "the policy needs {\"Action\":[\"s3:PutObjectTagging\"],\"Effect\":\"Allow\",\
             \"Resource\":[\"arn:aws:s3:::audit-logs/*\"],\"Sid\":\"AuditshipTag\"}"
        ),
        "{reason}"
    );
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1-2";
    let denied = format!(
        "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/u is not authorized to perform: \
         kms:GenerateDataKey on resource: {key} because no identity-based policy allows it</Message></Error>"
    );
    let denied = Response::builder().status(403).body(denied.into_bytes()).unwrap();
    let reason = failed(vec![Step::Answer(denied)]);
    assert!(
        reason.ends_with(&format!(
            "the policy needs {{\"Action\":[\"kms:GenerateDataKey\",\"kms:Decrypt\"],\"Effect\":\"Allow\",\
             \"Resource\":[\"{key}\"],\"Sid\":\"AuditshipEncrypt\"}}"
        )),
        "{reason}"
    );
    let reason = failed(vec![headed(301, &[("x-amz-bucket-region", "us-west-2")])]);
    assert!(reason.contains("set `region = \"us-west-2\"`"), "{reason}");
    assert!(failed(vec![Step::Answer(answer(404, "NoSuchBucket"))]).contains("`bucket`"));
    assert!(failed(vec![Step::NoCredentials]).contains("no credentials"));
    assert!(failed(vec![headed(200, &[])]).contains("something else"));
    let skewed = SendError::NotSent {
        reason: String::from("no way"),
    };
    assert!(
        matches!(check::Check::next(&s3(""), &[Err(skewed)]), check::Step::Found(Finding::Failed { reason }) if reason.contains("no way"))
    );
    let (finding, _) = checked(&s3(""), vec![begun(), headed(403, &[])]);
    assert!(
        matches!(&finding, Finding::Reachable { open, .. } if open.contains("s3:AbortMultipartUpload") && open.contains("could not be given up")),
        "{finding:?}"
    );
}
