//! The login of a person, once: the URL for a browser, the code that comes back, and the first tokens (RFC 6749 4.1 with PKCE,
//! RFC 7636). Pure but for [`Login::finish`].

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use super::client::Asked;
use super::{Client, TokenFile, Tokens};
use crate::credentials::CredentialError;
use crate::credentials::exchange::{pairs, printable};
use crate::destination::endpoint::Endpoint;
use crate::random::{NoRandomness, Random};
use crate::secret::Exposed;
use crate::time::Clock;
use crate::transport::Transport;

/// What a person is asked for, and where the answer is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by configurations")]
pub struct Consent {
    /// The page that asks.
    pub authorization_url: Endpoint,
    /// What that page is told beside what it must be, as `access_type=offline`.
    pub parameters: Vec<(String, String)>,
    /// Where the login is kept.
    pub token_file: PathBuf,
}

/// A login that has begun. It ends with [`Login::finish`], in the process that began it.
pub struct Login {
    redirect_uri: String,
    /// Comes back with the code: no other login's code is taken for this one's.
    state: Exposed,
    /// Proves to the server that whoever brings the code is who asked for it.
    verifier: Exposed,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// Why what came back is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoCode {
    /// There is none in it.
    Absent,
    /// It is of another login.
    OtherLogin,
    /// The person or the server said no.
    Denied {
        /// The server's code and words.
        reason: String,
    },
}

impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str(
                "there is no code in it: give the whole address that the browser was sent to, or the code",
            ),
            Self::OtherLogin => f.write_str(
                "its `state` is not that of this login: open the URL that was printed last, and no other",
            ),
            Self::Denied { reason } => write!(f, "the login was refused: {reason}"),
        }
    }
}

impl std::error::Error for NoCode {}

impl Login {
    /// Begins a login whose code comes back to `redirect_uri`.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn begin(redirect_uri: String, random: &dyn Random) -> Result<Self, NoRandomness> {
        // 256 bits are 43 characters, which is what RFC 7636 recommends for a verifier.
        let secret = || {
            let mut bytes = [0; 32];
            random.fill(&mut bytes)?;
            Ok(Exposed::new(BASE64URL.encode(bytes)))
        };
        Ok(Self {
            redirect_uri,
            state: secret()?,
            verifier: secret()?,
        })
    }

    /// The URL that the person opens in a browser.
    pub fn url(&self, client: &Client, consent: &Consent) -> String {
        let challenge = BASE64URL.encode(Sha256::digest(self.verifier.value()));
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", client.id.as_str()),
            ("redirect_uri", &self.redirect_uri),
            ("state", self.state.value()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let wanted = [
            ("scope", &client.scope),
            ("audience", &client.audience),
            ("resource", &client.resource),
        ];
        fields.extend(
            wanted
                .iter()
                .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
        );
        let named = consent.parameters.iter();
        fields.extend(named.map(|(name, value)| (name.as_str(), value.as_str())));
        let uri = consent.authorization_url.uri().to_string();
        let uri = uri.trim_end_matches(['?', '&']);
        let separator = if uri.contains('?') { '&' } else { '?' };
        format!("{uri}{separator}{}", pairs(&fields))
    }

    /// The code in what came back: the whole address, its query string, or (from a person) nothing but the code.
    ///
    /// # Errors
    /// [`NoCode`].
    pub fn code(&self, came_back: &str) -> Result<Exposed, NoCode> {
        let text = came_back.trim();
        let query = text.split_once('?').map(|(_, query)| query);
        let is_query = ["code=", "state=", "error="]
            .iter()
            .any(|name| text.contains(name));
        let Some(query) = query.or(is_query.then_some(text)) else {
            let is_code = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            return match is_code && !text.contains("://") {
                true => Ok(Exposed::new(
                    percent_decode_str(text).decode_utf8_lossy().into_owned(),
                )),
                false => Err(NoCode::Absent),
            };
        };
        let query = query.split('#').next().unwrap_or_default();
        let value = |wanted: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut found = pairs.filter(|(name, _)| *name == wanted);
            found.next().map(|(_, value)| decoded(value))
        };
        if value("state").is_none_or(|state| state != self.state.value()) {
            return Err(NoCode::OtherLogin);
        }
        if let Some(error) = value("error") {
            let words = match value("error_description") {
                Some(description) => format!("{error}: {description}"),
                None => error,
            };
            let reason = printable(&words, &[]);
            return Err(NoCode::Denied { reason });
        }
        let code = value("code").filter(|code| !code.is_empty());
        code.map(Exposed::new).ok_or(NoCode::Absent)
    }

    /// Exchanges `code` for tokens and keeps them in `file`, in place of what is there.
    ///
    /// # Errors
    /// [`CredentialError`]: what is kept is as before.
    pub fn finish(
        self,
        code: &Exposed,
        client: &Client,
        file: &TokenFile,
        web: &dyn Transport,
        clock: &dyn Clock,
    ) -> Result<(), CredentialError> {
        let session = super::session(file, clock)?;
        let generation = session.next_generation()?;
        let room = session.reserve()?;
        let asked = Asked::Code {
            code,
            verifier: &self.verifier,
            redirect_uri: &self.redirect_uri,
        };
        let first = client.ask(web, clock, asked).and_then(|granted| {
            Tokens::first(client, granted, generation).ok_or_else(|| CredentialError::Refused {
                source: format!("the token endpoint {}", client.token_url.uri().host().unwrap_or_default()),
                reason: String::from(
                    "it gave no refresh token: most servers want the scope `offline_access` for one, Google the parameters \
                     `access_type=offline` and `prompt=consent`",
                ),
            })
        });
        match first {
            Ok(tokens) => room.write(&tokens),
            Err(error) => {
                room.give_back();
                Err(error)
            }
        }
    }
}

/// A value of a query string.
fn decoded(value: &str) -> String {
    let spaced = value.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
