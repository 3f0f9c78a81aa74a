//! One destination's delivery as a state machine: no thread, no socket, no clock.
//!
//! # In scope
//! What to send next ([`Lane::poll`]) and what an answer means for cursor, dead letters and the next step
//! ([`Lane::complete`]). The cursor and the dead letters are written here, through [`Journal`] and [`DeadLetters`].
//!
//! # Out of scope
//! Sending, waiting, waking up: the runner of [`super::shipper`]. What bytes mean: [`crate::destination`].
//!
//! # Invariants, and why each step is crash-safe
//! 1. *Journalled first.* [`Action::Send`] is returned only after a commit that holds the request's entry: bounds, nonce,
//!    name, format, compression, digest. A crash after the commit sends the same bytes under the same name; one before
//!    it has sent nothing.
//! 2. *A name has one body.* A nonce is drawn for each new body and journalled with it. The body is the pending records
//!    of the attempt's range, and none of them settles except by a state in which the attempt is gone or another.
//! 3. *One commit for two facts.* What an answer settled is committed together with the next batch's entry, or at once
//!    when there is none. A crash in between asks again under the same name, which the destination recognises.
//! 4. *Dead letters are durable before the cursor says so.* A crash in between writes the same dead letter again.
//! 5. *Every number is accounted for at each commit*: [`State::check`] refuses any other.
//! 6. *Nothing is learned from silence.* Only a clear answer settles; what may be stored is sent again under its name.
//! 7. *A copy of a spool is silent* until a person lets it send: while its cursor does not say so, nothing goes, neither
//!    a probe nor what is in the journal. The hold in the journal is for people to see; what counts is the number.
//! 8. *What is never acknowledged, or taken and not kept, is not sent for ever*: it is held, in the journal, until a person
//!    resumes it.
//! 9. A [`LaneError`] ends the lane. Nothing in memory is needed to go on: whoever runs it opens another one from disk.
//!
//! After a failure the whole lane waits, and then asks with one request (the *probe*); the others follow when that is
//! answered well. A hold differs from a backing off only by its reason, its longer waits, and by being journalled.
//!
//! Runs on the destination's worker threads, one at a time (they share it under a lock).

mod answer;
mod open;
mod send;
mod side;
mod slot;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

pub use self::side::Reply;
use self::side::{Side, SideQueue, Turn};
use self::slot::{Role, Slot, Standing};
pub use self::snapshot::{Class, Condition, Snapshot, Trouble};
use super::backoff::Policy;
use super::filter::RecordFilter;
use super::gather::{Filled, Gather};
use super::guard::Guard;
use super::journal::{DeadLetters, Journal};
use super::pack::Batching;
use super::source::{Next, Source, SourceError};
use crate::destination::Destination;
use crate::random::{NoRandomness, Random};
use crate::spool::Provenance;
use crate::spool::cursor::{CursorError, Disposition, Hold, HoldKind, State, Unsound};
use crate::spool::dead_letter::{DeadLetter, DeadLetterError};
use crate::spool::identity::SpoolId;
use crate::time::{Clock, Monotonic, Timestamp};

/// What a lane is told of one destination.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made by configuration")]
pub struct Settings {
    /// Where records go.
    pub destination: Arc<dyn Destination>,
    /// What a batch may hold, inside the destination's own limits.
    pub batching: Batching,
    /// Which records it gets.
    pub filter: Arc<dyn RecordFilter>,
    /// The share of records settled within a minute that may be dead letters, in parts per million.
    pub dead_letter_rate: u32,
    /// Waits after outages and throttling.
    pub retry: Policy,
    /// Waits between the probes of a hold.
    pub probe: Policy,
}

/// What a lane works with.
#[expect(clippy::exhaustive_structs, reason = "made by whoever runs the lane")]
pub struct Ports {
    /// The spool whose records it reads.
    pub spool: SpoolId,
    /// Whether that is a copy.
    pub provenance: Provenance,
    /// Its reader.
    pub source: Box<dyn Source>,
    /// Makes the further reader that a replay needs.
    pub further_source: Box<dyn Fn() -> Result<Box<dyn Source>, SourceError> + Send>,
    /// Its cursor.
    pub journal: Box<dyn Journal>,
    /// Its dead letters.
    pub dead_letters: Box<dyn DeadLetters>,
    /// Nonces and jitter.
    pub random: Arc<dyn Random>,
}

/// Both readings of the clock, taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two plain readings")]
pub struct Now {
    /// For names and reports.
    pub wall: Timestamp,
    /// For intervals.
    pub monotonic: Monotonic,
}

impl Now {
    /// What `clock` reads.
    pub fn of(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.wall(),
            monotonic: clock.monotonic(),
        }
    }
}

/// Names a request that is on its way. Never used twice by a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// Whether a hold has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it has or it has not")]
pub enum Released {
    /// It has.
    Yes,
    /// It has not: the spool was copied since.
    Copied,
}

/// What to do next.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever runs the lane must treat all of them"
)]
pub enum Action {
    /// Send this, and tell [`Lane::complete`] what came of it. Poll again meanwhile: there may be another.
    Send {
        /// To be given back.
        ticket: Ticket,
        /// Journalled already.
        request: Box<http::Request<Vec<u8>>>,
    },
    /// Nothing until then (without a time: until an answer, a new head or an order comes).
    Wait(Option<Monotonic>),
}

/// Why a lane cannot go on. Open another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaneError {
    /// The cursor cannot be read or committed.
    Journal(CursorError),
    /// The spool cannot be read.
    Source(SourceError),
    /// The dead letters cannot be read.
    DeadLetters(DeadLetterError),
    /// There is no nonce to be had.
    Random(NoRandomness),
    /// The cursor would have said something impossible: a mistake in this crate. The cursor was left as it was.
    Unsound(Unsound),
}

impl fmt::Display for LaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Source(error) => write!(f, "the spool cannot be read: {error}"),
            Self::DeadLetters(error) => write!(f, "{error}"),
            Self::Random(error) => write!(f, "{error}"),
            Self::Unsound(error) => write!(
                f,
                "the cursor would have become unsound ({error}); it was left as it was"
            ),
        }
    }
}

impl std::error::Error for LaneError {}

impl From<CursorError> for LaneError {
    fn from(error: CursorError) -> Self {
        Self::Journal(error)
    }
}

impl From<DeadLetterError> for LaneError {
    fn from(error: DeadLetterError) -> Self {
        Self::DeadLetters(error)
    }
}

impl From<SourceError> for LaneError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<NoRandomness> for LaneError {
    fn from(error: NoRandomness) -> Self {
        Self::Random(error)
    }
}

impl From<Unsound> for LaneError {
    fn from(error: Unsound) -> Self {
        Self::Unsound(error)
    }
}

/// Whether a destination is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two cases")]
pub enum Activity {
    /// It is.
    Active,
    /// It is paused: what is on its way is awaited, nothing else is sent.
    Paused,
}

/// Whether batches are filled before they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filling {
    /// Until they are full or of age.
    Patient,
    /// What there is goes at once.
    Draining,
}

/// How the lane stands to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Everything may go.
    Open,
    /// Nothing goes before then.
    Waiting { until: Monotonic },
    /// One request may go, of this slot (of whichever is first, if none is named).
    Probing { slot: Option<u64> },
}

/// One destination's delivery. See the module.
pub struct Lane {
    settings: Settings,
    ports: Ports,
    /// What the next commit will say.
    state: State,
    /// Whether it differs from what the last one said.
    dirty: bool,
    /// One for each of the state's entries.
    slots: VecDeque<Slot>,
    /// The batch that is being filled; the source stands at its end.
    gather: Option<Gather>,
    side: Option<Side>,
    queue: SideQueue,
    turn: Turn,
    activity: Activity,
    filling: Filling,
    flow: Flow,
    /// Failures in a row.
    failures: u32,
    guard: Guard,
    /// Bytes that the receiver found too large, and until when that is believed.
    ceiling: Option<(u64, Monotonic)>,
    next_number: u64,
    last_stored: Option<Timestamp>,
    trouble: Option<Trouble>,
    /// Since when nothing was settled although something could have been sent.
    stuck_since: Option<Timestamp>,
    at_end: bool,
}

impl Lane {
    /// What to do next. Never sends before the journal has it.
    ///
    /// # Errors
    /// [`LaneError`]: the lane is over.
    pub fn poll(&mut self, now: Now) -> Result<Action, LaneError> {
        loop {
            self.retire()?;
            if self.is_silent_copy() {
                self.hold_copy(now);
                return self.rest(None);
            }
            if self.activity == Activity::Paused || self.waits_for_a_person() {
                return self.rest(None);
            }
            if let Flow::Waiting { until } = self.flow {
                if now.monotonic < until {
                    return self.rest(Some(until));
                }
                self.flow = Flow::Probing { slot: None };
            }
            self.settle_side(now)?;
            if let Flow::Waiting { until } = self.flow {
                return self.rest(Some(until));
            }
            match self.step(now)? {
                Step::Send(action) => return Ok(action),
                Step::Again => {}
                Step::Wait(until) => return self.rest(until),
            }
        }
    }

    /// Pauses or resumes, as generation `generation` of the desired state says; an older or equal one changes nothing.
    /// To resume what is held is a person's word that it is right now: it is asked again at once, a taken name is given
    /// up, and what the destination rejects next is dead-lettered, however much it is.
    pub fn desire(&mut self, activity: Activity, generation: u64) {
        if generation <= self.state.desired && generation != 0 {
            self.activity = activity;
            return;
        }
        self.activity = activity;
        if generation == 0 {
            return;
        }
        self.state.desired = generation;
        self.dirty = true;
        if activity == Activity::Active {
            self.resume();
        }
    }

    /// Sends what there is without waiting for more, from now on: before the end.
    pub fn drain(&mut self) {
        self.filling = Filling::Draining;
        self.at_end = false;
    }

    /// Whether everything that could be read is settled and committed, and nothing is on its way.
    pub fn is_drained(&self) -> bool {
        self.at_end
            && !self.dirty
            && self.slots.is_empty()
            && self.side_is_idle()
            && self.gather.as_ref().is_none_or(Gather::is_empty)
    }

    /// A person says that it is right now: what [`Lane::desire`] says of resuming, and that a copy of the spool may send,
    /// if `copy` is at least the count of copies by now.
    pub fn release(&mut self, copy: u64) -> Released {
        if self.is_silent_copy() {
            if copy < self.ports.provenance.copies {
                return Released::Copied;
            }
            self.state.copy = self.ports.provenance.copies;
            self.state.hold = None;
            self.trouble = None;
            self.stuck_since = None;
            self.dirty = true;
        }
        self.resume();
        Released::Yes
    }

    /// Whether the spool is a copy that nobody has let send to this destination.
    fn is_silent_copy(&self) -> bool {
        self.state.copy < self.ports.provenance.copies
    }

    /// Whether only a person ends the hold: asking again could store a batch once more.
    fn waits_for_a_person(&self) -> bool {
        let hold = self.state.hold.as_ref();
        hold.is_some_and(|hold| hold.kind.waits_for_a_person())
    }

    /// Says so where people look.
    fn hold_copy(&mut self, now: Now) {
        let evidence = self.ports.provenance.evidence;
        let evidence = evidence.map_or(String::new(), |evidence| format!("{evidence}: "));
        let reason = format!(
            "{evidence}the spool was copied, moved or restored, and two that send the same records would be two sources \
             of them. Stop the original or remove this copy; if the original is gone, `auditship resume` each destination"
        );
        if self.state.hold.as_ref().is_none_or(|hold| hold.reason != reason) {
            let target = self.settings.destination.fingerprint();
            self.state.hold = Some(Hold::new(HoldKind::Conflict, &reason, now.wall, target));
            self.trouble = Some(Trouble::new(Class::Conflict, now.wall, &reason));
            self.dirty = true;
        }
        self.stuck_since.get_or_insert(now.wall);
    }

    /// Commits what was ordered ([`Lane::desire`], [`Lane::replay`]) without waiting for a poll.
    ///
    /// # Errors
    /// [`LaneError`]: the lane is over.
    pub fn commit(&mut self) -> Result<(), LaneError> {
        self.save()
    }

    fn resume(&mut self) {
        let target = self.settings.destination.fingerprint();
        let of_here = |hold: &&Hold| hold.target == target;
        let hold = self.state.hold.as_ref().filter(of_here).map(|hold| hold.kind);
        if matches!(hold, Some(HoldKind::Rate | HoldKind::NotKept)) {
            self.guard.grant();
        }
        for (entry, slot) in self.state.entries.iter_mut().zip(&mut self.slots) {
            // The hold is in the journal; what the slot asked for is known beside a later hold too.
            slot.vouched |= hold == Some(HoldKind::Refused) || slot.standing == Standing::Exhausted;
            if slot.standing == Standing::Conflict && slot.in_flight.is_none() {
                slot.give_up_attempt(entry, &mut self.state.counts);
                self.dirty = true;
            }
        }
        self.resume_side();
        if self.waits_for_a_person() {
            self.state.hold = None;
            self.dirty = true;
        }
        self.failures = 0;
        if let Flow::Waiting { until } = &mut self.flow {
            *until = Monotonic(0);
        }
    }

    /// Chooses the next request, or finds that there is none.
    fn step(&mut self, now: Now) -> Result<Step, LaneError> {
        if let Flow::Probing { slot: Some(number) } = self.flow {
            return match self.slots.iter().position(|slot| slot.number == number) {
                Some(index) if self.slots[index].in_flight.is_some() => Ok(Step::Wait(None)),
                Some(index) if self.slots[index].is_idle(&self.state.entries[index]) => {
                    self.send_main(index, now)
                }
                Some(_) => {
                    self.flow = Flow::Probing { slot: None };
                    Ok(Step::Again)
                }
                None => self.probe_side(number, now),
            };
        }
        let capacity = usize::from(self.settings.destination.limits().in_flight).clamp(1, State::MAX_ENTRIES);
        let on_the_way = self.slots.iter().filter(|slot| slot.in_flight.is_some()).count()
            + usize::from(self.side_is_in_flight());
        if on_the_way >= capacity {
            return Ok(Step::Wait(None));
        }
        let mut entries = self.slots.iter().zip(&self.state.entries);
        if let Some(index) = entries.position(|(slot, entry)| slot.is_idle(entry)) {
            if matches!(self.flow, Flow::Probing { .. }) {
                return self.probe(index, now);
            }
            return self.send_main(index, now);
        }
        if self.turn == Turn::Side {
            self.turn = Turn::Main;
            if let Some(step) = self.step_side(now)? {
                return Ok(step);
            }
        }
        let main = if self.slots.len() < capacity {
            self.fill(now)?
        } else {
            Step::Wait(None)
        };
        if let Step::Wait(until) = main {
            return Ok(self.step_side(now)?.unwrap_or(Step::Wait(until)));
        }
        self.turn = Turn::Side;
        Ok(main)
    }

    /// The first request after a wait.
    fn probe(&mut self, index: usize, now: Now) -> Result<Step, LaneError> {
        let slot = &self.slots[index];
        self.flow = Flow::Probing {
            slot: Some(slot.number),
        };
        let entry = &self.state.entries[index];
        let exhausted = slot.standing == Standing::Exhausted && entry.attempt.is_none() && !entry.stored_any;
        if exhausted && index + 1 == self.slots.len() {
            return self.extend(now);
        }
        self.send_main(index, now)
    }

    /// The last entry holds only records that were refused one by one, with none stored beside them. More records, if
    /// there are any, may show whether it is the destination or the records: the entry is filled further. That is safe:
    /// nothing of it is stored, by clear answers.
    fn extend(&mut self, now: Now) -> Result<Step, LaneError> {
        let (Some(entry), Some(slot)) = (self.state.entries.pop(), self.slots.pop_back()) else {
            return Ok(Step::Again);
        };
        self.ports.source.seek(entry.end(), slot.at)?;
        let mut gather = Gather::reopen(
            &entry,
            slot.rows,
            slot.at,
            &*self.settings.destination,
            // A batch of one, where that is configured, would never have company.
            &Batching {
                records: self.settings.batching.records.max(2),
                ..self.settings.batching
            },
        );
        self.gather = None;
        // Whatever stops the filling, the entry goes as it is then; an oversized record is the next batch's.
        gather.fill(
            &mut *self.ports.source,
            &*self.settings.filter,
            &*self.settings.destination,
            now.monotonic,
        )?;
        self.dirty = true;
        self.admit(gather, now);
        if let Some(extended) = self.slots.back_mut() {
            extended.search = slot.search;
            extended.vouched = slot.vouched;
            extended.standing = Standing::Exhausted;
            self.flow = Flow::Probing {
                slot: Some(extended.number),
            };
        }
        Ok(Step::Again)
    }

    /// Reads until a batch is closed.
    fn fill(&mut self, now: Now) -> Result<Step, LaneError> {
        let limits = self.settings.destination.limits();
        let mut gather = match self.gather.take() {
            Some(gather) => gather,
            None => {
                self.pass_lost()?;
                let mut gather = Gather::new(
                    self.state.end(),
                    self.ports.source.hint(),
                    &limits,
                    &self.settings.batching,
                );
                if let Some((bytes, until)) = self.ceiling
                    && now.monotonic < until
                {
                    gather.lower(bytes);
                }
                gather
            }
        };
        loop {
            match gather.fill(
                &mut *self.ports.source,
                &*self.settings.filter,
                &*self.settings.destination,
                now.monotonic,
            )? {
                Filled::Full => break,
                Filled::AtEnd => {
                    self.at_end = true;
                    let due = gather.due(self.settings.batching.age, now.monotonic, now.wall);
                    let patient = self.filling == Filling::Patient;
                    match due {
                        Some(due) if patient && now.monotonic < due => {
                            self.gather = Some(gather);
                            return Ok(Step::Wait(Some(due)));
                        }
                        Some(_) => break,
                        None => return Ok(Step::Wait(None)),
                    }
                }
                Filled::Oversized { limit } if !self.guard.allows(now.monotonic, 1, 1) => {
                    // What stands before it goes; then there is nothing that waits for it.
                    if !gather.is_empty() {
                        break;
                    }
                    self.gather = Some(gather);
                    let reason = format!(
                        "more records are larger than the {limit} bytes that {} takes than dead_letter_rate allows: correct the \
                         destination or raise the rate; resume to dead-letter them",
                        self.settings.destination.kind()
                    );
                    self.hold(None, HoldKind::Rate, &reason, now);
                    return Ok(Step::Again);
                }
                Filled::Oversized { limit } => {
                    if let Err(error) = self.bury_oversized(limit, now)? {
                        self.gather = Some(gather);
                        self.back_off(None, Class::Storage, &error.to_string(), None, now);
                        return Ok(Step::Again);
                    }
                    self.guard.count(now.monotonic, 1, 1);
                    gather.settle_next(&mut *self.ports.source, Disposition::DeadLettered, now.monotonic);
                }
            }
        }
        self.at_end = false;
        self.admit(gather, now);
        Ok(Step::Again)
    }

    /// The source's next record fits into no request: that is no fault that anyone could mend by waiting.
    fn bury_oversized(&mut self, limit: u64, now: Now) -> Result<Result<(), DeadLetterError>, LaneError> {
        let Next::Record(record, _) = self.ports.source.peek()? else {
            return Ok(Ok(()));
        };
        let reason = format!(
            "the record weighs {} bytes in a request, more than the {limit} that {} takes",
            self.settings.destination.size(&record),
            self.settings.destination.kind()
        );
        let letter = DeadLetter {
            id: record.id,
            key: record.entry.key,
            time: record.entry.time,
            code: String::from("record_too_large"),
            reason,
            at: now.wall,
            attempts: 0,
            record: record.json.to_vec(),
        };
        Ok(self.ports.dead_letters.put_all(&[letter]))
    }

    /// A loss at the very front needs no entry, however long it is.
    fn pass_lost(&mut self) -> Result<(), LaneError> {
        while self.slots.is_empty() {
            let Next::Lost { to, how } = self.ports.source.peek()? else {
                break;
            };
            self.state.pass(to.saturating_sub(self.state.committed), how)?;
            self.dirty = true;
            self.ports.source.advance();
        }
        Ok(())
    }

    /// A closed batch becomes an entry.
    fn admit(&mut self, gather: Gather, now: Now) {
        let (at, ingested) = (gather.at, gather.ingested());
        if let Some((entry, rows)) = gather.close(now.wall) {
            let number = self.number();
            self.slots.push_back(Slot {
                ingested,
                ..Slot::new(number, at, rows, Role::Main)
            });
            self.state.entries.push(entry);
            self.dirty = true;
        }
    }

    /// Counts the leading entries that are complete, and moves the cursor.
    fn retire(&mut self) -> Result<(), LaneError> {
        let complete = self.state.advance();
        if complete == 0 {
            return Ok(());
        }
        self.slots.drain(..complete);
        self.guard.revoke();
        self.dirty = true;
        self.state.at = match (self.slots.front(), &self.gather) {
            (Some(slot), _) => slot.at,
            (None, Some(gather)) => gather.at,
            (None, None) => self.ports.source.hint(),
        };
        Ok(())
    }

    /// Nothing to send: what was settled is committed now.
    fn rest(&mut self, until: Option<Monotonic>) -> Result<Action, LaneError> {
        self.save()?;
        Ok(Action::Wait(until))
    }

    fn save(&mut self) -> Result<(), LaneError> {
        if self.dirty {
            self.ports.journal.commit(self.state.clone())?;
            self.dirty = false;
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("target", &self.settings.destination.target())
            .field("state", &self.state)
            .field("flow", &self.flow)
            .finish_non_exhaustive()
    }
}

/// What [`Lane::step`] found.
enum Step {
    Send(Action),
    Again,
    Wait(Option<Monotonic>),
}
