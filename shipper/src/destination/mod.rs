//! Where records go: one folder for each kind of destination, each a pair of pure functions.
//!
//! # In scope
//! Turning a batch into one request ([`Destination::encode`]) and one response into a verdict for every single record
//! ([`Destination::decode`]); the limits of the API; what its errors mean.
//!
//! # Out of scope
//! Sockets, threads, retries, clocks: [`crate::transport`] sends, [`crate::deliver`] decides when and how often.
//!
//! # Invariants
//! 1. `encode` is a function of its arguments: the same batch, attempt and context give the same bytes, so that a batch
//!    that is sent again after a crash is recognisable as the same.
//! 2. Nothing counts as stored by default: a response that `decode` does not know is [`Outcome::Unclear`].
//! 3. No secret is in a `Debug` form, an error or a reason.

pub mod authentication;
pub mod aws;
pub mod azure;
pub mod azure_blob;
pub mod azure_monitor;
pub mod body;
pub mod check;
pub mod cloudwatch_logs;
pub mod config;
pub mod connection;
#[cfg(test)]
mod contract;
pub mod datadog;
pub mod elastic;
pub mod endpoint;
pub mod file;
pub mod firehose;
pub mod gcs;
pub mod google;
pub mod google_cloud_logging;
mod hole;
pub mod http;
pub mod kinesis;
pub mod object;
pub mod object_name;
mod permission;
mod preset;
mod reply;
mod retention;
pub mod s3;
pub mod splunk_hec;
pub mod sumo_logic;

use std::fmt;
use std::time::Duration;

pub use config::{ConfigError, KindConfig, Route, build};
pub use permission::{AwsCondition, AwsStatement, AzureRole, GooglePermission, Permissions};

use crate::spool::draft::TableEntry;
use crate::spool::identity::RecordId;
use crate::time::Timestamp;

/// One record of a batch, borrowed from the spool's blocks.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by deliver, read by destinations")]
pub struct Record<'a> {
    /// Who it is.
    pub id: RecordId,
    /// Its table entry: key, event time, categories.
    pub entry: &'a TableEntry,
    /// Its JSON object, without a newline.
    pub json: &'a [u8],
}

/// Records that go into one request, in the order of the spool.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by deliver, read by destinations")]
pub struct Batch<'a> {
    /// Never empty, and inside [`Limits`].
    pub records: &'a [Record<'a>],
    /// What the journal says of this sending.
    pub attempt: &'a Attempt,
}

/// The journalled facts of a batch: written before its first send, the same for every further one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by deliver, read by destinations")]
pub struct Attempt {
    /// 64 random bits, drawn when the batch was made: the same for every sending of the same bytes, never used for others.
    pub nonce: u64,
    /// When the batch was made. Every time in an object's name comes from here.
    pub made_at: Timestamp,
    /// The name: object key or Idempotency-Key, from [`Destination::name`] when the batch was made.
    pub name: String,
    /// Format of the body, as it was when the batch was made.
    pub format: Format,
    /// Compression of the body, as it was when the batch was made.
    pub compression: Compression,
    /// How often it has been sent before: 0 for the first time.
    pub earlier: u32,
}

/// What a sending takes from outside: time and credentials, so that encoding stays pure.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context {
    /// Now, for signatures.
    pub now: Timestamp,
}

impl Context {
    /// A context at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now }
    }
}

/// How records are laid out in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "journalled: a new one is a new format")]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    JsonArray,
    /// The destination's own request, as its API wants it.
    Native,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "journalled: a new one is a new format")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// What one request may hold. A batch closes only when the next record does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by destinations, read by deliver")]
pub struct Limits {
    /// Uncompressed bytes as the API counts them: the sum over the records of [`Destination::size`] plus `overhead`, plus
    /// `envelope`.
    pub bytes: u64,
    /// Records; at most [`Limits::MAX_RECORDS`].
    pub records: u32,
    /// Bytes that each record costs beside its size (a comma, a newline, CloudWatch's 26).
    pub overhead: u32,
    /// Bytes that a request costs beside its records.
    pub envelope: u32,
    /// The size of one record, above which it can never be accepted; `u64::MAX` when only `bytes` counts.
    pub record_bytes: u64,
    /// The largest difference between the event times in one request.
    pub span: Option<Duration>,
    /// Batches on their way at the same time: 1 where order matters.
    pub in_flight: u8,
}

impl Limits {
    /// The most records in one batch, so that a journal entry's bitmap has a bounded size.
    pub const MAX_RECORDS: u32 = 32_768;
    /// The most batches in flight, so that a cursor file has a bounded size.
    pub const MAX_IN_FLIGHT: u8 = 4;
    /// The most plain bytes of a batch where the destination has no limit that matters here: memory has one, since a batch
    /// is held plain and compressed while it is sent.
    pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

    /// Of a body that is nothing but the records in `format`, at a destination without limits of its own.
    fn of_body(format: Format, in_flight: u8) -> Self {
        let (overhead, envelope) = format.framing();
        Self {
            bytes: Self::MAX_BYTES,
            records: Self::MAX_RECORDS,
            overhead,
            envelope,
            record_bytes: u64::MAX,
            span: None,
            in_flight,
        }
    }
}

/// Identifies what decides where and how bytes land (target, format, account; never a secret): a re-send under another
/// fingerprint than the journalled one is not a re-send.
pub type Fingerprint = [u8; 16];

/// A fingerprint of `parts`, each with its length, so that no two lists of parts run into one another.
fn fingerprint(kind: &str, parts: &[&str]) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for part in [&[kind], parts].concat() {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    fingerprint
}

/// The SHA-256 of the uncompressed body, put by `encode` into the request's extensions; the journal keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain digest")]
pub struct BodyDigest(pub [u8; 32]);

/// The SHA-256 of the body as it is sent, put by `encode` into the request's extensions when it has computed it anyway: a
/// signature needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain digest")]
pub struct SentDigest(pub [u8; 32]);

/// A kind of destination, configured. Pure: see the module's invariants.
pub trait Destination: Send + Sync {
    /// The kind's name in a configuration, as `http`.
    fn kind(&self) -> &'static str;

    /// Where records go, for a person; no secret in it.
    fn target(&self) -> String;

    /// What a request may hold.
    fn limits(&self) -> Limits;

    /// What a record weighs in a request, in bytes as the API counts them; what each costs alike is in
    /// [`Limits::overhead`]. An upper bound where the count depends on what the API makes of the record.
    fn size(&self, record: &Record<'_>) -> u64 {
        record.json.len() as u64
    }

    /// See [`Fingerprint`].
    fn fingerprint(&self) -> Fingerprint;

    /// Format and compression of new batches.
    fn body(&self) -> (Format, Compression);

    /// The name for a new batch: a pure function of its bounds, `made_at` and `nonce`. At most 1,024 bytes. Where it is no
    /// object's it is `{spool}-{epoch}-{first}-{last}-{nonce}`.
    fn name(&self, bounds: &Bounds, _made_at: Timestamp, nonce: u64) -> String {
        bounds.name(nonce)
    }

    /// The request for `batch`, with a [`BodyDigest`] among its extensions.
    ///
    /// # Errors
    /// [`EncodeError`]: nothing was sent; the destination is held.
    fn encode(&self, batch: &Batch<'_>, context: &Context) -> Result<::http::Request<Vec<u8>>, EncodeError>;

    /// Whether `batch` can no longer be sent as `encode` makes it: its `made_at`, which stands for the time of records that were
    /// too old, is too old by `now` itself. It is made anew then.
    fn is_stale(&self, _batch: &Batch<'_>, _now: Timestamp) -> bool {
        false
    }

    /// What `response`, to the request that `encode` made of `batch`, says of each record.
    fn decode(&self, batch: &Batch<'_>, response: &::http::Response<Vec<u8>>) -> Outcome;

    /// How a person finds the first record of `batch` at the destination once it is stored: a command or a query to paste.
    fn query(&self, batch: &Batch<'_>) -> String;

    /// What the identity that sends must be allowed to do.
    fn permissions(&self) -> Permissions;
}

/// From where to where a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by deliver, read by destinations")]
pub struct Bounds {
    /// The first record.
    pub first: RecordId,
    /// The last record. May be of another epoch than the first.
    pub last: RecordId,
    /// Smallest event time.
    pub earliest: Timestamp,
    /// Largest event time.
    pub latest: Timestamp,
    /// How many records.
    pub count: u32,
}

impl Bounds {
    /// `{spool}-{epoch}-{first}-{last}-{nonce}`: the name of a batch that is no object, for a receiver, the journal and logs.
    fn name(&self, nonce: u64) -> String {
        let (first, last) = (self.first, self.last);
        format!(
            "{}-{}-{}-{}-{nonce:016x}",
            first.spool, first.epoch, first.seq, last.seq
        )
    }
}

/// Why a batch cannot be encoded. The destination is held with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A credential cannot be had: which, and what to do.
    Credentials(String),
    /// The request cannot be built from the configuration: what is wrong with which key.
    Request(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials(what) => write!(f, "no credentials: {what}"),
            Self::Request(what) => write!(f, "the request cannot be built: {what}"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "deliver must treat all of them")]
pub enum Verdict {
    /// The destination says that it has it.
    Stored,
    /// The destination says that it will never take this record.
    Rejected {
        /// The destination's own code, as `tooOldLogEvent`.
        code: String,
        /// For a person, with what to do.
        reason: String,
    },
    /// The destination has taken it and will not keep it, or not where it belongs: as [`Verdict::Rejected`], but sent again
    /// it may leave a copy somewhere.
    NotKept {
        /// The destination's own code, as `older_than_retention`.
        code: String,
        /// For a person, with what to do.
        reason: String,
    },
    /// Nothing says whether the destination has it: it is sent again, and may be there twice then.
    Unclear,
    /// Try this record again.
    Retry {
        /// Not before this long; zero: at once, since it was left out of the request.
        after: Option<Duration>,
    },
}

impl Outcome {
    /// To a success that is not the destination's own: whatever gave it may have handed the batch on, and the destination
    /// knows no batch again, so each further sending may store it once more. Held until a person resumes it.
    fn not_its_own(reason: String) -> Self {
        Self::Unacknowledged { again: 0, reason }
    }

    /// What it says to a person; nothing where it is about single records, or all is well.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Verdicts(_) | Self::Stored => None,
            Self::Exists { reason }
            | Self::Taken { reason }
            | Self::Throttled { reason, .. }
            | Self::Unavailable { reason, .. }
            | Self::Auth { reason }
            | Self::Config { reason }
            | Self::TooLarge { reason }
            | Self::Refused { reason, .. }
            | Self::Unclear { reason }
            | Self::Unacknowledged { reason, .. } => Some(reason),
        }
    }
}

/// What becomes of records that a destination would not keep for their age, or not under their own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "they go as they are or they do not")]
pub enum TooOld {
    /// They become dead letters.
    DeadLetter,
    /// They are stored under another time.
    Restamp,
}

impl TooOld {
    /// By what `too_old` says; [`TooOld::DeadLetter`] where it says nothing.
    fn parse(name: Option<&str>) -> Result<Self, ConfigError> {
        match name {
            None | Some("dead_letter") => Ok(Self::DeadLetter),
            Some("restamp") => Ok(Self::Restamp),
            Some(name) => {
                let problem = format!("`{name}` is no policy; use `dead_letter` or `restamp`");
                Err(ConfigError::invalid("too_old", problem))
            }
        }
    }
}

/// `text` as one word of a shell, for the commands that [`Destination::query`] gives.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a response says of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "deliver must treat all of them")]
pub enum Outcome {
    /// One verdict for each record, in the batch's order.
    Verdicts(Vec<Verdict>),
    /// Every record is stored.
    Stored,
    /// The name is taken and the destination creates only: stored if an earlier attempt may have made it, else Held(conflict).
    Exists {
        /// For a person.
        reason: String,
    },
    /// The name is taken by something that is certainly not this batch (it was compared): Held(conflict), whatever an
    /// earlier attempt may have done.
    Taken {
        /// For a person.
        reason: String,
    },
    /// The same batch again, later and slower.
    Throttled {
        /// Not before this long.
        after: Option<Duration>,
        /// For a person.
        reason: String,
    },
    /// The same batch again, later: nothing of it is stored.
    Unavailable {
        /// Not before this long.
        after: Option<Duration>,
        /// For a person.
        reason: String,
    },
    /// Who we are or what we may do is wrong: held until it is right, nothing dropped.
    Auth {
        /// For a person, with what to do.
        reason: String,
    },
    /// The destination is missing or misnamed: held until it is right, nothing dropped.
    Config {
        /// For a person, with what to do.
        reason: String,
    },
    /// The request is too large: halve it.
    TooLarge {
        /// For a person.
        reason: String,
    },
    /// The request is refused for what it holds: some record of it may be the cause. Bisect.
    Refused {
        /// The destination's own code, or the HTTP status.
        code: String,
        /// For a person.
        reason: String,
    },
    /// It may or may not be stored: the same batch again, under the same name.
    Unclear {
        /// For a person.
        reason: String,
    },
    /// It was taken, and the acknowledgement without which it does not count as stored has not come: the same batch
    /// `again` times at most, as for [`Outcome::Unclear`]; then it is held until a person resumes it, since each further
    /// sending may store it once more.
    Unacknowledged {
        /// How often it is sent again before it is held.
        again: u32,
        /// For a person, with what to do.
        reason: String,
    },
}
