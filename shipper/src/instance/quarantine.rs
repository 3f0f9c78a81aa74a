//! What could not be decoded: finding it in the log, and decoding it again.
//!
//! A quarantine block stays in the log for as long as its segment, and is then carried to `quarantine/`
//! ([`crate::spool::quarantine`]), unless somebody has looked after it. Looking after is done here: a retry that gets records
//! out of it, or a discard. Either first leaves a note block, durably (a retry in the same sync as its records), and then
//! settles the block with the writer. After a crash between the two the command is given out again: a retry of all passes
//! over what has a note, but for settling it; one that is named is tried whatever was tried before, and records with an event
//! id are recognised when they come twice.
//!
//! A retry goes further than the first decoding: behind the damage it looks for the next place where an event seems to
//! begin. What stays undecodable stays in its block, goes with it, and is not counted again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::intake::Intake;
use crate::control::commands::{BlockPlace, Outcome, QuarantinedBlocks};
use crate::spool::draft::SourceFormat;
use crate::spool::format::Kind;
use crate::spool::identity::SpoolId;
use crate::spool::quarantine;
use crate::spool::storage::Storage;
use crate::spool::{Block, Kinds, Position, ReadStep, Reader, SpoolError};
use crate::time::Timestamp;

/// One quarantine block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Where it is: what `quarantine retry` takes.
    pub place: BlockPlace,
    /// When it came in.
    pub at: Timestamp,
    /// Bytes.
    pub len: u64,
    /// What was wrong with it.
    pub reason: String,
    /// Where it came from.
    pub origin: String,
    /// Records that retries got out of it.
    pub recovered: u64,
}

/// All quarantine blocks of the spool in `storage` that were not discarded, oldest first, in the log and carried.
///
/// # Errors
/// Any [`SpoolError`]. Damaged parts of the log are passed over.
pub fn list(storage: Arc<dyn Storage>) -> Result<Vec<Quarantined>, SpoolError> {
    let kept = survey(storage)?.into_iter().filter(|(_, care)| !care.discarded);
    Ok(kept.map(|(block, _)| block).collect())
}

/// All blocks that are there, and what was done about each.
fn survey(storage: Arc<dyn Storage>) -> Result<Vec<(Quarantined, Care)>, SpoolError> {
    let mut notes: BTreeMap<(u64, u64), Care> = BTreeMap::new();
    let mut found: BTreeMap<(u64, u64), Quarantined> = BTreeMap::new();
    let mut take = |block: &Block| {
        if let Some(facts) = block.quarantine() {
            let place = place_of(block);
            let listed = Quarantined {
                place,
                at: block.header.ingest_time,
                len: block.payload.len() as u64,
                reason: facts.reason,
                origin: facts.origin,
                recovered: 0,
            };
            found.insert((place.segment, place.offset), listed);
        }
    };
    // Carried ones last: what is carried while the log is read is seen at one of the two.
    let kinds = Kinds::only(Kind::Quarantine).and(Kinds::only(Kind::Note));
    let spool = walk(Arc::clone(&storage), kinds, |block| {
        take(block);
        if let Some((place, care)) = block.note().as_deref().and_then(parse_note) {
            notes.entry((place.segment, place.offset)).or_default().add(care);
        }
    })?;
    quarantine::carried(&*storage, spool, take)?;
    let cared = found.into_iter().map(|(place, block)| {
        let care = notes.get(&place).copied().unwrap_or_default();
        let recovered = care.recovered;
        (Quarantined { recovered, ..block }, care)
    });
    Ok(cared.collect())
}

/// What the notes say of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Care {
    recovered: u64,
    discarded: bool,
}

impl Care {
    fn add(&mut self, other: Self) {
        self.recovered = self.recovered.saturating_add(other.recovered);
        self.discarded |= other.discarded;
    }
}

fn walk(
    storage: Arc<dyn Storage>,
    kinds: Kinds,
    mut each: impl FnMut(&Block),
) -> Result<SpoolId, SpoolError> {
    let mut reader = Reader::open(storage)?.with_kinds(kinds);
    loop {
        match reader.next()? {
            ReadStep::Block(block) => each(&block),
            ReadStep::Damaged { .. } | ReadStep::Trimmed { .. } => {}
            ReadStep::AtHead => return Ok(reader.spool_id()),
        }
    }
}

fn place_of(block: &Block) -> BlockPlace {
    BlockPlace {
        segment: block.position.segment,
        offset: block.position.offset,
    }
}

/// The note that a retry leaves.
fn note_text(place: BlockPlace, records: u64) -> String {
    format!(
        "quarantine retried: segment {} offset {} records {records}",
        place.segment, place.offset
    )
}

/// The note that a discard leaves.
fn discard_text(block: &Quarantined) -> String {
    format!(
        "quarantine discarded: segment {} offset {} bytes {}",
        block.place.segment, block.place.offset, block.len
    )
}

fn parse_note(text: &str) -> Option<(BlockPlace, Care)> {
    let rest = text.strip_prefix("quarantine ")?;
    let (what, rest) = rest.split_once(": segment ")?;
    let (segment, rest) = rest.split_once(" offset ")?;
    let (offset, rest) = rest.split_once(' ')?;
    let place = BlockPlace {
        segment: segment.parse().ok()?,
        offset: offset.parse().ok()?,
    };
    let care = match what {
        "retried" => Care {
            recovered: rest.strip_prefix("records ")?.parse().ok()?,
            discarded: false,
        },
        "discarded" => Care {
            recovered: 0,
            discarded: true,
        },
        _ => return None,
    };
    Some((place, care))
}

fn is_wanted(which: &QuarantinedBlocks, place: BlockPlace) -> bool {
    match which {
        QuarantinedBlocks::All => true,
        QuarantinedBlocks::These(places) => places.contains(&place),
    }
}

fn unreadable(error: &SpoolError) -> Outcome {
    Outcome::Refused {
        message: format!("the spool cannot be read: {error}"),
    }
}

/// Gives `which` up and says how much that was.
pub(super) fn discard(intake: &mut Intake, which: &QuarantinedBlocks) -> Outcome {
    let surveyed = match survey(Arc::clone(intake.storage())) {
        Ok(surveyed) => surveyed,
        Err(error) => return unreadable(&error),
    };
    let (mut blocks, mut bytes) = (0_u64, 0_u64);
    let wanted = surveyed.iter().filter(|(block, _)| is_wanted(which, block.place));
    for (block, care) in wanted {
        if let Err(reason) = discard_one(intake, block, *care) {
            return Outcome::Refused {
                message: format!("{blocks} blocks of {bytes} bytes discarded; then: {reason}"),
            };
        }
        if care.discarded {
            continue;
        }
        blocks += 1;
        bytes = bytes.saturating_add(block.len);
    }
    intake.undecodable_seen();
    Outcome::Done {
        message: format!("{blocks} blocks of {bytes} bytes discarded"),
    }
}

fn discard_one(intake: &mut Intake, block: &Quarantined, care: Care) -> Result<(), String> {
    // With the note there already a crash came between it and the rest.
    if !care.discarded {
        intake
            .notice(&discard_text(block))
            .map_err(|error| error.to_string())?;
    }
    intake
        .settle_quarantined(block.place)
        .map_err(|error| error.to_string())
}

/// Tries `which` again and says what came of it.
pub(super) fn retry(intake: &mut Intake, which: &QuarantinedBlocks) -> Outcome {
    let listed = match list(Arc::clone(intake.storage())) {
        Ok(listed) => listed,
        Err(error) => return unreadable(&error),
    };
    let (mut tried, mut records, mut failed) = (0_u64, 0_u64, None);
    for block in listed.iter().filter(|block| is_wanted(which, block.place)) {
        if *which == QuarantinedBlocks::All && block.recovered > 0 {
            // A crash may have come between its note and this.
            if let Err(error) = intake.settle_quarantined(block.place) {
                failed = Some(error.to_string());
            }
            continue;
        }
        match retry_one(intake, block) {
            Ok(recovered) => records = records.saturating_add(recovered),
            Err(reason) => failed = Some(reason),
        }
        tried += 1;
    }
    intake.undecodable_seen();
    match failed {
        None => Outcome::Done {
            message: format!("{tried} blocks tried, {records} records recovered"),
        },
        Some(reason) => Outcome::Refused {
            message: format!("{tried} blocks tried, {records} records recovered; the last failure: {reason}"),
        },
    }
}

fn retry_one(intake: &mut Intake, listed: &Quarantined) -> Result<u64, String> {
    let block = find(intake.storage(), listed.place)
        .map_err(|error| error.to_string())?
        .ok_or("the block is no longer there")?;
    let source = block
        .quarantine()
        .and_then(|facts| facts.source)
        .ok_or("a newer version wrote it")?;
    let origin = format!("quarantine {}/{}", listed.place.segment, listed.place.offset);
    let recovered = intake
        .ingest_again(source, &block.payload, &origin, |records| {
            note_text(listed.place, records)
        })
        .map_err(|error| error.to_string())?;
    if recovered > 0 {
        intake
            .settle_quarantined(listed.place)
            .map_err(|error| error.to_string())?;
    }
    Ok(recovered)
}

/// The quarantine block at `place`, in the log or carried.
fn find(storage: &Arc<dyn Storage>, place: BlockPlace) -> Result<Option<Arc<Block>>, SpoolError> {
    let mut reader = Reader::open(Arc::clone(storage))?.with_kinds(Kinds::only(Kind::Quarantine));
    let position = Position {
        segment: place.segment,
        offset: place.offset,
    };
    if let Some(block) = quarantine::carried_at(&**storage, reader.spool_id(), position)? {
        return Ok(Some(Arc::new(block)));
    }
    loop {
        match reader.next()? {
            ReadStep::Block(block) if place_of(&block) == place => return Ok(Some(block)),
            ReadStep::AtHead => return Ok(None),
            ReadStep::Block(_) | ReadStep::Damaged { .. } | ReadStep::Trimmed { .. } => {}
        }
    }
}

/// Where to look for the next event behind damage at `from`.
pub(super) fn next_start(source: SourceFormat, bytes: &[u8], from: usize) -> Option<usize> {
    match source {
        SourceFormat::FluentBit => crate::record::resync(bytes, from),
        // Damage in lines ends with its line: ingest goes on by itself.
        SourceFormat::Ndjson => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_which_block_and_what_became_of_it() {
        let place = BlockPlace {
            segment: 3,
            offset: 4096,
        };
        let retried = Care {
            recovered: 17,
            discarded: false,
        };
        assert_eq!(parse_note(&note_text(place, 17)), Some((place, retried)));
        let block = Quarantined {
            place,
            at: Timestamp(0),
            len: 9,
            reason: String::new(),
            origin: String::new(),
            recovered: 0,
        };
        let discarded = Care {
            recovered: 0,
            discarded: true,
        };
        assert_eq!(parse_note(&discard_text(&block)), Some((place, discarded)));
        for other in [
            "the spool is damaged at segment 3 offset 1 records 2",
            "quarantine forgotten: segment 3 offset 1 records 2",
            "quarantine retried: segment 3 offset 1 bytes 2",
        ] {
            assert_eq!(parse_note(other), None, "{other}");
        }
    }
}
