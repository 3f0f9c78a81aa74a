//! What the offline verifier sees of a spool that somebody worked on who knows the format: every checksum is made right
//! again, so only the chain and the tree can tell.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it skips and counts, and panics where it cannot go on"
)]

mod support;

use std::sync::Arc;

use auditship::random::SeededRandom;
use auditship::seal::{Flaw, Verification, verify};
use auditship::spool::draft::Draft;
use auditship::spool::format::{BlockHeader, Codec, Extension, Kind, Sections, SegmentHeader};
use auditship::spool::storage::sim::{Crash, SimStorage};
use auditship::spool::storage::{Access, Storage, read_small};
use auditship::spool::{Block, Kinds, ReadStep, Reader, Writer, WriterOptions};
use auditship::time::{ManualClock, Timestamp};
use support::feed::{Source, chunk};

const CHUNKS: u64 = 12;

/// A spool of several segments and two epochs, uncompressed so that a forger can keep every length.
fn sealed() -> SimStorage {
    let disk = SimStorage::new();
    let mut source = Source::new();
    for (seed, chunks) in [(1, 0..CHUNKS / 2), (2, CHUNKS / 2..CHUNKS)] {
        let mut options = WriterOptions::new("test", b"a machine");
        options.codec = Codec::None;
        options.max_bytes = Some(1 << 20);
        options.segment_bytes = 4096;
        let storage = Arc::new(disk.clone());
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000)));
        let (mut writer, _) =
            Writer::open(storage, options, clock, Arc::new(SeededRandom::new(seed))).unwrap();
        for number in chunks {
            source.hand_over(&mut writer, number).unwrap();
            writer.sync().unwrap();
            writer.maintain(Timestamp(0));
        }
        writer.note("the end of an opening").unwrap();
        // A hand-off of which nothing is kept: an accounting block.
        let mut draft = Draft::default();
        draft.tally.received = 1;
        draft.tally.excluded = 1;
        writer.append(&draft, Timestamp(0)).unwrap();
        writer.sync().unwrap();
    }
    disk
}

fn verified(disk: &SimStorage) -> Verification {
    verify(Arc::new(disk.clone())).unwrap()
}

fn flaws(disk: &SimStorage) -> Vec<Flaw> {
    let breaks = verified(disk).breaks;
    breaks.into_iter().map(|found| found.flaw).collect()
}

fn blocks(disk: &SimStorage) -> Vec<Arc<Block>> {
    let mut reader = Reader::open(Arc::new(disk.clone()))
        .unwrap()
        .with_kinds(Kinds::ALL);
    let mut blocks = Vec::new();
    while let ReadStep::Block(block) = reader.next().unwrap() {
        blocks.push(block);
    }
    blocks
}

/// The path of a block's segment.
fn path(block: &Block) -> String {
    format!("segments/{:016x}.seg", block.position.segment)
}

/// The bytes of a block, taken apart: header and the three sections.
struct Parts {
    header: BlockHeader,
    table: Vec<u8>,
    payload: Vec<u8>,
    secrets: Vec<u8>,
}

impl Parts {
    fn read(disk: &SimStorage, block: &Block) -> Self {
        let bytes = read_small(disk, &path(block), 1 << 20).unwrap().unwrap();
        let bytes = &bytes[usize::try_from(block.position.offset).unwrap()..];
        let (header, len) = BlockHeader::decode(bytes).unwrap();
        let sections = Sections::decode(&header, &bytes[len..]).unwrap();
        Self {
            table: sections.table.to_vec(),
            payload: sections.payload.to_vec(),
            secrets: sections.secrets.to_vec(),
            header,
        }
    }

    /// Every checksum made right again.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.header.encode(&mut bytes);
        let sections = Sections {
            table: &self.table,
            payload: &self.payload,
            secrets: &self.secrets,
        };
        sections.encode(&mut bytes);
        bytes
    }
}

/// Puts `bytes` where `block` is.
fn put(disk: &SimStorage, block: &Block, bytes: &[u8]) {
    let file = disk.open(&path(block), Access::ReadWrite).unwrap();
    file.write_at(block.position.offset, bytes).unwrap();
}

/// Changes one block of a sealed spool; the flaws that are found.
fn forge(of: impl Fn(&Block) -> bool, change: impl FnOnce(&mut Parts)) -> Vec<Flaw> {
    let disk = sealed();
    let blocks = blocks(&disk);
    let block = blocks.iter().find(|block| of(block)).unwrap();
    let mut parts = Parts::read(&disk, block);
    let before = parts.encode();
    change(&mut parts);
    let after = parts.encode();
    assert_eq!(before.len(), after.len(), "a forger keeps every length");
    assert_ne!(before, after);
    put(&disk, block, &after);
    flaws(&disk)
}

fn is_records(block: &Block) -> bool {
    block.header.kind == Kind::Records
}

/// Replaces `from` in `bytes` once, by something of the same length.
fn replace(bytes: &mut [u8], from: &str, to: &str) {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = at.unwrap();
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
}

#[test]
fn a_sound_spool_is_whole_and_everything_in_it_is_looked_at() {
    let disk = sealed();
    let found = verified(&disk);
    assert!(found.is_whole(), "{:?}", found.breaks);
    assert_eq!(
        (found.records, found.from_seq, found.to_seq),
        (4 * CHUNKS, 0, 4 * CHUNKS)
    );
    let blocks = blocks(&disk);
    assert_eq!(found.blocks, blocks.len() as u64);
    let segments: std::collections::BTreeSet<u64> =
        blocks.iter().map(|block| block.position.segment).collect();
    assert!(segments.len() > 2, "{segments:?}");
    for kind in [
        Kind::Records,
        Kind::Quarantine,
        Kind::Accounting,
        Kind::Note,
        Kind::Index,
    ] {
        assert!(blocks.iter().any(|block| block.header.kind == kind), "{kind:?}");
    }
    assert_eq!(found.chain, blocks.last().unwrap().hash);
}

#[test]
fn an_edited_record_shows() {
    let found = forge(is_records, |parts| replace(&mut parts.payload, "c0-1", "c0-7"));
    assert_eq!(found, [Flaw::Root]);
}

#[test]
fn an_edited_salt_shows() {
    assert_eq!(forge(is_records, |parts| parts.secrets[0] ^= 1), [Flaw::Root]);
}

#[test]
fn records_that_change_places_show() {
    let found = forge(is_records, |parts| {
        let lines: Vec<Vec<u8>> = parts
            .payload
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let entries: Vec<Vec<u8>> = parts.table.chunks(44).map(<[u8]>::to_vec).collect();
        parts.payload = [1, 0, 2, 3].map(|at| lines[at].clone()).concat();
        parts.table = [1, 0, 2, 3].map(|at| entries[at].clone()).concat();
    });
    assert_eq!(found, [Flaw::Root]);
}

#[test]
fn a_key_that_is_not_the_one_of_its_place_shows() {
    // The key of the fourth record, the one without an id, begins behind len, added, flags and time.
    let found = forge(is_records, |parts| parts.table[3 * 44 + 16] ^= 1);
    assert_eq!(found, [Flaw::Key]);
}

#[test]
fn an_entry_that_cuts_the_record_elsewhere_shows() {
    let found = forge(is_records, |parts| parts.table[4] ^= 1);
    assert_eq!(found, [Flaw::Root]);
    let found = forge(is_records, |parts| parts.table[5] = 0xff);
    assert_eq!(found, [Flaw::Entry]);
}

#[test]
fn an_erased_salt_leaves_the_chain_as_it_was() {
    let disk = sealed();
    let block = blocks(&disk).into_iter().find(|block| is_records(block)).unwrap();
    let mut parts = Parts::read(&disk, &block);
    let before = parts.encode().len();
    parts.secrets.clear();
    parts.header.secrets_len = 0;
    parts
        .header
        .extensions
        .push(Extension::new(Extension::PADDING, &[0; 28]));
    let after = parts.encode();
    assert_eq!(after.len(), before);
    put(&disk, &block, &after);
    let found = verified(&disk);
    assert_eq!((found.breaks, found.unsalted), (vec![], 1));
    // An extension that is not about the storage is a part of the chain.
    parts.header.extensions[0].kind = 0x7fff;
    put(&disk, &block, &parts.encode());
    assert_eq!(flaws(&disk), [Flaw::Chain]);
}

#[test]
fn an_edited_header_breaks_the_chain_behind_it() {
    let found = forge(is_records, |parts| parts.header.ingest_time = Timestamp(1));
    assert_eq!(found, [Flaw::Chain]);
    let found = forge(is_records, |parts| parts.header.tally.excluded += 1);
    assert_eq!(found[..2], [Flaw::Tally, Flaw::Chain]);
    // Balanced, so that only the sums can tell how much; the chain tells that.
    let found = forge(is_records, |parts| {
        parts.header.tally.excluded += 1;
        parts.header.tally.received += 1;
    });
    assert_eq!(found[..2], [Flaw::Chain, Flaw::Segment]);
}

#[test]
fn edited_quarantine_notes_and_indexes_show() {
    let found = forge(
        |block| block.header.kind == Kind::Quarantine,
        |parts| replace(&mut parts.payload, "no", "on"),
    );
    assert_eq!(found, [Flaw::Root]);
    let found = forge(
        |block| block.header.kind == Kind::Note,
        |parts| replace(&mut parts.payload, "opening", "0pening"),
    );
    assert_eq!(found, [Flaw::Root]);
    let found = forge(
        |block| block.header.kind == Kind::Index,
        |parts| *parts.payload.last_mut().unwrap() ^= 1,
    );
    assert_eq!(found, [Flaw::Root]);
    let found = forge(
        |block| block.header.kind == Kind::Accounting,
        |parts| parts.header.root[0] ^= 1,
    );
    assert_eq!(found.first(), Some(&Flaw::Root));
}

#[test]
fn blocks_that_change_places_show() {
    let disk = sealed();
    let blocks = blocks(&disk);
    let (one, two) = (&blocks[1], &blocks[2]);
    assert!(is_records(one) && path(one) == path(two));
    let [first, second] = [one, two].map(|block| Parts::read(&disk, block).encode());
    put(&disk, one, &[second, first].concat());
    // The reader has found out before: numbers that come twice or not at all.
    let found = verified(&disk).breaks;
    let first = found.first().map(|found| (found.position, found.seq));
    assert_eq!(first, Some((one.position, one.header.first_seq)), "{found:?}");
}

#[test]
fn notes_that_change_places_break_the_chain() {
    // They have no numbers, so nothing but the chain tells.
    let disk = SimStorage::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (mut writer, _) = support::feed::open(storage, support::feed::Size::SMALL, 1).unwrap();
    for text in ["login of a", "login of b", "login of c"] {
        writer.note(text).unwrap();
        writer.sync().unwrap();
    }
    assert!(verified(&disk).is_whole());
    let blocks = blocks(&disk);
    let at = blocks
        .iter()
        .position(|block| block.note().is_some_and(|text| text.ends_with('a')));
    let (one, two) = (&blocks[at.unwrap()], &blocks[at.unwrap() + 1]);
    let [first, second] = [one, two].map(|block| Parts::read(&disk, block).encode());
    put(&disk, one, &[second, first].concat());
    assert_eq!(flaws(&disk), [Flaw::Chain, Flaw::Chain, Flaw::Chain]);
}

#[test]
fn a_block_cut_out_of_the_middle_shows() {
    let disk = sealed();
    let blocks = blocks(&disk);
    let (cut, next) = (&blocks[1], &blocks[2]);
    let bytes = read_small(&disk, &path(cut), 1 << 20).unwrap().unwrap();
    let rest = &bytes[usize::try_from(next.position.offset).unwrap()..];
    put(&disk, cut, rest);
    let file = disk.open(&path(cut), Access::ReadWrite).unwrap();
    let removed = next.position.offset - cut.position.offset;
    file.set_len(bytes.len() as u64 - removed).unwrap();
    let found = verified(&disk);
    assert!(!found.is_whole());
    let lost = found.breaks.iter().any(|found| match found.flaw {
        Flaw::Damaged { count, .. } => {
            found.seq == cut.header.first_seq && count == u64::from(cut.header.count)
        }
        _ => false,
    });
    assert!(lost, "{:?}", found.breaks);
}

#[test]
fn a_segment_cut_off_at_its_end_shows() {
    for segment in 0..2 {
        let disk = sealed();
        let blocks = blocks(&disk);
        let mut of_segment = blocks
            .iter()
            .rev()
            .filter(|block| block.position.segment == segment);
        let last = of_segment.find(|block| is_records(block)).unwrap();
        let file = disk.open(&path(last), Access::ReadWrite).unwrap();
        file.set_len(last.position.offset).unwrap();
        let found = verified(&disk);
        let seqs: Vec<u64> = found.breaks.iter().map(|found| found.seq).collect();
        assert!(seqs.contains(&last.header.first_seq), "{:?}", found.breaks);
    }
}

#[test]
fn a_segment_removed_from_the_middle_shows() {
    let disk = sealed();
    disk.remove("segments/0000000000000001.seg").unwrap();
    assert!(!verified(&disk).is_whole());
}

#[test]
fn an_edited_segment_header_shows() {
    let disk = sealed();
    let path = "segments/0000000000000001.seg";
    let bytes = read_small(&disk, path, 1 << 20).unwrap().unwrap();
    let (mut header, _) = SegmentHeader::decode(&bytes).unwrap();
    header.totals.received += 1;
    header.totals.excluded += 1;
    let mut edited = Vec::new();
    header.encode(&mut edited);
    let file = disk.open(path, Access::ReadWrite).unwrap();
    file.write_at(0, &edited).unwrap();
    let found = flaws(&disk);
    assert_eq!(found.first(), Some(&Flaw::Segment), "{found:?}");
}

#[test]
fn a_spool_without_its_head_is_not_called_whole() {
    let disk = sealed();
    disk.open("head", Access::ReadWrite).unwrap().set_len(0).unwrap();
    assert_eq!(flaws(&disk), [Flaw::Head]);
}

#[test]
fn after_retention_the_rest_is_still_whole() {
    let disk = sealed();
    disk.remove("segments/0000000000000000.seg").unwrap();
    let found = verified(&disk);
    assert!(found.is_whole(), "{:?}", found.breaks);
    assert!(found.from_seq > 0 && found.records == found.to_seq - found.from_seq);
}

#[test]
fn an_older_copy_put_back_is_told_by_the_chain_value_alone() {
    let disk = SimStorage::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (mut writer, _) = support::feed::open(storage, support::feed::Size::SMALL, 1).unwrap();
    let mut source = Source::new();
    source.hand_over(&mut writer, 1).unwrap();
    writer.sync().unwrap();
    let older = disk.crash(Crash::Kill, 0);
    source.hand_over(&mut writer, 2).unwrap();
    writer.sync().unwrap();
    let (now, then) = (verified(&disk), verified(&older));
    assert!(now.is_whole() && then.is_whole(), "a spool by itself cannot tell");
    assert_ne!(now.chain, then.chain);
    assert!(chunk(1) != chunk(2));
}
