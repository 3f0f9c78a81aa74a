use super::*;

/// Sends a batch; gives what its answer means, and the requests as they went out.
fn send(s3: &S3, steps: Vec<Step>) -> (Outcome, Vec<Request<Vec<u8>>>) {
    let (transport, wire) = sender(s3, steps);
    let lines = lines();
    let attempt = contract::attempt(s3, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let request = s3.encode(&batch, &Context::at(Timestamp(0))).unwrap();
    let response = transport.send(&request).unwrap();
    (s3.decode(&batch, &response), wire.received())
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Exists { reason }
        | Outcome::Taken { reason }
        | Outcome::Unavailable { reason, .. }
        | Outcome::Auth { reason }
        | Outcome::Config { reason }
        | Outcome::Unclear { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_and_questions_are_signed() {
    let (outcome, sent) = send(
        &s3(FULL),
        vec![Step::Answer(answer(412, "PreconditionFailed")), headed(403, &[])],
    );
    assert_eq!(contract::class(&outcome), Class::Exists);
    let [put, head] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!((head.method(), head.uri()), (&Method::HEAD, put.uri()));
    assert_eq!(head.headers()["x-amz-expected-bucket-owner"], "123456789012");
    for request in [put, head] {
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(
            authorization.contains("Credential=AKIDEXAMPLE/20260102/eu-central-1/s3/aws4_request"),
            "{authorization}"
        );
        // AWS refuses a request with a header of its own that is not signed.
        let (_, signed) = authorization.split_once("SignedHeaders=").unwrap();
        let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
        for name in request
            .headers()
            .keys()
            .filter(|name| name.as_str().starts_with("x-amz-"))
        {
            assert!(signed.contains(&name.as_str()), "{name} is not signed");
        }
    }
    let SentDigest(digest) = *put.extensions().get().unwrap();
    assert_eq!(
        put.headers()["x-amz-content-sha256"],
        crate::hex::hex(&digest).to_string().as_str()
    );
}

#[test]
fn a_name_that_is_taken_is_looked_at() {
    let ours = encode(&s3("")).headers()["x-amz-meta-auditship-sha256"]
        .to_str()
        .unwrap()
        .to_owned();
    let other = "0".repeat(64);
    for (head, class, words) in [
        (
            headed(200, &[("x-amz-meta-auditship-sha256", &ours)]),
            Class::Stored,
            "",
        ),
        (
            headed(200, &[("x-amz-meta-auditship-sha256", &other)]),
            Class::Taken,
            "another batch",
        ),
        (headed(200, &[]), Class::Taken, "not written by auditship"),
        (headed(403, &[]), Class::Exists, "`s3:GetObject` would allow it"),
        (headed(404, &[]), Class::Exists, "404"),
        (headed(503, &[]), Class::Unavailable, "503"),
        (headed(429, &[]), Class::Unavailable, "429"),
        (Step::NotSent, Class::Unavailable, "as scripted"),
        (Step::Swallowed, Class::Unavailable, "as scripted"),
    ] {
        let (outcome, _) = send(
            &s3(""),
            vec![Step::Answer(answer(412, "PreconditionFailed")), head],
        );
        assert_eq!(contract::class(&outcome), class, "{outcome:?}");
        if class != Class::Stored {
            assert!(reason(&outcome).contains(words), "{outcome:?}");
        }
    }
}

/// What an object says of itself came with it; what the store tells of its bytes did not.
#[test]
fn a_name_that_has_other_bytes_is_not_this_batch_whatever_its_metadata_says() {
    let put = encode(&s3(""));
    let header = |name: &str| put.headers()[name].to_str().unwrap().to_owned();
    let (digest, sum) = (
        header("x-amz-meta-auditship-sha256"),
        header("x-amz-checksum-sha256"),
    );
    assert_eq!(header("x-amz-meta-auditship-checksum"), sum);
    let sum = sum.as_str();
    for (came_with, stored, class) in [
        (sum, sum, Class::Stored),
        (sum, "AAAA", Class::Taken),
        // The same records as an earlier sending compressed them.
        ("AAAA", "AAAA", Class::Stored),
    ] {
        let told = [
            ("x-amz-meta-auditship-sha256", digest.as_str()),
            ("x-amz-meta-auditship-checksum", came_with),
            ("x-amz-checksum-sha256", stored),
        ];
        let (outcome, sent) = send(
            &s3(""),
            vec![
                Step::Answer(answer(412, "PreconditionFailed")),
                headed(200, &told),
            ],
        );
        assert_eq!(contract::class(&outcome), class, "{outcome:?}");
        assert_eq!(sent[1].headers()["x-amz-checksum-mode"], "ENABLED");
    }
}

#[test]
fn another_region_is_named_whoever_tells_it() {
    let right = [("x-amz-bucket-region", "us-west-2")];
    let permanent = || Step::Answer(answer(301, "PermanentRedirect"));
    for (steps, requests) in [
        (vec![headed(301, &right)], 1),
        (vec![Step::Answer(answer(400, "AuthorizationHeaderMalformed"))], 1),
        (vec![permanent(), headed(403, &right)], 2),
        (vec![permanent(), headed(301, &right)], 2),
    ] {
        let (outcome, sent) = send(&s3(""), steps);
        assert_eq!(contract::class(&outcome), Class::Config);
        assert!(
            reason(&outcome).starts_with(
                "the bucket audit-logs is in us-west-2, not in eu-central-1: set `region = \"us-west-2\"`"
            ),
            "{outcome:?}"
        );
        assert_eq!(sent.len(), requests);
        if let Some(question) = sent.get(1) {
            assert_eq!(question.method(), Method::HEAD);
            assert_eq!(
                question.uri(),
                "https://audit-logs.s3.eu-central-1.amazonaws.com/"
            );
        }
    }
    // Nobody tells it, or what is told is no region.
    for steps in [
        vec![permanent(), headed(403, &[])],
        vec![permanent(), Step::NotSent],
        vec![headed(301, &[("x-amz-bucket-region", "<b>")]), headed(403, &[])],
    ] {
        let (outcome, _) = send(&s3(""), steps);
        assert!(
            reason(&outcome).contains("check `region` and `endpoint`"),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_checksum_that_is_not_ours_is_not_stored() {
    let ours = encode(&s3("")).headers()["x-amz-checksum-sha256"]
        .to_str()
        .unwrap()
        .to_owned();
    for (stored, class) in [(ours.as_str(), Class::Stored), ("AAAA", Class::Taken)] {
        let step = headed(200, &[("etag", "\"0\""), ("x-amz-checksum-sha256", stored)]);
        let (outcome, _) = send(&s3(""), vec![step]);
        assert_eq!(contract::class(&outcome), class, "{outcome:?}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let skewed = with(
        answer(403, "RequestTimeTooSkewed"),
        ClockSkew {
            ahead: 1_200_000_000_000,
        },
    );
    let denied = |words: &str| {
        let body = format!("<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>");
        Response::builder().status(403).body(body.into_bytes()).unwrap()
    };
    let decode = |response: &Response<Vec<u8>>| {
        let outcome = decode::decode(&s3(FULL).config, "name", response);
        reason(&outcome).to_owned()
    };
    for (response, words) in [
        (
            skewed,
            "this host's clock is 20 min behind the receiver's: set it right (NTP)",
        ),
        (
            with(
                denied("Access Denied"),
                ClockSkew {
                    ahead: 180_000_000_000,
                },
            ),
            "allow s3:PutObject on arn:aws:s3:::audit-logs/audit/*",
        ),
        (
            with(
                denied("Access Denied"),
                ClockSkew {
                    ahead: 180_000_000_000,
                },
            ),
            "; this host's clock is 3 min behind",
        ),
        (answer(403, "SignatureDoesNotMatch"), "secret access key"),
        (answer(403, "InvalidAccessKeyId"), "access key id does not exist"),
        (answer(400, "ExpiredToken"), "renew the credentials"),
        (
            denied(
                "User: arn:aws:iam::1:user/a is not authorized to perform: s3:PutObjectTagging on resource: x",
            ),
            "(allow s3:PutObjectTagging on arn:aws:s3:::audit-logs/audit/*, and see whether the bucket belongs",
        ),
        (
            denied("Access Denied"),
            "allow s3:PutObject on arn:aws:s3:::audit-logs/audit/*; s3:PutObjectTagging on",
        ),
        (answer(400, "KMS.DisabledException"), "check `kms_key_id`"),
        (answer(501, "NotImplemented"), "`If-None-Match`"),
    ] {
        let reason = decode(&response);
        assert!(reason.contains(words), "{words} is not in {reason}");
    }
}
