use super::*;
use crate::record::Categories;

fn toml(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_toml_text(text, "a.toml", &Environment::empty(), Strictness::Strict)
}

fn tolerant(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_toml_text(
        text,
        "a.toml",
        &Environment::empty(),
        Strictness::HoldDestinations,
    )
}

fn stanza(properties: &[(&str, &str)], strictness: Strictness) -> Result<Config, ConfigErrors> {
    let lookup = |key: &str| {
        let found = properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| (*value).to_owned())
    };
    Config::from_stanza(&lookup, &Environment::empty(), strictness)
}

const SPOOL: &str = "[spool]\npath = \"/var/lib/a\"\n";

/// What a user reads, a table of configurations and messages. Every message names file, line and key, and what to do.
#[test]
fn every_mistake_has_its_message() {
    let table: &[(&str, &str)] = &[
        // The file as a whole.
        (
            "",
            "a.toml: `path` is missing in [spool]: the spool's directory, as `path = \"/var/lib/auditship/audit\"`",
        ),
        (
            "spool = 3\n",
            "a.toml:1: `spool`: write it as a table, [spool]\n\
                         a.toml: `path` is missing in [spool]: the spool's directory, as `path = \"/var/lib/auditship/audit\"`",
        ),
        (
            "[spool]\npath = \"/var/lib/a\"\n[destination]\nid = \"x\"\n",
            "a.toml:3: `destination`: write it as a table, [[destination]]",
        ),
        (
            "[spool]\npath = \"/var/lib/a\"\n\n[destinations]\n",
            "a.toml:4: unknown key `destinations` in the file; did you mean `destination`?",
        ),
        // [spool]
        (
            "[spool]\npath = \"var/lib/a\"\n",
            "a.toml:2: `path`: `var/lib/a` is relative, and the host's working directory may change: write the whole path from `/`",
        ),
        (
            "[spool]\npath = \"/a\"\nmax_byte = \"1GiB\"\n",
            "a.toml:3: unknown key `max_byte` in [spool]; did you mean `max_bytes`?",
        ),
        (
            "[spool]\npath = \"/a\"\nflavour = 1\n",
            "a.toml:3: unknown key `flavour` in [spool]; known there: path, id, max_bytes, retain, on_full, compression",
        ),
        (
            "[spool]\npath = \"/a\"\nmax_bytes = \"1.5GiB\"\n",
            "a.toml:3: `max_bytes`: `1.5GiB` is not a size; write a whole number and a unit, as 64KiB, 5MiB or 10GiB",
        ),
        (
            "[spool]\npath = \"/a\"\nmax_bytes = \"110%\"\n",
            "a.toml:3: `max_bytes`: `110%` is not a share; write a number from 0 to 100 and a percent sign, as 1% or 0.5%",
        ),
        (
            "[spool]\npath = \"/a\"\nmax_bytes = \"1MiB\"\n",
            "a.toml:3: `max_bytes`: 1MiB is too small for a spool: at least 16MiB",
        ),
        (
            "[spool]\npath = \"/a\"\nmax_bytes = \"0%\"\n",
            "a.toml:3: `max_bytes`: 0% leaves no room for any record",
        ),
        (
            "[spool]\npath = \"/a\"\nretain = \"30\"\n",
            "a.toml:3: `retain`: `30` is not a time span; write a whole number and a unit, as 30s, 5m, 12h or 30d",
        ),
        (
            "[spool]\npath = \"/a\"\nretain = 30\n",
            "a.toml:3: `retain`: integer `30` is not a time span; write a whole number and a unit, as 30s, 5m, 12h or 30d",
        ),
        (
            "[spool]\npath = \"/a\"\non_full = \"drop-oldest\"\n",
            "a.toml:3: `on_full`: `drop-oldest` is not one of refuse, drop_oldest; did you mean `drop_oldest`?",
        ),
        (
            "[spool]\npath = \"/a\"\non_full = true\n",
            "a.toml:3: `on_full`: write one of refuse, drop_oldest",
        ),
        (
            "[spool]\npath = 5\n",
            "a.toml:2: `path`: integer `5` is not a string",
        ),
        (
            "[spool]\npath = \"/a\"\nid = \"Audit Log\"\n",
            "a.toml:3: `id`: `Audit Log` is not an id: use the letters a to z, digits and `-`",
        ),
        (
            "[spool]\npath = \"/a\"\nid = \"../x\"\n",
            "a.toml:3: `id`: `../x` is not an id: use the letters a to z, digits and `-`",
        ),
        // Above the tables.
        (
            "shipper = \"external_\"\n[spool]\npath = \"/a\"\n",
            "a.toml:1: `shipper`: `external_` is not one of embedded, external; did you mean `external`?",
        ),
        (
            "id_key = \"event..id\"\n[spool]\npath = \"/a\"\n",
            "a.toml:1: `id_key`: `event..id` is not a path of names with dots between, as `event.id`",
        ),
        // [[destination]]
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\n",
            "a.toml:3: `type` is missing in [[destination]]: one of KINDS",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"htpt\"\n",
            "a.toml:5: `type`: there is no kind `htpt`; did you mean `http`? There are KINDS",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\ntype = \"file\"\npath = \"/b\"\n",
            "a.toml:3: `id` is missing in [[destination]] of type file: a name that stays the same, as `id = \"archive\"`: \
          what was delivered is remembered under it",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nbatch_max_agee = \"5m\"\n",
            "a.toml:7: unknown key `batch_max_agee` in [[destination]] of type file; did you mean `batch_max_age`?",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nbatch_max_records = 0\n",
            "a.toml:7: `batch_max_records`: 0 is not a number from 1 to 32768",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nbatch_max_records = -1\n",
            "a.toml:7: `batch_max_records`: -1 is out of range",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nbatch_max_records = \"many\"\n",
            "a.toml:7: `batch_max_records`: it must be a whole number, without quotes or a unit",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nbatch_max_bytes = \"10B\"\n",
            "a.toml:7: `batch_max_bytes`: 10B is too small for a batch: at least 1KiB",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\ndead_letter_rate = 1\n",
            "a.toml:7: `dead_letter_rate`: integer `1` is not a share; write a number from 0 to 100 and a percent sign, as 1% or 0.5%",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\ntags = \"one\"\n",
            "a.toml:7: `tags`: string \"one\" is not a list",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\n\
          [[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/c\"\n",
            "a.toml:4: there is another destination `x` at a.toml:8: each needs an id of its own\n\
          a.toml:8: there is another destination `x` at a.toml:4: each needs an id of its own",
        ),
        // Three, and two in one line.
        (
            "spool = { path = \"/a\" }\ndestination = [{ id = \"x\", type = \"file\", path = \"/b\" }, \
          { id = \"x\", type = \"file\", path = \"/c\" },\n  { id = \"x\", type = \"file\", path = \"/d\" }]\n",
            "a.toml:2: there is another destination `x` at a.toml:2: each needs an id of its own\n\
          a.toml:2: there is another destination `x` at a.toml:2: each needs an id of its own\n\
          a.toml:3: there is another destination `x` at a.toml:2: each needs an id of its own",
        ),
        // A kind's own keys, at their lines.
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"b\"\n",
            "a.toml:6: `path`: b is not an absolute path: begin it with `/`",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nurl = \"https://x/\"\n",
            "a.toml:7: unknown key `url` in [[destination]] of type file; known there: id, type, name, description, tags, \
          initial_state, include, exclude, batch_max_bytes, batch_max_records, batch_max_age, dead_letter_rate, path, key, prefix, format, \
          compression, compression_level",
        ),
        (
            "[spool]\npath = \"/a\"\n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\nexclude = [{ acton = \"x\" }]\n",
            "a.toml:7: `exclude`: no rule can name `acton`; did you mean `action`?",
        ),
        // All that is wrong is said at once, by lines.
        (
            "shippr = \"x\"\n[spool]\npath = \"a\"\nretian = \"1d\"\n",
            "a.toml:1: unknown key `shippr` in the file; did you mean `shipper`?\n\
          a.toml:3: `path`: `a` is relative, and the host's working directory may change: write the whole path from `/`\n\
          a.toml:4: unknown key `retian` in [spool]; did you mean `retain`?",
        ),
    ];
    for (text, message) in table {
        let error = toml(text).expect_err(text);
        let told = error.to_string();
        let message = message.replace("KINDS", &KindConfig::KINDS.join(", "));
        let (mut told, mut expected): (Vec<_>, Vec<_>) = (told.lines().collect(), message.lines().collect());
        // Errors without a line come first; the table does not care.
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "for:\n{text}");
    }
}

#[test]
fn a_syntax_error_says_its_line() {
    let error = toml("[spool]\npath = \"/a\"\nretain = \n").expect_err("no value");
    let told = error.to_string();
    assert!(told.starts_with("a.toml:3: not TOML: "), "{told}");
}

#[test]
fn all_of_a_good_file_arrives() {
    let config = toml(
        "shipper = \"external\"\n\
         id_key = \"trace.id\"\n\
         [spool]\npath = \"/var/lib/a\"\nid = \"audit\"\nmax_bytes = \"25%\"\nretain = \"7d\"\non_full = \"drop_oldest\"\ncompression = \"gzip\"\n\
         [[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"/srv/audit\"\nname = \"Archive\"\ntags = [\"a\", \"b\"]\n\
         initial_state = \"inactive\"\nbatch_max_bytes = \"5MiB\"\nbatch_max_records = 1000\nbatch_max_age = \"30s\"\ndead_letter_rate = \"0.5%\"\n\
         include = [{ category = \"iam\" }, { outcome = [\"failure\"] }]\nexclude = { action = \"ping\" }\n\
         [[destination]]\nid = \"siem\"\ntype = \"http\"\nurl = \"https://collector.example.com/audit\"\n",
    )
    .expect("a good file");
    assert_eq!(
        config.spool,
        SpoolConfig {
            max_bytes: MaxBytes::Share(Share::percent(25)),
            retain: Duration::from_secs(7 * 86_400),
            on_full: OnFull::DropOldest,
            compression: Compression::Gzip,
            ..SpoolConfig::at("/var/lib/a", "audit")
        }
    );
    assert_eq!(config.shipper, ShipperMode::External);
    assert_eq!(
        config.record,
        RecordKeys {
            id: "trace.id".to_owned(),
            ..RecordKeys::default()
        }
    );
    let [archive, siem] = config.destinations.as_slice() else {
        panic!("two destinations: {:?}", config.destinations);
    };
    assert_eq!((archive.id.as_str(), archive.kind.kind()), ("archive", "file"));
    assert_eq!(archive.name.as_deref(), Some("Archive"));
    assert_eq!(archive.tags, ["a", "b"]);
    assert_eq!(archive.initial_state, InitialState::Inactive);
    assert_eq!(
        archive.batch,
        BatchConfig {
            max_bytes: Some(5 << 20),
            max_records: Some(1000),
            max_age: Some(Duration::from_secs(30))
        }
    );
    assert_eq!(archive.dead_letter_rate.per_million(), 5_000);
    let iam = Categories::from_name("iam").expect("an ECS category");
    let goes = |json: &str| archive.selection.selects(Categories::NONE, json.as_bytes());
    assert!(
        archive.selection.selects(iam, b"{}")
            && !archive.selection.selects(iam, br#"{"event.action":"ping"}"#)
    );
    assert!(goes(r#"{"event.outcome":"failure"}"#) && !goes("{}"));
    assert!(siem.selection.is_everything());
    assert_eq!((siem.id.as_str(), siem.kind.kind()), ("siem", "http"));
    assert_eq!(siem.initial_state, InitialState::Active);
    assert_eq!(siem.dead_letter_rate, Share::percent(1));
}

#[test]
fn a_stanza_and_toml_that_say_the_same_are_the_same() {
    let of_stanza = stanza(
        &[
            ("Spool", "/var/lib/a"),
            ("ID", "audit"),
            ("max_bytes", "20GiB"),
            ("On_Full", "Drop_Oldest"),
            ("Destination", "file"),
            ("Path", "/srv/audit"),
            ("Tags", "a, b,"),
            ("Batch_Max_Records", "500"),
            ("Initial_State", "inactive"),
            ("Include", "category=iam outcome=failure; action=delete,grant"),
        ],
        Strictness::Strict,
    );
    let of_toml = toml(
        "[spool]\npath = \"/var/lib/a\"\nid = \"audit\"\nmax_bytes = \"20GiB\"\non_full = \"drop_oldest\"\n\
         [[destination]]\nid = \"file\"\ntype = \"file\"\npath = \"/srv/audit\"\ntags = [\"a\", \"b\"]\n\
         batch_max_records = 500\ninitial_state = \"inactive\"\n\
         include = [{ category = \"iam\", outcome = \"failure\" }, { action = [\"delete\", \"grant\"] }]\n",
    );
    assert!(of_toml.is_ok(), "{of_toml:?}");
    assert_eq!(of_stanza, of_toml);
}

#[test]
fn a_spool_alone_delivers_into_a_folder_of_it() {
    let by_hand =
        format!("{SPOOL}[[destination]]\nid = \"file\"\ntype = \"file\"\npath = \"/var/lib/a/delivered\"\n");
    let by_default = toml(SPOOL).expect("the default");
    assert_eq!(Ok(&by_default), toml(&by_hand).as_ref());
    assert_eq!(
        stanza(&[("Spool", "/var/lib/a")], Strictness::Strict),
        Ok(by_default)
    );
}

#[test]
fn an_external_shipper_needs_no_destination_here() {
    let config = stanza(&[("Spool", "/a"), ("Shipper", "External")], Strictness::Strict).expect("spool only");
    assert_eq!(
        (config.shipper, config.destinations),
        (ShipperMode::External, vec![])
    );
}

#[test]
fn mistakes_in_a_stanza_name_the_stanzas_keys() {
    for (properties, message) in [
        (
            vec![],
            "[OUTPUT] auditship: `Spool` is missing in the stanza: the spool's directory, as `Spool /var/lib/auditship/audit`",
        ),
        (
            vec![("Spool", "a")],
            "[OUTPUT] auditship: `spool`: `a` is relative, and the host's working directory may change: write the whole path from `/`",
        ),
        (
            vec![("Spool", "/a"), ("Batch_Max_Records", "lots"), ("Path", "/b")],
            "[OUTPUT] auditship: `batch_max_records`: `lots` is not a whole number",
        ),
        (
            vec![
                ("Spool", "/a"),
                ("Excluded_Categories", "iam"),
                ("Audit_Log_Excluded_Categories", "file"),
            ],
            "[OUTPUT] auditship: `excluded_categories` is already set by `audit_log_excluded_categories`: leave one of them out",
        ),
        (
            vec![("Spool", "/a"), ("Config_File", "auditship.toml")],
            "[OUTPUT] auditship: `config_file`: `auditship.toml` is relative: write the whole path from `/`",
        ),
        (
            vec![("Spool", "/a"), ("Destination", "htttp")],
            "[OUTPUT] auditship: `destination`: there is no kind `htttp`; did you mean `http`? There are KINDS",
        ),
    ] {
        let error = stanza(&properties, Strictness::Strict).expect_err(message);
        assert_eq!(
            error.to_string(),
            message.replace("KINDS", &KindConfig::KINDS.join(", "))
        );
    }
}

#[test]
fn a_key_of_another_kind_is_refused_in_a_stanza() {
    let properties = [
        ("Spool", "/a"),
        ("Destination", "file"),
        ("Path", "/b"),
        ("Url", "https://x/"),
    ];
    let error = stanza(&properties, Strictness::Strict).expect_err("url is for http");
    let told = error.to_string();
    assert!(
        told.starts_with(
            "[OUTPUT] auditship: unknown key `url` in a stanza with `Destination file`; known there: "
        ),
        "{told}"
    );
}

mod config_file {
    use super::*;

    fn with_file(
        text: &str,
        properties: &[(&str, &str)],
        strictness: Strictness,
    ) -> (String, Result<Config, ConfigErrors>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.toml").display().to_string();
        std::fs::write(&path, text).expect("written");
        let mut all = vec![("Config_File", path.as_str())];
        all.extend_from_slice(properties);
        let config = stanza(&all, strictness);
        (path, config)
    }

    #[test]
    fn is_read_as_if_it_had_been_given_alone() {
        let text = format!("{SPOOL}[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\n");
        let (_, config) = with_file(&text, &[("Spool", "/var/lib/a")], Strictness::Strict);
        assert_eq!(config, toml(&text));
        let (_, config) = with_file(
            "[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\n",
            &[("Spool", "/var/lib/a")],
            Strictness::Strict,
        );
        assert_eq!(config, toml(&text));
    }

    #[test]
    fn must_agree_with_the_stanza() {
        let (path, config) = with_file(SPOOL, &[("Spool", "/other")], Strictness::Strict);
        assert_eq!(
            config.expect_err("two spools").to_string(),
            format!(
                "[OUTPUT] auditship: `spool` is `/other` here and something else at {path}:2: let one of them say it"
            )
        );
    }

    #[test]
    fn leaves_nothing_for_the_stanza_to_say() {
        let (_, config) = with_file(SPOOL, &[("Url", "https://x/")], Strictness::Strict);
        assert_eq!(
            config.expect_err("url").to_string(),
            "[OUTPUT] auditship: `url` has no effect beside `Config_File`: write it in that file, or leave `Config_File` out"
        );
    }

    #[test]
    fn that_is_gone_holds_everything_when_the_stanza_knows_the_spool() {
        let properties = [
            ("Config_File", "/nowhere/a.toml"),
            ("Spool", "/a"),
            ("Id", "audit"),
        ];
        let message = "/nowhere/a.toml: cannot be read: No such file or directory (os error 2)";
        assert_eq!(
            stanza(&properties, Strictness::Strict)
                .expect_err("gone")
                .to_string(),
            message
        );
        let config = stanza(&properties, Strictness::HoldDestinations).expect("it spools");
        assert_eq!(config.spool, SpoolConfig::at("/a", "audit"));
        assert!(config.destinations.is_empty());
        let [held] = config.held.as_slice() else {
            panic!("one: {:?}", config.held);
        };
        assert_eq!((&held.id, held.error.to_string().as_str()), (&None, message));
        assert!(stanza(&properties[..1], Strictness::HoldDestinations).is_err());
    }
}

mod at_a_hot_reload {
    use super::*;

    fn held(config: &Config) -> Vec<(Option<&str>, String)> {
        let held = config.held.iter();
        held.map(|held| (held.id.as_deref(), held.error.to_string()))
            .collect()
    }

    #[test]
    fn only_the_wrong_destination_is_held() {
        let config = tolerant(&format!(
            "{SPOOL}[[destination]]\nid = \"good\"\ntype = \"file\"\npath = \"/b\"\n\
             [[destination]]\nid = \"bad\"\ntype = \"file\"\npath = \"c\"\n"
        ))
        .expect("it spools");
        assert_eq!(config.destinations.len(), 1);
        assert_eq!(config.destinations[0].id, "good");
        let message = "a.toml:10: `path`: c is not an absolute path: begin it with `/`";
        assert_eq!(held(&config), [(Some("bad"), message.to_owned())]);
    }

    #[test]
    fn a_broken_line_in_a_destination_holds_them_all() {
        let text = format!(
            "{SPOOL}[[destination]]\nid = \"one\"\ntype = \"file\"\npath = \"/b\"\n\
             [[destination]]\nid = \"two\"\ntype = \"file\"\npath = \"/c\nbatch_max_age = \"5m\"\n"
        );
        let config = tolerant(&text).expect("it spools");
        assert_eq!(config.spool, SpoolConfig::at("/var/lib/a", "auditship"));
        assert!(config.destinations.is_empty());
        assert!(config.held.iter().any(|held| held.id.as_deref() == Some("one")));
        for held in &config.held {
            assert!(held.error.to_string().contains("a.toml:1"), "{held:?}");
        }
        assert!(toml(&text).is_err());
    }

    #[test]
    fn a_broken_line_in_the_spool_or_the_exclusion_stops_the_start() {
        for text in [
            "[spool]\npath = \"/a\"\nretain = \n[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\n",
            "[spool]\npath = \"/a\"\n[exclude]\ncategories = [\"iam\"\n",
            "[spool]\npath = \"/a\"\n[exclude]\ncategorys = [\"iam\"]\n",
            "[spool]\npath = \"/a\"\nflavour = 1\n",
        ] {
            assert!(tolerant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_with_one_id_send_nothing_as_their_cursor_may_be_either_s() {
        let config = tolerant(&format!(
            "{SPOOL}[[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/b\"\n\
             [[destination]]\nid = \"x\"\ntype = \"file\"\npath = \"/c\"\n"
        ))
        .expect("it spools");
        assert!(config.destinations.is_empty());
        assert_eq!(held(&config).len(), 2);
        let lanes = crate::deliver::Lanes::of(&config).lanes;
        let ids: Vec<_> = lanes.iter().map(|lane| lane.id.as_str()).collect();
        assert_eq!(ids, ["x"]);
    }
}

/// The host keeps these for itself (verified on Fluent Bit 5.1): a plugin would never see such a key.
#[test]
fn no_key_of_a_stanza_is_the_hosts() {
    let consumed = [
        "name",
        "match",
        "match_regex",
        "alias",
        "log_level",
        "log_suppress_interval",
        "host",
        "port",
        "ipv6",
        "retry_limit",
        "workers",
        "storage.total_limit_size",
    ];
    for key in stanza::keys() {
        assert!(!consumed.contains(&key), "{key}");
        for prefix in ["net.", "tls", "oauth2", "_debug.http."] {
            assert!(!key.starts_with(prefix), "{key}");
        }
        assert_eq!(key, key.to_ascii_lowercase());
    }
}

/// Names of TOML and stanza are the same where nothing else is said in the design.
#[test]
fn keys_have_the_documented_names() {
    let keys = stanza::keys();
    for key in [
        "id",
        "spool",
        "shipper",
        "destination",
        "config_file",
        "excluded_categories",
        "audit_log_excluded_categories",
        "id_key",
        "time_key",
        "category_key",
        "max_bytes",
        "retain",
        "on_full",
        "initial_state",
        "batch_max_bytes",
        "batch_max_records",
        "batch_max_age",
        "compression",
        "format",
        "path",
        "url",
        "method",
        "header",
        "auth",
        "username",
        "password",
        "token",
        "ca_file",
        "cert_file",
        "key_file",
        "allow_plaintext",
    ] {
        assert!(keys.contains(&key), "{key}");
    }
}
