//! What shipping costs: spool -> gzip -> a local HTTP receiver, against flate2 at the same level and a write of the same
//! bytes to the same receiver, in turns within one run.
//!
//! `cargo run --release -p auditship-benches --bin shipping [-- --records N --rounds N --check]`. Shipping reads blocks from disk
//! and checks them, decompresses them, packs batches, hashes and journals each (with its sync), and awaits each answer;
//! the baseline has its lines in memory. `--check` fails when the ratio of wall time is above the bar.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use auditship::config::Config;
use auditship::destination::Compression;
use auditship::instance::open_directory;
use auditship::spool::format::Kind;
use auditship::spool::{Kinds, ReadStep, Reader};
use auditship_benches::backlog::{self, Until};
use auditship_benches::round::{Took, best, ship};
use auditship_benches::sink::Sink;
use flate2::write::GzEncoder;

/// The bar: ours per baseline.
const BAR: f64 = 1.3;
/// The level of both sides, the default of the destination.
const LEVEL: u32 = 6;
/// Bytes of a batch before compression, the default of the destination.
const BATCH: usize = 5 << 20;

struct Options {
    records: usize,
    rounds: usize,
    check: bool,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            records: 200_000,
            rounds: 5,
            check: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<usize, Box<dyn Error>> {
                Ok(arguments.next().ok_or("a number is missing")?.parse()?)
            };
            match argument.as_str() {
                "--records" => options.records = number()?,
                "--rounds" => options.rounds = number()?,
                "--check" => options.check = true,
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let sink = Sink::start()?;
    let directory = tempfile::tempdir()?;
    let config = config(directory.path(), &sink, "filling")?;
    backlog::fill(&config, Compression::Zstd, Until::Records(options.records))?;
    let lines = lines_of(&config)?;
    let plain: usize = lines.iter().map(Vec::len).sum();
    let (mut base, mut ours) = (Vec::new(), Vec::new());
    let (mut base_sent, mut ours_sent) = (0, 0);
    for round in 0..options.rounds {
        let before = sink.body_bytes();
        base.push(Took::by(|| baseline(&lines, &sink))?);
        base_sent = sink.body_bytes() - before;
        // A destination that the spool does not know yet begins at its beginning.
        let config = self::config(directory.path(), &sink, &format!("round-{round}"))?;
        let before = sink.body_bytes();
        ours.push(Took::by(|| ship(&config))?);
        ours_sent = sink.body_bytes() - before;
    }
    println!(
        "{} records, {plain} bytes of NDJSON, gzip {LEVEL}; sent: baseline {base_sent} bytes, ours {ours_sent}; best of {} rounds",
        options.records, options.rounds
    );
    println!("{:<34} {:>10} {:>14}", "", "seconds", "processor s");
    for (name, rounds) in [
        ("flate2 + write (baseline)", &base),
        ("spool -> gzip -> HTTP", &ours),
    ] {
        println!(
            "{name:<34} {:>10.3} {:>14.3}",
            best(rounds, |took| took.wall),
            best(rounds, |took| took.processor)
        );
    }
    let ratio = |of: fn(&Took) -> Duration| best(&ours, of) / best(&base, of);
    let wall = ratio(|took| took.wall);
    println!(
        "{:<34} {wall:>10.3} {:>14.3}",
        "ratio",
        ratio(|took| took.processor)
    );
    if options.check && wall > BAR {
        return Err(format!("{wall:.3} is above the bar of {BAR}").into());
    }
    Ok(())
}

/// A configuration with one destination, `id`.
fn config(directory: &Path, sink: &Sink, id: &str) -> Result<Config, Box<dyn Error>> {
    let destination = format!(
        "id = \"{id}\"\ntype = \"http\"\nurl = \"http://{}/\"\ncompression = \"gzip\"\ncompression_level = {LEVEL}\n",
        sink.address()
    );
    backlog::config(directory, &destination)
}

/// Every record of the spool, with its newline, in the bodies that a batch of [`BATCH`] bytes makes.
fn lines_of(config: &Config) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let storage = open_directory(&config.spool.path)?;
    let mut reader = Reader::open(storage)?.with_kinds(Kinds::only(Kind::Records));
    let mut bodies = vec![Vec::new()];
    loop {
        match reader.next()? {
            ReadStep::Block(block) => {
                for (_, _, json) in block.records() {
                    if bodies
                        .last()
                        .is_some_and(|body: &Vec<u8>| body.len() + json.len() + 1 > BATCH)
                    {
                        bodies.push(Vec::new());
                    }
                    if let Some(body) = bodies.last_mut() {
                        body.extend_from_slice(json);
                        body.push(b'\n');
                    }
                }
            }
            ReadStep::AtHead => return Ok(bodies),
            other => return Err(format!("the spool is not as it was written: {other:?}").into()),
        }
    }
}

/// flate2, and a write of what it gives.
fn baseline(bodies: &[Vec<u8>], sink: &Sink) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(sink.address())?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    for body in bodies {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(LEVEL));
        encoder.write_all(body)?;
        let compressed = encoder.finish()?;
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: sink\r\nContent-Length: {}\r\n\r\n",
            compressed.len()
        )?;
        stream.write_all(&compressed)?;
        loop {
            line.clear();
            answers.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
        }
    }
    Ok(())
}
