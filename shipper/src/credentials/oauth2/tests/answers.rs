//! What is asked and what answers mean, by the table of `answer.rs` and RFC 6749.

use ::http::StatusCode;

use super::*;
use crate::transport::scripted::{ScriptedTransport, Step};

fn response(status: u16, body: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(body.as_bytes().to_vec());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn granted(status: u16, body: &str) -> Result<answer::Granted, CredentialError> {
    let secret = Exposed::new(String::from("hunter2 x"));
    answer::granted(&response(status, body), "the server", &[&secret], NOW)
}

#[test]
fn a_life_is_told_in_several_ways_or_not_at_all() {
    for (told, seconds) in [
        (",\"expires_in\":3599", 3599),
        (",\"expires_in\":\"3599\"", 3599),
        (",\"expires_in\":3599.0", 3599),
        (",\"expires_in\":0", 0),
        ("", 300),
        (",\"expires_in\":null", 300),
        (",\"expires_in\":\"soon\"", 300),
        (",\"expires_in\":-1", 300),
        (",\"expires_in\":1e300", 300),
    ] {
        let granted = granted(
            200,
            &format!("{{\"access_token\":\"a\",\"token_type\":\"bearer\"{told}}}"),
        )
        .unwrap();
        assert_eq!(
            granted.access.until,
            Some(NOW.plus(Duration::from_secs(seconds))),
            "{told}"
        );
        assert_eq!((granted.access.value.value(), granted.refresh), ("a", None));
    }
}

#[test]
fn what_grants_nothing_is_told_apart() {
    for (status, body, advice) in [
        (400, "{\"error\":\"invalid_grant\"}", "auditship oauth2 login"),
        (401, "{\"error\":\"invalid_client\"}", "`oauth_client_secret`"),
        (
            400,
            "{\"error\":\"unauthorized_client\"}",
            "`oauth_client_secret`",
        ),
        (401, "", "`oauth_client_secret`"),
        (400, "{\"error\":\"invalid_scope\"}", "`oauth_scope`"),
        (400, "{\"error\":\"invalid_target\"}", "`oauth_resource`"),
        (400, "{\"error\":\"unsupported_grant_type\"}", "`oauth_token_url`"),
        (404, "<html>", "`oauth_token_url`"),
        (302, "", "`oauth_token_url`"),
        (407, "", "`proxy`"),
        // GitHub says so with a 200.
        (200, "{\"error\":\"invalid_grant\"}", "auditship oauth2 login"),
        (200, "{}", "`access_token`"),
        (200, "access_token=a", "`access_token`"),
        (200, "{\"access_token\":\"a\\r\\nX: b\"}", "`access_token`"),
        (200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", "bearer"),
        (
            200,
            "{\"access_token\":\"a\",\"refresh_token\":5}",
            "`refresh_token`",
        ),
        (204, "", "`oauth_token_url`"),
    ] {
        match granted(status, body) {
            Err(CredentialError::Refused { source, reason }) => {
                assert_eq!(source, "the server");
                assert!(reason.contains(advice), "{status} {body}: {reason}");
            }
            other => panic!("{status} {body}: {other:?}"),
        }
    }
    for (status, body) in [
        (503, ""),
        (500, "{\"error\":\"server_error\"}"),
        (502, "<html>"),
        (429, ""),
        (408, ""),
        (400, "{\"error\":\"temporarily_unavailable\"}"),
        (400, "{\"error\":\"slow_down\"}"),
        (200, "{\"error\":\"server_error\"}"),
    ] {
        let refused = granted(status, body);
        assert!(
            matches!(refused, Err(CredentialError::Unreachable { .. })),
            "{status} {body}: {refused:?}"
        );
    }
}

#[test]
fn a_secret_that_is_said_back_is_not_passed_on() {
    let said = "{\"error\":\"invalid_client\",\"error_description\":\"hunter2 x, hunter2%20x\\nis wrong\"}";
    let error = granted(401, said).unwrap_err().to_string();
    assert!(
        !error.contains("hunter2") && error.contains("is wrong"),
        "{error}"
    );
}

/// What a client asks, as the server gets it.
fn asked(client: Client) -> Request<Vec<u8>> {
    let good = response(200, "{\"access_token\":\"a\",\"expires_in\":3600}");
    let server = ScriptedTransport::new([], Step::Answer(good));
    let clock = Arc::new(ManualClock::at(NOW));
    let process = OAuth2::new(client, &Grant::ClientCredentials, Arc::new(server.clone()), clock);
    assert_eq!(token(&process).as_deref(), Ok("a"));
    assert_eq!(token(&process).as_deref(), Ok("a"));
    let mut received = server.received();
    assert_eq!(received.len(), 1);
    received.remove(0)
}

#[test]
fn a_client_proves_itself_in_the_header_in_the_body_or_not_at_all() {
    let in_header = asked(client());
    assert_eq!(in_header.method(), "POST");
    assert_eq!(in_header.uri(), "https://login.example/token");
    assert_eq!(
        in_header.headers()["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(in_header.headers()["accept"], "application/json");
    // echo -n 'the%20client:hunter2%3A%2Bsecret' | base64
    assert_eq!(
        in_header.headers()["authorization"],
        "Basic dGhlJTIwY2xpZW50Omh1bnRlcjIlM0ElMkJzZWNyZXQ="
    );
    assert_eq!(
        in_header.body(),
        b"grant_type=client_credentials&scope=audit%20offline_access"
    );

    let in_body = asked(Client {
        authentication: ClientAuthentication::Body,
        scope: None,
        audience: Some(String::from("https://api.example/")),
        resource: Some(String::from("urn:audit")),
        ..client()
    });
    assert_eq!(in_body.headers().get("authorization"), None);
    assert_eq!(
        String::from_utf8_lossy(in_body.body()),
        "grant_type=client_credentials&audience=https%3A%2F%2Fapi.example%2F&resource=urn%3Aaudit\
         &client_id=the%20client&client_secret=hunter2%3A%2Bsecret"
    );

    let public = asked(Client {
        secret: None,
        ..client()
    });
    assert_eq!(public.headers().get("authorization"), None);
    assert!(public.body().ends_with(b"&client_id=the%20client"));
}

#[test]
fn only_a_401_refuses_a_token() {
    let clock = Arc::new(ManualClock::at(NOW));
    let nobody = ScriptedTransport::new([], Step::Lost);
    let process = OAuth2::new(client(), &Grant::ClientCredentials, Arc::new(nobody), clock);
    for status in (100..600).filter(|status| *status != 401) {
        assert!(!process.is_refusal(&response(status, "")), "{status}");
    }
    assert!(process.is_refusal(&response(401, "")));
}
