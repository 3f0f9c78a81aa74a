//! What of a batch to send next, after a receiver has refused it or found it too large. Pure.
//!
//! A receiver that answers "400" to a thousand records does not say which one it means. The search descends into the
//! failing half until one record is left, which is then refused alone; the rest goes as one batch. For `k` refused
//! records among `n` that takes at most `k * ceil(log2 n) + 2k + 1` requests (and one more for each hold, see below).
//!
//! # Invariants
//! 1. Every request is a run of the batch's pending records that starts at the first one, so the order of what is
//!    stored is the order of the spool. The only exceptions are records that were set aside.
//! 2. A record counts as found only if it was refused **alone** after another record of the batch had been stored. One
//!    that is refused alone while nothing is stored is *set aside*: it may be the destination that is wrong, not the
//!    record. Records set aside are the first pending ones, and are asked again, one by one, as soon as anything is stored.
//! 3. After a few were set aside with nothing stored, the search asks for a hold. Each [`Search::probe`] then sends the
//!    whole batch once (a healed destination takes it in order) and, when that is refused too, goes on behind what was
//!    set aside, twice as far as the last time. So a run of refused records in front cannot block for ever, and a
//!    destination that refuses everything is not asked about each record.
//!
//! Places are indices into the journal entry, not positions among what is pending: they stay valid while records settle.

use std::ops::Range;

/// The state of the search for one batch. Nothing of it is journalled: after a crash the search starts over with what
/// is still pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The most records of a request; halved when one was too large.
    piece: usize,
    /// Among the pending records before this place (and not set aside) is one that is refused.
    failing: Option<u32>,
    /// Pending records before this place are set aside.
    aside: u32,
    /// How many more may be set aside before a hold.
    allowance: u32,
    /// How many may be set aside between two probes.
    burst: u32,
    /// The next request is everything, what was set aside included.
    whole: bool,
}

/// What a refusal tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the lane must treat all of them")]
pub enum Finding {
    /// Ask [`Search::next`] and send.
    Narrowed,
    /// The record at this place is the cause: alone it is refused, while others of its batch were stored.
    Cause(u32),
    /// Everything so far was refused, and nothing stored: the destination is wrong, or too many records are.
    Hold,
}

/// Whether a record of the batch was stored under the configuration that refuses others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two cases")]
pub enum Evidence {
    /// Nothing yet: a refusal may mean the destination.
    None,
    /// At least one: a refusal of a single record means the record.
    Stored,
}

impl Default for Search {
    fn default() -> Self {
        Self::new()
    }
}

impl Search {
    /// How many records are refused alone, with nothing stored, before the first hold.
    pub const PATIENCE: u32 = 3;
    /// The most records that are set aside between two probes.
    const LONGEST_BURST: u32 = 16;

    /// Nothing is known: the whole batch is sent.
    pub fn new() -> Self {
        Self {
            piece: usize::MAX,
            failing: None,
            aside: 0,
            allowance: Self::PATIENCE,
            burst: 1,
            whole: false,
        }
    }

    /// The places of the next request: its records are those of `pending` inside the range. `pending` are the places
    /// that are not settled, in order; `None` when there are none.
    pub fn next(&self, pending: &[u32], evidence: Evidence) -> Option<Range<u32>> {
        let (&first, &last) = (pending.first()?, pending.last()?);
        let behind = &pending[pending.partition_point(|&place| place < self.aside)..];
        if evidence == Evidence::Stored && first < self.aside {
            return Some(first..first + 1);
        }
        if self.whole || behind.is_empty() {
            return Some(first..last + 1);
        }
        let suspects = match self.failing {
            Some(failing) => &behind[..behind.partition_point(|&place| place < failing)],
            None => &[],
        };
        let wanted = match suspects.len() {
            0 => behind.len(),
            1 => 1,
            failing => failing / 2,
        };
        let sent = &behind[..wanted.min(self.piece)];
        Some(sent[0]..sent[sent.len() - 1] + 1)
    }

    /// The request of the places `sent` was refused for what it holds. `pending` as for [`Search::next`], before this
    /// answer, which settles nothing.
    pub fn refused(&mut self, sent: &Range<u32>, pending: &[u32], evidence: Evidence) -> Finding {
        let inside = within(sent, pending);
        if self.whole && self.aside > 0 && evidence == Evidence::None {
            return self.after_probe(pending);
        }
        self.whole = false;
        if inside > 1 {
            self.failing = Some(sent.end);
            return Finding::Narrowed;
        }
        self.alone(sent.start, pending, evidence)
    }

    /// The request of the places `sent` was too large.
    pub fn too_large(&mut self, sent: &Range<u32>, pending: &[u32], evidence: Evidence) -> Finding {
        let inside = within(sent, pending);
        if self.whole && self.aside > 0 && evidence == Evidence::None {
            return self.after_probe(pending);
        }
        self.whole = false;
        if inside > 1 {
            self.piece = inside / 2;
            return Finding::Narrowed;
        }
        self.alone(sent.start, pending, evidence)
    }

    /// Something of the batch was settled by the answer to a request.
    pub fn settled(&mut self) {
        self.whole = false;
    }

    /// The destination is asked again after a hold: whole first, then further than the last time.
    pub fn probe(&mut self) {
        self.whole = true;
        self.allowance = self.burst;
        self.burst = (self.burst * 2).min(Self::LONGEST_BURST);
    }

    /// One record, alone.
    fn alone(&mut self, place: u32, pending: &[u32], evidence: Evidence) -> Finding {
        // A record that was set aside says nothing of where the search is among those behind it.
        if place >= self.aside {
            self.failing = None;
        }
        if evidence == Evidence::Stored {
            return Finding::Cause(place);
        }
        self.aside = place + 1;
        self.allowance = self.allowance.saturating_sub(1);
        let is_last = pending.last().is_none_or(|&last| last < self.aside);
        if self.allowance == 0 || is_last {
            return Finding::Hold;
        }
        Finding::Narrowed
    }

    /// The whole batch was refused once more, as was to be expected of what is set aside.
    fn after_probe(&mut self, pending: &[u32]) -> Finding {
        self.whole = false;
        if pending.last().is_none_or(|&last| last < self.aside) {
            return Finding::Hold;
        }
        Finding::Narrowed
    }
}

fn within(sent: &Range<u32>, pending: &[u32]) -> usize {
    let before = |end: u32| pending.partition_point(|&place| place < end);
    before(sent.end) - before(sent.start)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A receiver that refuses requests with any of `poison` in them, and those of more than `room` records.
    struct Receiver {
        poison: BTreeSet<u32>,
        room: usize,
        stored: Vec<u32>,
        requests: usize,
    }

    struct Run {
        receiver: Receiver,
        found: Vec<u32>,
        holds: usize,
    }

    /// Searches a batch of `count` records, probing at once after each hold, at most `most_holds` times.
    fn run(count: u32, poison: &BTreeSet<u32>, room: usize, most_holds: usize) -> Run {
        let mut search = Search::new();
        let mut pending: Vec<u32> = (0..count).collect();
        let mut evidence = Evidence::None;
        let mut run = Run {
            receiver: Receiver {
                poison: poison.clone(),
                room,
                stored: Vec::new(),
                requests: 0,
            },
            found: Vec::new(),
            holds: 0,
        };
        while let Some(range) = search.next(&pending, evidence) {
            let receiver = &mut run.receiver;
            receiver.requests += 1;
            assert!(receiver.requests < 100_000, "the search ends");
            let sent: Vec<u32> = pending
                .iter()
                .copied()
                .filter(|place| range.contains(place))
                .collect();
            assert!(!sent.is_empty());
            let finding = if sent.len() > receiver.room {
                search.too_large(&range, &pending, evidence)
            } else if sent.iter().any(|place| receiver.poison.contains(place)) {
                search.refused(&range, &pending, evidence)
            } else {
                receiver.stored.extend(&sent);
                pending.retain(|place| !range.contains(place));
                evidence = Evidence::Stored;
                search.settled();
                Finding::Narrowed
            };
            match finding {
                Finding::Narrowed => {}
                Finding::Cause(place) => {
                    assert_eq!(evidence, Evidence::Stored);
                    assert_eq!(sent, [place]);
                    run.found.push(place);
                    pending.retain(|other| *other != place);
                    search.settled();
                }
                Finding::Hold => {
                    assert_eq!(evidence, Evidence::None);
                    run.holds += 1;
                    if run.holds > most_holds {
                        break;
                    }
                    search.probe();
                }
            }
        }
        run
    }

    fn bound(count: u32, poison: usize) -> usize {
        let log = usize::try_from(count.next_power_of_two().trailing_zeros()).unwrap();
        poison * log + 2 * poison + 1
    }

    #[test]
    fn a_good_batch_is_one_request() {
        let run = run(1_000, &BTreeSet::new(), usize::MAX, 0);
        assert_eq!(
            (run.receiver.requests, run.receiver.stored.len(), run.holds),
            (1, 1_000, 0)
        );
    }

    #[test]
    fn every_pair_among_up_to_nine_is_found_inside_the_bound() {
        for count in 2..=9 {
            for first in 0..count {
                for second in first..count {
                    let poison = BTreeSet::from([first, second]);
                    if poison.len() == count as usize {
                        continue;
                    }
                    let run = run(count, &poison, usize::MAX, 0);
                    assert_eq!(run.found, poison.iter().copied().collect::<Vec<_>>());
                    assert!(
                        run.receiver.requests <= bound(count, poison.len()),
                        "{count} {poison:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_receiver_that_refuses_everything_finds_nothing_and_is_asked_little() {
        let run = run(1_024, &(0..1_024).collect(), usize::MAX, 0);
        assert_eq!((run.found.len(), run.holds), (0, 1));
        // Ten steps down to the first record, then nine or ten for each of the next two, and the rest in between.
        assert!(run.receiver.requests <= 33, "{}", run.receiver.requests);
    }

    #[test]
    fn a_single_refused_record_holds_and_is_asked_once_a_probe() {
        let run = run(1, &BTreeSet::from([0]), usize::MAX, 5);
        assert_eq!((run.found.len(), run.holds, run.receiver.requests), (0, 6, 6));
    }

    #[test]
    fn a_run_in_front_is_crossed_in_few_probes() {
        let run = run(500, &(0..200).collect(), usize::MAX, 100);
        assert_eq!(run.found, (0..200).collect::<Vec<_>>());
        assert_eq!(run.receiver.stored, (200..500).collect::<Vec<_>>());
        assert!(run.holds <= 18, "{}", run.holds);
    }

    #[test]
    fn a_healed_receiver_takes_everything_in_order_at_the_probe() {
        let mut search = Search::new();
        let pending: Vec<u32> = (0..100).collect();
        let mut requests = 0;
        loop {
            requests += 1;
            assert!(requests < 1_000);
            let range = search.next(&pending, Evidence::None).unwrap();
            if search.refused(&range, &pending, Evidence::None) == Finding::Hold {
                break;
            }
        }
        search.probe();
        assert_eq!(search.next(&pending, Evidence::None), Some(0..100));
    }

    #[test]
    fn too_large_halves_and_keeps_the_order() {
        let run = run(1_000, &BTreeSet::new(), 300, 0);
        assert_eq!(run.receiver.stored, (0..1_000).collect::<Vec<_>>());
        // 1000 and 500 are too large; four pieces of 250.
        assert_eq!(run.receiver.requests, 6);
    }

    proptest! {
        #[test]
        fn finds_exactly_the_poison_inside_the_bound(
            count in 2u32..600,
            seeds in prop::collection::btree_set(0u32..10_000, 0..12),
        ) {
            let poison: BTreeSet<u32> = seeds.iter().map(|seed| seed % count).collect();
            prop_assume!(poison.len() < count as usize);
            let run = run(count, &poison, usize::MAX, 100);
            prop_assert_eq!(run.found.iter().copied().collect::<BTreeSet<_>>(), poison.clone());
            prop_assert_eq!(run.found.len(), poison.len(), "each once");
            let good: Vec<u32> = (0..count).filter(|place| !poison.contains(place)).collect();
            prop_assert_eq!(run.receiver.stored, good, "all others, in order");
            prop_assert!(run.receiver.requests <= bound(count, poison.len()) + run.holds);
            prop_assert!(run.holds == 0 || (0..Search::PATIENCE).all(|place| poison.contains(&place)));
        }

        #[test]
        fn a_small_room_and_poison_together_lose_nothing(
            count in 2u32..200,
            room in 1usize..50,
            seeds in prop::collection::btree_set(0u32..10_000, 0..6),
        ) {
            let poison: BTreeSet<u32> = seeds.iter().map(|seed| seed % count).collect();
            prop_assume!(poison.len() < count as usize);
            let run = run(count, &poison, room, 200);
            prop_assert_eq!(run.found.iter().copied().collect::<BTreeSet<_>>(), poison.clone());
            let good: Vec<u32> = (0..count).filter(|place| !poison.contains(place)).collect();
            prop_assert_eq!(run.receiver.stored, good);
        }
    }
}
