//! The format against golden files, against its document, and against itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::seal;
use crate::spool::count::Tally;
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, SpoolId};
use crate::spool::storage::FileIdentity;
use crate::spool::{Block, Position};
use crate::time::Timestamp;

const SPOOL: SpoolId = SpoolId(*b"golden spool id!");
const EPOCH: Epoch = Epoch(0x0102_0304_0506_0708);
const SALT: [u8; 32] = [0x5a; 32];
const CREATED: Timestamp = Timestamp(1_767_225_600_000_000_000);

const FIRST: &[u8] = b"{\"event\":{\"id\":\"one\"},\"auditship\":{\"seq\":41}}\n";
const SECOND: &[u8] = b"{\"auditship\":{\"seq\":42}}\n";
const ADDED: [u16; 2] = [23, 22];

fn tally(first: u64) -> Tally {
    let mut bytes = [0; Tally::LEN];
    for (at, count) in bytes.chunks_exact_mut(8).zip(first..) {
        at.copy_from_slice(&count.to_le_bytes());
    }
    Tally::from_bytes(&bytes)
}

fn table() -> Vec<TableEntry> {
    let entry = |line: &[u8], added, key, id_hash, time| TableEntry {
        len: u32::try_from(line.len()).unwrap(),
        added,
        flags: if id_hash == 0 {
            TableEntry::HOST_TIME
        } else {
            TableEntry::HAS_ID
        },
        time: Timestamp(time),
        key: Key([key; 16]),
        categories: 0x8000_0005,
        id_hash,
    };
    vec![
        entry(FIRST, ADDED[0], 0xa1, 0x1122_3344_5566_7788, 1_000),
        entry(SECOND, ADDED[1], 0xa2, 0, -1_000),
    ]
}

/// What a block is made of, in the order of the golden segment.
struct Golden {
    header: BlockHeader,
    table: Vec<u8>,
    payload: Vec<u8>,
    salt: Vec<u8>,
}

impl Golden {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        Sections {
            table: &self.table,
            payload: &self.payload,
            secrets: &self.salt,
        }
        .encode(out);
    }
}

fn golden_block(kind: Kind, prev: [u8; 32], first_seq: u64, payload: &[u8]) -> Golden {
    let records = if kind == Kind::Records {
        table()
    } else {
        Vec::new()
    };
    let contents: Vec<[u8; 32]> = match kind {
        Kind::Records => [(FIRST, ADDED[0]), (SECOND, ADDED[1])]
            .into_iter()
            .map(|(line, added)| {
                let end = line.len() - 2 - usize::from(added);
                *blake3::hash(&[&line[..end], b"}"].concat()).as_bytes()
            })
            .collect(),
        Kind::Accounting => Vec::new(),
        _ => vec![*blake3::hash(payload).as_bytes()],
    };
    let mut bytes = Vec::new();
    encode_table(&records, &mut bytes);
    let salt = if contents.is_empty() {
        Vec::new()
    } else {
        SALT.to_vec()
    };
    Golden {
        header: BlockHeader {
            flags: Flags::default(),
            kind,
            codec: Codec::None,
            hash: HashAlgorithm::Blake3,
            cipher: Cipher::None,
            spool: SPOOL,
            epoch: EPOCH,
            first_seq,
            count: u32::try_from(records.len()).unwrap(),
            tally: tally(100),
            earliest: Timestamp(-1_000),
            latest: Timestamp(1_000),
            ingest_time: Timestamp(2_000),
            table_len: u32::try_from(bytes.len()).unwrap(),
            secrets_len: u32::try_from(salt.len()).unwrap(),
            stored_len: payload.len() as u64,
            plain_len: payload.len() as u64,
            root: seal::merkle_root(contents.iter().map(|content| seal::leaf(&SALT, content))),
            prev,
            extensions: match kind {
                Kind::Quarantine => vec![
                    Extension::new(Extension::SOURCE, &[1]),
                    Extension::new(Extension::REASON, b"not msgpack"),
                    Extension::new(Extension::ORIGIN, b"tag"),
                ],
                _ => Vec::new(),
            },
        },
        table: bytes,
        payload: payload.to_vec(),
        salt,
    }
}

fn golden_segment_header() -> SegmentHeader {
    let previous = Some(Previous::new(6, 0x1234, 0x1000));
    let mut header = SegmentHeader::new(SPOOL, EPOCH, 7, 41, previous, CREATED);
    header.chain = [0xc7; 32];
    header.totals = tally(200);
    header
}

fn golden_index() -> Index {
    let entry = |kind, offset, count| IndexEntry {
        offset,
        first_seq: 41,
        count,
        kind,
        earliest: Timestamp(-1_000),
        latest: Timestamp(1_000),
        ingest_time: Timestamp(2_000),
    };
    Index {
        blocks: vec![entry(Kind::Records, 196, 2), entry(Kind::Accounting, 700, 0)],
        keys: vec![(Key([0xa1; 16]), 0x1122_3344_5566_7788), (Key([0xa2; 16]), 0)],
    }
}

/// The golden segment: a header and a block of each kind that is written.
fn golden_segment() -> (Vec<u8>, Vec<Golden>) {
    let mut out = Vec::new();
    golden_segment_header().encode(&mut out);
    let mut index = Vec::new();
    golden_index().encode(&mut index);
    let contents: [(Kind, &[u8]); 5] = [
        (Kind::Records, &[FIRST, SECOND].concat()),
        (Kind::Accounting, b""),
        (Kind::Quarantine, b"\xc1\xc1 as it came"),
        (Kind::Note, "a note, UTF-8: \u{e4}".as_bytes()),
        (Kind::Index, &index),
    ];
    let (mut prev, mut seq) = ([0xc7; 32], 41);
    let mut blocks = Vec::new();
    for (kind, payload) in contents {
        let block = golden_block(kind, prev, seq, payload);
        let start = out.len();
        block.encode(&mut out);
        let (_, len) = BlockHeader::decode(&out[start..]).unwrap();
        prev = seal::chain(&out[start..start + len]);
        seq = block.header.end_seq();
        blocks.push(block);
    }
    (out, blocks)
}

fn golden_slot(generation: u64) -> HeadSlot {
    HeadSlot {
        spool: SPOOL,
        generation,
        epoch: EPOCH,
        segment: 7,
        offset: 0x0dad,
        next_seq: 43,
        chain: [0xc8; 32],
        totals: tally(300),
    }
}

fn golden_head() -> Vec<u8> {
    let mut out = Vec::new();
    golden_slot(18).encode(&mut out);
    out.resize(HeadSlot::PITCH, 0);
    golden_slot(17).encode(&mut out);
    out.resize(2 * HeadSlot::PITCH, 0);
    out
}

fn golden_meta() -> Meta {
    Meta {
        flags: Flags::default(),
        spool: SPOOL,
        machine: *blake3::hash(b"machine").as_bytes(),
        created: CREATED,
        id: String::from("golden-1"),
        home: Some(golden_home()),
    }
}

fn golden_home() -> Home {
    Home {
        flags: Flags::default(),
        file: FileIdentity {
            inode: 0x1234_5678,
            born: CREATED.0 + 1,
        },
        copies: 3,
        evidence: Some(Evidence::OtherFile),
    }
}

fn encoded_meta() -> Vec<u8> {
    let mut out = Vec::new();
    golden_meta().encode(&mut out);
    out
}

fn golden_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(golden_folder().join(name)).unwrap()
}

#[test]
fn what_an_older_version_wrote_has_no_home() {
    let older = Meta {
        home: None,
        ..golden_meta()
    };
    let mut bytes = Vec::new();
    older.encode(&mut bytes);
    assert_eq!(Meta::decode(&bytes), Ok(older));
    // It is what the newer one begins with.
    assert!(golden("spool.meta").starts_with(&bytes));
    for len in bytes.len() + 1..golden("spool.meta").len() {
        assert!(Meta::decode(&golden("spool.meta")[..len]).is_err(), "{len} bytes");
    }
    bytes.push(0);
    assert!(Meta::decode(&bytes).is_err());
}

#[test]
fn a_segment_does_not_follow_itself_or_a_later_one() {
    let mut header = golden_segment_header();
    for (number, is_before) in [
        (0, true),
        (6, true),
        (7, false),
        (8, false),
        (u64::MAX - 1, false),
    ] {
        header.previous = Some(Previous::new(number, 100, 0));
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let decoded = SegmentHeader::decode(&bytes).map(|(header, _)| header);
        let expected = match is_before {
            true => Ok(header.clone()),
            false => Err(FormatError::Value { of: "previous" }),
        };
        assert_eq!(decoded, expected, "{number}");
    }
}

#[test]
#[ignore = "makes the golden files; look at the difference, and run check.py on them"]
fn write_golden_files() {
    let files = [
        ("segment.seg", golden_segment().0),
        ("head", golden_head()),
        ("spool.meta", encoded_meta()),
    ];
    for (name, bytes) in files {
        std::fs::write(golden_folder().join(name), bytes).unwrap();
    }
}

#[test]
fn golden_files_are_what_is_encoded() {
    assert_eq!(golden_segment().0, golden("segment.seg"));
    assert_eq!(golden_head(), golden("head"));
    assert_eq!(encoded_meta(), golden("spool.meta"));
}

#[test]
fn golden_files_decode_to_what_they_are_made_of() {
    let bytes = golden("segment.seg");
    let (header, mut at) = SegmentHeader::decode(&bytes).unwrap();
    assert_eq!(header, golden_segment_header());
    for expected in golden_segment().1 {
        let position = Position {
            segment: 7,
            offset: at as u64,
        };
        let block = Block::decode(&bytes[at..], SPOOL, position).unwrap();
        assert_eq!(block.header, expected.header);
        assert_eq!(block.payload, expected.payload);
        assert_eq!(
            block.salt.as_ref().map(<[u8; 32]>::as_slice).unwrap_or_default(),
            expected.salt
        );
        match block.header.kind {
            Kind::Records => {
                let records: Vec<_> = block.records().collect();
                let table = table();
                assert_eq!(records[0], (41, &table[0], &FIRST[..FIRST.len() - 1]));
                assert_eq!(records[1], (42, &table[1], &SECOND[..SECOND.len() - 1]));
            }
            Kind::Quarantine => {
                let facts = block.quarantine().unwrap();
                assert_eq!(facts.source, Some(crate::spool::draft::SourceFormat::FluentBit));
                assert_eq!(
                    (facts.reason.as_str(), facts.origin.as_str()),
                    ("not msgpack", "tag")
                );
            }
            Kind::Index => assert_eq!(Index::decode(&block.payload), Ok(golden_index())),
            _ => {}
        }
        at += BlockHeader::measure(&bytes[at..]).unwrap()
            + usize::try_from(block.header.sections_len()).unwrap();
    }
    assert_eq!(at, bytes.len());
    let head = golden("head");
    assert_eq!(HeadSlot::decode(&head), Ok(golden_slot(18)));
    assert_eq!(HeadSlot::decode(&head[HeadSlot::PITCH..]), Ok(golden_slot(17)));
    assert_eq!(Meta::decode(&golden("spool.meta")), Ok(golden_meta()));
}

#[test]
fn golden_files_pass_the_check_that_shares_no_code() {
    match Command::new("python3")
        .arg(golden_folder().join("check.py"))
        .output()
    {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
        Err(error) => eprintln!("skipped: python3 cannot be run here: {error}"),
    }
}

#[test]
fn checksums_are_the_published_ones() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    assert_eq!(blake3::hash(b"").to_hex().as_str(), empty);
}

/// The tables of docs/FORMAT.md: heading → (offset, bytes, field), in order. Fields without a size have none.
fn documented() -> BTreeMap<String, Vec<(usize, Option<usize>, String)>> {
    let text = include_str!("../../../../docs/FORMAT.md");
    let mut tables: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut heading = String::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            heading = title.to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, offset, bytes, field, ..] = cells[..]
            && let Ok(offset) = offset.parse()
        {
            let row = (offset, bytes.parse().ok(), field.to_owned());
            tables.entry(heading.clone()).or_default().push(row);
        }
    }
    tables
}

/// What the document says the fields are, in `bytes`.
fn fields<'a>(heading: &str, bytes: &'a [u8]) -> BTreeMap<String, &'a [u8]> {
    let table = documented()
        .remove(heading)
        .unwrap_or_else(|| panic!("no table under {heading}"));
    let mut end = 0;
    let mut fields = BTreeMap::new();
    for (offset, len, field) in table {
        assert_eq!(offset, end, "{heading}: {field} leaves a gap or overlaps");
        // What has no size goes on to the CRC.
        let len = len.unwrap_or(bytes.len().saturating_sub(offset + 4));
        end = offset + len;
        fields.insert(field, &bytes[offset..end]);
    }
    fields
}

fn le<const N: usize>(number: u64) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&number.to_le_bytes()[..N]);
    bytes
}

fn check_fields(heading: &str, bytes: &[u8], expected: &[(&str, &[u8])]) {
    let found = fields(heading, bytes);
    for (field, value) in expected {
        assert_eq!(found.get(*field), Some(value), "{heading}: {field}");
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "{heading} has fields that this test does not know: {found:?}"
    );
}

#[test]
fn the_document_says_where_every_field_is() {
    let (segment, blocks) = golden_segment();
    let tallies = [
        tally(100).to_bytes(),
        tally(200).to_bytes(),
        tally(300).to_bytes(),
    ];
    let frame = |bytes: &[u8], magic: &[u8]| {
        let len = u64::from(u16::from_le_bytes([bytes[10], bytes[11]]));
        check_fields(
            "Frame",
            &bytes[..24],
            &[
                ("magic", magic),
                ("version", &le::<2>(1)),
                ("len", &le::<2>(len)),
                ("compat", &[0; 4]),
                ("read_compat", &[0; 4]),
                ("incompat", &[0; 4]),
            ],
        );
        usize::try_from(len).unwrap()
    };
    let header = &segment[..SegmentHeader::LEN];
    assert_eq!(frame(header, b"\x89ASSEG\r\n"), SegmentHeader::LEN);
    check_fields(
        "Segment header",
        header,
        &[
            ("frame", &header[..24]),
            ("spool", b"golden spool id!"),
            ("epoch", &le::<8>(EPOCH.0)),
            ("number", &le::<8>(7)),
            ("first_seq", &le::<8>(41)),
            ("chain", &[0xc7; 32]),
            ("totals", &tallies[1]),
            ("previous", &le::<8>(6)),
            ("previous_len", &le::<8>(0x1234)),
            ("previous_index", &le::<8>(0x1000)),
            ("created", &CREATED.0.to_le_bytes()),
            ("crc", &crc32c::crc32c(&header[..192]).to_le_bytes()),
        ],
    );
    let block = &segment[SegmentHeader::LEN..SegmentHeader::LEN + BlockHeader::LEN];
    assert_eq!(frame(block, b"\x89ASBLK\r\n"), BlockHeader::LEN);
    let root = blocks[0].header.root;
    check_fields(
        "Block header",
        block,
        &[
            ("frame", &block[..24]),
            ("kind", &[1]),
            ("codec", &[0]),
            ("hash", &[1]),
            ("cipher", &[0]),
            ("spool", b"golden spool id!"),
            ("epoch", &le::<8>(EPOCH.0)),
            ("first_seq", &le::<8>(41)),
            ("count", &le::<4>(2)),
            ("reserved", &[0; 4]),
            ("tally", &tallies[0]),
            ("earliest", &(-1_000_i64).to_le_bytes()),
            ("latest", &le::<8>(1_000)),
            ("ingest_time", &le::<8>(2_000)),
            ("table_len", &le::<4>(88)),
            ("secrets_len", &le::<4>(32)),
            ("stored_len", &le::<8>((FIRST.len() + SECOND.len()) as u64)),
            ("plain_len", &le::<8>((FIRST.len() + SECOND.len()) as u64)),
            ("root", &root),
            ("prev", &[0xc7; 32]),
            ("extensions", b""),
        ],
    );
    let head = golden_head();
    assert_eq!(frame(&head, b"\x89ASHED\r\n"), HeadSlot::LEN);
    check_fields(
        "Head slot",
        &head[..HeadSlot::LEN],
        &[
            ("frame", &head[..24]),
            ("spool", b"golden spool id!"),
            ("generation", &le::<8>(18)),
            ("epoch", &le::<8>(EPOCH.0)),
            ("segment", &le::<8>(7)),
            ("offset", &le::<8>(0x0dad)),
            ("next_seq", &le::<8>(43)),
            ("chain", &[0xc8; 32]),
            ("totals", &tallies[2]),
            ("crc", &crc32c::crc32c(&head[..176]).to_le_bytes()),
        ],
    );
    let meta = encoded_meta();
    let (meta, home) = meta.split_at(frame(&meta, b"\x89ASMET\r\n"));
    assert_eq!(frame(home, b"\x89ASHOM\r\n"), home.len());
    check_fields(
        "Home",
        home,
        &[
            ("frame", &home[..24]),
            ("inode", &le::<8>(0x1234_5678)),
            ("born", &(CREATED.0 + 1).to_le_bytes()),
            ("copies", &le::<8>(3)),
            ("evidence", &[2]),
            ("reserved", &[0; 7]),
            ("crc", &crc32c::crc32c(&home[..56]).to_le_bytes()),
        ],
    );
    check_fields(
        "spool.meta",
        meta,
        &[
            ("frame", &meta[..24]),
            ("spool", b"golden spool id!"),
            ("machine", blake3::hash(b"machine").as_bytes()),
            ("created", &CREATED.0.to_le_bytes()),
            ("id", b"golden-1"),
        ],
    );
    let table = &blocks[0].table[..TableEntry::LEN];
    check_fields(
        "Record table entry",
        table,
        &[
            ("len", &le::<4>(FIRST.len() as u64)),
            ("added", &le::<2>(23)),
            ("flags", &le::<2>(2)),
            ("time", &le::<8>(1_000)),
            ("key", &[0xa1; 16]),
            ("categories", &le::<4>(0x8000_0005)),
            ("id_hash", &le::<8>(0x1122_3344_5566_7788)),
        ],
    );
    let index = &blocks[4].payload;
    check_fields(
        "Index block entry",
        &index[16..64],
        &[
            ("offset", &le::<8>(196)),
            ("first_seq", &le::<8>(41)),
            ("count", &le::<4>(2)),
            ("kind", &[1]),
            ("reserved", &[0; 3]),
            ("earliest", &(-1_000_i64).to_le_bytes()),
            ("latest", &le::<8>(1_000)),
            ("ingest_time", &le::<8>(2_000)),
        ],
    );
    let key = &index[16 + 2 * 48..][..24];
    check_fields(
        "Index key",
        key,
        &[("key", &[0xa1; 16]), ("id_hash", &le::<8>(0x1122_3344_5566_7788))],
    );
    let tally = Tally {
        received: 1,
        undecodable_bytes: 2,
        ..Tally::default()
    };
    let counts = tally.to_bytes();
    let found = fields("Tally", &counts);
    assert_eq!(
        (found["received"], found["undecodable_bytes"]),
        (&le::<8>(1)[..], &le::<8>(2)[..])
    );
    assert_eq!(found.len(), 8);
}

#[test]
fn the_document_says_the_limits() {
    let text = include_str!("../../../../docs/FORMAT.md");
    assert_eq!(MAX_HEADER, 8192);
    assert!(text.contains("at most 8192"));
    assert!(text.contains(&format!("at most {MAX_PAYLOAD:#x}")) || text.contains("at most 0x48000000"));
    assert_eq!(
        (MAX_PAYLOAD, MAX_RECORDS, MAX_SECRETS),
        (0x4800_0000, 1_048_576, 4096)
    );
    assert!(text.contains("at most 1,048,576 records") && text.contains("secrets; at most 4096"));
    assert_eq!(SECRETS_PER_RECORD, 64);
    assert!(text.contains("and 64 more for each record"));
}

#[test]
fn payloads_come_back_and_anything_else_is_refused() {
    let plain: Vec<u8> = (0..100_000_u32)
        .map(|number| b"{}:,\"abc"[number as usize * 7 % 8])
        .collect();
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
        let mut stored = Vec::new();
        compress(codec, &plain, &mut stored).unwrap();
        let len = plain.len() as u64;
        let refused = |stored: &[u8], len| decompress(codec, stored, len) == Err(FormatError::Payload);
        assert!(decompress(codec, &stored, len) == Ok(plain.clone()), "{codec:?}");
        assert!(refused(&stored, len - 1), "{codec:?}");
        assert!(refused(&stored, len + 1), "{codec:?}");
        assert!(refused(&stored[..stored.len() - 1], len), "{codec:?}");
        // Two streams are not one.
        assert!(refused(&[&stored[..], &stored[..]].concat(), len), "{codec:?}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let zeros = vec![0; 80 << 20];
    for codec in [Codec::Gzip, Codec::Zstd] {
        let mut stored = Vec::new();
        compress(codec, &zeros, &mut stored).unwrap();
        assert!(
            decompress(codec, &stored, 1000) == Err(FormatError::Payload),
            "{codec:?}"
        );
        assert!(
            decompress(codec, &stored, zeros.len() as u64).as_ref() == Ok(&zeros),
            "{codec:?}"
        );
    }
}

#[test]
fn lengths_out_of_bounds_are_refused() {
    type Change = fn(&mut BlockHeader);
    let hostile: [(&str, Change); 7] = [
        ("record table", |header| header.table_len = u32::MAX),
        ("record table", |header| header.count = 3),
        ("payload", |header| header.plain_len = u64::MAX / 2),
        ("payload", |header| header.plain_len = u64::MAX - 1),
        ("payload", |header| header.stored_len = u64::MAX),
        ("payload", |header| header.stored_len += 1),
        ("secrets", |header| header.secrets_len = u32::MAX),
    ];
    for (of, change) in hostile {
        let mut header = golden_block(Kind::Records, [0; 32], 0, &[FIRST, SECOND].concat()).header;
        change(&mut header);
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        assert_eq!(BlockHeader::decode(&bytes), Err(FormatError::Length { of }));
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), magic in 0_usize..5) {
        let mut bytes = bytes;
        let magics = [BlockHeader::MAGIC, SegmentHeader::MAGIC, HeadSlot::MAGIC, Meta::MAGIC];
        if let Some(magic) = magics.get(magic) && bytes.len() > 28 {
            bytes[..8].copy_from_slice(magic);
            bytes[8..10].copy_from_slice(&[1, 0]);
            let len = bytes.len();
            bytes[10..12].copy_from_slice(&u16::try_from(len).unwrap().to_le_bytes());
            bytes[20..24].fill(0);
            let crc = crc32c::crc32c(&bytes[..len - 4]);
            bytes[len - 4..].copy_from_slice(&crc.to_le_bytes());
        }
        let _ = BlockHeader::decode(&bytes);
        let _ = SegmentHeader::decode(&bytes);
        let _ = HeadSlot::decode(&bytes);
        let _ = Meta::decode(&bytes);
        let _ = Index::decode(&bytes);
        let _ = Block::decode(&bytes, SPOOL, Position::default());
    }

    #[test]
    fn every_flip_in_a_block_is_found(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (segment, _) = golden_segment();
        let mut block = Vec::new();
        golden_block(Kind::Records, [0xc7; 32], 41, &[FIRST, SECOND].concat()).encode(&mut block);
        assert!(segment[SegmentHeader::LEN..].starts_with(&block));
        let at = at.index(block.len());
        block[at] ^= 1 << bit;
        prop_assert!(Block::decode(&block, SPOOL, Position::default()).is_err(), "byte {}", at);
    }
}
