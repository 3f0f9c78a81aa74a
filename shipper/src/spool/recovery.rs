//! What a spool holds after whatever happened to the process, the machine or the disk.
//!
//! # What may be assumed
//! 1. Everything before the published head was synced. The head that is found may be older than the newest one (power
//!    was cut), never newer.
//! 2. Every record below a cursor's committed number, or in a batch of a cursor, was before some head.
//! 3. A segment's header, and all that its predecessor holds before the length named there, was synced before the
//!    segment got its name.
//!
//! # What may not
//! 1. That what can be read after the head is on the disk. The process may have died after a failed sync: the kernel has
//!    then marked pages clean that never reached the disk, they are read back from the page cache, and a further sync of
//!    that file succeeds without writing them. So nothing after the head is used where it stands: whole blocks there are
//!    *adopted*, that is copied into a new segment, synced, before anybody sees them. (They may be blocks that nobody
//!    acknowledged. Then the host hands them over again; those with an id are told by the window, those without are
//!    doubled, as after any crash of the host.)
//! 2. That nothing after the head was acknowledged: after a power cut it may have been. So what is whole is not cut.
//! 3. That a name that can be seen is on the disk: the folder is synced before anything relies on its names.
//! 4. That a segment which was written by an earlier opening may be written again: for the reason in 1, each opening
//!    writes files of its own only.
//!
//! # Torn or damaged
//! A block that does not check is a *torn tail* when it lies beyond the head and beyond every cursor: it was never
//! acknowledged. It goes to `quarantine/` and is cut off. Anywhere else it is *damage*: it stays where it is, a note block
//! names it, and what is behind it is found again by its magic, header checksum and spool id.
//!
//! # Why each step is crash-safe
//! Reading changes nothing. The copy of a torn tail is synced before the tail is cut. The segment with the adopted
//! blocks gets its name when it is whole and synced; from then on its header makes the originals void. Any crash before
//! leaves what was found.
//!
//! Runs once, on the thread that opens the spool, under the writer's lock.

use super::block::Position;
use super::error::SpoolError;
use super::extent;
use super::format::{FormatError, IndexEntry, Kind, Previous, Sections, decode_table};
use super::head::Head;
use super::identity::{Epoch, SpoolId};
use super::keys::{self, Keys, SegmentKeys, Source};
use super::scan::{Found, Scan};
use super::segment::{self, Listing, Opened};
use super::storage::Storage;

/// How many headers are looked at for void segments: opening may not take long, and such a segment was to be removed when
/// it was given up, every second after, and at each opening.
const LOOK_FOR_VOID: usize = 4;

/// What was found, and what is to be done about it.
pub(crate) struct Recovered {
    /// Where what may be used in place ends.
    pub(crate) trusted: Head,
    /// Where the log ends, adopted blocks included.
    pub(crate) tip: Head,
    /// What the next segment's header says of the one before it.
    pub(crate) previous: Option<Previous>,
    /// A number that no segment has, or had, after the last one.
    pub(crate) next_number: u64,
    /// Whole blocks after the trusted end: to be copied into a new segment.
    pub(crate) adopted: Option<Adopted>,
    /// Where the last segment holds bytes that are no block: from here up to this.
    pub(crate) torn: Option<(Position, u64)>,
    /// Damage, in words.
    pub(crate) damaged: Vec<String>,
    /// Segments at the end of the log that were given up: nothing in them counts.
    pub(crate) void: Vec<u64>,
    /// The keys of the last segment up to the trusted end.
    pub(crate) keys: Option<SegmentKeys>,
    /// What is in the folder, without those.
    pub(crate) listing: Listing,
}

/// Blocks of segment `from.segment`, one after another from `from` up to the offset `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    pub(crate) from: Position,
    pub(crate) to: u64,
    pub(crate) blocks: Vec<IndexEntry>,
    pub(crate) keys: Keys,
}

/// Finds out what `spool` holds. `head` is what is published; every record below `settled` was before some head. Changes
/// nothing that can be seen.
pub(crate) fn recover(
    storage: &dyn Storage,
    spool: SpoolId,
    epoch: Epoch,
    head: Option<Head>,
    settled: u64,
) -> Result<Recovered, SpoolError> {
    storage
        .sync_dir(segment::FOLDER)
        .map_err(|error| SpoolError::io("sync", segment::FOLDER, &error))?;
    let mut listing = Listing::read(storage)?;
    let highest = listing.segments.last().into_iter().chain(listing.indexes.last());
    let next_number = highest.map(|(number, _)| number.saturating_add(1)).max();
    if next_number == Some(u64::MAX) {
        return Err(SpoolError::NotASpool {
            reason: format!(
                "a file in {}/ has a number that no segment ever gets: move it away",
                segment::FOLDER
            ),
        });
    }
    let void = segment::void(storage, &listing.segments, spool, LOOK_FOR_VOID)?;
    listing.segments.retain(|(number, _)| !void.contains(number));
    let numbers: Vec<u64> = listing.segments.iter().map(|(number, _)| *number).collect();
    let newest = newest_readable(storage, &numbers, spool)?;
    let mut damaged = Vec::new();
    let anchor = anchor(epoch, head, newest.as_ref());
    let walk: Vec<u64> = numbers
        .iter()
        .copied()
        .filter(|number| *number >= anchor.segment)
        .collect();
    if anchor.offset > 0 && walk.first() != Some(&anchor.segment) {
        damaged.push(format!(
            "segment {:016x} is gone; the head was at byte {} of it",
            anchor.segment, anchor.offset
        ));
    }
    let mut state = Walk {
        spool,
        settled,
        trusted: anchor,
        tip: anchor,
        blocks: Vec::new(),
        keys: Vec::new(),
        damaged,
        gap: false,
    };
    let mut torn = None;
    for number in &walk {
        let Some(opened) = segment::open(storage, *number, spool)? else {
            continue;
        };
        let is_last = Some(number) == walk.last();
        let path = segment::path(*number);
        let len = if is_last {
            let len = opened.file.len();
            len.map_err(|error| SpoolError::io("measure", &path, &error))?
        } else {
            // No header after the anchor can be read, or it would be the anchor.
            extent::of_segment(storage, &listing.segments, *number, &opened, spool)?
        };
        torn = state.segment(*number, &opened, len, is_last, anchor)?;
    }
    let Walk {
        trusted,
        mut tip,
        blocks,
        keys: adopted_keys,
        mut damaged,
        ..
    } = state;
    if tip.next_seq < settled {
        damaged.push(format!(
            "a cursor is at record {settled}, the log ends at {}: it was restored from an older copy, or cut; numbering \
             goes on from {settled}",
            tip.next_seq
        ));
        tip.next_seq = settled;
    }
    let adopted = (!blocks.is_empty()).then(|| Adopted {
        from: trusted.position(),
        to: tip.offset,
        blocks,
        keys: adopted_keys,
    });
    let mut index_at = 0;
    let keys = match trusted.offset {
        0 => None,
        end => keys::read(storage, spool, trusted.segment, end, 0)?,
    };
    if let Some(SegmentKeys {
        source:
            Source::Scanned {
                index_at: at,
                damaged: more,
                ..
            },
        ..
    }) = &keys
    {
        index_at = *at;
        // The walk may have met the same.
        let new = more
            .iter()
            .filter(|flaw| !damaged.contains(flaw))
            .cloned()
            .collect::<Vec<_>>();
        damaged.extend(new);
    }
    Ok(Recovered {
        trusted,
        tip,
        previous: (trusted.offset > 0).then(|| Previous::new(trusted.segment, trusted.offset, index_at)),
        next_number: next_number.unwrap_or(0).max(if trusted.offset > 0 {
            trusted.segment + 1
        } else {
            0
        }),
        adopted,
        torn,
        damaged,
        void,
        keys,
        listing,
    })
}

/// The newest segment whose header can be read.
fn newest_readable(
    storage: &dyn Storage,
    numbers: &[u64],
    spool: SpoolId,
) -> Result<Option<(u64, Opened)>, SpoolError> {
    for number in numbers.iter().rev() {
        if let Some(opened) = segment::open(storage, *number, spool)?
            && opened.header.is_ok()
        {
            return Ok(Some((*number, opened)));
        }
    }
    Ok(None)
}

/// The latest position whose state is known without reading a block: the head, or the beginning of a later segment.
fn anchor(epoch: Epoch, head: Option<Head>, newest: Option<&(u64, Opened)>) -> Head {
    let published = Head {
        epoch,
        ..head.unwrap_or(Head::empty(epoch))
    };
    match newest {
        Some((
            number,
            Opened {
                header: Ok(header),
                start,
                ..
            },
        )) if *number > published.segment || published.offset == 0 => Head {
            epoch,
            segment: *number,
            offset: *start,
            next_seq: header.first_seq,
            chain: header.chain,
            totals: header.totals,
        },
        Some(_) | None => published,
    }
}

/// The walk from the anchor to the end.
struct Walk {
    spool: SpoolId,
    settled: u64,
    trusted: Head,
    tip: Head,
    /// What lies between the two.
    blocks: Vec<IndexEntry>,
    keys: Keys,
    damaged: Vec<String>,
    /// The end of a segment was damaged: which block is the one before the next is not known.
    gap: bool,
}

impl Walk {
    /// Goes through one segment, of which `len` bytes count; returns its torn tail.
    fn segment(
        &mut self,
        number: u64,
        opened: &Opened,
        len: u64,
        is_last: bool,
        anchor: Head,
    ) -> Result<Option<(Position, u64)>, SpoolError> {
        let mut scan = Scan::new(opened.file.clone(), number, self.spool, len);
        let mut offset = opened.start;
        if number == anchor.segment {
            offset = anchor.offset.max(offset);
        }
        if offset > len {
            self.damaged.push(format!(
                "segment {number:016x} ends at byte {len}, before byte {offset}, where the head was"
            ));
        }
        (self.tip.segment, self.tip.offset) = (number, offset);
        if number != anchor.segment {
            self.trusted = self.tip;
        }
        while offset < len {
            let (found, keys) = match self.check(&mut scan, offset)? {
                Ok(whole) => whole,
                Err(flaw) if is_last && self.tip.next_seq >= self.settled => {
                    let _torn = flaw;
                    break;
                }
                Err(flaw) => {
                    self.damaged
                        .push(format!("segment {number:016x} at byte {offset}: {flaw}"));
                    match self.next_whole(&mut scan, offset)? {
                        Some(whole) => whole,
                        None => {
                            // Damage up to the end: all of it stays where it is.
                            self.tip.offset = len;
                            self.gap = true;
                            self.trust();
                            break;
                        }
                    }
                }
            };
            offset = found.end();
            self.take(&found, keys, is_last);
        }
        let end = self.tip.offset;
        Ok((end < len).then_some((
            Position {
                segment: number,
                offset: end,
            },
            len,
        )))
    }

    /// The block at `offset`, when it is whole and the next one of the chain, with the keys of its records.
    fn check(&self, scan: &mut Scan, offset: u64) -> Result<Result<Whole, FormatError>, SpoolError> {
        let found = match scan.header_at(offset)? {
            Ok(found) => found,
            Err(flaw) => return Ok(Err(flaw)),
        };
        let header = &found.header;
        let follows = header.prev == self.tip.chain && header.first_seq == self.tip.next_seq;
        if !(follows || self.gap && header.first_seq >= self.tip.next_seq) {
            return Ok(Err(FormatError::Value { of: "prev" }));
        }
        sound(scan, found)
    }

    /// The next whole block behind damage that does not repeat what is there already.
    fn next_whole(&self, scan: &mut Scan, mut offset: u64) -> Result<Option<Whole>, SpoolError> {
        while let Some(found) = scan.resync(offset + 1)? {
            offset = found.offset;
            if found.header.first_seq < self.tip.next_seq {
                continue;
            }
            if let Ok(whole) = sound(scan, found)? {
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    fn take(&mut self, found: &Found, keys: Keys, is_last: bool) {
        let is_settled = found.header.count > 0 && found.header.first_seq < self.settled;
        self.gap = false;
        self.tip.offset = found.end();
        self.tip.next_seq = found.header.end_seq();
        self.tip.chain = found.hash;
        self.tip.totals.add(&found.header.tally);
        self.blocks.push(keys::index_entry(found));
        self.keys.extend(keys);
        if is_settled || !is_last {
            self.trust();
        }
    }

    /// Everything up to the tip was synced once.
    fn trust(&mut self) {
        self.trusted = self.tip;
        self.blocks.clear();
        self.keys.clear();
    }
}

/// A whole block and its records' keys.
type Whole = (Found, Keys);

/// `found` again, when all of its sections check.
fn sound(scan: &mut Scan, found: Found) -> Result<Result<Whole, FormatError>, SpoolError> {
    let bytes = scan.exactly(found.sections_at(), found.header.sections_len())?;
    let keys = Sections::decode(&found.header, &bytes).and_then(|sections| {
        let table = match found.header.kind {
            Kind::Records => decode_table(sections.table)?,
            _ => Vec::new(),
        };
        Ok(table.iter().map(keys::of_entry).collect())
    });
    Ok(keys.map(|keys| (found, keys)))
}
