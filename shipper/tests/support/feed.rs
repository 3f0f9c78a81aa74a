//! A source like Fluent Bit: numbered chunks, each handed over until it is acknowledged, and now and then again after that.
//! And the other side: everything that a spool holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use auditship::ingest::{Chunk, Ingest};
use auditship::random::SeededRandom;
use auditship::record::Position;
use auditship::spool::count::Tally;
use auditship::spool::draft::{Draft, SourceFormat};
use auditship::spool::format::Codec;
use auditship::spool::identity::RecordId;
use auditship::spool::storage::Storage;
use auditship::spool::{AppendError, OpenReport, ReadStep, Reader, SpoolError, Writer, WriterOptions};
use auditship::time::{ManualClock, Timestamp};

/// How many records with an id a chunk has.
pub(crate) const WITH_ID: u64 = 3;

/// A chunk: three records with an id, one without, now and then a line that is none.
pub(crate) fn chunk(number: u64) -> Vec<u8> {
    let mut lines = String::new();
    for place in 0..WITH_ID {
        // Long and short ones, so that blocks end anywhere in a sector.
        let pad = "x".repeat(usize::try_from(number * 37 % 211 + place * 13).unwrap_or(0));
        let id = event_id(number, place);
        lines.push_str(&format!(
            "{{\"event\":{{\"id\":\"{id}\",\"category\":[\"iam\"]}},\"pad\":\"{pad}\"}}\n"
        ));
    }
    lines.push_str(&format!("{{\"anonymous\":{number}}}\n"));
    if number % 4 == 3 {
        lines.push_str("this is no JSON\n");
    }
    lines.into_bytes()
}

/// The id of a chunk's record.
pub(crate) fn event_id(chunk: u64, place: u64) -> String {
    format!("c{chunk}-{place}")
}

/// Hands chunks over.
pub(crate) struct Source {
    ingest: Ingest,
    draft: Draft,
}

/// What one hand-over made of a chunk.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) chunk: u64,
    pub(crate) records: Vec<(RecordId, Vec<u8>)>,
    pub(crate) tally: Tally,
}

impl Source {
    pub(crate) fn new() -> Self {
        Self {
            ingest: Ingest::new(&auditship::ingest::Settings::default()),
            draft: Draft::default(),
        }
    }

    /// Appends chunk `number`. Acknowledged when the writer was synced.
    pub(crate) fn hand_over(&mut self, writer: &mut Writer, number: u64) -> Result<Given, AppendError> {
        let bytes = chunk(number);
        let received_at = Timestamp(i64::try_from(number).unwrap_or(0));
        let chunk = Chunk {
            source: SourceFormat::Ndjson,
            bytes: &bytes,
            origin: "a test",
            received_at,
        };
        let next = writer.next();
        let rest = self.ingest.chunk(
            &chunk,
            Position::default(),
            next,
            writer.window(),
            &mut self.draft,
        );
        assert!(rest.is_none(), "these chunks are small");
        let mut at = 0;
        let lines = self.draft.table.iter().zip(next.seq..).map(|(entry, seq)| {
            let end = at + entry.len as usize;
            let line = self.draft.payload[at..end - 1].to_vec();
            at = end;
            (RecordId { seq, ..next }, line)
        });
        let given = Given {
            chunk: number,
            records: lines.collect(),
            tally: self.draft.tally,
        };
        writer.append(&self.draft, received_at)?;
        Ok(given)
    }
}

/// Everything that a spool holds, as a reader sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) records: BTreeMap<RecordId, Vec<u8>>,
    /// How often each event id occurs.
    pub(crate) ids: BTreeMap<String, usize>,
    /// The sum over all blocks.
    pub(crate) totals: Tally,
    /// Steps that were no block.
    pub(crate) lost: Vec<ReadStep>,
}

impl Holdings {
    /// Reads all of a spool.
    pub(crate) fn read(storage: Arc<dyn Storage>) -> Result<Self, SpoolError> {
        let mut holdings = Self::default();
        let mut reader = Reader::open(storage)?;
        loop {
            match reader.next()? {
                ReadStep::AtHead => return Ok(holdings),
                ReadStep::Block(block) => {
                    holdings.totals.add(&block.header.tally);
                    for (seq, _, json) in block.records() {
                        let record: serde_json::Value =
                            serde_json::from_slice(json).expect("a record is JSON");
                        if let Some(id) = record["event"]["id"].as_str() {
                            *holdings.ids.entry(id.to_owned()).or_default() += 1;
                        }
                        let before = holdings.records.insert(block.id(seq), json.to_vec());
                        assert_eq!(before, None, "{:?} was given out twice", block.id(seq));
                    }
                }
                lost => holdings.lost.push(lost),
            }
        }
    }
}

/// How large a spool and its segments may become, and how payloads are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) limit: u64,
    pub(crate) segment: u64,
    pub(crate) codec: Codec,
}

impl Size {
    /// A few blocks to a segment.
    pub(crate) const SMALL: Self = Self {
        limit: 1 << 20,
        segment: 2048,
        codec: Codec::None,
    };
    /// A few hundred blocks to a segment.
    pub(crate) const MIDDLE: Self = Self {
        limit: 128 << 20,
        segment: 64 << 10,
        codec: Codec::Gzip,
    };
}

/// Opens a spool for writing as all these tests do: with a clock that stands, and the random numbers of `seed`.
pub(crate) fn open(
    storage: Arc<dyn Storage>,
    size: Size,
    seed: u64,
) -> Result<(Writer, OpenReport), SpoolError> {
    let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000)));
    let random = Arc::new(SeededRandom::new(seed));
    let mut options = WriterOptions::new("test", b"a machine");
    options.max_bytes = Some(size.limit);
    options.segment_bytes = size.segment;
    options.codec = size.codec;
    Writer::open(storage, options, clock, random)
}
