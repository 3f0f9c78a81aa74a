use std::sync::Mutex;

use ring::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use super::*;
use crate::time::ManualClock;

const SCOPE: &str = "https://storage.azure.com/.default";
const TENANT: &str = "00000000-0000-0000-0000-00000000000a";
const CLIENT: &str = "00000000-0000-0000-0000-00000000000b";

type Answer = Result<Response<Vec<u8>>, SendError>;
type Answers = dyn Fn(&Request<Vec<u8>>) -> Answer + Send + Sync;

/// Answers by a function, and keeps what it was asked.
struct Fake {
    answers: Box<Answers>,
    asked: Mutex<Vec<Request<Vec<u8>>>>,
}

impl Transport for Fake {
    fn send_with(&self, request: &Request<Vec<u8>>, _: &HeaderMap) -> Answer {
        self.asked.lock().unwrap().push(request.clone());
        (self.answers)(request)
    }
}

fn fake(answers: impl Fn(&Request<Vec<u8>>) -> Answer + Send + Sync + 'static) -> Arc<Fake> {
    Arc::new(Fake {
        answers: Box::new(answers),
        asked: Mutex::default(),
    })
}

fn nobody() -> Arc<Fake> {
    fake(|_| {
        Err(SendError::NotSent {
            reason: String::from("nobody listens"),
        })
    })
}

fn answer(status: u16, body: &Value) -> Answer {
    let response = Response::builder().status(status);
    Ok(response.body(body.to_string().into_bytes()).unwrap())
}

fn token(token: &str) -> Answer {
    answer(
        200,
        &json!({"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": token}),
    )
}

fn refusal(code: u32, words: &str) -> Value {
    json!({
        "error": "invalid_client",
        "error_codes": [code],
        "error_description": format!("AADSTS{code}: {words} Trace ID: 1 Correlation ID: 2 Timestamp: 3"),
    })
}

fn application() -> Application {
    Application {
        tenant: TENANT.to_owned(),
        client: CLIENT.to_owned(),
    }
}

fn secret() -> Method {
    Method::ClientSecret {
        application: application(),
        secret: Secret::parse("hunter2+&", &Environment::empty()).unwrap(),
    }
}

fn entra(method: Method, web: Arc<Fake>, direct: Arc<Fake>) -> (Entra, Arc<ManualClock>) {
    let identity = Identity {
        method,
        authority: String::from("https://login.microsoftonline.com"),
        connection: RawConnection::default(),
        environment: Environment::empty(),
    };
    // The crate reads the system's clock for when a token ends.
    let clock = Arc::new(ManualClock::at(crate::time::SystemClock::new().wall()));
    (Entra::over(identity, SCOPE, clock.clone(), web, direct), clock)
}

fn bearer(entra: &Entra) -> Result<String, CredentialError> {
    let request = Request::get("https://a.example/").body(Vec::new()).unwrap();
    let headers = entra.authorize(&request, Timestamp(0))?;
    assert!(headers["authorization"].is_sensitive());
    Ok(headers["authorization"].to_str().unwrap().to_owned())
}

fn form(request: &Request<Vec<u8>>) -> Vec<(String, String)> {
    let body = std::str::from_utf8(request.body()).unwrap();
    let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn field(request: &Request<Vec<u8>>, name: &str) -> String {
    let mut fields = form(request).into_iter();
    fields
        .find_map(|(found, value)| (found == name).then_some(value))
        .unwrap()
}

#[test]
fn a_secret_is_exchanged_once_and_the_token_kept_until_shortly_before_its_end() {
    let web = fake(|_| token("t-1"));
    let (entra, clock) = entra(secret(), web.clone(), nobody());
    assert_eq!(bearer(&entra).unwrap(), "Bearer t-1");
    assert_eq!(bearer(&entra).unwrap(), "Bearer t-1");
    let asked = web.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].uri().to_string(),
        format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")
    );
    let field = |name: &str| field(&asked[0], name);
    assert_eq!(field("grant_type"), "client_credentials");
    assert_eq!(field("client_id"), CLIENT);
    assert_eq!(field("client_secret"), "hunter2+&");
    assert_eq!(field("scope"), SCOPE);
    clock.advance(Duration::from_secs(3_602) - MARGIN);
    bearer(&entra).unwrap();
    assert_eq!(web.asked.lock().unwrap().len(), 2);
    assert!(!format!("{entra:?}").contains("hunter2"), "{entra:?}");
}

#[test]
fn a_refusal_says_what_to_do_and_no_secret() {
    for (code, words, advice) in [
        (90002, "Tenant 'x' not found.", "check `tenant_id`"),
        (
            700_016,
            "Application not found in the directory.",
            "check `client_id`",
        ),
        (
            7_000_215,
            "Invalid client secret hunter2+& provided.",
            "the secret's value, not its id",
        ),
        (
            7_000_222,
            "The provided client secret keys are expired.",
            "make a new secret",
        ),
        (500_011, "The resource principal was not found.", "check `cloud`"),
    ] {
        let web = fake(move |_| answer(400, &refusal(code, words)));
        let (entra, _) = entra(secret(), web, nobody());
        let error = bearer(&entra).unwrap_err();
        assert!(matches!(error, CredentialError::Refused { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.starts_with("Entra ID, with the secret of"), "{said}");
        assert!(
            said.contains(&format!("AADSTS{code}")) && said.contains(advice),
            "{said}"
        );
        for left_out in ["hunter2", "Trace ID", "aka.ms", "\n"] {
            assert!(!said.contains(left_out), "{left_out} is in {said}");
        }
    }
}

#[test]
fn trouble_on_the_way_is_no_refusal() {
    let page = || {
        let response = Response::builder().status(503);
        Ok(response.body(b"<html>trouble</html>".to_vec()).unwrap())
    };
    for web in [nobody(), fake(move |_| page())] {
        let (entra, _) = entra(secret(), web.clone(), nobody());
        let error = bearer(&entra).unwrap_err();
        assert!(matches!(error, CredentialError::Unreachable { .. }), "{error:?}");
        assert_eq!(web.asked.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_machine_is_asked_without_a_proxy_who_it_is() {
    for (assigned, parameter) in [
        (None, None),
        (Some(Assigned::Client(String::from("c"))), Some("client_id=c")),
        (Some(Assigned::Object(String::from("o"))), Some("object_id=o")),
        (Some(Assigned::Resource(String::from("r"))), Some("msi_res_id=r")),
    ] {
        let direct = fake(|_| {
            answer(
                200,
                &json!({
                    "access_token": "t", "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"
                }),
            )
        });
        let (entra, _) = entra(Method::ManagedIdentity(assigned), nobody(), direct.clone());
        assert_eq!(bearer(&entra).unwrap(), "Bearer t");
        let asked = direct.asked.lock().unwrap().remove(0);
        assert_eq!(asked.uri().host(), Some("169.254.169.254"));
        assert_eq!(asked.headers()["metadata"], "true");
        let query = asked.uri().query().unwrap();
        assert!(
            query.contains("resource=https%3A%2F%2Fstorage.azure.com"),
            "{query}"
        );
        match parameter {
            Some(parameter) => assert!(query.ends_with(parameter), "{query}"),
            None => assert!(!query.contains("_id="), "{query}"),
        }
    }
    let (entra, _) = entra(Method::ManagedIdentity(None), nobody(), nobody());
    let error = bearer(&entra).unwrap_err();
    assert!(
        matches!(&error, CredentialError::Missing { advice } if advice.contains("AZURE_CLIENT_SECRET")),
        "{error:?}"
    );
    let direct = fake(|_| answer(400, &json!({"error": "invalid_request"})));
    let (entra, _) = self::entra(
        Method::ManagedIdentity(Some(Assigned::Client(String::from("c")))),
        nobody(),
        direct,
    );
    let said = bearer(&entra).unwrap_err().to_string();
    assert!(said.contains("assign the identity to this machine"), "{said}");
}

#[test]
fn the_token_of_a_workload_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let web = fake(|request| token(&format!("for-{}", field(request, "client_assertion"))));
    let method = || Method::WorkloadIdentity {
        application: application(),
        file: file.clone(),
    };
    let (missing, _) = entra(method(), web.clone(), nobody());
    let said = bearer(&missing).unwrap_err().to_string();
    assert!(said.contains(&file.display().to_string()), "{said}");
    std::fs::write(&file, "jwt-1").unwrap();
    let (entra, clock) = entra(method(), web, nobody());
    assert_eq!(bearer(&entra).unwrap(), "Bearer for-jwt-1");
    std::fs::write(&file, "jwt-2").unwrap();
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(bearer(&entra).unwrap(), "Bearer for-jwt-2");
}

const KEY: &str = include_str!("../../google/tests/service_account_key.pem");
const CERTIFICATE: &str = include_str!("test_certificate.pem");
/// SHA-256 of the certificate, by openssl.
const THUMBPRINT: &str = "6cGmc1NjCT193CtIWyrHQ-vYk3IUe1kUSeUwZL-qwek";

#[test]
fn a_certificate_signs_who_we_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate.pem");
    let web = fake(|_| token("t"));
    let method = || Method::ClientCertificate {
        application: application(),
        file: file.clone(),
    };
    for (content, words) in [
        (CERTIFICATE.to_owned(), "private key"),
        (KEY.to_owned(), "no certificate"),
        (String::from("binary"), "openssl pkcs12"),
    ] {
        std::fs::write(&file, content).unwrap();
        let (entra, _) = entra(method(), web.clone(), nobody());
        let error = bearer(&entra).unwrap_err();
        assert!(matches!(error, CredentialError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(web.asked.lock().unwrap().is_empty());

    std::fs::write(&file, format!("{CERTIFICATE}{KEY}")).unwrap();
    let (entra, clock) = entra(method(), web.clone(), nobody());
    assert_eq!(bearer(&entra).unwrap(), "Bearer t");
    let asked = web.asked.lock().unwrap().remove(0);
    assert_eq!(
        field(&asked, "client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let assertion = field(&asked, "client_assertion");
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let decoded =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(
        decoded(header),
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": THUMBPRINT})
    );
    let claims = decoded(claims);
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    assert_eq!(
        (&claims["aud"], &claims["iss"], &claims["sub"]),
        (&json!(endpoint), &json!(CLIENT), &json!(CLIENT))
    );
    let now = clock.wall().0 / 1_000_000_000;
    assert!(claims["nbf"].as_i64().unwrap() <= now && claims["exp"].as_i64().unwrap() > now);
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap() else {
        panic!("not PKCS #8")
    };
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.public_key().as_ref())
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
}
