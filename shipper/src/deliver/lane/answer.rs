//! From an answer to what is settled, and to how the lane stands to its destination.

use std::time::Duration;

use super::side::Kind;
use super::slot::{Slot, Standing, pending};
use super::{Class, Flow, Lane, Now, Ticket, Trouble};
use crate::deliver::guard::{EMPTY_AFTER, Guard};
use crate::deliver::journal::DeadLetters;
use crate::deliver::search::Finding;
use crate::destination::{Batch, Outcome, Verdict};
use crate::spool::cursor::{Counts, Disposition, Entry, Hold, HoldKind};
use crate::spool::dead_letter::{DeadLetter, DeadLetterError};
use crate::transport::SendError;

/// How long a receiver's "too large" is believed before a full batch is tried again.
const CEILING_HOLDS: Duration = Duration::from_secs(600);

/// Whose batch was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The entry at this index.
    Main(usize),
    /// The side job.
    Side(Kind),
}

/// What an answer asks of the whole lane.
enum Consequence {
    /// The destination works.
    Works,
    /// The destination works, but wants less of us.
    Pause(Option<Duration>),
    /// The same slot goes on at once.
    Narrowed,
    /// Later.
    BackOff(Class, String, Option<Duration>),
    /// Later, and a person should know.
    Hold(HoldKind, String),
}

/// What [`judge`] works with: the lane without the batch.
struct Court<'a> {
    counts: &'a mut Counts,
    guard: &'a mut Guard,
    dead_letters: &'a mut dyn DeadLetters,
    whose: Whose,
    now: Now,
    /// Whether anything was stored.
    stored: Stored,
    /// What of a replay was rejected, for a person: nothing else keeps it.
    not_repeated: Option<String>,
}

/// Whether an answer said that anything is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nothing,
    Something,
}

impl Lane {
    /// Tells what came of a request. What it settles is committed by the next [`Lane::poll`]. A ticket that is not on
    /// its way (of a lane before this one) is ignored.
    pub fn complete(&mut self, ticket: Ticket, result: Result<http::Response<Vec<u8>>, SendError>, now: Now) {
        let main = self.slots.iter().position(|slot| slot.in_flight == Some(ticket));
        let (whose, entry, slot) = if let Some(index) = main {
            (
                Whose::Main(index),
                self.state.entries.get_mut(index),
                self.slots.get_mut(index),
            )
        } else if let Some(side) = self
            .side
            .as_mut()
            .filter(|side| side.slot.in_flight == Some(ticket))
        {
            let entry = side.kind.entry(&mut self.state.replay, &mut self.state.retry);
            (Whose::Side(side.kind), entry, Some(&mut side.slot))
        } else {
            return;
        };
        let (Some(entry), Some(slot)) = (entry, slot) else {
            return;
        };
        slot.in_flight = None;
        let Some(attempt) = entry.attempt.clone() else {
            return;
        };
        let records = slot.rows.pending(&attempt.range, &entry.settled);
        let sent: u64 = records
            .iter()
            .map(|record| self.settings.destination.size(record))
            .sum();
        let outcome = match result {
            Ok(response) => {
                let batch = Batch {
                    records: &records,
                    attempt: &attempt.sending,
                };
                self.settings.destination.decode(&batch, &response)
            }
            Err(error) => of_send_error(error),
        };
        let outcome = checked(outcome, records.len());
        drop(records);
        let too_large = matches!(outcome, Outcome::TooLarge { .. });
        let mut court = Court {
            counts: &mut self.state.counts,
            guard: &mut self.guard,
            dead_letters: &mut *self.ports.dead_letters,
            whose,
            now,
            stored: Stored::Nothing,
            not_repeated: None,
        };
        let consequence = court.judge(entry, slot, outcome);
        let not_repeated = court.not_repeated.take();
        if court.stored == Stored::Something {
            self.last_stored = Some(now.wall);
        }
        let number = slot.number;
        self.dirty = true;
        match consequence {
            Consequence::Narrowed if too_large => {
                self.ceiling = Some((sent / 2, now.monotonic.plus(CEILING_HOLDS)));
            }
            // It finds everything too large: that is not about sizes.
            Consequence::Hold(..) if too_large => self.ceiling = None,
            _ => {}
        }
        self.follow(number, consequence, now);
        if let Some(reason) = not_repeated {
            self.trouble = Some(Trouble::new(Class::Rejected, now.wall, &reason));
        }
    }

    fn follow(&mut self, number: u64, consequence: Consequence, now: Now) {
        match consequence {
            Consequence::Narrowed => {}
            Consequence::Works => self.works(number, Flow::Open),
            Consequence::Pause(after) => {
                let asked = Some(after.unwrap_or_default());
                let wait = self.settings.retry.wait(0, asked, &*self.ports.random);
                self.works(
                    number,
                    Flow::Waiting {
                        until: now.monotonic.plus(wait),
                    },
                );
                let reason = "some records are to be tried again";
                self.trouble = Some(Trouble::new(Class::Throttled, now.wall, reason));
            }
            Consequence::BackOff(class, reason, after) => {
                self.back_off(Some(number), class, &reason, after, now);
            }
            Consequence::Hold(kind, reason) => self.hold(Some(number), kind, &reason, now),
        }
    }

    fn works(&mut self, number: u64, flow: Flow) {
        self.stuck_since = None;
        // That another batch is acknowledged says nothing of the one that is not.
        if self.decides(Some(number)) && !self.waits_for_a_person() {
            self.flow = flow;
            self.failures = 0;
            self.state.hold = None;
        }
    }

    /// The lane waits, without a hold. With one that is older it goes on being held.
    pub(super) fn back_off(
        &mut self,
        number: Option<u64>,
        class: Class,
        reason: &str,
        after: Option<Duration>,
        now: Now,
    ) {
        self.trouble = Some(Trouble::new(class, now.wall, reason));
        self.stuck_since.get_or_insert(now.wall);
        // While the lane waits the process may end and the configuration change: what is known not to be stored need not be
        // feared twice.
        for (entry, slot) in self.state.entries.iter_mut().zip(&self.slots) {
            if slot.in_flight.is_none() {
                self.dirty |= slot.mark_not_stored(entry);
            }
        }
        if !self.decides(number) {
            return;
        }
        let policy = if self.state.hold.is_some() {
            &self.settings.probe
        } else {
            &self.settings.retry
        };
        let wait = policy.wait(self.failures, after, &*self.ports.random);
        self.failures = self.failures.saturating_add(1);
        self.flow = Flow::Waiting {
            until: now.monotonic.plus(wait),
        };
    }

    /// The lane waits for somebody to put things right, and asks from time to time whether they are.
    pub(super) fn hold(&mut self, number: Option<u64>, kind: HoldKind, reason: &str, now: Now) {
        if self.waits_for_a_person() && !kind.waits_for_a_person() {
            // It is not asked again before somebody says so, whatever else is wrong.
            return self.back_off(number, Class::of(kind), reason, None, now);
        }
        let since = match &self.state.hold {
            Some(hold) if hold.kind == kind => hold.since,
            _ => {
                if self.decides(number) {
                    self.failures = 0;
                }
                now.wall
            }
        };
        self.state.hold = Some(Hold::new(
            kind,
            reason,
            since,
            self.settings.destination.fingerprint(),
        ));
        self.dirty = true;
        self.back_off(number, Class::of(kind), reason, None, now);
    }
}

impl Court<'_> {
    /// Settles what `outcome` says of the records of the entry's attempt.
    fn judge(&mut self, entry: &mut Entry, slot: &mut Slot, outcome: Outcome) -> Consequence {
        let Some(attempt) = &mut entry.attempt else {
            return Consequence::Narrowed;
        };
        attempt.sending.earlier = attempt.sending.earlier.saturating_add(1);
        let range = attempt.range.clone();
        match outcome {
            Outcome::Stored => {
                self.stored(entry, slot);
                Consequence::Works
            }
            Outcome::Exists { .. } if slot.maybe_stored => {
                let stored = self.stored(entry, slot);
                self.counts.unverified = self.counts.unverified.saturating_add(stored);
                Consequence::Works
            }
            Outcome::Exists { reason } | Outcome::Taken { reason } => {
                slot.maybe_stored = false;
                slot.standing = Standing::Conflict;
                let reason = format!(
                    "the name {} has something that is not known to be this batch: {reason}. If the spool was copied, give \
                     the copy another id; resume to send under a new name",
                    attempt.sending.name
                );
                Consequence::Hold(HoldKind::Conflict, reason)
            }
            Outcome::Verdicts(verdicts) => self.verdicts(entry, slot, verdicts),
            Outcome::Throttled { after, reason } => {
                Consequence::BackOff(Class::Throttled, format!("throttled: {reason}"), after)
            }
            Outcome::Unavailable { after, reason } => Consequence::BackOff(Class::Unavailable, reason, after),
            Outcome::Unclear { reason } => {
                slot.maybe_stored |= slot.standing != Standing::Conflict;
                Consequence::BackOff(
                    Class::Unclear,
                    format!("unclear whether it is stored: {reason}"),
                    None,
                )
            }
            Outcome::Unacknowledged { again, reason } => {
                slot.maybe_stored = true;
                slot.unacknowledged = slot.unacknowledged.saturating_add(1);
                if slot.unacknowledged <= again {
                    return Consequence::BackOff(Class::Unacknowledged, reason, None);
                }
                let reason =
                    format!("{reason}; `auditship resume` sends it once more, which may store it twice");
                Consequence::Hold(HoldKind::Unacknowledged, reason)
            }
            Outcome::Auth { reason } => Consequence::Hold(HoldKind::Auth, reason),
            Outcome::Config { reason } => Consequence::Hold(HoldKind::Config, reason),
            Outcome::TooLarge { reason } => {
                let finding = slot
                    .search
                    .too_large(&range, &pending(entry), slot.evidence(entry));
                self.found(entry, slot, finding, "request_too_large", &reason)
            }
            Outcome::Refused { code, reason } => {
                let finding = slot.search.refused(&range, &pending(entry), slot.evidence(entry));
                self.found(entry, slot, finding, &code, &reason)
            }
        }
    }

    /// All of the attempt is stored; returns how many records that are.
    fn stored(&mut self, entry: &mut Entry, slot: &mut Slot) -> u64 {
        let Some(attempt) = entry.attempt.take() else {
            return 0;
        };
        let stored = u64::from(
            entry
                .settled
                .settle_pending(attempt.range, Disposition::Delivered),
        );
        entry.stored_any = true;
        slot.maybe_stored = false;
        slot.standing = Standing::Normal;
        slot.search.settled();
        self.guard.count(self.now.monotonic, 0, stored);
        self.stored = Stored::Something;
        stored
    }

    /// One verdict a record. Those that are stored are settled whatever becomes of the others.
    fn verdicts(&mut self, entry: &mut Entry, slot: &mut Slot, verdicts: Vec<Verdict>) -> Consequence {
        let Some(attempt) = &entry.attempt else {
            return Consequence::Narrowed;
        };
        let places: Vec<u32> = entry.settled.pending_in(attempt.range.clone()).collect();
        let all = verdicts.len() as u64;
        let (mut stored, mut at_once, mut again, mut after) = (0u64, 0u64, 0u64, None::<Duration>);
        let (mut not_kept, mut unclear) = (0u64, 0u64);
        let mut rejected = Vec::new();
        for (place, verdict) in places.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Stored => {
                    entry.settled.settle(place, Disposition::Delivered);
                    stored += 1;
                }
                Verdict::Retry {
                    after: Some(Duration::ZERO),
                } => at_once += 1,
                Verdict::Retry { after: asked } => {
                    again += 1;
                    after = after.max(asked);
                }
                Verdict::Unclear => {
                    unclear += 1;
                    again += 1;
                }
                Verdict::Rejected { code, reason } => rejected.push((place, code, reason)),
                Verdict::NotKept { code, reason } => {
                    not_kept += 1;
                    rejected.push((place, code, reason));
                }
            }
        }
        if stored > 0 {
            entry.stored_any = true;
            self.guard.count(self.now.monotonic, 0, stored);
            self.stored = Stored::Something;
        }
        let count = rejected.len() as u64;
        let sample = rejected
            .first()
            .map(|(_, code, reason)| format!("{code}: {reason}"));
        let allowed = self.allows(count);
        let buried = if allowed {
            self.bury(entry, slot, &rejected)
        } else {
            Ok(0)
        };
        let settled = stored + *buried.as_ref().unwrap_or(&0);
        // The receiver has judged this name: what is left is another body, or at least another request.
        slot.give_up_attempt(entry, self.counts);
        self.counts.redelivered = self.counts.redelivered.saturating_add(unclear);
        if settled > 0 {
            slot.search.settled();
        }
        if let Err(error) = buried {
            let reason = error.to_string();
            // Sent again it may be there once more, each time, for as long as the disk is as it is.
            return match not_kept + unclear {
                0 => Consequence::BackOff(Class::Storage, reason, None),
                _ => Consequence::Hold(
                    HoldKind::NotKept,
                    format!("{reason}; nothing is sent before a resume, since each sending may leave copies"),
                ),
            };
        }
        if !allowed && not_kept > 0 {
            let reason = format!(
                "{not_kept} of {all} records were taken and are not kept ({}), more than dead_letter_rate allows, and sent \
                 again they may leave copies: correct the destination or raise the rate; nothing is sent before a resume, \
                 which dead-letters them",
                sample.unwrap_or_default()
            );
            return Consequence::Hold(HoldKind::NotKept, reason);
        }
        if !allowed && unclear > 0 {
            let reason = format!(
                "{count} of {all} records were rejected ({}), more than dead_letter_rate allows, and each sending may store \
                 {unclear} others once more: correct the destination or raise the rate; nothing is sent before a resume, which \
                 dead-letters them",
                sample.unwrap_or_default()
            );
            return Consequence::Hold(HoldKind::NotKept, reason);
        }
        if !allowed {
            let reason = format!(
                "{count} of {all} records were rejected ({}), more than dead_letter_rate allows: correct the \
                 destination or raise the rate; resume to dead-letter them",
                sample.unwrap_or_default()
            );
            return Consequence::Hold(HoldKind::Rate, reason);
        }
        match (again, settled) {
            (0, 1..) => Consequence::Works,
            (0, 0) if at_once == 0 => Consequence::Works,
            (again, 0) => {
                let reason = format!("all {} records are to be tried again", again + at_once);
                Consequence::BackOff(Class::Throttled, reason, after)
            }
            (_, _) => Consequence::Pause(after),
        }
    }

    /// What the search makes of a refusal.
    fn found(
        &mut self,
        entry: &mut Entry,
        slot: &mut Slot,
        finding: Finding,
        code: &str,
        reason: &str,
    ) -> Consequence {
        let finding = match finding {
            Finding::Cause(place) if self.allows(1) => {
                let buried = self.bury(entry, slot, &[(place, code.to_owned(), reason.to_owned())]);
                slot.give_up_attempt(entry, self.counts);
                slot.search.settled();
                return match buried {
                    Ok(_) => Consequence::Works,
                    Err(error) => Consequence::BackOff(Class::Storage, error.to_string(), None),
                };
            }
            finding => finding,
        };
        slot.give_up_attempt(entry, self.counts);
        match finding {
            Finding::Narrowed => Consequence::Narrowed,
            Finding::Hold => {
                slot.standing = Standing::Exhausted;
                let reason = format!(
                    "records are refused one by one ({code}: {reason}), and none of their batch was stored: it is the \
                     destination's configuration, or every record of the batch. Nothing is given up"
                );
                Consequence::Hold(HoldKind::Refused, reason)
            }
            Finding::Cause(_) => {
                let reason = format!(
                    "more than {} records and dead_letter_rate were refused within {} s (the last: {code}: {reason}): \
                     correct the destination or raise the rate; resume to dead-letter them",
                    Guard::FLOOR,
                    EMPTY_AFTER.as_secs()
                );
                Consequence::Hold(HoldKind::Rate, reason)
            }
        }
    }

    /// Whether `count` records may become dead letters now. Beside the order nothing becomes one that is none.
    fn allows(&self, count: u64) -> bool {
        matches!(self.whose, Whose::Side(_)) || self.guard.allows(self.now.monotonic, count, count)
    }

    /// Makes the records at places of the attempt dead letters, durable before any commit can say so; returns how many.
    fn bury(
        &mut self,
        entry: &mut Entry,
        slot: &Slot,
        rejected: &[(u32, String, String)],
    ) -> Result<u64, DeadLetterError> {
        let attempts = entry
            .attempt
            .as_ref()
            .map_or(1, |attempt| attempt.sending.earlier);
        // A replay only repeats what has its disposition already.
        if self.whose == Whose::Side(Kind::Replay) {
            self.not_repeated = rejected.first().map(|(_, code, reason)| {
                let count = rejected.len();
                format!(
                    "{count} records of a replay were rejected and not stored again (the first: {code}: {reason}); they \
                     count as what they were before it"
                )
            });
        } else {
            let letters = rejected.iter().filter_map(|(place, code, reason)| {
                let record = slot.rows.at(*place)?;
                Some(DeadLetter {
                    id: record.id,
                    key: record.entry.key,
                    time: record.entry.time,
                    code: code.clone(),
                    reason: reason.clone(),
                    at: self.now.wall,
                    attempts,
                    record: record.json.to_vec(),
                })
            });
            self.dead_letters.put_all(&letters.collect::<Vec<_>>())?;
        }
        for (place, _, _) in rejected {
            entry.settled.settle(*place, Disposition::DeadLettered);
        }
        let count = rejected.len() as u64;
        if let Whose::Main(_) = self.whose {
            self.guard.count(self.now.monotonic, count, count);
        }
        Ok(count)
    }
}

/// What no answer means.
fn of_send_error(error: SendError) -> Outcome {
    match error {
        SendError::NotSent { reason } => Outcome::Unavailable { after: None, reason },
        SendError::NoCredentials { reason } => Outcome::Auth { reason },
        SendError::Tls { .. } => Outcome::Config {
            reason: error.to_string(),
        },
        SendError::Unanswered { reason } => Outcome::Unclear { reason },
    }
}

/// A destination that gives another number of verdicts than records were sent has said nothing.
fn checked(outcome: Outcome, records: usize) -> Outcome {
    match outcome {
        Outcome::Verdicts(verdicts) if verdicts.len() != records => Outcome::Unclear {
            reason: format!("{} verdicts for {records} records", verdicts.len()),
        },
        outcome => outcome,
    }
}
