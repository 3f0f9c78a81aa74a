//! The log as a whole: writer, recovery, reader and space over a simulated disk.

mod basic;
mod cold;
mod copies;
mod crash;
mod damage;
mod extent;
mod full;
mod lives;
mod quarantine;
mod recovery;
mod void;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::cursor::{Cursor, Disposition, State};
use super::draft::{Draft, SourceFormat};
use super::format::Codec;
use super::identity::Epoch;
use super::storage::sim::SimStorage;
use super::storage::{Access, Storage};
use super::{
    AppendError, Block, Head, Kinds, OnFull, OpenReport, ReadStep, Reader, SpoolError, Writer, WriterOptions,
};
use crate::ingest::{Chunk, Ingest, Settings};
use crate::random::SeededRandom;
use crate::time::{ManualClock, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);
const MACHINE: &[u8] = b"machine-1";

/// A disk, and everything else that a spool is given.
struct Rig {
    disk: SimStorage,
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
    options: WriterOptions,
}

impl Rig {
    fn new() -> Self {
        let mut options = WriterOptions::new("test", MACHINE);
        options.codec = Codec::None;
        options.max_bytes = Some(64 << 20);
        Self {
            disk: SimStorage::new(),
            clock: Arc::new(ManualClock::at(NOW)),
            random: Arc::new(SeededRandom::new(7)),
            options,
        }
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.disk.clone())
    }

    fn try_open(&self) -> Result<(Feed, OpenReport), SpoolError> {
        let options = self.options.clone();
        let (writer, report) =
            Writer::open(self.storage(), options, self.clock.clone(), self.random.clone())?;
        let feed = Feed {
            writer,
            ingest: Ingest::new(&Settings::default()),
            draft: Draft::default(),
        };
        Ok((feed, report))
    }

    fn open(&self) -> Feed {
        self.try_open().expect("the spool opens").0
    }

    /// The same spool after the power was cut or the process killed.
    fn crashed(&self, crash: super::storage::sim::Crash, seed: u64) -> Self {
        Self {
            disk: self.disk.crash(crash, seed),
            clock: Arc::clone(&self.clock),
            random: Arc::new(SeededRandom::new(seed ^ 0xabcd)),
            options: self.options.clone(),
        }
    }

    fn reader(&self) -> Reader {
        Reader::open(self.storage()).expect("the spool can be read")
    }

    fn read_all(&self) -> Read {
        read_from(self.reader())
    }

    fn commit_cursor(&self, feed: &Feed, name: &str, committed: u64) {
        let mut cursor = Cursor::open_or_create(self.storage(), name, feed.writer.spool_id(), 0).unwrap();
        let mut state: State = cursor.state().clone();
        let ahead = committed - state.committed;
        state.pass(ahead, Disposition::Delivered).unwrap();
        cursor.commit(state).unwrap();
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        let file = self.disk.open(path, Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    }

    /// Changes one byte.
    fn flip(&self, path: &str, at: u64) {
        let file = self.disk.open(path, Access::ReadWrite).unwrap();
        let mut byte = [0];
        file.read_at(at, &mut byte).unwrap();
        file.write_at(at, &[byte[0] ^ 0x40]).unwrap();
        file.sync_data().unwrap();
    }

    fn cut(&self, path: &str, len: u64) {
        let file = self.disk.open(path, Access::ReadWrite).unwrap();
        file.set_len(len).unwrap();
        file.sync_data().unwrap();
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = self
            .disk
            .list(folder)
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.sort();
        names
    }
}

/// A writer with an ingest before it.
struct Feed {
    writer: Writer,
    ingest: Ingest,
    draft: Draft,
}

impl Feed {
    /// Hands `lines` over as one chunk.
    fn append(&mut self, lines: &str) -> Result<(), AppendError> {
        let chunk = Chunk {
            source: SourceFormat::Ndjson,
            bytes: lines.as_bytes(),
            origin: "test",
            received_at: NOW,
        };
        let next = self.writer.next();
        let more = self.ingest.chunk(
            &chunk,
            Default::default(),
            next,
            self.writer.window(),
            &mut self.draft,
        );
        assert_eq!(more, None, "a test's chunk is one draft");
        self.writer.append(&self.draft, NOW)
    }

    fn put(&mut self, lines: &str) {
        self.append(lines).expect("appended");
    }

    fn sync(&mut self) -> Head {
        self.writer.sync().expect("synced")
    }

    fn put_and_sync(&mut self, lines: &str) -> Head {
        self.put(lines);
        self.sync()
    }

    fn epoch(&self) -> Epoch {
        self.writer.next().epoch
    }
}

/// A record with an id.
fn event(id: &str) -> String {
    format!("{{\"event\":{{\"id\":\"{id}\"}},\"text\":\"what happened\"}}\n")
}

/// What a reader gave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    /// Number and JSON of each record, in the order given.
    records: Vec<(u64, String)>,
    /// First number and count of each loss.
    damaged: Vec<(u64, u64)>,
    reasons: Vec<String>,
    trimmed: Vec<u64>,
    notes: Vec<String>,
    quarantined: Vec<Vec<u8>>,
}

impl Read {
    /// The ids of the records, in order.
    fn ids(&self) -> Vec<&str> {
        let id = |json: &'_ String| {
            let from = json.find("\"id\":\"").map_or(0, |at| at + 6);
            let to = json[from..].find('"').map_or(0, |len| from + len);
            from..to
        };
        self.records.iter().map(|(_, json)| &json[id(json)]).collect()
    }

    fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for id in self.ids() {
            *counts.entry(id).or_default() += 1;
        }
        counts
    }
}

fn read_from(reader: Reader) -> Read {
    let mut reader = reader.with_kinds(Kinds::CONTENT);
    let mut read = Read::default();
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < 100_000, "the reader does not come to an end");
        match reader.next().expect("the reader reads") {
            ReadStep::Block(block) => take(&mut read, &block),
            ReadStep::Damaged {
                first_seq,
                count,
                reason,
                ..
            } => {
                read.damaged.push((first_seq, count));
                read.reasons.push(reason);
            }
            ReadStep::Trimmed { available_from } => read.trimmed.push(available_from),
            ReadStep::AtHead => return read,
        }
    }
}

fn take(read: &mut Read, block: &Block) {
    for (seq, _, json) in block.records() {
        read.records
            .push((seq, String::from_utf8(json.to_vec()).unwrap()));
    }
    read.notes.extend(block.note());
    if block.quarantine().is_some() {
        read.quarantined.push(block.payload.clone());
    }
}
