//! What a spool is opened with, and what opening and maintaining it report.

use std::time::Duration;

use crate::spool::error::IoFailure;
use crate::spool::format::{Codec, Evidence};
use crate::spool::identity::{Epoch, SpoolId};
use crate::spool::window::Window;

/// What gives way when undelivered records fill the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a configuration must treat all of them")]
pub enum OnFull {
    /// The newest: the host is told to hand them over again later.
    #[default]
    Refuse,
    /// The oldest: they are skipped, counted and noted for the destination that lags.
    DropOldest,
}

/// How a spool is written. Everything from outside enters here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// The instance's `Id`.
    pub id: String,
    /// Something that differs from machine to machine, as the content of `/etc/machine-id`; only its hash is kept.
    pub machine_id: Vec<u8>,
    /// How payloads are stored.
    pub codec: Codec,
    /// Bytes that the spool may use in all; none: the smaller of 10 GiB and a tenth of the filesystem.
    pub max_bytes: Option<u64>,
    /// How long delivered records are kept.
    pub retain: Duration,
    /// What to do when undelivered records fill the spool.
    pub on_full: OnFull,
    /// About how large a segment becomes, in bytes; an eighth of the limit when that is less.
    pub segment_bytes: u64,
    /// How many records' keys tell repetitions.
    pub window: usize,
}

impl WriterOptions {
    /// The largest default for `max_bytes`.
    pub const DEFAULT_MAX_BYTES: u64 = 10 << 30;
    /// The default for `retain`: 30 days.
    pub const DEFAULT_RETAIN: Duration = Duration::from_hours(30 * 24);
    /// The default for `segment_bytes`: so small that opening reads less than 64 MiB.
    pub const DEFAULT_SEGMENT_BYTES: u64 = 32 << 20;

    /// The defaults, for the instance `id` on the machine `machine_id`.
    pub fn new(id: &str, machine_id: &[u8]) -> Self {
        Self {
            id: id.to_owned(),
            machine_id: machine_id.to_vec(),
            codec: Codec::default(),
            max_bytes: None,
            retain: Self::DEFAULT_RETAIN,
            on_full: OnFull::default(),
            segment_bytes: Self::DEFAULT_SEGMENT_BYTES,
            window: Window::DEFAULT_CAPACITY,
        }
    }
}

/// What opening found. Everything but the first four is worth telling a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// The spool.
    pub spool: SpoolId,
    /// This opening.
    pub epoch: Epoch,
    /// Whether the spool was made just now.
    pub created: bool,
    /// Records after the head that were whole, and are part of the log now.
    pub adopted: u64,
    /// What tells that the spool was copied, moved or restored since it was opened last.
    pub copied: Option<Evidence>,
    /// `spool.meta` was damaged and has been written again from what the rest of the spool says; the reason.
    pub meta_restored: Option<String>,
    /// A tail that was torn off by a crash: where its bytes were put, below the spool's directory.
    pub torn: Option<String>,
    /// Damage that was met, in words; each is also in a note block.
    pub damaged: Vec<String>,
}

/// What maintaining did, and how the spool stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Maintenance {
    /// Bytes that the spool uses.
    pub used: u64,
    /// Those of them that some destination has not settled, about.
    pub undelivered: u64,
    /// Bytes that it may use.
    pub limit: u64,
    /// Delivered segments removed because their time was over, since the spool was opened.
    pub expired_segments: u64,
    /// Delivered segments removed before their time to make room, since the spool was opened.
    pub reclaimed_segments: u64,
    /// Undelivered segments removed to make room (`drop_oldest`), since the spool was opened.
    pub dropped_segments: u64,
    /// The last append was refused for want of room.
    pub is_full: bool,
    /// What failed without making anything void: publishing the head, removing or measuring something.
    pub trouble: Option<IoFailure>,
}
