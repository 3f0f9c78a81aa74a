//! A segment with void blocks at its end, and the header that says so damaged or gone: they stay void.

use std::io::ErrorKind;

use super::super::segment;
use super::super::storage::sim::Op;
use super::*;
use crate::seal::verify;

/// How much of the log the head covers when the spool is opened again.
#[derive(Clone, Copy, Debug)]
enum Published {
    /// Everything.
    All,
    /// The first block: a power cut took the later publications back.
    First,
}

/// Segment 0 has `a`, `b` and void blocks, segment 1 has `c`, `d`, `e`.
struct Given {
    rig: Rig,
    /// The head after `a`.
    first: Vec<u8>,
    /// Where `b` and what is void begin.
    b_at: u64,
    void_at: u64,
}

impl Given {
    fn new() -> Self {
        let rig = Rig::new();
        let mut feed = rig.open();
        let b_at = feed.put_and_sync(&event("a")).offset;
        let first = rig.bytes("head");
        let void_at = feed.put_and_sync(&event("b")).offset;
        rig.disk.fail_when(|call| {
            matches!(call.op, Op::SyncData | Op::SetLen | Op::CreateNew).then_some(ErrorKind::Other)
        });
        feed.put(&(event("v1") + "not json\n"));
        feed.put(&event("v2"));
        assert!(matches!(feed.writer.sync(), Err(AppendError::Io(_))));
        rig.disk.heal();
        for id in ["c", "d", "e"] {
            feed.put_and_sync(&event(id));
        }
        assert_eq!(rig.names("segments"), [0, 1].map(name), "no index is kept");
        assert!(rig.bytes(&segment::path(0)).len() as u64 > void_at);
        Self {
            rig,
            first,
            b_at,
            void_at,
        }
    }

    /// What is left is `ids`, as a reader sees it at once and after the spool was opened again, twice, and what was
    /// void may be handed over again.
    fn assert_holds(&self, ids: &[&str], published: Published) {
        let rig = &self.rig;
        assert_eq!(rig.read_all().ids(), ids);
        if let Published::First = published {
            let head = rig.disk.open("head", Access::ReadWrite).unwrap();
            head.write_at(0, &self.first).unwrap();
        }
        for _ in 0..2 {
            let feed = rig.open();
            assert_eq!(feed.writer.next().seq, 5);
            assert_eq!(feed.writer.totals().undecodable_regions, 0);
            assert_eq!(rig.read_all().ids(), ids);
            verify(rig.storage()).unwrap();
        }
        let mut feed = rig.open();
        feed.put_and_sync(&(event("v1") + &event("v2")));
        assert_eq!(rig.read_all().ids(), [ids, &["v1", "v2"]].concat());
    }
}

fn name(number: u64) -> String {
    segment::path(number)
        .strip_prefix("segments/")
        .unwrap()
        .to_owned()
}

#[test]
fn what_comes_next_tells_what_is_void() {
    for published in [Published::All, Published::First] {
        let given = Given::new();
        given.rig.flip(&segment::path(1), 70);
        given.assert_holds(&["a", "b", "c", "d", "e"], published);
    }
}

#[test]
fn so_it_does_when_the_last_block_that_counts_is_damaged_too() {
    for published in [Published::All, Published::First] {
        let given = Given::new();
        given.rig.flip(&segment::path(1), 70);
        given.rig.flip(&segment::path(0), given.b_at + 60);
        given.assert_holds(&["a", "c", "d", "e"], published);
    }
}

#[test]
fn a_reader_that_waited_in_the_segment_goes_to_its_end_and_no_further() {
    let given = Given::new();
    let head = given.rig.bytes("head");
    let write = |bytes: &[u8]| {
        let file = given.rig.disk.open("head", Access::ReadWrite).unwrap();
        file.write_at(0, bytes).unwrap();
    };
    write(&given.first);
    let mut reader = given.rig.reader();
    while reader.next().unwrap() != ReadStep::AtHead {}
    assert_eq!(reader.next_seq(), 1);
    write(&head);
    given.rig.flip(&segment::path(1), 70);
    assert_eq!(read_from(reader).ids(), ["b", "c", "d", "e"]);
}

#[test]
fn an_empty_successor_whose_header_is_damaged_is_looked_past() {
    let given = Given::new();
    // Opening again makes a segment for its note only.
    let mut feed = given.rig.open();
    feed.put_and_sync(&event("f"));
    given.rig.flip(&segment::path(1), 70);
    given.rig.cut(&segment::path(1), 196);
    let read = given.rig.read_all();
    assert_eq!(&read.ids()[..2], ["a", "b"]);
    assert_eq!(read.ids().last(), Some(&"f"));
    assert!(given.void_at > 0);
}
