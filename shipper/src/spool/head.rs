//! The published position: how far readers may go, and a lower bound of what is on disk.
//!
//! # Invariants
//! 1. A head is published only after everything before it was synced; so no reader ever sees a block that is void.
//! 2. The file is never synced itself. While the machine runs, every process sees the newest head in the page cache;
//!    after a power cut an older one may be there, never a newer one: a lower bound, which [`crate::spool::recovery`]
//!    treats as such.
//! 3. Publications alternate between two slots with a sector each, so that a torn one leaves the one before. After a
//!    failed publication the next goes to the same slot.
//!
//! Written by the writer's thread; read by any thread of any process without a lock.

use std::io;
use std::sync::Arc;

use super::block::Position;
use super::count::Tally;
use super::error::SpoolError;
use super::format::HeadSlot;
use super::identity::{Epoch, SpoolId};
use super::storage::{Access, Storage, StorageFile};

/// The file's path.
pub(crate) const PATH: &str = "head";
const LEN: usize = 2 * HeadSlot::PITCH;

/// A position up to which the log is durable, and what is known there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The opening that published it.
    pub epoch: Epoch,
    /// The segment.
    pub segment: u64,
    /// Where the next block of that segment would begin; 0 while the spool has no segment.
    pub offset: u64,
    /// The number that the next record has.
    pub next_seq: u64,
    /// The chain value ([`seal::chain`](crate::seal::chain)) of the last block; zeros before the first.
    pub chain: [u8; 32],
    /// The sums over all blocks.
    pub totals: Tally,
}

impl Head {
    /// The head of a spool without any block.
    pub(crate) fn empty(epoch: Epoch) -> Self {
        Self {
            epoch,
            segment: 0,
            offset: 0,
            next_seq: 0,
            chain: [0; 32],
            totals: Tally::default(),
        }
    }

    /// Its place in the log.
    pub fn position(&self) -> Position {
        Position {
            segment: self.segment,
            offset: self.offset,
        }
    }
}

/// The published head, without any lock. `None` when the spool has none (yet), or both slots are damaged.
///
/// # Errors
/// [`SpoolError::NewerVersion`], or that the file cannot be read.
pub fn read_head(storage: &dyn Storage) -> Result<Option<Head>, SpoolError> {
    Ok(read_slot(storage)?.map(|slot| head_of(&slot)))
}

/// The newest valid slot, whichever spool it belongs to.
pub(crate) fn read_slot(storage: &dyn Storage) -> Result<Option<HeadSlot>, SpoolError> {
    match storage.open(PATH, Access::Read) {
        Ok(file) => newest_slot(&*file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SpoolError::io("open", PATH, &error)),
    }
}

fn newest_slot(file: &dyn StorageFile) -> Result<Option<HeadSlot>, SpoolError> {
    let mut bytes = [0; LEN];
    let read = file
        .read_at(0, &mut bytes)
        .map_err(|error| SpoolError::io("read", PATH, &error))?;
    let mut newest: Option<HeadSlot> = None;
    for slot in bytes[..read].chunks(HeadSlot::PITCH) {
        match HeadSlot::decode(slot) {
            Ok(slot)
                if newest
                    .as_ref()
                    .is_none_or(|other| slot.generation > other.generation) =>
            {
                newest = Some(slot);
            }
            Err(error @ super::format::FormatError::NewerVersion { .. }) => {
                return Err(SpoolError::format(PATH, &error));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(newest)
}

fn head_of(slot: &HeadSlot) -> Head {
    Head {
        epoch: slot.epoch,
        segment: slot.segment,
        offset: slot.offset,
        next_seq: slot.next_seq,
        chain: slot.chain,
        totals: slot.totals,
    }
}

/// The writer's side of the file.
pub(crate) struct HeadFile {
    file: Arc<dyn StorageFile>,
    spool: SpoolId,
    generation: u64,
}

impl HeadFile {
    /// Opens the file, making it first (with room for both slots, so that a full disk cannot stop a publication) where
    /// there is none. The caller makes its name durable.
    pub(crate) fn open(storage: &dyn Storage, spool: SpoolId) -> Result<Self, SpoolError> {
        let failed = |action| move |error| SpoolError::io(action, PATH, &error);
        let file = match storage.open(PATH, Access::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                storage.create_new(PATH).map_err(failed("create"))?
            }
            opened => opened.map_err(failed("open"))?,
        };
        let generation = newest_slot(&*file)?.map_or(0, |slot| slot.generation);
        if file.len().map_err(failed("measure"))? < LEN as u64 {
            file.allocate(LEN as u64).map_err(failed("allocate"))?;
            file.sync_data().map_err(failed("sync"))?;
        }
        Ok(Self {
            file,
            spool,
            generation,
        })
    }

    /// Publishes `head`. The caller has synced everything before it.
    pub(crate) fn publish(&mut self, head: &Head) -> io::Result<()> {
        let generation = self.generation + 1;
        let slot = HeadSlot {
            spool: self.spool,
            generation,
            epoch: head.epoch,
            segment: head.segment,
            offset: head.offset,
            next_seq: head.next_seq,
            chain: head.chain,
            totals: head.totals,
        };
        let mut bytes = Vec::with_capacity(HeadSlot::LEN);
        slot.encode(&mut bytes);
        let offset = (generation & 1) * HeadSlot::PITCH as u64;
        self.file.write_at(offset, &bytes)?;
        self.generation = generation;
        Ok(())
    }
}

/// A reader's side of the file: opened once, read whenever the reader has caught up.
pub(crate) struct HeadView {
    file: Option<Arc<dyn StorageFile>>,
}

impl HeadView {
    pub(crate) fn new() -> Self {
        Self { file: None }
    }

    /// The published head of `spool`; `None` while there is none.
    pub(crate) fn read(&mut self, storage: &dyn Storage, spool: SpoolId) -> Result<Option<Head>, SpoolError> {
        if self.file.is_none() {
            self.file = match storage.open(PATH, Access::Read) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(SpoolError::io("open", PATH, &error)),
            };
        }
        let Some(file) = &self.file else { return Ok(None) };
        let slot = newest_slot(&**file)?.filter(|slot| slot.spool == spool);
        Ok(slot.map(|slot| head_of(&slot)))
    }
}
