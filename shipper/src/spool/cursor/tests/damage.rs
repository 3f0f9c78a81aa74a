//! Flipped bytes and cut files: found, or harmless.

use super::super::{peek, slot};
use super::*;
use crate::spool::storage::Access;

/// A disk with a cursor of a few commits; the last state is in slot A or B as `commits` is even or odd.
fn disk(commits: u64) -> (SimStorage, State, State) {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    let mut states = vec![cursor.state().clone()];
    for number in 1..=commits {
        let mut state = cursor.state().clone();
        state.entries = vec![Entry::new(0, 9 + u32::try_from(number).unwrap(), Timestamp(5))];
        state.entries[0].attempt = Some(attempt(0..3, "2026/01/01/name.ndjson"));
        state.hold = Some(Hold::new(HoldKind::Conflict, "look", Timestamp(9), [0; 16]));
        cursor.commit(state).unwrap();
        states.push(cursor.state().clone());
    }
    let last = states.pop().unwrap();
    (storage, last, states.pop().unwrap())
}

fn file(storage: &SimStorage) -> Arc<dyn StorageFile> {
    storage.open("cursors/main.cur", Access::ReadWrite).unwrap()
}

#[test]
fn every_flipped_byte_is_harmless_or_leads_to_the_state_before() {
    for commits in [2, 3] {
        let (storage, last, before) = disk(commits);
        let file = file(&storage);
        let mut image = vec![0; 2 * slot::LEN];
        assert_eq!(file.read_at(0, &mut image).unwrap(), image.len());
        let used = slot::LEN
            - image[..slot::LEN]
                .iter()
                .rev()
                .position(|&byte| byte != 0)
                .unwrap();
        let newest = if commits % 2 == 0 {
            0..slot::LEN
        } else {
            slot::LEN..2 * slot::LEN
        };
        let mut fallbacks = 0;
        for at in 0..image.len() {
            // Every bit of what is used and a little more, then one flip of each byte.
            let masks: &[u8] = match at % slot::LEN {
                in_use if in_use < used + 64 => &[1, 2, 4, 8, 16, 32, 64, 128, 255],
                _ => &[255],
            };
            for mask in masks {
                file.write_at(at as u64, &[image[at] ^ mask]).unwrap();
                let found = peek::newest(&*file, "cursors/main.cur").unwrap().peek.state;
                if found == before {
                    assert!(
                        newest.contains(&at),
                        "a flip at {at} in the other slot must not matter"
                    );
                    fallbacks += 1;
                } else {
                    assert_eq!(found, last, "a flip at {at}");
                }
            }
            file.write_at(at as u64, &image[at..=at]).unwrap();
        }
        assert!(
            fallbacks > 64 * 9,
            "flips in the slot that counts were noticed: {fallbacks}"
        );
    }
}

#[test]
fn every_cut_file_gives_a_state_that_was_committed_or_an_error() {
    for commits in [2, 3] {
        let (storage, last, before) = disk(commits);
        let file = file(&storage);
        let mut seen = Vec::new();
        for len in (0..2 * slot::LEN as u64).rev() {
            file.set_len(len).unwrap();
            let found = peek::newest(&*file, "p").map(|found| found.peek.state);
            if seen.last() != Some(&found) {
                seen.push(found);
            }
        }
        let damaged = CursorError::Damaged { path: "p".to_owned() };
        let expected = if commits % 2 == 0 {
            vec![Ok(last), Err(damaged)]
        } else {
            vec![Ok(last), Ok(before), Err(damaged)]
        };
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_cut_file_is_whole_again_after_opening() {
    let (storage, last, before) = disk(3);
    file(&storage).set_len(slot::LEN as u64 + 10).unwrap();
    let mut cursor = open(&storage).unwrap();
    assert_eq!(cursor.state(), &before);
    assert_eq!(file(&storage).len().unwrap(), slot::FILE_LEN);
    cursor.commit(last.clone()).unwrap();
    assert_eq!(
        without_generation(open(&storage).unwrap().state()),
        without_generation(&last)
    );
}

#[test]
fn a_file_with_two_bad_slots_is_left_as_it_is() {
    let (storage, ..) = disk(2);
    for slot in [0, slot::LEN as u64] {
        file(&storage).write_at(slot + 20, &[0xff]).unwrap();
    }
    let damaged = CursorError::Damaged {
        path: "cursors/main.cur".to_owned(),
    };
    let changes = storage.changes();
    assert_eq!(open(&storage).err(), Some(damaged.clone()));
    assert_eq!(storage.changes(), changes, "nothing is written");
    assert_eq!(peek_all(&storage).unwrap(), [("main".to_owned(), Err(damaged))]);
}
