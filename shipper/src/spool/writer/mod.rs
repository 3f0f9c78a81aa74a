//! Writing the log: append, sync, and nothing in between that a crash could catch half done.
//!
//! # In scope
//! One writer a spool, under `writer.lock`. Group commit: any number of appends, one sync. What is refused or void leaves
//! nothing behind, neither in the log nor in the window.
//!
//! # Out of scope
//! What is in a draft ([`crate::ingest`]); who waits for which sync (the instance).
//!
//! # Invariants
//! 1. *tip* is where the next block goes, *synced* is behind the last block that is known to be on disk, *head* is what is
//!    published: head ≤ synced ≤ tip, and nothing is acknowledged that is not before synced.
//! 2. A block's `prev` is the chain at its place, so what is left of a void append can never be taken for a successor.
//! 3. After a failed sync the file is never synced again: what is not synced is void, and the next append begins a new
//!    segment, whose header says where the old one ends.
//! 4. A file is written by one opening only. The first append of an opening begins a new segment.
//! 5. The window holds exactly the keys of the records up to the tip, and of the draft that is being made.
//! 6. An append costs one write; no listing, no stat, no sync. Segments change at a sync.
//!
//! Runs on the instance thread. Nothing is done when a writer is dropped: it is as if the process had died.

mod carry;
mod encode;
mod files;
mod open;
mod options;
mod space;

use std::sync::Arc;

use self::encode::Encoder;
use self::files::{Current, Files};
pub use self::options::{Maintenance, OnFull, OpenReport, WriterOptions};
use self::space::Space;
use super::count::Tally;
use super::draft::Draft;
use super::error::{AppendError, IoFailure};
use super::format::{Index, IndexEntry, Kind, SegmentHeader};
use super::head::{Head, HeadFile};
use super::identity::{RecordId, SpoolId};
use super::keys::{self, Keys};
use super::storage::{LockGuard, Storage};
use super::window::Window;
use crate::random::Random;
use crate::time::{Clock, Timestamp};

/// The writer of a spool.
pub struct Writer {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    options: WriterOptions,
    _lock: Box<dyn LockGuard>,
    spool: SpoolId,
    window: Window,
    head_file: HeadFile,
    /// Publishing `synced` failed; it is tried again.
    unpublished: Option<IoFailure>,
    files: Files,
    space: Space,
    tip: Head,
    synced: Head,
    /// Whether there are appends after `synced`.
    pending: bool,
    /// Notes that wait for the next sync.
    notes: Vec<String>,
    /// The bytes of the append under way; kept for its capacity.
    buffer: Vec<u8>,
    /// A call is under way; found set at the beginning of a call, the one before it panicked.
    busy: bool,
}

/// Whether an append must find room within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// It must.
    Limited,
    /// It is a few bytes that must be said when there is none.
    Exempt,
}

/// More than this is not kept allocated from one append to the next.
const KEEP_BUFFER: usize = 8 << 20;

impl Writer {
    /// The spool's identity.
    pub fn spool_id(&self) -> SpoolId {
        self.spool
    }

    /// The identity that the next record will have.
    pub fn next(&self) -> RecordId {
        RecordId {
            spool: self.spool,
            epoch: self.tip.epoch,
            seq: self.tip.next_seq,
        }
    }

    /// The sums over everything that is durable.
    pub fn totals(&self) -> Tally {
        self.synced.totals
    }

    /// What is durable.
    pub fn head(&self) -> Head {
        self.synced
    }

    /// The window, for making the next draft. What an earlier draft entered and was not appended is forgotten.
    pub fn window(&mut self) -> &mut Window {
        self.window.forget_entered();
        &mut self.window
    }

    /// Writes `draft`, received at `received_at`, behind everything appended before. It is durable after the next
    /// successful [`Writer::sync`]. A draft without records, quarantined regions or counts writes nothing.
    ///
    /// # Errors
    /// Any [`AppendError`]. Nothing of this draft is left behind; earlier appends are as they were.
    pub fn append(&mut self, draft: &Draft, received_at: Timestamp) -> Result<(), AppendError> {
        self.guarded(|writer| {
            let keys = draft.table.iter().map(keys::of_entry);
            if !writer.window.has_entered(keys.clone()) {
                writer.window.forget_entered();
                for (key, id_hash) in keys {
                    writer.window.insert(key, id_hash);
                }
            }
            let written = writer.write(received_at, Room::Limited, |encoder| encoder.draft(draft));
            match &written {
                Ok(()) => writer.window.append(),
                Err(_) => writer.window.forget_entered(),
            }
            written
        })
    }

    /// Writes a note for people into the log. As for [`Writer::append`].
    ///
    /// # Errors
    /// As for [`Writer::append`].
    pub fn note(&mut self, text: &str) -> Result<(), AppendError> {
        self.guarded(|writer| {
            writer.window.forget_entered();
            let now = writer.clock.wall();
            writer.write(now, Room::Limited, |encoder| {
                encoder.plain(Kind::Note, text.as_bytes())
            })
        })
    }

    /// Makes every append since the last sync durable, and publishes it.
    ///
    /// # Errors
    /// [`AppendError::Io`]: every append since the last successful sync is void, as if it had never been made, and what a
    /// draft that is being made has entered into the window is forgotten. [`AppendError::Poisoned`].
    pub fn sync(&mut self) -> Result<Head, AppendError> {
        self.guarded(|writer| {
            writer.commit()?;
            if writer.tip.offset >= writer.segment_bytes() {
                writer.seal();
            }
            Ok(writer.synced)
        })
    }

    /// Makes every append since the last sync void, as if it had never been made: for a chunk of several drafts of
    /// which a later one was refused.
    pub fn discard(&mut self) {
        if self.pending {
            self.void();
        }
        self.window.forget_entered();
    }

    /// Runs `call`, and refuses when an earlier one panicked half-way.
    fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut Self) -> Result<T, AppendError>,
    ) -> Result<T, AppendError> {
        if std::mem::replace(&mut self.busy, true) {
            return Err(AppendError::Poisoned);
        }
        let result = call(self);
        self.busy = false;
        result
    }

    /// Writes what `encode` makes at the tip.
    fn write(
        &mut self,
        now: Timestamp,
        room: Room,
        encode: impl FnOnce(&mut Encoder<'_>) -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.write_into(&mut buffer, now, room, encode);
        if buffer.capacity() <= KEEP_BUFFER {
            self.buffer = buffer;
        }
        result
    }

    fn write_into(
        &mut self,
        buffer: &mut Vec<u8>,
        now: Timestamp,
        room: Room,
        encode: impl FnOnce(&mut Encoder<'_>) -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        let codec = self.options.codec;
        let random = Arc::clone(&self.random);
        let mut start = self.tip;
        if self.files.current.is_none() {
            start.offset = SegmentHeader::LEN as u64;
        }
        let mut encoder = Encoder::new(buffer, start, self.spool, codec, now, &*random);
        encode(&mut encoder)?;
        let (blocks, mut tip) = (encoder.blocks, encoder.tip);
        if blocks.is_empty() {
            return Ok(());
        }
        if room == Room::Limited {
            let index = self.files.index_len(&blocks);
            self.make_room(buffer.len() as u64 + index, now)?;
        }
        if let Err(failure) = self.put(buffer, now) {
            if !failure.is_full() || !self.free_disk(buffer.len() as u64, now) {
                return Err(self.refuse(failure, now));
            }
            self.put(buffer, now)
                .map_err(|failure| self.refuse(failure, now))?;
        }
        let Some(current) = &mut self.files.current else {
            return Err(AppendError::Poisoned);
        };
        tip.segment = current.header.number;
        // Making room may have begun a new segment since the blocks were laid out.
        let shift = |mut block: IndexEntry| {
            block.offset = block.offset - start.offset + self.tip.offset;
            block
        };
        current.extend(blocks.into_iter().map(shift));
        tip.offset = self.tip.offset + buffer.len() as u64;
        self.tip = tip;
        self.pending = true;
        self.space.grow(tip.segment, buffer.len() as u64);
        if room == Room::Limited {
            self.space.is_full = false;
        }
        Ok(())
    }

    /// Writes `bytes` at the tip, in a new segment when there is none.
    fn put(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), IoFailure> {
        self.ensure_segment(now)?;
        let Some(current) = &self.files.current else {
            return Ok(());
        };
        current.file.write_at(self.tip.offset, bytes).map_err(|error| {
            // What the failed write left lies behind the tip, where its `prev` makes it void in any case; cutting it off
            // gives its room back.
            let _ = current.file.set_len(self.tip.offset);
            IoFailure::new("write", &current.path, &error)
        })
    }

    fn ensure_segment(&mut self, now: Timestamp) -> Result<(), IoFailure> {
        if self.files.current.is_some() {
            return Ok(());
        }
        let len = self
            .files
            .create(&*self.storage, self.spool, &self.tip, now, None)?;
        self.entered_segment(len);
        Ok(())
    }

    /// The tip is at `offset` of the segment that was just made.
    fn entered_segment(&mut self, offset: u64) {
        if let Some(current) = &self.files.current {
            self.tip.segment = current.header.number;
            self.tip.offset = offset;
            self.space.grow(self.tip.segment, offset);
        }
    }

    /// Syncs and publishes what is pending.
    fn commit(&mut self) -> Result<(), AppendError> {
        self.write_notes();
        if !self.pending {
            if self.unpublished.is_some() {
                self.publish();
            }
            return Ok(());
        }
        if let Some(current) = &self.files.current
            && let Err(error) = current.file.sync_data()
        {
            let failure = IoFailure::new("sync", &current.path, &error);
            self.void();
            return Err(AppendError::Io(failure));
        }
        self.synced = self.tip;
        self.pending = false;
        self.window.commit();
        self.publish();
        Ok(())
    }

    /// Publishes what is synced. A failure makes nothing void: it is tried again with the next sync.
    fn publish(&mut self) {
        let published = self.head_file.publish(&self.synced);
        self.unpublished = published
            .err()
            .map(|error| IoFailure::new("write", super::head::PATH, &error));
    }

    /// Everything after `synced` never was. Its file is not touched by a sync again.
    fn void(&mut self) {
        self.window.roll_back();
        self.pending = false;
        let number = self.tip.segment;
        if self.synced.segment == number && self.synced.offset > 0 {
            if let Some(current) = self.files.close(self.synced.offset, 0) {
                // Not needed for safety: the next segment's header says where this one ends.
                let _ = current.file.set_len(self.synced.offset);
                self.space.set(number, self.synced.offset);
                self.keep_index(&current);
            }
        } else {
            self.files.abandon(&*self.storage);
            self.space.forget(number);
        }
        self.tip = self.synced;
    }

    /// Ends the current segment with its index, when everything in it is synced. A failure leaves it without.
    fn seal(&mut self) {
        let Some(current) = &self.files.current else {
            return;
        };
        if self.pending || self.synced.segment != current.header.number {
            return;
        }
        let index_at = self.tip.offset;
        let blocks = current.blocks().to_vec();
        let keys = self.keys_of_blocks(&blocks);
        // In two blocks, so that opening reads the keys only.
        let parts = [
            Index {
                blocks,
                keys: Vec::new(),
            },
            Index {
                blocks: Vec::new(),
                keys,
            },
        ];
        let mut bytes = Vec::new();
        let tip = self.encode_index(&parts, self.tip, &mut bytes);
        let written = tip.and_then(|tip| {
            current.file.write_at(index_at, &bytes).ok()?;
            current.file.sync_data().ok()?;
            Some(tip)
        });
        match written {
            Some(tip) => {
                self.space.grow(tip.segment, bytes.len() as u64);
                self.tip = tip;
                self.synced = tip;
                self.files.close(tip.offset, index_at);
                self.publish();
            }
            None => {
                if let Some(current) = self.files.close(self.synced.offset, 0) {
                    let _ = current.file.set_len(self.synced.offset);
                    self.keep_index(&current);
                }
            }
        }
    }

    /// The keys of the synced ones of `blocks`: the newest blocks, whose records are the newest that are appended.
    fn keys_of_blocks(&self, blocks: &[IndexEntry]) -> Keys {
        let synced = blocks.iter().filter(|block| block.offset < self.synced.offset);
        let records: u64 = synced.map(|block| u64::from(block.count)).sum();
        self.window
            .newest(usize::try_from(records).unwrap_or(usize::MAX))
            .collect()
    }

    /// Encodes index blocks that stand at `tip`, and gives the tip behind them.
    fn encode_index(&self, parts: &[Index], tip: Head, out: &mut Vec<u8>) -> Option<Head> {
        let now = self.clock.wall();
        let mut encoder = Encoder::new(out, tip, self.spool, self.options.codec, now, &*self.random);
        for part in parts {
            let mut payload = Vec::new();
            part.encode(&mut payload);
            encoder.plain(Kind::Index, &payload).ok()?;
        }
        Some(encoder.tip)
    }

    /// Puts the index of a segment that was closed without one beside it. Best effort: without it opening reads the
    /// tables.
    fn keep_index(&mut self, closed: &Current) {
        let keys = self.keys_of_blocks(closed.blocks());
        self.keep(&closed.header, keys);
    }

    fn keep(&mut self, header: &SegmentHeader, keys: Keys) {
        // Where blocks are is of no use once the segment is gone, and found by reading it as long as it is there.
        let blocks = Vec::new();
        let mut bytes = Vec::new();
        if self
            .encode_index(&[Index { blocks, keys }], Head::empty(self.tip.epoch), &mut bytes)
            .is_some()
            && let Ok(len) = keys::keep(&*self.storage, header, &bytes)
        {
            self.space.set_index(header.number, len);
        }
    }

    /// Writes the notes that wait; those that cannot be written wait on.
    fn write_notes(&mut self) {
        for text in std::mem::take(&mut self.notes) {
            let now = self.clock.wall();
            if self
                .write(now, Room::Exempt, |encoder| {
                    encoder.plain(Kind::Note, text.as_bytes())
                })
                .is_err()
            {
                self.notes.push(text);
                return;
            }
        }
    }

    fn segment_bytes(&self) -> u64 {
        self.options.segment_bytes.min(self.space.limit() / 8).max(4096)
    }
}
