//! What ingest costs: decode + exclude + key + JSON + record table + checksum, without compression and fsync, against
//! rmp-serde -> `serde_json::Value` -> `to_vec`, in turns within one run.
//!
//! `cargo run --release -p auditship-benches --bin ingest [-- --records N --rounds N --array --check]`. `--check` fails when the
//! ratio, hash shown apart, is above the bar. What hashing costs is measured over the same records by itself and taken off.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use auditship::exclude::Exclusion;
use auditship::ingest::{Chunk, Ingest, KeyWindow, Seen, Settings};
use auditship::record::Position;
use auditship::spool::draft::{Draft, SourceFormat, TableEntry};
use auditship::spool::identity::{Epoch, Key, RecordId, SpoolId};
use auditship::time::Timestamp;
use auditship_testkit::audit::{self, Category, Records};

/// The bar: ours, hash shown apart, per baseline.
const BAR: f64 = 0.45;

const CHUNK_BYTES: usize = 2 << 20;

/// A window that knows nothing: what a lookup costs is the spool's.
struct NoWindow;

impl KeyWindow for NoWindow {
    fn see(&mut self, key: Key, id_hash: u64) -> Seen {
        black_box((key, id_hash));
        Seen::New
    }

    fn enter(&mut self, key: Key) {
        black_box(key);
    }
}

struct Options {
    records: usize,
    rounds: usize,
    category: Category,
    check: bool,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            records: 200_000,
            rounds: 7,
            category: Category::Text,
            check: false,
        };
        let mut arguments = std::env::args().skip(1);
        let number = |argument: Option<String>| {
            argument
                .ok_or("a number is missing")?
                .parse()
                .map_err(Box::<dyn Error>::from)
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--records" => options.records = number(arguments.next())?,
                "--rounds" => options.rounds = number(arguments.next())?,
                "--array" => options.category = Category::Array,
                "--check" => options.check = true,
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(options)
    }
}

/// One row: the best round of each way.
#[derive(Default)]
struct Best {
    tree: Option<Duration>,
    streamed: Option<Duration>,
    ingest: Option<Duration>,
    hash: Option<Duration>,
}

fn keep(best: &mut Option<Duration>, since: Instant) {
    let took = since.elapsed();
    *best = Some(best.map_or(took, |best| best.min(took)));
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let chunks = audit::chunks(
        Records::new(1, options.category).take(options.records),
        CHUNK_BYTES,
    );
    let bodies = chunks
        .iter()
        .map(|chunk| auditship_bench_baseline::bodies(chunk))
        .collect::<Result<Vec<_>, _>>()?;
    let settings = Settings {
        exclusion: Exclusion::from_list("iam")?,
        ..Settings::default()
    };
    let mut ingest = Ingest::new(&settings);
    let mut best = Best::default();
    let mut draft = Draft::default();
    let (mut out, mut table) = (Vec::new(), Vec::new());
    let (mut lines, mut bytes) = (0, 0);
    for _ in 0..options.rounds {
        let since = Instant::now();
        for bodies in &bodies {
            out.clear();
            auditship_bench_baseline::through_a_tree(bodies, &mut out)?;
            black_box(&out);
        }
        keep(&mut best.tree, since);

        let since = Instant::now();
        for bodies in &bodies {
            out.clear();
            auditship_bench_baseline::streamed(bodies, &mut out)?;
            black_box(&out);
        }
        keep(&mut best.streamed, since);

        let mut next = first();
        let (mut took, mut hashing) = (Duration::ZERO, Duration::ZERO);
        (lines, bytes) = (0, 0);
        for chunk in &chunks {
            let since = Instant::now();
            take(&mut ingest, chunk, next, &mut draft, &mut table);
            took += since.elapsed();
            hashing += hash(&draft);
            next.seq += draft.tally.spooled;
            lines += draft.table.len();
            bytes += draft.payload.len();
        }
        best.ingest = Some(best.ingest.map_or(took, |best| best.min(took)));
        best.hash = Some(best.hash.map_or(hashing, |best| best.min(hashing)));
    }
    report(&options, &best, lines, bytes)
}

fn first() -> RecordId {
    RecordId {
        spool: SpoolId([7; 16]),
        epoch: Epoch(7),
        seq: 0,
    }
}

fn take(ingest: &mut Ingest, bytes: &[u8], next: RecordId, draft: &mut Draft, table: &mut Vec<u8>) {
    let chunk = Chunk {
        source: SourceFormat::FluentBit,
        bytes,
        origin: "bench",
        received_at: Timestamp(0),
    };
    ingest.chunk(&chunk, Position::default(), next, &mut NoWindow, draft);
    table.clear();
    for entry in &draft.table {
        write_entry(entry, table);
    }
    black_box((crc32c::crc32c(&draft.payload), crc32c::crc32c(table)));
}

/// The entry's fields as bytes, as a block has them.
fn write_entry(entry: &TableEntry, table: &mut Vec<u8>) {
    table.extend_from_slice(&entry.len.to_le_bytes());
    table.extend_from_slice(&entry.added.to_le_bytes());
    table.extend_from_slice(&entry.flags.to_le_bytes());
    table.extend_from_slice(&entry.time.0.to_le_bytes());
    table.extend_from_slice(&entry.key.0);
    table.extend_from_slice(&entry.categories.to_le_bytes());
    table.extend_from_slice(&entry.id_hash.to_le_bytes());
}

/// How long the hashing that [`take`] did takes by itself: content, key and id of each record.
fn hash(draft: &Draft) -> Duration {
    let since = Instant::now();
    let mut start = 0;
    for entry in &draft.table {
        let end = start + entry.len as usize;
        let content = blake3::hash(&draft.payload[start..end - 2 - usize::from(entry.added)]);
        let id = &entry.key.0;
        black_box(Key::of_event(id, content.as_bytes()));
        black_box(blake3::hash(id));
        start = end;
    }
    since.elapsed()
}

fn report(options: &Options, best: &Best, lines: usize, bytes: usize) -> Result<(), Box<dyn Error>> {
    let (Some(tree), Some(streamed), Some(ingest), Some(hash)) =
        (best.tree, best.streamed, best.ingest, best.hash)
    else {
        return Err("no round was run".into());
    };
    let each = |took: Duration| took.as_secs_f64() * 1e6 / options.records as f64;
    let ratio = |took: Duration| took.as_secs_f64() / tree.as_secs_f64();
    let apart = ingest.saturating_sub(hash);
    println!(
        "{} records, event.category as {:?}, {lines} lines of {} bytes on average; best of {} rounds",
        options.records,
        options.category,
        bytes / lines.max(1),
        options.rounds
    );
    println!("{:<52} {:>8} {:>8}", "", "us each", "ratio");
    for (name, took) in [
        ("rmp-serde -> serde_json::Value -> to_vec (baseline)", tree),
        ("rmp-serde streamed into serde_json", streamed),
        ("ingest, hash shown apart", apart),
        ("  its hashes: content, key, id (BLAKE3)", hash),
        ("ingest with hashes", ingest),
    ] {
        println!("{name:<52} {:>8.3} {:>8.3}", each(took), ratio(took));
    }
    if options.check && ratio(apart) > BAR {
        return Err(format!("{:.3} is above the bar of {BAR}", ratio(apart)).into());
    }
    Ok(())
}
