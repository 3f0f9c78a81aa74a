//! What writer and shipper say of themselves. Plain data; the JSON's keys are the fields' names.
//!
//! A reader passes over fields it does not know and gives those that are missing their empty value, so that the binary
//! and a plugin of another version understand each other.

use serde::{Deserialize, Serialize};

use crate::spool::count::Tally;
use crate::spool::cursor::{Counts, HoldKind};
use crate::spool::dead_letter::Usage;
use crate::spool::identity::{Epoch, SpoolId};
use crate::time::Timestamp;

/// The program that says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct Program {
    /// As `fluent-bit plugin` or `auditship run`.
    pub name: String,
    /// auditship's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Since when it has the lock.
    pub since: Option<Timestamp>,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct Fault {
    /// Its class, one word for a machine, as `auth`, `throttled`, `unavailable`, `disk_full`.
    pub class: String,
    /// When it happened last.
    pub at: Timestamp,
    /// What happened, for a person. No secret in it.
    pub message: String,
    /// What to do, for a person; may be empty.
    #[serde(default)]
    pub hint: String,
}

/// How far the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct Head {
    /// Number of the segment that is written.
    pub segment: u64,
    /// Bytes of it that are durable.
    pub offset: u64,
    /// The next record's sequence number.
    pub next_seq: u64,
}

/// The spool's room, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct DiskSpace {
    /// What the spool takes: segments, quarantine, dead letters.
    pub used: u64,
    /// The part of it that some destination has not settled yet.
    pub undelivered: u64,
    /// What it may take.
    pub max: u64,
}

/// Whether records are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "every reader must treat all of them")]
pub enum Intake {
    /// They are.
    #[default]
    Open,
    /// They are refused: the sender keeps them and tries again.
    Refusing {
        /// Since when.
        since: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
    /// They are, and what lagging destinations do not have yet is given up for them.
    Dropping {
        /// Since when.
        since: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
}

/// What the holder of `writer.lock` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct WriterStatus {
    /// When this was taken.
    pub at: Timestamp,
    /// Who says it.
    #[serde(default)]
    pub program: Program,
    /// The instance's id.
    pub instance: String,
    /// The spool.
    pub spool: SpoolId,
    /// This opening of it.
    pub epoch: Epoch,
    /// How far it is.
    #[serde(default)]
    pub head: Head,
    /// What came in over the spool's life, and what became of it.
    #[serde(default)]
    pub totals: Tally,
    /// Its room.
    #[serde(default)]
    pub space: DiskSpace,
    /// Whether records are taken.
    #[serde(default)]
    pub intake: Intake,
    /// When records came in last.
    #[serde(default)]
    pub last_received: Option<Timestamp>,
    /// Since when there are chunks without a single decodable record, until someone deals with them.
    #[serde(default)]
    pub undecodable: Option<Fault>,
    /// What went wrong last.
    #[serde(default)]
    pub last_error: Option<Fault>,
}

/// What the holder of `shipper.lock` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct ShipperStatus {
    /// When this was taken.
    pub at: Timestamp,
    /// Who says it.
    #[serde(default)]
    pub program: Program,
    /// The instance's id.
    pub instance: String,
    /// The spool.
    pub spool: SpoolId,
    /// Its destinations.
    #[serde(default)]
    pub destinations: Vec<DestinationStatus>,
}

/// What a destination is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "every reader must treat all of them")]
pub enum Activity {
    /// It sends what there is.
    #[default]
    Active,
    /// It was switched off; what comes in is kept for it.
    Paused,
    /// It waits for someone to put something right. Nothing is dropped.
    Held {
        /// What is wrong.
        kind: HoldKind,
        /// Since when.
        since: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
    /// It waits before it tries again.
    BackingOff {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// No shipper runs. No shipper says so: see [`super::merge`].
    Stopped,
}

/// Dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct LetterCount {
    /// How many there are.
    pub count: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl From<Usage> for LetterCount {
    fn from(usage: Usage) -> Self {
        Self {
            count: usage.count,
            bytes: usage.bytes,
        }
    }
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct ReplayProgress {
    /// The first sequence number.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
    /// The next that is not settled.
    pub at: u64,
}

/// What a destination has not settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct Backlog {
    /// How many records.
    pub pending: u64,
    /// When the oldest of them came in.
    pub oldest: Option<Timestamp>,
    /// Since when something could have been sent and nothing was settled; none while all goes well, and while a batch is
    /// filling up in time.
    pub stuck_since: Option<Timestamp>,
}

/// What the shipper says of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "made by other rooms")]
pub struct DestinationStatus {
    /// Its id.
    pub id: String,
    /// Its kind's name in a configuration, as `http`.
    pub kind: String,
    /// Where records go, for a person. No secret in it.
    pub target: String,
    /// Its name for people.
    pub name: Option<String>,
    /// What it is doing.
    pub activity: Activity,
    /// What it has settled, entries included.
    pub counts: Counts,
    /// The first sequence number that is not settled.
    pub committed: u64,
    /// What it has not settled.
    pub backlog: Backlog,
    /// When a record was settled last as delivered.
    pub last_success: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<Fault>,
    /// How often the batch that is on its way was sent.
    pub attempts: u32,
    /// How many batches are on their way.
    pub in_flight: u32,
    /// Requests sent since the start.
    pub requests: u64,
    /// Its dead letters.
    pub dead_letters: LetterCount,
    /// The desired state's generation that is applied.
    pub desired: u64,
    /// A replay that is on its way.
    pub replay: Option<ReplayProgress>,
}
