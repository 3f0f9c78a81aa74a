//! Decode, encode and ingest.

use auditship::exclude::Exclusion;
use auditship::ingest::{Chunk, Ingest, KeyWindow, MAX_DRAFT_BYTES, Seen, Settings};
use auditship::record::{self, Position};
use auditship::spool::draft::{Draft, SourceFormat};
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::Timestamp;

/// Forgets everything but what it needs to give every answer there is.
#[derive(Default)]
struct Window {
    asked: u64,
}

impl KeyWindow for Window {
    fn see(&mut self, _: Key, _: u64) -> Seen {
        self.asked += 1;
        match self.asked % 4 {
            0 => Seen::Duplicate,
            1 => Seen::Conflict,
            _ => Seen::New,
        }
    }

    fn enter(&mut self, _: Key) {}
}

/// The first byte chooses what the others are, and the limits.
///
/// Every line of every draft must be a JSON object with our members, and without what was added the JSON that was hashed; the
/// sums must balance; no draft may outgrow its limit; the call must come to an end.
pub fn chunk(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let mut limits = record::Settings::default();
    if choice & 2 != 0 {
        limits.max_depth = 4;
        limits.max_record_bytes = 64;
    }
    let max_record_bytes = limits.max_record_bytes;
    let settings = Settings {
        record: limits,
        exclusion: Exclusion::from_list("iam,web").unwrap_or_default(),
    };
    let chunk = Chunk {
        source: if choice & 1 == 0 {
            SourceFormat::FluentBit
        } else {
            SourceFormat::Ndjson
        },
        bytes,
        origin: "fuzz",
        received_at: Timestamp(1),
    };
    let mut next = RecordId {
        spool: SpoolId([1; 16]),
        epoch: Epoch(2),
        seq: 3,
    };
    let mut ingest = Ingest::new(&settings);
    let mut window = Window::default();
    let mut draft = Draft::default();
    let mut from = Some(Position::default());
    while let Some(position) = from {
        from = ingest.chunk(&chunk, position, next, &mut window, &mut draft);
        if let Some(after) = from {
            assert!(after.offset > position.offset && after.offset <= bytes.len());
        }
        check(&draft, next, max_record_bytes);
        next.seq += draft.tally.spooled;
    }
    let mut from = 0;
    while let Some(at) = record::resync(bytes, from) {
        assert!(at >= from && at < bytes.len());
        from = at + 1;
    }
}

fn check(draft: &Draft, next: RecordId, max_record_bytes: usize) {
    assert!(draft.tally.balances());
    assert_eq!(draft.table.len(), draft.contents.len());
    assert_eq!(draft.tally.spooled, draft.table.len() as u64);
    assert!(draft.payload.len() <= MAX_DRAFT_BYTES + max_record_bytes + 256);
    let mut rest = &draft.payload[..];
    for (seq, (entry, content)) in (next.seq..).zip(draft.table.iter().zip(&draft.contents)) {
        let (line, after) = rest.split_at(entry.len as usize);
        rest = after;
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let cut = line.len() - 2 - usize::from(entry.added);
        let source = [&line[..cut], b"}"].concat();
        assert!(source.len() <= max_record_bytes);
        assert_eq!(blake3::hash(&source).as_bytes(), content);
        // Numbers of any size are JSON, but not for serde_json's own tree.
        match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(json) => {
                assert!(json["@timestamp"] != serde_json::Value::Null || source.len() > 13);
                assert_eq!(json["auditship"]["seq"], seq);
            }
            Err(error) => assert!(error.to_string().contains("number out of range"), "{error}"),
        }
        assert!(serde_json::from_slice::<&serde_json::value::RawValue>(line).is_ok());
    }
    assert!(rest.is_empty());
}

#[cfg(test)]
mod tests {
    /// The target itself must be right about what is right.
    #[test]
    fn seeds_pass() {
        for seed in [
            &b""[..],
            b"\x00",
            b"\x00\x92\x92\xd7\x00\x65\x00\x00\x00\x00\x00\x00\x09\x80\x81\xa1k\x01",
            b"\x00\x92\x07\x81\xa8event.id\xa1a\x92\x07\xc1",
            b"\x01{\"a\":1e999}\n{\"auditship\":{}}\nplain\n",
            b"\x03{\"a\":[[[[[1]]]]]}\n",
        ] {
            super::chunk(seed);
        }
    }
}
