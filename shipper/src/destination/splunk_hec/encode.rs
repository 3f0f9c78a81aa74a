//! A batch as events one after another, or as lines.

use ::http::{HeaderValue, Request};

use super::Config;
use super::ack::{AwaitAck, CHANNEL, guid};
use super::config::{Ack, Mode};
use crate::destination::body::{Body, BodyWriter};
use crate::destination::{Batch, EncodeError, Record, preset};

pub(super) fn encode(config: &Config, batch: &Batch<'_>) -> Result<Request<Vec<u8>>, EncodeError> {
    let body = body(config, batch).map_err(preset::not_compressed)?;
    let content_type = match config.mode {
        Mode::Event => "application/json",
        Mode::Raw => "text/plain; charset=utf-8",
    };
    let mut request = preset::post(&config.data_url, content_type, batch.attempt.compression, body);
    match config.ack {
        Ack::Required { .. } => {
            request.extensions_mut().insert(AwaitAck);
        }
        // Raw lines want a channel even when nothing is asked of it.
        Ack::None => {
            let spool = batch
                .records
                .first()
                .map(|record| record.id.spool.0)
                .unwrap_or_default();
            if let Ok(channel) = HeaderValue::from_str(&guid(spool)) {
                request.headers_mut().insert(CHANNEL, channel);
            }
        }
    }
    Ok(request)
}

fn body(config: &Config, batch: &Batch<'_>) -> std::io::Result<Body> {
    let sizes = batch
        .records
        .iter()
        .map(|record| super::limits::size(config, record));
    let plain = usize::try_from(sizes.sum::<u64>()).unwrap_or(usize::MAX);
    let mut body = BodyWriter::new(batch.attempt.compression, config.level, plain)?;
    for record in batch.records {
        match config.mode {
            Mode::Event => {
                body.put(b"{\"time\":")?;
                body.put(time(record).as_bytes())?;
                body.put(config.middle.as_bytes())?;
                body.put(record.json)?;
                body.put(b"}")?;
            }
            Mode::Raw => {
                body.put(record.json)?;
                body.put(b"\n")?;
            }
        }
    }
    body.finish()
}

/// Seconds since 1970 with three decimals, as the collector documents it; the record has its own to the nanosecond. What was
/// before 1970 cannot be said: it becomes 0.
fn time(record: &Record<'_>) -> String {
    let millis = record.entry.time.as_millis().max(0);
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

pub(super) fn time_length(record: &Record<'_>) -> u64 {
    let seconds = record.entry.time.as_millis().max(0) / 1_000;
    let digits = seconds.checked_ilog10().unwrap_or(0) + 1;
    u64::from(digits) + 4
}
