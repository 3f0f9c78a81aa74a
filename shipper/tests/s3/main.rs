//! The `s3` destination against real servers that the tests start themselves: OpenStack Swift and Ceph's radosgw. Where
//! one is not installed, each scenario says on standard error that it was skipped.

#[path = "../support/batch.rs"]
mod batch;
mod radosgw;
#[path = "../support/shipment.rs"]
mod shipment;
mod shipping;
mod store;
mod swift;
mod wire;

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use auditship::config::Environment;
use auditship::destination::s3::S3;
use auditship::destination::{KindConfig, Outcome};
use auditship::time::SystemClock;
use auditship::transport::Transport;
use auditship_testkit::servers::radosgw::Radosgw;
use auditship_testkit::servers::swift::Swift;
use auditship_testkit::servers::{Absent, User};

use batch::plain_wire;

/// The one Swift of this run, or none: then the scenario has been called skipped.
fn swift(scenario: &str) -> Option<&'static Swift> {
    static SWIFT: OnceLock<Result<Swift, Absent>> = OnceLock::new();
    installed(scenario, SWIFT.get_or_init(Swift::start))
}

/// The one radosgw of this run, or none: then the scenario has been called skipped.
fn radosgw(scenario: &str) -> Option<&'static Radosgw> {
    static RADOSGW: OnceLock<Result<Radosgw, Absent>> = OnceLock::new();
    installed(scenario, RADOSGW.get_or_init(Radosgw::start))
}

fn installed<T>(scenario: &str, server: &'static Result<T, Absent>) -> Option<&'static T> {
    match server {
        Ok(server) => Some(server),
        Err(Absent(why)) => {
            // Around the capture of the test harness, so that it is seen.
            let _unheard = writeln!(std::io::stderr(), "skipped: {scenario} ({why})");
            None
        }
    }
}

fn environment(user: User) -> Environment {
    Environment::from([
        ("AWS_ACCESS_KEY_ID", user.key),
        ("AWS_SECRET_ACCESS_KEY", user.secret),
    ])
}

/// A bucket at `url` as configured by further `keys`.
fn configured(url: &str, user: User, region: &str, keys: &str) -> S3 {
    let table = format!("endpoint = \"{url}\"\nregion = \"{region}\"\n{keys}");
    let table = table.parse().expect("TOML");
    match KindConfig::from_table("s3", table, &environment(user)).expect("the keys are valid") {
        KindConfig::S3(config) => S3::new(*config),
        other => panic!("{other:?}"),
    }
}

fn transport(s3: &S3) -> Arc<dyn Transport> {
    s3.transport(plain_wire(), Arc::new(SystemClock::new()))
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Auth { reason }
        | Outcome::Config { reason }
        | Outcome::Taken { reason }
        | Outcome::Exists { reason }
        | Outcome::Unavailable { reason, .. }
        | Outcome::Unclear { reason } => reason,
        other => panic!("{other:?}"),
    }
}
