//! What a destination's cursor says, and the rules that every committed state obeys. Pure.

use std::ops::Range;

use super::counts::Counts;
use super::settled::{Disposition, Settled};
use crate::destination::{Attempt, BodyDigest, Fingerprint};
use crate::spool::identity::Epoch;
use crate::time::Timestamp;

/// One destination's position, and everything that a restart needs to go on as if there had been none.
///
/// The rules, which [`State::check`] holds and every commit is refused without:
/// 1. Every number below `committed` is counted in [`Counts`] exactly once: its inside counts sum up to `committed`.
/// 2. The entries follow `committed` and each other without a gap; there are at most [`State::MAX_ENTRIES`].
/// 3. A journalled attempt lies inside its entry. Its body is the records of its range that are pending: a record of it
///    is settled only by a state in which the attempt is gone or another.
/// 4. Texts and lists are inside their limits, so that every state fits into its slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct State {
    /// How many commits this cursor has seen. [`super::Cursor::commit`] sets it.
    pub generation: u64,
    /// The first sequence number that is not settled, entries aside: everything below it is counted.
    pub committed: u64,
    /// Where the record `committed` was last seen. Only a hint: a reader that does not find it there seeks.
    pub at: Hint,
    /// What became of the records below `committed`, and what happened beside the order of the spool.
    pub counts: Counts,
    /// Batches on their way, oldest first.
    pub entries: Vec<Entry>,
    /// Why the destination is held, over restarts.
    pub hold: Option<Hold>,
    /// The generation of the desired state that was applied last; 0 for none.
    pub desired: u64,
    /// The nonce of the command that was applied last to this cursor, so that none is applied twice; 0 for none.
    pub command: u64,
    /// Up to which count of copies of the spool a person has let this destination send: see
    /// [`crate::spool::Provenance::copies`].
    pub copy: u64,
    /// A replay on its way.
    pub replay: Option<Replay>,
    /// Dead letters on their way again.
    pub retry: Option<DeadLetterRetry>,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain numbers")]
pub struct Hint {
    /// Number of the segment.
    pub segment: u64,
    /// Byte offset in it.
    pub offset: u64,
}

/// A batch: a run of records, what became of each, and the sending that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct Entry {
    /// Sequence number of the first record.
    pub first: u64,
    /// What became of each record; its length is the entry's.
    pub settled: Settled,
    /// When the entry was made.
    pub made_at: Timestamp,
    /// The journalled sending, if one is on its way.
    pub attempt: Option<JournalledAttempt>,
    /// Whether any record of this entry was stored: only then may a batch-level refusal dead-letter another.
    pub stored_any: bool,
}

/// A sending, as it was written down before it first went out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct JournalledAttempt {
    /// Which records of the entry, by their place in it: those of them that are pending.
    pub range: Range<u32>,
    /// Nonce, name (at most [`JournalledAttempt::MAX_NAME`] bytes), format, compression, earlier sendings.
    pub sending: Attempt,
    /// SHA-256 of the uncompressed body.
    pub digest: BodyDigest,
    /// The destination it was made for.
    pub fingerprint: Fingerprint,
    /// What is known of it.
    pub state: AttemptState,
}

/// What is known of a journalled sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "this is the format; deliver must treat all of them"
)]
pub enum AttemptState {
    /// It is being sent, is about to be, or got no clear answer: it may be stored.
    Open,
    /// The last answer was clear: nothing of it is stored.
    NotStored,
    /// Its name is taken by something that is not ours: what the name answers proves nothing.
    Conflict,
}

/// Why a destination does not send although it should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct Hold {
    /// What is wrong.
    pub kind: HoldKind,
    /// For a person, with what to do; at most [`Hold::MAX_REASON`] bytes: see [`Hold::new`].
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// The destination as it was then: what another one has said does not hold this one.
    pub target: Fingerprint,
}

/// What holds a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "this is the format; deliver must treat all of them"
)]
pub enum HoldKind {
    /// Who we are or what we may do.
    Auth,
    /// The destination's configuration, here or there.
    Config,
    /// More records were rejected than the configuration allows to give up; a person's resume allows it.
    Rate,
    /// The name of a batch is taken by something else.
    Conflict,
    /// As [`HoldKind::Rate`], where another sending may leave copies: of records that were taken and are not kept, or of those
    /// beside the rejected ones. They are sent again only when a person says so.
    NotKept,
    /// Records were refused one by one, and nothing of their batch was stored: the destination, or each of them. A person's
    /// resume says that it is they.
    Refused,
    /// A batch was taken and nobody says that it is stored. It may be: so it is sent again only when a person says so.
    Unacknowledged,
}

impl HoldKind {
    /// Whether only a person ends it: asking again could store something once more.
    pub fn waits_for_a_person(self) -> bool {
        match self {
            Self::NotKept | Self::Unacknowledged => true,
            Self::Auth | Self::Config | Self::Rate | Self::Refused | Self::Conflict => false,
        }
    }
}

/// Records that are sent again on request. They are counted outside the equation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct Replay {
    /// The first sequence number to send again.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
    /// The first that is not settled, the entry aside.
    pub at: u64,
    /// The batch on its way; begins at `at`.
    pub entry: Option<Entry>,
}

/// Dead letters that are sent again on request. They are counted outside the equation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made and taken apart by deliver")]
pub struct DeadLetterRetry {
    /// Which, at most [`DeadLetterRetry::MAX_RECORDS`], in the order in which they are sent.
    pub records: Vec<(Epoch, u64)>,
    /// The batch: its places are those of `records`, its `first` is 0.
    pub batch: Entry,
}

impl JournalledAttempt {
    /// Bytes of the longest name: an S3 key's.
    pub const MAX_NAME: usize = 1024;
}

impl Hold {
    /// Bytes of the longest reason.
    pub const MAX_REASON: usize = 1024;

    /// A hold; a reason that is too long is cut.
    pub fn new(kind: HoldKind, reason: &str, since: Timestamp, target: Fingerprint) -> Self {
        let reason = reason[..reason.floor_char_boundary(Self::MAX_REASON)].to_owned();
        Self {
            kind,
            reason,
            since,
            target,
        }
    }
}

impl DeadLetterRetry {
    /// The most dead letters in one batch.
    pub const MAX_RECORDS: usize = 64;
}

impl Entry {
    /// An entry of `count` pending records (at most [`Settled::MAX_LEN`]) from `first` on, with nothing sent yet.
    pub fn new(first: u64, count: u32, made_at: Timestamp) -> Self {
        Self {
            first,
            settled: Settled::pending(count),
            made_at,
            attempt: None,
            stored_any: false,
        }
    }

    /// How many records.
    pub fn count(&self) -> u32 {
        self.settled.len()
    }

    /// The sequence number after the last.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count()))
    }

    fn check(&self) -> Result<(), Unsound> {
        if self.settled.is_empty() {
            return Err(Unsound::EmptyEntry);
        }
        if self.first.checked_add(u64::from(self.count())).is_none() {
            return Err(Unsound::NumbersEnd);
        }
        let Some(attempt) = &self.attempt else {
            return Ok(());
        };
        if attempt.range.is_empty() || attempt.range.end > self.count() {
            return Err(Unsound::AttemptOutsideEntry);
        }
        if attempt.sending.name.len() > JournalledAttempt::MAX_NAME {
            return Err(Unsound::LongName);
        }
        Ok(())
    }
}

impl State {
    /// The most entries: batches in flight.
    pub const MAX_ENTRIES: usize = crate::destination::Limits::MAX_IN_FLIGHT as usize;

    /// The state of a destination that is new to the spool and begins with the record `start`.
    pub fn starting_at(start: u64) -> Self {
        Self {
            committed: start,
            counts: Counts {
                skipped_before_start: start,
                ..Counts::default()
            },
            ..Self::default()
        }
    }

    /// The first sequence number that no entry has: where the next entry begins.
    pub fn end(&self) -> u64 {
        self.entries.last().map_or(self.committed, Entry::end)
    }

    /// Everything that is settled: the counts, and what the entries' records add to them.
    pub fn totals(&self) -> Counts {
        let mut totals = self.counts;
        for entry in &self.entries {
            totals.add_settled(&entry.settled);
        }
        totals
    }

    /// How many records of a spool whose next sequence number is `head` are not settled; 0 when the cursor is beyond it.
    ///
    /// The equation of [`Counts`], `spooled = settled + pending`, can be checked against this without any subtraction:
    /// [`Counts::inside`] of [`State::totals`] counts the left of it, record by record.
    pub fn pending(&self, head: u64) -> u64 {
        let in_entries: u64 = self.entries.iter().map(|entry| entry.settled.tally()[0]).sum();
        in_entries + head.saturating_sub(self.end())
    }

    /// Takes the leading entries of which no record is pending out of the list and counts them; returns how many.
    /// The hint is left as it is: whoever knows where `committed` now lies sets it.
    pub fn advance(&mut self) -> usize {
        let complete = self
            .entries
            .iter()
            .take_while(|entry| entry.settled.is_complete())
            .count();
        for entry in self.entries.drain(..complete) {
            self.counts.add_settled(&entry.settled);
            self.committed = entry.end();
        }
        complete
    }

    /// Passes over `count` records at once, without an entry: a block that is damaged, dropped or filtered as a whole.
    ///
    /// # Errors
    /// [`Unsound::EntriesInTheWay`] while there are entries, [`Unsound::NotSettled`] for [`Disposition::Pending`],
    /// [`Unsound::NumbersEnd`] when the numbers run out; nothing is changed then.
    pub fn pass(&mut self, count: u64, disposition: Disposition) -> Result<(), Unsound> {
        if !self.entries.is_empty() {
            return Err(Unsound::EntriesInTheWay);
        }
        if disposition == Disposition::Pending {
            return Err(Unsound::NotSettled);
        }
        self.committed = self.committed.checked_add(count).ok_or(Unsound::NumbersEnd)?;
        self.counts.add(disposition, count);
        Ok(())
    }

    /// Goes back to `head` when the cursor is beyond it: the spool was restored from an older copy, and will give the
    /// numbers from `head` on to other records. What was counted of them moves to [`Counts::rewound`]. Returns how many
    /// numbers were given back.
    pub fn rewind(&mut self, head: u64) -> u64 {
        if self.end() > head {
            self.entries.clear();
        }
        let beyond = self.committed.saturating_sub(head);
        self.counts.rewind(beyond);
        self.committed -= beyond;
        beyond
    }

    /// Whether the state obeys its rules.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Unsound> {
        if self.counts.inside() != Some(self.committed) {
            return Err(Unsound::CountsDisagree);
        }
        if self.entries.len() > Self::MAX_ENTRIES {
            return Err(Unsound::TooManyEntries);
        }
        let mut next = self.committed;
        for entry in &self.entries {
            if entry.first != next {
                return Err(Unsound::Gap);
            }
            entry.check()?;
            next = entry.end();
        }
        if self
            .hold
            .as_ref()
            .is_some_and(|hold| hold.reason.len() > Hold::MAX_REASON)
        {
            return Err(Unsound::LongReason);
        }
        self.replay.as_ref().map_or(Ok(()), Replay::check)?;
        self.retry.as_ref().map_or(Ok(()), DeadLetterRetry::check)
    }
}

impl Replay {
    fn check(&self) -> Result<(), Unsound> {
        if self.from > self.at || self.at > self.to {
            return Err(Unsound::ReplayOutsideRange);
        }
        let Some(entry) = &self.entry else {
            return Ok(());
        };
        entry.check()?;
        if entry.first != self.at || entry.end() > self.to {
            return Err(Unsound::ReplayOutsideRange);
        }
        Ok(())
    }
}

impl DeadLetterRetry {
    fn check(&self) -> Result<(), Unsound> {
        self.batch.check()?;
        let same_length = self.records.len() == self.batch.count() as usize;
        if self.records.len() > Self::MAX_RECORDS || !same_length || self.batch.first != 0 {
            return Err(Unsound::RetryDisagrees);
        }
        Ok(())
    }
}

/// The rule that a state breaks. It is a mistake of whoever made the state, never of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsound {
    /// An attempt's range is empty or leaves its entry.
    AttemptOutsideEntry,
    /// The inside counts do not sum up to `committed`.
    CountsDisagree,
    /// An entry has no record.
    EmptyEntry,
    /// Records cannot be passed over while entries are on their way.
    EntriesInTheWay,
    /// An entry does not begin where `committed` or the entry before it ends.
    Gap,
    /// An attempt's name is longer than [`JournalledAttempt::MAX_NAME`].
    LongName,
    /// A hold's reason is longer than [`Hold::MAX_REASON`].
    LongReason,
    /// Pending is not a way to settle a record.
    NotSettled,
    /// A sequence number would not fit into 64 bits.
    NumbersEnd,
    /// A replay's position or batch is outside its range.
    ReplayOutsideRange,
    /// A dead-letter batch and its list are not of the same length, or too long.
    RetryDisagrees,
    /// More than [`State::MAX_ENTRIES`] entries.
    TooManyEntries,
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AttemptOutsideEntry => "the range of an attempt is empty or leaves its entry",
            Self::CountsDisagree => "the counts do not sum up to the committed position",
            Self::EmptyEntry => "an entry has no record",
            Self::EntriesInTheWay => "records cannot be passed over while entries are on their way",
            Self::Gap => "an entry does not begin where the one before it ends",
            Self::LongName => "the name of an attempt is too long",
            Self::LongReason => "the reason of a hold is too long",
            Self::NotSettled => "pending is not a way to settle a record",
            Self::NumbersEnd => "a sequence number would not fit into 64 bits",
            Self::ReplayOutsideRange => "the position or the batch of a replay is outside its range",
            Self::RetryDisagrees => "a dead-letter batch and its list of records disagree",
            Self::TooManyEntries => "there are more entries than batches may be in flight",
        })
    }
}

impl std::error::Error for Unsound {}
