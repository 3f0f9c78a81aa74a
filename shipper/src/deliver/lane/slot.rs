//! One journal entry in memory: its records, the search in it, and what is known of its sending.

use super::super::rows::Rows;
use super::super::search::{Evidence, Search};
use super::Ticket;
use crate::spool::cursor::{AttemptState, Counts, Entry, Hint};
use crate::time::Timestamp;

/// The part of a batch that is not journalled.
pub(super) struct Slot {
    /// Names the slot for as long as the lane lives.
    pub(super) number: u64,
    /// Where the entry begins.
    pub(super) at: Hint,
    /// When the spool got the first of them, if that is known.
    pub(super) ingested: Option<Timestamp>,
    /// The entry's records that were pending when it was made or read.
    pub(super) rows: Rows,
    pub(super) search: Search,
    /// The request that is on its way.
    pub(super) in_flight: Option<Ticket>,
    /// An earlier request of the journalled attempt may be stored, as far as anyone here knows.
    pub(super) maybe_stored: bool,
    /// How often in a row it was taken and not acknowledged. Not journalled: a process that dies while it waits sends again
    /// what it cannot know to be stored, but a hold outlives it.
    pub(super) unacknowledged: u32,
    pub(super) standing: Standing,
    /// A person says of a search that has asked for a hold that the destination is right.
    pub(super) vouched: bool,
    pub(super) role: Role,
}

/// What a slot's entry is to the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A part of the order.
    Main,
    /// A replay, or dead letters: what its records are is settled already, and stays so when they are refused.
    Beside,
}

/// What the next request of a held slot has to mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Normal,
    /// The name is taken by something that is not ours: what the name answers later proves nothing, until another name
    /// is journalled.
    Conflict,
    /// The search has asked for the hold: the next request is its probe.
    Exhausted,
}

impl Slot {
    pub(super) fn new(number: u64, at: Hint, rows: Rows, role: Role) -> Self {
        Self {
            number,
            at,
            ingested: None,
            rows,
            search: Search::new(),
            in_flight: None,
            maybe_stored: false,
            unacknowledged: 0,
            standing: Standing::Normal,
            vouched: false,
            role,
        }
    }

    /// Whether a refusal of a single record of `entry` means the record: see [`Evidence`].
    pub(super) fn evidence(&self, entry: &Entry) -> Evidence {
        if entry.stored_any || self.vouched || self.role == Role::Beside {
            Evidence::Stored
        } else {
            Evidence::None
        }
    }

    /// Whether a request can be made of it.
    pub(super) fn is_idle(&self, entry: &Entry) -> bool {
        self.in_flight.is_none() && !entry.settled.is_complete()
    }

    /// Gives up the journalled attempt: what is pending of it goes out under another name. Whatever of that may be
    /// stored already is counted, as it may then be there twice.
    pub(super) fn give_up_attempt(&mut self, entry: &mut Entry, counts: &mut Counts) {
        if let Some(attempt) = entry.attempt.take()
            && self.maybe_stored
        {
            let twice = entry.settled.pending_in(attempt.range).count() as u64;
            counts.redelivered = counts.redelivered.saturating_add(twice);
        }
        self.maybe_stored = false;
        if self.standing == Standing::Conflict {
            self.standing = Standing::Normal;
        }
    }

    /// The configuration has changed: what was learned under the old one says nothing.
    pub(super) fn forget_answers(&mut self, entry: &mut Entry) {
        entry.stored_any = false;
        self.vouched = false;
        self.search = Search::new();
        self.standing = Standing::Normal;
    }

    /// Writes down that nothing of the attempt is stored, when that is known, and that its name is in conflict; returns
    /// whether anything was written.
    pub(super) fn mark_not_stored(&self, entry: &mut Entry) -> bool {
        let known = match self.standing {
            Standing::Conflict => AttemptState::Conflict,
            Standing::Normal | Standing::Exhausted => AttemptState::NotStored,
        };
        match &mut entry.attempt {
            Some(attempt) if !self.maybe_stored && attempt.state != known => {
                attempt.state = known;
                true
            }
            _ => false,
        }
    }
}

/// The places that are not settled.
pub(super) fn pending(entry: &Entry) -> Vec<u32> {
    entry.settled.pending_in(0..entry.count()).collect()
}
