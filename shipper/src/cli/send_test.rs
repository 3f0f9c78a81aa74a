//! `auditship send-test`: one marked record, beside every spool, and how to find it.

use clap::Args;
use serde_json::json;

use super::destinations::ConfigOption;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::{DestinationConfig, Environment};
use crate::destination::{
    self, Attempt, Batch, Bounds, Context, Destination, Outcome, Record, Route, Verdict,
};
use crate::random::{NoRandomness, OsRandom, Random};
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::time::{Clock as _, SystemClock, Timestamp};
use crate::transport::SendError;

/// Store one marked record at a destination and print how to find it there.
///
/// The record goes the way of every other one, but for the spool: it is in no count and no proof. Its `event.action` is
/// `auditship-send-test`. Ends with 1 when the destination does not say that it has stored it.
#[derive(Args, Debug)]
pub(super) struct SendTest {
    #[command(flatten)]
    config: ConfigOption,
    /// Only to this destination
    #[arg(long, value_name = "ID")]
    destination: Option<String>,
}

impl SendTest {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let chosen = self
            .config
            .destinations(self.destination.as_deref(), environment)?;
        let mut exit = chosen.exit();
        for destination in &chosen.destinations {
            let marked = Marked::new(&OsRandom::new(), SystemClock::new().wall())?;
            match marked.send(destination) {
                Ok(query) => {
                    output.line(format_args!("{}: stored {}", destination.id, marked.event_id))?;
                    output.line(format_args!("    {query}"))?;
                }
                Err(reason) => {
                    exit = Exit::Unsound;
                    output.line(format_args!("{}: {reason}", destination.id))?;
                }
            }
        }
        Ok(exit)
    }
}

/// The record.
struct Marked {
    event_id: String,
    id: RecordId,
    nonce: u64,
    made_at: Timestamp,
    entry: TableEntry,
    json: Vec<u8>,
}

impl Marked {
    /// Of a spool and an epoch that no other record is of.
    fn new(random: &dyn Random, now: Timestamp) -> Result<Self, Failure> {
        let no_random = |error: NoRandomness| Failure::Spool(format!("no random numbers: {error}"));
        let mut spool = SpoolId([0; 16]);
        let mut key = Key([0; 16]);
        random.fill(&mut spool.0).map_err(no_random)?;
        random.fill(&mut key.0).map_err(no_random)?;
        let id = RecordId {
            spool,
            epoch: Epoch(random.next_u64().map_err(no_random)?),
            seq: 0,
        };
        let event_id = format!("auditship-send-test-{key}");
        let record = json!({
            "@timestamp": now.to_rfc3339(),
            "event": {
                "id": event_id,
                "kind": "event",
                "category": ["configuration"],
                "type": ["info"],
                "outcome": "success",
                "action": "auditship-send-test",
            },
            "message": "auditship send-test: this record was made to see it arrive",
            "auditship": { "spool": spool.to_string(), "epoch": id.epoch.to_string(), "seq": 0 },
        });
        let json = record.to_string().into_bytes();
        Ok(Self {
            event_id,
            id,
            nonce: random.next_u64().map_err(no_random)?,
            made_at: now,
            entry: TableEntry {
                len: u32::try_from(json.len() + 1).unwrap_or(u32::MAX),
                added: 0,
                flags: 0,
                time: now,
                key,
                categories: 0,
                id_hash: 0,
            },
            json,
        })
    }

    /// Sends it; gives how to find it, or what became of it otherwise.
    fn send(&self, destination: &DestinationConfig) -> Result<String, String> {
        let not_stored = |why: &dyn std::fmt::Display| format!("not stored: {why}");
        let Route {
            destination,
            transport,
            ..
        } = destination::build(&destination.kind).map_err(|error| not_stored(&error))?;
        let records = [Record {
            id: self.id,
            entry: &self.entry,
            json: &self.json,
        }];
        let attempt = self.attempt(&*destination);
        let batch = Batch {
            records: &records,
            attempt: &attempt,
        };
        let request = destination
            .encode(&batch, &Context::at(self.made_at))
            .map_err(|error| not_stored(&error))?;
        let response = transport.send(&request).map_err(|error| match error {
            SendError::Unanswered { .. } => format!(
                "whether it is stored is unclear: {error}; {} tells",
                destination.query(&batch)
            ),
            error => not_stored(&error),
        })?;
        match destination.decode(&batch, &response) {
            Outcome::Stored => Ok(destination.query(&batch)),
            Outcome::Verdicts(verdicts) => match verdicts.into_iter().next() {
                Some(Verdict::Stored) => Ok(destination.query(&batch)),
                Some(Verdict::Rejected { code, reason } | Verdict::NotKept { code, reason }) => {
                    Err(format!("not stored: {code}: {reason}"))
                }
                Some(Verdict::Unclear) => Err(format!(
                    "whether it is stored is unclear; {} tells",
                    destination.query(&batch)
                )),
                Some(Verdict::Retry { .. }) | None => {
                    Err(String::from("not stored: it is to be tried again later"))
                }
            },
            outcome @ (Outcome::Unclear { .. } | Outcome::Unacknowledged { .. }) => Err(format!(
                "whether it is stored is unclear: {}",
                outcome.reason().unwrap_or_default()
            )),
            outcome => Err(not_stored(&outcome.reason().unwrap_or_default())),
        }
    }

    fn attempt(&self, destination: &dyn Destination) -> Attempt {
        let bounds = Bounds {
            first: self.id,
            last: self.id,
            earliest: self.made_at,
            latest: self.made_at,
            count: 1,
        };
        let (format, compression) = destination.body();
        Attempt {
            nonce: self.nonce,
            made_at: self.made_at,
            name: destination.name(&bounds, self.made_at, self.nonce),
            format,
            compression,
            earlier: 0,
        }
    }
}
