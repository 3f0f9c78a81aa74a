//! A batch as a `PutRecords` request.

use ::http::Request;

use super::Config;
use super::plan::{Entry, Plan};
use crate::destination::aws::{RecordList, put};
use crate::destination::body::Body;
use crate::destination::{Batch, EncodeError};
use crate::transport::paced::{Item, Load};

pub(super) const PUT_RECORDS: &str = "Kinesis_20131202.PutRecords";

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let plan = Plan::new(config, batch.records);
    let body = body(config, batch, &plan)
        .map_err(|error| EncodeError::Request(format!("writing the records failed: {error}")))?;
    let mut request = put(config.url(), PUT_RECORDS, body, batch.attempt.compression);
    request.extensions_mut().insert(load(&plan));
    Ok(request)
}

/// What it is paced by; nothing of it is in the request.
fn load(plan: &Plan<'_>) -> Load {
    let item = |entry: &Entry<'_>| Item {
        place: entry.key.place(),
        bytes: entry.bytes,
    };
    Load(plan.entries.iter().map(item).collect())
}

fn body(config: &Config, batch: &Batch<'_>, plan: &Plan<'_>) -> std::io::Result<Body> {
    let bytes: u64 = plan.entries.iter().map(|entry| entry.bytes).sum();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX / 2);
    let mut list = RecordList::new(
        config.stream.member(),
        batch.attempt.compression,
        plan.entries.len(),
        bytes,
    )?;
    for entry in &plan.entries {
        let records = entry.places.iter().filter_map(|place| batch.records.get(*place));
        list.put(records.map(|record| record.json), Some(entry.key.text()))?;
    }
    list.finish()
}
