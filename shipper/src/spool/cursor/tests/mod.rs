//! Tests of cursors, by subject; here what they share.

mod accounting;
mod bytes;
mod crash;
mod damage;
mod golden;
mod open;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::destination::{Attempt, BodyDigest, Compression, Format};
use crate::spool::identity::{Epoch, SpoolId};
use crate::spool::storage::sim::SimStorage;
use crate::time::Timestamp;

const SPOOL: SpoolId = SpoolId(*b"spool-of-a-test!");

fn open(storage: &SimStorage) -> Result<Cursor, CursorError> {
    Cursor::open_or_create(Arc::new(storage.clone()), "main", SPOOL, 0)
}

/// Whatever was committed, without the number that the commit gave it.
fn without_generation(state: &State) -> State {
    State {
        generation: 0,
        ..state.clone()
    }
}

fn attempt(range: std::ops::Range<u32>, name: &str) -> JournalledAttempt {
    JournalledAttempt {
        range,
        sending: Attempt {
            nonce: 0x0123_4567_89ab_cdef,
            made_at: Timestamp(1_767_225_600_000_000_000),
            name: name.to_owned(),
            format: Format::Ndjson,
            compression: Compression::Gzip,
            earlier: 3,
        },
        digest: BodyDigest([0xd1; 32]),
        fingerprint: [0xf1; 16],
        state: AttemptState::Open,
    }
}

prop_compose! {
    fn any_attempt(len: u32)(
        (lo, hi) in (0..len).prop_flat_map(move |lo| (Just(lo), lo + 1..=len)),
        nonce: u64,
        made_at: i64,
        name in "[a-zä/]{0,40}",
        format in prop::sample::select(vec![Format::Ndjson, Format::JsonArray]),
        compression in prop::sample::select(vec![Compression::None, Compression::Gzip, Compression::Zstd]),
        earlier: u32,
        digest: [u8; 32],
        fingerprint: [u8; 16],
        state in prop::sample::select(vec![AttemptState::Open, AttemptState::NotStored, AttemptState::Conflict]),
    ) -> JournalledAttempt {
        let made_at = Timestamp(made_at);
        JournalledAttempt {
            range: lo..hi,
            sending: Attempt { nonce, made_at, name, format, compression, earlier },
            digest: BodyDigest(digest),
            fingerprint,
            state,
        }
    }
}

/// An entry at 0, of 1 to `most` records.
fn any_entry(most: usize) -> impl Strategy<Value = Entry> {
    prop::collection::vec(0_usize..6, 1..=most).prop_flat_map(|numbers| {
        let len = u32::try_from(numbers.len()).unwrap();
        let attempt = prop::option::of(any_attempt(len));
        (attempt, any::<i64>(), any::<bool>()).prop_map(move |(attempt, made_at, stored_any)| {
            let mut entry = Entry::new(0, len, Timestamp(made_at));
            for (index, number) in (0..).zip(&numbers) {
                entry.settled.settle(index, Disposition::ALL[*number]);
            }
            entry.attempt = attempt;
            entry.stored_any = stored_any;
            entry
        })
    })
}

prop_compose! {
    fn any_replay()(from in 0_u64..1 << 40, before in 0_u64..1000, after in 0_u64..1000, entry in prop::option::of(any_entry(20)))
        -> Replay
    {
        let at = from + before;
        let entry = entry.map(|entry| Entry { first: at, ..entry });
        let to = entry.as_ref().map_or(at, Entry::end) + after;
        Replay { from, to, at, entry }
    }
}

fn any_retry() -> impl Strategy<Value = DeadLetterRetry> {
    any_entry(DeadLetterRetry::MAX_RECORDS).prop_flat_map(|batch| {
        let len = batch.count() as usize;
        prop::collection::vec((any::<u64>(), any::<u64>()), len).prop_map(move |records| DeadLetterRetry {
            records: records
                .into_iter()
                .map(|(epoch, seq)| (Epoch(epoch), seq))
                .collect(),
            batch: batch.clone(),
        })
    })
}

const HOLDS: [HoldKind; 7] = [
    HoldKind::Refused,
    HoldKind::NotKept,
    HoldKind::Auth,
    HoldKind::Config,
    HoldKind::Rate,
    HoldKind::Conflict,
    HoldKind::Unacknowledged,
];

prop_compose! {
    /// A state that obeys the rules.
    fn any_state()(
        inside: [u32; 6],
        outside: [u64; 4],
        at: (u64, u64),
        entries in prop::collection::vec(any_entry(70), 0..=State::MAX_ENTRIES),
        hold in prop::option::of((prop::sample::select(&HOLDS[..]), "[a-zäß\u{1F512}]{0,300}", any::<i64>(), any::<[u8; 16]>())),
        desired: u64,
        command: u64,
        copy in prop_oneof![Just(0), any::<u64>()],
        replay in prop::option::of(any_replay()),
        retry in prop::option::of(any_retry()),
    ) -> State {
        let mut fields = [0; Counts::FIELDS];
        fields[..6].copy_from_slice(&inside.map(u64::from));
        fields[6..].copy_from_slice(&outside);
        let counts = Counts::of_fields(fields);
        let committed = counts.inside().unwrap();
        let mut next = committed;
        let entries = entries.into_iter().map(|entry| {
            let entry = Entry { first: next, ..entry };
            next = entry.end();
            entry
        }).collect();
        let hold = hold.map(|(kind, reason, since, target)| {
            Hold::new(kind, &reason, Timestamp(since), target)
        });
        State {
            generation: 0,
            committed,
            at: Hint { segment: at.0, offset: at.1 },
            counts,
            entries,
            hold,
            desired,
            command,
            copy,
            replay,
            retry,
        }
    }
}

/// The largest state that the rules allow.
fn largest_state() -> State {
    let long_name = "n".repeat(JournalledAttempt::MAX_NAME);
    let full = |first: u64| {
        let mut entry = Entry::new(first, Settled::MAX_LEN, Timestamp(i64::MIN));
        entry.attempt = Some(attempt(0..Settled::MAX_LEN, &long_name));
        entry
    };
    let records = DeadLetterRetry::MAX_RECORDS;
    let mut batch = Entry::new(0, u32::try_from(records).unwrap(), Timestamp(0));
    batch.attempt = Some(attempt(0..batch.count(), &long_name));
    let step = u64::from(Settled::MAX_LEN);
    State {
        entries: (0..State::MAX_ENTRIES as u64).map(|n| full(n * step)).collect(),
        hold: Some(Hold::new(
            HoldKind::Auth,
            &"r".repeat(Hold::MAX_REASON),
            Timestamp(0),
            [0; 16],
        )),
        replay: Some(Replay {
            from: 0,
            to: u64::MAX,
            at: 7,
            entry: Some(full(7)),
        }),
        retry: Some(DeadLetterRetry {
            records: vec![(Epoch(u64::MAX), u64::MAX); records],
            batch,
        }),
        ..State::default()
    }
}
