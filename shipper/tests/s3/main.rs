//! The `s3` destination against real servers that the tests start themselves: OpenStack Swift and Ceph's radosgw. Where
//! one is not installed, each scenario says on standard error that it was skipped.

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
use auditship::destination::{
    Attempt, Batch, Bounds, Context, Destination as _, KindConfig, Outcome, Record,
};
use auditship::spool::draft::TableEntry;
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::{Clock, SystemClock, Timestamp};
use auditship::transport::http::{HttpTransport, Options};
use auditship::transport::{SendError, Transport};
use auditship_testkit::servers::radosgw::Radosgw;
use auditship_testkit::servers::swift::Swift;
use auditship_testkit::servers::{Absent, User};
use http::{Request, Response};

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

fn wire() -> Arc<dyn Transport> {
    Arc::new(HttpTransport::new(Options::default()).expect("no files to read"))
}

fn now() -> Timestamp {
    SystemClock::new().wall()
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

/// A batch of `lines`, made now.
struct Made {
    lines: Vec<Vec<u8>>,
    entry: TableEntry,
    attempt: Attempt,
}

fn made(s3: &S3, lines: &[&str], nonce: u64) -> Made {
    let (format, compression) = s3.body();
    let made_at = now();
    let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
    let bounds = Bounds {
        first: id(0),
        last: id(lines.len() as u64 - 1),
        earliest: made_at,
        latest: made_at,
        count: u32::try_from(lines.len()).expect("few"),
    };
    Made {
        lines,
        entry: TableEntry {
            len: 0,
            added: 0,
            flags: 0,
            time: made_at,
            key: Key([1; 16]),
            categories: 0,
            id_hash: 0,
        },
        attempt: Attempt {
            nonce,
            made_at,
            name: s3.name(&bounds, made_at, nonce),
            format,
            compression,
            earlier: 0,
        },
    }
}

fn id(seq: u64) -> RecordId {
    RecordId {
        spool: SpoolId([7; 16]),
        epoch: Epoch(1),
        seq,
    }
}

impl Made {
    fn with<T>(&self, run: impl FnOnce(&Batch<'_>) -> T) -> T {
        let records: Vec<Record<'_>> = (0..)
            .zip(&self.lines)
            .map(|(seq, json)| Record {
                id: id(seq),
                entry: &self.entry,
                json,
            })
            .collect();
        run(&Batch {
            records: &records,
            attempt: &self.attempt,
        })
    }

    fn request(&self, s3: &S3) -> Request<Vec<u8>> {
        self.with(|batch| s3.encode(batch, &Context::at(now())))
            .expect("encoded")
    }

    fn meaning(&self, s3: &S3, response: &Response<Vec<u8>>) -> Outcome {
        self.with(|batch| s3.decode(batch, response))
    }

    /// Sends it by `transport`; gives what the answer means.
    fn send(&self, s3: &S3, transport: &dyn Transport) -> Outcome {
        let response = transport.send(&self.request(s3)).expect("answered");
        self.meaning(s3, &response)
    }
}

fn transport(s3: &S3) -> Arc<dyn Transport> {
    s3.transport(wire(), Arc::new(SystemClock::new()))
}

/// Sends and loses every answer.
struct Losing(Arc<dyn Transport>);

impl Transport for Losing {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &http::HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let _lost = self.0.send_with(request, further)?;
        Err(SendError::Unanswered {
            reason: String::from("lost"),
        })
    }
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
