//! The clouds' own host names, their certificates and each source of credentials, with no endpoint named anywhere: a network
//! and mount namespace in which those names are this machine, and the metadata addresses are on its loopback.
//!
//! The test runs itself again inside the namespace. It wants root, `unshare`, `ip` and `mount`; where one is missing it says
//! so by name and ends well.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use auditship_testkit::receiver::authority::{Authority, Clients, Validity};
use auditship_testkit::receiver::{Received, Receiver, Reply};

/// Set inside the namespace.
const INSIDE: &str = "AUDITSHIP_TEST_NAMESPACE";

/// The names that are asked for; all of them are 127.0.0.1 inside.
const HOSTS: [&str; 7] = [
    "logs.eu-central-1.amazonaws.com",
    "sts.eu-central-1.amazonaws.com",
    "audit-bucket.s3.eu-central-1.amazonaws.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "storage.googleapis.com",
];

/// Addresses of metadata services: of EC2 and Google, of ECS, of EKS.
const METADATA: [Ipv4Addr; 3] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
];

#[test]
fn default_endpoints_and_every_source_of_credentials() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: default endpoints: only root can make a namespace");
    }
    let mut namespace = Command::new("unshare");
    namespace
        .args(["-n", "-m", "--propagation", "private"])
        .arg(std::env::current_exe().expect("this test has a path"))
        .args([
            "--exact",
            "default_endpoints_and_every_source_of_credentials",
            "--nocapture",
        ])
        .env(INSIDE, "1");
    let probe = Command::new("unshare").args(["-n", "-m", "ip", "link"]).output();
    match probe {
        Ok(probe) if probe.status.success() => {}
        Ok(probe) => {
            let said = String::from_utf8_lossy(&probe.stderr).into_owned();
            return println!("skipped: default endpoints: no namespace: {said}");
        }
        Err(error) => return println!("skipped: default endpoints: unshare: {error}"),
    }
    let output = namespace.output().expect("just tried");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{complained}");
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect(program);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

fn inside() {
    run("ip", &["link", "set", "lo", "up"]);
    for address in METADATA {
        run("ip", &["addr", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let world = World::new(directory.path());
    // The authority is nobody's yet.
    let refused = world.check(
        "aws",
        &[("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")],
    );
    assert!(
        !refused.0 && refused.1.contains("not from an authority that is trusted"),
        "{}",
        refused.1
    );
    world.trust();
    world.amazon();
    world.google();
}

/// Servers and files inside the namespace.
struct World {
    directory: PathBuf,
    authority: Authority,
    clouds: Receiver,
    metadata: Vec<Receiver>,
}

impl World {
    fn new(directory: &Path) -> Self {
        let mut hosts = String::from("127.0.0.1 localhost\n169.254.169.254 metadata.google.internal\n");
        hosts.extend(HOSTS.iter().map(|host| format!("127.0.0.1 {host}\n")));
        mount(directory, "hosts", &hosts, "/etc/hosts");
        let authority = Authority::new("the clouds' test authority");
        let tls = authority.issue(&HOSTS, Validity::Now).server(Clients::Anybody);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 443)).expect("an empty namespace");
        let metadata = METADATA.map(|address| {
            let listener = TcpListener::bind((address, 80)).expect("an empty namespace");
            Receiver::answering(listener, None, metadata)
        });
        Self {
            directory: directory.to_owned(),
            authority,
            clouds: Receiver::answering(listener, Some(tls), cloud),
            metadata: metadata.into(),
        }
    }

    /// From now on this machine trusts the authority.
    fn trust(&self) {
        mount(
            &self.directory,
            "authorities.pem",
            self.authority.pem(),
            "/etc/ssl/certs/ca-certificates.crt",
        );
    }

    /// `auditship check` of the destination `id` with nothing but `environment`: whether it is ready, and what is said.
    fn check(&self, id: &str, environment: &[(&str, &str)]) -> (bool, String) {
        let file = self.directory.join("auditship.toml");
        let mut tables = CONFIGURATION.split("\n\n");
        let table = tables.find(|table| table.contains(&format!("id = \"{id}\"\n")));
        let text = format!(
            "[spool]\npath = \"{}\"\n{}",
            self.directory.join("spool").display(),
            table.expect("a destination of the configuration")
        );
        std::fs::write(&file, text).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_auditship"))
            .args(["check", "--destination", id, "-c"])
            .arg(file)
            .env_clear()
            .env("HOME", &self.directory)
            .envs(environment.iter().copied())
            .output()
            .expect("the binary starts");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// Checks, and tells which credential the destination itself was shown.
    fn shown(&self, id: &str, host: &str, environment: &[(&str, &str)]) -> String {
        let before = self.clouds.requests().len();
        let (ready, said) = self.check(id, environment);
        assert!(ready, "{environment:?}: {said}\n{:?}", self.clouds.problems());
        let requests = self.clouds.requests().split_off(before);
        let request = requests
            .iter()
            .rfind(|request| request.header("host") == Some(host));
        let request = request.unwrap_or_else(|| panic!("nothing came to {host}: {said}"));
        let authorization = request.header("authorization").unwrap_or_default();
        if let Some((_, scope)) = authorization.split_once("Credential=") {
            assert!(scope.contains("/eu-central-1/"), "{authorization}");
            return scope.split('/').next().unwrap_or_default().to_owned();
        }
        authorization.to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        std::fs::create_dir_all(path.parent().expect("below the directory")).expect("made");
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    fn amazon(&self) {
        let logs = HOSTS[0];
        let keys = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert_eq!(self.shown("aws", logs, &keys), "AKIDENV");
        assert_eq!(self.shown("bucket", HOSTS[2], &keys), "AKIDENV");
        // A role on top of them, with its external id.
        assert_eq!(self.shown("role", logs, &keys), "ASIAFROM-AKIDENV");
        let external =
            |request: &Received| String::from_utf8_lossy(&request.body).contains("ExternalId=audit-42");
        assert!(self.clouds.requests().iter().any(external));

        let token = self.file("web-identity-token", "a.b.c");
        let web = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
        ];
        assert_eq!(self.shown("aws", logs, &web), "ASIAWEB");

        let ecs = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")];
        assert_eq!(self.shown("aws", logs, &ecs), "ASIAECS");

        let token = self.file("eks-token", "eks-token");
        let eks = [
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://169.254.170.23/v1/credentials",
            ),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.as_str()),
        ];
        assert_eq!(self.shown("aws", logs, &eks), "ASIAEKS");

        // Metadata services are never asked through a proxy; this one does not exist. The cloud itself is told to be direct.
        let behind = [
            ("HTTP_PROXY", "http://127.0.0.1:9"),
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            ("NO_PROXY", "amazonaws.com"),
        ];
        assert_eq!(self.shown("aws", logs, &behind), "ASIAIMDS");

        self.file(
            ".aws/credentials",
            "[base]\naws_access_key_id = AKIDFILE\naws_secret_access_key = s\n",
        );
        self.file(
            ".aws/config",
            "[profile audit]\nrole_arn = arn:aws:iam::123456789012:role/audit\nsource_profile = base\n",
        );
        assert_eq!(self.shown("aws", logs, &[("AWS_PROFILE", "base")]), "AKIDFILE");
        // A profile that is configured beats keys in the environment.
        assert_eq!(self.shown("profile", logs, &keys), "ASIAFROM-AKIDFILE");
    }

    fn google(&self) {
        let storage = HOSTS[6];
        assert_eq!(self.shown("google", storage, &[]), "Bearer from-metadata");
        assert_eq!(self.metadata.len(), METADATA.len());

        let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
        let user = self.file("user.json", user);
        let user = [("GOOGLE_APPLICATION_CREDENTIALS", user.as_str())];
        assert_eq!(self.shown("google", storage, &user), "Bearer from-refresh");

        let subject = self.file("subject-token", "subject");
        let federated = format!(
            r#"{{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
                "subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token",
                "service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
                "credential_source":{{"file":"{subject}"}}}}"#
        );
        let federated = self.file("federated.json", &federated);
        let federated = [("GOOGLE_APPLICATION_CREDENTIALS", federated.as_str())];
        assert_eq!(
            self.shown("google", storage, &federated),
            "Bearer from-impersonation"
        );

        // RS256: the assertion is the token, made here.
        let key = self.file("key.pem", "");
        run(
            "openssl",
            &[
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-out",
                &key,
            ],
        );
        let pem = std::fs::read_to_string(&key)
            .expect("just made")
            .replace('\n', "\\n");
        let account = format!(
            r#"{{"type":"service_account","project_id":"p","private_key_id":"k1","private_key":"{pem}",
                "client_email":"a@p.iam.gserviceaccount.com","token_uri":"https://oauth2.googleapis.com/token"}}"#
        );
        let account = self.file("account.json", &account);
        let account = [("GOOGLE_APPLICATION_CREDENTIALS", account.as_str())];
        let shown = self.shown("google", storage, &account);
        assert_eq!(
            shown
                .strip_prefix("Bearer ")
                .map(|token| token.split('.').count()),
            Some(3),
            "{shown}"
        );
    }
}

const CONFIGURATION: &str = r#"
[[destination]]
id = "aws"
type = "cloudwatch_logs"
region = "eu-central-1"
log_group_name = "audit"
log_stream_name = "host"

[[destination]]
id = "role"
type = "cloudwatch_logs"
region = "eu-central-1"
log_group_name = "audit"
log_stream_name = "host"
role_arn = "arn:aws:iam::123456789012:role/audit"
external_id = "audit-42"

[[destination]]
id = "profile"
type = "cloudwatch_logs"
region = "eu-central-1"
log_group_name = "audit"
log_stream_name = "host"
profile = "audit"

[[destination]]
id = "bucket"
type = "s3"
region = "eu-central-1"
bucket = "audit-bucket"

[[destination]]
id = "google"
type = "gcs"
bucket = "audit-bucket"
"#;

/// Writes `text` and mounts it over `target`.
fn mount(directory: &Path, name: &str, text: &str, target: &str) {
    let file = directory.join(name);
    std::fs::write(&file, text).expect("written");
    run("mount", &["--bind", &file.display().to_string(), target]);
}

fn json(status: u16, body: &str) -> Reply {
    Reply::Full {
        status,
        headers: vec![
            (String::from("content-type"), String::from("application/json")),
            (String::from("x-amzn-requestid"), String::from("r-1")),
            (String::from("metadata-flavor"), String::from("Google")),
        ],
        body: body.as_bytes().to_vec(),
    }
}

/// What a container's or an instance's role is given.
fn role_keys(key: &str) -> Reply {
    json(
        200,
        &format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2026-01-01T00:00:00Z","AccessKeyId":"{key}",
                "SecretAccessKey":"s","Token":"t","Expiration":"2080-01-01T00:00:00Z"}}"#
        ),
    )
}

/// The metadata services of EC2 (IMDSv2 only), Google, ECS and EKS.
fn metadata(request: &Received) -> Reply {
    let google = request.header("metadata-flavor") == Some("Google");
    match (
        request.method.as_str(),
        request.target.split('?').next().unwrap_or_default(),
    ) {
        ("PUT", "/latest/api/token") if request.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() => {
            Reply::Full {
                status: 200,
                headers: vec![(
                    String::from("x-aws-ec2-metadata-token-ttl-seconds"),
                    String::from("21600"),
                )],
                body: b"imds-token".to_vec(),
            }
        }
        ("GET", path) if path.starts_with("/latest/") => {
            if request.header("x-aws-ec2-metadata-token") != Some("imds-token") {
                return Reply::Status(401);
            }
            match path {
                "/latest/meta-data/iam/security-credentials/" => Reply::text(200, "audit-role"),
                "/latest/meta-data/iam/security-credentials/audit-role" => role_keys("ASIAIMDS"),
                _ => Reply::Status(404),
            }
        }
        ("GET", "/v2/credentials/1") => role_keys("ASIAECS"),
        ("GET", "/v1/credentials") if request.header("authorization") == Some("eks-token") => {
            role_keys("ASIAEKS")
        }
        ("GET", path) if path.ends_with("/service-accounts/default/token") && google => json(
            200,
            r#"{"access_token":"from-metadata","expires_in":3599,"token_type":"Bearer"}"#,
        ),
        ("GET", "/computeMetadata/v1/project/project-id") if google => Reply::Full {
            status: 200,
            headers: vec![(String::from("metadata-flavor"), String::from("Google"))],
            body: b"p".to_vec(),
        },
        _ => Reply::Status(404),
    }
}

/// Everything behind the clouds' names: by host.
fn cloud(request: &Received) -> Reply {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    match request.header("host").unwrap_or_default() {
        "logs.eu-central-1.amazonaws.com" => {
            json(200, r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}"#)
        }
        "sts.eu-central-1.amazonaws.com" => sts(request, &body),
        "audit-bucket.s3.eu-central-1.amazonaws.com" => match request.method.as_str() {
            "POST" => Reply::text(
                200,
                "<InitiateMultipartUploadResult><Bucket>audit-bucket</Bucket><Key>k</Key><UploadId>u</UploadId>\
                 </InitiateMultipartUploadResult>",
            ),
            "DELETE" => Reply::Status(204),
            _ => Reply::Status(405),
        },
        "oauth2.googleapis.com"
            if body.contains("grant_type=refresh_token") && body.contains("refresh_token=r") =>
        {
            json(
                200,
                r#"{"access_token":"from-refresh","expires_in":3599,"token_type":"Bearer"}"#,
            )
        }
        "sts.googleapis.com" if body.contains("subject_token=subject") || body.contains(r#""subject""#) => {
            json(
                200,
                r#"{"access_token":"from-exchange","issued_token_type":"urn:ietf:params:oauth:token-type:access_token",
                "token_type":"Bearer","expires_in":3599}"#,
            )
        }
        "iamcredentials.googleapis.com"
            if request.header("authorization") == Some("Bearer from-exchange") =>
        {
            json(
                200,
                r#"{"accessToken":"from-impersonation","expireTime":"2080-01-01T00:00:00Z"}"#,
            )
        }
        "storage.googleapis.com" if request.target.contains("/iam/testPermissions") => {
            json(200, r#"{"permissions":["storage.objects.create"]}"#)
        }
        _ => Reply::Status(404),
    }
}

fn sts(request: &Received, body: &str) -> Reply {
    let authorization = request.header("authorization").unwrap_or_default();
    let signer = authorization
        .split_once("Credential=")
        .and_then(|(_, scope)| scope.split('/').next());
    let (action, key) = match signer {
        Some(key) if body.contains("Action=AssumeRole&") => ("AssumeRole", format!("ASIAFROM-{key}")),
        _ if body.contains("Action=AssumeRoleWithWebIdentity") && body.contains("WebIdentityToken=a.b.c") => {
            ("AssumeRoleWithWebIdentity", String::from("ASIAWEB"))
        }
        _ => return Reply::Status(400),
    };
    Reply::text(
        200,
        &format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><AssumedRoleUser>\
             <AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/audit/x</Arn>\
             </AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>2080-01-01T00:00:00Z</Expiration></Credentials></{action}Result>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}
