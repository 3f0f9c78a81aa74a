//! radosgw: one object however many race for its name, locks that lock, policies.

use std::sync::Barrier;
use std::thread;

use auditship::destination::Outcome;
use auditship::destination::check::{self, Finding};
use auditship::destination::s3::S3;
use auditship_testkit::servers::User;
use auditship_testkit::servers::radosgw::Radosgw;

use super::batch::{Made, now};
use super::store::{Store, text};
use super::{configured, radosgw, transport};

const REGION: &str = "default";

fn store(server: &Radosgw) -> Store {
    Store::at(&server.url, Radosgw::OWNER, REGION)
}

fn s3(server: &Radosgw, user: User, bucket: &str, keys: &str) -> S3 {
    configured(
        &server.url,
        user,
        REGION,
        &format!("bucket = \"{bucket}\"\n{keys}"),
    )
}

#[test]
fn two_that_race_for_a_name_make_one_object() {
    let Some(server) = radosgw("two_that_race_for_a_name_make_one_object") else {
        return;
    };
    store(server).make_bucket("races", &[]);
    let s3 = s3(server, Radosgw::OWNER, "races", "");
    for round in 0..20 {
        // Copies of one spool send the same batch; in every second round it is another one of the same name.
        let one = Made::of(&s3, &["{\"a\":1}"], round);
        let is_copy = round % 2 == 0;
        let mut two = Made::of(&s3, &[if is_copy { "{\"a\":1}" } else { "{\"b\":2}" }], round);
        two.attempt.name.clone_from(&one.attempt.name);
        let start = Barrier::new(2);
        let outcomes = thread::scope(|scope| {
            let race = |batch| {
                let (s3, start) = (&s3, &start);
                scope.spawn(move || {
                    let batch: &Made = batch;
                    let request = batch.request(s3);
                    let transport = transport(s3);
                    start.wait();
                    loop {
                        let response = transport.send(&request).expect("answered");
                        match batch.meaning(s3, &response) {
                            // The other one is being stored: as the lane does, again.
                            Outcome::Unavailable { .. } => {}
                            outcome => return outcome,
                        }
                    }
                })
            };
            [race(&one), race(&two)].map(|racer| racer.join().expect("it ended"))
        });
        let stored = outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Stored)
            .count();
        let taken = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Taken { .. }))
            .count();
        let expected = if is_copy { (2, 0) } else { (1, 1) };
        assert_eq!((stored, taken), expected, "{outcomes:?}");
    }
    assert_eq!(store(server).names("races").len(), 20);
}

#[test]
fn a_locked_object_cannot_be_deleted() {
    let Some(server) = radosgw("a_locked_object_cannot_be_deleted") else {
        return;
    };
    store(server).make_bucket("locked", &[("x-amz-bucket-object-lock-enabled", "true")]);
    let put = |keys: &str, nonce| {
        let s3 = s3(server, Radosgw::OWNER, "locked", keys);
        let finding = check::run(&s3, &*transport(&s3));
        assert!(matches!(finding, Finding::Ready { .. }), "{finding:?}");
        let batch = Made::of(&s3, &["{\"a\":1}"], nonce);
        let response = transport(&s3).send(&batch.request(&s3)).expect("answered");
        assert_eq!(batch.meaning(&s3, &response), Outcome::Stored);
        let version = response.headers()["x-amz-version-id"].to_str().expect("text");
        format!("locked/{}?versionId={version}", batch.attempt.name)
    };
    let delete = |object: &str| {
        store(server).ask(
            "DELETE",
            object,
            &[("x-amz-bypass-governance-retention", "true")],
            "",
        )
    };
    let locked = put("object_lock = \"compliance\"\nobject_lock_days = 1", 1);
    let refused = delete(&locked);
    assert_eq!(refused.status(), 403, "{}", text(&refused));
    let head = store(server).ask("HEAD", &locked, &[], "");
    assert_eq!(head.headers()["x-amz-object-lock-mode"], "COMPLIANCE");
    let until = head.headers()["x-amz-object-lock-retain-until-date"]
        .to_str()
        .expect("text");
    let until: auditship::time::Timestamp = until.parse().expect("a time");
    let day = 86_400_000_000_000;
    assert!(
        (day - 120_000_000_000..=day).contains(&(until.0 - now().0)),
        "{until:?}"
    );
    let held = put("legal_hold = true", 2);
    assert_eq!(delete(&held).status(), 403);
    // It is the lock that refuses.
    assert_eq!(delete(&put("", 3)).status(), 204);
}

#[test]
fn a_lock_that_the_bucket_does_not_have_is_said_and_nothing_is_stored() {
    let scenario = "a_lock_that_the_bucket_does_not_have_is_said_and_nothing_is_stored";
    let Some(server) = radosgw(scenario) else { return };
    store(server).make_bucket("unlocked", &[]);
    let s3 = s3(
        server,
        Radosgw::OWNER,
        "unlocked",
        "object_lock = \"compliance\"\nobject_lock_days = 1",
    );
    let outcome = Made::of(&s3, &["{}"], 1).send(&s3, &*transport(&s3));
    assert!(matches!(outcome, Outcome::Config { .. }), "{outcome:?}");
    assert_eq!(store(server).names("unlocked"), [""; 0]);
}

#[test]
fn the_right_to_put_is_enough() {
    let Some(server) = radosgw("the_right_to_put_is_enough") else {
        return;
    };
    store(server).make_bucket("granted", &[]);
    // Whoever has written an object may read it there, unless that is denied in so many words.
    let policy = |get: &str| {
        let statement = |effect: &str, action: &str| {
            format!(
                "{{\"Effect\":\"{effect}\",\"Principal\":{{\"AWS\":[\"arn:aws:iam:::user/guest\"]}},\
                 \"Action\":[\"s3:{action}\"],\"Resource\":[\"arn:aws:s3:::granted/audit/*\"]}}"
            )
        };
        let (put, get) = (statement("Allow", "PutObject"), statement(get, "GetObject"));
        let policy = format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{put},{get}]}}");
        let response = store(server).ask("PUT", "granted?policy", &[], &policy);
        assert!(response.status().is_success(), "{}", text(&response));
    };
    let s3 = s3(server, Radosgw::GUEST, "granted", "prefix = \"audit\"");
    let batch = Made::of(&s3, &["{\"a\":1}"], 1);
    let refused = batch.send(&s3, &*transport(&s3));
    assert!(
        matches!(&refused, Outcome::Auth { reason } if reason.contains("s3:PutObject")),
        "{refused:?}"
    );

    policy("Deny");
    assert_eq!(batch.send(&s3, &*transport(&s3)), Outcome::Stored);
    // Its object may not be looked at: whether it is ours is the lane's to say, who knows what it has sent.
    let again = batch.send(&s3, &*transport(&s3));
    assert!(
        matches!(&again, Outcome::Exists { reason } if reason.contains("s3:GetObject")),
        "{again:?}"
    );

    policy("Allow");
    assert_eq!(batch.send(&s3, &*transport(&s3)), Outcome::Stored);
    assert_eq!(store(server).names("granted").len(), 1);
}
