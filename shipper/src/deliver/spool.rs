//! [`Source`] over the spool's reader.

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
