//! A batch as a `PutRecordBatch` request.

use ::http::Request;

use super::Config;
use crate::destination::aws::{RecordList, put};
use crate::destination::body::Body;
use crate::destination::{Batch, EncodeError};

const PUT_RECORD_BATCH: &str = "Firehose_20150804.PutRecordBatch";

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let body = body(config, batch)
        .map_err(|error| EncodeError::Request(format!("writing the records failed: {error}")))?;
    Ok(put(
        config.endpoint.uri(),
        PUT_RECORD_BATCH,
        body,
        batch.attempt.compression,
    ))
}

fn body(config: &Config, batch: &Batch<'_>) -> std::io::Result<Body> {
    let bytes = batch.records.iter().map(|record| record.json.len() + 1).sum();
    let name = ("DeliveryStreamName", config.stream.as_str());
    let mut list = RecordList::new(name, batch.attempt.compression, batch.records.len(), bytes)?;
    for record in batch.records {
        list.put([record.json], None)?;
    }
    list.finish()
}
