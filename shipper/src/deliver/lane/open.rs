//! From what the disk says to a lane that goes on as if nothing had happened.

use std::collections::{BTreeSet, VecDeque};

use super::side::{Kind, SideQueue, Turn};
use super::slot::{Role, Slot, Standing};
use super::{Activity, Filling, Flow, Lane, LaneError, Ports, Settings};
use crate::deliver::guard::Guard;
use crate::deliver::rows::Rows;
use crate::deliver::source::{Next, Source, SourceError};
use crate::destination::Fingerprint;
use crate::spool::cursor::{AttemptState, Counts, Disposition, Entry, Hint, Hold};
use crate::time::{Monotonic, Timestamp};

impl Lane {
    /// A lane that goes on where the journal of `ports` says. Reads the records of what is on its way.
    ///
    /// # Errors
    /// [`LaneError`].
    pub fn open(settings: Settings, mut ports: Ports, activity: Activity) -> Result<Self, LaneError> {
        let state = ports.journal.state().clone();
        ports.source.seek(state.committed, state.at)?;
        // What held the destination may be right by now: it is asked at once.
        let flow = match &state.hold {
            Some(_) => Flow::Waiting { until: Monotonic(0) },
            None => Flow::Open,
        };
        let mut lane = Self {
            guard: Guard::new(settings.dead_letter_rate),
            settings,
            ports,
            state,
            dirty: false,
            slots: VecDeque::new(),
            gather: None,
            side: None,
            queue: SideQueue::default(),
            turn: Turn::Main,
            activity,
            filling: Filling::Patient,
            flow,
            failures: 0,
            ceiling: None,
            next_number: 0,
            last_stored: None,
            trouble: None,
            stuck_since: None,
            at_end: false,
        };
        lane.load_entries()?;
        lane.load_side()?;
        lane.release_elsewhere();
        lane.remove_stray_letters()?;
        Ok(lane)
    }

    fn load_entries(&mut self) -> Result<(), LaneError> {
        let fingerprint = self.settings.destination.fingerprint();
        for index in 0..self.state.entries.len() {
            let number = self.number();
            let at = self.ports.source.hint();
            let entry = &mut self.state.entries[index];
            let Loaded { rows, loss, ingested } = load(entry, &mut *self.ports.source)?;
            let mut slot = Slot {
                ingested,
                ..Slot::new(number, at, rows, Role::Main)
            };
            recall(entry, &mut slot, &fingerprint);
            if let Loss::Some = loss {
                slot.give_up_attempt(entry, &mut self.state.counts);
                self.dirty = true;
            }
            self.slots.push_back(slot);
        }
        Ok(())
    }

    fn load_side(&mut self) -> Result<(), LaneError> {
        let fingerprint = self.settings.destination.fingerprint();
        if let Some(retry) = &self.state.retry {
            let rows = self.load_letters(&retry.records.clone())?;
            self.start_side(Kind::Retry, Hint::default(), rows);
            if let (Some(retry), Some(side)) = (&mut self.state.retry, &mut self.side) {
                recall(&mut retry.batch, &mut side.slot, &fingerprint);
                // A letter that somebody has removed meanwhile cannot be sent.
                let missing = (0..retry.batch.count()).filter(|&place| side.slot.rows.at(place).is_none());
                let missing: Vec<u32> = missing.collect();
                settle_lost(&mut retry.batch, &mut side.slot, &mut self.state.counts, missing);
            }
        } else if let Some(replay) = &mut self.state.replay
            && let Some(entry) = &mut replay.entry
        {
            let mut source = (self.ports.further_source)()?;
            source.seek(entry.first, Hint::default())?;
            let Loaded { rows, loss, .. } = load(entry, &mut *source)?;
            self.queue.stand(source);
            self.start_side(Kind::Replay, Hint::default(), rows);
            if let (Some(replay), Some(side)) = (&mut self.state.replay, &mut self.side)
                && let Some(entry) = &mut replay.entry
            {
                recall(entry, &mut side.slot, &fingerprint);
                if let Loss::Some = loss {
                    side.slot.give_up_attempt(entry, &mut self.state.counts);
                }
            }
        }
        Ok(())
    }

    /// Where records go elsewhere now, no sending can store twice what the other place has, or may have: nobody need be
    /// waited for.
    fn release_elsewhere(&mut self) {
        let target = self.settings.destination.fingerprint();
        let is_elsewhere = |hold: &Hold| hold.kind.waits_for_a_person() && hold.target != target;
        if !self.is_silent_copy() && self.state.hold.as_ref().is_some_and(is_elsewhere) {
            self.state.hold = None;
            self.dirty = true;
        }
    }

    /// A letter may have been written by a lane that died before its cursor said so. The record is pending then, and
    /// may yet be stored: the letter goes, and comes again if it is right.
    fn remove_stray_letters(&mut self) -> Result<(), LaneError> {
        let (first, end) = (self.state.committed, self.state.end());
        let letters = self
            .ports
            .dead_letters
            .list()?
            .into_iter()
            .filter(|(_, seq)| *seq >= first);
        let letters: BTreeSet<_> = letters.collect();
        if letters.is_empty() {
            return Ok(());
        }
        for (_, record) in self.slots.iter().flat_map(|slot| slot.rows.iter()) {
            if letters.contains(&(record.id.epoch, record.id.seq)) {
                self.ports.dead_letters.remove(record.id.epoch, record.id.seq)?;
            }
        }
        // Those of a batch that was being filled. Of another history of the spool there may be letters too: those stay, and so
        // do those whose record cannot be read.
        let mut source = (self.ports.further_source)()?;
        let mut hint = self.ports.source.hint();
        for (epoch, seq) in letters.into_iter().filter(|(_, seq)| *seq >= end) {
            if source.seek(seq, hint).is_err() {
                continue;
            }
            if let Ok(Next::Record(record, _)) = source.peek()
                && (record.id.epoch, record.id.seq) == (epoch, seq)
            {
                self.ports.dead_letters.remove(epoch, seq)?;
            }
            hint = source.hint();
        }
        Ok(())
    }
}

/// What of an entry could be read.
struct Loaded {
    rows: Rows,
    loss: Loss,
    ingested: Option<Timestamp>,
}

/// Whether anything could not.
enum Loss {
    None,
    Some,
}

/// Reads the records of `entry` that are pending from `source`, which stands at its first and then at its end. What is
/// lost is settled so.
fn load(entry: &mut Entry, source: &mut dyn Source) -> Result<Loaded, SourceError> {
    let mut loaded = Loaded {
        rows: Rows::default(),
        loss: Loss::None,
        ingested: None,
    };
    let mut place = 0;
    while place < entry.count() {
        match source.peek()? {
            Next::End => {
                return Err(SourceError::new(format_args!(
                    "the cursor knows record {}, but the spool ends before it: the spool was restored from an older \
                     copy, or its writer has not recovered it yet",
                    entry.end() - 1
                )));
            }
            Next::Lost { to, how } => {
                let to = to.saturating_sub(entry.first);
                let end = u32::try_from(to).map_or(entry.count(), |to| to.min(entry.count()));
                if entry.settled.settle_pending(place..end, how) > 0 {
                    loaded.loss = Loss::Some;
                }
                if to > u64::from(entry.count()) {
                    // The rest of the loss is for whatever follows.
                    source.seek(entry.end(), source.hint())?;
                    return Ok(loaded);
                }
                place = end;
            }
            Next::Record(record, ingested) => {
                if entry.settled.disposition(place) == Some(Disposition::Pending) {
                    loaded.rows.push(place, &record);
                    loaded.ingested.get_or_insert(ingested);
                }
                place += 1;
            }
        }
        source.advance();
    }
    Ok(loaded)
}

/// What a crash has left of a sending. That it was journalled as open means that it may have been sent, and stored.
fn recall(entry: &mut Entry, slot: &mut Slot, fingerprint: &Fingerprint) {
    let Some(attempt) = &mut entry.attempt else {
        // Under which configuration anything was stored is not known any more.
        entry.stored_any = false;
        return;
    };
    match attempt.state {
        AttemptState::Open => {
            slot.maybe_stored = true;
            attempt.sending.earlier = attempt.sending.earlier.saturating_add(1);
        }
        AttemptState::Conflict => slot.standing = Standing::Conflict,
        AttemptState::NotStored => {}
    }
    if attempt.fingerprint != *fingerprint {
        entry.stored_any = false;
    }
}

/// Settles `places` as dropped; the attempt that held them cannot be made again.
fn settle_lost(entry: &mut Entry, slot: &mut Slot, counts: &mut Counts, places: Vec<u32>) {
    let mut lost = 0;
    for place in places {
        lost += entry
            .settled
            .settle_pending(place..place.saturating_add(1), Disposition::Dropped);
    }
    if lost > 0 {
        slot.give_up_attempt(entry, counts);
    }
}
