//! Reading the log: blocks in order up to the head, damage and gaps named.
//!
//! # In scope
//! Any number of readers, on any thread of any process, without a lock. Each holds one segment open and one block.
//!
//! # Out of scope
//! What is done with a record; which records are delivered. Whether the chain holds: [`crate::seal`].
//!
//! # Invariants
//! 1. No byte at or after the published head is looked at, so nothing is given out that could become void.
//! 2. Every number from the place sought up to the head is given out exactly once: in a block, as
//!    [`ReadStep::Damaged`], or as [`ReadStep::Trimmed`].
//! 3. A length is checked against the format's limits and the file before anything is allocated for it.
//! 4. After an error the reader stands where it stood; the same call may be made again.
//!
//! A segment that is removed while it is being read stays readable through the open file; the next one is then found by
//! what is left.

mod place;

use std::sync::Arc;

use self::place::Leave;
use super::block::{Block, Position};
use super::error::SpoolError;
use super::format::Kind;
use super::head::{Head, HeadView};
use super::identity::SpoolId;
use super::meta;
use super::scan::{Found, Scan};
use super::segment;
use super::storage::Storage;

/// One step through the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a reader must treat all of them")]
pub enum ReadStep {
    /// A block. After a seek the first one may begin before the number sought.
    Block(Arc<Block>),
    /// Records that were acknowledged and cannot be read. The reader has gone past them.
    Damaged {
        /// The first number lost.
        first_seq: u64,
        /// How many; 0 when what was damaged held no record.
        count: u64,
        /// Where the damage begins.
        position: Position,
        /// What is wrong, for a person.
        reason: String,
    },
    /// Records that were removed to make room before this reader had them. The reader has gone past them.
    Trimmed {
        /// The first number that is still there.
        available_from: u64,
    },
    /// Everything that is published has been read. Ask again later.
    AtHead,
}

/// Which kinds of block a reader gives out; it passes over the others without reading their payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Records only.
    pub const RECORDS: Self = Self(1 << 1);
    /// Everything but index blocks.
    pub const CONTENT: Self = Self(0b0011_1110);
    /// Everything.
    pub const ALL: Self = Self(0b0111_1110);

    /// Only `kind`.
    pub fn only(kind: Kind) -> Self {
        Self(Self::bit(kind))
    }

    /// These and `others`.
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    fn bit(kind: Kind) -> u8 {
        match kind {
            Kind::Records => 1 << 1,
            Kind::Quarantine => 1 << 2,
            Kind::Accounting => 1 << 3,
            Kind::Note => 1 << 4,
            Kind::Checkpoint => 1 << 5,
            Kind::Index => 1 << 6,
        }
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & Self::bit(kind) != 0
    }
}

/// A place in the log that moves forward.
pub struct Reader {
    storage: Arc<dyn Storage>,
    spool: SpoolId,
    kinds: Kinds,
    head_view: HeadView,
    head: Option<Head>,
    /// The first number that has not been given out.
    next_seq: u64,
    /// Where reading goes on; none until the segment of `next_seq` is known.
    at: Option<At>,
    /// Whether records before `next_seq` may be met: after a seek, until its block is found.
    seeking: bool,
    /// Damage that has been passed; what it cost is known when the next number is.
    damage: Option<(Position, String)>,
}

struct At {
    scan: Scan,
    offset: u64,
}

impl At {
    fn position(&self) -> Position {
        Position {
            segment: self.scan.number(),
            offset: self.offset,
        }
    }
}

impl Reader {
    /// A reader at the beginning of the spool in `storage`, which gives out [`Kinds::CONTENT`].
    ///
    /// # Errors
    /// [`SpoolError::NotASpool`], [`SpoolError::NewerVersion`], or that it cannot be read.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self, SpoolError> {
        let spool = meta::identify(&*storage)?;
        Ok(Self {
            storage,
            spool,
            kinds: Kinds::CONTENT,
            head_view: HeadView::new(),
            head: None,
            next_seq: 0,
            at: None,
            seeking: true,
            damage: None,
        })
    }

    /// The same reader, giving out `kinds` only.
    #[must_use]
    pub fn with_kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// The spool's identity.
    pub fn spool_id(&self) -> SpoolId {
        self.spool
    }

    /// The first number that has not been given out.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Goes to the record `seq`: the next block is the one that holds it. A number beyond the head is waited for.
    pub fn seek(&mut self, seq: u64) {
        self.next_seq = seq;
        self.at = None;
        self.seeking = true;
        self.damage = None;
    }

    /// As [`Reader::seek`], without a search when `hint` is where a block of that number or an earlier one begins. A
    /// wrong hint does no harm.
    ///
    /// # Errors
    /// As for [`Reader::next`].
    pub fn seek_from(&mut self, seq: u64, hint: Position) -> Result<(), SpoolError> {
        self.seek(seq);
        let Some(opened) = segment::open(&*self.storage, hint.segment, self.spool)? else {
            return Ok(());
        };
        let Some(head) = self.refresh()? else {
            return Ok(());
        };
        let starts_before = opened.header.is_ok_and(|header| header.first_seq <= seq);
        if !starts_before || hint.offset < opened.start || hint >= head.position() {
            return Ok(());
        }
        let Some(mut at) = self.enter(hint.segment, &head)? else {
            return Ok(());
        };
        if let Ok(found) = at.scan.header_at(hint.offset)?
            && found.header.first_seq <= seq
        {
            at.offset = hint.offset;
            self.at = Some(at);
        }
        Ok(())
    }

    /// The published head, read again.
    ///
    /// # Errors
    /// That it cannot be read.
    pub fn head(&mut self) -> Result<Option<Head>, SpoolError> {
        self.refresh()
    }

    /// The next step.
    ///
    /// # Errors
    /// That something cannot be read, or was written by a newer version. The reader stands where it stood.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends; a log does not")]
    pub fn next(&mut self) -> Result<ReadStep, SpoolError> {
        loop {
            if let Some(step) = self.advance()? {
                return Ok(step);
            }
        }
    }

    fn refresh(&mut self) -> Result<Option<Head>, SpoolError> {
        if let Some(head) = self.head_view.read(&*self.storage, self.spool)? {
            self.head = Some(head);
        }
        Ok(self.head)
    }

    /// One move: a step to give out, or none when only the place has changed.
    fn advance(&mut self) -> Result<Option<ReadStep>, SpoolError> {
        let Some(mut at) = self.at.take() else {
            return self.locate();
        };
        let step = if at.offset < at.scan.end() {
            self.step(&mut at)
        } else {
            match self.turn(&mut at) {
                Ok(Turn::Step(step)) => Ok(Some(step)),
                Ok(Turn::Onward) => Ok(None),
                Ok(Turn::Place(place)) => {
                    self.at = place;
                    return Ok(None);
                }
                Err(error) => Err(error),
            }
        };
        self.at = Some(at);
        step
    }

    /// Decides at the end of what was known of the segment.
    fn turn(&mut self, at: &mut At) -> Result<Turn, SpoolError> {
        let Some(head) = self.refresh()? else {
            return Ok(Turn::Step(ReadStep::AtHead));
        };
        Ok(match self.leave(at, &head)? {
            Leave::Longer(end) => {
                at.scan.set_end(end);
                Turn::Onward
            }
            Leave::Go(number) => Turn::Place(self.enter(number, &head)?),
            Leave::Lost => {
                self.seeking = true;
                Turn::Place(None)
            }
            // Numbers below the head's that were in no block are not coming any more.
            Leave::Stay if self.damage.is_some() || self.next_seq < head.next_seq => {
                Turn::Step(self.lose(head.next_seq, at.position(), MISSING))
            }
            Leave::Stay => Turn::Step(ReadStep::AtHead),
        })
    }

    /// Reads at `at`, which is before its end.
    fn step(&mut self, at: &mut At) -> Result<Option<ReadStep>, SpoolError> {
        let position = at.position();
        let found = match at.scan.header_at(at.offset)? {
            Ok(found) => found,
            Err(flaw) => {
                let next = at.scan.resync(at.offset + 1)?;
                self.damage.get_or_insert((position, flaw.to_string()));
                at.offset = next.map_or(at.scan.end(), |found| found.offset);
                return Ok(None);
            }
        };
        let (first, end) = (found.header.first_seq, found.header.end_seq());
        let has_records = found.header.count > 0;
        if self.seeking && (end < self.next_seq || has_records && end == self.next_seq) {
            // Nothing in or before this block was asked for, and no damage before it cost anything that was.
            self.damage = None;
            at.offset = found.end();
            return Ok(None);
        }
        if self.seeking && first <= self.next_seq {
            // The block that was sought: what was damaged before it held nothing that was asked for.
            self.damage = None;
        }
        if self.damage.is_some() || first > self.next_seq {
            return Ok(Some(self.lose(first, position, MISSING)));
        }
        if !self.seeking && has_records && first < self.next_seq {
            at.offset = found.end();
            return Ok(Some(self.lose(
                self.next_seq,
                position,
                "a block repeats earlier numbers",
            )));
        }
        if !self.kinds.has(found.header.kind) {
            self.pass(at, &found);
            return Ok(None);
        }
        match at.scan.block(&found)? {
            Ok(block) => {
                self.pass(at, &found);
                Ok(Some(ReadStep::Block(Arc::new(block))))
            }
            Err(flaw) => {
                at.offset = found.end();
                Ok(Some(self.lose(end, position, &flaw.to_string())))
            }
        }
    }

    /// Goes past a block.
    fn pass(&mut self, at: &mut At, found: &Found) {
        if found.header.count > 0 {
            self.next_seq = self.next_seq.max(found.header.end_seq());
            self.seeking = false;
        }
        at.offset = found.end();
    }

    /// Names the numbers from the next one up to `end` as lost, through earlier damage or for `reason`.
    fn lose(&mut self, end: u64, position: Position, reason: &str) -> ReadStep {
        let first_seq = self.next_seq;
        let (position, reason) = self
            .damage
            .take()
            .unwrap_or_else(|| (position, reason.to_owned()));
        self.next_seq = end.max(first_seq);
        self.seeking = false;
        ReadStep::Damaged {
            first_seq,
            count: self.next_seq - first_seq,
            position,
            reason,
        }
    }
}

/// What [`Reader::turn`] decided.
enum Turn {
    Step(ReadStep),
    Onward,
    Place(Option<At>),
}

const MISSING: &str = "these numbers are in no block";
