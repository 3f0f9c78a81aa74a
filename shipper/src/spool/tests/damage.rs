//! Every flip of a byte and every cut of a small spool: what is not damaged stays readable, what is lost is named.

use super::*;

/// A sealed segment and an open one, all synced and published.
fn small() -> (Rig, Read) {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    let mut feed = rig.open();
    let long = "x".repeat(300);
    for number in 0..8 {
        let extra = format!("{{\"event\":{{\"id\":\"{number}\"}},\"text\":\"{long}\"}}\n");
        feed.put_and_sync(&(extra + &event(&format!("{number}b"))));
        if number == 3 {
            feed.put_and_sync("not json\n");
            feed.writer.note("in the middle").unwrap();
        }
    }
    drop(feed);
    let read = rig.read_all();
    assert_eq!(read.records.len(), 16);
    (rig, read)
}

/// Checks that `read` is `whole` but for what it says to be lost.
fn check(read: &Read, whole: &Read, what: &str) {
    let lost = |seq: u64| {
        read.damaged
            .iter()
            .any(|(first, count)| (*first..first + count).contains(&seq))
    };
    let mut records = read.records.iter().peekable();
    for record in &whole.records {
        if records.peek() == Some(&record) {
            records.next();
            assert!(
                !lost(record.0),
                "{what}: record {} is called lost and is there",
                record.0
            );
        } else {
            assert!(
                lost(record.0),
                "{what}: record {} is gone and nobody says so",
                record.0
            );
        }
    }
    assert_eq!(records.next(), None, "{what}: a record that was never written");
}

fn copy(rig: &Rig) -> Rig {
    rig.crashed(super::super::storage::sim::Crash::Kill, 0)
}

fn files(rig: &Rig) -> Vec<String> {
    let segments = rig
        .names("segments")
        .into_iter()
        .map(|name| format!("segments/{name}"));
    segments
        .chain([String::from("head"), String::from("spool.meta")])
        .collect()
}

/// The most records of one block.
const BLOCK: usize = 2;

#[test]
fn every_flip_is_harmless_or_costs_one_block_and_is_named() {
    let (rig, whole) = small();
    let mut costly = 0;
    for path in files(&rig) {
        for at in 0..rig.bytes(&path).len() as u64 {
            let what = format!("{path} byte {at}");
            let rig = copy(&rig);
            rig.flip(&path, at);
            let before = rig.read_all();
            // An older head only hides what is behind it, until the spool is opened for writing.
            if path != "head" {
                check(&before, &whole, &what);
                assert!(
                    whole.records.len() - before.records.len() <= BLOCK,
                    "{what}: more than its block"
                );
            }
            let (mut feed, _) = rig.try_open().unwrap_or_else(|error| panic!("{what}: {error}"));
            feed.put_and_sync(&event("after"));
            let mut after = rig.read_all();
            let (seq, last) = after.records.pop().unwrap();
            assert!(seq == 16 && last.contains("after"), "{what}: {seq} {last}");
            check(&after, &whole, &what);
            assert!(
                whole.records.len() - after.records.len() <= BLOCK,
                "{what}: more than its block"
            );
            costly += usize::from(after.records.len() < whole.records.len());
        }
    }
    assert!(
        costly > 3000,
        "only {costly} flips cost anything: the test looks at the wrong bytes"
    );
}

#[test]
fn every_cut_is_named_and_what_is_before_it_stays() {
    let (rig, whole) = small();
    for path in files(&rig) {
        let len = rig.bytes(&path).len() as u64;
        for len in (0..len).step_by(7) {
            let what = format!("{path} cut to {len}");
            let rig = copy(&rig);
            rig.cut(&path, len);
            if path != "head" {
                check(&rig.read_all(), &whole, &what);
            }
            let mut feed = rig.open();
            feed.put_and_sync(&event("after"));
            let mut after = rig.read_all();
            let (seq, last) = after.records.pop().unwrap();
            assert!(seq == 16 && last.contains("after"), "{what}: {seq} {last}");
            check(&after, &whole, &what);
        }
    }
}

#[test]
fn a_missing_segment_is_named() {
    let (rig, whole) = small();
    for name in rig
        .names("segments")
        .iter()
        .filter(|name| name.ends_with(".seg"))
        .skip(1)
    {
        let rig = copy(&rig);
        rig.disk.remove(&format!("segments/{name}")).unwrap();
        check(&rig.read_all(), &whole, name);
        let mut feed = rig.open();
        feed.put_and_sync(&event("after"));
        let mut after = rig.read_all();
        assert_eq!(after.records.pop().unwrap().0, 16, "{name}");
        check(&after, &whole, name);
    }
}

#[test]
fn damage_that_opening_meets_is_in_a_note() {
    let (rig, _) = small();
    let last = rig
        .names("segments")
        .into_iter()
        .rfind(|name| name.ends_with(".seg"))
        .unwrap();
    // Inside the header of the segment's first block.
    rig.flip(&format!("segments/{last}"), 196 + 60);
    let (_feed, report) = rig.try_open().unwrap();
    assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
    assert!(rig.read_all().notes.contains(&report.damaged[0]));
}

#[test]
fn damage_below_a_cursor_is_no_torn_tail_though_the_head_is_older() {
    let rig = Rig::new();
    let mut feed = rig.open();
    let mut heads = Vec::new();
    for id in ["a", "b", "c", "d"] {
        heads.push(feed.put_and_sync(&event(id)));
    }
    rig.commit_cursor(&feed, "fast", 4);
    // A power cut takes the publications, and the disk the header of `b`.
    let rig = rig.crashed(super::super::storage::sim::Crash::NothingUnsynced, 0);
    rig.flip("segments/0000000000000000.seg", heads[0].offset + 30);
    let (feed, report) = rig.try_open().unwrap();
    assert_eq!(report.torn, None);
    assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
    assert_eq!(feed.writer.next().seq, 4);
    let read = rig.read_all();
    assert_eq!(read.ids(), ["a", "c", "d"]);
    assert_eq!(read.damaged, [(1, 1)]);
    assert_eq!(feed.writer.totals().spooled, 4);
}
