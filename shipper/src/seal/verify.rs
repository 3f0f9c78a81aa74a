//! The offline verifier: recomputes everything that the chain promises, over the blocks of a spool.
//!
//! # In scope
//! For each block up to the published head: the leaves from payload and salt, the root, the link to the block before it,
//! the numbering, the sums; for each segment, that its header says what the blocks before it gave; at the end, that the
//! head does.
//!
//! # Out of scope
//! Repair. Records before the oldest segment that is left.
//!
//! # Invariants
//! 1. Nothing is written and no lock is taken, so it may run beside a writer; it stops at the head it meets at the end.
//! 2. Memory is one block, one leaf hash for each of its records, and at most [`MAX_BREAKS`] breaks; the others are
//!    counted.
//! 3. A break never hides the next: after one, the walk goes on from what the block at hand says of itself.
//!
//! Any thread; reads only.

use std::fmt;
use std::sync::Arc;

use super::{Hash, leaf, merkle_root};
use crate::spool::count::Tally;
use crate::spool::draft::TableEntry;
use crate::spool::format::{Kind, SegmentHeader};
use crate::spool::identity::{ContentHash, Key, SpoolId};
use crate::spool::storage::Storage;
use crate::spool::{Block, Head, Kinds, Position, ReadStep, Reader, SpoolError, segment};

/// How many breaks are described.
pub const MAX_BREAKS: usize = 1_000;

/// What a walk over a spool found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The spool.
    pub spool: SpoolId,
    /// The first number that was still there.
    pub from_seq: u64,
    /// The number after the last record that the head covers.
    pub to_seq: u64,
    /// Blocks that were read, whatever is wrong with them.
    pub blocks: u64,
    /// Records whose content was hashed.
    pub records: u64,
    /// Blocks whose salt was erased: the root of each stands, and nothing can be compared with it.
    pub unsalted: u64,
    /// The chain's value at the end: what to compare with a copy that was kept elsewhere.
    pub chain: Hash,
    /// What does not agree: the first [`MAX_BREAKS`].
    pub breaks: Vec<Break>,
    /// How many further breaks there are.
    pub more_breaks: u64,
}

impl Verification {
    /// What no verification of a spool by itself can see, for a person.
    pub const BLIND: [&'static str; 4] = [
        "no signed checkpoint is checked: who can write the directory can compute a whole new chain, or put back an older \
         copy of all of it; compare the chain value with one that was kept elsewhere",
        "the blocks after the head are not published and not looked at",
        "records removed by retention are covered only as far as the first remaining segment names the chain before it",
        "of a record table only what the content, the numbering and the key of records without an id depend on is bound \
         to the chain: event times, categories and flags of a record have a checksum and no more",
    ];

    /// Whether everything that could be checked agrees.
    pub fn is_whole(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// One thing that does not agree, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Break {
    /// The block (or, for a segment, its beginning; for the head, its position) that does not agree.
    pub position: Position,
    /// The number of the first record concerned.
    pub seq: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The bytes cannot be read as what they were.
    Damaged {
        /// How many records are lost.
        count: u64,
        /// Why, for a person.
        reason: String,
    },
    /// The block does not name the one before it: something was removed, put in, or put elsewhere.
    Chain,
    /// The records, or the other content, are not those that the header's root was made of.
    Root,
    /// The record's table entry contradicts its line.
    Entry,
    /// The key of a record without an id is not the one that follows from its place.
    Key,
    /// The block's first number is not the one after the block before it.
    Sequence {
        /// The number that was to come.
        expected: u64,
    },
    /// The block's own counts do not balance, or do not fit its records.
    Tally,
    /// The segment's header says something else of the chain, the sums or the numbers before it than the blocks do.
    Segment,
    /// The published head says something else of the chain, the sums or the numbers than the blocks do, or there is none.
    Head,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { segment, offset } = self.position;
        write!(f, "segment {segment:016x} offset {offset} record {}: ", self.seq)?;
        match &self.flaw {
            Flaw::Damaged { count, reason } => write!(f, "{count} records cannot be read: {reason}"),
            Flaw::Chain => f.write_str("the block does not follow the one before it in the chain"),
            Flaw::Root => f.write_str("the content is not what was sealed"),
            Flaw::Entry => f.write_str("the record table contradicts the record"),
            Flaw::Key => f.write_str("the record's key is not the one of its place"),
            Flaw::Sequence { expected } => write!(f, "record {expected} was to come"),
            Flaw::Tally => f.write_str("the block's counts do not balance"),
            Flaw::Segment => f.write_str("the segment's header contradicts the blocks before it"),
            Flaw::Head => f.write_str("the published head contradicts the blocks"),
        }
    }
}

/// Walks over all of the spool in `storage`.
///
/// # Errors
/// That there is no spool, that a newer version wrote it, or that something cannot be read (a failing disk, not
/// damaged bytes: those are breaks).
pub fn verify(storage: Arc<dyn Storage>) -> Result<Verification, SpoolError> {
    let mut reader = Reader::open(Arc::clone(&storage))?.with_kinds(Kinds::ALL);
    let mut walk = Walk::new(storage, reader.spool_id());
    loop {
        match reader.next()? {
            ReadStep::Block(block) => walk.block(&block)?,
            ReadStep::Damaged {
                first_seq,
                count,
                position,
                reason,
            } => walk.damaged(first_seq, count, position, reason)?,
            ReadStep::Trimmed { available_from } => walk.trimmed(available_from),
            ReadStep::AtHead => break,
        }
    }
    walk.end(reader.head()?)?;
    Ok(walk.found)
}

/// What everything up to some block amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sums {
    chain: Hash,
    next_seq: u64,
    totals: Tally,
}

impl Sums {
    fn of_segment(header: &SegmentHeader) -> Self {
        Self {
            chain: header.chain,
            next_seq: header.first_seq,
            totals: header.totals,
        }
    }

    fn of_head(head: &Head) -> Self {
        Self {
            chain: head.chain,
            next_seq: head.next_seq,
            totals: head.totals,
        }
    }
}

struct Walk {
    storage: Arc<dyn Storage>,
    found: Verification,
    segment: Option<u64>,
    /// None after damage, until a segment's header tells again.
    sums: Option<Sums>,
    /// The block before, as far as it is known.
    chain: Option<Hash>,
    next_seq: u64,
}

impl Walk {
    fn new(storage: Arc<dyn Storage>, spool: SpoolId) -> Self {
        let start = Sums {
            chain: [0; 32],
            next_seq: 0,
            totals: Tally::default(),
        };
        Self {
            storage,
            found: Verification {
                spool,
                from_seq: 0,
                to_seq: 0,
                blocks: 0,
                records: 0,
                unsalted: 0,
                chain: start.chain,
                breaks: Vec::new(),
                more_breaks: 0,
            },
            segment: None,
            sums: Some(start),
            chain: Some(start.chain),
            next_seq: 0,
        }
    }

    fn broken(&mut self, position: Position, seq: u64, flaw: Flaw) {
        if self.found.breaks.len() < MAX_BREAKS {
            self.found.breaks.push(Break { position, seq, flaw });
        } else {
            self.found.more_breaks += 1;
        }
    }

    /// Everything before `available_from` was removed; the segment that begins there tells what it was.
    fn trimmed(&mut self, available_from: u64) {
        self.found.from_seq = available_from;
        self.next_seq = available_from;
        self.sums = None;
        self.chain = None;
    }

    fn damaged(
        &mut self,
        first_seq: u64,
        count: u64,
        position: Position,
        reason: String,
    ) -> Result<(), SpoolError> {
        self.enter(position.segment)?;
        self.broken(position, first_seq, Flaw::Damaged { count, reason });
        self.next_seq = first_seq.saturating_add(count);
        self.sums = None;
        self.chain = None;
        Ok(())
    }

    /// Compares a new segment's header with the blocks before it, or learns from it what they were.
    fn enter(&mut self, number: u64) -> Result<(), SpoolError> {
        if self.segment == Some(number) {
            return Ok(());
        }
        self.segment = Some(number);
        let opened = segment::open(&*self.storage, number, self.found.spool)?;
        // Damage to the header is reported by the reader.
        let Some(Ok(header)) = opened.map(|opened| opened.header) else {
            return Ok(());
        };
        let said = Sums::of_segment(&header);
        if self.sums.is_some_and(|sums| sums != said) {
            let position = Position {
                segment: number,
                offset: 0,
            };
            self.broken(position, said.next_seq, Flaw::Segment);
        }
        self.sums = Some(said);
        self.chain = Some(said.chain);
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<(), SpoolError> {
        self.enter(block.position.segment)?;
        let header = &block.header;
        let (position, seq) = (block.position, header.first_seq);
        if self.chain.is_some_and(|chain| chain != header.prev) {
            self.broken(position, seq, Flaw::Chain);
        }
        if seq != self.next_seq {
            let expected = self.next_seq;
            self.broken(position, seq, Flaw::Sequence { expected });
        }
        let fits = header.tally.balances() && header.tally.spooled == u64::from(header.count);
        if !fits {
            self.broken(position, seq, Flaw::Tally);
        }
        self.root(block);
        self.found.blocks += 1;
        self.chain = Some(block.hash);
        self.next_seq = header.end_seq();
        if let Some(sums) = &mut self.sums {
            sums.chain = block.hash;
            sums.next_seq = header.end_seq();
            sums.totals.add(&header.tally);
        }
        Ok(())
    }

    /// Compares the header's root with what the block holds.
    fn root(&mut self, block: &Block) {
        let contents = match block.header.kind {
            Kind::Records => match self.records(block) {
                Some(contents) => contents,
                None => return,
            },
            Kind::Accounting => Vec::new(),
            Kind::Quarantine | Kind::Note | Kind::Checkpoint | Kind::Index => {
                vec![*blake3::hash(&block.payload).as_bytes()]
            }
        };
        if block.salt.is_none() && !contents.is_empty() {
            self.found.unsalted += 1;
            return;
        }
        let salt = block.salt.unwrap_or_default();
        let leaves = contents.iter().map(|content| leaf(&salt, content));
        if merkle_root(leaves) != block.header.root {
            self.broken(block.position, block.header.first_seq, Flaw::Root);
        }
    }

    /// The contents of a block's records; none when the table does not fit them, which is a break already.
    fn records(&mut self, block: &Block) -> Option<Vec<ContentHash>> {
        let mut contents = Vec::with_capacity(block.table.len());
        for (seq, entry, json) in block.records() {
            match content(entry, json) {
                Some(content) => contents.push(content),
                None => self.broken(block.position, seq, Flaw::Entry),
            }
            let has_id = entry.flags & TableEntry::HAS_ID != 0;
            if !has_id && entry.key != Key::of_position(&block.id(seq)) {
                self.broken(block.position, seq, Flaw::Key);
            }
        }
        self.found.records += contents.len() as u64;
        (contents.len() == block.table.len()).then_some(contents)
    }

    fn end(&mut self, head: Option<Head>) -> Result<(), SpoolError> {
        self.found.chain = self.chain.unwrap_or_default();
        self.found.to_seq = self.next_seq;
        match head {
            Some(head) if self.sums.is_some_and(|sums| sums != Sums::of_head(&head)) => {
                self.broken(head.position(), head.next_seq, Flaw::Head);
            }
            Some(_) => {}
            // Without a head nothing is read; a spool that never had one has no segments either.
            None => {
                let listing = segment::Listing::read(&*self.storage)?;
                if let Some((number, _)) = listing.segments.first() {
                    let position = Position {
                        segment: *number,
                        offset: 0,
                    };
                    self.broken(position, 0, Flaw::Head);
                }
            }
        }
        Ok(())
    }
}

/// The hash of a record's own JSON: its line without the bytes that we added before the last brace.
fn content(entry: &TableEntry, json: &[u8]) -> Option<ContentHash> {
    let (brace, rest) = json.split_last()?;
    let own = rest.len().checked_sub(usize::from(entry.added))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&rest[..own]).update(&[*brace]);
    Some(*hasher.finalize().as_bytes())
}
