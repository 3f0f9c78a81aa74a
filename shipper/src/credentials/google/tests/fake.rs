//! Whatever is asked, and a folder with credential files.

use std::sync::Mutex;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::*;
use crate::time::ManualClock;

pub(super) const PKCS8: &str = include_str!("service_account_key.pem");
pub(super) const PKCS1: &str = include_str!("service_account_key_pkcs1.pem");
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/logging.write";
/// 2026-01-01T00:00:00Z
pub(super) const NOW: i64 = 1_767_225_600;

type Answers = dyn Fn(&Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendError> + Send + Sync;

/// Answers by a function, and keeps what it was asked.
pub(super) struct Fake {
    answers: Box<Answers>,
    pub(super) asked: Mutex<Vec<Request<Vec<u8>>>>,
}

impl Transport for Fake {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        assert!(further.is_empty());
        self.asked.lock().unwrap().push(request.clone());
        (self.answers)(request)
    }
}

impl Fake {
    pub(super) fn new(
        answers: impl Fn(&Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers: Box::new(answers),
            asked: Mutex::default(),
        })
    }

    /// Nobody is there.
    pub(super) fn nobody() -> Arc<Self> {
        Self::new(|request| {
            Err(SendError::NotSent {
                reason: format!("{}: no address is known", request.uri().host().unwrap()),
            })
        })
    }

    pub(super) fn asked(&self) -> Vec<Request<Vec<u8>>> {
        self.asked.lock().unwrap().clone()
    }
}

pub(super) fn answer(
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Response<Vec<u8>>, SendError> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(body.as_bytes().to_vec()).unwrap())
}

/// Who asks, and what it is told.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) web: Arc<Fake>,
    pub(super) direct: Arc<Fake>,
    pub(super) variables: Vec<(String, String)>,
}

impl World {
    pub(super) fn new(web: Arc<Fake>, direct: Arc<Fake>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::at(Timestamp(NOW * 1_000_000_000))),
            web,
            direct,
            variables: Vec::new(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file in its place by rename, as whoever rotates one does.
    pub(super) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = self.path("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, &path).unwrap();
        path
    }

    pub(super) fn identity(&self, credentials_file: Option<PathBuf>) -> Identity {
        Identity {
            credentials_file,
            environment: self.variables.iter().cloned().collect(),
            ..Identity::default()
        }
    }

    pub(super) fn google(&self, credentials_file: Option<PathBuf>) -> Google {
        let identity = self.identity(credentials_file);
        Google::over(
            identity,
            SCOPE,
            self.clock.clone(),
            self.web.clone(),
            self.direct.clone(),
        )
    }

    /// With `content` in a file.
    pub(super) fn google_with(&self, content: &Value) -> Google {
        let path = self.write("credentials.json", &content.to_string());
        self.google(Some(path))
    }
}

/// What is put into a request.
pub(super) fn headers(google: &Google, at: i64) -> Result<HeaderMap, CredentialError> {
    google.authorize(&Request::new(Vec::new()), Timestamp(at * 1_000_000_000))
}

/// The token that is put into a request.
pub(super) fn token(google: &Google) -> Result<String, CredentialError> {
    let now = google.outside.clock.wall();
    let headers = google.authorize(&Request::new(Vec::new()), now)?;
    Ok(of(&headers))
}

pub(super) fn of(headers: &HeaderMap) -> String {
    let value = &headers[header::AUTHORIZATION];
    assert!(value.is_sensitive());
    value
        .to_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned()
}

/// The fields of a form.
pub(super) fn form(request: &Request<Vec<u8>>) -> Vec<(String, String)> {
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.headers()["content-type"],
        "application/x-www-form-urlencoded"
    );
    let decoded = |text: &str| {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'%' {
                out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
                at += 3;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        String::from_utf8(out).unwrap()
    };
    let body = String::from_utf8(request.body().clone()).unwrap();
    body.split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

pub(super) fn field(request: &Request<Vec<u8>>, name: &str) -> Option<String> {
    form(request)
        .into_iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}

/// A part of a token, as JSON.
pub(super) fn part(token: &str, at: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(super) fn service_account(key: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": "audit-project",
        "private_key_id": "0123456789abcdef",
        "private_key": key,
        "client_email": "shipper@audit-project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    })
}

pub(super) fn authorized_user() -> Value {
    json!({
        "type": "authorized_user",
        "client_id": "client.apps.googleusercontent.com",
        "client_secret": "hunter2-client",
        "refresh_token": "1//hunter2-refresh",
        "quota_project_id": "paying-project",
    })
}

pub(super) fn refused(error: CredentialError) -> (String, String) {
    match error {
        CredentialError::Refused { source, reason } => (source, reason),
        other => panic!("{other:?}"),
    }
}
