//! The binary, killed and started again, to Azurite.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use auditship_testkit::servers::azurite::Azurite;

use super::azurite;
use super::shipment::{by_number, cat, eventually, kill, records};
use super::store::{Store, sas};
use super::wire::Wire;

/// A file that is shipped to a container through a spool.
struct Shipment<'a> {
    file: &'a Path,
    spool: &'a Path,
    url: &'a str,
    container: &'a str,
    with: &'a [&'a str],
}

impl Shipment<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditship"));
        command.arg("ship").arg(self.file).arg("--spool").arg(self.spool);
        let to = format!("azblob://{}/{}/audit", Azurite::ACCOUNT, self.container);
        let endpoint = format!("endpoint={}", self.url);
        command.args(["--to", &to, "--with", &endpoint]);
        for with in self.with {
            command.args(["--with", with]);
        }
        command
            .env_clear()
            .env("AZURE_KEY", Azurite::KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Child {
        self.command().spawn().expect("it starts")
    }

    fn to_its_end(&self) -> Output {
        self.command().output().expect("it ends")
    }
}

/// Kills after each few blobs, and lost answers between: the blobs' records are those of the spool, each once.
#[test]
fn every_record_is_in_one_blob_whatever_is_killed_or_lost() {
    let Some(azurite) = azurite("every_record_is_in_one_blob_whatever_is_killed_or_lost") else {
        return;
    };
    let store = Store::make(azurite, "killed");
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spool) = (dir.path().join("audit.ndjson"), dir.path().join("spool"));
    std::fs::write(&file, records(20_000)).expect("written");
    let (server, account) = azurite.url.rsplit_once('/').expect("an account");
    let wire = Wire::to(server);
    let url = format!("{}/{account}", wire.url());
    let shipment = Shipment {
        file: &file,
        spool: &spool,
        url: &url,
        container: "killed",
        with: &["batch_max_records=200", "shared_key=env:AZURE_KEY"],
    };
    for round in 0..4_u64 {
        let mut child = shipment.start();
        let before = store.names().len();
        eventually("some blobs are stored", || {
            store.names().len() >= before + 10 || child.try_wait().expect("asked").is_some()
        });
        assert_eq!(
            child.try_wait().expect("asked"),
            None,
            "it ended before it was killed"
        );
        if round % 2 == 1 {
            let lost = wire.lost();
            wire.lose_answers();
            eventually("an answer is lost", || wire.lost() > lost);
        }
        kill(child);
        wire.pass_answers();
    }
    let output = shipment.to_its_end();
    assert!(output.status.success(), "{output:?}");
    let delivered = by_number(store.lines());
    let spooled = cat(&spool);
    assert_eq!((delivered.len(), spooled.len()), (20_000, 20_000));
    assert!(delivered == spooled, "contents differ");
    let first = store.names().remove(0);
    assert!(first.starts_with("audit/2"), "{first}");
}

#[test]
fn a_signature_that_has_expired_holds_everything_until_there_is_a_new_one() {
    let Some(azurite) = azurite("a_signature_that_has_expired_holds_everything_until_there_is_a_new_one")
    else {
        return;
    };
    let store = Store::make(azurite, "expired");
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spool, token) = (
        dir.path().join("audit.ndjson"),
        dir.path().join("spool"),
        dir.path().join("sas"),
    );
    std::fs::write(&file, records(10)).expect("written");
    std::fs::write(&token, sas("expired", "c", "2026-01-01T00:00:00Z")).expect("written");
    let with = format!("sas_token=file:{}", token.display());
    let shipment = Shipment {
        file: &file,
        spool: &spool,
        url: &azurite.url,
        container: "expired",
        with: &[&with],
    };
    let output = shipment.to_its_end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.contains("the SAS has expired at 2026-01-01T00:00:00Z"),
        "{said}"
    );
    assert!(!said.contains("sig="), "{said}");
    assert_eq!(store.names(), [""; 0]);
    std::fs::write(&token, sas("expired", "c", "2099-01-01T00:00:00Z")).expect("written");
    let output = shipment.to_its_end();
    assert!(output.status.success(), "{output:?}");
    assert!(by_number(store.lines()) == cat(&spool), "contents differ");
}
