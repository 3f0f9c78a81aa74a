//! A spool with much in it, and a spool without room: what is pending neither delays an end nor is lost by it, and a full
//! disk refuses, says so, and recovers by itself.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing test may panic, and figures are for `--nocapture`"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use auditship_testkit::artefacts::Artefact;
use auditship_testkit::audit::{Category, Records};
use auditship_testkit::host::{FlushCode, surroundings};
use auditship_testkit::process::{HostProcess, setup, stanza};
use auditship_testkit::protocol::{Chunk, Setup, Stanza};
use common::{Disk, Hanging, Scratch, await_until, is_soak, shipped_stanza};
use serde_json::Value;

/// The most that an end may take.
const END: Duration = Duration::from_secs(5);
/// The most that a refusal may take, in microseconds.
const REFUSAL: u64 = 500_000;
const MIB: usize = 1 << 20;

/// Makes chunks of numbered records, and hands them over by a file.
struct Feed {
    records: Records,
    handed_over: u64,
}

impl Feed {
    fn new() -> Self {
        Self {
            records: Records::new(7, Category::Text),
            handed_over: 0,
        }
    }

    /// The next chunk, in `scratch/chunk`: how many records, and how many bytes.
    fn next(&mut self, scratch: &Scratch, bytes: usize) -> (u64, usize) {
        let (mut chunk, mut records) = (Vec::new(), 0);
        while chunk.len() < bytes {
            self.records.next().unwrap().write_event(&mut chunk);
            records += 1;
        }
        fs::write(scratch.path("chunk"), &chunk).unwrap();
        (records, chunk.len())
    }

    /// Hands over until `bytes` are accepted.
    fn fill(&mut self, host: &mut HostProcess, scratch: &Scratch, bytes: usize) {
        let mut accepted = 0;
        while accepted < bytes {
            let (records, size) = self.next(scratch, 2 * MIB);
            let flushed = host.flush("a", "audit", Chunk::File(scratch.path("chunk")));
            assert_eq!(flushed.code, FlushCode::Ok);
            self.handed_over += records;
            accepted += size;
        }
    }

    /// Hands over until a chunk is refused, which stays in `scratch/chunk`; how many records that one has.
    fn fill_up(&mut self, host: &mut HostProcess, scratch: &Scratch, limit: usize) -> u64 {
        let mut offered = 0;
        loop {
            let (records, size) = self.next(scratch, MIB / 4);
            match host.flush("a", "audit", Chunk::File(scratch.path("chunk"))).code {
                FlushCode::Ok => self.handed_over += records,
                FlushCode::Retry => return records,
                FlushCode::Error => panic!("a chunk is lost"),
            }
            offered += size;
            assert!(offered < limit, "full long ago");
        }
    }
}

/// The `event.sequence` of every record that `auditship cat` finds at `path`, each once.
fn sequences(path: &Path) -> BTreeSet<u64> {
    let mut cat = Command::new(Artefact::Binary.path())
        .arg("cat")
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut found = BTreeSet::new();
    for line in BufReader::new(cat.stdout.take().unwrap()).lines() {
        let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let sequence = record["event"]["sequence"].as_u64().unwrap();
        assert!(found.insert(sequence), "{sequence} twice");
    }
    assert!(cat.wait().unwrap().success());
    found
}

fn status(spool: &Path) -> Option<Value> {
    let output = Command::new(Artefact::Binary.path())
        .arg("status")
        .arg(spool)
        .arg("--json")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn delivered(status: &Value) -> u64 {
    status["destinations"][0]["counts"]["delivered"].as_u64().unwrap()
}

fn pending(status: &Value) -> u64 {
    status["destinations"][0]["backlog"]["pending"].as_u64().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

fn init_ok(host: &mut HostProcess, stanza: &Stanza) {
    let (code, log) = host.init(stanza);
    assert!(code > 0, "{code}: {log:?}");
}

/// `auditship run` with one destination.
fn run(scratch: &Scratch, destination: &str) -> Child {
    let toml = scratch.path("auditship.toml");
    let spool = scratch.text("spool");
    let text = format!(
        "[spool]\npath = \"{spool}\"\nid = \"a\"\n[[destination]]\nid = \"main\"\nbatch_max_age = \"1s\"\n{destination}\n"
    );
    fs::write(&toml, text).unwrap();
    Command::new(Artefact::Binary.path())
        .args(["run", "-c"])
        .arg(toml)
        .stdin(Stdio::null())
        .stderr(fs::File::create(scratch.path("run.log")).unwrap())
        .spawn()
        .unwrap()
}

/// SIGTERM, and how long the end takes.
fn terminate(mut child: Child) -> Duration {
    let began = now();
    surroundings::signal(child.id(), libc::SIGTERM);
    assert!(child.wait().unwrap().success());
    began.elapsed()
}

/// 64 MiB in `make test`, 1 GiB in `make soak`.
#[test]
fn soak_an_end_with_much_pending_takes_five_seconds_at_most_and_loses_nothing() {
    let bytes = if is_soak() { 1 << 30 } else { 64 * MIB };
    // Built before a host starts, whose life is limited.
    Artefact::Binary.path();
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    let mut receiver = Hanging::start();
    let mut host = HostProcess::start(&Setup {
        limit: 900,
        ..setup(Artefact::Library.path())
    });
    let properties = [
        ("Id", "a"),
        ("Spool", spool.to_str().unwrap()),
        ("Destination_Id", "main"),
        ("Destination", "http"),
        ("Url", receiver.url.as_str()),
        ("Batch_Max_Age", "1s"),
    ];
    init_ok(&mut host, &stanza("a", &properties));
    let mut feed = Feed::new();
    feed.fill(&mut host, &scratch, bytes);
    receiver.await_sender();
    let began = now();
    assert!(host.finish());
    let plugin = began.elapsed();
    assert!(plugin <= END, "the plugin's host: {plugin:?}");

    let hanging = run(&scratch, &format!("type = \"http\"\nurl = \"{}\"", receiver.url));
    receiver.await_sender();
    let daemon = terminate(hanging);
    assert!(daemon <= END, "auditship run: {daemon:?}");
    println!(
        "ends with {} MiB pending: the plugin's host {plugin:?}, auditship run {daemon:?}",
        bytes / MIB
    );

    let records = scratch.path("records");
    let draining = run(
        &scratch,
        &format!("type = \"file\"\npath = \"{}\"", records.display()),
    );
    let mut looks = 0;
    while status(&spool).is_none_or(|status| delivered(&status) < feed.handed_over) {
        std::thread::park_timeout(Duration::from_millis(200));
        looks += 1;
        assert!(looks < bytes / MIB * 5, "{:?}", status(&spool));
    }
    terminate(draining);
    assert!(
        sequences(&records).into_iter().eq(0..feed.handed_over),
        "all arrived, each once"
    );
}

#[test]
fn a_full_disk_refuses_at_once_and_recovers_by_itself() {
    let scratch = Scratch::new();
    let Some(disk) = Disk::mount(scratch.path("out"), "a full disk under the shipped stanza") else {
        return;
    };
    Artefact::Binary.path();
    let spool = scratch.path("out/spool");
    let records = scratch.path("elsewhere");
    let mut stanza = shipped_stanza(&scratch.path("out"));
    for (name, value) in &mut stanza.properties {
        if name == "Path" {
            records.to_str().unwrap().clone_into(value);
        }
    }
    // Nothing can be delivered while a file is in the directory's place.
    fs::write(&records, "").unwrap();
    let mut host = HostProcess::start(&setup(Artefact::Library.path()));
    init_ok(&mut host, &stanza);
    let mut feed = Feed::new();

    // The disk is full before the spool's own limit is reached.
    feed.fill(&mut host, &scratch, MIB);
    disk.exhaust();
    let records_refused = feed.fill_up(&mut host, &scratch, 32 * MIB);
    let refused = |host: &mut HostProcess| {
        let flushed = host.flush("a", "audit", Chunk::File(scratch.path("chunk")));
        assert_eq!(flushed.code, FlushCode::Retry);
        assert!(flushed.micros < REFUSAL, "{} us", flushed.micros);
    };
    for _ in 0..50 {
        refused(&mut host);
    }
    let log = fs::read_to_string(spool.join("auditship.log")).unwrap();
    assert_eq!(
        log.lines().filter(|line| line.contains("chunk refused")).count(),
        1,
        "said once a minute: {log}"
    );

    // The receiver heals. Nobody touches the disk: cursors commit there all the same, and what is delivered makes room.
    fs::remove_file(&records).unwrap();
    await_until("delivery with a full disk", || {
        let status = status(&spool)?;
        (pending(&status) == 0 && delivered(&status) > 0).then_some(())
    });
    await_until("room", || {
        let flushed = host.flush("a", "audit", Chunk::File(scratch.path("chunk")));
        assert!(flushed.micros < REFUSAL, "{} us", flushed.micros);
        (flushed.code == FlushCode::Ok).then_some(())
    });
    feed.handed_over += records_refused;
    fs::remove_file(disk.ballast()).unwrap();
    feed.fill(&mut host, &scratch, MIB);
    await_until("all", || {
        let status = status(&spool)?;
        // The two halves of the status are of different moments: only what grows can be compared.
        let writer = &status["writer"]["snapshot"]["totals"];
        let received = writer["received"].as_u64()? == feed.handed_over;
        (received && writer["spooled"] == delivered(&status)).then_some(())
    });
    host.exit("a");
    assert!(host.finish());
    let arrived = sequences(&records);
    let excluded = feed.handed_over - arrived.len() as u64;
    let mut iam = 0;
    for (number, record) in Records::new(7, Category::Text)
        .take(feed.handed_over as usize)
        .enumerate()
    {
        let mut line = Vec::new();
        record.write_line(&mut line);
        let record: Value = serde_json::from_slice(&line).unwrap();
        if record["event"]["category"] == "iam" {
            iam += 1;
        } else {
            assert!(arrived.contains(&(number as u64)), "{number} is lost");
        }
    }
    assert_eq!(excluded, iam);
}
