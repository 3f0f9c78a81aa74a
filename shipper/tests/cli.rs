//! The built binary as a user has it: exit codes, standard output and error, help, completions, closed pipes.

mod cli_support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use cli_support::{Outcome, auditship, command};

#[test]
fn help_goes_to_standard_output_and_mistakes_to_standard_error() {
    let help = auditship(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for line in [
        "Usage: auditship <COMMAND>",
        "Exit codes:",
        "  check-config",
        "  status",
    ] {
        assert!(help.stdout.contains(line), "{}", help.stdout);
    }
    let version = auditship(&["--version"]);
    assert_eq!(
        version,
        Outcome::ok(&format!("auditship {}\n", env!("CARGO_PKG_VERSION")))
    );

    let none = auditship(&[]);
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    let unknown = auditship(&["staus"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("status"), "{}", unknown.stderr);
}

/// Every command that `--help` lists has help of its own.
#[test]
fn every_command_has_help() {
    fn walk(path: &[&str]) {
        let mut arguments = path.to_vec();
        arguments.push("--help");
        let help = auditship(&arguments);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{path:?}");
        assert!(
            help.stdout.contains("Usage: auditship"),
            "{path:?}: {}",
            help.stdout
        );
        let Some((_, commands)) = help.stdout.split_once("Commands:\n") else {
            return;
        };
        for line in commands.lines().take_while(|line| line.starts_with("  ")) {
            let mut words = line.split_whitespace();
            if let Some(name) = words
                .next()
                .filter(|name| *name != "help" && line.starts_with("  ") && !line.starts_with("   "))
            {
                assert!(words.next().is_some(), "{path:?} {name} has no help");
                walk(&[path, &[name]].concat());
            }
        }
    }
    walk(&[]);
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest_one() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("auditship.toml");
    std::fs::write(&file, "[spool]\npath = \"/var/lib/a\"\nmax_byts = \"1GiB\"\n").expect("written");
    let shown = file.display().to_string();
    let check = auditship(&["check-config", &shown]);
    assert_eq!(check.code, 1);
    assert_eq!(
        check.stdout,
        format!(
            "{shown}:3: error: unknown key `max_byts` in [spool]; did you mean `max_bytes`?\n1 error, 0 warnings.\n"
        )
    );
    assert_eq!(check.stderr, "");

    // The same mistake stops a command that needs the configuration: a message, and another code.
    let status = auditship(&["status", "--config", &shown]);
    assert_eq!((status.code, status.stdout.as_str()), (3, ""));
    assert_eq!(
        status.stderr,
        format!("auditship: {shown}:3: unknown key `max_byts` in [spool]; did you mean `max_bytes`?\n")
    );
}

#[test]
fn check_config_as_json() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("fluent-bit.conf");
    std::fs::write(&file, "[OUTPUT]\n    Name auditship\n    Match *\n    Spool relative\n    Workers 1\n    Retry_Limit no_limits\n")
        .expect("written");
    let check = auditship(&["check-config", "--json", &file.display().to_string()]);
    assert_eq!(check.code, 1);
    let report: serde_json::Value = serde_json::from_str(&check.stdout).expect("JSON");
    assert_eq!(report["errors"], 1);
    assert_eq!(report["findings"][0]["line"], 4);
    assert_eq!(report["findings"][0]["severity"], "error");
}

#[test]
fn warnings_count_when_strict() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("fluent-bit.conf");
    let spool = dir.path().join("spool");
    let text = format!(
        "[OUTPUT]\n    Name auditship\n    Match *\n    Spool {}\n    Retry_Limit no_limits\n",
        spool.display()
    );
    std::fs::write(&file, text).expect("written");
    let file = file.display().to_string();
    let lenient = auditship(&["check-config", &file]);
    assert_eq!(lenient.code, 0, "{}", lenient.stdout);
    assert!(
        lenient.stdout.contains("warning: without `Workers 1`"),
        "{}",
        lenient.stdout
    );
    assert_eq!(auditship(&["check-config", "--strict", &file]).code, 1);
}

#[test]
fn a_spool_that_is_none_is_a_failure() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let here = dir.path().display().to_string();
    for arguments in [
        vec!["status", "/nowhere/at/all"],
        vec!["status", &here],
        vec!["pause", "x", "--spool", &here],
        vec!["dead-letter", "list", "--spool", &here],
        vec!["replay", "x", "--from", "0", "--spool", &here],
    ] {
        let outcome = auditship(&arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (4, ""),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.starts_with("auditship: /"),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    }
}

/// The reader of `auditship man | head -1` goes away while there is much to print.
#[test]
fn a_closed_pipe_ends_quietly() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let object = dir.path().join("much.ndjson");
    std::fs::write(&object, "{\"a\":1}\n".repeat(200_000)).expect("written");
    for arguments in [
        vec!["cat".to_owned(), object.display().to_string()],
        vec!["completions".to_owned(), "zsh".to_owned()],
        vec!["man".to_owned()],
        vec!["--help".to_owned()],
    ] {
        let mut child = command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert!(!line.is_empty());
        drop(stdout);
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut stderr)
            .expect("text");
        let status = child.wait().expect("ended");
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_under_standard_output_is_a_failure() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: a_full_disk_under_standard_output_is_a_failure (no /dev/full)");
        return;
    };
    let output = command(&["man"]).stdout(full).output().expect("started");
    assert_eq!(output.status.code(), Some(4));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("auditship: standard output: No space left on device"),
        "{told}"
    );
}

#[test]
fn completions_are_made_and_their_shells_take_them() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = auditship(&["completions", shell]);
        assert_eq!((script.code, script.stderr.as_str()), (0, ""), "{shell}");
        for word in ["check-config", "dead-letter"] {
            assert!(script.stdout.contains(word), "{shell} lacks {word}");
        }
        if ["bash", "zsh", "fish"].contains(&shell) {
            check_syntax(shell, &script.stdout);
        }
    }
}

#[test]
fn man_pages_are_made_for_every_command() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let outcome = auditship(&["man", "--into", &dir.path().display().to_string()]);
    assert_eq!(outcome, Outcome::ok(""));
    for page in [
        "auditship.1",
        "auditship-status.1",
        "auditship-dead-letter.1",
        "auditship-dead-letter-show.1",
    ] {
        let text = std::fs::read_to_string(dir.path().join(page)).expect(page);
        assert!(
            text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"),
            "{page}"
        );
    }
    assert!(auditship(&["man"]).stdout.contains("Exit codes"));
}

#[test]
fn no_color_and_pipes_get_plain_text() {
    for arguments in [vec!["--help"], vec!["staus"]] {
        let outcome = auditship(&arguments);
        assert!(
            !outcome.stdout.contains('\x1b') && !outcome.stderr.contains('\x1b'),
            "{arguments:?}"
        );
    }
}

/// The page that documents the command line names every command, flag and exit code.
#[test]
fn the_documentation_is_complete() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CLI.md")).expect("docs/CLI.md");
    fn walk(path: &[&str], page: &str) {
        let mut arguments = path.to_vec();
        arguments.push("--help");
        let help = auditship(&arguments).stdout;
        let title = format!("auditship {}", path.join(" "));
        assert!(
            path.is_empty() || page.contains(&title),
            "docs/CLI.md lacks `{title}`"
        );
        for word in help
            .split_whitespace()
            .filter(|word| word.starts_with("--") && !word.starts_with("---"))
        {
            let flag =
                word.trim_matches(|char: char| !(char.is_ascii_alphanumeric() || "-_+".contains(char)));
            let flag = flag.split('=').next().unwrap_or(flag);
            assert!(page.contains(flag), "docs/CLI.md lacks {flag} of {title}");
        }
        let Some((_, commands)) = help.split_once("Commands:\n") else {
            return;
        };
        for line in commands.lines().take_while(|line| line.starts_with("  ")) {
            if let Some(name) = line
                .strip_prefix("  ")
                .and_then(|line| line.split(' ').next())
                .filter(|name| !name.is_empty() && *name != "help")
            {
                walk(&[path, &[name]].concat(), page);
            }
        }
    }
    walk(&[], &page);
    for code in 0..=5 {
        assert!(
            page.contains(&format!("| {code} |")),
            "docs/CLI.md lacks exit code {code}"
        );
    }
}

/// Has `shell` read a script without running it. A shell that is not installed is named.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn check_syntax(shell: &str, script: &str) {
    let child = Command::new(shell)
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: {shell} has not read its completions (not installed)");
        return;
    };
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(script.as_bytes())
        .expect("read");
    let output = child.wait_with_output().expect("ended");
    assert!(
        output.status.success(),
        "{shell}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
