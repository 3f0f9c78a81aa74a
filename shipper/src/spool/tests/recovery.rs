//! Named crashes and restorations. Each test says what was on disk and what must be there afterwards.

use std::io::ErrorKind;

use super::super::cursor::Entry;
use super::super::storage::sim::{Crash, Op};
use super::*;

/// A spool with `a` and `b` synced, and `c` appended.
fn torn_rig() -> (Rig, Feed) {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    feed.put_and_sync(&event("b"));
    feed.put(&event("c"));
    (rig, feed)
}

fn only_segment(rig: &Rig) -> String {
    let names = rig.names("segments");
    let segments: Vec<_> = names.iter().filter(|name| name.ends_with(".seg")).collect();
    assert_eq!(segments.len(), 1, "{names:?}");
    format!("segments/{}", segments[0])
}

#[test]
fn a_torn_tail_goes_to_quarantine_and_what_was_synced_stays() {
    let (rig, feed) = torn_rig();
    let path = only_segment(&rig);
    let head = feed.writer.head();
    let whole = rig.bytes(&path);
    let rig = rig.crashed(Crash::Everything, 0);
    rig.cut(&path, whole.len() as u64 - 10);
    let (feed, report) = rig.try_open().unwrap();
    let torn = report.torn.expect("a torn tail");
    assert_eq!(
        torn,
        format!("quarantine/0000000000000000-{:x}.tail", head.offset)
    );
    let from = usize::try_from(head.offset).unwrap();
    assert_eq!(rig.bytes(&torn), whole[from..whole.len() - 10]);
    assert_eq!(rig.bytes(&path).len(), from, "the tail is cut");
    let later = rig.crashed(Crash::NothingUnsynced, 0);
    assert_eq!(later.bytes(&torn), whole[from..whole.len() - 10], "durably");
    assert_eq!(report.damaged, Vec::<String>::new());
    assert_eq!(rig.read_all().ids(), ["a", "b"]);
    assert_eq!(feed.writer.next().seq, 2);
}

#[test]
fn a_tail_of_zeros_is_cut() {
    let (rig, _feed) = torn_rig();
    let rig = rig.crashed(Crash::SizesWithoutData, 0);
    let (mut feed, report) = rig.try_open().unwrap();
    assert!(report.torn.is_some());
    // The power cut took the publications with it, so `a` and `b` were found behind the head.
    assert_eq!(report.adopted, 2);
    feed.put_and_sync(&event("c"));
    assert_eq!(rig.read_all().ids(), ["a", "b", "c"]);
}

#[test]
fn whole_blocks_after_the_head_are_adopted_by_copy_before_anybody_sees_them() {
    let (rig, _feed) = torn_rig();
    let rig = rig.crashed(Crash::Kill, 0);
    let before = rig.names("segments");
    let (mut feed, report) = rig.try_open().unwrap();
    assert_eq!(report.adopted, 1);
    assert!(
        rig.names("segments").len() > before.len(),
        "adopted into a new file"
    );
    assert_eq!(rig.read_all().ids(), ["a", "b", "c"]);
    // The host repeats what it was not told to be durable.
    feed.put_and_sync(&(event("c") + &event("d")));
    assert_eq!(rig.read_all().ids(), ["a", "b", "c", "d"]);
    // What was adopted is durable now.
    let rig = rig.crashed(Crash::NothingUnsynced, 0);
    drop(rig.open());
    assert_eq!(rig.read_all().ids(), ["a", "b", "c", "d"]);
}

#[test]
fn a_head_lost_to_a_power_cut_loses_no_record() {
    let rig = Rig::new();
    let mut feed = rig.open();
    // The head is never synced, so a power cut forgets every publication.
    for id in ["a", "b", "c"] {
        feed.put_and_sync(&event(id));
    }
    let rig = rig.crashed(Crash::NothingUnsynced, 0);
    let (feed, report) = rig.try_open().unwrap();
    assert_eq!(report.adopted, 3);
    assert_eq!(feed.writer.next().seq, 3);
    assert_eq!(rig.read_all().ids(), ["a", "b", "c"]);
}

#[test]
fn a_crash_while_blocks_are_adopted_can_happen_any_number_of_times() {
    let rig = Rig::new();
    let mut feed = rig.open();
    for id in ["a", "b", "c"] {
        feed.put_and_sync(&event(id));
    }
    let mut rig = rig.crashed(Crash::NothingUnsynced, 0);
    for seed in 0..300 {
        rig.disk.fail_after_changes(seed % 15);
        let _ = rig.try_open();
        let crash = Crash::ALL[usize::try_from(seed).unwrap() % Crash::ALL.len()];
        rig = rig.crashed(crash, seed);
    }
    drop(rig.open());
    assert_eq!(rig.read_all().ids(), ["a", "b", "c"]);
}

#[test]
fn after_a_failed_sync_everything_since_the_last_one_is_void() {
    let (rig, mut feed) = torn_rig();
    rig.disk
        .fail_when(|call| (call.op == Op::SyncData).then_some(ErrorKind::Other));
    assert!(matches!(feed.writer.sync(), Err(AppendError::Io(_))));
    rig.disk.heal();
    assert_eq!(feed.writer.next().seq, 2);
    assert_eq!(rig.read_all().ids(), ["a", "b"]);
    // The window has forgotten `c`: its repetition is no duplicate.
    feed.put_and_sync(&event("c"));
    assert_eq!(rig.read_all().ids(), ["a", "b", "c"]);
    assert_eq!(feed.writer.totals().duplicate, 0);
    let rig = rig.crashed(Crash::NothingUnsynced, 0);
    drop(rig.open());
    assert_eq!(
        rig.read_all().ids(),
        ["a", "b", "c"],
        "on disk, not only in the page cache"
    );
}

#[test]
fn after_a_failed_sync_the_file_is_never_synced_again() {
    let (rig, mut feed) = torn_rig();
    let burnt = only_segment(&rig);
    rig.disk
        .fail_when(|call| (call.op == Op::SyncData).then_some(ErrorKind::Other));
    assert!(feed.writer.sync().is_err());
    rig.disk.heal();
    rig.disk.fail_when(move |call| {
        assert!(call.op != Op::SyncData || call.path != burnt, "synced again");
        None
    });
    for id in ["c", "d", "e"] {
        feed.put_and_sync(&event(id));
    }
}

#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_not_trusted_by_the_next_process() {
    let (rig, mut feed) = torn_rig();
    rig.disk
        .fail_when(|call| (call.op == Op::SyncData).then_some(ErrorKind::Other));
    assert!(feed.writer.sync().is_err());
    rig.disk.heal();
    // Killed right after the failure: `c` can be read from the page cache, but will never reach the disk from there.
    let rig = rig.crashed(Crash::Kill, 0);
    let mut feed = rig.open();
    feed.put_and_sync(&event("d"));
    let seen = rig.read_all();
    let rig = rig.crashed(Crash::NothingUnsynced, 0);
    drop(rig.open());
    assert_eq!(
        rig.read_all().records,
        seen.records,
        "a power cut takes nothing back that a reader has seen"
    );
}

#[test]
fn a_failed_sync_that_also_cannot_be_cut_leaves_void_bytes_that_nobody_reads() {
    let (rig, mut feed) = torn_rig();
    rig.disk
        .fail_when(|call| matches!(call.op, Op::SyncData | Op::SetLen).then_some(ErrorKind::Other));
    assert!(feed.writer.sync().is_err());
    rig.disk.heal();
    feed.put_and_sync(&event("x"));
    assert_eq!(rig.read_all().ids(), ["a", "b", "x"]);
    for crash in Crash::ALL {
        let rig = rig.crashed(crash, 3);
        drop(rig.open());
        assert_eq!(rig.read_all().ids(), ["a", "b", "x"], "{crash:?}");
    }
}

#[test]
fn the_head_that_cannot_be_published_makes_nothing_void() {
    let (rig, mut feed) = torn_rig();
    rig.disk
        .fail_when(|call| (call.path == "head").then_some(ErrorKind::Other));
    feed.sync();
    rig.disk.heal();
    assert_eq!(rig.read_all().ids(), ["a", "b"]);
    let report = feed.writer.maintain(NOW);
    assert_eq!(report.trouble, None);
    assert_eq!(rig.read_all().ids(), ["a", "b", "c"]);
}

#[test]
fn each_opening_has_an_epoch_and_numbers_go_on() {
    let rig = Rig::new();
    let mut feed = rig.open();
    let first = feed.epoch();
    feed.put_and_sync(&event("a"));
    drop(feed);
    let mut feed = rig.open();
    assert_ne!(feed.epoch(), first);
    assert_eq!(feed.writer.next().seq, 1);
    feed.put_and_sync(&event("b"));
    let mut reader = rig.reader();
    reader.seek(1);
    let ReadStep::Block(block) = reader.next().unwrap() else {
        panic!("no block")
    };
    assert_eq!(block.header.epoch, feed.epoch());
}

#[test]
fn the_window_survives_restarts_from_tables_and_from_indexes() {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    let mut feed = rig.open();
    let all: Vec<String> = (0..100).map(|number| event(&number.to_string())).collect();
    for line in &all {
        feed.put_and_sync(line);
    }
    drop(feed);
    for _ in 0..3 {
        let mut feed = rig.open();
        feed.put_and_sync(&all.concat());
        assert_eq!(feed.writer.next().seq, 100);
    }
    assert_eq!(rig.read_all().records.len(), 100);
}

#[test]
fn the_window_does_not_need_the_kept_indexes() {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    for opening in 0..4 {
        rig.open().put_and_sync(&event(&opening.to_string()));
    }
    for name in rig.names("segments").iter().filter(|name| name.ends_with(".idx")) {
        rig.disk.remove(&format!("segments/{name}")).unwrap();
    }
    let mut feed = rig.open();
    feed.put_and_sync(
        &(0..4)
            .map(|opening| event(&opening.to_string()))
            .collect::<String>(),
    );
    assert_eq!(feed.writer.totals().duplicate, 4);
}

#[test]
fn a_cursor_beyond_the_end_skips_nothing_that_is_written_later() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&(event("a") + &event("b")));
    // Restored from an older copy, but for the cursor.
    rig.commit_cursor(&feed, "ahead", 10);
    drop(feed);
    let (mut feed, report) = rig.try_open().unwrap();
    assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
    assert_eq!(feed.writer.next().seq, 10);
    feed.put_and_sync(&event("c"));
    let read = rig.read_all();
    assert_eq!(read.ids(), ["a", "b", "c"]);
    assert_eq!(read.records[2].0, 10);
    assert_eq!(read.damaged, [(2, 8)]);
    assert_eq!(read.notes.len(), 1);
    // The numbers without records are in the sums: spooled, and damaged for whoever has not had them.
    assert_eq!(feed.writer.totals().spooled, 11);
    assert!(feed.writer.totals().balances());
}

#[test]
fn a_newer_version_is_refused_with_both_versions_named() {
    for path in ["spool.meta", "head", "segments/0000000000000000.seg"] {
        let rig = Rig::new();
        rig.open().put_and_sync(&event("a"));
        let mut bytes = rig.bytes(path);
        let slots = if path == "head" { vec![0, 512] } else { vec![0] };
        for at in slots {
            let len = usize::from(u16::from_le_bytes([bytes[at + 10], bytes[at + 11]]));
            if len == 0 {
                continue;
            }
            bytes[at + 8] = 9;
            let crc = crc32c::crc32c(&bytes[at..at + len - 4]);
            bytes[at + len - 4..at + len].copy_from_slice(&crc.to_le_bytes());
        }
        let file = rig.disk.open(path, Access::ReadWrite).unwrap();
        file.write_at(0, &bytes).unwrap();
        let error = rig.try_open().err().expect("refused");
        assert!(
            matches!(
                error,
                SpoolError::NewerVersion {
                    ours: 1,
                    theirs: 9,
                    ..
                }
            ),
            "{path}: {error:?}"
        );
        let said = error.to_string();
        assert!(said.contains("version 1") && said.contains("version 9"), "{said}");
    }
}

#[test]
fn unknown_features_are_refused_ignored_or_read_only_as_their_word_says() {
    for (word, wanted) in [(12, "open"), (16, "read"), (20, "refuse")] {
        let rig = Rig::new();
        rig.open().put_and_sync(&event("a"));
        let mut bytes = rig.bytes("spool.meta");
        bytes[word] = 0x80;
        let end = usize::from(u16::from_le_bytes([bytes[10], bytes[11]])) - 4;
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        rig.disk
            .open("spool.meta", Access::ReadWrite)
            .unwrap()
            .write_at(0, &bytes)
            .unwrap();
        let opened = rig.try_open().map(|_| ());
        let read = Reader::open(rig.storage()).map(|_| ());
        match wanted {
            "open" => assert_eq!((opened, read), (Ok(()), Ok(()))),
            "read" => assert_eq!(
                (opened, read),
                (Err(SpoolError::ReadOnly { flags: 0x80 }), Ok(()))
            ),
            _ => assert!(matches!(
                (opened, read),
                (
                    Err(SpoolError::NewerVersion { .. }),
                    Err(SpoolError::NewerVersion { .. })
                )
            )),
        }
    }
}

#[test]
fn a_clock_set_back_harms_nothing() {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    let mut feed = rig.open();
    for number in 0..50 {
        rig.clock.set_wall(Timestamp(NOW.0 - number * 86_400_000_000_000));
        feed.put_and_sync(&event(&number.to_string()));
        feed.writer
            .maintain(Timestamp(NOW.0 - number * 86_400_000_000_000));
    }
    drop(feed);
    rig.clock.set_wall(Timestamp(0));
    drop(rig.open());
    assert_eq!(rig.read_all().records.len(), 50);
}

#[test]
fn a_long_stay_ends_a_segment() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    rig.clock.advance(Duration::from_hours(25));
    feed.writer.maintain(Timestamp(NOW.0 + 25 * 3_600_000_000_000));
    feed.put_and_sync(&event("b"));
    assert_eq!(
        rig.names("segments")
            .iter()
            .filter(|name| name.ends_with(".seg"))
            .count(),
        2
    );
}

#[test]
fn a_spool_restored_under_a_cursor_with_a_batch_on_its_way_numbers_on_behind_the_batch() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    let backup = rig.crashed(Crash::Kill, 0);
    feed.put_and_sync(&(event("b") + &event("c") + &event("d")));
    // `b` is pending, `c` is delivered, and `d` is pending.
    let mut cursor = Cursor::open_or_create(backup.storage(), "x", feed.writer.spool_id(), 0).unwrap();
    let mut state = cursor.state().clone();
    state.pass(1, Disposition::Delivered).unwrap();
    let mut entry = Entry::new(1, 3, NOW);
    entry.settled.settle_pending(1..2, Disposition::Delivered);
    state.entries.push(entry);
    cursor.commit(state).unwrap();
    drop(feed);
    let (mut feed, report) = backup.try_open().unwrap();
    assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
    assert_eq!(
        feed.writer.next().seq,
        4,
        "no other record gets a number of the batch"
    );
    feed.put_and_sync(&event("e"));
    assert_eq!(backup.read_all().records[1].0, 4);
    assert_eq!(backup.read_all().damaged, [(1, 3)]);
}

#[test]
fn a_file_with_the_last_number_is_refused_and_named() {
    for number in [u64::MAX - 1, u64::MAX] {
        let rig = Rig::new();
        rig.open().put_and_sync(&event("a"));
        rig.disk
            .create_new(&format!("segments/{number:016x}.seg"))
            .unwrap();
        let error = rig.try_open().err().unwrap();
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(rig.read_all().ids(), ["a"]);
    }
}
