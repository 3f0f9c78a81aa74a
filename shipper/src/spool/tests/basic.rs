//! What is written is read, counted and told apart.

use super::*;

#[test]
fn what_is_synced_is_read_in_order_and_what_is_not_is_not() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put(&(event("a") + &event("b")));
    assert_eq!(rig.read_all(), Read::default());
    feed.sync();
    feed.put(&event("c"));
    let read = rig.read_all();
    assert_eq!(read.ids(), ["a", "b"]);
    let (seq, json) = &read.records[1];
    assert_eq!(*seq, 1);
    let (spool, epoch) = (feed.writer.spool_id(), feed.epoch());
    assert!(
        json.ends_with(&format!(
            "\"auditship\":{{\"spool\":\"{spool}\",\"epoch\":\"{epoch}\",\"seq\":1}}}}"
        )),
        "{json}"
    );
}

#[test]
fn a_reader_follows_the_writer_from_segment_to_segment() {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    let mut feed = rig.open();
    let mut reader = rig.reader();
    let mut seen = Vec::new();
    for number in 0..200 {
        feed.put_and_sync(&event(&number.to_string()));
        loop {
            match reader.next().unwrap() {
                ReadStep::Block(block) => seen.extend(block.records().map(|(seq, _, _)| seq)),
                ReadStep::AtHead => break,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
    assert!(rig.names("segments").len() > 10, "{:?}", rig.names("segments"));
}

#[test]
fn seeking_gives_the_block_with_the_number_wherever_it_is() {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    let mut feed = rig.open();
    for number in 0..60 {
        feed.put_and_sync(&(event(&format!("{number}x")) + &event(&format!("{number}y"))));
    }
    let mut reader = rig.reader();
    for seq in (0..120).rev() {
        reader.seek(seq);
        match reader.next().unwrap() {
            ReadStep::Block(block) => {
                assert_eq!(block.header.first_seq, seq / 2 * 2);
                assert!(block.at_seq(seq).is_some());
                reader.seek_from(seq, block.position).unwrap();
                assert_eq!(reader.next().unwrap(), ReadStep::Block(block));
            }
            other => panic!("{seq}: {other:?}"),
        }
    }
    reader.seek(120);
    assert_eq!(reader.next().unwrap(), ReadStep::AtHead);
    reader.seek(121);
    feed.put_and_sync(&(event("new") + &event("newer")));
    match reader.next().unwrap() {
        ReadStep::Block(block) => assert_eq!(block.header.first_seq, 120),
        other => panic!("{other:?}"),
    }
}

#[test]
fn codecs_give_the_same_records() {
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
        let mut rig = Rig::new();
        rig.options.codec = codec;
        let mut feed = rig.open();
        feed.put_and_sync(&(event("a") + "{\"no\":\"id\"}\n" + &event("b")));
        let records = rig.read_all().records;
        assert_eq!(records.len(), 3, "{codec:?}");
        assert!(records[1].1.starts_with("{\"no\":\"id\""));
    }
}

#[test]
fn a_hand_off_is_counted_once_in_the_blocks_that_it_makes() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&(event("a") + "not json\n" + &event("a") + &event("b")));
    let totals = feed.writer.totals();
    assert_eq!((totals.received, totals.duplicate, totals.spooled), (3, 1, 2));
    assert_eq!((totals.undecodable_regions, totals.undecodable_bytes), (1, 8));
    assert!(totals.balances());
    assert_eq!(rig.read_all().quarantined, [b"not json".to_vec()]);
    // Nothing to spool is still something to count.
    feed.put_and_sync(&event("b"));
    assert_eq!(feed.writer.totals().duplicate, 2);
    drop(feed);
    assert_eq!(rig.open().writer.totals().received, 4);
    assert_eq!(
        super::super::read_head(&rig.disk)
            .unwrap()
            .unwrap()
            .totals
            .duplicate,
        2
    );
}

#[test]
fn an_append_is_one_write_and_a_sync_is_two_calls() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("first"));
    let before = rig.disk.calls();
    feed.put(&event("a"));
    assert_eq!(rig.disk.calls() - before, 1);
    feed.put(&event("b"));
    feed.sync();
    // One more write, one sync, one publication.
    assert_eq!(rig.disk.calls() - before, 4);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let rig = Rig::new();
    let feed = rig.open();
    assert_eq!(rig.try_open().err(), Some(SpoolError::Locked));
    drop(feed);
    assert!(rig.try_open().is_ok());
}

#[test]
fn another_instances_spool_is_refused_by_both_names() {
    let mut rig = Rig::new();
    drop(rig.open());
    rig.options.id = String::from("other");
    let wanted = SpoolError::OtherId {
        found: String::from("test"),
        wanted: String::from("other"),
    };
    assert_eq!(rig.try_open().err(), Some(wanted));
}

#[test]
fn a_directory_without_a_spool_is_none() {
    let disk = SimStorage::new();
    assert!(matches!(
        Reader::open(Arc::new(disk)).err(),
        Some(SpoolError::NotASpool { .. })
    ));
}

#[test]
fn a_draft_that_contradicts_itself_is_refused_and_leaves_nothing() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    let mut draft = feed.draft.clone();
    draft.table[0].len += 1;
    assert!(matches!(
        feed.writer.append(&draft, NOW),
        Err(AppendError::BadDraft { .. })
    ));
    let head = feed.sync();
    assert_eq!(head.next_seq, 1);
}

#[test]
fn a_draft_that_was_never_appended_makes_no_duplicates() {
    let rig = Rig::new();
    let mut feed = rig.open();
    let text = event("a");
    let chunk = Chunk {
        source: SourceFormat::Ndjson,
        bytes: text.as_bytes(),
        origin: "",
        received_at: NOW,
    };
    let next = feed.writer.next();
    feed.ingest.chunk(
        &chunk,
        Default::default(),
        next,
        feed.writer.window(),
        &mut feed.draft,
    );
    // The draft is lost here, as by a panic of the caller.
    feed.put_and_sync(&text);
    assert_eq!(rig.read_all().ids(), ["a"]);
}

#[test]
fn restarts_without_records_leave_no_files() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let files = rig.names("segments").len();
    for _ in 0..20 {
        rig.open();
    }
    // The first restart keeps the index of the segment that it found.
    assert!(
        rig.names("segments").len() <= files + 1,
        "{:?}",
        rig.names("segments")
    );
}

#[test]
fn the_chain_links_every_block_over_segments_and_openings() {
    let mut rig = Rig::new();
    rig.options.segment_bytes = 4096;
    for opening in 0..3 {
        let mut feed = rig.open();
        for number in 0..30 {
            feed.put_and_sync(&event(&format!("{opening}-{number}")));
        }
        feed.writer.note("a note").unwrap();
        feed.sync();
    }
    let mut reader = rig.reader().with_kinds(Kinds::ALL);
    let mut chain = [0; 32];
    let mut blocks = 0;
    while let ReadStep::Block(block) = reader.next().unwrap() {
        assert_eq!(block.header.prev, chain, "block {blocks}");
        chain = block.hash;
        blocks += 1;
    }
    assert!(blocks > 93);
    assert_eq!(reader.head().unwrap().unwrap().chain, chain);
}
