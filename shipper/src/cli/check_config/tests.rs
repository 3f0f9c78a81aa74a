use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text.replace("DIR", &self.0.path().display().to_string())).expect("written");
        path
    }

    /// The findings in `text`, with the directory shown as DIR.
    fn findings(&self, name: &str, text: &str) -> Vec<String> {
        let file = self.write(name, text);
        let report = check(&file, None, &Environment::from([("SPOOL", "/var/lib/auditship")]));
        let dir = self.0.path().display().to_string();
        let findings = report.findings.iter();
        findings
            .map(|finding| {
                finding
                    .to_string()
                    .replace(&format!("{dir}/{name}"), name)
                    .replace(&dir, "DIR")
            })
            .collect()
    }
}

const SOUND: &str = "[SERVICE]\n    storage.path /var/lib/fluent-bit\n\
    [INPUT]\n    Name tail\n    Tag audit\n    storage.type filesystem\n";
const STANZA: &str =
    "[OUTPUT]\n    Name auditship\n    Match audit\n    Workers 1\n    Retry_Limit no_limits\n";

#[test]
fn the_printed_stanza_is_sound() {
    let files = Files::new();
    let text = format!(
        "{SOUND}{STANZA}    Id audit\n    Spool DIR/spool\n    Excluded_Categories iam,auth\n    Destination http\n    \
         Url https://collector.example.com/audit\n    Auth bearer\n    Token DIR-is-not-read\n"
    );
    assert_eq!(files.findings("a.conf", &text), Vec::<String>::new());
    let yaml = "service:\n  storage.path: /var/lib/fluent-bit\n\
        pipeline:\n  inputs:\n    - name: tail\n      tag: audit\n      storage.type: filesystem\n\
        \x20 outputs:\n    - name: auditship\n      match: '*'\n      workers: 1\n      retry_limit: no_limits\n      spool: DIR/spool\n";
    assert_eq!(files.findings("a.yaml", yaml), Vec::<String>::new());
}

/// What is wrong with one stanza, from line 7 on: a table of further lines and findings.
#[test]
fn one_stanza() {
    let table: &[(&str, &[&str])] = &[
        (
            "    Spool DIR/s\n    Excluded_Categorys iam\n",
            &["a.conf:13: error: unknown key `Excluded_Categorys`; did you mean `Excluded_Categories`?"],
        ),
        (
            "    Spool DIR/s\n    Retry_Limt 5\n",
            &["a.conf:13: error: unknown key `Retry_Limt`; did you mean `Retry_Limit`?"],
        ),
        (
            "    Spool DIR/s\n    Flavour sweet\n",
            &["a.conf:13: error: unknown key `Flavour`; neither auditship nor Fluent Bit has such a key"],
        ),
        (
            "    Spool DIR/s\n    Excluded_Categories iam,autentication\n",
            &[
                "a.conf:13: error: `Excluded_Categories`: `autentication` is not an ECS category; did you mean \
               `authentication`? The categories are api, authentication, configuration, database, driver, email, file, host, \
               iam, intrusion_detection, library, malware, network, package, process, registry, session, threat, \
               vulnerability, web (and `auth` for `authentication`)",
            ],
        ),
        (
            "    Spool spool\n",
            &[
                "a.conf:12: error: `Spool`: `spool` is relative, and the host's working directory may change: write the whole \
               path from `/`",
            ],
        ),
        (
            "    Id audit\n",
            &[
                "a.conf:7: error: `Spool` is missing in the stanza: the spool's directory, as `Spool /var/lib/auditship/audit`",
            ],
        ),
        (
            "    Spool DIR/s\n    Host collector.example.com\n    tls.verify off\n    net.keepalive on\n    oauth2.enable on\n",
            &[
                "a.conf:13: warning: `Host` is read by Fluent Bit and never reaches auditship: an `http` destination is \
                 addressed by `Url`",
                "a.conf:14: warning: `tls.verify` is read by Fluent Bit and never reaches auditship: use an `https://` URL with \
                 `Ca_File`, `Cert_File`, `Key_File`",
                "a.conf:15: warning: `net.keepalive` is for Fluent Bit's own connections and has no effect on auditship",
                "a.conf:16: warning: `oauth2.enable` is read by Fluent Bit and never reaches auditship",
            ],
        ),
        (
            "    Spool DIR/s\n    tls on\n",
            &[
                "a.conf:13: error: `tls` stops Fluent Bit, which knows no TLS of a plugin's: an `https://` URL is all that \
               auditship needs",
            ],
        ),
        (
            "    Spool DIR/s\n    storage.total_limit_size 1G\n",
            &[
                "a.conf:13: error: `storage.total_limit_size` makes Fluent Bit drop its oldest chunks while the spool is full: \
               leave it out, and bound the spool with `Max_Bytes`",
            ],
        ),
        (
            "    Spool ${ELSEWHERE}/s\n    Id ${NAME}\n",
            &[
                "a.conf:7: warning: `${ELSEWHERE}`, `${NAME}` are not set in this environment, so the values of this stanza were \
               not checked: set what the service has",
            ],
        ),
        ("    Spool ${SPOOL}\n", &["a.conf:12: warning: "]),
        (
            "    Spool DIR/s\n    Destination http\n    Url http://collector.example.com/\n",
            &["a.conf:14: error: `Url`: "],
        ),
        (
            "    Spool DIR/s\n    Destination http\n    Url https://collector.example.com/\n    Token env:NO_SUCH_VARIABLE\n",
            &["a.conf:15: error: `Token`: "],
        ),
        (
            "    Config_File auditship.toml\n",
            &["a.conf:12: error: `Config_File`: `auditship.toml` is relative: write the whole path from `/`"],
        ),
        (
            "    Config_File DIR/none.toml\n",
            &["DIR/none.toml: error: cannot be read: No such file or directory (os error 2)"],
        ),
    ];
    for (more, expected) in table {
        let files = Files::new();
        let found = files.findings("a.conf", &format!("{SOUND}{STANZA}{more}"));
        // /var/lib may be there or not: the row with the environment's variable is about the expansion.
        if more.contains("${SPOOL}") {
            assert!(
                !found.iter().any(|finding| finding.contains("error")),
                "{found:?}"
            );
            continue;
        }
        assert_eq!(found.len(), expected.len(), "{found:#?} for {more}");
        for (found, expected) in found.iter().zip(*expected) {
            assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
        }
    }
}

#[test]
fn what_lets_the_host_lose_records() {
    let files = Files::new();
    let text = "[INPUT]\n    Name tail\n    Tag audit\n\
        [INPUT]\n    Name cpu\n    Tag metrics\n\
        [OUTPUT]\n    Name auditship\n    Match audit*\n    Spool DIR/s\n";
    assert_eq!(
        files.findings("a.conf", text),
        [
            "a.conf:7: error: without `Retry_Limit no_limits` Fluent Bit drops a chunk that was refused twice, as when the spool is full",
            "a.conf:7: warning: without `Workers 1` every input and output of Fluent Bit stands still while records are synced to disk",
            "a.conf:1: error: without `storage.type filesystem` Fluent Bit keeps this input's records only in memory until auditship \
             has them, and forgets them when it stops or is killed",
        ]
    );
    let text = "[INPUT]\n    Name tail\n    storage.type filesystem\n\
        [OUTPUT]\n    Name auditship\n    Match *\n    Spool DIR/s\n    Workers 0\n    Retry_Limit 5\n";
    assert_eq!(
        files.findings("a.conf", text),
        [
            "a.conf:9: error: `Retry_Limit 5`: Fluent Bit drops a chunk that is refused so often, as when the spool is full; write \
             `Retry_Limit no_limits`",
            "a.conf:8: warning: `Workers 0`: every input and output of Fluent Bit stands still while records are synced to disk; write \
             `Workers 1`",
            "a.conf:1: error: `storage.type filesystem` needs `storage.path` in the service section: Fluent Bit does not start without it",
        ]
    );
    let inherited = format!(
        "[SERVICE]\n    storage.path /x\n    storage.type filesystem\n    storage.inherit on\n[INPUT]\n    Name tail\n{STANZA}    Spool DIR/s\n"
    );
    assert_eq!(files.findings("a.conf", &inherited), Vec::<String>::new());
}

#[test]
fn workers_where_the_host_is_reloaded() {
    let files = Files::new();
    let reloaded = |stanza: &str| {
        let text = SOUND.replace("[SERVICE]\n", "[SERVICE]\n    Hot_Reload On\n");
        files.findings("a.conf", &format!("{text}{stanza}    Spool DIR/s\n"))
    };
    assert_eq!(
        reloaded(STANZA),
        [
            "a.conf:11: warning: `Workers 1` with `Hot_Reload On`: Fluent Bit (5.1.1 at least) crashes soon after a hot reload when an \
             external plugin has workers; leave out one of the two"
        ]
    );
    assert_eq!(
        reloaded(&STANZA.replace("    Workers 1\n", "")),
        Vec::<String>::new()
    );
    assert_eq!(
        reloaded(&STANZA.replace("Workers 1", "Workers 0")),
        Vec::<String>::new()
    );
}

#[test]
fn several_stanzas() {
    const FIXES: &str = "give each stanza an `Id` and a `Spool` of its own, or write one stanza whose `Config_File` has several \
                         [[destination]] tables";
    let files = Files::new();
    let two = |first: &str, second: &str| format!("{SOUND}{STANZA}{first}{STANZA}{second}");
    assert_eq!(
        files.findings("a.conf", &two("    Spool DIR/a\n", "    Spool DIR/b\n")),
        [format!(
            "a.conf:13: error: has no `Id`, and neither has the stanza at a.conf:7: {FIXES}"
        )]
    );
    assert_eq!(
        files.findings(
            "a.conf",
            &two("    Spool DIR/a\n    Id x\n", "    Spool DIR/b\n    Id x\n")
        ),
        [format!(
            "a.conf:20: error: `Id x` is that of the stanza at a.conf:7 too: {FIXES}"
        )]
    );
    assert_eq!(
        files.findings(
            "a.conf",
            &two("    Spool DIR/a\n    Id x\n", "    Spool DIR/a\n    Id y\n")
        ),
        [format!(
            "a.conf:19: error: `Spool DIR/a` is that of the stanza at a.conf:7 too, and a spool has one writer: {FIXES}"
        )]
    );
    assert_eq!(
        files.findings(
            "a.conf",
            &two("    Spool DIR/a\n    Id x\n", "    Spool DIR/b\n    Id y\n")
        ),
        Vec::<String>::new()
    );
}

#[test]
fn a_directory_that_others_may_read() {
    let files = Files::new();
    let spool = files.0.path().join("spool");
    std::fs::create_dir(&spool).expect("created");
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let message = "the spool directory \"DIR/spool\" has mode 0755 and is open to others than its owner: chmod 700 \"DIR/spool\"";
    assert_eq!(
        files.findings(
            "a.conf",
            &format!("{SOUND}{STANZA}    Id a\n    Spool DIR/spool\n")
        ),
        [format!("a.conf:13: error: {message}")]
    );
    assert_eq!(
        files.findings("a.toml", "[spool]\npath = \"DIR/spool\"\n"),
        [format!("a.toml: error: {message}")]
    );
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o700)).expect("changed");
    assert_eq!(
        files.findings("a.toml", "[spool]\npath = \"DIR/spool\"\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_host_without_us() {
    let files = Files::new();
    assert_eq!(
        files.findings("a.conf", "[OUTPUT]\n    Name stdout\n    Match *\n"),
        ["a.conf: error: has no output with `Name auditship`"]
    );
}

#[test]
fn the_format_is_told_by_name_or_content() {
    let files = Files::new();
    for (name, text, format) in [
        ("a.toml", "", Format::Toml),
        ("a.conf", "", Format::FluentBit),
        ("a.yml", "", Format::FluentBitYaml),
        ("a", "# x\n\n[OUTPUT]\n    Name a\n", Format::FluentBit),
        ("a", "@SET a=b\n", Format::FluentBit),
        ("a", "[spool]\npath = \"/a\"\n", Format::Toml),
        ("a", "shipper = \"external\"\n", Format::Toml),
        ("a", "pipeline:\n  outputs: []\n", Format::FluentBitYaml),
    ] {
        assert_eq!(Format::of(&files.write(name, text)), format, "{name} {text}");
    }
}

#[test]
fn the_report_says_what_a_configuration_comes_to() {
    let files = Files::new();
    let file = files.write(
        "a.toml",
        "[spool]\npath = \"DIR/spool\"\nid = \"audit\"\n[exclude]\ncategories = [\"iam\", \"auth\"]\n\
         [[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"/srv/audit\"\n",
    );
    let mut printed = Vec::new();
    check(&file, None, &Environment::empty())
        .print(&mut Output::to(&mut printed))
        .expect("into memory");
    let dir = files.0.path().display().to_string();
    let printed = String::from_utf8(printed).expect("text").replace(&dir, "DIR");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "DIR/a.toml: spool `audit` in DIR/spool");
    assert_eq!(
        lines[1],
        "  excluded: records whose every category is one of authentication, iam; those without a category are kept"
    );
    assert!(
        lines[2].starts_with("  destination `archive`: file "),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3], "No problem found.");

    let report = check(&file, None, &Environment::empty()).json();
    assert_eq!(report["errors"], 0);
    assert_eq!(
        report["configurations"][0]["excluded"],
        serde_json::json!(["authentication", "iam"])
    );
    assert_eq!(report["configurations"][0]["destinations"][0]["id"], "archive");
}
