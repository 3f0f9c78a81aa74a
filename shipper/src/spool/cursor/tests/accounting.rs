//! The equation `spooled = settled + pending`, and the rules of a state.

use proptest::prelude::*;

use super::*;

/// What may happen to a cursor.
#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Settle(prop::sample::Index, prop::sample::Index, usize),
    Advance,
    Pass(u64, usize),
    Rewind(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1_u32..20).prop_map(Step::Push),
        8 => (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1_usize..6)
            .prop_map(|(entry, record, number)| Step::Settle(entry, record, number)),
        2 => Just(Step::Advance),
        1 => (0_u64..30, 0_usize..6).prop_map(|(count, number)| Step::Pass(count, number)),
        1 => any::<prop::sample::Index>().prop_map(Step::Rewind),
    ]
}

proptest! {
    #[test]
    fn every_record_is_in_exactly_one_count_or_pending(
        start in 0_u64..50,
        steps in prop::collection::vec(any_step(), 0..120),
        beyond in 0_u64..10,
    ) {
        let mut state = State::starting_at(start);
        // What became of each record that the cursor has looked at; None: before its start.
        let mut model: Vec<Option<Disposition>> = vec![None; usize::try_from(start).unwrap()];
        for step in steps {
            match step {
                Step::Push(count) if state.entries.len() < State::MAX_ENTRIES => {
                    state.entries.push(Entry::new(state.end(), count, Timestamp(0)));
                    model.resize(model.len() + count as usize, Some(Disposition::Pending));
                }
                Step::Push(_) => {}
                Step::Settle(entry, record, number) => {
                    if state.entries.is_empty() {
                        continue;
                    }
                    let entry = entry.index(state.entries.len());
                    let entry = &mut state.entries[entry];
                    let index = u32::try_from(record.index(entry.count() as usize)).unwrap();
                    entry.settled.settle(index, Disposition::ALL[number]);
                    let seq = usize::try_from(entry.first).unwrap() + index as usize;
                    model[seq] = Some(Disposition::ALL[number]);
                }
                Step::Advance => {
                    state.advance();
                    let first = state.entries.first();
                    prop_assert!(first.is_none_or(|entry| !entry.settled.is_complete()));
                }
                Step::Pass(count, number) => {
                    let before = state.clone();
                    let disposition = Disposition::ALL[number];
                    let expected = if !before.entries.is_empty() {
                        Err(Unsound::EntriesInTheWay)
                    } else if disposition == Disposition::Pending {
                        Err(Unsound::NotSettled)
                    } else {
                        Ok(())
                    };
                    prop_assert_eq!(state.pass(count, disposition), expected);
                    if expected.is_ok() {
                        let len = model.len() + usize::try_from(count).unwrap();
                        model.resize(len, Some(disposition));
                    } else {
                        prop_assert_eq!(&state, &before);
                    }
                }
                Step::Rewind(to) => {
                    let head = to.index(model.len() + 1) as u64;
                    let expected = state.committed.saturating_sub(head);
                    let rewound = state.counts.rewound;
                    prop_assert_eq!(state.rewind(head), expected);
                    prop_assert_eq!(state.counts.rewound, rewound + expected);
                    prop_assert!(state.end() <= head);
                    // What was counted of the numbers that are left is no longer known one by one.
                    let totals = state.totals().fields();
                    model.clear();
                    model.resize(usize::try_from(totals[3]).unwrap(), None);
                    for disposition in Disposition::ALL {
                        let mut counts = Counts::default();
                        counts.add(disposition, 1);
                        let place = counts.fields().iter().position(|&count| count == 1);
                        let settled_below = place.map_or(0, |place| state.counts.fields()[place]);
                        let len = model.len() + usize::try_from(settled_below).unwrap();
                        model.resize(len, Some(disposition));
                    }
                    for entry in &state.entries {
                        model.extend(entry.settled.iter().map(Some));
                    }
                }
            }
            prop_assert_eq!(state.check(), Ok(()));
            prop_assert_eq!(state.end(), model.len() as u64);
            let head = model.len() as u64 + beyond;
            let is = |what: Option<Disposition>| model.iter().filter(|&&record| record == what).count() as u64;
            let totals = state.totals();
            prop_assert_eq!(totals.delivered, is(Some(Disposition::Delivered)));
            prop_assert_eq!(totals.dead_lettered, is(Some(Disposition::DeadLettered)));
            prop_assert_eq!(totals.filtered, is(Some(Disposition::Filtered)));
            prop_assert_eq!(totals.skipped_before_start, is(None));
            prop_assert_eq!(totals.dropped, is(Some(Disposition::Dropped)));
            prop_assert_eq!(totals.damaged, is(Some(Disposition::Damaged)));
            prop_assert_eq!(state.pending(head), is(Some(Disposition::Pending)) + beyond);
            prop_assert_eq!(totals.inside().unwrap() + state.pending(head), head, "spooled = settled + pending");
        }
    }
}

/// A rule, and a way to break it.
type Case<'a> = (Unsound, &'a dyn Fn(&mut State));

#[test]
fn every_broken_rule_is_named() {
    let sound = State {
        entries: vec![Entry::new(5, 3, Timestamp(0)), Entry::new(8, 2, Timestamp(0))],
        ..State::starting_at(5)
    };
    assert_eq!(sound.check(), Ok(()));
    let broken = |change: &dyn Fn(&mut State)| {
        let mut state = sound.clone();
        change(&mut state);
        state.check().err()
    };
    let cases: [Case; 15] = [
        (Unsound::CountsDisagree, &|state| state.committed += 1),
        (Unsound::CountsDisagree, &|state| {
            state.counts.delivered = u64::MAX
        }),
        (Unsound::Gap, &|state| state.entries[1].first += 1),
        (Unsound::Gap, &|state| {
            state.entries.remove(0);
        }),
        (Unsound::TooManyEntries, &|state| {
            state.entries = (5..10).map(|first| Entry::new(first, 1, Timestamp(0))).collect();
        }),
        (Unsound::EmptyEntry, &|state| {
            state.entries[1].settled = Settled::pending(0)
        }),
        (Unsound::AttemptOutsideEntry, &|state| {
            state.entries[0].attempt = Some(attempt(1..4, ""))
        }),
        (Unsound::AttemptOutsideEntry, &|state| {
            state.entries[0].attempt = Some(attempt(1..1, ""))
        }),
        (Unsound::LongName, &|state| {
            state.entries[0].attempt = Some(attempt(0..1, &"n".repeat(1025)));
        }),
        (Unsound::LongReason, &|state| {
            let mut hold = Hold::new(HoldKind::Auth, "", Timestamp(0), [0; 16]);
            hold.reason = "r".repeat(1025);
            state.hold = Some(hold);
        }),
        (Unsound::NumbersEnd, &|state| {
            let start = u64::MAX - 1;
            *state = State {
                entries: vec![Entry::new(start, 2, Timestamp(0))],
                ..State::starting_at(start)
            };
        }),
        (Unsound::ReplayOutsideRange, &|state| {
            state.replay = Some(Replay {
                from: 3,
                to: 9,
                at: 2,
                entry: None,
            });
        }),
        (Unsound::ReplayOutsideRange, &|state| {
            let entry = Some(Entry::new(4, 6, Timestamp(0)));
            state.replay = Some(Replay {
                from: 3,
                to: 9,
                at: 4,
                entry,
            });
        }),
        (Unsound::RetryDisagrees, &|state| {
            let batch = Entry::new(0, 2, Timestamp(0));
            state.retry = Some(DeadLetterRetry {
                records: vec![(Epoch(1), 1)],
                batch,
            });
        }),
        (Unsound::RetryDisagrees, &|state| {
            let records = vec![(Epoch(1), 1); 65];
            state.retry = Some(DeadLetterRetry {
                records,
                batch: Entry::new(0, 65, Timestamp(0)),
            });
        }),
    ];
    for (number, (rule, change)) in cases.into_iter().enumerate() {
        assert_eq!(broken(change), Some(rule), "case {number}");
    }
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let hold = Hold::new(HoldKind::Config, &"ä".repeat(600), Timestamp(0), [0; 16]);
    assert_eq!(hold.reason, "ä".repeat(512));
    let hold = Hold::new(
        HoldKind::Config,
        &format!("x{}", "ä".repeat(600)),
        Timestamp(0),
        [0; 16],
    );
    assert_eq!(hold.reason.len(), 1023);
}
