//! A person's login: what the browser is told, what comes back, and what is kept.

use ::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::login::{Consent, Login, NoCode};
use super::server::field;
use super::*;
use crate::random::SeededRandom;
use crate::transport::scripted::{ScriptedTransport, Step};

fn consent(url: &str) -> Consent {
    Consent {
        authorization_url: endpoint(url),
        parameters: vec![(String::from("prompt"), String::from("consent & more"))],
        token_file: FILE.into(),
    }
}

fn login() -> Login {
    Login::begin(String::from("http://127.0.0.1:7/callback"), &SeededRandom::new(7)).unwrap()
}

fn query(login: &Login) -> Vec<u8> {
    let url: Uri = login
        .url(&client(), &consent("https://login.example/authorize"))
        .parse()
        .unwrap();
    url.query().unwrap().as_bytes().to_vec()
}

#[test]
fn the_browser_is_told_all_that_the_server_must_know() {
    let login = login();
    let query = query(&login);
    let value = |name| field(&query, name).unwrap();
    assert_eq!(value("response_type"), "code");
    assert_eq!(value("client_id"), "the client");
    assert_eq!(value("redirect_uri"), "http://127.0.0.1:7/callback");
    assert_eq!(value("scope"), "audit offline_access");
    assert_eq!(value("prompt"), "consent & more");
    assert_eq!(value("code_challenge_method"), "S256");
    assert_eq!((value("code_challenge").len(), value("state").len()), (43, 43));
    assert_eq!(field(&query, "client_secret"), None);
    for (given, start) in [
        (
            "https://login.example/a?tenant=1",
            "https://login.example/a?tenant=1&response_type=code&",
        ),
        (
            "https://login.example/a?",
            "https://login.example/a?response_type=code&",
        ),
    ] {
        let url = login.url(&client(), &consent(given));
        assert!(url.starts_with(start), "{url}");
    }
}

#[test]
fn a_code_is_taken_only_with_this_login_s_state() {
    let login = login();
    let state = field(&query(&login), "state").unwrap();
    let code = |text: &str| login.code(text).map(|code| code.value().to_owned());
    for text in [
        format!("http://127.0.0.1:7/callback?code=4%2F0AX+b&state={state}"),
        format!("?state={state}&code=4%2F0AX+b&scope=a"),
        format!("  code=4%2F0AX+b&state={state}#_=_\n"),
    ] {
        assert_eq!(code(&text).as_deref(), Ok("4/0AX b"), "{text}");
    }
    // Nothing but the code, from a person: PKCE ties it to this login.
    assert_eq!(code("4/0AX+b==\n").as_deref(), Ok("4/0AX+b=="));
    assert_eq!(code("4%2F0AX").as_deref(), Ok("4/0AX"));
    assert_eq!(code("?code=x&state=other"), Err(NoCode::OtherLogin));
    assert_eq!(code("?code=x"), Err(NoCode::OtherLogin));
    assert_eq!(code("?error=access_denied&state=other"), Err(NoCode::OtherLogin));
    assert_eq!(code(&format!("?state={state}")), Err(NoCode::Absent));
    assert_eq!(code(&format!("?code=&state={state}")), Err(NoCode::Absent));
    assert_eq!(code(""), Err(NoCode::Absent));
    assert_eq!(code("http://127.0.0.1:7/callback"), Err(NoCode::Absent));
    let denied = format!("?error=access_denied&error_description=not+you%0A&state={state}");
    let reason = String::from("access_denied: not you ");
    assert_eq!(code(&denied), Err(NoCode::Denied { reason }));
}

fn answer(body: &str) -> Step {
    Step::Answer(Response::new(body.as_bytes().to_vec()))
}

fn finish(disk: &SimStorage, step: Step) -> (Result<(), CredentialError>, Vec<u8>, Vec<u8>) {
    let login = login();
    let query = query(&login);
    let server = ScriptedTransport::new([], step);
    let file = TokenFile::on(Arc::new(disk.clone()), FILE);
    let clock = ManualClock::at(NOW);
    let code = Exposed::new(String::from("the code"));
    let done = login.finish(&code, &client(), &file, &server, &clock);
    let body = server.received().pop().map(|request| request.body().clone());
    (done, query, body.unwrap_or_default())
}

const TOKENS: &str = "{\"access_token\":\"access-9\",\"refresh_token\":\"refresh-9\",\"token_type\":\"Bearer\",\"expires_in\":3600}";

#[test]
fn a_code_is_exchanged_with_the_verifier_of_its_challenge() {
    let disk = SimStorage::new();
    let (done, query, body) = finish(&disk, answer(TOKENS));
    assert_eq!(done, Ok(()));
    assert_eq!(field(&body, "grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(field(&body, "code").as_deref(), Some("the code"));
    assert_eq!(field(&body, "redirect_uri"), field(&query, "redirect_uri"));
    let verifier = field(&body, "code_verifier").unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    assert_eq!(field(&query, "code_challenge"), Some(challenge));
    let clock = Arc::new(ManualClock::at(NOW));
    let process = process(&disk, &Arc::new(Server::new()), &clock);
    assert_eq!(token(&process).as_deref(), Ok("access-9"));
}

#[test]
fn a_login_that_fails_leaves_the_one_that_was() {
    for (step, part) in [
        (answer("{\"access_token\":\"a\"}"), "offline_access"),
        (answer("{\"error\":\"invalid_grant\"}"), "invalid_grant"),
        (Step::NotSent, "cannot be reached"),
        (Step::Swallowed, "cannot be reached"),
    ] {
        let disk = logged_in(Duration::from_secs(3600));
        let (done, ..) = finish(&disk, step);
        let error = done.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        let clock = Arc::new(ManualClock::at(NOW));
        let process = process(&disk, &Arc::new(Server::new()), &clock);
        assert_eq!(token(&process).as_deref(), Ok("access-0"));
    }
}

/// A refresh brought a token, and the process was killed before it was adopted: the one before it is used up.
#[test]
fn a_login_that_fails_leaves_what_a_killed_refresh_brought() {
    let disk = logged_in(Duration::from_secs(3600));
    let next = tokens("1", Duration::from_secs(3600), 2).to_bytes();
    crate::spool::storage::write_atomic(&disk, "siem.token.next", &next).unwrap();
    finish(&disk, answer("{\"error\":\"invalid_grant\"}"))
        .0
        .unwrap_err();
    let clock = Arc::new(ManualClock::at(NOW));
    let process = process(&disk, &Arc::new(Server::new()), &clock);
    assert_eq!(token(&process).as_deref(), Ok("access-1"));
}

#[test]
fn a_new_login_replaces_whatever_is_there() {
    for content in [&b"{\"version\": 77}"[..], b"", b"no JSON"] {
        let disk = SimStorage::new();
        crate::spool::storage::write_atomic(&disk, FILE, content).unwrap();
        assert_eq!(finish(&disk, answer(TOKENS)).0, Ok(()));
        let clock = Arc::new(ManualClock::at(NOW));
        let process = process(&disk, &Arc::new(Server::new()), &clock);
        assert_eq!(token(&process).as_deref(), Ok("access-9"));
    }
}
