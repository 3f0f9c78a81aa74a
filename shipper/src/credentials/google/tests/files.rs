//! Files that cannot be used: what is said of each.

use serde_json::Value;

use super::super::file::parse;
use super::super::*;
use super::fake::*;

/// `base` with one field changed, or taken out.
fn with(base: Value, field: &str, value: Value) -> String {
    let mut base = base;
    let mut at = &mut base;
    for part in field.split('.') {
        at = &mut at[part];
    }
    *at = value;
    base.to_string()
}

fn external(source: Value) -> Value {
    json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
    })
}

fn impersonated() -> Value {
    json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
        "source_credentials": authorized_user(),
    })
}

#[test]
fn every_fault_is_named_by_its_field_and_shows_nothing() {
    let ec = "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n";
    let der = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for (content, part) in [
        (String::new(), "is not JSON (line 1, column 0)"),
        (String::from("{\"hunter2\": hunter2}"), "is not JSON (line 1"),
        (String::from("[]"), "is no JSON object"),
        (String::from("{}"), "`type` is missing or empty"),
        (String::from("{\"type\": 5}"), "`type` is no text"),
        (
            String::from("{\"type\": \"gdch_service_account\"}"),
            "`type` is `gdch_service_account`, which is not supported",
        ),
        (
            with(service_account(PKCS8), "client_email", Value::Null),
            "`client_email` is missing",
        ),
        (
            with(service_account(PKCS8), "client_email", json!("")),
            "`client_email` is missing or empty",
        ),
        (
            with(service_account(PKCS8), "private_key", Value::Null),
            "`private_key` is missing",
        ),
        (
            with(service_account(PKCS8), "private_key", json!("hunter2")),
            "`private_key` is no PEM private key",
        ),
        (
            with(service_account(PKCS8), "private_key", json!(ec)),
            "`private_key` is no RSA key",
        ),
        (
            with(service_account(PKCS8), "private_key", json!(der)),
            "`private_key` is no RSA key of 2048 bits",
        ),
        (
            with(service_account(PKCS8), "project_id", json!(1)),
            "`project_id` is no text",
        ),
        (
            with(authorized_user(), "refresh_token", Value::Null),
            "`refresh_token` is missing",
        ),
        (
            with(authorized_user(), "client_secret", Value::Null),
            "`client_secret` is missing",
        ),
        (
            with(authorized_user(), "client_id", Value::Null),
            "`client_id` is missing",
        ),
        (
            with(
                authorized_user(),
                "token_uri",
                json!("http://tokens.example/hunter2"),
            ),
            "`token_uri`: http:// would send",
        ),
        (
            with(impersonated(), "source_credentials", Value::Null),
            "`source_credentials` is missing",
        ),
        (
            with(impersonated(), "source_credentials", impersonated()),
            "`source_credentials` impersonates itself",
        ),
        (
            with(impersonated(), "source_credentials.refresh_token", Value::Null),
            "`source_credentials.refresh_token` is missing",
        ),
        (
            with(impersonated(), "delegates", json!("a")),
            "`delegates` is no list",
        ),
        (
            with(impersonated(), "service_account_impersonation_url", Value::Null),
            "`service_account_impersonation_url` is missing",
        ),
        (
            external(Value::Null).to_string(),
            "`credential_source` is missing",
        ),
        (
            external(json!({})).to_string(),
            "`credential_source` names no source",
        ),
        (
            external(json!({"executable": {"command": "/bin/true"}})).to_string(),
            "`credential_source.executable` is not supported",
        ),
        (
            external(json!({"certificate": {}})).to_string(),
            "`credential_source.certificate` is not supported",
        ),
        (
            external(json!({"file": "token"})).to_string(),
            "`credential_source.file` is not an absolute path",
        ),
        (
            external(json!({"url": "ftp://a/"})).to_string(),
            "`credential_source.url` begins with neither",
        ),
        (
            external(json!({"url": "http://a/", "headers": {"a b": "c"}})).to_string(),
            "no usable header `a b`",
        ),
        (
            external(json!({"file": "/t", "format": {"type": "xml"}})).to_string(),
            "`format.type` is neither",
        ),
        (
            external(json!({"file": "/t", "format": {"type": "json"}})).to_string(),
            "`format.subject_token_field_name` is missing",
        ),
        (
            external(json!({"environment_id": "aws2"})).to_string(),
            "is not `aws1`",
        ),
        (
            external(
                json!({"environment_id": "aws1", "regional_cred_verification_url": "https://evil.example/"}),
            )
            .to_string(),
            "does not begin with `https://sts.`",
        ),
        (
            with(
                external(json!({"file": "/t"})),
                "token_url",
                json!("http://sts.example/"),
            ),
            "`token_url`: http:// would send",
        ),
        (
            with(external(json!({"file": "/t"})), "audience", Value::Null),
            "`audience` is missing",
        ),
        (
            with(
                external(json!({"file": "/t"})),
                "service_account_impersonation",
                json!({"token_lifetime_seconds": 1}),
            ),
            "`service_account_impersonation.token_lifetime_seconds` is no number of seconds from 600",
        ),
    ] {
        let error = parse(content.as_bytes())
            .err()
            .unwrap_or_else(|| panic!("{content} is taken"));
        assert!(error.contains(part), "{content}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_one_is_not_read_whole() {
    let world = World::new(Fake::nobody(), Fake::nobody());
    let path = world.write("large.json", &" ".repeat(300 * 1024));
    let (_, reason) = refused(token(&world.google(Some(path))).unwrap_err());
    assert!(reason.contains("larger than"), "{reason}");
    let (_, reason) = refused(token(&world.google(Some(world.folder.path().to_owned()))).unwrap_err());
    assert!(reason.contains("cannot be read"), "{reason}");
}
