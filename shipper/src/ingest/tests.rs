//! Tests of ingest: what becomes of each record, the sums, the lines, and random chunks against both equations.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::spool::count::Tally;
use crate::spool::identity::{Epoch, SpoolId};

/// A window without an end.
#[derive(Default)]
struct Window {
    keys: Vec<Key>,
    ids: HashMap<u64, Vec<Key>>,
}

impl KeyWindow for Window {
    fn see(&mut self, key: Key, id_hash: u64) -> Seen {
        if self.keys.contains(&key) {
            return Seen::Duplicate;
        }
        self.keys.push(key);
        let same_id = self.ids.entry(id_hash).or_default();
        same_id.push(key);
        if same_id.len() > 1 {
            Seen::Conflict
        } else {
            Seen::New
        }
    }

    fn enter(&mut self, key: Key) {
        self.keys.push(key);
    }
}

const NEXT: RecordId = RecordId {
    spool: SpoolId([0xab; 16]),
    epoch: Epoch(0x12),
    seq: 40,
};
const OURS: &str =
    r#""auditship":{"spool":"abababababababababababababababab","epoch":"0000000000000012","seq":"#;
const RECEIVED: Timestamp = Timestamp(1_500_000_000);

fn lines_of(bytes: &str) -> Chunk<'_> {
    Chunk {
        source: SourceFormat::Ndjson,
        bytes: bytes.as_bytes(),
        origin: "test.log",
        received_at: RECEIVED,
    }
}

/// One hand-off into a new draft; checks what holds for every draft.
fn ingest_with(settings: &Settings, chunk: &Chunk<'_>, window: &mut Window) -> Draft {
    let mut draft = Draft::default();
    let more = Ingest::new(settings).chunk(chunk, Position::default(), NEXT, window, &mut draft);
    assert_eq!(more, None);
    check(&draft, NEXT);
    draft
}

fn ingest(lines: &str) -> Draft {
    ingest_with(&Settings::default(), &lines_of(lines), &mut Window::default())
}

/// The sources' own JSON, out of a draft whose every line is right.
fn check(draft: &Draft, next: RecordId) -> Vec<Vec<u8>> {
    assert!(draft.tally.balances(), "{:?}", draft.tally);
    assert_eq!(draft.tally.spooled, draft.table.len() as u64);
    assert_eq!(draft.table.len(), draft.contents.len());
    assert_eq!(draft.tally.undecodable_regions, draft.quarantined.len() as u64);
    let quarantined: usize = draft.quarantined.iter().map(|region| region.bytes.len()).sum();
    assert_eq!(draft.tally.undecodable_bytes, quarantined as u64);
    let flagged = |flag: u16| draft.table.iter().filter(|entry| entry.flags & flag != 0).count() as u64;
    assert_eq!(draft.tally.repaired, flagged(TableEntry::REPAIRED));
    assert_eq!(draft.tally.id_conflict, flagged(TableEntry::ID_CONFLICT));
    let mut rest = &draft.payload[..];
    let mut sources = Vec::new();
    for (seq, (entry, content)) in (next.seq..).zip(draft.table.iter().zip(&draft.contents)) {
        let (line, after) = rest.split_at(entry.len as usize);
        rest = after;
        let json: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(json["auditship"]["seq"], seq);
        assert_eq!(json["auditship"]["epoch"], next.epoch.to_string());
        assert_eq!(json["auditship"]["spool"], next.spool.to_string());
        assert!(json.get("@timestamp").is_some());
        assert_eq!(memchr::memchr(b'\n', line), Some(line.len() - 1));
        let cut = line.len() - 2 - usize::from(entry.added);
        let source = [&line[..cut], b"}"].concat();
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&source).unwrap();
        assert_eq!(blake3::hash(&source).as_bytes(), content);
        assert_eq!(entry.flags & TableEntry::HAS_ID != 0, entry.id_hash != 0);
        if entry.id_hash == 0 {
            assert_eq!(entry.key, Key::of_position(&RecordId { seq, ..next }));
        }
        sources.push(source);
    }
    assert!(rest.is_empty());
    sources
}

#[test]
fn a_line_is_the_source_and_what_is_added() {
    let payload = |line: &str| String::from_utf8(ingest(line).payload).unwrap();
    let time = r#""@timestamp":"1970-01-01T00:00:01.500000000Z","#;
    assert_eq!(payload(r#"{"a":1}"#), format!("{{\"a\":1,{time}{OURS}40}}}}\n"));
    assert_eq!(payload("{}"), format!("{{{time}{OURS}40}}}}\n"));
    assert_eq!(payload("{ }"), format!("{{ {time}{OURS}40}}}}\n"));
    assert_eq!(
        payload("{\"a\":1 }\r"),
        format!("{{\"a\":1 ,{time}{OURS}40}}}}\n")
    );
    assert_eq!(payload("7"), format!("{{\"message\":7,{time}{OURS}40}}}}\n"));
    assert_eq!(
        payload(r#"{"@timestamp":"x"}"#),
        format!("{{\"@timestamp\":\"x\",{OURS}40}}}}\n")
    );
    let two = ingest("{}\n{}");
    assert!(two.payload.ends_with(b"\"seq\":41}}\n"));
}

#[test]
fn the_time_of_an_event_is_its_own_or_the_hosts() {
    let draft =
        ingest("{\"@timestamp\":\"1970-01-01T00:00:09Z\"}\n{\"@timestamp\":\"nonsense\"}\n{\"a\":1}\n");
    let times: Vec<(Timestamp, u16)> = draft
        .table
        .iter()
        .map(|entry| (entry.time, entry.flags))
        .collect();
    let host = (RECEIVED, TableEntry::HOST_TIME);
    assert_eq!(times, [(Timestamp(9_000_000_000), 0), host, host]);
    let chunk = Chunk {
        source: SourceFormat::FluentBit,
        bytes: &[0x92, 3, 0x80],
        origin: "tag",
        received_at: RECEIVED,
    };
    let draft = ingest_with(&Settings::default(), &chunk, &mut Window::default());
    assert_eq!(
        (draft.table[0].time, draft.table[0].flags),
        (Timestamp(3_000_000_000), TableEntry::HOST_TIME)
    );
    assert!(
        draft
            .payload
            .starts_with(br#"{"@timestamp":"1970-01-01T00:00:03.000000000Z","#)
    );
}

#[test]
fn a_time_key_of_its_own_makes_the_timestamp_that_is_added() {
    let settings = Settings {
        record: record::Settings {
            time_key: record::KeyPath::new("when"),
            ..record::Settings::default()
        },
        ..Settings::default()
    };
    let chunk = lines_of(r#"{"when":"1970-01-01T00:00:08Z"}"#);
    let draft = ingest_with(&settings, &chunk, &mut Window::default());
    assert_eq!(
        (draft.table[0].time, draft.table[0].flags),
        (Timestamp(8_000_000_000), 0)
    );
    let line = String::from_utf8(draft.payload).unwrap();
    assert!(
        line.contains(r#""@timestamp":"1970-01-01T00:00:08.000000000Z""#),
        "{line}"
    );
}

#[test]
fn ids_decide_what_is_doubled_and_what_conflicts() {
    let mut window = Window::default();
    let one = r#"{"event":{"id":"a"},"n":1}"#;
    let other = r#"{"event":{"id":"a"},"n":2}"#;
    let bare = r#"{"n":1}"#;
    let chunk = format!("{one}\n{one}\n{other}\n{bare}\n{bare}\n{other}\n");
    let draft = ingest_with(&Settings::default(), &lines_of(&chunk), &mut window);
    let expected = Tally {
        received: 6,
        duplicate: 2,
        spooled: 4,
        id_conflict: 1,
        ..Tally::default()
    };
    assert_eq!(draft.tally, expected);
    let flags: Vec<u16> = draft
        .table
        .iter()
        .map(|entry| entry.flags & !TableEntry::HOST_TIME)
        .collect();
    let has = TableEntry::HAS_ID;
    assert_eq!(flags, [has, has | TableEntry::ID_CONFLICT, 0, 0]);
    let [first, second] = [&draft.table[0], &draft.table[1]];
    assert_eq!(first.id_hash, second.id_hash);
    assert_eq!(
        first.key,
        Key::of_event(b"a", blake3::hash(one.as_bytes()).as_bytes())
    );
    assert_eq!(
        first.id_hash,
        u64::from_le_bytes(blake3::hash(b"a").as_bytes()[..8].try_into().unwrap())
    );
    let again = ingest_with(&Settings::default(), &lines_of(&chunk), &mut window);
    assert_eq!((again.tally.duplicate, again.tally.spooled), (4, 2));
}

#[test]
fn the_same_record_has_the_same_key_from_lines_and_from_msgpack() {
    let json = r#"{"event":{"id":"a"},"n":1}"#;
    let msgpack = [
        &[0x92, 3, 0x82, 0xa5][..],
        b"event",
        &[0x81, 0xa2],
        b"id",
        &[0xa1],
        b"a",
        &[0xa1],
        b"n",
        &[1],
    ]
    .concat();
    let chunk = Chunk {
        source: SourceFormat::FluentBit,
        bytes: &msgpack,
        origin: "tag",
        received_at: RECEIVED,
    };
    let mut window = Window::default();
    ingest_with(&Settings::default(), &lines_of(json), &mut window);
    assert_eq!(
        ingest_with(&Settings::default(), &chunk, &mut window)
            .tally
            .duplicate,
        1
    );
}

#[test]
fn exclusion_comes_before_everything() {
    let settings = Settings {
        exclusion: Exclusion::from_list("iam,auth").unwrap(),
        ..Settings::default()
    };
    let mut window = Window::default();
    let lines = concat!(
        r#"{"event":{"id":"a","category":"iam"}}"#,
        "\n",
        r#"{"event":{"id":"a","category":"iam"}}"#,
        "\n",
        r#"{"event":{"id":"b","category":["iam","authentication"]}}"#,
        "\n",
        r#"{"event":{"id":"c","category":["iam","file"]}}"#,
        "\n",
        r#"{"event":{"id":"d","category":["iam","custom"]}}"#,
        "\n",
        r#"{"event":{"id":"e"}}"#,
        "\n",
        r#"{"event":{"id":"f","category":"iam"},"event.category":"web"}"#,
        "\n",
    );
    let draft = ingest_with(&settings, &lines_of(lines), &mut window);
    let expected = Tally {
        received: 7,
        excluded: 3,
        spooled: 4,
        ..Tally::default()
    };
    assert_eq!(draft.tally, expected);
    assert_eq!(window.keys.len(), 4);
    let categories: Vec<String> = draft
        .table
        .iter()
        .map(|entry| record::Categories::from_bits(entry.categories).to_string())
        .collect();
    assert_eq!(categories, ["file,iam", "iam,unknown", "", "iam,web"]);
}

#[test]
fn repaired_text_is_counted_where_it_is_kept() {
    let lines = b"{\"a\":\"\xff\"}\n{\"event.id\":\"\xfe\"}\n{\"event.id\":\"\xfd\"}\n";
    let chunk = Chunk {
        bytes: lines,
        ..lines_of("")
    };
    let draft = ingest_with(&Settings::default(), &chunk, &mut Window::default());
    // The last two are the same record once they are text.
    assert_eq!((draft.tally.repaired, draft.tally.duplicate), (2, 1));
}

#[test]
fn quarantine_says_what_where_and_why() {
    let draft = ingest("{\"a\":1}\nnot json\n\n{\"b\":\n{\"c\":1}");
    let told: Vec<(&[u8], &str, &str)> = draft
        .quarantined
        .iter()
        .map(|region| (&region.bytes[..], &*region.origin, &*region.reason))
        .collect();
    assert_eq!(
        told,
        [
            (
                &b"not json"[..],
                "test.log, line 2",
                "not JSON: expected a value at column 1"
            ),
            (
                &b"{\"b\":"[..],
                "test.log, line 4",
                "not JSON: expected a value at column 6"
            ),
        ]
    );
    assert_eq!((draft.tally.received, draft.tally.undecodable_bytes), (2, 13));
}

#[test]
fn msgpack_that_is_no_event_is_one_region_as_long_as_it_goes_on() {
    let mut bytes = vec![0x92, 3, 0x80];
    bytes.extend_from_slice(b"plain text");
    bytes.extend_from_slice(&[
        0x92, 3, 0x80, 0x92, 0xfd, 0x80, 0x92, 0xfd, 0x80, 0x92, 3, 0x80, 0xc1, 1,
    ]);
    let chunk = Chunk {
        source: SourceFormat::FluentBit,
        bytes: &bytes,
        origin: "tag",
        received_at: RECEIVED,
    };
    let draft = ingest_with(&Settings::default(), &chunk, &mut Window::default());
    assert_eq!(draft.tally.received, 3);
    let told: Vec<(&[u8], &str)> = draft
        .quarantined
        .iter()
        .map(|region| (&region.bytes[..], &*region.origin))
        .collect();
    assert_eq!(
        told,
        [
            (&b"plain text"[..], "tag, byte 3"),
            (&[0x92, 0xfd, 0x80, 0x92, 0xfd, 0x80], "tag, byte 16"),
            (&[0xc1, 1], "tag, byte 25"),
        ]
    );
}

#[test]
fn a_draft_is_closed_when_it_is_large_and_the_next_goes_on() {
    // The smallest events there are, and as many regions and as large ones.
    let tiny = [0x92, 3, 0x80].repeat(300_000);
    let broken = "x\n".repeat(200_000);
    let huge = format!("{}\n", "x".repeat(9 << 20)).repeat(4);
    for (source, bytes, records, regions) in [
        (SourceFormat::FluentBit, &tiny[..], 300_000, 0),
        (SourceFormat::Ndjson, broken.as_bytes(), 0, 200_000),
        (SourceFormat::Ndjson, huge.as_bytes(), 0, 4),
    ] {
        let chunk = Chunk {
            source,
            bytes,
            origin: "test",
            received_at: RECEIVED,
        };
        let mut ingest = Ingest::new(&Settings::default());
        let mut window = NoWindow;
        let (mut draft, mut next, mut from) = (Draft::default(), NEXT, Some(Position::default()));
        let (mut drafts, mut total) = (0, Tally::default());
        while let Some(position) = from {
            from = ingest.chunk(&chunk, position, next, &mut window, &mut draft);
            let sum = draft.payload.len()
                + draft
                    .quarantined
                    .iter()
                    .map(|region| region.bytes.len())
                    .sum::<usize>();
            assert!(sum < MAX_DRAFT_BYTES + (10 << 20), "{sum}");
            assert!(draft.table.len().max(draft.quarantined.len()) <= MAX_DRAFT_BYTES / OVERHEAD);
            if let Some(last) = draft.table.len().checked_sub(1) {
                let seq = next.seq + last as u64;
                let end = format!("\"seq\":{seq}}}}}\n");
                assert!(draft.payload.ends_with(end.as_bytes()));
            }
            next.seq += draft.tally.spooled;
            total.add(&draft.tally);
            drafts += 1;
        }
        assert!(drafts > 1);
        assert_eq!((total.received, total.undecodable_regions), (records, regions));
        assert_eq!(next.seq, NEXT.seq + total.spooled);
    }
}

/// Takes everything for new.
struct NoWindow;

impl KeyWindow for NoWindow {
    fn see(&mut self, _: Key, _: u64) -> Seen {
        Seen::New
    }

    fn enter(&mut self, _: Key) {}
}

/// What becomes of one line, by itself.
#[derive(Clone, Debug)]
enum Line {
    Record {
        id: Option<u8>,
        category: Option<&'static str>,
        n: u8,
    },
    Broken,
    Blank,
}

fn any_line() -> impl Strategy<Value = Line> {
    let record = (
        proptest::option::of(0_u8..4),
        proptest::option::of(prop::sample::select(vec!["iam", "file", "custom"])),
        0_u8..2,
    )
        .prop_map(|(id, category, n)| Line::Record { id, category, n });
    prop_oneof![8 => record, 1 => Just(Line::Broken), 1 => Just(Line::Blank)]
}

impl Line {
    fn text(&self) -> String {
        match self {
            Self::Record { id, category, n } => {
                let id = id.map(|id| format!(r#""event.id":{id},"#)).unwrap_or_default();
                let category = category.map(|name| format!(r#""event":{{"category":"{name}"}},"#));
                format!("{{{id}{}\"n\":{n}}}\n", category.unwrap_or_default())
            }
            Self::Broken => String::from("{broken\n"),
            Self::Blank => String::from(" \n"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sums_are_those_of_a_model(chunks in prop::collection::vec(prop::collection::vec(any_line(), 0..12), 1..4)) {
        let settings = Settings { exclusion: Exclusion::from_list("iam").unwrap(), ..Settings::default() };
        let mut window = Window::default();
        let mut seen: Vec<(u8, String)> = Vec::new();
        for lines in chunks {
            let text: String = lines.iter().map(Line::text).collect();
            let draft = ingest_with(&settings, &lines_of(&text), &mut window);
            let mut model = Tally::default();
            let mut kept = Vec::new();
            for line in &lines {
                let Line::Record { id, category, .. } = line else {
                    model.undecodable_regions += u64::from(matches!(line, Line::Broken));
                    continue;
                };
                let json = line.text().trim_end().to_owned();
                model.received += 1;
                if *category == Some("iam") {
                    model.excluded += 1;
                    continue;
                }
                if let Some(id) = id {
                    if seen.contains(&(*id, json.clone())) {
                        model.duplicate += 1;
                        continue;
                    }
                    model.id_conflict += u64::from(seen.iter().any(|(other, _)| other == id));
                    seen.push((*id, json.clone()));
                }
                model.spooled += 1;
                kept.push(json.into_bytes());
            }
            model.undecodable_bytes = model.undecodable_regions * 7;
            prop_assert_eq!(draft.tally, model);
            prop_assert_eq!(check(&draft, NEXT), kept);
        }
    }

    #[test]
    fn any_chunk_makes_a_draft_that_is_right(bytes in prop::collection::vec(any::<u8>(), 0..300), msgpack in any::<bool>()) {
        let source = if msgpack { SourceFormat::FluentBit } else { SourceFormat::Ndjson };
        let chunk = Chunk { source, bytes: &bytes, origin: "any", received_at: RECEIVED };
        ingest_with(&Settings::default(), &chunk, &mut Window::default());
    }
}
