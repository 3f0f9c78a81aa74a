//! From an entry to a request: the journalled one again, or a new one.

use super::slot::{Slot, Standing, pending};
use super::{Action, Flow, Lane, LaneError, Now, Settings, Step, Ticket};
use crate::deliver::rows::bounds;
use crate::destination::{Attempt, Batch, BodyDigest, Context, EncodeError, Record};
use crate::random::Random;
use crate::spool::cursor::{AttemptState, Counts, Entry, HoldKind, JournalledAttempt};

/// What [`prepare`] made.
pub(super) enum Prepared {
    /// To be sent as soon as the entry is committed.
    Request(Box<http::Request<Vec<u8>>>),
    /// There is nothing pending.
    Nothing,
    /// It cannot be made: the destination is held.
    Held(HoldKind, String),
}

/// A request, and the digest of what is in it.
type Encoded = (Box<http::Request<Vec<u8>>>, BodyDigest);

/// What [`prepare`] works with.
pub(super) struct Parts<'a> {
    pub(super) settings: &'a Settings,
    pub(super) random: &'a dyn Random,
    pub(super) counts: &'a mut Counts,
    pub(super) dirty: &'a mut bool,
}

/// Makes the next request of `entry`. What has to be committed before it is sent is in the entry then.
pub(super) fn prepare(
    parts: &mut Parts<'_>,
    entry: &mut Entry,
    slot: &mut Slot,
    now: Now,
) -> Result<Prepared, LaneError> {
    if let Some(again) = prepare_again(parts, entry, slot, now) {
        return Ok(again);
    }
    let destination = &*parts.settings.destination;
    if slot.standing == Standing::Exhausted {
        slot.search.probe();
    }
    let Some(range) = slot.search.next(&pending(entry), slot.evidence(entry)) else {
        return Ok(Prepared::Nothing);
    };
    let records = slot.rows.pending(&range, &entry.settled);
    let Some(bounds) = bounds(&records) else {
        return Ok(Prepared::Nothing);
    };
    let nonce = parts.random.next_u64()?;
    let (format, compression) = destination.body();
    let mut sending = Attempt {
        nonce,
        made_at: entry.made_at,
        name: String::new(),
        format,
        compression,
        earlier: 0,
    };
    if is_stale(parts.settings, &records, &sending, now) {
        entry.made_at = now.wall;
        sending.made_at = now.wall;
    }
    sending.name = destination.name(&bounds, sending.made_at, nonce);
    if sending.name.len() > JournalledAttempt::MAX_NAME {
        let reason = format!(
            "the name of a batch would have {} bytes, more than {}: shorten its template",
            sending.name.len(),
            JournalledAttempt::MAX_NAME
        );
        return Ok(Prepared::Held(HoldKind::Config, reason));
    }
    let (request, digest) = match encode(parts.settings, &records, &sending, now) {
        Ok(encoded) => encoded,
        Err(held) => return Ok(held),
    };
    entry.attempt = Some(JournalledAttempt {
        range,
        sending,
        digest,
        fingerprint: destination.fingerprint(),
        state: AttemptState::Open,
    });
    slot.maybe_stored = false;
    slot.standing = Standing::Normal;
    *parts.dirty = true;
    Ok(Prepared::Request(request))
}

/// The journalled request again, from the journal and not from the configuration. `None` when there is none, or when
/// it cannot be made any more: the destination is another one now, the same records give other bytes, or its time is over.
/// It is given up then, and what is pending goes out under a new name.
fn prepare_again(parts: &mut Parts<'_>, entry: &mut Entry, slot: &mut Slot, now: Now) -> Option<Prepared> {
    let attempt = entry.attempt.as_mut()?;
    let same_destination = attempt.fingerprint == parts.settings.destination.fingerprint();
    if same_destination {
        let records = slot.rows.pending(&attempt.range, &entry.settled);
        match encode(parts.settings, &records, &attempt.sending, now) {
            _ if is_stale(parts.settings, &records, &attempt.sending, now) => {}
            Err(held) => return Some(held),
            Ok((request, digest)) if digest == attempt.digest => {
                // While a name is in conflict, what it answers proves nothing: the journal goes on saying so.
                if attempt.state == AttemptState::NotStored {
                    attempt.state = AttemptState::Open;
                    *parts.dirty = true;
                }
                return Some(Prepared::Request(request));
            }
            // It is configured in another way: what its answers were says nothing of these bytes.
            Ok(_) => slot.forget_answers(entry),
        }
    } else {
        slot.forget_answers(entry);
    }
    slot.give_up_attempt(entry, parts.counts);
    *parts.dirty = true;
    None
}

fn is_stale(settings: &Settings, records: &[Record<'_>], sending: &Attempt, now: Now) -> bool {
    let batch = Batch {
        records,
        attempt: sending,
    };
    settings.destination.is_stale(&batch, now.wall)
}

fn encode(
    settings: &Settings,
    records: &[Record<'_>],
    sending: &Attempt,
    now: Now,
) -> Result<Encoded, Prepared> {
    let batch = Batch {
        records,
        attempt: sending,
    };
    match settings.destination.encode(&batch, &Context::at(now.wall)) {
        Ok(request) => match request.extensions().get::<BodyDigest>().copied() {
            Some(digest) => Ok((Box::new(request), digest)),
            None => {
                let reason = format!(
                    "{} made a request without a digest: report this",
                    settings.destination.kind()
                );
                Err(Prepared::Held(HoldKind::Config, reason))
            }
        },
        Err(error) => {
            let kind = match error {
                EncodeError::Credentials(_) => HoldKind::Auth,
                EncodeError::Request(_) => HoldKind::Config,
            };
            Err(Prepared::Held(kind, error.to_string()))
        }
    }
}

impl Lane {
    /// The next request of entry `index`.
    pub(super) fn send_main(&mut self, index: usize, now: Now) -> Result<Step, LaneError> {
        let (Some(entry), Some(slot)) = (self.state.entries.get_mut(index), self.slots.get_mut(index)) else {
            return Ok(Step::Again);
        };
        let mut parts = Parts {
            settings: &self.settings,
            random: &*self.ports.random,
            counts: &mut self.state.counts,
            dirty: &mut self.dirty,
        };
        let prepared = prepare(&mut parts, entry, slot, now)?;
        let number = slot.number;
        match prepared {
            Prepared::Nothing => Ok(Step::Again),
            Prepared::Held(kind, reason) => {
                self.hold(Some(number), kind, &reason, now);
                Ok(Step::Again)
            }
            Prepared::Request(request) => {
                self.save()?;
                let ticket = Ticket(self.number());
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.in_flight = Some(ticket);
                }
                Ok(Step::Send(Action::Send { ticket, request }))
            }
        }
    }

    /// Whether what happens to slot `number` decides how the lane stands to its destination: while a probe is on its
    /// way, or awaited, what others hear is old news.
    pub(super) fn decides(&self, number: Option<u64>) -> bool {
        match self.flow {
            Flow::Open | Flow::Probing { slot: None } => true,
            Flow::Probing { slot } => slot == number,
            Flow::Waiting { .. } => false,
        }
    }
}
