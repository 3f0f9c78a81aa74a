//! The format, held by bytes that were put together from `docs/FORMAT-CURSOR.md` field by field, not printed by the code.

use super::super::slot;
use super::*;
use crate::spool::storage::Access;

/// One line for each field: its bytes in hexadecimal, then `#` and what it is.
const GOLDEN: &str = include_str!("../testdata/cursor-v1.hex");

fn golden() -> Vec<u8> {
    let digits: Vec<u8> = GOLDEN
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or("").bytes())
        .filter(u8::is_ascii_hexdigit)
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn state() -> State {
    let mut entry = Entry::new(1000, 3, Timestamp(1_767_225_600_000_000_000));
    entry.settled.settle(0, Disposition::Filtered);
    entry.settled.settle(1, Disposition::Delivered);
    entry.stored_any = true;
    let mut sent = attempt(2..3, "2026/01/01/00/x.ndjson.gz");
    sent.state = AttemptState::NotStored;
    entry.attempt = Some(sent);
    let mut damaged = Entry::new(1003, 2, Timestamp(-1));
    damaged.settled.settle(0, Disposition::Damaged);
    damaged.settled.settle(1, Disposition::Dropped);
    let mut batch = Entry::new(0, 1, Timestamp(2));
    batch.settled.settle(0, Disposition::DeadLettered);
    State {
        generation: 0x0102_0304_0506_0708,
        committed: 1000,
        at: Hint {
            segment: 7,
            offset: 4096,
        },
        counts: Counts {
            delivered: 900,
            dead_lettered: 10,
            filtered: 20,
            skipped_before_start: 30,
            dropped: 25,
            damaged: 15,
            replayed: 1,
            unverified: 2,
            redelivered: 3,
            rewound: 4,
        },
        entries: vec![entry, damaged],
        hold: Some(Hold::new(
            HoldKind::Config,
            "no such bucket",
            Timestamp(3),
            [0xf2; 16],
        )),
        desired: 5,
        command: 6,
        copy: 0,
        replay: Some(Replay {
            from: 100,
            to: 200,
            at: 150,
            entry: None,
        }),
        retry: Some(DeadLetterRetry {
            records: vec![(Epoch(0xe), 42)],
            batch,
        }),
    }
}

/// CRC-32C by its definition, bit by bit: polynomial 0x1EDC6F41, reflected.
fn crc32c_by_definition(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ ((crc & 1) * 0x82f6_3b78)
        })
    })
}

#[test]
fn the_checksum_is_castagnolis() {
    assert_eq!(crc32c_by_definition(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn the_golden_slot_is_what_is_written() {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    cursor.generation = state().generation - 1;
    cursor.commit(state()).unwrap();
    let golden = golden();
    assert_eq!(cursor.bytes, golden);
    // The second commit of a file goes to slot B; behind what is used there are zeros.
    let file = storage.open("cursors/main.cur", Access::Read).unwrap();
    let mut slot = vec![0; slot::LEN];
    file.read_at(slot::LEN as u64, &mut slot).unwrap();
    assert_eq!(slot[..golden.len()], golden);
    assert!(slot[golden.len()..].iter().all(|&byte| byte == 0));
    assert_eq!(file.len().unwrap(), 262_144);
}

#[test]
fn the_golden_slot_is_read_and_its_checksums_are_right() {
    let golden = golden();
    let u32_at = |at: usize| u32::from_le_bytes(golden[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(60), crc32c_by_definition(&golden[..60]));
    assert_eq!(u32_at(40), crc32c_by_definition(&golden[64..]));
    let storage = SimStorage::new();
    storage.create_dir(FOLDER).unwrap();
    let file = storage.create_new("cursors/main.cur").unwrap();
    file.write_at(0, &golden).unwrap();
    assert_eq!(open(&storage).unwrap().state(), &state());
}

#[test]
fn a_copy_is_a_section_of_its_own() {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    let copied = State {
        copy: 0x0309,
        ..state()
    };
    cursor.commit(copied.clone()).unwrap();
    let section = [8, 0, 0, 0, 8, 0, 0, 0, 9, 3, 0, 0, 0, 0, 0, 0];
    let found = cursor
        .bytes
        .windows(section.len())
        .filter(|bytes| *bytes == section);
    assert_eq!(found.count(), 1);
    assert_eq!(open(&storage).unwrap().state().copy, copied.copy);
}
