//! An authorization server that rotates refresh tokens and takes the use of an old one for theft. Written from RFC 6749, 6819
//! (5.2.2.3) and 9700 (4.14).

use std::sync::Mutex;

use ::http::{HeaderMap, Request, Response};
use percent_encoding::percent_decode_str;

use crate::spool::storage::sim::SimStorage;
use crate::transport::{SendError, Transport};

/// The server. A clone goes its own way.
pub(super) struct Server {
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    /// The number of the refresh token that is good.
    current: u32,
    revoked: bool,
    asked: u32,
    /// The answer after this one does not arrive.
    swallows: bool,
    down: bool,
    /// Where to look how far the client had come.
    disk: Option<SimStorage>,
    changes_when_asked: Option<u64>,
}

impl Clone for Server {
    fn clone(&self) -> Self {
        Self {
            state: Mutex::new(self.state.lock().unwrap().clone()),
        }
    }
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
        }
    }

    pub(super) fn watch(&self, disk: &SimStorage) {
        self.state.lock().unwrap().disk = Some(disk.clone());
    }

    pub(super) fn asked(&self) -> u32 {
        self.state.lock().unwrap().asked
    }

    /// How many changes the client had made on its disk when it asked last.
    pub(super) fn changes_when_asked(&self) -> Option<u64> {
        self.state.lock().unwrap().changes_when_asked
    }

    pub(super) fn revoke(&self) {
        self.state.lock().unwrap().revoked = true;
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.state.lock().unwrap().revoked
    }

    pub(super) fn swallow(&self) {
        self.state.lock().unwrap().swallows = true;
    }

    pub(super) fn set_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }
}

/// The value of a field of a form.
pub(super) fn field(body: &[u8], wanted: &str) -> Option<String> {
    let body = std::str::from_utf8(body).unwrap();
    let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
    Some(percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

impl Transport for Server {
    fn send_with(&self, request: &Request<Vec<u8>>, _: &HeaderMap) -> Result<Response<Vec<u8>>, SendError> {
        let mut state = self.state.lock().unwrap();
        let answer = |status: u16, body: String| {
            let response = Response::builder().status(status);
            Ok(response.body(body.into_bytes()).unwrap())
        };
        if state.down {
            return answer(503, String::from("{\"error\":\"temporarily_unavailable\"}"));
        }
        state.asked += 1;
        state.changes_when_asked = state.disk.as_ref().map(SimStorage::changes);
        assert_eq!(
            field(request.body(), "grant_type").as_deref(),
            Some("refresh_token")
        );
        let offered = field(request.body(), "refresh_token").unwrap();
        if offered != format!("refresh-{}", state.current) {
            state.revoked = true;
        }
        if state.revoked {
            let body =
                format!("{{\"error\":\"invalid_grant\",\"error_description\":\"{offered} is of no use\"}}");
            return answer(400, body);
        }
        state.current += 1;
        if std::mem::take(&mut state.swallows) {
            return Err(SendError::Unanswered {
                reason: String::from("as told"),
            });
        }
        let number = state.current;
        answer(
            200,
            format!(
                "{{\"access_token\":\"access-{number}\",\"token_type\":\"Bearer\",\"expires_in\":3600,\
                 \"refresh_token\":\"refresh-{number}\"}}"
            ),
        )
    }
}
