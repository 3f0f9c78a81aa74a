use std::sync::Arc;

use auditship_testkit::receiver::{Receiver, Reply};

use super::*;
use crate::config::Environment;
use crate::destination::connection::RawConnection;
use crate::transport::SendError;

fn environment() -> Environment {
    Environment::from([
        ("TOKEN", "hunter2-env"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-aws"),
        ("AWS_REGION", "eu-central-1"),
    ])
}

fn parse(keys: &str) -> Result<Authentication, ConfigError> {
    let raw: RawAuthentication = toml::from_str(keys).unwrap();
    raw.validate(&RawConnection::default(), &environment())
}

fn transport(keys: &str) -> Arc<dyn Transport> {
    parse(keys).unwrap().transport(&Options::default()).unwrap()
}

fn request(url: &str) -> ::http::Request<Vec<u8>> {
    ::http::Request::post(url).body(b"{}\n".to_vec()).unwrap()
}

#[test]
fn each_way_sends_what_it_says() {
    for (keys, header, value) in [
        ("", "authorization", None),
        ("auth = \"none\"", "authorization", None),
        (
            "username = \"me\"\npassword = \"p\"",
            "authorization",
            Some("Basic bWU6cA=="),
        ),
        (
            "token = \"env:TOKEN\"",
            "authorization",
            Some("Bearer hunter2-env"),
        ),
        (
            "auth = \"API_KEY\"\ntoken = \"env:TOKEN\"",
            "authorization",
            Some("ApiKey hunter2-env"),
        ),
        ("header = \"X-Key: env:TOKEN\"", "x-key", Some("hunter2-env")),
        (
            "auth = \"none\"\nheader = { Authorization = \"Splunk env\" }",
            "authorization",
            Some("Splunk env"),
        ),
    ] {
        let receiver = Receiver::start([], Reply::Status(204));
        transport(keys).send(&request(&receiver.url("/"))).unwrap();
        assert_eq!(receiver.requests()[0].header(header), value, "{keys}");
    }
}

#[test]
fn a_secret_in_the_query_string_is_encoded_sent_and_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let keys = format!(
        "auth = \"query\"\nquery_parameter = \"api key\"\ntoken = \"file:{}\"",
        file.display()
    );
    let transport = transport(&keys);
    let said = "you sent hunter2 &=+/ä and hunter2%20%26%3D%2B%2F%C3%A4";
    let receiver = Receiver::start([], Reply::text(403, said));
    let missing = transport.send(&request(&receiver.url("/?v=2"))).unwrap_err();
    let SendError::NoCredentials { reason } = &missing else {
        panic!("{missing:?}")
    };
    assert!(reason.contains("`api key`") && reason.contains(&file.display().to_string()));
    assert_eq!(receiver.requests().len(), 0);

    std::fs::write(&file, "hunter2 &=+/ä\n").unwrap();
    for (path, target) in [
        ("/a/b?v=2", "/a/b?v=2&api%20key=hunter2%20%26%3D%2B%2F%C3%A4"),
        ("/", "/?api%20key=hunter2%20%26%3D%2B%2F%C3%A4"),
        ("/?", "/?api%20key=hunter2%20%26%3D%2B%2F%C3%A4"),
    ] {
        let response = transport.send(&request(&receiver.url(path))).unwrap();
        assert_eq!(receiver.requests().last().unwrap().target, target);
        let said = String::from_utf8_lossy(response.body()).into_owned();
        assert!(
            said.starts_with("you sent ***") && !said.contains("hunter2"),
            "{said}"
        );
    }
    // Nobody listens there any more.
    let gone = receiver.url("/");
    drop(receiver);
    let error = transport.send(&request(&gone)).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
}

#[test]
fn a_request_is_signed_for_the_service_that_is_configured() {
    let receiver = Receiver::start([], Reply::Status(200));
    let transport = transport("auth = \"aws\"\naws_service = \"aoss\"\nheader = \"X-Tag: a\"");
    transport.send(&request(&receiver.url("/_bulk"))).unwrap();
    let requests = receiver.requests();
    let authorization = requests[0].header("authorization").unwrap();
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
        "{authorization}"
    );
    assert!(authorization.contains("/eu-central-1/aoss/aws4_request"));
    // sha256sum of {} and a line end
    assert_eq!(
        requests[0].header("x-amz-content-sha256"),
        Some("ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356")
    );
    assert_eq!(requests[0].header("x-tag"), Some("a"));
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    for (keys, key, part) in [
        (
            "auth = \"kerberos\"",
            "auth",
            "`none`, `basic`, `bearer`, `api_key`, `query`",
        ),
        ("auth = \"api_key\"", "token", "is missing"),
        ("auth = \"query\"\ntoken = \"t\"", "query_parameter", "is missing"),
        (
            "auth = \"query\"\nquery_parameter = \"\"\ntoken = \"t\"",
            "query_parameter",
            "is missing",
        ),
        ("auth = \"query\"\nquery_parameter = \"k\"", "token", "is missing"),
        ("query_parameter = \"k\"", "query_parameter", "does not use it"),
        ("auth = \"aws\"", "aws_service", "is missing"),
        ("auth = \"aws\"\naws_service = \"E S\"", "aws_service", "`aoss`"),
        (
            "auth = \"aws\"\naws_service = \"es\"\nrole_arn = \"me\"",
            "role_arn",
            "is no role",
        ),
        (
            "auth = \"aws\"\naws_service = \"es\"\nexternal_id = \"7\"",
            "external_id",
            "set `role_arn`",
        ),
        (
            "auth = \"aws\"\naws_service = \"es\"\nregion = \"EU\"",
            "region",
            "no region",
        ),
        (
            "auth = \"bearer\"\ntoken = \"t\"\nregion = \"eu\"",
            "region",
            "does not use it",
        ),
        (
            "auth = \"aws\"\naws_service = \"es\"\nheader = \"Authorization: x\"",
            "header",
            "`auth`",
        ),
        (
            "header = \"Content-Type: a/b\"",
            "header",
            "by the request itself",
        ),
    ] {
        let error = parse(keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
}

#[test]
fn no_secret_is_in_a_debug_form() {
    for keys in [
        "username = \"me\"\npassword = \"hunter2\"",
        "token = \"hunter2\"",
        "auth = \"query\"\nquery_parameter = \"k\"\ntoken = \"hunter2\"",
        "header = \"X-Key: hunter2\"",
        "auth = \"aws\"\naws_service = \"es\"",
    ] {
        let raw: RawAuthentication = toml::from_str(keys).unwrap();
        let shown = format!("{raw:?} {:?}", parse(keys).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

const LOGIN: &str = "auth = \"oauth2_authorization_code\"\noauth_token_url = \"https://l.example/token\"\n\
                     oauth_authorization_url = \"https://l.example/authorize\"\noauth_client_id = \"me\"\n\
                     oauth_token_file = \"/var/lib/auditship/siem.token\"\n";

const CLIENT: &str = "auth = \"oauth2_client_credentials\"\noauth_token_url = \"https://l.example/token\"\n\
                      oauth_client_id = \"me\"\noauth_client_secret = \"env:TOKEN\"\n";

#[test]
fn tokens_are_had_as_the_keys_say() {
    let authentication = parse(&format!(
        "{CLIENT}oauth_client_auth = \"body\"\noauth_scope = [\"a\", \"b\"]\noauth_audience = \"them\"\n\
         oauth_resource = \"urn:x\""
    ))
    .unwrap();
    let granted = authentication.granted().unwrap();
    let client = &granted.client;
    assert_eq!(granted.grant, Grant::ClientCredentials);
    assert_eq!(
        (
            client.scope.as_deref(),
            client.audience.as_deref(),
            client.resource.as_deref()
        ),
        (Some("a b"), Some("them"), Some("urn:x"))
    );
    assert_eq!(authentication.account(), Some("me"));
    assert!(!format!("{authentication:?}").contains("hunter2"));

    let authentication = parse(&format!(
        "{LOGIN}oauth_scope = \"a b, c\"\noauth_parameters = \"access_type=offline, prompt=a=b\""
    ))
    .unwrap();
    let granted = authentication.granted().unwrap();
    assert_eq!(
        (granted.client.scope.as_deref(), &granted.client.secret),
        (Some("a b c"), &None)
    );
    let Grant::AuthorizationCode(consent) = &granted.grant else {
        panic!("{granted:?}")
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        consent.parameters,
        [pair("access_type", "offline"), pair("prompt", "a=b")]
    );
    assert_eq!(parse("token = \"t\"").unwrap().granted(), None);
}

#[test]
fn keys_of_tokens_that_cannot_be_used_are_named() {
    for (base, without, further, key, part) in [
        (CLIENT, "oauth_token_url", "", "oauth_token_url", "is missing"),
        (CLIENT, "oauth_client_id", "", "oauth_client_id", "is missing"),
        (
            CLIENT,
            "oauth_client_secret",
            "",
            "oauth_client_secret",
            "is missing",
        ),
        (
            CLIENT,
            "",
            "oauth_client_auth = \"jwt\"",
            "oauth_client_auth",
            "`body`",
        ),
        (
            CLIENT,
            "",
            "oauth_token_file = \"/t\"",
            "oauth_token_file",
            "does not use it",
        ),
        (CLIENT, "", "token = \"t\"", "token", "does not use it"),
        (CLIENT, "", "header = \"Authorization: x\"", "header", "`auth`"),
        (
            CLIENT,
            "oauth_token_url",
            "oauth_token_url = \"http://l.example/\"",
            "oauth_token_url",
            "would send secrets to l.example",
        ),
        (
            LOGIN,
            "oauth_authorization_url",
            "",
            "oauth_authorization_url",
            "is missing",
        ),
        (LOGIN, "oauth_token_file", "", "oauth_token_file", "is missing"),
        (
            LOGIN,
            "",
            "oauth_client_auth = \"body\"",
            "oauth_client_auth",
            "there is none",
        ),
        (
            LOGIN,
            "oauth_token_file",
            "oauth_token_file = \"siem.token\"",
            "oauth_token_file",
            "absolute",
        ),
        (
            LOGIN,
            "oauth_token_file",
            "oauth_token_file = \"/\"",
            "oauth_token_file",
            "no file's name",
        ),
        (
            LOGIN,
            "",
            "oauth_parameters = \"state=x\"",
            "oauth_parameters",
            "by the login itself",
        ),
        (
            LOGIN,
            "",
            "oauth_parameters = \"offline\"",
            "oauth_parameters",
            "no parameter",
        ),
    ] {
        let lines = base
            .lines()
            .filter(|line| without.is_empty() || !line.starts_with(without));
        let keys = format!("{}\n{further}", lines.collect::<Vec<_>>().join("\n"));
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
    }
}
