//! Cut at every call, with everything that a crash may do, twice in a row; and syncs that fail.

use std::io::ErrorKind;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::spool::storage::sim::{Crash, Op};

/// What a reader may find: the state that was committed last, and after it those whose commits failed since.
struct Model {
    possible: Vec<State>,
}

impl Model {
    /// Opens, checks what is found, and commits `states` until the process dies. A commit that fails for another reason
    /// is left, and the next one is tried.
    fn run(&mut self, storage: &SimStorage, states: &[State]) -> Result<(), TestCaseError> {
        let mut cursor = match open(storage) {
            Ok(cursor) => cursor,
            Err(CursorError::Io(_)) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        self.found(cursor.state())?;
        self.possible = vec![without_generation(cursor.state())];
        for state in states {
            self.possible.push(without_generation(state));
            match cursor.commit(state.clone()) {
                Ok(()) => self.possible = vec![without_generation(state)],
                Err(CursorError::Io(_)) if storage.is_dead() => break,
                Err(CursorError::Io(_)) => {}
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
        Ok(())
    }

    fn found(&self, state: &State) -> Result<(), TestCaseError> {
        let state = without_generation(state);
        prop_assert!(
            self.possible.contains(&state),
            "found {:?}, possible {:?}",
            state,
            self.possible
        );
        Ok(())
    }
}

/// States of one, a few and very many sectors.
fn states() -> Vec<State> {
    let mut middle = State::starting_at(2);
    middle.entries = vec![Entry::new(2, 3000, Timestamp(1))];
    middle.entries[0]
        .settled
        .settle_pending(0..1500, Disposition::Delivered);
    vec![
        State::starting_at(1),
        middle,
        State::starting_at(3),
        State::starting_at(4),
    ]
}

fn seeds(crash: Crash) -> std::ops::Range<u64> {
    if crash.is_random() { 0..4 } else { 0..1 }
}

/// How many calls that change something a run of `states` on `storage` makes.
fn changes(storage: &SimStorage, states: &[State]) -> u64 {
    let storage = storage.crash(Crash::Kill, 0);
    Model {
        possible: vec![State::default()],
    }
    .run(&storage, states)
    .ok();
    storage.changes()
}

#[test]
fn cut_at_every_call_twice_in_a_row() {
    let states = states();
    let empty = SimStorage::new();
    let mut cases = 0;
    for first_cut in 0..=changes(&empty, &states) {
        let storage = SimStorage::new();
        let mut model = Model {
            possible: vec![State::default()],
        };
        storage.fail_after_changes(first_cut);
        model.run(&storage, &states).unwrap();
        for crash in Crash::ALL {
            for seed in seeds(crash) {
                let left = storage.crash(crash, seed);
                // After a power cut everything that is left is durable, and a second one at the same places is the same
                // as the first. After a kill much is not.
                let cuts = if crash == Crash::Kill { 12 } else { 3 };
                for second_cut in 0..=cuts {
                    let storage = left.crash(Crash::Kill, 0);
                    let mut model = Model {
                        possible: model.possible.clone(),
                    };
                    storage.fail_after_changes(second_cut);
                    model
                        .run(&storage, &[State::starting_at(5), State::starting_at(6)])
                        .unwrap();
                    for crash in Crash::ALL {
                        let storage = storage.crash(crash, seed ^ second_cut);
                        model.found(open(&storage).unwrap().state()).unwrap();
                        cases += 1;
                    }
                }
            }
        }
    }
    assert!(cases > 5_000, "{cases}");
}

#[test]
fn after_a_failed_sync_the_file_is_never_synced_again() {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    let calls: Arc<Mutex<Vec<(Op, String)>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let mut failed = false;
    storage.fail_when(move |call| {
        seen.lock().unwrap().push((call.op, call.path.to_owned()));
        let fails = call.op == Op::SyncData && !failed;
        failed |= fails;
        fails.then_some(ErrorKind::Other)
    });
    let error = cursor.commit(State::starting_at(1)).unwrap_err();
    assert!(
        matches!(&error, CursorError::Io(failure) if failure.action == "sync"),
        "{error}"
    );
    assert_eq!(cursor.state().committed, 0);
    cursor.commit(State::starting_at(2)).unwrap();
    cursor.commit(State::starting_at(3)).unwrap();
    let synced = calls
        .lock()
        .unwrap()
        .iter()
        .filter(|(op, _)| *op == Op::SyncData)
        .count();
    assert_eq!(synced, 3);
    let calls = calls.lock().unwrap();
    let created = calls.iter().position(|(op, _)| *op == Op::CreateNew).unwrap();
    let second_sync = calls
        .iter()
        .enumerate()
        .filter(|(_, (op, _))| *op == Op::SyncData)
        .nth(1)
        .unwrap();
    assert!(created < second_sync.0, "a new file before the next sync");
    assert_eq!(second_sync.1.1, "cursors/main.cur.tmp");
    drop(calls);
    let left = storage.crash(Crash::NothingUnsynced, 0);
    assert_eq!(open(&left).unwrap().state().committed, 3);
}

/// A sync fails and the process is killed. Its last state is seen, but no sync will ever make it durable: it has to be
/// written again before the only durable slot is.
#[test]
fn a_state_that_a_failed_sync_left_behind_is_made_durable() {
    for cut in 0..12 {
        for crash in Crash::ALL {
            for seed in seeds(crash) {
                let storage = SimStorage::new();
                let mut cursor = open(&storage).unwrap();
                storage.fail_when(|call| (call.op == Op::SyncData).then_some(ErrorKind::Other));
                cursor.commit(State::starting_at(1)).unwrap_err();
                drop(cursor);
                let storage = storage.crash(Crash::Kill, 0);
                let mut model = Model {
                    possible: vec![State::default(), State::starting_at(1)],
                };
                storage.fail_after_changes(cut);
                model
                    .run(&storage, &[State::starting_at(2), State::starting_at(3)])
                    .unwrap();
                let left = storage.crash(crash, seed);
                model.found(open(&left).unwrap().state()).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_fails_the_state_found_is_the_last_or_one_that_was_tried_since(
        states in prop::collection::vec(any_state(), 1..8),
        failing in prop::collection::vec(1_u64..60, 0..6),
        cut in 0_u64..60,
        crash in prop::sample::select(Crash::ALL.to_vec()),
        seed: u64,
        further in prop::collection::vec(any_state(), 0..3),
        second_crash in prop::sample::select(Crash::ALL.to_vec()),
    ) {
        let storage = SimStorage::new();
        let mut model = Model { possible: vec![State::default()] };
        for call in failing {
            storage.fail_call(call, ErrorKind::Other);
        }
        storage.fail_after(cut);
        model.run(&storage, &states)?;
        let storage = storage.crash(crash, seed);
        model.run(&storage, &further)?;
        let storage = storage.crash(second_crash, seed);
        match open(&storage) {
            Ok(cursor) => model.found(cursor.state())?,
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
