//! The `http` destination and its transport against a real receiver on loopback.

mod exchange;
mod files;
mod proxies;
mod secrets;
mod tls;

use std::time::Duration;

use auditship::config::Environment;
use auditship::destination::{
    Attempt, Batch, Bounds, ConfigError, Context, KindConfig, Outcome, Record, Route, build,
};
use auditship::spool::draft::TableEntry;
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::Timestamp;
use auditship::transport::SendError;

/// Nothing here waits that long unless something is wrong.
const LONG: Duration = Duration::from_secs(20);

/// A destination as configured by `keys`.
fn configured(keys: &str, environment: &Environment) -> Result<Route, ConfigError> {
    let table = keys.parse().expect("the keys are TOML");
    build(&KindConfig::from_table("http", table, environment)?)
}

/// A destination at `url`, with further `keys`.
fn route(url: &str, keys: &str) -> Route {
    configured(&format!("url = \"{url}\"\n{keys}"), &Environment::empty()).expect("the keys are valid")
}

/// Sends `lines` as one batch with `nonce`, as the shipper does.
fn send_batch(route: &Route, lines: &[&[u8]], nonce: u64) -> Result<Outcome, SendError> {
    let id = |seq| RecordId {
        spool: SpoolId([7; 16]),
        epoch: Epoch(1),
        seq,
    };
    let entry = TableEntry {
        len: 0,
        added: 0,
        flags: 0,
        time: Timestamp(0),
        key: Key([1; 16]),
        categories: 0,
        id_hash: 0,
    };
    let records: Vec<Record<'_>> = (0..)
        .zip(lines)
        .map(|(seq, json)| Record {
            id: id(seq),
            entry: &entry,
            json,
        })
        .collect();
    let bounds = Bounds {
        first: records[0].id,
        last: records[records.len() - 1].id,
        earliest: Timestamp(0),
        latest: Timestamp(0),
        count: u32::try_from(records.len()).expect("few records"),
    };
    let (format, compression) = route.destination.body();
    let attempt = Attempt {
        nonce,
        made_at: Timestamp(0),
        name: route.destination.name(&bounds, Timestamp(0), nonce),
        format,
        compression,
        earlier: 0,
    };
    let batch = Batch {
        records: &records,
        attempt: &attempt,
    };
    let request = route
        .destination
        .encode(&batch, &Context::at(Timestamp(0)))
        .expect("it can be encoded");
    let response = route.transport.send(&request)?;
    Ok(route.destination.decode(&batch, &response))
}

fn send(route: &Route) -> Result<Outcome, SendError> {
    send_batch(route, &[b"{\"a\":1}"], 1)
}

/// The reason of a failure, and that it is of the kind that `pick` picks.
fn reason(failed: Result<Outcome, SendError>) -> (&'static str, String) {
    match failed {
        Err(SendError::NotSent { reason }) => ("not sent", reason),
        Err(SendError::Unanswered { reason }) => ("unanswered", reason),
        Err(SendError::NoCredentials { reason }) => ("no credentials", reason),
        Err(SendError::Tls { reason }) => ("tls", reason),
        other => panic!("{other:?}"),
    }
}
