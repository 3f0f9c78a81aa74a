//! What is wrong is said by a check, holds at run time, and goes on by itself when it is put right: nothing is lost.

use auditship::config::Environment;
use auditship::control::status::Activity;
use auditship::destination::check::{self, Finding};
use auditship::destination::{KindConfig, build};
use auditship::spool::cursor::HoldKind;
use serde_json::{Value, json};

use super::bench::Bench;
use super::counterpart::{Counterpart, keys};
use super::{assert_once, line, records};

struct Kind {
    name: &'static str,
    key: &'static str,
}

const KINESIS: Kind = Kind {
    name: "kinesis",
    key: "stream",
};
const FIREHOSE: Kind = Kind {
    name: "firehose",
    key: "delivery_stream",
};

impl Kind {
    fn keys(&self, service: &Counterpart, stream: &str) -> String {
        format!("{} = \"{stream}\"\nendpoint = \"{}\"\n", self.key, service.url())
    }

    fn make(&self, service: &Counterpart, stream: &str) {
        service.make(&json!({ self.name: stream, "shards": 16 }));
    }

    fn stored(&self, service: &Counterpart, stream: &str) -> Vec<Value> {
        let texts: Vec<String> = match self.name {
            "kinesis" => service
                .records(stream)
                .into_iter()
                .map(|(_, _, text)| text)
                .collect(),
            _ => service.objects(stream),
        };
        texts.iter().flat_map(|text| records(text)).collect()
    }

    fn found(&self, keys_of: &str, environment: &Environment) -> Finding {
        let table = keys_of.parse().unwrap();
        let route = build(&KindConfig::from_table(self.name, table, environment).unwrap()).unwrap();
        check::run(&*route.check, &*route.transport)
    }
}

fn held(bench: &Bench, kind: HoldKind, said: &str) {
    bench.until(said, |status| match &status.activity {
        Activity::Held {
            kind: held, reason, ..
        } => *held == kind && reason.contains(said),
        _ => false,
    });
    let counts = bench.status().counts;
    assert_eq!((counts.delivered, counts.dead_lettered), (0, 0));
}

#[test]
fn a_fault_of_who_sends_or_of_the_stream_holds_until_it_is_put_right() {
    let Some(service) = Counterpart::start("streams: what is wrong") else {
        return;
    };
    let error = |code: &str| json!([{ "kind": "error", "code": code, "count": 1_000_000_000 }]);
    let expired = json!([{ "kind": "expired", "count": 1_000_000_000 }]);
    let cases = [
        (
            &KINESIS,
            error("AccessDeniedException"),
            HoldKind::Auth,
            "allow {\"Action\":\"kinesis:PutRecords\"",
        ),
        (
            &KINESIS,
            error("KMSAccessDeniedException"),
            HoldKind::Auth,
            "allow kms:GenerateDataKey",
        ),
        (
            &KINESIS,
            error("KMSDisabledException"),
            HoldKind::Config,
            "is disabled: enable it",
        ),
        (
            &KINESIS,
            error("KMSInvalidStateException"),
            HoldKind::Config,
            "in no state to be used",
        ),
        (
            &KINESIS,
            error("KMSNotFoundException"),
            HoldKind::Config,
            "is gone",
        ),
        (
            &KINESIS,
            error("KMSOptInRequired"),
            HoldKind::Config,
            "has no KMS",
        ),
        (
            &KINESIS,
            expired.clone(),
            HoldKind::Auth,
            "the credentials have expired",
        ),
        (
            &FIREHOSE,
            error("AccessDeniedException"),
            HoldKind::Auth,
            "\"firehose:PutRecordBatch\"",
        ),
        (
            &FIREHOSE,
            error("InvalidKMSResourceException"),
            HoldKind::Config,
            "KMS key",
        ),
        (
            &FIREHOSE,
            error("InvalidSourceException"),
            HoldKind::Config,
            "decompresses them",
        ),
        (&FIREHOSE, expired, HoldKind::Auth, "the credentials have expired"),
    ];
    for (number, (kind, fault, hold, said)) in cases.into_iter().enumerate() {
        let stream = format!("held-{number}");
        kind.make(&service, &stream);
        service.faults(&fault);
        let mut bench = Bench::new(kind.name, &kind.keys(&service, &stream), keys());
        bench.write(&(0..20).map(|n| line(n, 4)).collect::<String>());
        held(&bench, hold, said);
        service.heal();
        bench.drain();
        assert_eq!(bench.letters(), []);
        assert_once(&kind.stored(&service, &stream), 20);
    }
}

#[test]
fn a_stream_that_is_missing_is_told_by_a_check_and_waited_for() {
    let Some(service) = Counterpart::start("streams: a missing stream") else {
        return;
    };
    for (kind, said) in [
        (&KINESIS, "create the stream late in eu-central-1"),
        (&FIREHOSE, "create the Firehose stream late in eu-central-1"),
    ] {
        let keys_of = kind.keys(&service, "late");
        let Finding::Failed { reason } = kind.found(&keys_of, &keys()) else {
            panic!("{said}: found nothing wrong");
        };
        assert!(reason.contains(said), "{reason}");
        let mut bench = Bench::new(kind.name, &keys_of, keys());
        bench.write(&(0..20).map(|n| line(n, 4)).collect::<String>());
        held(&bench, HoldKind::Config, said);
        kind.make(&service, "late");
        bench.drain();
        assert_once(&kind.stored(&service, "late"), 20);
        let found = kind.found(&keys_of, &keys());
        assert!(matches!(&found, Finding::Reachable { .. }), "{found:?}");
        assert_eq!(kind.stored(&service, "late").len(), 20, "a check stores nothing");
    }
}

#[test]
fn wrong_keys_are_told_as_such() {
    let Some(service) = Counterpart::start("streams: wrong keys") else {
        return;
    };
    let with = |name: &str, value: &str| {
        let right = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret/EXAMPLE+key"),
            ("AWS_SESSION_TOKEN", "session/token="),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let all =
            right.map(|(key, right)| (key.to_owned(), if key == name { value } else { right }.to_owned()));
        Environment::from_iter(all)
    };
    for kind in [&KINESIS, &FIREHOSE] {
        kind.make(&service, "keys");
        for (environment, said) in [
            (with("AWS_SECRET_ACCESS_KEY", "no"), "check the secret access key"),
            (with("AWS_ACCESS_KEY_ID", "no"), "the access key is not known"),
            (with("AWS_SESSION_TOKEN", "no"), "the access key is not known"),
            (with("AWS_REGION", "eu-west-1"), "scoped to region eu-central-1"),
        ] {
            let Finding::Failed { reason } = kind.found(&kind.keys(&service, "keys"), &environment) else {
                panic!("{said}: found nothing wrong");
            };
            assert!(reason.contains(said), "{reason}");
        }
    }
}
