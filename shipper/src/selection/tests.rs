use super::*;

fn selection(toml: &str) -> Selection {
    #[derive(serde::Deserialize)]
    struct Keys {
        include: Option<RawRules>,
        exclude: Option<RawRules>,
    }
    let keys: Keys = toml::from_str(toml).unwrap();
    Selection::new(keys.include, keys.exclude)
}

fn refused(rules: &str) -> String {
    #[derive(Debug, serde::Deserialize)]
    struct Keys {
        #[expect(dead_code, reason = "it never comes to be")]
        include: RawRules,
    }
    toml::from_str::<Keys>(rules).unwrap_err().message().to_owned()
}

fn categories(names: &[&str]) -> Categories {
    names.iter().fold(Categories::NONE, |all, name| {
        all.union(Categories::from_name(name).unwrap_or(Categories::UNKNOWN))
    })
}

#[test]
fn rules_select_by_each_field() {
    let nested =
        r#"{"event":{"type":["user","creation"],"action":"add","outcome":"failure","dataset":"k8s"}}"#;
    let iam: &[&str] = &["iam"];
    for (rules, carried, json, goes) in [
        ("", iam, nested, true),
        ("include = { category = 'iam' }", iam, nested, true),
        ("include = { category = ['file', 'auth'] }", iam, nested, false),
        ("include = { category = 'iam' }", &["iam", "file"], nested, true),
        ("include = { category = 'iam' }", &[], nested, false),
        ("exclude = { category = 'iam' }", iam, nested, false),
        ("exclude = { category = 'iam' }", &["iam", "file"], nested, true),
        (
            "exclude = { category = 'iam' }",
            &["iam", "of another schema"],
            nested,
            true,
        ),
        ("exclude = { category = 'iam' }", &[], nested, true),
        ("include = { type = 'creation' }", iam, nested, true),
        ("include = { type = 'deletion' }", iam, nested, false),
        ("exclude = { type = 'creation' }", iam, nested, true),
        (
            "exclude = { type = ['creation', 'user', 'x'] }",
            iam,
            nested,
            false,
        ),
        (
            "include = { action = 'add', outcome = 'failure' }",
            iam,
            nested,
            true,
        ),
        (
            "include = { action = 'add', outcome = 'success' }",
            iam,
            nested,
            false,
        ),
        (
            "include = [{ action = 'add', outcome = 'success' }, { dataset = 'k8s' }]",
            iam,
            nested,
            true,
        ),
        (
            "exclude = { action = 'add', outcome = 'success' }",
            iam,
            nested,
            true,
        ),
        (
            "exclude = [{ action = 'add' }, { outcome = 'success' }]",
            iam,
            nested,
            false,
        ),
        (
            "include = { category = 'iam' }\nexclude = { outcome = 'failure' }",
            iam,
            nested,
            false,
        ),
        ("include = { 'event.outcome' = 'failure' }", iam, nested, true),
        (
            "include = 'action=add,remove outcome=failure; dataset=x'",
            iam,
            nested,
            true,
        ),
        ("include = 'action=remove action=add'", iam, nested, true),
        (
            "include = 'action=remove outcome=failure; dataset=x'",
            iam,
            nested,
            false,
        ),
    ] {
        let selected = selection(rules).selects(categories(carried), json.as_bytes());
        assert_eq!(selected, goes, "{rules} with {carried:?}");
    }
}

#[test]
fn every_form_of_a_field_counts_and_in_doubt_a_record_goes() {
    let (include, exclude) = ("include = { action = 'add' }", "exclude = { action = 'add' }");
    // What the record is, whether it is included, and whether it stays when it is excluded.
    for (json, included, kept) in [
        (r#"{"event":{"action":"add"}}"#, true, false),
        (r#"{"event.action":"add"}"#, true, false),
        (r#"{"event":{"action":["add"]}}"#, true, false),
        (r#"{"event":{"action":[["add"],null]}}"#, true, false),
        (r#"{"event":{"\u0061ction":"\u0061dd"}}"#, true, false),
        (r#"{"event":{"action":"add"},"event.action":"del"}"#, true, true),
        (
            r#"{"event":{"action":"add"},"event":{"action":"add"}}"#,
            true,
            false,
        ),
        (r#"{"event":{"action":["add",7]}}"#, true, true),
        (r#"{"event":{"action":["add",{"x":"add"}]}}"#, true, true),
        (r#"{"event":{"action":"Add"}}"#, false, true),
        (r#"{"event":{"action":null}}"#, false, true),
        (r#"{"event":{"action":true}}"#, false, true),
        (r#"{"event":{"nested":{"action":"add"}}}"#, false, true),
        (r#"{"event":[{"action":"add"}]}"#, false, true),
        (r#"{"action":"add"}"#, false, true),
        (r#"{}"#, false, true),
        (r#"["event.action"]"#, false, true),
        ("no JSON", false, true),
    ] {
        let asked = |rules: &str| selection(rules).selects(Categories::NONE, json.as_bytes());
        assert_eq!((asked(include), asked(exclude)), (included, kept), "{json}");
    }
}

#[test]
fn deep_records_are_walked_and_numbers_of_any_size_are_passed_over() {
    let deep = format!(
        r#"{{"a":{}{},"n":1e999,"m":123456789012345678901234567890,"event":{{"outcome":"failure"}}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert!(selection("include = { outcome = 'failure' }").selects(Categories::NONE, deep.as_bytes()));
}

#[test]
fn rules_that_make_no_sense_are_refused_with_what_to_do() {
    for (rules, said) in [
        (
            "include = { categroy = 'iam' }",
            "no rule can name `categroy`; did you mean `category`?",
        ),
        (
            "include = { user = 'x' }",
            "there are category, type, action, outcome, dataset",
        ),
        (
            "include = { category = 'logins' }",
            "`logins` is not an ECS category",
        ),
        ("include = { action = [] }", "`action` has no value"),
        ("include = {}", "a rule names at least one of category"),
        ("include = []", "a rule names at least one of category"),
        ("include = ' ; '", "a rule names at least one of category"),
        ("include = 'action'", "`action` is no `field=value,value`"),
        ("include = { action = 3 }", "expected a text or a list of texts"),
        ("include = 3", "expected a rule, as { category = [\"iam\"] }"),
    ] {
        let refused = refused(rules);
        assert!(refused.contains(said), "{rules}: {refused}");
    }
}
