//! Service accounts, users and the metadata server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

use super::super::*;
use super::fake::*;

const FLAVOR: (&str, &str) = ("Metadata-Flavor", "Google");

#[test]
fn a_service_account_signs_for_itself() {
    for pem in [PKCS8, PKCS1] {
        let world = World::new(Fake::nobody(), Fake::nobody());
        let google = world.google_with(&service_account(pem));
        let token = token(&google).unwrap();
        assert_eq!(
            part(&token, 0),
            json!({ "alg": "RS256", "typ": "JWT", "kid": "0123456789abcdef" })
        );
        // With a scope there is no `aud` (AIP-4111); an hour from ten seconds ago.
        let email = "shipper@audit-project.iam.gserviceaccount.com";
        assert_eq!(
            part(&token, 1),
            json!({ "iss": email, "sub": email, "scope": SCOPE, "iat": NOW - 10, "exp": NOW + 3590 })
        );
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = PrivatePkcs8KeyDer::from_pem_slice(PKCS8.as_bytes()).unwrap();
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .unwrap();
        assert!(world.web.asked().is_empty() && world.direct.asked().is_empty());
    }
}

#[test]
fn a_signed_token_is_used_until_shortly_before_its_end_by_the_receivers_clock() {
    let world = World::new(Fake::nobody(), Fake::nobody());
    let google = world.google_with(&service_account(PKCS8));
    let issued = |at| {
        part(&of(&headers(&google, at).unwrap()), 1)["iat"]
            .as_i64()
            .unwrap()
    };
    assert_eq!(issued(NOW), NOW - 10);
    assert_eq!(issued(NOW + 3590 - 226), NOW - 10);
    let later = NOW + 3590 - 225;
    assert_eq!(issued(later), later - 10);
    // It becomes known that our clock was two hours ahead: what was signed then is not valid yet.
    assert_eq!(issued(NOW - 7200), NOW - 7210);
}

#[test]
fn a_user_s_token_is_refreshed() {
    let count = AtomicUsize::new(0);
    let web = Fake::new(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        answer(
            200,
            &[],
            &format!("{{\"access_token\":\"ya29.{number}\",\"expires_in\":3599,\"token_type\":\"Bearer\"}}"),
        )
    });
    let world = World::new(web, Fake::nobody());
    let google = world.google_with(&authorized_user());
    assert_eq!(token(&google).unwrap(), "ya29.0");
    let asked = world.web.asked();
    assert_eq!(asked[0].uri(), "https://oauth2.googleapis.com/token");
    let expected = [
        ("grant_type", "refresh_token"),
        ("client_id", "client.apps.googleusercontent.com"),
        ("client_secret", "hunter2-client"),
        ("refresh_token", "1//hunter2-refresh"),
    ];
    assert_eq!(
        form(&asked[0]),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(
        headers(&google, NOW).unwrap()["x-goog-user-project"],
        "paying-project"
    );
    world
        .clock
        .advance(Duration::from_secs(3599) - MARGIN - Duration::from_secs(1));
    assert_eq!(token(&google).unwrap(), "ya29.0");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(token(&google).unwrap(), "ya29.1");
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(google.renew(), Renewal::Changed, "refused by the receiver");
    assert_eq!(token(&google).unwrap(), "ya29.2");
}

#[test]
fn the_project_that_pays_is_the_configured_one_first() {
    let web = Fake::new(|_| answer(200, &[], r#"{"access_token":"t","expires_in":3599}"#));
    let mut world = World::new(web, Fake::nobody());
    let project = |world: &World, configured: Option<&str>| {
        let path = world.write("credentials.json", &authorized_user().to_string());
        let identity = Identity {
            quota_project: configured.map(str::to_owned),
            ..world.identity(Some(path))
        };
        let google = Google::over(
            identity,
            SCOPE,
            world.clock.clone(),
            world.web.clone(),
            world.direct.clone(),
        );
        headers(&google, NOW).unwrap()["x-goog-user-project"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(project(&world, None), "paying-project");
    world.variables.push((
        String::from("GOOGLE_CLOUD_QUOTA_PROJECT"),
        String::from("of-variable"),
    ));
    assert_eq!(project(&world, None), "of-variable");
    assert_eq!(project(&world, Some("configured")), "configured");
}

#[test]
fn a_refusal_says_what_to_do_and_shows_no_secret() {
    for (status, body, is_refused, words) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Token 1//hunter2-refresh has been expired or revoked."}"#,
            true,
            "it answered 400: invalid_grant: Token [redacted] has been expired or revoked. (log in again with `gcloud auth application-default login`)",
        ),
        (
            401,
            r#"{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}}"#,
            true,
            "it answered 401: no (log in again",
        ),
        (404, "<html>hunter2</html>", true, "it answered 404 (log in again"),
        (302, "", true, "it answered 302 (log in"),
        (503, "{}", false, "it answered 503"),
        (429, "", false, "it answered 429"),
        (200, "{}", true, "its answer has no usable `access_token`"),
        (
            200,
            r#"{"access_token":"a\nb"}"#,
            true,
            "its answer has no usable `access_token`",
        ),
        (200, "not json", true, "its answer has no usable `access_token`"),
    ] {
        let web = Fake::new(move |_| answer(status, &[], body));
        let world = World::new(web, Fake::nobody());
        let error = token(&world.google_with(&authorized_user())).unwrap_err();
        let (source, reason) = match &error {
            CredentialError::Refused { source, reason } if is_refused => (source, reason),
            CredentialError::Unreachable { source, reason } if !is_refused => (source, reason),
            other => panic!("{status}: {other:?}"),
        };
        assert_eq!(source, "the token endpoint oauth2.googleapis.com");
        assert!(reason.starts_with(words), "{status}: {reason}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

fn vm(lifetime: u64) -> Arc<Fake> {
    Fake::new(move |request| {
        assert_eq!(request.headers()["metadata-flavor"], "Google");
        answer(
            200,
            &[FLAVOR],
            &format!("{{\"access_token\":\"vm\",\"expires_in\":{lifetime},\"token_type\":\"Bearer\"}}"),
        )
    })
}

#[test]
fn a_vm_asks_its_metadata_server_without_the_proxy() {
    let mut world = World::new(Fake::nobody(), vm(3599));
    assert_eq!(token(&world.google(None)).unwrap(), "vm");
    let asked = world.direct.asked();
    assert_eq!(
        asked[0].uri(),
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Flogging.write"
    );
    assert!(world.web.asked().is_empty());
    world
        .variables
        .push((String::from("GCE_METADATA_HOST"), String::from("127.0.0.1:8080")));
    assert_eq!(token(&world.google(None)).unwrap(), "vm");
    assert_eq!(world.direct.asked()[1].uri().host(), Some("127.0.0.1"));
}

#[test]
fn a_metadata_server_that_repeats_itself_is_asked_every_ten_seconds() {
    let end = NOW + 600;
    let clock = Arc::new(crate::time::ManualClock::at(Timestamp(NOW * 1_000_000_000)));
    let theirs = clock.clone();
    let direct = Fake::new(move |_| {
        let left = end - theirs.wall().0 / 1_000_000_000;
        answer(
            200,
            &[FLAVOR],
            &format!("{{\"access_token\":\"vm\",\"expires_in\":{left}}}"),
        )
    });
    let world = World {
        clock: clock.clone(),
        ..World::new(Fake::nobody(), direct)
    };
    let google = world.google(None);
    token(&google).unwrap();
    clock.advance(Duration::from_secs(600) - MARGIN - Duration::from_secs(1));
    token(&google).unwrap();
    assert_eq!(world.direct.asked().len(), 1);
    clock.advance(Duration::from_secs(1));
    for second in 0..100 {
        assert_eq!(token(&google).unwrap(), "vm");
        assert_eq!(world.direct.asked().len(), 2 + second / 10);
        clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn another_server_is_not_believed() {
    for flavor in [None, Some("google"), Some("Amazon")] {
        let direct = Fake::new(move |_| {
            let headers: Vec<_> = flavor.iter().map(|flavor| ("Metadata-Flavor", *flavor)).collect();
            answer(200, &headers, r#"{"access_token":"evil","expires_in":3599}"#)
        });
        let world = World::new(Fake::nobody(), direct);
        let (source, reason) = refused(token(&world.google(None)).unwrap_err());
        assert_eq!(source, "the metadata server metadata.google.internal");
        assert!(reason.contains("Metadata-Flavor: Google"), "{reason}");
    }
}

#[test]
fn without_any_source_it_is_said_where_was_looked() {
    let mut world = World::new(Fake::nobody(), Fake::nobody());
    world
        .variables
        .push((String::from("HOME"), String::from("/home/shipper")));
    let error = token(&world.google(None)).unwrap_err();
    assert!(matches!(error, CredentialError::Missing { .. }), "{error:?}");
    let text = error.to_string();
    for part in [
        "`credentials_file` and GOOGLE_APPLICATION_CREDENTIALS are not set",
        "/home/shipper/.config/gcloud/application_default_credentials.json does not exist",
        "the metadata server metadata.google.internal cannot be reached",
        "set `credentials_file`",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let world = World::new(Fake::nobody(), Fake::new(|_| answer(404, &[FLAVOR], "not found")));
    let (_, reason) = refused(token(&world.google(None)).unwrap_err());
    assert!(reason.contains("attach a service account"), "{reason}");
}

#[test]
fn a_vm_says_which_it_is() {
    let direct = Fake::new(|request| {
        let body = match request.uri().path() {
            "/computeMetadata/v1/instance/id" => "4242424242424242424\n",
            "/computeMetadata/v1/instance/zone" => "projects/99/zones/europe-west3-a",
            _ => "",
        };
        answer(200, &[FLAVOR], body)
    });
    let server = MetadataServer::new(&Environment::empty(), direct);
    assert_eq!(server.text("instance/id").unwrap(), "4242424242424242424");
    assert_eq!(
        server.text("instance/zone").unwrap(),
        "projects/99/zones/europe-west3-a"
    );
    assert!(matches!(
        server.text("instance/nothing"),
        Err(CredentialError::Refused { .. })
    ));
}

#[test]
fn many_threads_make_one_request() {
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let web = Fake::new(move |_| {
        started.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        answer(200, &[], r#"{"access_token":"t","expires_in":3599}"#)
    });
    let world = World::new(web, Fake::nobody());
    let google = &world.google_with(&authorized_user());
    std::thread::scope(|scope| {
        let first = scope.spawn(move || token(google));
        starts.recv().unwrap();
        let others: Vec<_> = (0..8).map(|_| scope.spawn(move || token(google))).collect();
        release.send(()).unwrap();
        assert_eq!(first.join().unwrap().unwrap(), "t");
        for other in others {
            assert_eq!(other.join().unwrap().unwrap(), "t");
        }
    });
    assert_eq!(world.web.asked().len(), 1);
}

#[test]
fn only_a_401_says_that_the_token_is_bad() {
    let world = World::new(Fake::nobody(), Fake::nobody());
    let google = world.google_with(&service_account(PKCS8));
    for (status, is_refusal) in [
        (401, true),
        (403, false),
        (400, false),
        (200, false),
        (407, false),
    ] {
        assert_eq!(google.is_refusal(&answer(status, &[], "").unwrap()), is_refusal);
    }
    assert_eq!(google.renew(), Renewal::Same);
}
