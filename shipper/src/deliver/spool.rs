//! [`Source`] over the spool's reader.
//!
//! Bytes that are there and wrong are damage, and counted. Bytes that the disk does not give (an I/O error) are not: the
//! error may pass, and what was passed over would be given up for good. So the lane says so, stays where it is, and asks
//! again; the others go on.

use std::sync::Arc;

use super::source::{Next, Source, SourceError};
use crate::destination::Record;
use crate::spool::cursor::{Disposition, Hint};
use crate::spool::storage::Storage;
use crate::spool::{Block, Kinds, Position, ReadStep, Reader, SpoolError};

/// The records of a spool. Holds one block.
pub struct SpoolSource {
    reader: Reader,
    /// The position.
    at: u64,
    current: Current,
    /// Where the block of the position was found; of the one before it until then.
    position: Position,
}

/// What the reader gave last.
enum Current {
    Nothing,
    Block(Arc<Block>),
    Lost { to: u64, how: Disposition },
}

impl SpoolSource {
    /// A source at the beginning of the spool in `storage`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self, SpoolError> {
        Ok(Self {
            reader: Reader::open(storage)?.with_kinds(Kinds::RECORDS),
            at: 0,
            current: Current::Nothing,
            position: Position::default(),
        })
    }

    /// Where what is current ends.
    fn end(&self) -> u64 {
        match &self.current {
            Current::Nothing => self.at,
            Current::Block(block) => block.header.first_seq + block.table.len() as u64,
            Current::Lost { to, .. } => *to,
        }
    }

    /// Reads until something is current that holds the position; whether there is.
    fn read(&mut self) -> Result<Found, SpoolError> {
        while self.end() <= self.at {
            // The block before goes first: one at a time is held.
            self.current = Current::Nothing;
            match self.reader.next()? {
                ReadStep::AtHead => return Ok(Found::End),
                ReadStep::Block(block) if block.header.first_seq > self.at => {
                    // The reader names every gap, so this is one of its own making; it must not pass in silence.
                    let to = block.header.first_seq;
                    self.reader.seek(to);
                    self.current = Current::Lost {
                        to,
                        how: Disposition::Damaged,
                    };
                }
                ReadStep::Block(block) => {
                    self.position = block.position;
                    self.current = Current::Block(block);
                }
                ReadStep::Damaged { first_seq, count, .. } => {
                    self.current = Current::Lost {
                        to: first_seq.saturating_add(count),
                        how: Disposition::Damaged,
                    };
                }
                ReadStep::Trimmed { available_from } => {
                    self.current = Current::Lost {
                        to: available_from,
                        how: Disposition::Dropped,
                    };
                }
            }
        }
        Ok(Found::Something)
    }
}

enum Found {
    Something,
    End,
}

impl Source for SpoolSource {
    fn seek(&mut self, seq: u64, hint: Hint) -> Result<(), SourceError> {
        self.at = seq;
        self.current = Current::Nothing;
        let position = Position {
            segment: hint.segment,
            offset: hint.offset,
        };
        self.position = position;
        self.reader.seek_from(seq, position).map_err(SourceError::new)
    }

    fn peek(&mut self) -> Result<Next<'_>, SourceError> {
        if let Found::End = self.read().map_err(SourceError::new)? {
            return Ok(Next::End);
        }
        match &self.current {
            Current::Nothing => Ok(Next::End),
            Current::Lost { to, how } => Ok(Next::Lost { to: *to, how: *how }),
            Current::Block(block) => match block.at_seq(self.at) {
                Some((entry, json)) => {
                    let record = Record {
                        id: block.id(self.at),
                        entry,
                        json,
                    };
                    Ok(Next::Record(record, block.header.ingest_time))
                }
                None => Err(SourceError::new(
                    "a block does not hold the record that its header promises",
                )),
            },
        }
    }

    fn advance(&mut self) {
        self.at = match &self.current {
            Current::Nothing => self.at,
            Current::Block(_) => self.at.saturating_add(1),
            Current::Lost { to, .. } => *to,
        };
    }

    fn hint(&self) -> Hint {
        Hint {
            segment: self.position.segment,
            offset: self.position.offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;
    use crate::spool::draft::{Draft, TableEntry};
    use crate::spool::identity::Key;
    use crate::spool::storage::Access;
    use crate::spool::storage::sim::SimStorage;
    use crate::spool::{Writer, WriterOptions};
    use crate::time::{ManualClock, Timestamp};

    /// A spool of blocks with so many records each.
    fn spool(blocks: &[usize]) -> (SimStorage, Vec<Position>) {
        let disk = SimStorage::new();
        let options = WriterOptions::new("a-test", b"machine");
        let clock = Arc::new(ManualClock::at(Timestamp(1)));
        let random = Arc::new(SeededRandom::new(3));
        let (mut writer, _) = Writer::open(Arc::new(disk.clone()), options, clock, random).unwrap();
        for count in blocks {
            let mut draft = Draft::default();
            for _ in 0..*count {
                let mut id = writer.next();
                id.seq += draft.table.len() as u64;
                let line = format!("{{\"n\":{}}}\n", id.seq);
                draft.payload.extend_from_slice(line.as_bytes());
                draft.contents.push(*blake3::hash(line.as_bytes()).as_bytes());
                draft.table.push(TableEntry {
                    len: u32::try_from(line.len()).unwrap(),
                    added: 0,
                    flags: 0,
                    time: Timestamp(5),
                    key: Key::of_position(&id),
                    categories: 0,
                    id_hash: 0,
                });
            }
            draft.tally.received = *count as u64;
            draft.tally.spooled = *count as u64;
            writer.append(&draft, Timestamp(9)).unwrap();
            writer.sync().unwrap();
        }
        let mut reader = Reader::open(Arc::new(disk.clone()))
            .unwrap()
            .with_kinds(Kinds::RECORDS);
        let mut positions = Vec::new();
        while let ReadStep::Block(block) = reader.next().unwrap() {
            positions.push(block.position);
        }
        assert_eq!(positions.len(), blocks.len());
        (disk, positions)
    }

    /// Everything from the position on: numbers of records, and ends of losses.
    fn rest(source: &mut SpoolSource) -> Vec<Result<u64, u64>> {
        let mut found = Vec::new();
        loop {
            match source.peek().unwrap() {
                Next::End => return found,
                Next::Lost { to, .. } => found.push(Err(to)),
                Next::Record(record, ingested) => {
                    assert_eq!(record.json, format!("{{\"n\":{}}}", record.id.seq).as_bytes());
                    assert_eq!(ingested, Timestamp(9));
                    found.push(Ok(record.id.seq));
                }
            }
            source.advance();
        }
    }

    #[test]
    fn every_record_is_given_from_any_place_with_any_hint() {
        let (disk, positions) = spool(&[3, 1, 4]);
        let mut source = SpoolSource::open(Arc::new(disk)).unwrap();
        assert_eq!(rest(&mut source), (0..8).map(Ok).collect::<Vec<_>>());
        for seq in 0..=8 {
            for position in positions.iter().copied().chain([Position {
                segment: 9,
                offset: 77,
            }]) {
                let hint = Hint {
                    segment: position.segment,
                    offset: position.offset,
                };
                source.seek(seq, hint).unwrap();
                assert_eq!(
                    rest(&mut source),
                    (seq..8).map(Ok).collect::<Vec<_>>(),
                    "{seq} {hint:?}"
                );
            }
        }
    }

    #[test]
    fn a_damaged_block_is_a_loss_from_any_place_in_it() {
        let (disk, positions) = spool(&[3, 4, 2]);
        let segment = format!("segments/{:016x}.seg", positions[1].segment);
        let file = disk.open(&segment, Access::ReadWrite).unwrap();
        let last = positions[2].offset - 1;
        let mut byte = [0];
        file.read_at(last, &mut byte).unwrap();
        file.write_at(last, &[byte[0] ^ 0x40]).unwrap();
        let mut source = SpoolSource::open(Arc::new(disk)).unwrap();
        assert_eq!(rest(&mut source), [Ok(0), Ok(1), Ok(2), Err(7), Ok(7), Ok(8)]);
        for seq in 3..7 {
            source.seek(seq, Hint::default()).unwrap();
            assert_eq!(rest(&mut source), [Err(7), Ok(7), Ok(8)], "{seq}");
        }
    }

    #[test]
    fn the_hint_finds_the_block_of_the_position() {
        let (disk, positions) = spool(&[3, 4]);
        let mut source = SpoolSource::open(Arc::new(disk)).unwrap();
        source.seek(5, Hint::default()).unwrap();
        source.peek().unwrap();
        let hint = Hint {
            segment: positions[1].segment,
            offset: positions[1].offset,
        };
        assert_eq!(source.hint(), hint);
    }
}
