//! Workload identity federation: a token of another identity provider is exchanged for one of Google's (RFC 8693).
//!
//! The other's token is read from a file or a URL at each exchange, since it rotates, or is a request to AWS that is signed
//! and not sent. A program is never run for one: a configuration file must not decide what this host executes.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ::http::{HeaderName, HeaderValue, Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::answer;
use super::aws_subject::AwsSubject;
use super::file::{Fields, Impersonation};
use super::{CLOUD_PLATFORM, Outside};
use crate::credentials::CredentialError;
use crate::credentials::cache::Expiring;
use crate::secret::Exposed;

/// The largest subject token that is read.
const MAX_TOKEN: u64 = 64 * 1024;

/// What an `external_account` file says.
pub(super) struct External {
    audience: String,
    subject_token_type: String,
    token_url: Uri,
    subject: Subject,
    /// For providers that want one.
    client: Option<(String, Exposed)>,
    workforce_project: Option<String>,
    impersonation: Option<Impersonation>,
}

/// Where the other provider's token is.
enum Subject {
    File {
        path: PathBuf,
        format: Format,
    },
    Url {
        uri: Uri,
        headers: Vec<(HeaderName, HeaderValue)>,
        format: Format,
    },
    Aws(AwsSubject),
}

/// What a subject token lies in.
enum Format {
    Text,
    Json { field: String },
}

/// Understands the fields of an `external_account` file.
pub(super) fn parse(fields: &Fields<'_>) -> Result<External, String> {
    let source = fields.object("credential_source")?;
    let lifetime = match fields.optional_object("service_account_impersonation")? {
        Some(options) => options.seconds("token_lifetime_seconds")?,
        None => None,
    };
    let impersonation = match fields.optional("service_account_impersonation_url")? {
        None => None,
        Some(_) => Some(Impersonation {
            url: fields.url("service_account_impersonation_url")?,
            delegates: Vec::new(),
            lifetime: lifetime.unwrap_or(Impersonation::LIFETIME),
        }),
    };
    let client = match (fields.optional("client_id")?, fields.optional("client_secret")?) {
        (Some(id), secret) => Some((id.to_owned(), Exposed::new(secret.unwrap_or_default().to_owned()))),
        (None, _) => None,
    };
    Ok(External {
        audience: fields.text("audience")?.to_owned(),
        subject_token_type: fields.text("subject_token_type")?.to_owned(),
        token_url: fields.url("token_url")?,
        subject: subject(&source)?,
        client,
        workforce_project: fields.optional("workforce_pool_user_project")?.map(str::to_owned),
        impersonation,
    })
}

fn subject(source: &Fields<'_>) -> Result<Subject, String> {
    if source.optional("environment_id")?.is_some() {
        return AwsSubject::parse(source).map(Subject::Aws);
    }
    if source.has("executable") {
        return Err(String::from(
            "`credential_source.executable` is not supported, since no program is run for a token: let it write its \
             token into a file, and name that in `credential_source.file`",
        ));
    }
    if source.has("certificate") {
        return Err(String::from(
            "`credential_source.certificate` is not supported: use a file, a URL or AWS as the source",
        ));
    }
    let format = match source.optional_object("format")? {
        None => Format::Text,
        Some(format) => match format.optional("type")? {
            None | Some("text") => Format::Text,
            Some("json") => Format::Json {
                field: format.text("subject_token_field_name")?.to_owned(),
            },
            Some(_) => return Err(String::from("`format.type` is neither `text` nor `json`")),
        },
    };
    if let Some(path) = source.optional("file")? {
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            return Err(String::from(
                "`credential_source.file` is not an absolute path: begin it with `/`",
            ));
        }
        return Ok(Subject::File { path, format });
    }
    if source.optional("url")?.is_some() {
        let headers = match source.optional_object("headers")? {
            None => Vec::new(),
            Some(headers) => headers
                .pairs()?
                .into_iter()
                .map(|(name, value)| {
                    let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
                    let value = HeaderValue::from_str(&value).ok();
                    parsed
                        .zip(value)
                        .ok_or_else(|| format!("`headers` has no usable header `{}`", name.escape_debug()))
                })
                .collect::<Result<_, _>>()?,
        };
        // Plain HTTP too: identity providers of clouds are at link-local addresses.
        let uri: Uri = source
            .text("url")?
            .parse()
            .map_err(|_| String::from("`credential_source.url` is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(String::from(
                "`credential_source.url` begins with neither `https://` nor `http://`",
            ));
        }
        return Ok(Subject::Url { uri, headers, format });
    }
    Err(String::from(
        "`credential_source` names no source: it needs `file`, `url` or `environment_id`",
    ))
}

impl External {
    pub(super) fn token(&self, scope: &str, outside: &Outside) -> Result<Expiring<Exposed>, CredentialError> {
        match &self.impersonation {
            None => self.exchange(scope, outside),
            Some(target) => {
                let base = self.exchange(CLOUD_PLATFORM, outside)?;
                super::impersonate(target, &base.value, scope, outside)
            }
        }
    }

    fn exchange(&self, scope: &str, outside: &Outside) -> Result<Expiring<Exposed>, CredentialError> {
        let subject = match &self.subject {
            Subject::File { path, format } => of_file(path, format)?,
            Subject::Url { uri, headers, format } => of_url(uri, headers, format, outside)?,
            Subject::Aws(aws) => aws.token(&self.audience, outside)?,
        };
        let mut fields = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", self.audience.as_str()),
            ("scope", scope),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token_type", self.subject_token_type.as_str()),
            ("subject_token", subject.value()),
        ];
        // A client of its own says by itself whose project it is.
        let options = self
            .workforce_project
            .as_ref()
            .filter(|_| self.client.is_none())
            .map(|project| json!({ "userProject": project }).to_string());
        if let Some(options) = &options {
            fields.push(("options", options));
        }
        let mut request = answer::form(&self.token_url, &fields);
        let mut secrets = vec![&subject];
        if let Some((id, secret)) = &self.client {
            let basic = format!("Basic {}", BASE64.encode(format!("{id}:{}", secret.value())));
            if let Ok(mut value) = HeaderValue::from_str(&basic) {
                value.set_sensitive(true);
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            secrets.push(secret);
        }
        let source = format!(
            "the token exchange at {}",
            self.token_url.host().unwrap_or_default()
        );
        let advice = "check `audience`, `subject_token_type` and the provider's conditions in the pool";
        let response = answer::ask(&*outside.web, &request, &source, &secrets, advice)?;
        answer::access_token(&response, &source, &*outside.clock)
    }
}

fn of_file(path: &Path, format: &Format) -> Result<Exposed, CredentialError> {
    let source = format!("the subject token in {}", path.display());
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_TOKEN + 1).read_to_end(&mut bytes))
        .map_err(|error| CredentialError::Refused {
            source: source.clone(),
            reason: format!("cannot be read ({}): is whoever writes it running?", error.kind()),
        })?;
    extract(&bytes, format, source)
}

fn of_url(
    uri: &Uri,
    headers: &[(HeaderName, HeaderValue)],
    format: &Format,
    outside: &Outside,
) -> Result<Exposed, CredentialError> {
    let source = format!("the subject token at {}", uri.host().unwrap_or_default());
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = uri.clone();
    request.headers_mut().extend(headers.iter().cloned());
    // Over plain HTTP there is only a metadata service of some cloud, which no proxy reaches.
    let transport = if uri.scheme_str() == Some("http") {
        &outside.direct
    } else {
        &outside.web
    };
    let advice = "check `credential_source.url` and its headers";
    // They prove who asks, and an answer may repeat them.
    let given = headers.iter().filter_map(|(_, value)| value.to_str().ok());
    let given: Vec<Exposed> = given.map(|value| Exposed::new(value.to_owned())).collect();
    let secrets: Vec<&Exposed> = given.iter().collect();
    let response = answer::ask(&**transport, &request, &source, &secrets, advice)?;
    extract(response.body(), format, source)
}

fn extract(bytes: &[u8], format: &Format, source: String) -> Result<Exposed, CredentialError> {
    let found = match format {
        Format::Text => std::str::from_utf8(bytes).ok().map(|text| text.trim().to_owned()),
        Format::Json { field } => serde_json::from_slice::<Value>(bytes)
            .ok()
            .and_then(|value| value.get(field)?.as_str().map(str::to_owned)),
    };
    match found {
        Some(token) if !token.is_empty() && bytes.len() as u64 <= MAX_TOKEN => Ok(Exposed::new(token)),
        _ => Err(CredentialError::Refused {
            source,
            reason: match format {
                Format::Text => String::from("is empty or no text"),
                Format::Json { .. } => {
                    String::from("is no JSON object with the field that `subject_token_field_name` names")
                }
            },
        }),
    }
}
