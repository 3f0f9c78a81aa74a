//! What could not be decoded: finding it in the log, and decoding it again.
//!
//! A quarantine block stays in the log for as long as its segment. A retry that gets records out of it leaves a note
//! block beside them, in the same sync, so that the block is not taken twice by a retry of all; one that is named is tried
//! whatever was tried before. Records with an event id are recognised when they come twice.
//!
//! A retry goes further than the first decoding: behind the damage it looks for the next place where an event seems to
//! begin. What stays undecodable stays in its block and is not counted again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::intake::Intake;
use crate::control::commands::{BlockPlace, Outcome, QuarantinedBlocks};
use crate::spool::draft::SourceFormat;
use crate::spool::format::Kind;
use crate::spool::storage::Storage;
use crate::spool::{Block, Kinds, ReadStep, Reader, SpoolError};
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

/// All quarantine blocks of the spool in `storage`, oldest first.
///
/// # Errors
/// Any [`SpoolError`]. Damaged parts of the log are passed over.
pub fn list(storage: Arc<dyn Storage>) -> Result<Vec<Quarantined>, SpoolError> {
    let mut recovered: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut found = Vec::new();
    let kinds = Kinds::only(Kind::Quarantine).and(Kinds::only(Kind::Note));
    walk(storage, kinds, |block| {
        if let Some(text) = block.note() {
            if let Some((place, records)) = parse_note(&text) {
                *recovered.entry((place.segment, place.offset)).or_default() += records;
            }
        } else if let Some(facts) = block.quarantine() {
            found.push(Quarantined {
                place: place_of(block),
                at: block.header.ingest_time,
                len: block.payload.len() as u64,
                reason: facts.reason,
                origin: facts.origin,
                recovered: 0,
            });
        }
    })?;
    for block in &mut found {
        block.recovered = recovered
            .get(&(block.place.segment, block.place.offset))
            .copied()
            .unwrap_or(0);
    }
    Ok(found)
}

fn walk(storage: Arc<dyn Storage>, kinds: Kinds, mut each: impl FnMut(&Block)) -> Result<(), SpoolError> {
    let mut reader = Reader::open(storage)?.with_kinds(kinds);
    loop {
        match reader.next()? {
            ReadStep::Block(block) => each(&block),
            ReadStep::Damaged { .. } | ReadStep::Trimmed { .. } => {}
            ReadStep::AtHead => return Ok(()),
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

fn parse_note(text: &str) -> Option<(BlockPlace, u64)> {
    let rest = text.strip_prefix("quarantine retried: segment ")?;
    let (segment, rest) = rest.split_once(" offset ")?;
    let (offset, records) = rest.split_once(" records ")?;
    let place = BlockPlace {
        segment: segment.parse().ok()?,
        offset: offset.parse().ok()?,
    };
    Some((place, records.parse().ok()?))
}

/// Tries `which` again and says what came of it.
pub(super) fn retry(intake: &mut Intake, which: &QuarantinedBlocks) -> Outcome {
    let listed = match list(Arc::clone(intake.storage())) {
        Ok(listed) => listed,
        Err(error) => {
            return Outcome::Refused {
                message: format!("the spool cannot be read: {error}"),
            };
        }
    };
    let wanted = |block: &&Quarantined| match which {
        QuarantinedBlocks::All => block.recovered == 0,
        QuarantinedBlocks::These(places) => places.contains(&block.place),
    };
    let (mut tried, mut records, mut failed) = (0_u64, 0_u64, None);
    for block in listed.iter().filter(wanted) {
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
    let mut reader = Reader::open(Arc::clone(intake.storage()))
        .map_err(|error| error.to_string())?
        .with_kinds(Kinds::only(Kind::Quarantine));
    let block = loop {
        match reader.next().map_err(|error| error.to_string())? {
            ReadStep::Block(block) if place_of(&block) == listed.place => break block,
            ReadStep::AtHead => return Err("the block is no longer there".to_owned()),
            ReadStep::Block(_) | ReadStep::Damaged { .. } | ReadStep::Trimmed { .. } => {}
        }
    };
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
    Ok(recovered)
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
    fn the_note_of_a_retry_says_which_block_and_how_many_records() {
        let place = BlockPlace {
            segment: 3,
            offset: 4096,
        };
        assert_eq!(parse_note(&note_text(place, 17)), Some((place, 17)));
        assert_eq!(
            parse_note("the spool is damaged at segment 3 offset 1 records 2"),
            None
        );
    }
}
