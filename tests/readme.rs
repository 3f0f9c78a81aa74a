//! Every command in the README is run, by this file or by the test that the table names; what `make install` puts in place
//! is looked at. The artefacts are those of the other tests: `make demo` is told that cargo has nothing to do, and
//! `make install` finds them where `make build` leaves them.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use auditship_testkit::artefacts::{Artefact, workspace};
use auditship_testkit::host::FlushCode;
use auditship_testkit::process::{HostProcess, setup};
use auditship_testkit::receiver::{Receiver, Reply};
use common::{Scratch, ids, records, skipped};

/// Where a command of the README is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    /// By this test, with the paths of the README in a scratch directory.
    Here,
    /// By this function below.
    By(&'static str),
    /// By the test in this file, which has this text.
    Elsewhere(&'static str, &'static str),
    /// It is the name of a command, which another line calls.
    Name,
    /// The run of the tests is this command.
    Always,
}

const COMMANDS: [(&str, Run); 20] = [
    ("make demo", Run::By("the_demo_ships_the_sample_log")),
    ("make test", Run::Always),
    (
        "make build && sudo make install",
        Run::By("an_installation_is_complete_and_replaces_a_library_in_use"),
    ),
    (
        "auditship check-config fluent-bit.conf",
        Run::By("the_stanza_of_the_readme_is_sound"),
    ),
    (
        "auditship run -c /etc/auditship/auditship.toml",
        Run::By("the_toml_of_the_readme_runs"),
    ),
    (
        "auditship check -c /etc/auditship/auditship.toml",
        Run::By("the_destinations_of_the_readme_are_asked"),
    ),
    (
        "auditship send-test -c /etc/auditship/auditship.toml --destination archive",
        Run::By("the_destinations_of_the_readme_are_asked"),
    ),
    (
        "auditship iam",
        Run::By("the_destinations_of_the_readme_are_asked"),
    ),
    ("auditship status", Run::Name),
    ("auditship resume", Run::Name),
    (
        "auditship ship audit.ndjson --to s3://bucket/prefix",
        Run::Elsewhere("shipper/tests/s3/shipping.rs", "\"s3://"),
    ),
    ("auditship ship audit.ndjson --to /srv/audit", Run::Here),
    ("auditship status /var/lib/auditship/audit", Run::Here),
    ("auditship pause siem --spool /var/lib/auditship/audit", Run::Here),
    (
        "auditship resume siem --spool /var/lib/auditship/audit",
        Run::Here,
    ),
    (
        "auditship dead-letter list siem --spool /var/lib/auditship/audit",
        Run::Here,
    ),
    (
        "auditship quarantine list --spool /var/lib/auditship/audit",
        Run::Here,
    ),
    (
        "auditship forget old-siem --spool /var/lib/auditship/audit",
        Run::Here,
    ),
    ("auditship verify /var/lib/auditship/audit", Run::Here),
    ("auditship cat /var/lib/auditship/audit", Run::Here),
];

fn readme() -> String {
    fs::read_to_string(workspace().join("README.md")).unwrap()
}

/// The blocks of code in `language`.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = readme.split(fence.as_str()).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

/// `readme` in one line, without its blocks of code.
fn without_blocks(readme: &str) -> String {
    let mut text = readme.to_owned();
    for language in ["sh", "ini", "toml"] {
        for block in blocks(readme, language) {
            text = text.replace(&format!("```{language}\n{block}```"), "");
        }
    }
    text.replace('\n', " ")
}

/// What stands between backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The commands of `readme`: lines of its shell blocks, and what its text calls by name.
fn commands(readme: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in blocks(readme, "sh").iter().flat_map(|block| block.lines()) {
        let command = line.split(" # ").next().unwrap().trim();
        if !command.is_empty() && !command.starts_with('#') {
            found.insert(command.to_owned());
        }
    }
    for span in spans(&without_blocks(readme)) {
        let is_command = ["make ", "auditship ", "fluent-bit -"]
            .iter()
            .any(|start| span.starts_with(start));
        if is_command {
            found.insert(span.to_owned());
        }
    }
    found
}

#[test]
fn every_command_of_the_readme_is_run() {
    let found = commands(&readme());
    let known: BTreeSet<String> = COMMANDS
        .iter()
        .map(|(command, _)| (*command).to_owned())
        .collect();
    assert_eq!(
        found, known,
        "the README on the left, the table of this test on the right"
    );
    let this = fs::read_to_string(workspace().join("tests/readme.rs")).unwrap();
    for (command, run) in COMMANDS {
        match run {
            Run::By(function) => assert!(
                this.contains(&format!("fn {function}()")),
                "{command}: no test {function}"
            ),
            Run::Elsewhere(file, text) => {
                let test = fs::read_to_string(workspace().join(file)).unwrap();
                assert!(test.contains(text), "{command}: not in {file}");
            }
            Run::Name => {
                let call = format!("{command} ");
                let is_called = |(other, run): &(&str, Run)| other.starts_with(&call) && *run == Run::Here;
                assert!(COMMANDS.iter().any(is_called), "{command}: never called");
            }
            Run::Here | Run::Always => {}
        }
    }

    let scratch = Scratch::new();
    spool_of_the_readme(&scratch);
    fs::write(scratch.path("audit.ndjson"), "{\"event\":{\"id\":\"1\"}}\n").unwrap();
    for (command, run) in COMMANDS {
        if run != Run::Here {
            continue;
        }
        let output = auditship(&scratch, command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // 1: health is red, since nobody ships that spool.
        let expected: &[i32] = if command.contains("status") { &[0, 1] } else { &[0] };
        assert!(
            expected.contains(&output.status.code().unwrap()),
            "{command}: {said}"
        );
        if command.contains("cat") {
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
        }
    }
    assert!(scratch.path("srv").read_dir().unwrap().next().is_some());
}

/// Runs a command of the README, with its paths below `scratch`.
fn auditship(scratch: &Scratch, command: &str) -> Output {
    let mut words = command.split(' ').map(|word| {
        word.replace("/var/lib/auditship/audit", &scratch.text("spool-audit"))
            .replace("/srv/audit", &scratch.text("srv"))
            .replace("/etc/auditship", &scratch.text("etc"))
    });
    assert_eq!(words.next().as_deref(), Some("auditship"));
    Command::new(Artefact::Binary.path())
        .args(words)
        .current_dir(scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A spool with three records, as the README's, with a destination `siem` where `old-siem` was before.
fn spool_of_the_readme(scratch: &Scratch) {
    // Built before a host starts, whose life is limited.
    Artefact::Binary.path();
    for destination in ["old-siem", "siem"] {
        let mut stanza = scratch.stanza("audit", 1);
        stanza
            .properties
            .push(("Destination_Id".into(), destination.into()));
        let mut host = HostProcess::start(&setup(Artefact::Library.path()));
        assert!(host.init(&stanza).0 > 0);
        if destination == "siem" {
            assert_eq!(host.flush("audit", "audit", records(0..3)).code, FlushCode::Ok);
            assert_eq!(scratch.await_delivered("audit", 3), ids(0..3));
        }
        host.exit("audit");
        assert!(host.finish());
    }
}

#[test]
fn the_stanza_of_the_readme_is_sound() {
    let scratch = Scratch::new();
    let [stanza] = &blocks(&readme(), "ini")[..] else {
        panic!("one stanza")
    };
    for folder in ["etc", "var/auditship"] {
        fs::create_dir_all(scratch.path(folder)).unwrap();
    }
    fs::write(scratch.path("etc/token"), "secret").unwrap();
    fs::write(
        scratch.path("etc/plugins.conf"),
        format!("[PLUGINS]\n    Path {}\n", Artefact::Library.path().display()),
    )
    .unwrap();
    let stanza = stanza
        .replace("/etc/auditship", &scratch.text("etc"))
        .replace("/var/lib", &scratch.text("var"));
    fs::write(scratch.path("fluent-bit.conf"), stanza).unwrap();
    let checked = auditship(&scratch, "auditship check-config fluent-bit.conf --strict");
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn the_toml_of_the_readme_runs() {
    let scratch = Scratch::new();
    spool_of_the_readme(&scratch);
    let [toml] = &blocks(&readme(), "toml")[..] else {
        panic!("one file")
    };
    fs::create_dir(scratch.path("etc")).unwrap();
    fs::write(scratch.path("etc/token"), "secret").unwrap();
    let toml = toml
        .replace("/etc/auditship", &scratch.text("etc"))
        .replace("/var/lib/auditship/audit", &scratch.text("spool-audit"))
        .replace("/srv/audit", &scratch.text("srv"))
        .replace("zstd\"", "none\"\nbatch_max_age = \"1s\"");
    fs::write(scratch.path("etc/auditship.toml"), toml).unwrap();
    let mut daemon = Command::new(Artefact::Binary.path())
        .args(["run", "--deadline", "0s", "-c"])
        .arg(scratch.path("etc/auditship.toml"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    common::await_until("archive", || {
        scratch.path("srv").read_dir().ok()?.next().map(drop)
    });
    auditship_testkit::host::surroundings::signal(daemon.id(), libc::SIGTERM);
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn the_destinations_of_the_readme_are_asked() {
    let scratch = Scratch::new();
    let receiver = Receiver::start([], Reply::Status(204));
    let [toml] = &blocks(&readme(), "toml")[..] else {
        panic!("one file")
    };
    fs::create_dir(scratch.path("etc")).unwrap();
    fs::write(scratch.path("etc/token"), "secret").unwrap();
    let toml = toml
        .replace("/etc/auditship", &scratch.text("etc"))
        .replace("/var/lib/auditship/audit", &scratch.text("spool-audit"))
        .replace("/srv/audit", &scratch.text("srv"))
        .replace("https://collector.example.com/audit", &receiver.url("/audit"));
    fs::write(scratch.path("etc/auditship.toml"), toml).unwrap();
    for (command, says) in [
        (
            "auditship check -c /etc/auditship/auditship.toml",
            "archive (file): ready",
        ),
        (
            "auditship send-test -c /etc/auditship/auditship.toml --destination archive",
            "archive: stored auditship-send-test-",
        ),
        (
            "auditship iam archive -c /etc/auditship/auditship.toml",
            "it must be allowed to write below",
        ),
    ] {
        let output = auditship(&scratch, command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains(says),
            "{command}: {output:?}"
        );
    }
    assert_eq!(receiver.requests().len(), 1, "the check's own");
}

/// Whether `path`, which the README names, is one of this repository, and not there. A path ends with `/` or a file's
/// extension, or has a `/` in it, but not at its beginning.
fn is_gone(path: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let has_extension = [".md", ".rs", ".toml", ".conf", ".yaml"]
        .iter()
        .any(|extension| path.ends_with(extension));
    let is_path =
        !path.starts_with('/') && path.chars().all(is_plain) && (path.contains('/') || has_extension);
    let there = workspace().join(path);
    is_path && !(there.is_dir() || there.is_file() && !path.ends_with('/'))
}

#[test]
fn every_path_of_the_readme_is_there() {
    let text = without_blocks(&readme());
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.map(|link| link.split('#').next().unwrap());
    let gone: BTreeSet<&str> = spans(&text).chain(links).filter(|path| is_gone(path)).collect();
    assert_eq!(gone, BTreeSet::new());
    let here = ["README.md", "shipper/src/", "shipper/tests/outages"];
    assert!(!here.into_iter().any(is_gone));
    assert!(
        ["READYOU.md", "README.md/", "shipper/tests/outages.rs"]
            .into_iter()
            .all(is_gone)
    );
}

/// `make` in `folder`, which has the Makefile.
fn make(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("make")
        .current_dir(folder)
        .args(arguments)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap()
}

/// `make demo` with the artefacts of the tests.
fn make_demo(folder: &Path) -> Output {
    let shown = |artefact: Artefact| artefact.path().display().to_string();
    let arguments = [
        "demo".to_owned(),
        "CARGO=true".to_owned(),
        format!("LIBRARY={}", shown(Artefact::Library)),
        format!("BINARY={}", shown(Artefact::Binary)),
        format!("DEMO={}", shown(Artefact::Demo)),
        format!("DRIVER={}", shown(Artefact::Host)),
    ];
    make(folder, &arguments.each_ref().map(String::as_str))
}

/// A folder with what `make demo` and `make install` read.
fn checkout(scratch: &Scratch) -> std::path::PathBuf {
    let to = scratch.path("checkout");
    fs::create_dir(&to).unwrap();
    for name in [
        "Makefile",
        "fluent-bit.conf",
        "fluent-bit.yaml",
        "examples",
        "packaging",
    ] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(workspace().join(name))
            .arg(&to)
            .status();
        assert!(copied.unwrap().success());
    }
    fs::create_dir(to.join("target")).unwrap();
    to
}

#[test]
fn the_demo_ships_the_sample_log() {
    let scratch = Scratch::new();
    let folder = checkout(&scratch);
    let demo = make_demo(&folder);
    let said = String::from_utf8(demo.stdout).unwrap();
    assert!(
        demo.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&demo.stderr)
    );
    let expected = if std::env::var_os("FLUENT_BIT").is_some() {
        "through fluent-bit -c fluent-bit.conf"
    } else if said.contains("through the host driver") {
        skipped(
            "make demo with a real host",
            "no fluent-bit on PATH, and FLUENT_BIT is not set",
        );
        "through the host driver"
    } else {
        "through fluent-bit -c fluent-bit.conf"
    };
    assert!(said.contains(expected), "{said}");
    let source = fs::read_to_string(folder.join("examples/audit.ndjson")).unwrap();
    let excluded = source
        .lines()
        .filter(|line| line.contains("\"category\":\"iam\""))
        .count();
    let received = source.lines().count();
    for (name, count) in [
        ("received", received),
        ("excluded", excluded),
        ("spooled", received - excluded),
        ("delivered", received - excluded),
    ] {
        let line = format!("  {name:<10} {count:>6}");
        assert!(said.contains(line.trim_end()), "no {line:?} in: {said}");
    }
    let arrived = Command::new(Artefact::Binary.path())
        .args(["cat", "demo-out/records"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(arrived.stdout).unwrap().lines().count(),
        received - excluded
    );
}

#[test]
fn an_installation_is_complete_and_replaces_a_library_in_use() {
    let scratch = Scratch::new();
    let folder = checkout(&scratch);
    let root = scratch.path("root");
    let destination = format!("DESTDIR={}", root.display());
    // Nothing is built, so root needs no cargo.
    let install = || make(&folder, &["install", &destination, "CARGO=false"]);
    let install_well = || {
        let output = install();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };

    let built = folder.join("target/release");
    fs::create_dir(&built).unwrap();
    for (name, artefact) in [
        ("libout_auditship.so", Artefact::Library),
        ("auditship", Artefact::Binary),
    ] {
        let refused = install();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(
            !refused.status.success() && said.contains(&format!("{name} is missing: run `make build` first")),
            "{said}"
        );
        assert!(!root.exists(), "nothing is installed by halves");
        fs::copy(artefact.path(), built.join(name)).unwrap();
    }
    let before = tree(&folder);
    assert!(!install_well().contains("kept"));
    assert_eq!(
        tree(&folder),
        before,
        "no file of root's is left beside the sources"
    );
    let files = [
        ("usr/local/lib/fluent-bit/libout_auditship.so", 0o755, "\u{7f}ELF"),
        ("usr/local/bin/auditship", 0o755, "\u{7f}ELF"),
        (
            "etc/auditship/plugins.conf",
            0o644,
            "Path /usr/local/lib/fluent-bit/libout_auditship.so",
        ),
        (
            "lib/systemd/system/auditship.service",
            0o644,
            "ExecStart=/usr/local/bin/auditship run -c /etc/auditship/auditship.toml",
        ),
        ("etc/auditship/auditship.toml.example", 0o644, "[[destination]]"),
        ("etc/auditship/fluent-bit.conf.example", 0o644, "auditship"),
        (
            "usr/local/share/bash-completion/completions/auditship",
            0o644,
            "complete",
        ),
        ("usr/local/share/man/man1/auditship.1", 0o644, ".TH"),
    ];
    for (name, mode, content) in files {
        let path = root.join(name);
        let bytes = fs::read(&path).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(
            String::from_utf8_lossy(&bytes).contains(content),
            "{name} without {content:?}"
        );
        assert!(
            !String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).contains("@LIBDIR@"),
            "{name}"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            mode,
            "{name}"
        );
    }
    let is_page = |path: &&String| path.contains("/man1/auditship-");
    let listed = tree(&root);
    let others = listed.iter().filter(|path| !is_page(path)).count();
    assert_eq!(others, files.len(), "no other file is left there: {listed:#?}");
    for page in listed.iter().filter(is_page) {
        assert_eq!(
            fs::metadata(page).unwrap().permissions().mode() & 0o7777,
            0o644,
            "{page}"
        );
    }
    // The pages that the first one refers to.
    let page = root.join("usr/local/share/man/man1/auditship-dead-letter-retry.1");
    assert!(page.is_file(), "{}", page.display());

    // A running host keeps the library that it has mapped.
    let library = root.join(files[0].0);
    let mut host = HostProcess::start(&setup(&library));
    assert!(host.init(&scratch.stanza("a", 1)).0 > 0);
    assert_eq!(host.flush("a", "audit", records(0..5)).code, FlushCode::Ok);
    let before = fs::metadata(&library).unwrap().ino();
    assert!(!install_well().contains("kept"), "the plugins file is the same");
    assert_ne!(fs::metadata(&library).unwrap().ino(), before, "not written over");
    assert_eq!(host.flush("a", "audit", records(5..10)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 10), ids(0..10));
    host.exit("a");
    assert!(host.finish());

    // What an administrator wrote is kept, and what it needs is said.
    let plugins = root.join("etc/auditship/plugins.conf");
    fs::write(&plugins, "[PLUGINS]\n    Path /opt/other.so\n").unwrap();
    let said = install_well();
    let needs = "it needs the line: Path /usr/local/lib/fluent-bit/libout_auditship.so";
    assert!(said.contains("kept ") && said.contains(needs), "{said}");
    assert_eq!(
        fs::read_to_string(&plugins).unwrap(),
        "[PLUGINS]\n    Path /opt/other.so\n"
    );
    assert_eq!(tree(&root), listed);
}

/// All files below `folder`.
fn tree(folder: &Path) -> BTreeSet<String> {
    let listed = Command::new("find")
        .arg(folder)
        .args(["-type", "f"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(str::to_owned).collect()
}
