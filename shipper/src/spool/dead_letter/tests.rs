use proptest::prelude::*;

use super::*;
use crate::spool::identity::SpoolId;
use crate::spool::storage::Access;
use crate::spool::storage::sim::{Crash, SimStorage};

fn letter(epoch: u64, seq: u64, record: &[u8]) -> DeadLetter {
    DeadLetter {
        id: RecordId {
            spool: SpoolId([0xab; 16]),
            epoch: Epoch(epoch),
            seq,
        },
        key: Key([0xcd; 16]),
        time: Timestamp(1_735_689_600_000_000_002),
        code: "tooOldLogEvent".to_owned(),
        reason: "older than 14 days\nsecond line".to_owned(),
        at: Timestamp(1_767_225_600_000_000_001),
        attempts: 3,
        record: record.to_vec(),
    }
}

fn file(storage: &SimStorage, path: &str) -> Vec<u8> {
    read_small(storage, path, MAX_LEN).unwrap().unwrap()
}

#[test]
fn the_file_is_one_line_of_json_with_the_record_as_it_is() {
    let storage = SimStorage::new();
    put(
        &storage,
        "main",
        &letter(0x1f, 42, br#"{"a":1.50, "a":2,"n":12345678901234567890123}"#),
    )
    .unwrap();
    let text = String::from_utf8(file(
        &storage,
        "dead-letters/main/000000000000001f-00000000000000000042.json",
    ));
    let expected = concat!(
        r#"{"version":1,"destination":"main","#,
        r#""id":{"spool":"abababababababababababababababab","epoch":"000000000000001f","seq":42},"#,
        r#""key":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","time":"2025-01-01T00:00:00.000000002Z","#,
        r#""code":"tooOldLogEvent","#,
        r#""reason":"older than 14 days\nsecond line","at":"2026-01-01T00:00:00.000000001Z","attempts":3,"#,
        r#""record":{"a":1.50, "a":2,"n":12345678901234567890123}}"#,
        "\n"
    );
    assert_eq!(text.unwrap(), expected);
}

#[test]
fn the_same_record_is_one_letter_however_often_it_is_written() {
    let storage = SimStorage::new();
    let first = letter(1, 1, b"{}");
    put(&storage, "main", &first).unwrap();
    let again = DeadLetter {
        attempts: 4,
        ..first.clone()
    };
    put(&storage, "main", &again).unwrap();
    // Left behind by a crash in the middle of writing.
    storage
        .create_new("dead-letters/main/0000000000000001-00000000000000000001.json.tmp")
        .unwrap();
    put(&storage, "main", &first).unwrap();
    assert_eq!(list(&storage, "main").unwrap().len(), 1);
    assert_eq!(show(&storage, "main", Epoch(1), 1), Ok(Some(first)));
}

#[test]
fn lists_are_by_number_and_pass_over_junk() {
    let storage = SimStorage::new();
    assert_eq!(list(&storage, "main").unwrap().len(), 0);
    let letters = [
        letter(9, 5, b"{}"),
        letter(1, 300, b"{}"),
        letter(2, 5, b"{\"a\":1}"),
    ];
    put_all(&storage, "main", &letters).unwrap();
    for junk in [
        "x",
        "x.json",
        "0000000000000001-5.json",
        "000000000000000A-00000000000000000005.json",
        "a-b.tmp",
    ] {
        storage.create_new(&format!("dead-letters/main/{junk}")).unwrap();
    }
    storage
        .create_dir("dead-letters/main/0000000000000001-00000000000000000007.json")
        .unwrap();
    storage.create_new("dead-letters/stray").unwrap();
    let listed: Vec<_> = list(&storage, "main")
        .unwrap()
        .map(|one| (one.seq, one.epoch.0))
        .collect();
    assert_eq!(listed, [(5, 2), (5, 9), (300, 1)]);
    let bytes = list(&storage, "main").unwrap().map(|one| one.len).sum();
    assert_eq!(usage(&storage, "main"), Ok(Usage { count: 3, bytes }));
    assert!(bytes > 3 * 200);
    assert_eq!(destinations(&storage), Ok(vec!["main".to_owned()]));
}

#[test]
fn a_removed_letter_stays_removed() {
    let storage = SimStorage::new();
    put(&storage, "main", &letter(1, 1, b"{}")).unwrap();
    assert_eq!(remove(&storage, "main", Epoch(1), 1), Ok(true));
    let storage = storage.crash(Crash::NothingUnsynced, 0);
    assert_eq!(remove(&storage, "main", Epoch(1), 1), Ok(false));
    assert_eq!(show(&storage, "main", Epoch(1), 1), Ok(None));
}

#[test]
fn bytes_that_are_no_record_come_back_too() {
    for odd in [
        &b"not json"[..],
        b"",
        b" {}",
        b"{}\n",
        b"null",
        b"[1]",
        b"{\"a\":\xff}",
    ] {
        let storage = SimStorage::new();
        let odd = letter(1, 1, odd);
        put(&storage, "main", &odd).unwrap();
        assert_eq!(show(&storage, "main", Epoch(1), 1), Ok(Some(odd)));
    }
}

#[test]
fn a_file_that_is_not_its_letter_is_an_error_of_its_own() {
    let storage = SimStorage::new();
    put_all(&storage, "main", &[letter(1, 1, b"{}"), letter(1, 2, b"{}")]).unwrap();
    let path = "dead-letters/main/0000000000000001-00000000000000000001.json";
    let good = file(&storage, path);
    let damaged = |content: &[u8]| {
        storage.remove(path).unwrap();
        storage.create_new(path).unwrap().write_at(0, content).unwrap();
        match show(&storage, "main", Epoch(1), 1) {
            Err(DeadLetterError::Damaged { path: at, why }) => {
                assert_eq!(at, path);
                why
            }
            other => panic!("{other:?}"),
        }
    };
    for cut in 0..good.len() - 1 {
        damaged(&good[..cut]);
    }
    let newer = String::from_utf8(good.clone())
        .unwrap()
        .replace(r#""version":1"#, r#""version":2"#);
    assert!(damaged(newer.as_bytes()).contains("format 2, this auditship reads up to format 1"));
    let other = file(
        &storage,
        "dead-letters/main/0000000000000001-00000000000000000002.json",
    );
    assert!(damaged(&other).contains("renamed or copied"));
    assert!(show(&storage, "main", Epoch(1), 2).is_ok_and(|letter| letter.is_some()));
}

#[test]
fn ids_that_leave_the_folder_are_refused() {
    let storage = SimStorage::new();
    for bad in ["..", "a/b", ""] {
        assert!(matches!(
            put(&storage, bad, &letter(1, 1, b"{}")),
            Err(DeadLetterError::BadName(_))
        ));
        assert!(matches!(
            list(&storage, bad).map(|_| ()),
            Err(DeadLetterError::BadName(_))
        ));
        assert!(matches!(
            remove(&storage, bad, Epoch(1), 1),
            Err(DeadLetterError::BadName(_))
        ));
    }
}

/// What the cursor relies on: once `put` has returned, no crash takes the letter; before, it is there whole or not.
#[test]
fn a_letter_that_was_put_survives_every_crash_and_no_other_is_half_there() {
    let letters = [
        letter(1, 7, &[b"{\"a\":\"", &vec![b'x'; 2000][..], b"\"}"].concat()),
        letter(1, 8, b"{}"),
    ];
    for cut in 0.. {
        let storage = SimStorage::new();
        storage.fail_after_changes(cut);
        let done = put_all(&storage, "main", &letters).is_ok();
        for crash in Crash::ALL {
            for seed in 0..8 {
                let left = storage.crash(crash, seed);
                for one in list(&left, "main").unwrap() {
                    let found = show(&left, "main", one.epoch, one.seq);
                    assert!(
                        letters.iter().any(|letter| found == Ok(Some(letter.clone()))),
                        "{found:?}"
                    );
                }
                let count = list(&left, "main").unwrap().len();
                assert!(!done || count == 2, "{crash:?} left {count}");
                put_all(&left, "main", &letters).unwrap();
                assert_eq!(list(&left, "main").unwrap().len(), 2);
            }
        }
        if done {
            assert!(cut > 8);
            break;
        }
    }
}

/// Killed after the folder was made but before its name was durable: the next process must not rely on the name.
#[test]
fn a_folder_that_a_killed_process_made_is_made_durable() {
    for cut in 1..12 {
        let storage = SimStorage::new();
        storage.fail_after_changes(cut);
        let _ = put(&storage, "main", &letter(1, 1, b"{}"));
        let storage = storage.crash(Crash::Kill, 0);
        put(&storage, "main", &letter(1, 2, b"{}")).unwrap();
        let left = storage.crash(Crash::NothingUnsynced, 0);
        assert_eq!(
            show(&left, "main", Epoch(1), 2),
            Ok(Some(letter(1, 2, b"{}"))),
            "cut {cut}"
        );
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let storage = SimStorage::new();
    put(&storage, "main", &letter(1, 1, b"{}")).unwrap();
    storage.set_budget(Some(0));
    let refused = put(&storage, "main", &letter(1, 2, b"{}"));
    assert!(
        matches!(&refused, Err(DeadLetterError::Io(failure)) if failure.is_full()),
        "{refused:?}"
    );
    storage.set_budget(None);
    put(&storage, "main", &letter(1, 2, b"{}")).unwrap();
    assert_eq!(list(&storage, "main").unwrap().len(), 2);
    assert!(
        storage
            .open(
                "dead-letters/main/0000000000000001-00000000000000000002.json.tmp",
                Access::Read
            )
            .is_err()
    );
}

proptest! {
    #[test]
    fn any_letter_comes_back(
        epoch: u64, seq: u64, key: [u8; 16], time: i64, code in ".*", reason in ".*", at: i64, attempts: u32,
        text in ".*", number: f64, bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let storage = SimStorage::new();
        let json = serde_json::json!({ "text": text, "number": number });
        for record in [serde_json::to_vec(&json).unwrap(), serde_json::to_vec_pretty(&json).unwrap(), bytes] {
            let letter = DeadLetter {
                key: Key(key), time: Timestamp(time), code: code.clone(), reason: reason.clone(), at: Timestamp(at), attempts,
                ..letter(epoch, seq, &record)
            };
            put(&storage, "main", &letter).unwrap();
            prop_assert_eq!(show(&storage, "main", Epoch(epoch), seq), Ok(Some(letter)));
        }
    }

    #[test]
    fn any_other_name_is_no_letters(name in "[0-9a-f-]{0,40}(\\.json)?") {
        if let Some((epoch, seq)) = file::parse_name(&name) {
            prop_assert_eq!(file::name(epoch, seq), name);
        }
    }

    #[test]
    fn noise_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(file::decode(&bytes).is_err());
    }
}
