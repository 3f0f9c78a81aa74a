//! Replays and retried dead letters: batches beside the order of the spool.
//!
//! They use the same journal, search and waits as the main way, take turns with it, and are counted outside the equation
//! ([`Counts::replayed`](crate::spool::cursor::Counts::replayed)), but for one move: a dead letter that was delivered
//! after all leaves `dead_lettered` for `delivered`.
//!
//! # Why each step is crash-safe
//! A retry: (1) the batch is journalled, then sent; (2) the answer's dispositions are committed; (3) the delivered dead
//! letters' files are removed; (4) the counts are moved and the batch leaves the journal, in one commit. A crash before
//! (2) asks again under the same name; one before (4) removes what is left of the files and moves the counts then.
//! A replay's position and batch are journalled as the main ones are.
//!
//! What is refused here stays what it was; so nothing here can be lost, no evidence is needed, and no brake is put on.

use std::collections::VecDeque;

use super::send::{Parts, Prepared, prepare};
use super::slot::{Role, Slot, Standing};
use super::{Action, Class, Flow, Lane, LaneError, Now, Step, Ticket, Trouble};
use crate::deliver::gather::{Filled, Gather};
use crate::deliver::pack::{Fit, Packer};
use crate::deliver::rows::Rows;
use crate::deliver::source::{Next, Source, SourceError};
use crate::destination::Record;
use crate::spool::cursor::{DeadLetterRetry, Disposition, Entry, Hint, Replay};
use crate::spool::draft::TableEntry;
use crate::spool::identity::Epoch;

/// Which side job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Replay,
    Retry,
}

impl Kind {
    /// Its batch in the journal.
    pub(super) fn entry<'a>(
        self,
        replay: &'a mut Option<Replay>,
        retry: &'a mut Option<DeadLetterRetry>,
    ) -> Option<&'a mut Entry> {
        match self {
            Self::Replay => replay.as_mut()?.entry.as_mut(),
            Self::Retry => retry.as_mut().map(|retry| &mut retry.batch),
        }
    }
}

/// The batch of a side job that is journalled.
pub(super) struct Side {
    pub(super) kind: Kind,
    pub(super) slot: Slot,
}

/// What was asked for and is not journalled batch by batch yet.
#[derive(Default)]
pub(super) struct SideQueue {
    retry: VecDeque<(Epoch, u64)>,
    /// The command that asked for the retry: it counts as applied when its last batch is through, so that after a crash
    /// it is asked again, for what is left.
    retry_command: Option<u64>,
    /// Stands at the replay's position.
    replay: Option<Box<dyn Source>>,
}

impl SideQueue {
    /// `source` stands behind the journalled batch of a replay.
    pub(super) fn stand(&mut self, source: Box<dyn Source>) {
        self.replay = Some(source);
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Main,
    Side,
}

/// What a lane says to a command. The same command again, by its number, is safe at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever asks must treat all of them")]
pub enum Reply {
    /// It has been applied, or will be: so many records are concerned.
    Accepted {
        /// How many.
        records: u64,
    },
    /// Another one of the kind is on its way: ask again when it is through.
    Busy,
    /// It is on its way.
    Underway,
    /// It has been applied.
    Done,
}

impl Lane {
    /// Sends the records from `from` up to (not including) `to` again, as the filter of the destination selects them.
    /// `command` is the order's own number, which is never applied twice.
    pub fn replay(&mut self, from: u64, to: u64, command: u64) -> Reply {
        if self.state.command == command {
            return Reply::Done;
        }
        if self.state.replay.is_some() {
            return Reply::Busy;
        }
        // What is not settled yet is on its way in any case.
        let to = to.min(self.state.committed).max(from);
        self.state.command = command;
        self.state.replay = Some(Replay {
            from,
            to,
            at: from,
            entry: None,
        });
        self.dirty = true;
        Reply::Accepted { records: to - from }
    }

    /// Sends dead letters again: `chosen`, or all there are.
    ///
    /// # Errors
    /// [`LaneError::DeadLetters`]: the lane is as before.
    pub fn retry_dead_letters(
        &mut self,
        chosen: Option<Vec<(Epoch, u64)>>,
        command: u64,
    ) -> Result<Reply, LaneError> {
        if self.state.command == command {
            return Ok(Reply::Done);
        }
        if self.queue.retry_command == Some(command) {
            return Ok(Reply::Underway);
        }
        if self.queue.retry_command.is_some() {
            return Ok(Reply::Busy);
        }
        let ids = match chosen {
            Some(chosen) => chosen,
            None => self.ports.dead_letters.list()?,
        };
        let records = ids.len() as u64;
        // A batch that a crash has left is on its way again already.
        let on_the_way = self.state.retry.as_ref().map_or(&[][..], |retry| &retry.records);
        self.queue.retry = ids.into_iter().filter(|id| !on_the_way.contains(id)).collect();
        self.queue.retry_command = Some(command);
        Ok(Reply::Accepted { records })
    }

    pub(super) fn side_is_in_flight(&self) -> bool {
        self.side
            .as_ref()
            .is_some_and(|side| side.slot.in_flight.is_some())
    }

    pub(super) fn side_is_idle(&self) -> bool {
        self.side.is_none()
            && self.state.replay.is_none()
            && self.state.retry.is_none()
            && self.queue.retry_command.is_none()
    }

    /// The next request of the side job whose slot is `number`: the probe goes on.
    pub(super) fn probe_side(&mut self, number: u64, now: Now) -> Result<Step, LaneError> {
        match &self.side {
            Some(side) if side.slot.number == number && side.slot.in_flight.is_some() => Ok(Step::Wait(None)),
            Some(side) if side.slot.number == number => self.send_side(now),
            _ => {
                self.flow = Flow::Probing { slot: None };
                Ok(Step::Again)
            }
        }
    }

    /// The next request beside the main way, if there is one.
    pub(super) fn step_side(&mut self, now: Now) -> Result<Option<Step>, LaneError> {
        if self.side.is_none() && !self.next_retry(now)? && !self.next_replay(now)? {
            return Ok(None);
        }
        match &self.side {
            // Answered, but not to be settled yet.
            Some(_) if self.side_is_complete() => Ok(None),
            Some(side) if side.slot.in_flight.is_none() => {
                if matches!(self.flow, Flow::Probing { .. }) {
                    self.flow = Flow::Probing {
                        slot: Some(side.slot.number),
                    };
                }
                self.send_side(now).map(Some)
            }
            Some(_) => Ok(None),
            None => Ok(Some(Step::Again)),
        }
    }

    /// Finishes a side batch of which no record is pending.
    pub(super) fn settle_side(&mut self, now: Now) -> Result<(), LaneError> {
        let Some(side) = &self.side else { return Ok(()) };
        if !self.side_is_complete() {
            return Ok(());
        }
        match side.kind {
            Kind::Replay => self.settle_replay(),
            Kind::Retry => self.settle_retry(side.slot.number, now),
        }
    }

    /// Whether no record of the side batch is pending.
    fn side_is_complete(&self) -> bool {
        let Some(side) = &self.side else { return true };
        match side.kind {
            Kind::Replay => self
                .state
                .replay
                .as_ref()
                .and_then(|replay| replay.entry.as_ref()),
            Kind::Retry => self.state.retry.as_ref().map(|retry| &retry.batch),
        }
        .is_none_or(|entry| entry.settled.is_complete())
    }

    fn settle_replay(&mut self) -> Result<(), LaneError> {
        if let Some(replay) = &mut self.state.replay
            && let Some(entry) = replay.entry.take()
        {
            let delivered = entry.settled.tally()[Disposition::Delivered as usize];
            self.state.counts.replayed = self.state.counts.replayed.saturating_add(delivered);
            replay.at = entry.end();
        }
        self.side = None;
        self.dirty = true;
        Ok(())
    }

    fn settle_retry(&mut self, number: u64, now: Now) -> Result<(), LaneError> {
        // (2) of the module: what follows must be known to be right, before a file goes.
        self.save()?;
        let Some(retry) = &self.state.retry else {
            self.side = None;
            return Ok(());
        };
        let delivered: Vec<(Epoch, u64)> = retry
            .records
            .iter()
            .zip(retry.batch.settled.iter())
            .filter(|(_, disposition)| *disposition == Disposition::Delivered)
            .map(|(id, _)| *id)
            .collect();
        for (epoch, seq) in &delivered {
            if let Err(error) = self.ports.dead_letters.remove(*epoch, *seq) {
                let reason = format!("a delivered dead letter cannot be removed: {error}");
                self.back_off(Some(number), Class::Storage, &reason, None, now);
                return Ok(());
            }
        }
        for (_, seq) in delivered {
            self.move_to_delivered(seq);
        }
        self.state.retry = None;
        self.side = None;
        if self.queue.retry.is_empty() {
            self.end_retry();
        }
        self.dirty = true;
        Ok(())
    }

    /// A person says that it is right now: a name that was taken is given up.
    pub(super) fn resume_side(&mut self) {
        let Some(side) = &mut self.side else { return };
        if let Some(entry) = side.kind.entry(&mut self.state.replay, &mut self.state.retry)
            && side.slot.standing == Standing::Conflict
            && side.slot.in_flight.is_none()
        {
            side.slot.give_up_attempt(entry, &mut self.state.counts);
            self.dirty = true;
        }
    }

    /// The records of dead letters, each at its place in `ids`; letters that are not there any more are left out. The
    /// spool's own table entries are used for as long as it has them: of categories a letter says nothing.
    pub(super) fn load_letters(&mut self, ids: &[(Epoch, u64)]) -> Result<Rows, LaneError> {
        let mut rows = Rows::default();
        let mut source = (self.ports.further_source)()?;
        for (place, (epoch, seq)) in (0u32..).zip(ids) {
            let Some(letter) = self.ports.dead_letters.load(*epoch, *seq)? else {
                continue;
            };
            source.seek(*seq, Hint::default())?;
            let entry = match source.peek()? {
                Next::Record(record, _) if record.id == letter.id => *record.entry,
                _ => TableEntry {
                    // With the newline.
                    len: u32::try_from(letter.record.len() + 1).unwrap_or(u32::MAX),
                    added: 0,
                    flags: 0,
                    time: letter.time,
                    key: letter.key,
                    categories: 0,
                    id_hash: 0,
                },
            };
            rows.push(
                place,
                &Record {
                    id: letter.id,
                    entry: &entry,
                    json: &letter.record,
                },
            );
        }
        Ok(rows)
    }

    fn end_retry(&mut self) {
        if let Some(command) = self.queue.retry_command.take() {
            self.state.command = command;
            self.dirty = true;
        }
    }

    /// The sum of the inside counts stays as it is.
    fn move_to_delivered(&mut self, seq: u64) {
        if seq < self.state.committed {
            let counts = &mut self.state.counts;
            if let Some(left) = counts.dead_lettered.checked_sub(1) {
                counts.dead_lettered = left;
                counts.delivered = counts.delivered.saturating_add(1);
            }
            return;
        }
        let entry = self
            .state
            .entries
            .iter_mut()
            .find(|entry| (entry.first..entry.end()).contains(&seq));
        if let Some(entry) = entry
            && let Ok(place) = u32::try_from(seq - entry.first)
            && entry.settled.disposition(place) == Some(Disposition::DeadLettered)
        {
            entry.settled.settle(place, Disposition::Delivered);
        }
    }

    /// Makes the next batch of dead letters; whether there is one.
    fn next_retry(&mut self, now: Now) -> Result<bool, LaneError> {
        if self.queue.retry_command.is_none() {
            return Ok(false);
        }
        let count = self.queue.retry.len().min(DeadLetterRetry::MAX_RECORDS);
        if count == 0 {
            self.end_retry();
            return Ok(false);
        }
        let ids: Vec<(Epoch, u64)> = self.queue.retry.iter().take(count).copied().collect();
        let rows = self.load_letters(&ids)?;
        let limits = self.settings.destination.limits();
        let mut packer = Packer::new(&limits, &self.settings.batching);
        let (mut taken, mut chosen) = (0, Rows::default());
        let mut records = Vec::new();
        for (place, record) in rows.iter() {
            match packer.offer(self.settings.destination.size(&record), record.entry.time) {
                Fit::Taken => {
                    // At most as many as a retry's list holds.
                    let at = u32::try_from(records.len()).unwrap_or(u32::MAX);
                    chosen.push(at, &record);
                    records.push(ids[place as usize]);
                }
                Fit::Next => break,
                // Still too large: it stays what it is.
                Fit::Never { .. } => {}
            }
            taken = place as usize + 1;
        }
        if records.len() == rows.iter().count() || records.is_empty() {
            // All of the list that is there, or nothing of it can go.
            taken = count;
        }
        self.queue.retry.drain(..taken);
        let Ok(length) = u32::try_from(records.len()) else {
            return Ok(false);
        };
        if length == 0 {
            return Ok(true);
        }
        let batch = Entry::new(0, length, now.wall);
        self.state.retry = Some(DeadLetterRetry { records, batch });
        self.start_side(Kind::Retry, Hint::default(), chosen);
        Ok(true)
    }

    /// Makes the next batch of a replay; whether anything was done for it.
    fn next_replay(&mut self, now: Now) -> Result<bool, LaneError> {
        let Some(replay) = &self.state.replay else {
            return Ok(false);
        };
        let (at, to) = (replay.at, replay.to);
        let mut source = match self.queue.replay.take() {
            Some(source) => source,
            None => {
                let mut source = (self.ports.further_source)()?;
                source.seek(at, Hint::default())?;
                source
            }
        };
        let limits = self.settings.destination.limits();
        let mut bounded = Until {
            source: &mut *source,
            to,
        };
        let mut gather = Gather::new(at, Hint::default(), &limits, &self.settings.batching);
        let mut oversized = 0_u64;
        while let Filled::Oversized { .. } = gather.fill(
            &mut bounded,
            &*self.settings.filter,
            &*self.settings.destination,
            now.monotonic,
        )? {
            gather.settle_next(&mut bounded, Disposition::DeadLettered, now.monotonic);
            oversized += 1;
        }
        if oversized > 0 {
            let reason = format!(
                "{oversized} records of a replay are larger than {} takes and were not stored again; they count as what they \
                 were before it",
                self.settings.destination.kind()
            );
            self.trouble = Some(Trouble::new(Class::Rejected, now.wall, &reason));
        }
        self.dirty = true;
        let Some((entry, rows)) = gather.close(now.wall) else {
            // Its end, or the spool's.
            self.state.replay = None;
            return Ok(true);
        };
        self.queue.replay = Some(source);
        if let Some(replay) = &mut self.state.replay {
            replay.entry = Some(entry);
        }
        self.start_side(Kind::Replay, Hint::default(), rows);
        Ok(true)
    }

    pub(super) fn start_side(&mut self, kind: Kind, at: Hint, rows: Rows) {
        let number = self.number();
        self.side = Some(Side {
            kind,
            slot: Slot::new(number, at, rows, Role::Beside),
        });
        self.dirty = true;
    }

    fn send_side(&mut self, now: Now) -> Result<Step, LaneError> {
        let Some(side) = &mut self.side else {
            return Ok(Step::Again);
        };
        let Some(entry) = side.kind.entry(&mut self.state.replay, &mut self.state.retry) else {
            self.side = None;
            return Ok(Step::Again);
        };
        let mut parts = Parts {
            settings: &self.settings,
            random: &*self.ports.random,
            counts: &mut self.state.counts,
            dirty: &mut self.dirty,
        };
        let number = side.slot.number;
        match prepare(&mut parts, entry, &mut side.slot, now)? {
            // Complete: settled by the next poll.
            Prepared::Nothing => Ok(Step::Again),
            Prepared::Held(kind, reason) => {
                self.hold(Some(number), kind, &reason, now);
                Ok(Step::Again)
            }
            Prepared::Request(request) => {
                self.save()?;
                let ticket = Ticket(self.number());
                if let Some(side) = &mut self.side {
                    side.slot.in_flight = Some(ticket);
                }
                Ok(Step::Send(Action::Send { ticket, request }))
            }
        }
    }
}

/// A source that ends at a number.
struct Until<'a> {
    source: &'a mut dyn Source,
    to: u64,
}

impl Source for Until<'_> {
    fn seek(&mut self, seq: u64, hint: Hint) -> Result<(), SourceError> {
        self.source.seek(seq, hint)
    }

    fn peek(&mut self) -> Result<Next<'_>, SourceError> {
        let end = self.to;
        Ok(match self.source.peek()? {
            Next::Record(record, _) if record.id.seq >= end => Next::End,
            Next::Lost { to, how } => Next::Lost { to: to.min(end), how },
            next => next,
        })
    }

    fn advance(&mut self) {
        self.source.advance();
    }

    fn hint(&self) -> Hint {
        self.source.hint()
    }
}
