//! AWS profiles with `credential_process`, through the built binary: with the feature `aws-profiles` their keys are used,
//! without it the reason names the feature.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use auditship_testkit::receiver::{Receiver, Reply};

/// `auditship check` of a destination whose profile has `script` as its process.
fn check(script: &str) -> (Output, Receiver) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let process = path("keys");
    std::fs::write(&process, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&process, std::fs::Permissions::from_mode(0o755)).expect("ours");
    std::fs::write(
        path("config"),
        format!("[profile anywhere]\ncredential_process = {process}\n"),
    )
    .expect("written");
    let answer = Reply::Full {
        status: 200,
        headers: vec![(String::from("x-amzn-requestid"), String::from("r"))],
        body: br#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}"#.to_vec(),
    };
    let receiver = Receiver::start([], answer);
    std::fs::write(
        path("auditship.toml"),
        format!(
            "[spool]\npath = \"{}\"\n[[destination]]\nid = \"logs\"\ntype = \"cloudwatch_logs\"\nregion = \"eu-central-1\"\n\
             endpoint = \"{}\"\nlog_group_name = \"audit\"\nlog_stream_name = \"host\"\nprofile = \"anywhere\"\n",
            path("spool"),
            receiver.url("")
        ),
    )
    .expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_auditship"))
        .args(["check", "-c", &path("auditship.toml")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", directory.path())
        .env("AWS_CONFIG_FILE", path("config"))
        .output()
        .expect("the binary starts");
    (output, receiver)
}

#[test]
fn a_profile_with_a_process_is_used_or_the_feature_is_named() {
    let (output, receiver) =
        check("echo '{\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\",\"SecretAccessKey\":\"s\"}'");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if cfg!(feature = "aws-profiles") {
        assert!(output.status.success(), "{said}");
        let requests = receiver.requests();
        let authorization = requests[0].header("authorization").expect("signed");
        assert!(
            authorization.contains("Credential=AKIDPROCESS/"),
            "{authorization}"
        );
    } else {
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("--features aws-profiles"), "{said}");
        assert_eq!(receiver.requests(), []);
    }
}

#[test]
#[cfg(feature = "aws-profiles")]
fn what_a_failing_process_says_is_shown_to_nobody() {
    let (output, receiver) = check("echo the password is hunter2 >&2; exit 7");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("`credential_process` ended with"), "{said}");
    assert!(said.contains('7') && !said.contains("hunter2"), "{said}");
    assert_eq!(receiver.requests(), []);
}
