//! Tokens of Entra ID: from a fake that looks at what it is asked (over TLS, as Microsoft's crate wants it), to Azurite, which
//! looks at the tokens.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use auditship::transport::Transport;
use auditship::transport::http::{HttpTransport, Options};
use auditship_testkit::receiver::authority::{Authority, Clients, Validity};
use auditship_testkit::receiver::{Received, Receiver, Reply};
use auditship_testkit::servers::Absent;
use auditship_testkit::servers::azurite::{Azurite, Certificate};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::batch::now;
use super::installed;
use super::shipment::{by_number, cat, records};
use super::store::Store;

const TENANT: &str = "contoso.onmicrosoft.com";
const CLIENT: &str = "00000000-0000-0000-0000-00000000000b";
const SECRET: &str = "hunter2+&/=";

/// Azurite that takes tokens, Entra ID, and who vouches for both.
struct Cloud {
    azurite: Azurite,
    entra: Receiver,
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

fn cloud(scenario: &str) -> Option<&'static Cloud> {
    static CLOUD: OnceLock<Result<Cloud, Absent>> = OnceLock::new();
    installed(scenario, CLOUD.get_or_init(Cloud::start))
}

impl Cloud {
    fn start() -> Result<Self, Absent> {
        let folder = tempfile::tempdir().expect("a directory");
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("written");
            path
        };
        let authority = Authority::new("test");
        let issued = authority.issue(&["localhost"], Validity::Now);
        let ca_file = file("ca.pem", authority.pem());
        let (cert_file, key_file) = (file("cert.pem", &issued.cert), file("key.pem", &issued.key));
        let azurite = Azurite::start_tls(Certificate {
            cert_file: &cert_file,
            key_file: &key_file,
        })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let entra = Receiver::answering(listener, Some(issued.server(Clients::Anybody)), entra);
        Ok(Self {
            azurite,
            entra,
            ca_file,
            _folder: folder,
        })
    }

    fn container(&self, name: &str) -> Store {
        let options = Options {
            ca_file: Some(self.ca_file.clone()),
            ..Options::default()
        };
        let wire: Arc<dyn Transport> = Arc::new(HttpTransport::new(options).expect("a certificate"));
        Store::make_over(wire, &self.azurite, name)
    }

    /// Ships a file of ten records to `container`.
    fn ship(&self, container: &str, folder: &Path, with: &[&str], environment: &[(&str, &str)]) -> Output {
        let file = folder.join("audit.ndjson");
        std::fs::write(&file, records(10)).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditship"));
        command.arg("ship").arg(&file);
        command.arg("--spool").arg(folder.join("spool"));
        command.args(["--to", &format!("azblob://{}/{container}", Azurite::ACCOUNT)]);
        let fixed = [
            format!("endpoint={}", self.azurite.url),
            format!("ca_file={}", self.ca_file.display()),
        ];
        for with in fixed.iter().map(String::as_str).chain(with.iter().copied()) {
            command.args(["--with", with]);
        }
        command
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("it ends")
    }

    fn authority_host(&self) -> String {
        format!("authority_host={}", self.entra.url("").trim_end_matches('/'))
    }
}

/// What Azurite looks at in a token; nobody checks its signature.
fn token(audience: &str, lifetime: i64) -> String {
    let at = now().0 / 1_000_000_000;
    let claims = json!({
        "aud": audience, "iss": "https://sts.windows.net/tenant/", "iat": at - 60, "nbf": at - 60, "exp": at + lifetime,
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.c2ln",
        part(json!({"alg": "RS256", "typ": "JWT"})),
        part(claims)
    )
}

fn json_reply(status: u16, body: &serde_json::Value) -> Reply {
    Reply::Full {
        status,
        headers: vec![(String::from("content-type"), String::from("application/json"))],
        body: body.to_string().into_bytes(),
    }
}

/// The client credentials flow as Microsoft documents it, with its errors.
fn entra(request: &Received) -> Reply {
    let refused = |code: u32, words: &str| {
        let body = json!({
            "error": "invalid_request",
            "error_codes": [code],
            "error_description": format!("AADSTS{code}: {words} Trace ID: a Correlation ID: b Timestamp: c"),
        });
        json_reply(if code == 7_000_215 { 401 } else { 400 }, &body)
    };
    if request.target != format!("/{TENANT}/oauth2/v2.0/token") {
        return refused(
            90_002,
            "Tenant not found. Check to make sure you have the correct tenant ID.",
        );
    }
    let body = String::from_utf8_lossy(&request.plain).into_owned();
    let form: BTreeMap<String, String> = body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
            (name.to_owned(), value)
        })
        .collect();
    let is = |name: &str, value: &str| form.get(name).is_some_and(|found| found == value);
    if !is("grant_type", "client_credentials") || !is("scope", "https://storage.azure.com/.default") {
        return refused(
            70_011,
            "The provided request must include a 'scope' input parameter.",
        );
    }
    if !is("client_id", CLIENT) {
        return refused(
            700_016,
            "Application with identifier was not found in the directory.",
        );
    }
    let is_federated = is("client_assertion", "jwt-of-kubernetes")
        && is(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        );
    if !is("client_secret", SECRET) && !is_federated {
        return refused(7_000_215, "Invalid client secret provided.");
    }
    json_reply(
        200,
        &json!({
            "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
            "access_token": token("https://storage.azure.com", 3599),
        }),
    )
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn delivered(store: &Store, folder: &Path) {
    assert!(
        by_number(store.lines()) == cat(&folder.join("spool")),
        "contents differ"
    );
}

#[test]
fn a_wrong_tenant_or_secret_holds_everything_until_it_is_right() {
    let Some(cloud) = cloud("a_wrong_tenant_or_secret_holds_everything_until_it_is_right") else {
        return;
    };
    let store = cloud.container("secret");
    let folder = tempfile::tempdir().expect("a directory");
    let authority = cloud.authority_host();
    let client = format!("client_id={CLIENT}");
    let secret = [("AZURE_CLIENT_SECRET", SECRET)];
    let wrong = [("AZURE_CLIENT_SECRET", "hunter2-wrong")];
    let with = |tenant| [authority.as_str(), client.as_str(), tenant];
    for (tenant, environment, words) in [
        ("tenant_id=another.example", secret, "check `tenant_id`"),
        (
            "tenant_id=contoso.onmicrosoft.com",
            wrong,
            "check `client_secret`",
        ),
    ] {
        let output = cloud.ship("secret", folder.path(), &with(tenant), &environment);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(store.names(), [""; 0]);
    }
    let output = cloud.ship(
        "secret",
        folder.path(),
        &with("tenant_id=contoso.onmicrosoft.com"),
        &secret,
    );
    assert!(output.status.success(), "{output:?}");
    delivered(&store, folder.path());
}

#[test]
fn a_workload_is_known_by_its_file() {
    let Some(cloud) = cloud("a_workload_is_known_by_its_file") else {
        return;
    };
    let store = cloud.container("workload");
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("token");
    std::fs::write(&file, "jwt-of-kubernetes").expect("written");
    let host = cloud.entra.url("");
    let environment = [
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_AUTHORITY_HOST", host.as_str()),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().expect("text")),
    ];
    let output = cloud.ship("workload", folder.path(), &[], &environment);
    assert!(output.status.success(), "{output:?}");
    delivered(&store, folder.path());
}

#[test]
fn an_app_service_is_known_by_its_endpoint() {
    let Some(cloud) = cloud("an_app_service_is_known_by_its_endpoint") else {
        return;
    };
    let store = cloud.container("app-service");
    let folder = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let identity = Receiver::answering(listener, None, |request| {
        let is_ours = request.header("x-identity-header") == Some("the-header")
            && request
                .target
                .contains("resource=https%3A%2F%2Fstorage.azure.com")
            && request.target.contains("api-version=2019-08-01");
        match is_ours {
            true => json_reply(
                200,
                &json!({
                    "access_token": token("https://storage.azure.com", 3599),
                    "expires_on": (now().0 / 1_000_000_000 + 3599).to_string(),
                    "resource": "https://storage.azure.com", "token_type": "Bearer",
                }),
            ),
            false => Reply::Status(400),
        }
    });
    let endpoint = identity.url("/msi/token");
    let environment = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", "the-header"),
        // Nothing of it goes through a proxy, of which there is none.
        ("http_proxy", "http://127.0.0.1:9"),
    ];
    let output = cloud.ship("app-service", folder.path(), &[], &environment);
    assert!(output.status.success(), "{output:?}");
    delivered(&store, folder.path());

    // What the crate does not know is refused by name.
    let arc = [
        (
            "IDENTITY_ENDPOINT",
            "http://localhost:40342/metadata/identity/oauth2/token",
        ),
        ("IMDS_ENDPOINT", "http://localhost:40342"),
    ];
    let other = tempfile::tempdir().expect("a directory");
    let output = cloud.ship("app-service", other.path(), &[], &arc);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said(&output).contains("Azure Arc managed identity isn't supported"),
        "{output:?}"
    );
}

#[test]
fn a_developer_is_whom_the_azure_cli_knows() {
    let Some(cloud) = cloud("a_developer_is_whom_the_azure_cli_knows") else {
        return;
    };
    let store = cloud.container("developer");
    let folder = tempfile::tempdir().expect("a directory");
    let az = folder.path().join("az");
    let program = |body: &str| {
        std::fs::write(&az, format!("#!/bin/sh\n{body}\n")).expect("written");
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    };
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let environment = [("PATH", path.as_str())];
    program("echo 'ERROR: Please run az login to setup account.' >&2; exit 1");
    let output = cloud.ship(
        "developer",
        folder.path(),
        &["credential=azure_cli"],
        &environment,
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("log in: az login"), "{output:?}");
    let answer = json!({
        "accessToken": token("https://storage.azure.com", 3599),
        "expires_on": now().0 / 1_000_000_000 + 3599, "tokenType": "Bearer",
    });
    program(&format!(
        "case \"$*\" in *storage.azure.com*) echo '{answer}';; *) exit 2;; esac"
    ));
    let output = cloud.ship(
        "developer",
        folder.path(),
        &["credential=azure_cli"],
        &environment,
    );
    assert!(output.status.success(), "{output:?}");
    delivered(&store, folder.path());
}
