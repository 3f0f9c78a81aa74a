//! Swift: signatures with their region, clocks, checksums, creating only.

use std::sync::Arc;

use auditship::destination::check::{self, Finding};
use auditship::destination::s3::S3;
use auditship::destination::{Destination as _, Outcome};
use auditship::time::{ManualClock, Timestamp};
use auditship::transport::authorized::ClockSkew;
use auditship_testkit::servers::User;
use auditship_testkit::servers::swift::Swift;

use super::batch::{Losing, Made, now, plain_wire};
use super::store::Store;
use super::{configured, reason, swift, transport};

fn store(swift: &Swift) -> Store {
    Store::at(&swift.url, Swift::ADMIN, Swift::REGION)
}

fn s3(swift: &Swift, bucket: &str, keys: &str) -> S3 {
    configured(
        &swift.url,
        Swift::ADMIN,
        Swift::REGION,
        &format!("bucket = \"{bucket}\"\n{keys}"),
    )
}

const LINES: [&str; 2] = ["{\"a\":1}", "{\"b\":2}"];

#[test]
fn an_object_is_stored_as_it_was_sent() {
    let Some(swift) = swift("an_object_is_stored_as_it_was_sent") else {
        return;
    };
    store(swift).make_bucket("plain", &[]);
    for (keys, content_type) in [
        ("compression = \"none\"", "application/x-ndjson"),
        (
            "compression = \"none\"\nchecksum = \"md5\"\nkey_preset = \"harness\"\nprefix = \"h\"",
            "application/x-ndjson",
        ),
        (
            "compression = \"zstd\"\nchecksum = \"none\"\nformat = \"json_array\"",
            "application/zstd",
        ),
    ] {
        let s3 = s3(swift, "plain", keys);
        let batch = Made::of(&s3, &LINES, 1);
        let request = batch.request(&s3);
        assert_eq!(batch.send(&s3, &*transport(&s3)), Outcome::Stored);
        let object = store(swift).object("plain", &batch.attempt.name);
        assert_eq!(object.body(), request.body());
        assert_eq!(object.headers()["content-type"], content_type);
        for (name, value) in request
            .headers()
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"))
        {
            assert_eq!(object.headers().get(name), Some(value));
        }
    }
}

#[test]
fn what_is_refused_says_what_to_do() {
    let Some(swift) = swift("what_is_refused_says_what_to_do") else {
        return;
    };
    store(swift).make_bucket("refusals", &[]);
    let wrong = User {
        secret: "guessed",
        ..Swift::ADMIN
    };
    let unknown = User {
        key: "test:unknown",
        ..Swift::ADMIN
    };
    let (region, there) = (Swift::REGION, "bucket = \"refusals\"");
    for (user, region, keys, held, words) in [
        (wrong, region, there, "Auth", "secret access key is another"),
        (unknown, region, there, "Auth", "403"),
        (
            Swift::NOBODY,
            region,
            there,
            "Auth",
            "allow s3:PutObject on arn:aws:s3:::refusals/*",
        ),
        (
            Swift::ADMIN,
            "eu-west-3",
            there,
            "Config",
            "the bucket refusals is in us-east-1, not in eu-west-3: set `region = \"us-east-1\"`",
        ),
        (
            Swift::ADMIN,
            region,
            "bucket = \"no-such-bucket\"",
            "Config",
            "NoSuchBucket",
        ),
        (
            Swift::ADMIN,
            region,
            "bucket = \"refusals\"\nencryption = \"aes256\"",
            "Config",
            "`encryption`",
        ),
    ] {
        let s3 = configured(&swift.url, user, region, keys);
        let outcome = Made::of(&s3, &LINES, 1).send(&s3, &*transport(&s3));
        assert!(format!("{outcome:?}").starts_with(held), "{outcome:?}");
        assert!(reason(&outcome).contains(words), "{outcome:?}");
        // And a check says the same without a record.
        let Finding::Failed { reason } = check::run(&s3, &*transport(&s3)) else {
            panic!("{keys}: the check finds nothing wrong")
        };
        assert!(reason.contains(words), "{reason}");
    }
    assert_eq!(store(swift).names("refusals"), [""; 0]);
}

#[test]
fn a_clock_that_is_off_is_corrected_and_named() {
    let Some(swift) = swift("a_clock_that_is_off_is_corrected_and_named") else {
        return;
    };
    store(swift).make_bucket("clocks", &[]);
    let s3 = s3(swift, "clocks", "");
    for (nonce, minutes) in [(1, -20), (2, 20)] {
        let clock = ManualClock::at(Timestamp(now().0 + minutes * 60_000_000_000));
        let transport = s3.transport(plain_wire(), Arc::new(clock));
        let batch = Made::of(&s3, &LINES, nonce);
        let response = transport.send(&batch.request(&s3)).expect("answered");
        assert_eq!(batch.meaning(&s3, &response), Outcome::Stored);
        let skew = response.extensions().get::<ClockSkew>().expect("it is named");
        let measured = skew.ahead / 60_000_000_000 + minutes;
        assert!((-1..=1).contains(&measured), "{skew:?}");
        let Finding::Ready { proven } = check::run(&s3, &*transport) else {
            panic!("not ready")
        };
        assert!(proven.contains("this host's clock is"), "{proven}");
    }
}

#[test]
fn bytes_that_are_not_those_of_the_checksum_are_not_stored() {
    let Some(swift) = swift("bytes_that_are_not_those_of_the_checksum_are_not_stored") else {
        return;
    };
    store(swift).make_bucket("checksums", &[]);
    for keys in ["", "checksum = \"md5\"", "checksum = \"none\""] {
        let s3 = s3(swift, "checksums", keys);
        let batch = Made::of(&s3, &LINES, 1);
        let mut request = batch.request(&s3);
        // As memory or a disk might: after the digests were computed.
        request.body_mut()[20] ^= 1;
        let response = transport(&s3).send(&request).expect("answered");
        let outcome = batch.meaning(&s3, &response);
        assert!(
            matches!(outcome, Outcome::Unavailable { .. }),
            "{keys}: {outcome:?}"
        );
    }
    assert_eq!(store(swift).names("checksums"), [""; 0]);
}

#[test]
fn an_answer_that_is_lost_makes_no_second_object() {
    let Some(swift) = swift("an_answer_that_is_lost_makes_no_second_object") else {
        return;
    };
    store(swift).make_bucket("lost", &[]);
    let s3 = s3(swift, "lost", "");
    let batch = Made::of(&s3, &LINES, 1);
    let losing = s3.transport(
        Arc::new(Losing(plain_wire())),
        Arc::new(auditship::time::SystemClock::new()),
    );
    assert!(losing.send(&batch.request(&s3)).is_err());
    // It is there, and found to be ours.
    let response = transport(&s3).send(&batch.request(&s3)).expect("answered");
    assert_eq!(response.status(), 412);
    assert_eq!(batch.meaning(&s3, &response), Outcome::Stored);
    // What else wants its name does not get it.
    let mut other = Made::of(&s3, &["{\"c\":3}"], 1);
    other.attempt.name.clone_from(&batch.attempt.name);
    let outcome = other.send(&s3, &*transport(&s3));
    assert!(
        matches!(&outcome, Outcome::Taken { reason } if reason.contains("another batch")),
        "{outcome:?}"
    );
    // Nor over what a stranger has put there.
    other.attempt.name = String::from("stranger.gz");
    let response = store(swift).ask("PUT", "lost/stranger.gz", &[], "mine");
    assert_eq!(response.status(), 200);
    let outcome = other.send(&s3, &*transport(&s3));
    assert!(
        matches!(&outcome, Outcome::Taken { reason } if reason.contains("not written by auditship")),
        "{outcome:?}"
    );
    assert_eq!(store(swift).object("lost", "stranger.gz").body(), b"mine");
    assert_eq!(
        store(swift).names("lost"),
        [batch.attempt.name.as_str(), "stranger.gz"]
    );
}

#[test]
fn a_check_leaves_nothing() {
    let Some(swift) = swift("a_check_leaves_nothing") else {
        return;
    };
    store(swift).make_bucket("checked", &[]);
    let s3 = s3(swift, "checked", "prefix = \"audit\"");
    let finding = check::run(&s3, &*transport(&s3));
    assert!(
        matches!(&finding, Finding::Ready { proven } if proven.contains(&s3.target())),
        "{finding:?}"
    );
    assert_eq!(store(swift).names("checked"), [""; 0]);
    let uploads = store(swift).ask("GET", "checked?uploads", &[], "");
    assert_eq!(uploads.status(), 200);
    assert!(!super::store::text(&uploads).contains("<UploadId>"));
}
