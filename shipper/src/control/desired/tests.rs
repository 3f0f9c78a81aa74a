use std::sync::Arc;

use super::*;
use crate::spool::storage::fs::FsStorage;
use crate::spool::storage::sim::{Crash, SimStorage};
use crate::spool::storage::{Access, read_small};

const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);

#[test]
fn the_file_says_what_it_means() {
    let storage = SimStorage::new();
    assert_eq!(set(&storage, "s3-eu", DesiredState::Inactive, NOW), Ok(1));
    let text = read_small(&storage, FILE, 1 << 20).unwrap().unwrap();
    let expected = r#"{
  "version": 1,
  "generation": 1,
  "destinations": {
    "s3-eu": {
      "state": "inactive",
      "generation": 1,
      "at": "2026-01-01T00:00:00.000000000Z"
    }
  }
}
"#;
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn only_a_change_counts_as_one() {
    let storage = SimStorage::new();
    assert_eq!(read(&storage), Ok(Desired::default()));
    assert_eq!(set(&storage, "a", DesiredState::Inactive, NOW), Ok(1));
    assert_eq!(set(&storage, "b", DesiredState::Active, NOW), Ok(2));
    assert_eq!(set(&storage, "a", DesiredState::Inactive, NOW), Ok(1));
    assert_eq!(set(&storage, "a", DesiredState::Active, NOW), Ok(3));
    let desired = read(&storage).unwrap();
    assert_eq!(desired.of("a", DesiredState::Inactive), (DesiredState::Active, 3));
    assert_eq!(
        desired.of("other", DesiredState::Inactive),
        (DesiredState::Inactive, 0)
    );
    forget(&storage, "a").unwrap();
    forget(&storage, "a").unwrap();
    let desired = read(&storage).unwrap();
    assert_eq!((desired.generation, desired.destinations.len()), (4, 1));
    assert!(matches!(
        set(&storage, "../a", DesiredState::Active, NOW),
        Err(ControlError::BadName(_))
    ));
}

#[test]
fn a_pause_that_was_said_survives_every_crash() {
    for cut in 0..20 {
        let storage = SimStorage::new();
        set(&storage, "a", DesiredState::Active, NOW).unwrap();
        storage.fail_after_changes(cut);
        let said = set(&storage, "a", DesiredState::Inactive, NOW);
        for crash in Crash::ALL {
            for seed in 0..6 {
                let left = storage.crash(crash, seed);
                let (state, generation) = read(&left).unwrap().of("a", DesiredState::Active);
                match said {
                    Ok(_) => assert_eq!((state, generation), (DesiredState::Inactive, 2)),
                    Err(_) => assert!(generation == 1 || (state, generation) == (DesiredState::Inactive, 2)),
                }
                // A lock that the dead one held is free; and what is there already is made durable too.
                assert_eq!(set(&left, "a", DesiredState::Inactive, NOW), Ok(2));
                let left = left.crash(Crash::NothingUnsynced, 0);
                let state = read(&left).unwrap().of("a", DesiredState::Active);
                assert_eq!(state, (DesiredState::Inactive, 2), "cut {cut} {crash:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_understood_is_said_and_left_alone() {
    let storage = SimStorage::new();
    set(&storage, "a", DesiredState::Inactive, NOW).unwrap();
    let file = storage.open(FILE, Access::ReadWrite).unwrap();
    let good = read_small(&storage, FILE, 1 << 20).unwrap().unwrap();
    for cut in 0..good.len() as u64 - 2 {
        file.set_len(cut).unwrap();
        assert!(
            matches!(read(&storage), Err(ControlError::Damaged { .. })),
            "{cut}"
        );
        file.write_at(0, &good).unwrap();
    }
    let newer = String::from_utf8(good)
        .unwrap()
        .replace("\"version\": 1", "\"version\": 7");
    file.write_at(0, newer.as_bytes()).unwrap();
    let refused = ControlError::NewerVersion {
        path: FILE.to_owned(),
        ours: 1,
        theirs: 7,
    };
    assert_eq!(
        set(&storage, "a", DesiredState::Active, NOW),
        Err(refused.clone())
    );
    assert_eq!(read(&storage), Err(refused));
}

#[test]
fn changes_at_the_same_time_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let storage = Arc::clone(&storage);
            scope.spawn(move || {
                for number in 0..5 {
                    let id = format!("d{thread}-{number}");
                    set(&*storage, &id, DesiredState::Inactive, NOW).unwrap();
                }
            });
        }
    });
    let desired = read(&*storage).unwrap();
    assert_eq!((desired.generation, desired.destinations.len()), (20, 20));
    let generations: std::collections::BTreeSet<u64> =
        desired.destinations.values().map(|one| one.generation).collect();
    assert_eq!(generations, (1..=20).collect());
}
