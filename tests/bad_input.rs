//! What nobody should give us: each gets a clear error, and nothing is lost. Through the release library under the host
//! driver. (Misspelt keys, lines that are not JSON: `shipper/tests/cli.rs`, `shipper/tests/shipping.rs`. Properties that
//! fail one stanza: `tests/host.rs`.)

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use auditship::config::{Config, Environment, Strictness};
use auditship::ingest;
use auditship::instance::{Answer, Instance, Outside, Program, machine_id};
use auditship::random::OsRandom;
use auditship::spool::draft::SourceFormat;
use auditship::time::{Clock, ManualClock, Timestamp};
use auditship_testkit::artefacts::Artefact;
use auditship_testkit::host::FlushCode;
use auditship_testkit::process::{HostProcess, setup, stanza};
use auditship_testkit::protocol::{Chunk, Stanza};
use common::{Scratch, await_until, ids, records};

fn host() -> HostProcess {
    // Built before a host starts, whose life is limited.
    Artefact::Binary.path();
    HostProcess::start(&setup(Artefact::Library.path()))
}

fn init_ok(host: &mut HostProcess, stanza: &Stanza) {
    let (code, log) = host.init(stanza);
    assert!(code > 0, "{code}: {log:?}");
}

/// Init fails, and the host's log has all of `reasons`.
fn refused(host: &mut HostProcess, stanza: &Stanza, reasons: &[&str]) {
    let (code, log) = host.init(stanza);
    let said = log.join("\n");
    assert!(code <= 0, "{code}: {said}");
    for reason in reasons {
        assert!(said.contains(reason), "no {reason:?} in: {said}");
    }
}

/// `stanza` with another value.
fn with(mut stanza: Stanza, name: &str, value: &str) -> Stanza {
    stanza.properties.retain(|(is, _)| !is.eq_ignore_ascii_case(name));
    stanza.properties.push((name.to_owned(), value.to_owned()));
    stanza
}

fn auditship(arguments: &[&str]) -> String {
    let output = Command::new(Artefact::Binary.path())
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn log_of(spool: &Path) -> String {
    fs::read_to_string(spool.join("auditship.log")).unwrap()
}

#[test]
fn a_directory_in_which_nothing_can_be_made() {
    let scratch = Scratch::new();
    let mut host = host();
    let below_a_file = scratch.text("file/spool");
    fs::write(scratch.path("file"), "").unwrap();
    refused(
        &mut host,
        &with(scratch.stanza("a", 0), "Spool", &below_a_file),
        &["file/spool"],
    );
    // Nobody may write there, root included.
    refused(
        &mut host,
        &with(scratch.stanza("a", 0), "Spool", "/proc/auditship"),
        &["/proc/auditship"],
    );
    init_ok(&mut host, &scratch.stanza("a", 0));
    host.exit("a");
    assert!(host.finish());
}

#[test]
fn a_second_process_on_the_same_spool() {
    let scratch = Scratch::new();
    let (mut first, mut second) = (host(), host());
    init_ok(&mut first, &scratch.stanza("a", 0));
    refused(&mut second, &scratch.stanza("a", 0), &["spool-a", "another"]);
    assert_eq!(first.flush("a", "audit", records(0..10)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 10), ids(0..10));
    // When the first is gone, however it went, the second one's turn has come.
    first.kill();
    init_ok(&mut second, &scratch.stanza("a", 0));
    second.exit("a");
}

#[test]
fn two_stanzas_without_an_id_on_one_spool() {
    let scratch = Scratch::new();
    let mut host = host();
    let nameless = || {
        let mut stanza = scratch.stanza("a", 0);
        stanza.properties.retain(|(name, _)| name != "Id");
        stanza
    };
    init_ok(&mut host, &nameless());
    let second = Stanza {
        instance: "b".into(),
        ..nameless()
    };
    // Both ways out.
    refused(&mut host, &second, &["`Id`", "Config_File"]);
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 3), ids(0..3), "the first goes on");
}

#[test]
fn an_endpoint_in_the_clear() {
    let scratch = Scratch::new();
    let mut host = host();
    let spool = scratch.text("spool");
    let plain = |more: &[(&str, &str)]| {
        let mut properties = vec![
            ("Id", "a"),
            ("Spool", spool.as_str()),
            ("Destination", "http"),
            ("Url", "http://collector.example.com/audit"),
        ];
        properties.extend_from_slice(more);
        stanza("a", &properties)
    };
    refused(&mut host, &plain(&[]), &["http://", "allow_plaintext"]);
    init_ok(&mut host, &plain(&[("Allow_Plaintext", "true")]));
    host.exit("a");
}

#[test]
fn a_spool_of_a_newer_version_is_left_as_it_is() {
    let scratch = Scratch::new();
    let mut host = host();
    init_ok(&mut host, &scratch.stanza("a", 0));
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    host.exit("a");
    for name in ["spool.meta", "segments/0000000000000000.seg"] {
        let path = scratch.path("spool-a").join(name);
        let ours = fs::read(&path).unwrap();
        let mut newer = ours.clone();
        // docs/FORMAT.md: the version after the magic, then the header's length; its checksum at its end.
        let length = usize::from(u16::from_le_bytes([newer[10], newer[11]]));
        newer[8] = 9;
        let checksum = crc32c::crc32c(&newer[..length - 4]);
        newer[length - 4..length].copy_from_slice(&checksum.to_le_bytes());
        fs::write(&path, &newer).unwrap();
        refused(&mut host, &scratch.stanza("a", 0), &["version 9", "version 1"]);
        assert_eq!(fs::read(&path).unwrap(), newer);
        fs::write(&path, ours).unwrap();
    }
    init_ok(&mut host, &scratch.stanza("a", 0));
    assert_eq!(host.flush("a", "audit", records(3..6)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 6), ids(0..6));
    host.exit("a");
}

#[test]
fn a_chunk_that_is_not_msgpack_is_kept_and_named() {
    let scratch = Scratch::new();
    let mut host = host();
    init_ok(&mut host, &scratch.stanza("a", 0));
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    let chunk = Chunk::Bytes(b"\xc1\xc1 not msgpack".to_vec());
    assert_eq!(host.flush("a", "audit.file", chunk).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 3), ids(0..3));
    let spool = scratch.text("spool-a");
    let kept = auditship(&["quarantine", "list", "--spool", &spool]);
    assert!(kept.contains("audit.file"), "{kept}");
    assert!(auditship(&["status", &spool]).contains("red"), "health");
    host.exit("a");
}

#[test]
fn a_record_of_50_mb_is_kept_in_quarantine_and_named() {
    let scratch = Scratch::new();
    let mut host = host();
    init_ok(&mut host, &scratch.stanza("a", 0));
    let text = "x".repeat(50_000_000);
    let chunk = auditship_testkit::chunk::from_ndjson(
        &format!("{{\"event\":{{\"id\":\"00000000\",\"category\":\"file\"}},\"text\":\"{text}\"}}\n"),
        auditship_testkit::chunk::Layout::V2,
        1_767_225_600,
    )
    .unwrap();
    let length = chunk.len();
    fs::write(scratch.path("chunk"), chunk).unwrap();
    let large = host.flush("a", "audit", Chunk::File(scratch.path("chunk")));
    assert_eq!(large.code, FlushCode::Ok);
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 3), ids(0..3), "what comes after it");
    let spool = scratch.text("spool-a");
    let kept = auditship(&["quarantine", "list", "--spool", &spool]);
    assert!(kept.contains("larger than 8388608 bytes"), "{kept}");
    let found = auditship(&["quarantine", "list", "--spool", &spool, "--json"]);
    let found: serde_json::Value = serde_json::from_str(found.lines().next().unwrap()).unwrap();
    assert_eq!(found["bytes"], length, "all of it: {found}");
    host.exit("a");
}

/// What a process with the wall clock at `wall`, on a machine with this id, adds to the spool of `stanza` and delivers.
fn elsewhere(stanza: &Stanza, wall: Timestamp, machine_id: Vec<u8>, lines: &str) {
    let lookup = |name: &str| {
        let found = stanza
            .properties
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let environment = Environment::of_process();
    let config = Config::from_stanza(&lookup, &environment, Strictness::Strict).unwrap();
    let clock = Arc::new(ManualClock::at(wall));
    let outside = Outside {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        random: Arc::new(OsRandom::new()),
        environment,
        machine_id,
        program: Program {
            name: "a test".into(),
            pid: std::process::id(),
        },
    };
    let mut instance = Instance::start(&config, &outside).unwrap();
    let chunk = ingest::Chunk {
        source: SourceFormat::Ndjson,
        bytes: lines.as_bytes(),
        origin: "a test",
        received_at: clock.wall(),
    };
    assert_eq!(instance.accept(&[chunk]), [Answer::Accepted]);
    instance.stop(std::time::Duration::ZERO);
}

/// Waits until the destination is held because the spool is a copy, and lets it send. Why it was held.
fn resume_the_copy(spool: &Path) -> String {
    let path = spool.to_str().unwrap();
    let (id, reason) = await_until("a hold", || {
        let status = auditship(&["status", path, "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        let one = &status["destinations"][0];
        let is_held = one["activity"]["state"] == "held" && one["activity"]["kind"] == "conflict";
        let text = |value: &serde_json::Value| value.as_str().map(String::from);
        is_held.then(|| Some((text(&one["id"])?, text(&one["activity"]["reason"])?)))?
    });
    let said = auditship(&["resume", &id, "--spool", path]);
    assert!(said.contains("asked again"), "{said}");
    reason
}

fn lines(range: std::ops::Range<u32>) -> String {
    match records(range) {
        Chunk::Ndjson { lines, .. } => lines,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clock_that_was_set_back_by_ten_years() {
    let scratch = Scratch::new();
    let stanza = scratch.stanza("a", 0);
    // 2036. What it spooled is from the future for the process that comes after it.
    elsewhere(
        &stanza,
        Timestamp(2_082_758_400_000_000_000),
        machine_id(),
        &lines(0..5),
    );
    let mut host = host();
    init_ok(&mut host, &stanza);
    assert_eq!(host.flush("a", "audit", records(3..10)).code, FlushCode::Ok);
    assert_eq!(
        scratch.await_delivered("a", 10),
        ids(0..10),
        "none lost, none twice, none waited for"
    );
    host.exit("a");
    host.finish();
}

#[test]
fn a_spool_that_was_copied_from_another_machine() {
    let scratch = Scratch::new();
    let stanza = scratch.stanza("a", 0);
    elsewhere(
        &stanza,
        Timestamp(1_767_225_600_000_000_000),
        b"another machine".to_vec(),
        &lines(0..5),
    );
    let mut host = host();
    init_ok(&mut host, &stanza);
    assert_eq!(host.flush("a", "audit", records(5..10)).code, FlushCode::Ok);
    let reason = resume_the_copy(&scratch.path("spool-a"));
    assert!(reason.contains("another machine"), "{reason}");
    assert_eq!(scratch.await_delivered("a", 10), ids(0..10));
    let log = log_of(&scratch.path("spool-a"));
    assert!(log.contains("another machine"), "{log}");
    host.exit("a");
}

#[test]
fn a_spool_that_was_restored_under_a_newer_cursor() {
    let scratch = Scratch::new();
    let stanza = scratch.stanza("a", 0);
    let (spool, backup) = (scratch.path("spool-a"), scratch.path("backup"));
    let mut host = host();
    init_ok(&mut host, &stanza);
    assert_eq!(host.flush("a", "audit", records(0..10)).code, FlushCode::Ok);
    scratch.await_delivered("a", 10);
    host.exit("a");
    let copied = Command::new("cp").arg("-a").args([&spool, &backup]).status();
    assert!(copied.unwrap().success());
    init_ok(&mut host, &stanza);
    assert_eq!(host.flush("a", "audit", records(10..30)).code, FlushCode::Ok);
    scratch.await_delivered("a", 30);
    // The records are delivered before their cursor says so.
    await_until("settled cursor", || {
        let status = auditship(&["status", spool.to_str().unwrap(), "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        (status["destinations"][0]["backlog"]["pending"] == 0).then_some(())
    });
    host.exit("a");
    // The backup comes back, but for the cursors.
    fs::remove_dir_all(backup.join("cursors")).unwrap();
    fs::rename(spool.join("cursors"), backup.join("cursors")).unwrap();
    fs::remove_dir_all(&spool).unwrap();
    fs::rename(&backup, &spool).unwrap();
    init_ok(&mut host, &stanza);
    assert_eq!(host.flush("a", "audit", records(30..40)).code, FlushCode::Ok);
    let reason = resume_the_copy(&spool);
    assert!(reason.contains("spool.meta is a copy"), "{reason}");
    assert_eq!(
        scratch.await_delivered("a", 40),
        ids(0..40),
        "the cursor does not pass over what is written now"
    );
    let log = log_of(&spool);
    assert!(log.contains("the spool is damaged"), "{log}");
    host.exit("a");
}
