//! A registered client's own tokens.

use auditship::config::Environment;
use auditship::destination::{KindConfig, build};
use http::Request;
use serde_json::json;

use super::{Place, Server, assert_stored_once, auditship};

const MACHINE: &str = "auth = \"oauth2_client_credentials\"\noauth_client_secret = \"machine:+secret %\"\noauth_scope = \"audit\"\n";

#[test]
fn the_server_does_what_these_tests_rely_on() {
    let Some(mut server) = Server::start("OAuth 2.0: the server") else {
        return;
    };
    assert_eq!(
        server.ask("verify"),
        json!({
            "wrong_secret": "invalid_client",
            "right_secret": 200,
            "without_pkce": "invalid_request",
            "wrong_verifier": "invalid_grant",
            "exchanged": 200,
            "code_used_twice": "invalid_grant",
            "refresh_without_secret": "invalid_client",
            "rotated": 200,
            "old_one_again": "invalid_grant",
            "family_after_that": "invalid_grant",
        })
    );
}

#[test]
fn a_client_has_one_token_for_many_batches_wherever_its_secret_is() {
    let Some(mut server) = Server::start("OAuth 2.0: client credentials") else {
        return;
    };
    for (id, place, in_header) in [("machine", "header", 1), ("machine-body", "body", 0)] {
        let keys = format!("{MACHINE}oauth_client_id = \"{id}\"\noauth_client_auth = \"{place}\"");
        let place = Place::new(&server, &keys);
        let before = (server.count("token"), server.count("in_header"));
        let shipped = place.ship(&server, id, 50);
        assert_eq!(shipped.code, 0, "{} {}", shipped.stdout, shipped.stderr);
        assert_stored_once(&mut server, id, 50);
        assert_eq!(
            (server.count("token"), server.count("in_header")),
            (before.0 + 1, before.1 + in_header)
        );
        let check = auditship(&["check", "-c", &place.configuration()]);
        assert_eq!(check.code, 0, "{}", check.stdout);
    }
    assert_eq!(server.count("unauthorized"), 0);
}

#[test]
fn a_token_that_is_refused_is_masked_and_not_asked_for_again_at_once() {
    let Some(mut server) = Server::start("OAuth 2.0: a revoked token") else {
        return;
    };
    let keys = format!(
        "url = \"{}\"\noauth_token_url = \"{}/token\"\noauth_client_id = \"machine\"\n{MACHINE}",
        server.collector, server.issuer
    );
    let config = KindConfig::from_table("http", keys.parse().unwrap(), &Environment::empty()).unwrap();
    let route = build(&config).unwrap();
    let send = |id: &str| {
        let body = format!("{{\"event\":{{\"id\":\"{id}\"}}}}\n").into_bytes();
        let request = Request::post(&server.collector).body(body).unwrap();
        route.transport.send(&request).unwrap()
    };
    assert_eq!(send("a").status(), 200);
    server.program.ask("kill-access");
    // Another is not asked for a moment after the last; and what was sent is masked where it is said back.
    let refused = send("b");
    assert_eq!(refused.status(), 401);
    let said = String::from_utf8_lossy(refused.body()).into_owned();
    assert!(said.starts_with("you sent ****"), "{said}");
    assert_eq!(server.count("token"), 1);
}

#[test]
fn a_wrong_secret_holds_and_the_right_one_delivers_what_was_held() {
    let Some(mut server) = Server::start("OAuth 2.0: a wrong secret") else {
        return;
    };
    let wrong = MACHINE.replace("machine:+secret %", "hunter2");
    let place = Place::new(&server, &format!("{wrong}oauth_client_id = \"machine\""));
    let refused = place.ship(&server, "held", 20);
    assert_eq!(refused.code, 1, "{} {}", refused.stdout, refused.stderr);
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        told.contains("invalid_client") && told.contains("`oauth_client_secret`"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
    place.replace("hunter2", "machine:+secret %");
    let shipped = place.ship(&server, "held", 20);
    assert_eq!(shipped.code, 0, "{} {}", shipped.stdout, shipped.stderr);
    assert_stored_once(&mut server, "held", 20);
}

#[test]
fn a_token_server_that_is_down_is_waited_for() {
    let Some(mut server) = Server::start("OAuth 2.0: an outage") else {
        return;
    };
    let place = Place::new(&server, &format!("{MACHINE}oauth_client_id = \"machine\""));
    server.ask("outage 3");
    let shipped = place.ship(&server, "late", 20);
    assert_eq!(shipped.code, 0, "{} {}", shipped.stdout, shipped.stderr);
    assert_stored_once(&mut server, "late", 20);
    assert_eq!(server.count("token"), 4);
}
