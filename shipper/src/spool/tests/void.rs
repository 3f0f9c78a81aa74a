//! Segments that were given up, and could not be removed either: nothing in them counts, wherever they are.

use std::io::ErrorKind;

use super::super::segment::{self, Listing, Successor};
use super::super::storage::sim::{Crash, Op};
use super::*;
use crate::seal::verify;

/// Why a segment is given up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Because {
    /// Its first sync failed: what is in it can be read, and will never be on the disk.
    SyncFailed,
    /// What was appended was discarded: it is on the disk whenever the kernel likes.
    Discarded,
}

/// The writer has no segment yet: it begins one with the block of `id` in it, gives it up, and it stays.
fn give_one_up(rig: &Rig, feed: &mut Feed, id: &str, because: Because) {
    let before = segments(rig).len();
    feed.put(&event(id));
    rig.disk.fail_when(|call| {
        matches!(call.op, Op::SyncData | Op::Remove | Op::SetLen).then_some(ErrorKind::Other)
    });
    match because {
        Because::SyncFailed => assert!(matches!(feed.writer.sync(), Err(AppendError::Io(_)))),
        Because::Discarded => feed.writer.discard(),
    }
    rig.disk.heal();
    assert_eq!(segments(rig).len(), before + 1, "one more is there");
}

fn segments(rig: &Rig) -> Vec<(u64, u64)> {
    Listing::read(&rig.disk).unwrap().segments
}

fn numbers(rig: &Rig) -> Vec<u64> {
    segments(rig).into_iter().map(|(number, _)| number).collect()
}

/// What there is, is `ids`, once each, now and after every crash, and verifies.
fn assert_holds(rig: &Rig, ids: &[&str]) {
    assert_eq!(rig.read_all().ids(), ids);
    for crash in Crash::ALL {
        let rig = rig.crashed(crash, 5);
        let (feed, report) = rig.try_open().unwrap();
        assert_eq!(report.damaged, [""; 0], "{crash:?}");
        assert_eq!(rig.read_all().ids(), ids, "{crash:?}");
        assert_eq!(feed.writer.next().seq, ids.len() as u64, "{crash:?}");
        assert_eq!(feed.writer.totals().spooled, ids.len() as u64, "{crash:?}");
        let verified = verify(rig.storage()).unwrap();
        assert_eq!(verified.breaks, [], "{crash:?}");
        assert_eq!(verified.records, ids.len() as u64, "{crash:?}");
    }
}

#[test]
fn the_very_first_segment_is_given_up() {
    let rig = Rig::new();
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "void", Because::Discarded);
    feed.put_and_sync(&event("a"));
    assert_holds(&rig, &["a"]);
}

#[test]
fn several_in_a_row_are_given_up_between_two_that_count() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let mut feed = rig.open();
    for id in ["v1", "v2", "v3"] {
        give_one_up(&rig, &mut feed, id, Because::SyncFailed);
    }
    feed.put_and_sync(&event("b"));
    drop(feed);
    // Far from the end of the log, too.
    for id in ["c", "d"] {
        rig.open().put_and_sync(&event(id));
    }
    assert_holds(&rig, &["a", "b", "c", "d"]);
    for from in 0..4 {
        let mut reader = rig.reader();
        reader.seek(from);
        assert_eq!(
            read_from(reader).ids(),
            ["a", "b", "c", "d"][usize::try_from(from).unwrap()..]
        );
    }
}

#[test]
fn a_reader_that_waits_at_the_end_goes_past_them() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let mut reader = rig.reader();
    while reader.next().unwrap() != ReadStep::AtHead {}
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "v1", Because::SyncFailed);
    give_one_up(&rig, &mut feed, "v2", Because::Discarded);
    assert_eq!(reader.next().unwrap(), ReadStep::AtHead);
    feed.put_and_sync(&event("b"));
    assert_eq!(read_from(reader).ids(), ["b"]);
}

#[test]
fn one_at_the_end_is_an_unsynced_tail_for_the_next_process_and_counts_once() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "b", Because::SyncFailed);
    assert_eq!(rig.read_all().ids(), ["a"]);
    // Nothing was appended since: the process dies.
    drop(feed);
    let (mut feed, report) = rig.try_open().unwrap();
    assert_eq!(
        report.adopted, 1,
        "nobody can tell it from a tail that was not synced yet"
    );
    // The host repeats what was refused.
    feed.put_and_sync(&event("b"));
    assert_holds(&rig, &["a", "b"]);
}

#[test]
fn what_is_appended_after_one_at_the_end_and_not_synced_takes_its_place() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "b", Because::SyncFailed);
    feed.put(&(event("b") + &event("c")));
    drop(feed);
    // Killed before the sync: what is adopted is one of the two, not both.
    let rig = rig.crashed(Crash::Kill, 0);
    drop(rig.open());
    assert_holds(&rig, &["a", "b", "c"]);
}

#[test]
fn the_next_opening_removes_them_and_so_does_this_one_when_it_can() {
    let rig = Rig::new();
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "void", Because::Discarded);
    feed.put_and_sync(&event("a"));
    let crashed = rig.crashed(Crash::Kill, 0);
    assert_eq!(numbers(&crashed), [0, 1]);
    drop(crashed.open());
    assert_eq!(numbers(&crashed), [1]);
    feed.writer.maintain(NOW);
    assert_eq!(numbers(&rig), [1]);
    feed.put_and_sync(&event("b"));
    assert_holds(&rig, &["a", "b"]);
}

#[test]
fn room_is_counted_of_what_counts() {
    let rig = Rig::new();
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "void", Because::Discarded);
    feed.put_and_sync(&event("a"));
    let rig = rig.crashed(Crash::Kill, 0);
    rig.disk
        .fail_when(|call| (call.op == Op::Remove).then_some(ErrorKind::Other));
    let mut feed = rig.open();
    assert_eq!(numbers(&rig), [0, 1]);
    let counted = segments(&rig)[1].1;
    assert_eq!(feed.writer.maintain(NOW).undelivered, counted);
}

#[test]
fn what_tells_that_one_is_void_does_not_go_before_it() {
    for restarts in [0, 1, 8] {
        let mut rig = Rig::new();
        // No keys are kept of what goes: their files would sync the folder now and then.
        rig.options.window = 1;
        let mut feed = rig.open();
        give_one_up(&rig, &mut feed, "void", Because::Discarded);
        let broken = |rig: &Rig| {
            rig.disk.fail_when(|call| {
                (call.op == Op::Remove && call.path == segment::path(0)).then_some(ErrorKind::Other)
            });
        };
        broken(&rig);
        feed.put_and_sync(&event("a"));
        for _ in 0..restarts {
            drop(feed);
            // Until the void one is further back than an opening looks.
            feed = rig.open();
            feed.writer.note("one more segment").unwrap();
            feed.sync();
        }
        assert_eq!(feed.writer.reclaim(NOW), 0, "no destination has anything");
        rig.commit_cursor(&feed, "x", 1);
        feed.put_and_sync(&event("b"));
        assert_eq!(feed.writer.reclaim(NOW), 0, "what is before it cannot go");
        assert_eq!(rig.read_all().ids(), ["a", "b"]);
        rig.disk.heal();
        assert!(feed.writer.reclaim(NOW) > 0);
        assert!(!numbers(&rig).contains(&0));
        for (crash, seed) in Crash::ALL
            .into_iter()
            .flat_map(|crash| (0..20).map(move |seed| (crash, seed)))
        {
            let rig = rig.crashed(crash, seed);
            drop(rig.open());
            let ids = rig.read_all().ids().join(" ");
            assert!(["b", "a b"].contains(&&*ids), "{crash:?} {seed}: {ids}");
        }
    }
}

#[test]
fn the_header_of_one_may_be_damaged() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let mut feed = rig.open();
    give_one_up(&rig, &mut feed, "void", Because::Discarded);
    feed.put_and_sync(&event("b"));
    rig.flip(&segment::path(1), 70);
    assert_eq!(rig.read_all().ids(), ["a", "b"]);
    let spool = feed.writer.spool_id();
    let followed = segment::successor(&rig.disk, &segments(&rig), 0, spool).unwrap();
    assert!(
        matches!(followed, Successor::Next { number: 2, .. }),
        "{followed:?}"
    );
    assert_holds(&rig, &["a", "b"]);
}
