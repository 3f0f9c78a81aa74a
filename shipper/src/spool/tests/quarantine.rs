//! Undecodable input outlives its segment, until somebody has looked after it.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::super::block::Position;
use super::super::quarantine::{self, Sort};
use super::super::storage::sim::{Crash, Op};
use super::*;

const DAY: Duration = Duration::from_hours(24);
/// One good line and one that is none, of so many bytes.
const BAD: &str = "this is no JSON\n";

/// A spool whose first segment is delivered and holds `a` and two quarantine blocks, and is followed by another.
fn delivered() -> (Rig, Feed) {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&(event("a") + BAD));
    feed.put_and_sync(BAD);
    assert_eq!(feed.writer.reclaim(NOW), 0);
    feed.put_and_sync(&event("b"));
    rig.commit_cursor(&feed, "x", 1);
    (rig, feed)
}

/// The carried blocks, and where they stood.
fn carried(rig: &Rig) -> Vec<(Position, Vec<u8>)> {
    let spool = rig.reader().spool_id();
    let mut blocks = Vec::new();
    quarantine::carried(&rig.disk, spool, |block| {
        assert!(block.quarantine().is_some());
        blocks.push((block.position, block.payload.clone()));
    })
    .unwrap();
    blocks
}

/// Where quarantine blocks are, in the log or carried.
fn places(rig: &Rig) -> BTreeSet<Position> {
    let mut places: BTreeSet<Position> = carried(rig).into_iter().map(|(place, _)| place).collect();
    let mut reader = rig
        .reader()
        .with_kinds(Kinds::only(super::super::format::Kind::Quarantine));
    loop {
        match reader.next().unwrap() {
            ReadStep::Block(block) => drop(places.insert(block.position)),
            ReadStep::AtHead => return places,
            ReadStep::Trimmed { .. } => {}
            damaged => panic!("{damaged:?}"),
        }
    }
}

#[test]
fn it_is_carried_when_its_segment_goes_and_takes_room() {
    let (rig, mut feed) = delivered();
    let before = places(&rig);
    assert_eq!(before.len(), 2);
    let used = feed.writer.maintain(NOW).used;
    assert_eq!(feed.writer.reclaim(NOW), 1);
    assert_eq!(
        rig.read_all().quarantined,
        Vec::<Vec<u8>>::new(),
        "gone from the log"
    );
    let found = carried(&rig);
    assert!(
        found
            .iter()
            .all(|(_, bytes)| bytes == BAD.trim_end().as_bytes() || bytes == BAD.as_bytes()),
        "{found:?}"
    );
    assert_eq!(places(&rig), before);
    let bytes: u64 = quarantine::list(&rig.disk)
        .unwrap()
        .iter()
        .map(|file| file.len)
        .sum();
    assert!(bytes > 0);
    let after = feed.writer.maintain(NOW).used;
    // Measured anew it is the same.
    drop(feed);
    let measured = rig.open().writer.maintain(NOW).used;
    assert!(
        after < used && after > bytes && measured > bytes,
        "{used} {after} {measured} {bytes}"
    );
}

#[test]
fn it_is_carried_when_its_time_is_over_and_when_it_is_dropped() {
    let (rig, mut feed) = delivered();
    let before = places(&rig);
    rig.clock.advance(DAY * 40);
    let now = Timestamp(NOW.0 + 40 * 86_400_000_000_000);
    assert_eq!(feed.writer.maintain(now).expired_segments, 1);
    assert_eq!(places(&rig), before);

    let mut rig = Rig::new();
    rig.options.max_bytes = Some(64 << 10);
    rig.options.on_full = OnFull::DropOldest;
    let mut feed = rig.open();
    feed.put_and_sync(BAD);
    let first = places(&rig);
    for number in 0..400 {
        feed.put_and_sync(&event(&number.to_string()));
    }
    assert!(feed.writer.maintain(NOW).dropped_segments > 0);
    assert_eq!(carried(&rig).len(), 1);
    assert_eq!(places(&rig), first);
}

#[test]
fn what_was_looked_after_is_not_carried_and_gives_its_room_back() {
    let (rig, mut feed) = delivered();
    let all: Vec<Position> = places(&rig).into_iter().collect();
    feed.writer.settle_quarantined(all[0]).unwrap();
    let rig = rig.crashed(Crash::NothingUnsynced, 0);
    let mut feed = rig.open();
    assert!(feed.writer.reclaim(NOW) > 0);
    assert_eq!(
        carried(&rig)
            .into_iter()
            .map(|(place, _)| place)
            .collect::<Vec<_>>(),
        all[1..]
    );
    let used = feed.writer.maintain(NOW).used;
    feed.writer.settle_quarantined(all[1]).unwrap();
    feed.writer.settle_quarantined(all[1]).unwrap();
    assert_eq!(carried(&rig), []);
    assert!(feed.writer.maintain(NOW).used < used);
    assert_eq!(
        rig.names("quarantine"),
        [""; 0],
        "nothing is left of it, no mark either"
    );
}

#[test]
fn a_segment_stays_when_its_quarantine_cannot_be_carried() {
    let (rig, mut feed) = delivered();
    let before = places(&rig);
    rig.disk.fail_when(|call| {
        (call.op == Op::WriteAt && call.path.starts_with("quarantine/")).then_some(ErrorKind::StorageFull)
    });
    assert_eq!(feed.writer.reclaim(NOW), 0);
    assert!(feed.writer.maintain(NOW).trouble.is_some());
    assert_eq!(places(&rig), before);
    assert_eq!(rig.names("quarantine"), [""; 0], "half a file only takes room");
    rig.disk.heal();
    assert_eq!(feed.writer.reclaim(NOW), 1);
    assert_eq!(feed.writer.maintain(NOW).trouble, None);
    assert_eq!(places(&rig), before);
}

#[test]
fn drop_oldest_does_without_it_and_says_so() {
    let mut rig = Rig::new();
    rig.options.max_bytes = Some(64 << 10);
    rig.options.on_full = OnFull::DropOldest;
    let mut feed = rig.open();
    feed.put_and_sync(BAD);
    rig.disk.fail_when(|call| {
        (call.op == Op::WriteAt && call.path.starts_with("quarantine/")).then_some(ErrorKind::StorageFull)
    });
    for number in 0.. {
        feed.put_and_sync(&event(&number.to_string()));
        if feed.writer.maintain(NOW).dropped_segments > 0 {
            break;
        }
    }
    assert_eq!(places(&rig), BTreeSet::new());
    let notes = rig.read_all().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("undecodable input in segment")),
        "{notes:?}"
    );
}

#[test]
fn a_crash_anywhere_leaves_each_block_in_the_log_or_carried() {
    for crash in Crash::ALL {
        for changes in 0.. {
            let (rig, mut feed) = delivered();
            let before = places(&rig);
            rig.disk.fail_after_changes(changes);
            feed.writer.reclaim(NOW);
            let reached = rig.disk.is_dead();
            drop(feed);
            let rig = rig.crashed(crash, changes);
            let mut feed = rig.open();
            assert_eq!(places(&rig), before, "{crash:?} after {changes}");
            // And again, to the end.
            rig.commit_cursor(&feed, "x", 1);
            feed.writer.reclaim(NOW);
            let rig = rig.crashed(crash, changes);
            drop(rig.open());
            assert_eq!(places(&rig), before, "{crash:?} after {changes}, then again");
            let listed = quarantine::list(&rig.disk).unwrap();
            assert!(listed.iter().all(|file| file.sort != Sort::Done), "{listed:?}");
            if !reached {
                assert!(changes > 5, "{changes} are too few to say something");
                break;
            }
        }
    }
}
