//! Google's credential files: JSON with a `type`. Pure but for [`read`].
//!
//! Nothing that a file holds is in an error but the names of its fields, its type and its URLs' hosts.

use std::io::Read as _;
use std::path::Path;

use ::http::Uri;
use serde_json::{Map, Value};

use super::external::{self, External};
use super::jwt::SigningKey;
use crate::credentials::CredentialError;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::secret::Exposed;

/// The largest file that is read.
const MAX_FILE: u64 = 256 * 1024;

/// Where Google's tokens are asked for, unless a file says otherwise.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The domain of Google's own cloud; a sovereign one has another.
pub const DEFAULT_UNIVERSE: &str = "googleapis.com";

/// A credential file, understood.
pub(super) struct File {
    pub(super) kind: Kind,
    /// Of a service account's key only.
    pub(super) project_id: Option<String>,
    pub(super) quota_project: Option<String>,
    pub(super) universe_domain: Option<String>,
}

/// What a file proves who we are with.
pub(super) enum Kind {
    ServiceAccount(ServiceAccount),
    AuthorizedUser(AuthorizedUser),
    External(Box<External>),
    Impersonated { base: Box<Kind>, target: Impersonation },
}

/// A service account's key.
pub(super) struct ServiceAccount {
    pub(super) email: String,
    pub(super) key_id: String,
    pub(super) key: SigningKey,
}

/// What `gcloud auth application-default login` leaves.
pub(super) struct AuthorizedUser {
    pub(super) token_uri: Uri,
    pub(super) client_id: String,
    pub(super) client_secret: Exposed,
    pub(super) refresh_token: Exposed,
}

/// A service account to act as.
pub(super) struct Impersonation {
    /// `.../serviceAccounts/NAME:generateAccessToken`
    pub(super) url: Uri,
    pub(super) delegates: Vec<String>,
    /// Seconds.
    pub(super) lifetime: u64,
}

/// Reads and understands the file at `path`.
pub(super) fn read(path: &Path, named_by: &str) -> Result<File, CredentialError> {
    let problem = |reason: String| CredentialError::Refused {
        source: format!("{} ({named_by})", path.display()),
        reason,
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            problem(format!(
                "cannot be read ({}): put the file there, readable for this user, or name another",
                error.kind()
            ))
        })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(problem(format!(
            "is no credential file: larger than {MAX_FILE} bytes"
        )));
    }
    parse(&bytes).map_err(problem)
}

/// Understands a file; the error says which field is wrong and what to do.
pub(super) fn parse(bytes: &[u8]) -> Result<File, String> {
    // serde_json's own message could quote what is there.
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        format!(
            "is not JSON (line {}, column {}): download the file again",
            error.line(),
            error.column()
        )
    })?;
    let Value::Object(fields) = value else {
        return Err(String::from("is no JSON object: download the file again"));
    };
    let fields = Fields {
        fields: &fields,
        place: "",
    };
    Ok(File {
        kind: kind(&fields)?,
        project_id: fields.optional("project_id")?.map(str::to_owned),
        quota_project: fields.optional("quota_project_id")?.map(str::to_owned),
        universe_domain: fields.optional("universe_domain")?.map(str::to_owned),
    })
}

fn kind(fields: &Fields<'_>) -> Result<Kind, String> {
    match fields.text("type")? {
        "service_account" => service_account(fields).map(Kind::ServiceAccount),
        "authorized_user" => authorized_user(fields).map(Kind::AuthorizedUser),
        "external_account" => external::parse(fields).map(|external| Kind::External(Box::new(external))),
        "impersonated_service_account" => impersonated(fields),
        other => Err(format!(
            "`type` is `{}`, which is not supported: use a service account's key, gcloud's application default \
             credentials, workload identity federation or the metadata server",
            shown(other)
        )),
    }
}

fn service_account(fields: &Fields<'_>) -> Result<ServiceAccount, String> {
    Ok(ServiceAccount {
        email: fields.text("client_email")?.to_owned(),
        key_id: fields.optional("private_key_id")?.unwrap_or_default().to_owned(),
        key: SigningKey::from_pem(fields.text("private_key")?)
            .map_err(|problem| format!("`private_key` {problem}"))?,
    })
}

fn authorized_user(fields: &Fields<'_>) -> Result<AuthorizedUser, String> {
    Ok(AuthorizedUser {
        token_uri: match fields.optional("token_uri")? {
            Some(_) => fields.url("token_uri")?,
            None => Uri::from_static(TOKEN_URI),
        },
        client_id: fields.text("client_id")?.to_owned(),
        client_secret: Exposed::new(fields.text("client_secret")?.to_owned()),
        refresh_token: Exposed::new(fields.text("refresh_token")?.to_owned()),
    })
}

fn impersonated(fields: &Fields<'_>) -> Result<Kind, String> {
    let source = fields.object("source_credentials")?;
    let base = kind(&source)?;
    if matches!(base, Kind::Impersonated { .. }) {
        return Err(String::from(
            "`source_credentials` impersonates itself: name the accounts in between in `delegates`",
        ));
    }
    Ok(Kind::Impersonated {
        base: Box::new(base),
        target: Impersonation {
            url: fields.url("service_account_impersonation_url")?,
            delegates: fields.texts("delegates")?,
            lifetime: Impersonation::LIFETIME,
        },
    })
}

impl Impersonation {
    /// Seconds that a token is asked for, unless the file says otherwise; the most that Google gives by default.
    pub(super) const LIFETIME: u64 = 3_600;
}

/// The fields of an object of a file, and where it stands in it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    place: &'static str,
}

impl<'a> Fields<'a> {
    fn name(&self, field: &str) -> String {
        match self.place {
            "" => format!("`{field}`"),
            place => format!("`{place}.{field}`"),
        }
    }

    /// A text that may be left out.
    pub(super) fn optional(&self, field: &str) -> Result<Option<&'a str>, String> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{} is no text", self.name(field))),
        }
    }

    /// A text that must be there.
    pub(super) fn text(&self, field: &str) -> Result<&'a str, String> {
        match self.optional(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(format!(
                "{} is missing or empty: create or download the file again",
                self.name(field)
            )),
        }
    }

    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>, String> {
        let no_list = || format!("{} is no list of texts", self.name(field));
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(texts)) => texts
                .iter()
                .map(|text| text.as_str().map(str::to_owned).ok_or_else(no_list))
                .collect(),
            Some(_) => Err(no_list()),
        }
    }

    /// A number of seconds that may be left out.
    pub(super) fn seconds(&self, field: &str) -> Result<Option<u64>, String> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(seconds @ 600..=43_200) => Ok(Some(seconds)),
                _ => Err(format!(
                    "{} is no number of seconds from 600 to 43200",
                    self.name(field)
                )),
            },
        }
    }

    /// Where a secret is sent: encrypted, or to this host.
    pub(super) fn url(&self, field: &str) -> Result<Uri, String> {
        Endpoint::parse(self.text(field)?, Plaintext::LoopbackOnly)
            .map(|endpoint| endpoint.uri().clone())
            .map_err(|error| format!("{}: {error}", self.name(field)))
    }

    pub(super) fn object(&self, field: &'static str) -> Result<Self, String> {
        match self.optional_object(field)? {
            Some(object) => Ok(object),
            None => Err(format!("{} is missing: create the file again", self.name(field))),
        }
    }

    pub(super) fn optional_object(&self, field: &'static str) -> Result<Option<Self>, String> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self { fields, place: field })),
            Some(_) => Err(format!("{} is no object", self.name(field))),
        }
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Names and texts.
    pub(super) fn pairs(&self) -> Result<Vec<(String, String)>, String> {
        self.fields
            .keys()
            .map(|name| Ok((name.clone(), self.text(name)?.to_owned())))
            .collect()
    }
}

/// A text of a file that is no secret, short enough to be shown.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|found| !found.is_control())
        .take(60)
        .collect()
}
