//! Want of room: what is refused, what goes, what comes back.

use std::io::ErrorKind;

use super::super::storage::sim::{Crash, Op};
use super::super::{FullCause, Maintenance};
use super::*;

fn small(limit: u64, on_full: OnFull) -> Rig {
    let mut rig = Rig::new();
    rig.options.max_bytes = Some(limit);
    rig.options.segment_bytes = 4096;
    rig.options.on_full = on_full;
    rig
}

/// Appends and syncs numbered records until one is refused; gives its number.
fn fill(feed: &mut Feed, from: u64) -> (u64, AppendError) {
    for number in from..from + 10_000 {
        match feed.append(&event(&number.to_string())) {
            Ok(()) => drop(feed.sync()),
            Err(error) => return (number, error),
        }
    }
    panic!("never full");
}

fn maintain(rig: &Rig, feed: &mut Feed) -> Maintenance {
    feed.writer.maintain(crate::time::Clock::wall(&*rig.clock))
}

fn used(rig: &Rig) -> u64 {
    let listed = |folder: &str| rig.disk.list(folder).unwrap();
    let files = ["", "segments", "quarantine"].into_iter().flat_map(listed);
    files.map(|entry| entry.len).sum()
}

#[test]
fn undelivered_records_fill_the_spool_and_are_kept() {
    let rig = small(100_000, OnFull::Refuse);
    let mut feed = rig.open();
    let (count, error) = fill(&mut feed, 0);
    assert!(
        matches!(
            error,
            AppendError::Full {
                cause: FullCause::Limit,
                limit: 100_000,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(used(&rig) <= 100_000 && used(&rig) > 80_000, "{}", used(&rig));
    assert!(maintain(&rig, &mut feed).is_full);
    assert_eq!(rig.read_all().records.len() as u64, count);
    // Said once.
    for _ in 0..5 {
        assert!(feed.append(&event("more")).is_err());
    }
    maintain(&rig, &mut feed);
    let notes = rig.read_all().notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("full"), "{notes:?}");
}

#[test]
fn what_every_cursor_has_passed_makes_room_and_is_counted() {
    let rig = small(100_000, OnFull::Refuse);
    let mut feed = rig.open();
    let (count, _) = fill(&mut feed, 0);
    rig.commit_cursor(&feed, "fast", count);
    assert!(
        feed.append(&event("x")).is_ok(),
        "one cursor, which has everything"
    );
    feed.sync();
    rig.commit_cursor(&feed, "slow", 0);
    let (count, _) = fill(&mut feed, count);
    rig.commit_cursor(&feed, "fast", count);
    assert!(feed.append(&event("y")).is_err(), "the slow one has nothing");
    rig.commit_cursor(&feed, "slow", count / 2);
    feed.put_and_sync(&event("y"));
    let report = maintain(&rig, &mut feed);
    assert!(
        report.reclaimed_segments > 0 && report.dropped_segments == 0,
        "{report:?}"
    );
    assert!(!report.is_full);
    let read = rig.read_all();
    assert!(read.trimmed[0] <= count / 2, "{:?}", read.trimmed);
    assert_eq!(read.damaged, []);
}

#[test]
fn an_unreadable_cursor_has_passed_nothing() {
    let rig = small(100_000, OnFull::Refuse);
    let mut feed = rig.open();
    let (count, _) = fill(&mut feed, 0);
    rig.commit_cursor(&feed, "one", count);
    let len = rig.bytes("cursors/one.cur").len() as u64;
    for at in 0..len {
        rig.flip("cursors/one.cur", at);
    }
    assert!(feed.append(&event("x")).is_err());
}

#[test]
fn the_last_segment_goes_too_when_it_is_delivered() {
    let mut rig = small(400_000, OnFull::Refuse);
    rig.options.segment_bytes = 1 << 20;
    let mut feed = rig.open();
    let big = "x".repeat(6000);
    let mut delivered = 0;
    for number in 0..100 {
        feed.put_and_sync(&format!(
            "{{\"event\":{{\"id\":\"{number}\"}},\"big\":\"{big}\"}}\n"
        ));
        delivered += 1;
        rig.commit_cursor(&feed, "one", delivered);
    }
    assert!(used(&rig) <= 400_000, "{}", used(&rig));
    // Their keys are not forgotten.
    feed.put_and_sync(&event("fresh"));
    for number in 0..100 {
        feed.put_and_sync(&format!(
            "{{\"event\":{{\"id\":\"{number}\"}},\"big\":\"{big}\"}}\n"
        ));
    }
    assert_eq!(feed.writer.totals().duplicate, 100);
    drop(feed);
    let mut feed = rig.open();
    feed.put_and_sync(&format!("{{\"event\":{{\"id\":\"96\"}},\"big\":\"{big}\"}}\n"));
    assert_eq!(
        feed.writer.totals().duplicate,
        101,
        "after a restart, from the kept indexes"
    );
}

#[test]
fn drop_oldest_goes_on_and_says_what_it_cost() {
    let rig = small(400_000, OnFull::DropOldest);
    let mut feed = rig.open();
    rig.commit_cursor(&feed, "slow", 0);
    for number in 0..2000 {
        feed.put_and_sync(&event(&number.to_string()));
    }
    assert!(used(&rig) <= 400_000, "{}", used(&rig));
    let report = maintain(&rig, &mut feed);
    assert!(report.dropped_segments > 0);
    let read = rig.read_all();
    assert_eq!(read.damaged, []);
    assert_eq!(read.trimmed.len(), 1);
    let first = read.trimmed[0];
    assert_eq!(read.records.len() as u64, 2000 - first);
    assert_eq!(read.records.first().unwrap().0, first);
    assert!(
        read.notes
            .iter()
            .any(|note| note.contains("removed before every destination")),
        "{:?}",
        read.notes
    );
    assert_eq!(feed.writer.totals().spooled, 2000);
    // The dropped ones are still known: all of them now, the last of them after a restart.
    feed.put_and_sync(&event("0"));
    assert_eq!(feed.writer.totals().duplicate, 1);
    drop(feed);
    let mut feed = rig.open();
    feed.put_and_sync(&event(&(first - 1).to_string()));
    assert_eq!(feed.writer.totals().duplicate, 2);
}

#[test]
fn a_reader_in_a_segment_that_goes_reads_it_to_its_end() {
    let rig = small(100_000, OnFull::DropOldest);
    let mut feed = rig.open();
    for number in 0..20 {
        feed.put_and_sync(&event(&number.to_string()));
    }
    let mut reader = rig.reader();
    assert!(matches!(reader.next().unwrap(), ReadStep::Block(_)));
    for number in 20..1000 {
        feed.put_and_sync(&event(&number.to_string()));
    }
    let mut seen = vec![0];
    let mut trimmed = Vec::new();
    loop {
        match reader.next().unwrap() {
            ReadStep::Block(block) => seen.extend(block.records().map(|(seq, _, _)| seq)),
            ReadStep::Trimmed { available_from } => {
                trimmed.push(available_from);
                assert!(seen.last() < Some(&available_from));
            }
            ReadStep::AtHead => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(trimmed.len(), 1);
    assert_eq!(seen.last(), Some(&999));
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(seen.contains(&5), "the open segment was read on");
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_recovers_by_itself() {
    let mut rig = small(10 << 20, OnFull::Refuse);
    rig.options.segment_bytes = 64 << 10;
    rig.disk.set_budget(Some(600_000));
    let mut feed = rig.open();
    let (count, error) = fill(&mut feed, 0);
    assert!(
        matches!(
            error,
            AppendError::Full {
                cause: FullCause::Disk,
                ..
            }
        ),
        "{error:?}"
    );
    for _ in 0..20 {
        assert!(matches!(
            feed.append(&event("more")),
            Err(AppendError::Full { .. })
        ));
        maintain(&rig, &mut feed);
    }
    let read = rig.read_all();
    assert_eq!(read.records.len() as u64, count);
    assert!(
        read.notes.iter().any(|note| note.contains("disk is full")),
        "the reserve pays for it: {:?}",
        read.notes
    );
    // Someone makes room.
    rig.disk.set_budget(Some(3_000_000));
    feed.put_and_sync(&event("more"));
    assert!(!maintain(&rig, &mut feed).is_full);
    assert_eq!(rig.read_all().records.len() as u64, count + 1);
    assert_eq!(feed.writer.totals().duplicate, 0);
}

#[test]
fn delivered_segments_make_room_on_a_full_disk() {
    let mut rig = small(10 << 20, OnFull::Refuse);
    rig.options.segment_bytes = 64 << 10;
    rig.disk.set_budget(Some(600_000));
    let mut feed = rig.open();
    rig.commit_cursor(&feed, "one", 0);
    let (count, _) = fill(&mut feed, 0);
    rig.commit_cursor(&feed, "one", count);
    for number in count..count + 500 {
        feed.put_and_sync(&event(&number.to_string()));
        rig.commit_cursor(&feed, "one", number + 1);
    }
}

#[test]
fn no_space_at_any_call_leaves_nothing_behind() {
    for failing in 1..200 {
        let mut rig = small(1 << 20, OnFull::Refuse);
        rig.options.segment_bytes = 4096;
        let mut feed = rig.open();
        feed.put_and_sync(&event("a"));
        rig.disk.fail_call(failing, ErrorKind::StorageFull);
        let mut kept = vec![String::from("a")];
        for number in 0..40 {
            let id = number.to_string();
            if feed.append(&event(&id)).is_ok() && feed.writer.sync().is_ok() {
                kept.push(id);
            }
        }
        assert!(
            kept.len() >= 40,
            "call {failing}: one failure costs one hand-off, {} are left",
            kept.len()
        );
        rig.disk.heal();
        // Had the failure met the last publication, it is tried again.
        maintain(&rig, &mut feed);
        assert_eq!(rig.read_all().ids(), kept, "call {failing}");
        let ids: String = (0..40).map(|number| event(&number.to_string())).collect();
        feed.put_and_sync(&ids);
        assert_eq!(rig.read_all().counts().len(), 41);
        assert_eq!(rig.read_all().records.len(), 41, "call {failing}");
        drop(feed);
        drop(rig.open());
        assert_eq!(
            rig.read_all().records.len(),
            41,
            "call {failing}, after a restart"
        );
    }
}

#[test]
fn delivered_segments_expire_and_others_do_not() {
    let mut rig = small(10 << 20, OnFull::Refuse);
    rig.options.retain = Duration::from_hours(24 * 30);
    let mut feed = rig.open();
    for number in 0..100 {
        feed.put_and_sync(&event(&number.to_string()));
    }
    rig.commit_cursor(&feed, "one", 50);
    maintain(&rig, &mut feed);
    assert_eq!(rig.read_all().trimmed, Vec::<u64>::new());
    rig.clock.advance(Duration::from_hours(24 * 29));
    feed.put_and_sync(&event("late"));
    assert_eq!(maintain(&rig, &mut feed).expired_segments, 0);
    rig.clock.advance(Duration::from_hours(24 * 2));
    let report = maintain(&rig, &mut feed);
    assert!(report.expired_segments > 2, "{report:?}");
    let read = rig.read_all();
    assert!(
        read.trimmed[0] <= 50 && read.trimmed[0] > 25,
        "{:?}",
        read.trimmed
    );
    // Set back by years, nothing goes that is not delivered.
    rig.clock.set_wall(Timestamp(0));
    maintain(&rig, &mut feed);
    rig.clock.set_wall(Timestamp(i64::MAX));
    maintain(&rig, &mut feed);
    assert!(rig.read_all().trimmed[0] <= 50);
}

#[test]
fn torn_tails_and_dead_letters_count_and_tails_go_first() {
    let rig = small(100_000, OnFull::Refuse);
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    let before = maintain(&rig, &mut feed).used;
    for (path, bytes) in [
        ("quarantine/0000000000000000-ff.tail", 30_000),
        ("cursors/junk", 20_000),
    ] {
        rig.disk
            .create_new(path)
            .unwrap()
            .write_at(0, &vec![1; bytes])
            .unwrap();
    }
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(maintain(&rig, &mut feed).used, before + 50_000);
    fill(&mut feed, 0);
    assert_eq!(rig.names("quarantine"), Vec::<String>::new());
    assert_eq!(rig.names("cursors"), ["junk"]);
    assert!(rig.disk.calls() > 0 && rig.disk.list("segments").is_ok());
}

#[test]
fn a_failed_call_that_is_not_about_room_is_told_apart() {
    let rig = small(1 << 20, OnFull::DropOldest);
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    rig.disk
        .fail_when(|call| (call.op == Op::WriteAt).then_some(ErrorKind::Other));
    assert!(matches!(feed.append(&event("b")), Err(AppendError::Io(_))));
    rig.disk.heal();
    feed.put_and_sync(&event("b"));
    assert_eq!(rig.read_all().ids(), ["a", "b"]);
}

/// `count` records whose publication a power cut has taken back, so that opening must copy them, and a disk without a free
/// block.
fn full_with_much_to_adopt(count: u64, before: impl FnOnce(&Rig, &mut Feed)) -> (Rig, Vec<String>) {
    let mut rig = small(10 << 20, OnFull::Refuse);
    rig.options.segment_bytes = 1 << 20;
    let mut feed = rig.open();
    before(&rig, &mut feed);
    let head = rig.bytes("head");
    for number in 0..count {
        feed.put_and_sync(&event(&number.to_string()));
    }
    let ids = rig.read_all().ids().into_iter().map(str::to_owned).collect();
    drop(feed);
    let rig = rig.crashed(Crash::Everything, 0);
    let file = rig.disk.open("head", Access::ReadWrite).unwrap();
    file.write_at(0, &head).unwrap();
    fill_up(&rig);
    (rig, ids)
}

fn fill_up(rig: &Rig) {
    let space = rig.disk.space().unwrap();
    rig.disk.set_budget(Some(space.total - space.available));
}

#[test]
fn what_must_be_adopted_on_a_full_disk_gets_the_room_that_delivered_segments_have() {
    let (rig, ids) = full_with_much_to_adopt(1000, |rig, feed| {
        for number in 0..2000 {
            feed.put_and_sync(&event(&format!("old {number}")));
        }
        assert_eq!(
            feed.writer.reclaim(NOW),
            0,
            "sealed, and there was no destination yet"
        );
        rig.commit_cursor(feed, "x", 2000);
    });
    let (_feed, report) = rig.try_open().unwrap();
    assert_eq!(report.adopted, 1000);
    let read = rig.read_all();
    let left = read.ids();
    assert!(left.len() < ids.len(), "delivered ones have gone");
    assert!(
        left == ids[ids.len() - left.len()..],
        "all others are there: {}",
        left.len()
    );
}

#[test]
fn what_must_be_adopted_and_finds_no_room_keeps_the_spool_closed_and_nothing_is_lost() {
    let (rig, ids) = full_with_much_to_adopt(1000, |_, _| ());
    for attempt in 0..3 {
        let error = rig.try_open().err().expect("no room");
        assert!(
            matches!(
                error,
                SpoolError::Full {
                    needed: 100_000..,
                    ..
                }
            ),
            "{error:?}"
        );
        let said = error.to_string();
        assert!(
            said.contains("make room on the filesystem") && said.contains("nothing is lost"),
            "{said}"
        );
        assert!(
            rig.names("segments").len() < 3,
            "attempt {attempt} leaves nothing behind"
        );
    }
    rig.disk.set_budget(None);
    let (_feed, report) = rig.try_open().unwrap();
    assert_eq!(report.adopted, 1000);
    assert_eq!(rig.read_all().ids(), ids);
}

#[test]
fn the_reserve_pays_for_what_must_be_adopted() {
    let (rig, ids) = full_with_much_to_adopt(200, |_, _| ());
    let reserve = rig.bytes("reserve").len();
    let (_feed, report) = rig.try_open().unwrap();
    assert_eq!(report.adopted, 200, "with a reserve of {reserve} bytes");
    assert_eq!(rig.read_all().ids(), ids);
}
