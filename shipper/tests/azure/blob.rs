//! Single batches and checks.

use std::sync::Arc;

use auditship::config::Environment;
use auditship::destination::azure_blob::AzureBlob;
use auditship::destination::check::{self, Finding};
use auditship::destination::{KindConfig, Outcome};
use auditship::time::SystemClock;
use auditship::transport::Transport;
use auditship_testkit::servers::azurite::Azurite;
use flate2::read::GzDecoder;

use super::azurite;
use super::batch::{Losing, Made, plain_wire};
use super::store::{Store, sas, text};

const FUTURE: &str = "2099-01-01T00:00:00Z";
const LINES: [&str; 2] = ["{\"a\":1,\"auditship\":{\"seq\":0}}", "{\"b\":\"ä\"}"];
const PLAIN: &str = "{\"a\":1,\"auditship\":{\"seq\":0}}\n{\"b\":\"ä\"}\n";

fn configured(azurite: &Azurite, container: &str, keys: &str) -> AzureBlob {
    let table = format!(
        "account_name = \"{}\"\ncontainer_name = \"{container}\"\nendpoint = \"{}\"\n{keys}",
        Azurite::ACCOUNT,
        azurite.url
    );
    let table = table.parse().expect("TOML");
    match KindConfig::from_table("azure_blob", table, &Environment::empty()).expect("the keys are valid") {
        KindConfig::AzureBlob(config) => AzureBlob::new(*config),
        other => panic!("{other:?}"),
    }
}

fn with_key(further: &str) -> String {
    format!("shared_key = \"{}\"\n{further}", Azurite::KEY)
}

fn with_sas(sas: &str) -> String {
    format!("sas_token = \"{sas}\"")
}

fn transport(blob: &AzureBlob) -> Arc<dyn Transport> {
    let transport = blob.transport(plain_wire(), Arc::new(SystemClock::new()));
    transport.expect("a transport")
}

fn reason(outcome: &Outcome) -> &str {
    outcome.reason().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn a_batch_is_one_blob_with_its_bytes_by_key_and_by_signature() {
    let Some(azurite) = azurite("a_batch_is_one_blob_with_its_bytes_by_key_and_by_signature") else {
        return;
    };
    let store = Store::make(azurite, "accepted");
    let every_key = "prefix = \"a\"\nchecksum = \"crc64\"\naccess_tier = \"cool\"\nindex_tags = [\"team=audit\", \"x y=4/2\"]";
    for (nonce, keys) in [
        (1, with_key("")),
        (2, with_sas(&sas("accepted", "c", FUTURE))),
        (3, with_key(every_key)),
    ] {
        let blob = configured(azurite, "accepted", &keys);
        let made = Made::of(&blob, &LINES, nonce);
        assert_eq!(made.send(&blob, &*transport(&blob)), Outcome::Stored, "{keys}");
        let sent = made.request(&blob).into_body();
        let stored = store.blob(&made.attempt.name);
        assert_eq!(stored.body(), &sent);
        let plain = std::io::read_to_string(GzDecoder::new(stored.body().as_slice())).expect("gzip");
        assert_eq!(plain, PLAIN);
        assert_eq!(stored.headers()["content-type"], "application/gzip");
        assert_eq!(stored.headers().get("content-encoding"), None);
        assert_eq!(stored.headers()["x-ms-meta-auditship_records"], "2");
    }
    assert_eq!(store.names().len(), 3);
    let configured = configured(azurite, "accepted", &with_key(every_key));
    let cool = Made::of(&configured, &LINES, 4);
    cool.send(&configured, &*transport(&configured));
    let cool = cool.attempt.name;
    let known = store.ask("HEAD", &format!("/{cool}"), b"");
    assert_eq!(known.headers()["x-ms-access-tier"], "Cool");
    let tags = text(&store.ask("GET", &format!("/{cool}?comp=tags"), b""));
    assert!(tags.contains("<Key>x y</Key><Value>4/2</Value>"), "{tags}");
}

#[test]
fn a_lost_answer_is_found_out_and_another_blob_is_never_written_over() {
    let Some(azurite) = azurite("a_lost_answer_is_found_out_and_another_blob_is_never_written_over") else {
        return;
    };
    let store = Store::make(azurite, "lost");
    let blob = configured(azurite, "lost", &with_key(""));
    let made = Made::of(&blob, &LINES, 1);
    let losing = blob.transport(Arc::new(Losing(plain_wire())), Arc::new(SystemClock::new()));
    let losing = losing.expect("a transport");
    losing.send(&made.request(&blob)).expect_err("lost");
    assert_eq!(made.send(&blob, &*transport(&blob)), Outcome::Stored);

    // Who may create only is told 403 here, as if it were about the right to create: it takes a look to tell.
    let looking = configured(azurite, "lost", &with_sas(&sas("lost", "rc", FUTURE)));
    assert_eq!(made.send(&looking, &*transport(&looking)), Outcome::Stored);
    let create_only = configured(azurite, "lost", &with_sas(&sas("lost", "c", FUTURE)));
    let outcome = made.send(&create_only, &*transport(&create_only));
    assert!(matches!(outcome, Outcome::Auth { .. }), "{outcome:?}");
    assert!(reason(&outcome).contains("with `r` in it"), "{outcome:?}");

    let other = Made::of(&blob, &["{\"other\":true}"], 2);
    let theirs = store.ask("PUT", &format!("/{}", other.attempt.name), b"somebody's");
    assert_eq!(theirs.status(), 201, "{}", text(&theirs));
    let outcome = other.send(&blob, &*transport(&blob));
    assert!(matches!(&outcome, Outcome::Taken { .. }), "{outcome:?}");
    assert_eq!(store.blob(&other.attempt.name).body(), b"somebody's");
    assert_eq!(store.names().len(), 2);
}

#[test]
fn bytes_that_change_on_the_way_are_not_stored() {
    let Some(azurite) = azurite("bytes_that_change_on_the_way_are_not_stored") else {
        return;
    };
    let store = Store::make(azurite, "changed");
    let blob = configured(azurite, "changed", &with_key(""));
    let made = Made::of(&blob, &LINES, 1);
    let mut request = made.request(&blob);
    let last = request.body().len() - 1;
    request.body_mut()[last] ^= 1;
    let response = transport(&blob).send(&request).expect("answered");
    let outcome = made.meaning(&blob, &response);
    assert!(matches!(outcome, Outcome::Unavailable { .. }), "{outcome:?}");
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn what_is_wrong_is_said_and_held() {
    let Some(azurite) = azurite("what_is_wrong_is_said_and_held") else {
        return;
    };
    let store = Store::make(azurite, "refused");
    let wrong_key = "shared_key = \"d3Jvbmcga2V5\"";
    for (container, keys, words) in [
        ("refused", wrong_key.to_owned(), "check `account_name`"),
        (
            "refused",
            with_sas(&sas("refused", "c", "2026-01-01T00:00:00Z")),
            "the SAS has expired at 2026-01-01T00:00:00Z",
        ),
        (
            "refused",
            with_sas(&sas("refused", "rl", FUTURE)),
            "the SAS does not allow to create blobs, it has `sp=rl` only",
        ),
        ("refused", with_sas(&sas("another", "c", FUTURE)), "check the SAS"),
        ("missing", with_key(""), "the container must be made by you"),
    ] {
        let blob = configured(azurite, container, &keys);
        let outcome = Made::of(&blob, &LINES, 1).send(&blob, &*transport(&blob));
        assert!(
            matches!(outcome, Outcome::Auth { .. } | Outcome::Config { .. }),
            "{outcome:?}"
        );
        assert!(reason(&outcome).contains(words), "{}", reason(&outcome));
        match check::run(&blob, &*transport(&blob)) {
            Finding::Failed { reason } => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn a_check_proves_the_right_to_write_and_writes_nothing() {
    let Some(azurite) = azurite("a_check_proves_the_right_to_write_and_writes_nothing") else {
        return;
    };
    let store = Store::make(azurite, "checked");
    for keys in [
        with_key("access_tier = \"cool\""),
        with_sas(&sas("checked", "c", FUTURE)),
    ] {
        let blob = configured(azurite, "checked", &keys);
        let finding = check::run(&blob, &*transport(&blob));
        assert!(matches!(finding, Finding::Ready { .. }), "{finding:?}");
    }
    assert_eq!(store.names(), [""; 0]);
}
