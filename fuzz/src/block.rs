//! The spool's files: decode, read, open for writing.

use std::sync::Arc;

use auditship::random::SeededRandom;
use auditship::spool::format::{BlockHeader, HeadSlot, Index, Meta, SegmentHeader};
use auditship::spool::identity::SpoolId;
use auditship::spool::storage::Storage;
use auditship::spool::storage::sim::SimStorage;
use auditship::spool::{Block, Kinds, Position, ReadStep, Reader, Writer, WriterOptions};
use auditship::time::{ManualClock, Timestamp};

/// The spool of the golden files.
const SPOOL: SpoolId = SpoolId(*b"golden spool id!");
/// As in its `spool.meta`.
const ID: &str = "golden-1";
/// The golden segment's number.
const NUMBER: u64 = 7;

/// Bits of the first byte.
mod choice {
    /// Make lengths and checksums right, so that what they protect is looked at.
    pub const MEND: u8 = 1;
    /// A head that stands before the segment, as after a power cut; else one at its end.
    pub const OLD_HEAD: u8 = 2;
    /// A second segment with the same bytes follows.
    pub const TWICE: u8 = 4;
    /// The bytes are also a kept index.
    pub const KEPT: u8 = 8;
}

/// The first byte chooses, the others are a segment.
///
/// Whatever they are: decoding comes to an end without a panic; a block that decodes has lines where its table says; a reader
/// comes to the head, and every number up to it is given out once or named as lost; the spool opens for writing,
/// or says why not, and then goes on.
pub fn block(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if choice & choice::MEND != 0 {
        mend(&mut bytes);
    }
    decode(&bytes);
    spool(*choice, &bytes);
}

fn decode(bytes: &[u8]) {
    let _ = SegmentHeader::decode(bytes);
    let _ = HeadSlot::decode(bytes);
    let _ = Meta::decode(bytes);
    let _ = Index::decode(bytes);
    for at in [0, SegmentHeader::LEN.min(bytes.len())] {
        let position = Position {
            segment: NUMBER,
            offset: at as u64,
        };
        if let Ok(block) = Block::decode(&bytes[at..], SPOOL, position) {
            let lines: usize = block.records().map(|(_, _, json)| json.len() + 1).sum();
            assert!(block.table.is_empty() || lines == block.payload.len());
            assert_eq!(block.records().len(), block.header.count as usize);
        }
    }
}

/// Walks over what may be structures, and gives each a length that fits and checksums that match.
fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| rest.len() >= 28) {
        let is_block = at > 0;
        let (magic, least) = match is_block {
            false => (SegmentHeader::MAGIC, SegmentHeader::LEN),
            true => (BlockHeader::MAGIC, BlockHeader::LEN),
        };
        rest[..8].copy_from_slice(&magic);
        rest[8..10].copy_from_slice(&1_u16.to_le_bytes());
        let wanted = usize::from(u16::from_le_bytes([rest[10], rest[11]]) % 1024);
        let len = wanted.clamp(28, rest.len().max(28)).max(least.min(rest.len()));
        rest[10..12].copy_from_slice(&(len as u16).to_le_bytes());
        rest[20..24].fill(0);
        if is_block && len >= 44 {
            rest[28..44].copy_from_slice(&SPOOL.0);
        } else if len >= 40 {
            rest[24..40].copy_from_slice(&SPOOL.0);
        }
        seal(rest, 0, len - 4);
        at += len;
        let Ok((header, len)) = BlockHeader::decode(rest) else {
            continue;
        };
        let mut from = len;
        for part in [
            u64::from(header.table_len),
            header.stored_len,
            u64::from(header.secrets_len),
        ] {
            let Some(end) = usize::try_from(part).ok().and_then(|part| from.checked_add(part)) else {
                return;
            };
            if end.checked_add(4).is_none_or(|end| end > rest.len()) {
                return;
            }
            seal(rest, from, end);
            from = end + 4;
        }
        at += from - len;
    }
}

/// Puts the checksum of `bytes[from..to]` behind it.
fn seal(bytes: &mut [u8], from: usize, to: usize) {
    let crc = crc32c::crc32c(&bytes[from..to]);
    bytes[to..to + 4].copy_from_slice(&crc.to_le_bytes());
}

fn put(disk: &SimStorage, path: &str, bytes: &[u8]) {
    let file = disk.create_new(path).expect("a new disk takes a file");
    file.write_at(0, bytes).expect("and its bytes");
}

fn spool(choice: u8, bytes: &[u8]) {
    let disk = SimStorage::new();
    for folder in ["segments", "quarantine", "cursors"] {
        disk.create_dir(folder).expect("a new disk takes a folder");
    }
    put(
        &disk,
        "spool.meta",
        include_bytes!("../../shipper/tests/golden/spool.meta"),
    );
    put(&disk, &format!("segments/{NUMBER:016x}.seg"), bytes);
    let mut last = NUMBER;
    if choice & choice::TWICE != 0 {
        last += 1;
        let mut second = bytes.to_vec();
        if second.len() > SegmentHeader::LEN {
            second[48..56].copy_from_slice(&last.to_le_bytes());
            seal(&mut second, 0, SegmentHeader::LEN - 4);
        }
        put(&disk, &format!("segments/{last:016x}.seg"), &second);
    }
    if choice & choice::KEPT != 0 {
        put(&disk, &format!("segments/{NUMBER:016x}.idx"), bytes);
    }
    let golden =
        HeadSlot::decode(include_bytes!("../../shipper/tests/golden/head")).expect("the golden head");
    let slot = HeadSlot {
        segment: last,
        offset: if choice & choice::OLD_HEAD != 0 {
            SegmentHeader::LEN as u64
        } else {
            bytes.len() as u64
        },
        ..golden
    };
    let mut head = Vec::new();
    slot.encode(&mut head);
    head.resize(2 * HeadSlot::PITCH, 0);
    put(&disk, "head", &head);
    read(&disk, bytes.len());

    let clock = Arc::new(ManualClock::at(Timestamp(1)));
    let mut options = WriterOptions::new(ID, b"machine");
    options.window = 100;
    // So that the reserve, which is written out, is small.
    options.max_bytes = Some(1 << 20);
    if let Ok((mut writer, _)) = Writer::open(
        Arc::new(disk.clone()),
        options,
        clock,
        Arc::new(SeededRandom::new(1)),
    ) {
        let next = writer.next().seq;
        writer.note("it goes on").expect("a note is written");
        let head = writer.sync().expect("and synced");
        assert_eq!(head.next_seq, next);
        drop(writer);
        read(&disk, bytes.len());
    }
}

/// Reads to the head.
fn read(disk: &SimStorage, len: usize) {
    let mut reader = Reader::open(Arc::new(disk.clone()))
        .expect("spool.meta is golden")
        .with_kinds(Kinds::ALL);
    let mut next = 0;
    // A step is a block, or damage between two of them.
    for _ in 0..len + 100 {
        let Ok(step) = reader.next() else { return };
        match step {
            ReadStep::Block(block) => {
                let header = &block.header;
                assert!(
                    header.count == 0 || header.first_seq <= next,
                    "a gap that nobody names"
                );
                next = next.max(header.end_seq());
            }
            ReadStep::Damaged { first_seq, count, .. } => {
                assert_eq!(first_seq, next);
                next += count;
            }
            ReadStep::Trimmed { available_from } => {
                assert!(available_from >= next);
                next = available_from;
            }
            ReadStep::AtHead => return,
        }
    }
    panic!("the reader does not come to an end");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_and_every_flip_of_the_golden_segment() {
        let golden = include_bytes!("../../shipper/tests/golden/segment.seg");
        for choice in 0..16 {
            for at in (0..golden.len()).step_by(3) {
                let mut data = vec![choice];
                data.extend_from_slice(golden);
                data[1 + at] ^= 0x11;
                super::block(&data);
            }
        }
    }
}
