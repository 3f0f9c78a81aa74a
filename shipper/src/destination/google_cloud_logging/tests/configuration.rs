//! Keys, what they mean, and what is said of those that cannot be used.

use super::*;

#[test]
fn the_list_of_keys_is_the_list_of_fields() {
    let error = toml::from_str::<RawConfig>("no_such_key = 1").err();
    // Unknown keys are caught before; every key that is listed is one that is read.
    assert!(error.is_none());
    for key in RawConfig::KEYS {
        let error = toml::from_str::<RawConfig>(&format!("{key} = [5]")).err();
        assert!(error.is_some(), "{key} is no field");
    }
}

#[test]
fn engflow_s_logs_work_by_configuration() {
    let stanza = "resource = \"gce_instance\"\ninstance_id = \"42\"\nzone = \"us-east1-b\"\nlabels = \"job=engflow_logs\"";
    let toml = "resource = \"gce_instance\"\nresource_labels = { instance_id = \"42\", zone = \"us-east1-b\" }\nlabels = { job = \"engflow_logs\" }";
    assert_eq!(parse(stanza), parse(toml));
    let body = sent(&logging(stanza), &["{}"]);
    assert_eq!(body["labels"]["job"], "engflow_logs");
    assert_eq!(
        body["resource"],
        serde_json::json!({
            "type": "gce_instance",
            "labels": { "project_id": "audit-project", "instance_id": "42", "zone": "us-east1-b" },
        })
    );
}

#[test]
fn project_and_universe_come_from_where_they_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let target = |keys: &str, variables: &[(&str, &str)]| {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        route(&parse_in(keys, &environment)?).map(|route| route.destination.target())
    };
    let file = format!("credentials_file = \"{}\"\n", path.display());
    let error = target(&file, &[]).unwrap_err();
    assert_eq!(error.key(), "project_id");
    assert!(error.to_string().contains("cannot be read"), "{error}");
    // With a project, a file that cannot be read is told of when a token is wanted.
    assert_eq!(
        target(&format!("{file}{PROJECT}"), &[]).unwrap(),
        "projects/audit-project/logs/auditship"
    );
    let key = serde_json::json!({
        "type": "service_account",
        "project_id": "of-the-key",
        "private_key": include_str!("../../../credentials/google/tests/service_account_key.pem"),
        "client_email": "a@b",
        "universe_domain": "s3nsapis.fr",
    });
    std::fs::write(&path, key.to_string()).unwrap();
    assert_eq!(
        target(&file, &[]).unwrap(),
        "projects/of-the-key/logs/auditship at logging.s3nsapis.fr"
    );
    assert_eq!(
        target(&file, &[("GOOGLE_CLOUD_PROJECT", "of-the-variable")]).unwrap(),
        "projects/of-the-variable/logs/auditship at logging.s3nsapis.fr"
    );
    assert_eq!(
        target(
            &format!("{file}{PROJECT}endpoint = \"https://logging.us.rep.googleapis.com/\""),
            &[("GOOGLE_CLOUD_PROJECT", "x")]
        )
        .unwrap(),
        "projects/audit-project/logs/auditship at logging.us.rep.googleapis.com"
    );
    let error = target("", &[]).unwrap_err();
    assert_eq!(error.key(), "project_id");
    assert!(error.to_string().contains("do not name one"), "{error}");
    let error = target(
        &format!(
            "{PROJECT}ca_file = \"{}\"",
            folder.path().join("ca.pem").display()
        ),
        &[],
    )
    .unwrap_err();
    assert_eq!(error.key(), "ca_file");
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let long = "x".repeat(512);
    let labels: Vec<String> = (0..65).map(|at| format!("l{at}=x")).collect();
    let hole = "{{{ log_message }}}";
    for (keys, key, part) in [
        (
            "project_id = \"Audit Project\"".to_owned(),
            "project_id",
            "is no project's id",
        ),
        ("log_name = \"a b\"".to_owned(), "log_name", "has ' ' in it"),
        ("log_name = \"\"".to_owned(), "log_name", "1 to 511"),
        (format!("log_name = \"{long}\""), "log_name", "512 characters"),
        (
            "log_name = \"projects/x y/logs/a\"".to_owned(),
            "log_name",
            "is no log name",
        ),
        (
            "log_name = \"projects/p/logs/a%20b\"".to_owned(),
            "log_name",
            "has '%' in it",
        ),
        (
            "log_name = \"billingAccounts/1/logs/a\"".to_owned(),
            "log_name",
            "Google's services only",
        ),
        ("resource = \"a b\"".to_owned(), "resource", "is no resource type"),
        (
            "resource = \"gce_instance\"\ninstance_id = \"1\"".to_owned(),
            "zone",
            "is missing",
        ),
        (
            "resource = \"gce_instance\"\nzone = \"z\"".to_owned(),
            "instance_id",
            "is missing",
        ),
        (
            "resource = \"gce_instance\"\ninstance_id = \"vm-1\"\nzone = \"z\"".to_owned(),
            "instance_id",
            "is no VM's number",
        ),
        (
            "resource = \"gce_instance\"\ninstance_id = \"1\"\nzone = \"projects/1/zones/z\"".to_owned(),
            "zone",
            "is no zone",
        ),
        (
            "resource = \"gce_instance\"\nzone = \"z\"\nresource_labels = \"zone=z\"".to_owned(),
            "zone",
            "`resource_labels` as well",
        ),
        ("instance_id = \"1\"".to_owned(), "instance_id", "gce_instance"),
        ("zone = \"1\"".to_owned(), "zone", "gce_instance"),
        (
            "resource = \"gce_instance\"\ncompression = \"gzip\"".to_owned(),
            "compression",
            "set `instance_id`",
        ),
        (
            "resource_labels = \"a\"".to_owned(),
            "resource_labels",
            "name=value",
        ),
        ("labels = 5".to_owned(), "labels", "table"),
        ("labels = \"a=1, a=2\"".to_owned(), "labels", "`a` is set twice"),
        (
            format!("labels = \"{}\"", labels.join(",")),
            "labels",
            "65 labels",
        ),
        (format!("labels = \"{long}x=1\""), "labels", "too long"),
        ("labels = \"=1\"".to_owned(), "labels", "empty"),
        ("severity = \"failure=BAD\"".to_owned(), "severity", "EMERGENCY"),
        (
            "severity = \"fail=INFO\"".to_owned(),
            "severity",
            "`success`, `failure`",
        ),
        (
            "retention = \"0s\"".to_owned(),
            "retention",
            "longer than nothing",
        ),
        ("retention = 30".to_owned(), "retention", "unit"),
        (
            "credentials_file = \"key.json\"".to_owned(),
            "credentials_file",
            "absolute",
        ),
        (
            "endpoint = \"http://a.example\"".to_owned(),
            "endpoint",
            "allow_plaintext",
        ),
        (
            "compression = \"zstd\"".to_owned(),
            "compression",
            "does not take zstd",
        ),
        ("compression_level = 3".to_owned(), "compression_level", "`none`"),
        ("proxy = \"socks5://p:1\"".to_owned(), "proxy", "SOCKS"),
        ("timeout = \"0s\"".to_owned(), "timeout", "longer than nothing"),
        (
            "log_nme = \"a\"".to_owned(),
            "log_nme",
            "did you mean `log_name`?",
        ),
        ("envelope = '{\"data\": 1}'".to_owned(), "envelope", "has no hole"),
        (
            "envelope = '{\"data\": {{{ log_mesage }}}}'".to_owned(),
            "envelope",
            "line 1: `{{{ log_mesage }}}` is no hole",
        ),
        (
            "envelope = '{\"data\": {{{ log_message'".to_owned(),
            "envelope",
            "has no hole",
        ),
        (
            format!("envelope = '{{\"a\": {hole}, \"b\": {hole}}}'"),
            "envelope",
            "more than one",
        ),
        (
            format!("envelope = '{{\"data\": \"{hole}\"}}'"),
            "envelope",
            "without quotes",
        ),
        (
            format!("envelope = '{{\"data\": \"a {hole}\"}}'"),
            "envelope",
            "without quotes",
        ),
        (
            format!("envelope = '{{ {hole}: 1}}'"),
            "envelope",
            "without quotes",
        ),
        (
            format!("envelope = '{{\"data\" {hole}}}'"),
            "envelope",
            "is not JSON (at the hole or after it)",
        ),
        (
            format!("envelope = '''{{\n\"x\": tru,\n\"data\": {hole}}}'''"),
            "envelope",
            "line 2, column 9",
        ),
        (
            format!("envelope = '{{\"data\": {hole}'"),
            "envelope",
            "at the hole or after it",
        ),
        (format!("envelope = '[{hole}]'"), "envelope", "is no JSON object"),
        (
            format!("envelope = '{{\"entries\": [{{\"jsonPayload\": {{\"a\": 1}}}}], \"x\": {hole}}}'"),
            "envelope",
            "the hole must be in the payload",
        ),
        (
            format!("envelope = '{{\"entries\": [{{\"jsonPayload\": [{hole}]}}]}}'"),
            "envelope",
            "no `jsonPayload` that is an object",
        ),
        (
            format!(
                "envelope = '{{\"entries\": [{{\"jsonPayload\": {{\"a\": {hole}}}, \"severity\": \"INFO\"}}]}}'"
            ),
            "envelope",
            "`entries.severity` cannot be set",
        ),
        (
            format!("envelope = '{{\"entries\": [{hole}, 1]}}'"),
            "envelope",
            "list of one entry",
        ),
        (
            format!(
                "envelope = '{{\"dryRun\": true, \"entries\": [{{\"jsonPayload\": {{\"a\": {hole}}}}}]}}'"
            ),
            "envelope",
            "`dryRun` cannot be set",
        ),
        (
            format!(
                "envelope = '{{\"logName\": \"x\", \"entries\": [{{\"jsonPayload\": {{\"a\": {hole}}}}}]}}'"
            ),
            "envelope",
            "`logName` \"x\" is no log name",
        ),
        (
            format!(
                "envelope = '{{\"resource\": {{}}, \"entries\": [{{\"jsonPayload\": {{\"a\": {hole}}}}}]}}'"
            ),
            "envelope",
            "no `type`",
        ),
        (
            format!(
                "envelope = '{{\"labels\": {{\"a\": 1}}, \"entries\": [{{\"jsonPayload\": {{\"a\": {hole}}}}}]}}'"
            ),
            "envelope",
            "`labels.a` is no text",
        ),
        (
            format!(
                "log_name = \"y\"\nenvelope = '{{\"logName\": \"projects/p/logs/x\", \"entries\": [{{\"jsonPayload\": {{\"a\": {hole}}}}}]}}'"
            ),
            "log_name",
            "`logName` in `envelope` as well",
        ),
    ] {
        let project = if keys.starts_with("project_id") {
            ""
        } else {
            PROJECT
        };
        let error = parse_in(&format!("{project}{keys}"), &Environment::empty()).err();
        let error = error.unwrap_or_else(|| panic!("{keys} is taken"));
        let text = error.to_string();
        assert_eq!(error.key(), key, "{keys}: {text}");
        assert!(text.contains(part), "{keys}: {text}");
    }
}
