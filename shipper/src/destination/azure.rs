//! What the destinations at Azure have in common: which cloud, the keys that say as whom, and how an error is named. Pure.

use std::path::PathBuf;

use ::http::Response;
use serde_json::Value;

use super::aws::xml_text;
use super::config::{ConfigError, absolute};
use super::connection::RawConnection;
use super::endpoint::{Endpoint, Plaintext};
use crate::config::Environment;
use crate::credentials::azure::entra::{Application, Assigned, Identity, Method};
use crate::secret::Secret;

/// Azure's clouds, each with names of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// `public`
    #[default]
    Public,
    /// `usgov`
    UsGov,
    /// `china`
    China,
}

impl Cloud {
    /// From its name in a configuration.
    ///
    /// # Errors
    /// [`ConfigError`]: there is no such cloud.
    pub(super) fn from_name(name: Option<&str>) -> Result<Self, ConfigError> {
        match name {
            None | Some("public") => Ok(Self::Public),
            Some("usgov") => Ok(Self::UsGov),
            Some("china") => Ok(Self::China),
            Some(other) => {
                let problem = format!("`{other}` is no cloud of Azure; use `public`, `usgov` or `china`");
                Err(ConfigError::invalid("cloud", problem))
            }
        }
    }

    /// Where Entra ID is.
    fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGov => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// What the host of a storage account ends with.
    pub(super) fn blob_suffix(self) -> &'static str {
        match self {
            Self::Public => "blob.core.windows.net",
            Self::UsGov => "blob.core.usgovcloudapi.net",
            Self::China => "blob.core.chinacloudapi.cn",
        }
    }
}

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawAzure {
    /// `public` (default), `usgov` or `china`.
    cloud: Option<String>,
    /// `client_secret`, `client_certificate`, `workload_identity`, `managed_identity` or `azure_cli`; without it what the
    /// other keys imply, else the environment, else the managed identity.
    credential: Option<String>,
    /// The tenant; default AZURE_TENANT_ID.
    tenant_id: Option<String>,
    /// The application, or which managed identity; default AZURE_CLIENT_ID.
    client_id: Option<String>,
    /// The application's secret; default AZURE_CLIENT_SECRET. A secret.
    client_secret: Option<String>,
    /// PEM of the application's certificate and its key; default AZURE_CLIENT_CERTIFICATE_PATH.
    client_certificate_file: Option<PathBuf>,
    /// The file with the token of a workload; default AZURE_FEDERATED_TOKEN_FILE.
    federated_token_file: Option<PathBuf>,
    /// Which managed identity, by its object id.
    identity_object_id: Option<String>,
    /// Which managed identity, by its resource id.
    identity_resource_id: Option<String>,
    /// URL in place of Entra ID's own; default AZURE_AUTHORITY_HOST.
    authority_host: Option<String>,
}

/// How an identity proves itself, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Secret,
    Certificate,
    Workload,
    Managed,
    Cli,
}

impl RawAzure {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "cloud",
        "credential",
        "tenant_id",
        "client_id",
        "client_secret",
        "client_certificate_file",
        "federated_token_file",
        "identity_object_id",
        "identity_resource_id",
        "authority_host",
    ];

    /// Which cloud.
    ///
    /// # Errors
    /// [`ConfigError`]: there is no such cloud.
    pub(super) fn cloud(&self) -> Result<Cloud, ConfigError> {
        Cloud::from_name(self.cloud.as_deref())
    }

    /// The first key that says as whom, for a destination that is told so in another way.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            ("credential", self.credential.is_some()),
            ("tenant_id", self.tenant_id.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("client_certificate_file", self.client_certificate_file.is_some()),
            ("federated_token_file", self.federated_token_file.is_some()),
            ("identity_object_id", self.identity_object_id.is_some()),
            ("identity_resource_id", self.identity_resource_id.is_some()),
            ("authority_host", self.authority_host.is_some()),
        ];
        given.into_iter().find_map(|(key, given)| given.then_some(key))
    }

    /// As whom. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(super) fn validate(
        self,
        connection: RawConnection,
        environment: &Environment,
    ) -> Result<Identity, ConfigError> {
        let kind = self.kind(environment)?;
        Ok(Identity {
            authority: self.authority(environment)?,
            method: self.method(kind, environment)?,
            connection,
            environment: environment.clone(),
        })
    }

    fn kind(&self, environment: &Environment) -> Result<Kind, ConfigError> {
        let keys = [
            ("client_secret", Kind::Secret, self.client_secret.is_some()),
            (
                "client_certificate_file",
                Kind::Certificate,
                self.client_certificate_file.is_some(),
            ),
            (
                "federated_token_file",
                Kind::Workload,
                self.federated_token_file.is_some(),
            ),
            (
                "identity_object_id",
                Kind::Managed,
                self.identity_object_id.is_some(),
            ),
            (
                "identity_resource_id",
                Kind::Managed,
                self.identity_resource_id.is_some(),
            ),
        ];
        let mut given = keys.into_iter().filter(|(_, _, given)| *given);
        let (first, second) = (given.next(), given.next());
        if let (Some((key, _, _)), Some((other, _, _))) = (first, second) {
            let problem = format!("and `{key}` exclude each other: remove one of them");
            return Err(ConfigError::invalid(other, problem));
        }
        let named = match self.credential.as_deref() {
            None => None,
            Some("client_secret") => Some(Kind::Secret),
            Some("client_certificate") => Some(Kind::Certificate),
            Some("workload_identity") => Some(Kind::Workload),
            Some("managed_identity") => Some(Kind::Managed),
            Some("azure_cli") => Some(Kind::Cli),
            Some(other) => {
                let problem = format!(
                    "`{other}` is no credential; use `client_secret`, `client_certificate`, `workload_identity`, \
                     `managed_identity` or `azure_cli`"
                );
                return Err(ConfigError::invalid("credential", problem));
            }
        };
        match (named, first) {
            (Some(named), Some((key, implied, _))) if named != implied => {
                let problem = "belongs to another `credential`: remove one of the two";
                Err(ConfigError::invalid(key, problem))
            }
            (Some(named), _) => Ok(named),
            (None, Some((_, implied, _))) => Ok(implied),
            (None, None) => Ok(in_environment(environment)),
        }
    }

    fn method(self, kind: Kind, environment: &Environment) -> Result<Method, ConfigError> {
        let from = |given: &Option<String>, variable| {
            let given = given.clone().filter(|given| !given.is_empty());
            given.or_else(|| environment.filled(variable).map(str::to_owned))
        };
        let file = |key, given: &Option<PathBuf>, variable, expected| {
            let found = given
                .clone()
                .or_else(|| environment.filled(variable).map(PathBuf::from));
            absolute(key, found.ok_or(ConfigError::Missing { key, expected })?)
        };
        let client = from(&self.client_id, "AZURE_CLIENT_ID");
        let is_told_otherwise = self.identity_object_id.is_some() || self.identity_resource_id.is_some();
        if self.client_id.is_some() && (kind == Kind::Cli || is_told_otherwise) {
            let problem = "is of no use here: another key says as whom; remove one of them";
            return Err(ConfigError::invalid("client_id", problem));
        }
        match kind {
            Kind::Cli => Ok(Method::AzureCli {
                tenant: self.tenant_id.as_deref().map(tenant).transpose()?,
            }),
            Kind::Managed => {
                if self.tenant_id.is_some() {
                    let problem = "is of no use to a managed identity: set `client_secret` or `client_certificate_file`, or remove it";
                    return Err(ConfigError::invalid("tenant_id", problem));
                }
                let assigned = match (self.identity_object_id, self.identity_resource_id) {
                    (Some(id), _) => Some(Assigned::Object(id)),
                    (None, Some(id)) => Some(Assigned::Resource(id)),
                    (None, None) => client.map(Assigned::Client),
                };
                Ok(Method::ManagedIdentity(assigned))
            }
            Kind::Secret | Kind::Certificate | Kind::Workload => {
                let id = from(&self.tenant_id, "AZURE_TENANT_ID").ok_or(ConfigError::Missing {
                    key: "tenant_id",
                    expected: "the id of the tenant (directory)",
                })?;
                let application = Application {
                    tenant: tenant(&id)?,
                    client: client.ok_or(ConfigError::Missing {
                        key: "client_id",
                        expected: "the id of the application (client)",
                    })?,
                };
                match kind {
                    Kind::Secret => {
                        let text =
                            from(&self.client_secret, "AZURE_CLIENT_SECRET").ok_or(ConfigError::Missing {
                                key: "client_secret",
                                expected: "the application's secret, as `file:/etc/auditship/secret`",
                            })?;
                        let secret = Secret::parse(&text, environment)
                            .map_err(|error| ConfigError::invalid("client_secret", error))?;
                        Ok(Method::ClientSecret { application, secret })
                    }
                    Kind::Certificate => {
                        let file = file(
                            "client_certificate_file",
                            &self.client_certificate_file,
                            "AZURE_CLIENT_CERTIFICATE_PATH",
                            "the PEM file of the application's certificate and its key",
                        )?;
                        Ok(Method::ClientCertificate { application, file })
                    }
                    _ => {
                        let file = file(
                            "federated_token_file",
                            &self.federated_token_file,
                            "AZURE_FEDERATED_TOKEN_FILE",
                            "the file in which the workload's token is put",
                        )?;
                        Ok(Method::WorkloadIdentity { application, file })
                    }
                }
            }
        }
    }

    /// Secrets go there: over TLS only, on this host too.
    fn authority(&self, environment: &Environment) -> Result<String, ConfigError> {
        let given = self.authority_host.as_deref();
        let Some(url) = given.or_else(|| environment.filled("AZURE_AUTHORITY_HOST")) else {
            return Ok(self.cloud()?.authority().to_owned());
        };
        // The variable often has no scheme.
        let url = match url.contains("://") {
            true => url.to_owned(),
            false => format!("https://{url}"),
        };
        let invalid = |problem: String| ConfigError::invalid("authority_host", problem);
        let endpoint =
            Endpoint::parse(&url, Plaintext::LoopbackOnly).map_err(|error| invalid(error.to_string()))?;
        let uri = endpoint.uri();
        if uri.scheme_str() != Some("https") || uri.query().is_some() || uri.path() != "/" {
            return Err(invalid(String::from(
                "write it as https://login.microsoftonline.com",
            )));
        }
        Ok(uri.to_string().trim_end_matches('/').to_owned())
    }
}

/// As the environment of a service says it, in the order in which Azure's own tools look; without anything the machine itself.
fn in_environment(environment: &Environment) -> Kind {
    if environment.filled("AZURE_CLIENT_SECRET").is_some() {
        Kind::Secret
    } else if environment.filled("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
        Kind::Certificate
    } else if environment.filled("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        Kind::Workload
    } else {
        Kind::Managed
    }
}

/// It becomes a part of a URL.
fn tenant(id: &str) -> Result<String, ConfigError> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    match !id.is_empty() && id.bytes().all(is_id) {
        true => Ok(id.to_owned()),
        false => {
            let problem =
                format!("`{id}` is no tenant: write its id, or its name as contoso.onmicrosoft.com");
            Err(ConfigError::invalid("tenant_id", problem))
        }
    }
}

/// What Azure's services call an error: in a header, or in a body of JSON or XML; empty when nothing is said.
pub(crate) fn error_code(response: &Response<Vec<u8>>) -> String {
    let header = response.headers().get("x-ms-error-code");
    let header = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let code = header
        .or_else(|| json_error(response.body(), "code"))
        .or_else(|| xml_text(response.body(), "Code"))
        .unwrap_or_default();
    code.chars().take(128).collect()
}

/// What the service says in words, without the lines that name the request; empty when it says nothing.
pub(super) fn error_message(response: &Response<Vec<u8>>) -> String {
    let message = json_error(response.body(), "message").or_else(|| xml_text(response.body(), "Message"));
    let message = message.unwrap_or_default();
    message.lines().next().unwrap_or_default().to_owned()
}

fn json_error(body: &[u8], key: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&body["error"][key]).or_else(|| text(&body[key]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_each_form() {
        for (header, body, code, message) in [
            (Some("BlobAlreadyExists"), "", "BlobAlreadyExists", ""),
            (
                None,
                "\u{feff}<?xml version=\"1.0\"?><Error><Code>A</Code><Message>b c\nRequestId:d</Message></Error>",
                "A",
                "b c",
            ),
            (None, r#"{"error":{"code":"A","message":"b"}}"#, "A", "b"),
            (None, r#"{"code":"A","message":"b"}"#, "A", "b"),
            (None, r#"{"error":7}"#, "", ""),
            (None, "", "", ""),
        ] {
            let mut response = Response::builder().status(400);
            if let Some(header) = header {
                response = response.header("x-ms-error-code", header);
            }
            let response = response.body(body.as_bytes().to_vec()).unwrap();
            assert_eq!(
                (error_code(&response), error_message(&response)),
                (code.to_owned(), message.to_owned())
            );
        }
    }

    fn identity(keys: &str, environment: &Environment) -> Result<Identity, ConfigError> {
        let raw: RawAzure = toml::from_str(keys).unwrap();
        raw.validate(RawConnection::default(), environment)
    }

    #[test]
    fn the_configuration_decides_as_whom_and_then_the_environment() {
        let application = || Application {
            tenant: String::from("t"),
            client: String::from("c"),
        };
        let named = "tenant_id = \"t\"\nclient_id = \"c\"\n";
        let secret = |text: &str| Method::ClientSecret {
            application: application(),
            secret: Secret::parse(text, &Environment::empty()).unwrap(),
        };
        let workload = |file: &str| Method::WorkloadIdentity {
            application: application(),
            file: PathBuf::from(file),
        };
        let kubernetes = Environment::from([
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token"),
        ]);
        let everything = Environment::from([
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", "s"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token"),
        ]);
        let nothing = Environment::empty();
        for (keys, environment, method) in [
            (String::new(), &nothing, Method::ManagedIdentity(None)),
            (
                String::from("client_id = \"c\""),
                &nothing,
                Method::ManagedIdentity(Some(Assigned::Client(String::from("c")))),
            ),
            (
                String::from("identity_object_id = \"o\""),
                &nothing,
                Method::ManagedIdentity(Some(Assigned::Object(String::from("o")))),
            ),
            (format!("{named}client_secret = \"s\""), &nothing, secret("s")),
            (String::new(), &kubernetes, workload("/var/run/token")),
            (String::new(), &everything, secret("s")),
            (
                String::from("credential = \"workload_identity\""),
                &everything,
                workload("/var/run/token"),
            ),
            (
                String::from("federated_token_file = \"/other\""),
                &everything,
                workload("/other"),
            ),
            (
                format!("{named}client_certificate_file = \"/c.pem\""),
                &nothing,
                Method::ClientCertificate {
                    application: application(),
                    file: PathBuf::from("/c.pem"),
                },
            ),
            (
                String::from("credential = \"azure_cli\"\ntenant_id = \"t\""),
                &nothing,
                Method::AzureCli {
                    tenant: Some(String::from("t")),
                },
            ),
        ] {
            assert_eq!(identity(&keys, environment).unwrap().method, method, "{keys}");
        }
    }

    #[test]
    fn entra_id_is_reached_over_tls_only() {
        for (keys, host, authority) in [
            ("", "", "https://login.microsoftonline.com"),
            ("cloud = \"usgov\"", "", "https://login.microsoftonline.us"),
            ("", "login.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
            (
                "authority_host = \"https://l.example:8443/\"",
                "x",
                "https://l.example:8443",
            ),
        ] {
            let environment = Environment::from([("AZURE_AUTHORITY_HOST", host)]);
            assert_eq!(identity(keys, &environment).unwrap().authority, authority);
        }
    }

    #[test]
    fn keys_that_do_not_fit_are_named() {
        for (keys, key, part) in [
            ("credential = \"password\"", "credential", "`azure_cli`"),
            (
                "client_secret = \"hunter2\"\nfederated_token_file = \"/a\"",
                "federated_token_file",
                "exclude each other",
            ),
            (
                "credential = \"azure_cli\"\nclient_secret = \"hunter2\"",
                "client_secret",
                "another `credential`",
            ),
            ("client_secret = \"hunter2\"", "tenant_id", "is missing"),
            (
                "client_secret = \"hunter2\"\ntenant_id = \"t\"",
                "client_id",
                "is missing",
            ),
            (
                "credential = \"client_secret\"\ntenant_id = \"t\"\nclient_id = \"c\"",
                "client_secret",
                "is missing",
            ),
            ("tenant_id = \"t\"", "tenant_id", "of no use"),
            (
                "credential = \"azure_cli\"\nclient_id = \"c\"",
                "client_id",
                "of no use",
            ),
            (
                "identity_object_id = \"o\"\nclient_id = \"c\"",
                "client_id",
                "of no use",
            ),
            (
                "client_secret = \"hunter2\"\ntenant_id = \"a/b\"",
                "tenant_id",
                "no tenant",
            ),
            (
                "federated_token_file = \"a\"\ntenant_id = \"t\"\nclient_id = \"c\"",
                "federated_token_file",
                "absolute",
            ),
            (
                "authority_host = \"http://127.0.0.1\"",
                "authority_host",
                "https://",
            ),
            ("authority_host = \"https://a/b\"", "authority_host", "https://"),
        ] {
            let error = identity(keys, &Environment::empty()).unwrap_err();
            assert_eq!(error.key(), key, "{keys}: {error}");
            assert!(error.to_string().contains(part), "{keys}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
