//! The binary, killed and copied, to Swift.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use auditship_testkit::servers::swift::Swift;

use super::shipment::{by_number, cat, eventually, kill, records};
use super::store::Store;
use super::swift;
use super::wire::Wire;

/// A file that is shipped to a bucket through a spool.
struct Shipment<'a> {
    file: &'a Path,
    spool: &'a Path,
    url: &'a str,
    bucket: &'a str,
    with: &'a [&'a str],
}

impl Shipment<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditship"));
        command.arg("ship").arg(self.file).arg("--spool").arg(self.spool);
        command.args(["--to", &format!("s3://{}/audit", self.bucket)]);
        let endpoint = format!("endpoint={}", self.url);
        let region = format!("region={}", Swift::REGION);
        for with in [&[endpoint.as_str(), region.as_str()], self.with].concat() {
            command.args(["--with", with]);
        }
        command
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", Swift::ADMIN.key)
            .env("AWS_SECRET_ACCESS_KEY", Swift::ADMIN.secret)
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

/// 100,000 records, a kill after each few objects: the objects' records are those of the spool, each once.
#[test]
fn every_record_is_in_one_object_whenever_the_shipper_is_killed() {
    let Some(swift) = swift("every_record_is_in_one_object_whenever_the_shipper_is_killed") else {
        return;
    };
    let store = Store::at(&swift.url, Swift::ADMIN, Swift::REGION);
    store.make_bucket("killed", &[]);
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spool) = (dir.path().join("audit.ndjson"), dir.path().join("spool"));
    std::fs::write(&file, records(100_000)).expect("written");
    let shipment = Shipment {
        file: &file,
        spool: &spool,
        url: &swift.url,
        bucket: "killed",
        with: &["batch_max_records=500"],
    };
    for _ in 0..6 {
        let mut child = shipment.start();
        let before = store.names("killed").len();
        eventually("some objects are stored", || {
            store.names("killed").len() >= before + 15 || child.try_wait().expect("asked").is_some()
        });
        assert_eq!(
            child.try_wait().expect("asked"),
            None,
            "it ended before it was killed"
        );
        kill(child);
    }
    let output = shipment.to_its_end();
    assert!(output.status.success(), "{output:?}");
    let delivered = by_number(store.lines("killed"));
    let spooled = cat(&spool);
    assert_eq!((delivered.len(), spooled.len()), (100_000, 100_000));
    assert!(delivered == spooled, "contents differ");
    let first = store.names("killed").remove(0);
    assert!(first.starts_with("audit/2"), "{first}");
    let first = store.object("killed", &first);
    assert_eq!(first.headers()["x-amz-meta-auditship-records"], "500");
}

/// The answer to the only batch is lost, the shipper is killed, and its spool is copied: whoever sends it again finds it.
#[test]
fn a_journalled_batch_is_not_doubled_by_a_copy_of_the_spool() {
    let Some(swift) = swift("a_journalled_batch_is_not_doubled_by_a_copy_of_the_spool") else {
        return;
    };
    let store = Store::at(&swift.url, Swift::ADMIN, Swift::REGION);
    store.make_bucket("copied", &[]);
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spool, copy) = (
        dir.path().join("audit.ndjson"),
        dir.path().join("spool"),
        dir.path().join("copy"),
    );
    std::fs::write(&file, records(1000)).expect("written");
    let wire = Wire::to(&swift.url);
    let url = wire.url();
    let shipment = |spool| Shipment {
        file: &file,
        spool,
        url: &url,
        bucket: "copied",
        with: &[],
    };
    wire.lose_answers();
    let child = shipment(&spool).start();
    eventually("an answer is lost", || wire.lost() > 0);
    kill(child);
    assert_eq!(store.names("copied").len(), 1);
    let copied = Command::new("cp").arg("-a").args([&spool, &copy]).status();
    assert!(copied.expect("cp starts").success());

    wire.pass_answers();
    let output = shipment(&spool).to_its_end();
    assert!(output.status.success(), "{output:?}");
    let _whatever_it_says_of_a_copy = shipment(&copy).to_its_end();
    assert_eq!(store.names("copied").len(), 1);
    let delivered = by_number(store.lines("copied"));
    assert_eq!(delivered.len(), 1000);
    assert!(delivered == cat(&spool), "contents differ");
}

#[test]
fn a_bucket_that_is_missing_holds_everything_until_it_is_there() {
    let Some(swift) = swift("a_bucket_that_is_missing_holds_everything_until_it_is_there") else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spool) = (dir.path().join("audit.ndjson"), dir.path().join("spool"));
    std::fs::write(&file, records(10)).expect("written");
    let shipment = Shipment {
        file: &file,
        spool: &spool,
        url: &swift.url,
        bucket: "late-bucket",
        with: &[],
    };
    let output = shipment.to_its_end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.contains("NoSuchBucket") && said.contains("`bucket`"),
        "{said}"
    );
    let store = Store::at(&swift.url, Swift::ADMIN, Swift::REGION);
    store.make_bucket("late-bucket", &[]);
    let output = shipment.to_its_end();
    assert!(output.status.success(), "{output:?}");
    assert!(
        by_number(store.lines("late-bucket")) == cat(&spool),
        "contents differ"
    );
}
