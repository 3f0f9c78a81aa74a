//! From one chunk to one [`Draft`]: decode ► exclude ► key ► JSON once. Pure.
//!
//! # Invariants
//! 1. `received = excluded + duplicate + spooled` in every draft; exclusion comes before de-duplication.
//! 2. A line of the payload, without its newline and without the `added` bytes before its last brace, is exactly the JSON
//!    whose BLAKE3 is the record's content hash.
//! 3. A record without an event id is never a duplicate.
//! 4. Every byte of the input is a record, a group marker, a blank line, or is quarantined.
//! 5. A draft's size is bounded by [`MAX_DRAFT_BYTES`] and one record, whatever the chunk: a few bytes of input can
//!    be a record of two hundred bytes, so a large chunk may need several drafts.
//!
//! Runs on the instance thread. Nothing here is durable: the window's entries are staged until the spool has synced the draft,
//! and a crash before that brings the same chunk again.

mod line;

#[cfg(test)]
mod tests;

use crate::exclude::Exclusion;
use crate::record::{self, Fault, Meta, Position, Step, Transcoder};
use crate::spool::draft::{Draft, Quarantined, SourceFormat, TableEntry};
use crate::spool::identity::{Key, RecordId};
use crate::time::Timestamp;
use line::Suffix;

/// The last records' keys, as ingest sees them. The spool keeps them over restarts.
pub trait KeyWindow {
    /// Asks for a record with an event id, and enters it when it is not a duplicate.
    fn see(&mut self, key: Key, id_hash: u64) -> Seen;

    /// Enters the key of a record without an event id; such records are never duplicates.
    fn enter(&mut self, key: Key);
}

/// What the window knows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "ingest must treat all of them")]
pub enum Seen {
    /// Neither the key nor the id: now entered.
    New,
    /// The key: same id, same content. Not entered again.
    Duplicate,
    /// The id with other content: now entered.
    Conflict,
}

/// How large a draft may become before it is closed: payload, quarantined bytes and an estimate of everything else.
pub const MAX_DRAFT_BYTES: usize = 16 << 20;

/// What a record or a quarantined region costs beside its bytes.
const OVERHEAD: usize = 128;

/// What ingest needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are made by whoever reads the configuration"
)]
pub struct Settings {
    /// How records are read.
    pub record: record::Settings,
    /// Which are not kept.
    pub exclusion: Exclusion,
}

/// One hand-off.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever receives chunks")]
pub struct Chunk<'a> {
    /// What the bytes are.
    pub source: SourceFormat,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they come from, for a person: a tag or a file's name.
    pub origin: &'a str,
    /// When they came. The time of records that have no other.
    pub received_at: Timestamp,
}

/// Turns chunks into drafts. Keeps its buffers from one chunk to the next.
#[derive(Debug)]
pub struct Ingest {
    transcoder: Transcoder,
    exclusion: Exclusion,
    suffix: Suffix,
}

impl Ingest {
    /// An ingest with these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            transcoder: Transcoder::new(&settings.record),
            exclusion: settings.exclusion,
            suffix: Suffix::default(),
        }
    }

    /// Fills `draft` (emptied first) from `chunk`, from `from` on. The first record that is kept gets the number of `next`.
    ///
    /// Infallible: what cannot be decoded is in the draft's quarantine. `None` when the chunk is used up; otherwise the draft is full:
    /// append it and call again with the position that is returned and the spool's new `next`. The chunk is
    /// acknowledged after all of its drafts are durable.
    pub fn chunk(
        &mut self,
        chunk: &Chunk<'_>,
        from: Position,
        next: RecordId,
        window: &mut dyn KeyWindow,
        draft: &mut Draft,
    ) -> Option<Position> {
        draft.clear();
        self.suffix.stand_for(next);
        let mut at = from;
        let mut quarantined_to = None;
        loop {
            let start = draft.payload.len();
            match self
                .transcoder
                .next(chunk.source, chunk.bytes, &mut at, &mut draft.payload)
            {
                Step::Record(meta) => self.record(chunk, &meta, start, next, window, draft),
                Step::GroupMarker => {}
                Step::Undecodable { region, line, fault } => {
                    let bytes = chunk.bytes.get(region.clone()).unwrap_or_default();
                    // Lines never do: there is a newline between them.
                    let adjoins = quarantined_to == Some(region.start);
                    quarantine(chunk, bytes, region.start, line, fault, adjoins, draft);
                    quarantined_to = Some(region.end);
                }
                Step::End => return None,
            }
            if size(draft) >= MAX_DRAFT_BYTES {
                return Some(at);
            }
        }
    }

    /// Decides on the record that stands at the end of the payload, from `start` on.
    fn record(
        &mut self,
        chunk: &Chunk<'_>,
        meta: &Meta,
        start: usize,
        next: RecordId,
        window: &mut dyn KeyWindow,
        draft: &mut Draft,
    ) {
        let tally = &mut draft.tally;
        tally.received += 1;
        if self.exclusion.excludes(meta.categories) {
            tally.excluded += 1;
            draft.payload.truncate(start);
            return;
        }
        let id = RecordId {
            seq: next.seq.saturating_add(draft.table.len() as u64),
            ..next
        };
        let content = *blake3::hash(&draft.payload[start..]).as_bytes();
        let mut flags = 0;
        let (key, id_hash) = match meta.id(&draft.payload) {
            Some(event_id) => {
                let key = Key::of_event(event_id.as_bytes(), &content);
                let id_hash = id_hash(event_id.as_bytes());
                flags |= TableEntry::HAS_ID;
                match window.see(key, id_hash) {
                    Seen::New => {}
                    Seen::Conflict => {
                        tally.id_conflict += 1;
                        flags |= TableEntry::ID_CONFLICT;
                    }
                    Seen::Duplicate => {
                        tally.duplicate += 1;
                        draft.payload.truncate(start);
                        return;
                    }
                }
                (key, id_hash)
            }
            None => {
                let key = Key::of_position(&id);
                window.enter(key);
                (key, 0)
            }
        };
        tally.spooled += 1;
        if meta.repaired {
            tally.repaired += 1;
            flags |= TableEntry::REPAIRED;
        }
        let time = meta.time.unwrap_or_else(|| {
            flags |= TableEntry::HOST_TIME;
            meta.host_time.unwrap_or(chunk.received_at)
        });
        let added = self.suffix.append(&mut draft.payload, meta, time, id.seq);
        draft.table.push(TableEntry {
            // A record has at most 2^30 bytes, and the addition less than 2^8.
            len: u32::try_from(draft.payload.len() - start).unwrap_or(u32::MAX),
            added,
            flags,
            time,
            key,
            categories: meta.categories.bits(),
            id_hash,
        });
        draft.contents.push(content);
    }
}

/// First 8 bytes of BLAKE3 of the event id. 0 means that there is none, so an id that hashes to 0 counts as 1.
fn id_hash(event_id: &[u8]) -> u64 {
    let hash = blake3::hash(event_id);
    let first = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(first).max(1)
}

/// Puts a region into the draft's quarantine; one that adjoins the region before makes that one longer.
fn quarantine(
    chunk: &Chunk<'_>,
    bytes: &[u8],
    offset: usize,
    line: Option<u64>,
    fault: Fault,
    adjoins: bool,
    draft: &mut Draft,
) {
    draft.tally.undecodable_bytes = draft.tally.undecodable_bytes.saturating_add(bytes.len() as u64);
    if let Some(before) = draft.quarantined.last_mut().filter(|_| adjoins) {
        before.bytes.extend_from_slice(bytes);
        return;
    }
    draft.tally.undecodable_regions += 1;
    draft.quarantined.push(Quarantined {
        bytes: bytes.to_vec(),
        source: chunk.source,
        reason: fault.to_string(),
        origin: match line {
            Some(line) => format!("{}, line {line}", chunk.origin),
            None => format!("{}, byte {offset}", chunk.origin),
        },
    });
}

/// What the draft holds, in bytes, in constant time.
fn size(draft: &Draft) -> usize {
    let quarantined = usize::try_from(draft.tally.undecodable_bytes).unwrap_or(usize::MAX);
    (draft.table.len() + draft.quarantined.len())
        .saturating_mul(OVERHEAD)
        .saturating_add(draft.payload.len())
        .saturating_add(quarantined)
}
