//! Workload identity federation and impersonation.

use serde_json::Value;

use super::super::*;
use super::fake::*;

const AUDIENCE: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";
const IMPERSONATE: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken";

fn external(source: Value) -> Value {
    json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
    })
}

/// Google's token exchange and IAM credentials API.
fn google_apis() -> Arc<Fake> {
    Fake::new(|request| match request.uri().host() {
        Some("sts.googleapis.com") => {
            let subject = field(request, "subject_token").unwrap();
            answer(
                200,
                &[],
                &json!({
                    "access_token": format!("federated.{}", subject.len()),
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                })
                .to_string(),
            )
        }
        Some("iamcredentials.googleapis.com") => {
            // Twenty minutes ahead of our clock.
            let date = [("Date", "Thu, 01 Jan 2026 00:20:00 GMT")];
            let body = json!({ "accessToken": "impersonated", "expireTime": "2026-01-01T01:20:00Z" });
            answer(200, &date, &body.to_string())
        }
        Some("provider.example") => answer(200, &[], "{\"id_token\":\"of-the-web\"}"),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_token_in_a_file_is_exchanged_and_read_anew_each_time() {
    let world = World::new(google_apis(), Fake::nobody());
    let path = world.write("subject", "of-a-file\n");
    let google = world.google_with(&external(json!({ "file": path })));
    assert_eq!(token(&google).unwrap(), "federated.9");
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", AUDIENCE),
        ("scope", SCOPE),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", "of-a-file"),
    ];
    let asked = world.web.asked();
    assert_eq!(asked[0].uri(), "https://sts.googleapis.com/v1/token");
    assert_eq!(
        form(&asked[0]),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(asked[0].headers().get(header::AUTHORIZATION), None);
    world.write("subject", "rotated");
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(token(&google).unwrap(), "federated.7");
}

#[test]
fn a_client_of_its_own_is_told_and_a_workforce_names_its_project() {
    let world = World::new(google_apis(), Fake::nobody());
    let path = world.write("subject", "{\"t\":\"abc\"}");
    let mut file = external(json!({
        "file": path,
        "format": { "type": "json", "subject_token_field_name": "t" },
    }));
    file["workforce_pool_user_project"] = json!("staff");
    assert_eq!(token(&world.google_with(&file)).unwrap(), "federated.3");
    assert_eq!(
        field(&world.web.asked()[0], "options").unwrap(),
        "{\"userProject\":\"staff\"}"
    );
    file["client_id"] = json!("me");
    file["client_secret"] = json!("hunter2");
    token(&world.google_with(&file)).unwrap();
    let asked = &world.web.asked()[1];
    assert_eq!(field(asked, "options"), None);
    // `me:hunter2`, by coreutils' base64.
    assert_eq!(asked.headers()["authorization"], "Basic bWU6aHVudGVyMg==");
    assert!(asked.headers()["authorization"].is_sensitive());
}

#[test]
fn a_token_at_a_url_is_fetched_with_its_headers() {
    let direct = Fake::new(|_| answer(200, &[], "of-link-local"));
    let world = World::new(google_apis(), direct);
    let json_format = json!({ "type": "json", "subject_token_field_name": "id_token" });
    let source = json!({ "url": "https://provider.example/token", "headers": { "X-Auth": "1" }, "format": json_format });
    assert_eq!(
        token(&world.google_with(&external(source))).unwrap(),
        "federated.10"
    );
    assert_eq!(world.web.asked()[0].headers()["x-auth"], "1");
    // A metadata service of another cloud: never by the proxy.
    let source = json!({ "url": "http://169.254.169.254/token", "headers": { "Metadata": "True" } });
    assert_eq!(
        token(&world.google_with(&external(source))).unwrap(),
        "federated.13"
    );
    assert_eq!(world.direct.asked()[0].headers()["metadata"], "True");
}

#[test]
fn what_a_header_of_the_source_says_is_in_no_error() {
    let web = Fake::new(|request| {
        let given = request.headers()["x-auth"].to_str().unwrap();
        answer(403, &[], &format!("{{\"error\":\"{given} is not welcome\"}}"))
    });
    let world = World::new(web, Fake::nobody());
    let source = json!({ "url": "https://provider.example/token", "headers": { "X-Auth": "hunter2-of-the-provider" } });
    let error = token(&world.google_with(&external(source)))
        .unwrap_err()
        .to_string();
    assert!(error.contains("[redacted] is not welcome"), "{error}");
}

#[test]
fn federation_can_end_in_a_service_account() {
    let world = World::new(google_apis(), Fake::nobody());
    let path = world.write("subject", "abc");
    let mut file = external(json!({ "file": path }));
    file["service_account_impersonation_url"] = json!(IMPERSONATE);
    file["service_account_impersonation"] = json!({ "token_lifetime_seconds": 2800 });
    let google = world.google_with(&file);
    assert_eq!(token(&google).unwrap(), "impersonated");
    let asked = world.web.asked();
    assert_eq!(field(&asked[0], "scope").as_deref(), Some(CLOUD_PLATFORM));
    assert_eq!(asked[1].uri(), IMPERSONATE);
    assert_eq!(asked[1].headers()["authorization"], "Bearer federated.3");
    assert!(asked[1].headers()["authorization"].is_sensitive());
    let body: Value = serde_json::from_slice(asked[1].body()).unwrap();
    assert_eq!(
        body,
        json!({ "scope": [SCOPE], "lifetime": "2800s", "delegates": [] })
    );
    // An hour by its own clock: ours is twenty minutes behind, which makes it no longer.
    world
        .clock
        .advance(Duration::from_secs(3600) - MARGIN - Duration::from_secs(1));
    token(&google).unwrap();
    assert_eq!(world.web.asked().len(), 2);
    world.clock.advance(Duration::from_secs(1));
    token(&google).unwrap();
    assert_eq!(world.web.asked().len(), 4);
}

#[test]
fn a_key_and_a_user_can_act_as_a_service_account() {
    for base in [service_account(PKCS8), authorized_user()] {
        let web = Fake::new(|request| match request.uri().host() {
            Some("oauth2.googleapis.com") => answer(200, &[], r#"{"access_token":"user","expires_in":3599}"#),
            _ => answer(
                200,
                &[],
                r#"{"accessToken":"impersonated","expireTime":"2026-01-01T01:00:00Z"}"#,
            ),
        });
        let world = World::new(web, Fake::nobody());
        let is_key = base["type"] == "service_account";
        let google = world.google_with(&json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url": IMPERSONATE,
            "delegates": ["x@y.iam.gserviceaccount.com"],
            "source_credentials": base,
        }));
        assert_eq!(token(&google).unwrap(), "impersonated");
        let asked = world.web.asked().pop().unwrap();
        let bearer = of(asked.headers());
        if is_key {
            assert_eq!(part(&bearer, 1)["scope"], CLOUD_PLATFORM);
        } else {
            assert_eq!(bearer, "user");
        }
        let body: Value = serde_json::from_slice(asked.body()).unwrap();
        assert_eq!(body["delegates"], json!(["x@y.iam.gserviceaccount.com"]));
        assert_eq!(body["lifetime"], "3600s");
    }
}

#[test]
fn each_step_that_fails_is_named() {
    let failing = |host: &'static str, status: u16, body: &'static str| {
        Fake::new(move |request| {
            if request.uri().host() == Some(host) {
                return answer(status, &[], body);
            }
            answer(200, &[], r#"{"access_token":"t","expires_in":3599}"#)
        })
    };
    let run = |web: Arc<Fake>, content: Option<&str>| {
        let world = World::new(web, Fake::nobody());
        let path = world.path("subject");
        if let Some(content) = content {
            world.write("subject", content);
        }
        let mut file = external(json!({ "file": path }));
        file["service_account_impersonation_url"] = json!(IMPERSONATE);
        token(&world.google_with(&file)).unwrap_err().to_string()
    };
    let denied = r#"{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED"}}"#;
    let unauthorized = r#"{"error":"unauthorized_client","error_description":"The given credential hunter2-subject is rejected"}"#;
    for (error, parts) in [
        (
            run(Fake::nobody(), None),
            ["the subject token in /", "cannot be read (entity not found)"],
        ),
        (
            run(Fake::nobody(), Some(" \n")),
            ["the subject token in /", "is empty or no text"],
        ),
        (
            run(Fake::nobody(), Some("abc")),
            [
                "the token exchange at sts.googleapis.com cannot be reached",
                "no address",
            ],
        ),
        (
            run(
                failing("sts.googleapis.com", 400, unauthorized),
                Some("hunter2-subject"),
            ),
            [
                "unauthorized_client: The given credential [redacted]",
                "the provider's conditions",
            ],
        ),
        (
            run(
                failing("iamcredentials.googleapis.com", 403, denied),
                Some("hunter2-subject"),
            ),
            [
                "impersonating a@b.iam.gserviceaccount.com: it answered 403: Permission",
                "roles/iam.serviceAccountTokenCreator",
            ],
        ),
        (
            run(
                failing("iamcredentials.googleapis.com", 200, r#"{"accessToken":"t"}"#),
                Some("s"),
            ),
            [
                "impersonating a@b.iam.gserviceaccount.com",
                "no usable `expireTime`",
            ],
        ),
    ] {
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn an_aws_identity_is_exchanged_as_a_signed_request() {
    let mut world = World::new(google_apis(), Fake::nobody());
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-aws"),
        ("AWS_SESSION_TOKEN", "session"),
        ("AWS_REGION", "eu-central-1"),
    ] {
        world.variables.push((name.to_owned(), value.to_owned()));
    }
    let google = world.google_with(&external(json!({
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    })));
    token(&google).unwrap();
    let subject = field(&world.web.asked()[0], "subject_token").unwrap();
    // The token is itself percent-encoded.
    let decoded = form(
        &Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("t={subject}").into_bytes())
            .unwrap(),
    );
    let unsent: Value = serde_json::from_str(&decoded[0].1).unwrap();
    let url = "https://sts.eu-central-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!((&unsent["url"], &unsent["method"]), (&json!(url), &json!("POST")));
    let header = |name: &str| {
        let headers = unsent["headers"].as_array().unwrap();
        let found = headers.iter().find(|header| header["key"] == name);
        found.unwrap_or_else(|| panic!("{name}"))["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(header("host"), "sts.eu-central-1.amazonaws.com");
    assert_eq!(header("x-goog-cloud-target-resource"), AUDIENCE);
    assert_eq!(header("x-amz-security-token"), "session");
    assert_eq!(header("x-amz-date"), "20260101T000000Z");
    let authorization = header("authorization");
    assert!(
        authorization
            .starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/sts/aws4_request"),
        "{authorization}"
    );
    assert!(authorization.contains("host;"), "{authorization}");
    assert!(
        authorization.contains("x-goog-cloud-target-resource"),
        "{authorization}"
    );
    assert!(!decoded[0].1.contains("hunter2"));
}

#[test]
fn the_aws_region_is_asked_of_its_metadata_service() {
    let direct = Fake::new(|request| match request.method().as_str() {
        "PUT" => answer(200, &[], "session-token"),
        _ => {
            assert_eq!(request.headers()["x-aws-ec2-metadata-token"], "session-token");
            answer(200, &[], "us-east-2c")
        }
    });
    let mut world = World::new(google_apis(), direct);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        world.variables.push((name.to_owned(), String::from("k")));
    }
    let google = world.google_with(&external(json!({
        "environment_id": "aws1",
        "region_url": "http://169.254.169.254/latest/meta-data/placement/availability-zone",
        "imdsv2_session_token_url": "http://169.254.169.254/latest/api/token",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    })));
    token(&google).unwrap();
    let subject = field(&world.web.asked()[0], "subject_token").unwrap();
    assert!(subject.contains("sts.us-east-2.amazonaws.com"), "{subject}");
}
