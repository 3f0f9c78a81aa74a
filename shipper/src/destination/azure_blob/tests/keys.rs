//! What a configuration may say.

use super::*;

#[test]
fn endpoints_are_those_of_the_clouds() {
    for (keys, url) in [
        ("", "https://auditacct.blob.core.windows.net/audit"),
        (
            "cloud = \"usgov\"",
            "https://auditacct.blob.core.usgovcloudapi.net/audit",
        ),
        (
            "cloud = \"china\"",
            "https://auditacct.blob.core.chinacloudapi.cn/audit",
        ),
        (
            "endpoint = \"http://127.0.0.1:10000/auditacct/\"",
            "http://127.0.0.1:10000/auditacct/audit",
        ),
    ] {
        assert_eq!(blob(keys).config.address.uri().to_string(), url);
    }
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let names = "account_name = \"acct\"\ncontainer_name = \"audit\"\n";
    let named = |keys: &str| format!("{names}{keys}");
    let keyed = |keys: &str| format!("{names}shared_key = \"{KEY}\"\n{keys}");
    let container = |name: &str| format!("account_name = \"acct\"\ncontainer_name = \"{name}\"");
    for (keys, key, part) in [
        (String::new(), "account_name", "is missing"),
        (
            String::from("account_name = \"A\""),
            "account_name",
            "small letters",
        ),
        (
            String::from("account_name = \"a.blob.core.windows.net\""),
            "account_name",
            "`endpoint`",
        ),
        (
            String::from("account_name = \"acct\""),
            "container_name",
            "is missing",
        ),
        (container("a/b"), "container_name", "`prefix`"),
        (container("ab"), "container_name", "3 to 63"),
        (container("a--b"), "container_name", "two `-`"),
        (container("$root"), "container_name", "small letters"),
        (keyed("client_id = \"a\""), "client_id", "Entra ID"),
        (named("client_secret = \"hunter2\""), "tenant_id", "is missing"),
        (named("allow_plaintext = true"), "allow_plaintext", "in the clear"),
        (
            keyed("sas_token = \"sv=1&sig=x\""),
            "sas_token",
            "exclude each other",
        ),
        (named("shared_key = \"hunter2!\""), "shared_key", "Base64"),
        (
            named("sas_token = \"hunter2\""),
            "sas_token",
            "shared access signature",
        ),
        (
            named("sas_token = \"https://a.blob.core.windows.net/c?sv=1&sig=hunter2\""),
            "sas_token",
            "what follows the `?`",
        ),
        (
            named("sas_token = \"sv=1&sig=x\"\nallow_plaintext = true"),
            "allow_plaintext",
            "in the clear",
        ),
        (
            keyed("endpoint = \"http://b.example\""),
            "endpoint",
            "in the clear",
        ),
        (
            keyed("endpoint = \"https://b.example/?sv=1\""),
            "endpoint",
            "`sas_token`",
        ),
        (keyed("cloud = \"mars\""), "cloud", "`usgov`"),
        (keyed("access_tier = \"warm\""), "access_tier", "`cool`"),
        (keyed("index_tags = \"a\""), "index_tags", "name=value"),
        (keyed("index_tags = [\"a=b\", \"a=c\"]"), "index_tags", "twice"),
        (keyed("index_tags = \"ä=b\""), "index_tags", "no index tag"),
        (keyed("encryption_scope = \"a b\""), "encryption_scope", "letters"),
        (keyed("checksum = \"sha256\""), "checksum", "`crc64`"),
        (
            keyed("immutability_policy = \"locked\""),
            "immutability_days",
            "is missing",
        ),
        (
            keyed("immutability_days = 3"),
            "immutability_days",
            "`immutability_policy`",
        ),
        (
            keyed("immutability_policy = \"compliance\"\nimmutability_days = 3"),
            "immutability_policy",
            "`locked`",
        ),
        (
            keyed("immutability_policy = \"locked\"\nimmutability_days = 0"),
            "immutability_days",
            "between 1",
        ),
        (keyed("key = \"{yyyy}\""), "key", "{nonce}"),
        (
            keyed("acount_name = \"a\""),
            "acount_name",
            "did you mean `account_name`?",
        ),
    ] {
        let error = parse(&keys).unwrap_err();
        assert_eq!(error.key(), key, "{keys}: {error}");
        assert!(error.to_string().contains(part), "{keys}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn every_key_of_the_list_is_a_key() {
    // What the list has and the struct lacks would be ignored without a word.
    for key in KindConfig::keys(KIND).unwrap() {
        let error = parse(&format!("{key} = [[1]]")).unwrap_err();
        assert!(matches!(error, ConfigError::Type { .. }), "{key}: {error}");
    }
}

#[test]
fn what_is_needed_is_said_for_each_way_of_access() {
    let needed = |blob: &AzureBlob| match blob.permissions() {
        Permissions::Other(needed) => needed,
        other => panic!("{other:?}"),
    };
    assert!(needed(&blob("")).contains("may do everything"));
    let role = |keys: &str| match with_access("", keys).permissions() {
        Permissions::Azure(role) => role,
        other => panic!("{other:?}"),
    };
    assert_eq!(role("").data_actions.len(), 1);
    assert_eq!(role(FULL).data_actions.len(), 3);
    assert!(
        role("")
            .scope
            .ends_with("/storageAccounts/auditacct/blobServices/default/containers/audit")
    );
    let sas = with_access(&format!("sas_token = \"{SAS}\""), FULL);
    assert!(needed(&sas).contains("--permissions cti "), "{}", needed(&sas));
    let sas = with_access(&format!("sas_token = \"{SAS}\""), "");
    assert!(needed(&sas).contains("--permissions c "), "{}", needed(&sas));
}
