//! A spool with so many records, or bytes, that nobody has shipped yet.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use auditship::config::{Config, Environment, ShipperMode, Strictness};
use auditship::destination::Compression;
use auditship::ingest::Chunk;
use auditship::instance::{Answer, Instance, Outside, Program};
use auditship::random::OsRandom;
use auditship::spool::draft::SourceFormat;
use auditship::time::{Clock as _, SystemClock};
use auditship_testkit::audit::{self, Category, Records};

/// Bytes of a chunk, as Fluent Bit makes them.
const CHUNK_BYTES: usize = 2 << 20;
/// Records that are made at once.
const BATCH: usize = 3_000;
/// The most that a benchmark writes.
const ROOM: u64 = 64 << 30;

/// When there is enough.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "made by benchmarks")]
pub enum Until {
    /// So many records.
    Records(usize),
    /// So many bytes of records.
    Bytes(u64),
}

/// What an instance takes from outside, in a benchmark.
pub fn outside() -> Outside {
    Outside {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(OsRandom::new()),
        environment: Environment::empty(),
        machine_id: Vec::new(),
        program: Program {
            name: String::from("benchmark"),
            pid: std::process::id(),
        },
    }
}

/// A configuration with the table `destination` and a spool in `directory`, written to a file there and read from it.
///
/// # Errors
/// As for [`Config::from_toml`].
pub fn config(directory: &Path, destination: &str) -> Result<Config, Box<dyn Error>> {
    let file = directory.join("auditship.toml");
    let spool = directory.join("spool");
    let text = format!(
        "[spool]\npath = \"{}\"\nid = \"benchmark\"\nmax_bytes = \"{}GiB\"\n\n[[destination]]\n{destination}",
        spool.display(),
        ROOM >> 30,
    );
    std::fs::write(&file, text)?;
    let keys = [
        ("AWS_ACCESS_KEY_ID", "benchmark"),
        ("AWS_SECRET_ACCESS_KEY", "benchmark"),
    ];
    Ok(Config::from_toml(
        &file,
        &Environment::from(keys),
        Strictness::Strict,
    )?)
}

/// Fills the spool of `config`, its blocks compressed as `compression` says.
///
/// # Errors
/// When the spool refuses a chunk.
pub fn fill(config: &Config, compression: Compression, until: Until) -> Result<(), Box<dyn Error>> {
    let mut config = config.clone();
    config.shipper = ShipperMode::External;
    config.spool.compression = compression;
    let mut instance = Instance::start(&config, &outside())?;
    let clock = SystemClock::new();
    let mut source = Records::new(1, Category::Text);
    let (mut records, mut bytes) = (0, 0);
    loop {
        let batch = match until {
            Until::Records(wanted) => wanted - records,
            Until::Bytes(wanted) if bytes < wanted => BATCH,
            Until::Bytes(_) => 0,
        };
        let batch = batch.min(BATCH);
        if batch == 0 {
            return Ok(());
        }
        for chunk in audit::chunks(source.by_ref().take(batch), CHUNK_BYTES) {
            let chunk = Chunk {
                source: SourceFormat::FluentBit,
                bytes: &chunk,
                origin: "benchmark",
                received_at: clock.wall(),
            };
            for answer in instance.accept(&[chunk]) {
                if let Answer::Refused(error) = answer {
                    return Err(error.into());
                }
            }
            bytes += chunk.bytes.len() as u64;
        }
        records += batch;
        instance.tick();
    }
}
