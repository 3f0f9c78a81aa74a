//! A batch as a lane makes it, and what comes of sending it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;

use auditship::destination::{Attempt, Batch, Bounds, Context, Destination, Outcome, Record};
use auditship::spool::draft::TableEntry;
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::{Clock as _, SystemClock, Timestamp};
use auditship::transport::http::{HttpTransport, Options};
use auditship::transport::{SendError, Transport};
use http::{HeaderMap, Request, Response};

/// A batch of `lines`, made now.
pub(crate) struct Made {
    lines: Vec<Vec<u8>>,
    entry: TableEntry,
    pub(crate) attempt: Attempt,
}

pub(crate) fn now() -> Timestamp {
    SystemClock::new().wall()
}

pub(crate) fn plain_wire() -> Arc<dyn Transport> {
    Arc::new(HttpTransport::new(Options::default()).expect("no files to read"))
}

fn id(seq: u64) -> RecordId {
    RecordId {
        spool: SpoolId([7; 16]),
        epoch: Epoch(1),
        seq,
    }
}

impl Made {
    pub(crate) fn of(destination: &dyn Destination, lines: &[&str], nonce: u64) -> Self {
        let (format, compression) = destination.body();
        let made_at = now();
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        let bounds = Bounds {
            first: id(0),
            last: id(lines.len() as u64 - 1),
            earliest: made_at,
            latest: made_at,
            count: u32::try_from(lines.len()).expect("few"),
        };
        Self {
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
                name: destination.name(&bounds, made_at, nonce),
                format,
                compression,
                earlier: 0,
            },
        }
    }

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

    pub(crate) fn request(&self, destination: &dyn Destination) -> Request<Vec<u8>> {
        self.with(|batch| destination.encode(batch, &Context::at(now())))
            .expect("encoded")
    }

    pub(crate) fn meaning(&self, destination: &dyn Destination, response: &Response<Vec<u8>>) -> Outcome {
        self.with(|batch| destination.decode(batch, response))
    }

    /// Sends it by `transport`; gives what the answer means.
    pub(crate) fn send(&self, destination: &dyn Destination, transport: &dyn Transport) -> Outcome {
        let response = transport.send(&self.request(destination)).expect("answered");
        self.meaning(destination, &response)
    }
}

/// Sends and loses every answer.
pub(crate) struct Losing(pub(crate) Arc<dyn Transport>);

impl Transport for Losing {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let _lost = self.0.send_with(request, further)?;
        Err(SendError::Unanswered {
            reason: String::from("lost"),
        })
    }
}
