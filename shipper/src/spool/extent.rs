//! Where a segment ends when the header that should say so, its successor's, is damaged or gone.
//!
//! Every block names the one before it by its hash, and so does every segment header. What comes next in the log, the
//! first header or block that can be read in any later segment, therefore tells which block was the last one that
//! counted, or at least which number it ended before. Blocks behind that are void: nobody acknowledged them, and the
//! records with their numbers are others, in later segments.
//!
//! Reads headers only, and only after damage. Any thread.

use super::error::SpoolError;
use super::identity::SpoolId;
use super::scan::{Found, Scan};
use super::segment::{self, Opened};
use super::storage::Storage;

/// What the log goes on with.
struct Sequel {
    /// Hash of the last block before it.
    chain: [u8; 32],
    /// The first number in it.
    first_seq: u64,
}

/// Where `opened`, which is segment `number` of the ascending `numbers` of `spool`, ends, by what later segments hold.
/// All of the file counts when nothing in them can be read.
pub(crate) fn of_segment(
    storage: &dyn Storage,
    numbers: &[(u64, u64)],
    number: u64,
    opened: &Opened,
    spool: SpoolId,
) -> Result<u64, SpoolError> {
    let len = size(number, opened)?;
    let Some(sequel) = sequel(storage, numbers, number, spool)? else {
        return Ok(len);
    };
    let mut scan = Scan::new(opened.file.clone(), number, spool, len);
    let mut offset = opened.start;
    while let Some(found) = next_block(&mut scan, offset)? {
        let header = &found.header;
        let takes_its_place = header.prev == sequel.chain;
        let has_its_numbers = header.end_seq() > sequel.first_seq;
        if takes_its_place || has_its_numbers {
            return Ok(found.offset);
        }
        offset = found.end();
        if found.hash == sequel.chain {
            return Ok(offset);
        }
    }
    Ok(len)
}

/// The first thing after segment `number` that can be read.
fn sequel(
    storage: &dyn Storage,
    numbers: &[(u64, u64)],
    number: u64,
    spool: SpoolId,
) -> Result<Option<Sequel>, SpoolError> {
    let after = numbers.partition_point(|(other, _)| *other <= number);
    for (later, _) in &numbers[after..] {
        let Some(opened) = segment::open(storage, *later, spool)? else {
            continue;
        };
        if let Ok(header) = opened.header {
            return Ok(Some(Sequel {
                chain: header.chain,
                first_seq: header.first_seq,
            }));
        }
        let len = size(*later, &opened)?;
        let mut scan = Scan::new(opened.file.clone(), *later, spool, len);
        if let Some(found) = next_block(&mut scan, opened.start)? {
            return Ok(Some(Sequel {
                chain: found.header.prev,
                first_seq: found.header.first_seq,
            }));
        }
    }
    Ok(None)
}

/// The first block at or behind `offset`.
fn next_block(scan: &mut Scan, offset: u64) -> Result<Option<Found>, SpoolError> {
    if offset >= scan.end() {
        return Ok(None);
    }
    match scan.header_at(offset)? {
        Ok(found) => Ok(Some(found)),
        Err(_) => scan.resync(offset + 1),
    }
}

fn size(number: u64, opened: &Opened) -> Result<u64, SpoolError> {
    opened
        .file
        .len()
        .map_err(|error| SpoolError::io("measure", &segment::path(number), &error))
}
