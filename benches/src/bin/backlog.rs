//! What a backlog costs: the memory of `auditship run` while it drains one, and opening a cold spool that holds one.
//!
//! `cargo run --release -p auditship-benches --bin backlog -- COMMAND`, where `COMMAND` is
//!
//! * `drain BYTES`: fails at 64 MB of peak resident memory;
//! * `open BYTES [TIMES]`: opens the same spool so often, each time in a process of its own and with the kernel's caches
//!   emptied before; fails when the median is over 500 ms, or any opening reads more than 64 MiB;
//! * `fill DIRECTORY BYTES` and `reopen DIRECTORY`: the two halves of `open`, to keep a spool between builds.
//!
//! `BYTES` as in `500MB` or `10GiB`: so many are written, uncompressed, so that as many go through the shipper; by `drain`
//! and `open` to the directory for temporary files ($TMPDIR). Emptying the caches takes root; without it the output says
//! that the spool was warm.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use auditship::config::{ByteSize, Config};
use auditship::destination::Compression;
use auditship::instance::Instance;
use auditship_benches::backlog::{self, Until};
use auditship_benches::sink::Sink;
use auditship_testkit::artefacts::Artefact;

/// Peak resident memory of a process that drains, in bytes.
const MEMORY: u64 = 64_000_000;
/// Milliseconds for opening a cold spool.
const OPENING: u64 = 500;
/// Bytes read for that.
const READ: u64 = 64 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["drain", bytes] => drain(bytes.parse::<ByteSize>()?.0),
        ["open", bytes] => open(bytes.parse::<ByteSize>()?.0, NonZeroUsize::MIN),
        ["open", bytes, times] => open(bytes.parse::<ByteSize>()?.0, times.parse()?),
        ["fill", directory, bytes] => {
            let directory = Path::new(directory);
            fs::create_dir_all(directory)?;
            filled(directory, &Sink::start()?, bytes.parse::<ByteSize>()?.0).map(drop)
        }
        ["reopen", directory] => reopen(Path::new(directory)),
        _ => Err(
            "usage: backlog drain BYTES | open BYTES [TIMES] | fill DIRECTORY BYTES | reopen DIRECTORY"
                .into(),
        ),
    }
}

fn drain(bytes: u64) -> Result<(), Box<dyn Error>> {
    let sink = Sink::start()?;
    let directory = tempfile::tempdir()?;
    let config = filled(directory.path(), &sink, bytes)?;
    let since = Instant::now();
    let mut child = Command::new(Artefact::Binary.path())
        .args(["run", "-c"])
        .arg(directory.path().join("auditship.toml"))
        .spawn()?;
    let drained = await_empty(&mut child, &config);
    let took = since.elapsed();
    let peak = peak_memory(child.id());
    child.kill()?;
    child.wait()?;
    drained?;
    let peak = peak?;
    println!(
        "{bytes} bytes drained in {:.1} s, {} requests, {} bytes sent; peak resident memory {peak} bytes",
        took.as_secs_f64(),
        sink.requests(),
        sink.body_bytes(),
    );
    match peak {
        ..MEMORY => Ok(()),
        _ => Err(format!("the bar is {MEMORY}").into()),
    }
}

fn open(bytes: u64, times: NonZeroUsize) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    filled(directory.path(), &Sink::start()?, bytes)?;
    let mut openings = Vec::new();
    for _ in 0..times.get() {
        // Each in a new process: one that has opened a spool before has memory at hand.
        let mut reopen = Command::new(std::env::current_exe()?);
        let opened = reopen.arg("reopen").arg(directory.path()).output()?;
        let told = String::from_utf8([opened.stdout, opened.stderr].concat())?;
        print!("{told}");
        let numbers: Vec<u64> = told
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        match numbers[..] {
            [millis, read] => openings.push((millis, read)),
            _ => return Err("an opening failed".into()),
        }
    }
    openings.sort_unstable();
    let (median, _) = openings[openings.len() / 2];
    let read = openings.iter().map(|(_, read)| *read).max().unwrap_or(0);
    println!("median of {times}: {median} ms; at most {read} bytes read");
    match (median, read) {
        (..=OPENING, ..=READ) => Ok(()),
        _ => Err(format!("the bars are {OPENING} ms and {READ} bytes").into()),
    }
}

/// Opens the spool in `directory`, as cold as may be.
fn reopen(directory: &Path) -> Result<(), Box<dyn Error>> {
    let sink = Sink::start()?;
    let config = config(directory, &sink)?;
    rustix::fs::sync();
    let cold = fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    let before = bytes_read()?;
    let since = Instant::now();
    let instance = Instance::start(&config, &backlog::outside())?;
    let took = since.elapsed();
    let read = bytes_read()? - before;
    instance.stop(Duration::from_secs(1));
    println!(
        "a {} spool opened for writing and shipping in {} ms, {read} bytes read",
        if cold { "cold" } else { "WARM" },
        took.as_millis()
    );
    Ok(())
}

fn filled(directory: &Path, sink: &Sink, bytes: u64) -> Result<Config, Box<dyn Error>> {
    let config = config(directory, sink)?;
    backlog::fill(&config, Compression::None, Until::Bytes(bytes))?;
    Ok(config)
}

/// A configuration of a spool in `directory` that ships to `sink`.
fn config(directory: &Path, sink: &Sink) -> Result<Config, Box<dyn Error>> {
    let destination = format!(
        "id = \"sink\"\ntype = \"http\"\nurl = \"http://{}/\"\ncompression = \"gzip\"\ncompression_level = 1\n",
        sink.address()
    );
    backlog::config(directory, &destination)
}

/// Waits until `auditship status` shows that nothing is pending.
fn await_empty(child: &mut Child, config: &Config) -> Result<(), Box<dyn Error>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Err(format!("auditship run ended: {status}").into());
        }
        let status = Command::new(Artefact::Binary.path())
            .args(["status", "--json"])
            .arg(&config.spool.path)
            .output()?;
        if status.stdout.is_empty() {
            return Err(String::from_utf8(status.stderr)?.into());
        }
        let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
        if status["destinations"][0]["backlog"]["pending"] == 0 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The most memory that process `pid` ever had resident, in bytes.
fn peak_memory(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = field(&status, "VmHWM:").ok_or("no VmHWM")?;
    Ok(kilobytes * 1024)
}

/// Bytes that this process has read by system calls, from wherever.
fn bytes_read() -> Result<u64, Box<dyn Error>> {
    Ok(field(&fs::read_to_string("/proc/self/io")?, "rchar:").ok_or("no rchar")?)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
