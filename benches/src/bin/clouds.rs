//! What shipping to S3 and to CloudWatch Logs costs: the processor's time for a record, against that of `http` with the same
//! compression, the SHA-256 of the bytes that were sent, and one microsecond; all in turns within one run, over loopback.
//!
//! `cargo run --release -p auditship-benches --bin clouds [-- --records N --rounds N --check]`. The receiver's share is in every
//! figure. `--check` fails when one is above its bar.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use auditship::config::Config;
use auditship::destination::Compression;
use auditship_benches::backlog::{self, Until};
use auditship_benches::round::{Took, best, ship};
use auditship_benches::sink::Sink;
use sha2::{Digest, Sha256};

/// What a record may cost beside `http` and the digest, in seconds.
const ALLOWANCE: f64 = 1e-6;

/// A destination under measure.
struct Subject {
    name: &'static str,
    /// Its table but for the id; `SINK` stands for the receiver.
    table: &'static str,
    rounds: Vec<Took>,
    /// Bytes of the bodies of one round.
    sent: u64,
}

impl Subject {
    fn new(name: &'static str, table: &'static str) -> Self {
        Self {
            name,
            table,
            rounds: Vec::new(),
            sent: 0,
        }
    }

    fn run(&mut self, directory: &Path, sink: &Sink) -> Result<(), Box<dyn Error>> {
        // A destination that the spool does not know yet begins at its beginning.
        let id = format!("{}-{}", self.name, self.rounds.len());
        let config = config(directory, sink, &id, self.table)?;
        let before = sink.body_bytes();
        self.rounds.push(Took::by(|| ship(&config))?);
        self.sent = sink.body_bytes() - before;
        Ok(())
    }

    fn processor(&self) -> f64 {
        best(&self.rounds, |took| took.processor)
    }
}

fn config(directory: &Path, sink: &Sink, id: &str, table: &str) -> Result<Config, Box<dyn Error>> {
    let table = table.replace("SINK", &format!("http://{}", sink.address()));
    backlog::config(directory, &format!("id = \"{id}\"\n{table}"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut records, mut rounds, mut check) = (200_000, 5, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--records" => records = arguments.next().ok_or("a number is missing")?.parse()?,
            "--rounds" => rounds = arguments.next().ok_or("a number is missing")?.parse()?,
            "--check" => check = true,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let sink = Sink::start()?;
    let directory = tempfile::tempdir()?;
    // Batches of one size, so that `http` has as many requests to make as the service that it is compared with.
    let mut http_plain = Subject::new(
        "http",
        "type = \"http\"\nurl = \"SINK/\"\ncompression = \"none\"\nbatch_max_bytes = \"1MiB\"\n",
    );
    let mut http_gzip = Subject::new(
        "http-gzip",
        "type = \"http\"\nurl = \"SINK/\"\ncompression = \"gzip\"\nbatch_max_bytes = \"5MiB\"\n",
    );
    let mut cloudwatch = Subject::new(
        "cloudwatch",
        "type = \"cloudwatch_logs\"\nregion = \"eu-central-1\"\nendpoint = \"SINK\"\nlog_group_name = \"a\"\n\
         log_stream_name = \"b\"\nbatch_max_bytes = \"1MiB\"\n",
    );
    let mut s3 = Subject::new(
        "s3",
        "type = \"s3\"\nregion = \"eu-central-1\"\nendpoint = \"SINK\"\nbucket = \"audit\"\nbatch_max_bytes = \"5MiB\"\n",
    );
    let filling = config(directory.path(), &sink, "filling", http_plain.table)?;
    backlog::fill(&filling, Compression::Zstd, Until::Records(records))?;
    for _ in 0..rounds {
        for subject in [&mut http_plain, &mut cloudwatch, &mut http_gzip, &mut s3] {
            subject.run(directory.path(), &sink)?;
        }
    }
    println!("{records} records, best of {rounds} rounds, microseconds of the processor for a record");
    println!("{:<12} {:>8} {:>10} {:>14}", "", "total", "bar", "bytes sent");
    let count = f64::from(u32::try_from(records)?);
    let mut above = Vec::new();
    for (subject, base) in [(&cloudwatch, &http_plain), (&s3, &http_gzip)] {
        let bar = base.processor() + digest(subject.sent) + ALLOWANCE * count;
        for (name, took, bar, sent) in [
            (base.name, base.processor(), String::new(), base.sent),
            (
                subject.name,
                subject.processor(),
                format!("{:.3}", bar / count * 1e6),
                subject.sent,
            ),
        ] {
            println!("{name:<12} {:>8.3} {bar:>10} {sent:>14}", took / count * 1e6);
        }
        if subject.processor() > bar {
            above.push(subject.name);
        }
    }
    if check && !above.is_empty() {
        return Err(format!("above the bar: {}", above.join(", ")).into());
    }
    Ok(())
}

/// Seconds for the SHA-256 of so many bytes, as the crate that ships computes it.
fn digest(bytes: u64) -> f64 {
    let body = vec![b'x'; 1 << 20];
    let times = bytes.div_ceil(1 << 20);
    let once = || {
        let since = Instant::now();
        for _ in 0..times {
            black_box(Sha256::digest(black_box(&body)));
        }
        since.elapsed().as_secs_f64()
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}
