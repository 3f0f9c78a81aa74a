use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// Writes files into a fresh directory, the first being the one that is read.
struct Corpus {
    dir: tempfile::TempDir,
    first: PathBuf,
}

impl Corpus {
    fn of(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below the directory")).expect("created");
            std::fs::write(path, text).expect("written");
        }
        let first = dir.path().join(files[0].0);
        Self { dir, first }
    }

    fn read(&self) -> HostConfig {
        let environment = Environment::from([("FROM_ENV", "/env")]);
        match self.first.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => yaml::read(&self.first, &environment),
            _ => classic::read(&self.first, &environment),
        }
    }

    /// `KIND@FILE:LINE key=value@LINE ...`, one line a section.
    fn sections(&self) -> Vec<String> {
        let config = self.read();
        let sections = config.sections.iter();
        sections
            .map(|section| {
                let properties = section.properties.iter().map(|property| {
                    let line = property.place.line_number().expect("every property has a line");
                    format!(" {}={}@{line}", property.key, property.value)
                });
                let place = self.short(&section.place.to_string());
                format!("{:?}@{place}{}", section.kind, properties.collect::<String>())
            })
            .collect()
    }

    fn faults(&self) -> Vec<String> {
        let faults = self.read().faults;
        faults
            .iter()
            .map(|fault| self.short(&format!("{}: {}", fault.place, fault.reason)))
            .collect()
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

#[test]
fn classic_sections_with_their_lines() {
    let corpus = Corpus::of(&[
        (
            "main.conf",
            "# a comment\n\
             @SET dir=/set\n\
             \n\
             [SERVICE]\n    flush 1\n    # inside\n\n\
             @include inputs/*.conf\n\
             [OUTPUT]\n    Name  auditship\n    Spool ${dir}/a b  \n    Token ${FROM_ENV}/t\n    Url ${NOWHERE}\n\
             \t[nonsense\n",
        ),
        ("inputs/b.conf", "[INPUT]\n  Name tail\n  Tag  b\n"),
        (
            "inputs/a.conf",
            "[input]\n\tName dummy\n\t\t[GROUP]\n\t\tinner 1\n\tTag a\r\n",
        ),
    ]);
    assert_eq!(
        corpus.sections(),
        [
            "Service@main.conf:4 flush=1@5",
            "Input@inputs/a.conf:1 Name=dummy@2 Tag=a@5",
            "Input@inputs/b.conf:1 Name=tail@2 Tag=b@3",
            "Output@main.conf:9 Name=auditship@10 Spool=/set/a b@11 Token=/env/t@12 Url=@13",
        ]
    );
    let config = corpus.read();
    assert_eq!(config.sections[3].properties[3].unset, ["NOWHERE"]);
    assert_eq!(
        corpus.faults(),
        ["main.conf:14: is not indented like the properties before it, which Fluent Bit refuses"]
    );
}

#[test]
fn yaml_sections_with_their_lines() {
    let corpus = Corpus::of(&[
        (
            "main.yaml",
            "env:\n  dir: /set\n\
             includes:\n  - more.yaml\n\
             service:\n  flush: 1\n\
             pipeline:\n  inputs:\n    - name: dummy\n      tag: a\n      processors:\n        logs:\n          - name: x\n\
             \x20 outputs:\n    - name: auditship # ours\n      spool: ${dir}/a\n      batchMaxAge: 5m\n      header:\n        - 'A: b'\n        - 'C: d'\n      Url: \"x\"\n",
        ),
        (
            "more.yaml",
            "pipeline:\n  inputs:\n    - {name: tail, tag: b}\n  filters:\n    - name: grep\n",
        ),
    ]);
    assert_eq!(
        corpus.sections(),
        [
            "Input@more.yaml:3 name=tail@3 tag=b@3",
            "Filter@more.yaml:5 name=grep@5",
            "Service@main.yaml:5 flush=1@6",
            "Input@main.yaml:9 name=dummy@9 tag=a@10",
            "Output@main.yaml:15 name=auditship@15 spool=/set/a@16 batch_max_age=5m@17 header=A: b@18 header=C: d@18 Url=x@21",
        ]
    );
    assert_eq!(corpus.faults(), Vec::<String>::new());
}

/// Fluent Bit 5.1.1 starts with such a file and says nothing.
#[test]
fn a_misspelt_section_is_named() {
    let text = "[SERVICE]\n[OUTPT]\n    Name auditship\n[PARSER]\n    Name json\n[MULTILINE_PARSER]\n    Name x\n[PLUGINS]\n    Path x\n";
    assert_eq!(
        Corpus::of(&[("main.conf", text)]).faults(),
        [
            "main.conf:2: `[OUTPT]` is read over by Fluent Bit, with all that is in it; did you mean `[OUTPUT]`?"
        ]
    );
}

/// Files that Fluent Bit does not start with, and what is said of them. `DUMMY` is a whole working configuration.
const DUMMY: &str = "[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n    Match *\n";

fn broken() -> Vec<(Vec<(&'static str, String)>, &'static str)> {
    let classic = |text: &str| vec![("main.conf", format!("{DUMMY}{text}"))];
    vec![
        (classic("[INPUT\n"), "main.conf:6: a section's name ends with `]`"),
        (classic("    Workers\n"), "main.conf:6: `Workers` has no value"),
        (
            classic("    Workers\t1\n"),
            "main.conf:6: `Workers\t1`: write a space, not a tab, after the key",
        ),
        (
            classic("  Workers 1\n"),
            "main.conf:6: is not indented like the properties before it, which Fluent Bit refuses",
        ),
        (
            classic("\tWorkers 1\n"),
            "main.conf:6: is not indented like the properties before it, which Fluent Bit refuses",
        ),
        (
            classic("      Workers 1\n"),
            "main.conf:6: is not indented like the properties before it, which Fluent Bit refuses",
        ),
        (
            classic("@INCLUDE nothing.conf\n"),
            "main.conf:6: DIR/nothing.conf cannot be read: No such file or directory (os error 2)",
        ),
        (
            classic("@INCLUDE main.conf\n"),
            "main.conf:6: DIR/main.conf is included twice, which Fluent Bit refuses",
        ),
        (
            vec![("main.conf", format!("[SERVICE]\nflush 1\n{DUMMY}"))],
            "main.conf:2: a property must be indented, as by four spaces",
        ),
        (
            vec![(
                "main.yaml",
                "pipeline:\n  inputs:\n    - name: dummy\n   outputs: []\n".to_owned(),
            )],
            "main.yaml:4: not YAML: ",
        ),
        (
            vec![(
                "main.yaml",
                "pipeline:\n  inputs:\n    - &a\n      name: dummy\n    - *a\n".to_owned(),
            )],
            "main.yaml:5: Fluent Bit does not follow YAML aliases (`*name`)",
        ),
        (
            vec![("main.yaml", "includes:\n  - nothing.yaml\n".to_owned())],
            "main.yaml:2: DIR/nothing.yaml cannot be read: No such file or directory (os error 2)",
        ),
        (
            vec![("main.yaml", "- a\n".to_owned())],
            "main.yaml:1: a configuration begins with keys, as `pipeline:`",
        ),
    ]
}

#[test]
fn what_the_host_refuses_is_said_at_its_line() {
    for (files, expected) in broken() {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let corpus = Corpus::of(&files);
        let faults = corpus.faults();
        let expected = corpus.short(&expected.replace("DIR", &corpus.dir.path().display().to_string()));
        assert!(
            matches!(faults.as_slice(), [only] if only.starts_with(&expected)),
            "{faults:?} for {files:?}, expected {expected}"
        );
    }
}

/// The same files, given to the real host: it refuses each of them, and starts with the one that has no mistake.
#[test]
fn the_host_itself_agrees() {
    let Some(fluent_bit) = fluent_bit() else {
        eprintln!("skipped: the_host_itself_agrees (no fluent-bit on PATH or in $FLUENT_BIT)");
        return;
    };
    let accepts = |file: &Path| {
        let mut command = Command::new(&fluent_bit);
        command.args(["--dry-run", "-c"]).arg(file);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("fluent-bit runs").success()
    };
    assert!(accepts(&Corpus::of(&[("main.conf", DUMMY)]).first));
    for (files, expected) in broken() {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert!(!accepts(&Corpus::of(&files).first), "{files:?} ({expected})");
    }
}

fn fluent_bit() -> Option<PathBuf> {
    let named = std::env::var_os("FLUENT_BIT").map(PathBuf::from);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("fluent-bit"))
            .find(|file| file.is_file())
    };
    named.or_else(on_path)
}

#[test]
fn hostile_yaml_is_refused_without_a_crash() {
    for text in [
        "[".repeat(100_000),
        format!("a: {}", "{b: ".repeat(10_000)),
        "- ".repeat(50_000),
        "a: \"\\uD800\"\n".to_owned(),
        "\u{0}".to_owned(),
    ] {
        let corpus = Corpus::of(&[("main.yaml", &text)]);
        assert_eq!(corpus.faults().len(), 1, "{}", &text[..20.min(text.len())]);
    }
}
