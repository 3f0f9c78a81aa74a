//! The release library under the host driver: what Fluent Bit does to a plugin, and what it may expect.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;
#[path = "host/reloads.rs"]
mod reloads;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command as Process;

use auditship_testkit::artefacts::Artefact;
use auditship_testkit::host::{FlushCode, HostVersion};
use auditship_testkit::process::{HostProcess, setup};
use auditship_testkit::protocol::{Chunk, Command, Reply, Setup, Stanza, Streams};
use common::{Hanging, Scratch, await_until, ids, records};

/// The most stack that a flush may use, in bytes.
const STACK_BUDGET: usize = 2048;

fn library() -> Setup {
    setup(Artefact::Library.path())
}

fn init_ok(host: &mut HostProcess, stanza: &Stanza) {
    let (code, log) = host.init(stanza);
    assert!(code > 0, "{code}: {log:?}");
}

#[test]
fn register_says_what_it_is_and_makes_nothing_that_a_fork_would_split() {
    let host = HostProcess::start(&library());
    match host.registered() {
        Reply::Registered {
            code,
            name,
            is_output,
            threads,
            new_fds,
            ..
        } => {
            assert_eq!((*code, name.as_str(), *is_output), (0, "auditship", true));
            assert_eq!(*threads, 1);
            assert_eq!(new_fds, &Vec::<String>::new());
        }
        other => panic!("{other:?}"),
    }
    assert!(host.finish());
}

#[test]
fn several_instances_with_any_number_of_workers_take_and_deliver() {
    let scratch = Scratch::new();
    let mut host = HostProcess::start(&library());
    let stanzas = [("none", 0), ("one", 1), ("four", 4)].map(|(id, workers)| scratch.stanza(id, workers));
    for stanza in &stanzas {
        init_ok(&mut host, stanza);
    }
    let mut flushes = Vec::new();
    for nth in 0..20 {
        for stanza in &stanzas {
            flushes.push(host.send_flush(&stanza.instance, "audit", records(nth * 50..(nth + 1) * 50)));
        }
    }
    for flush in flushes {
        assert_eq!(host.answer(flush).code, FlushCode::Ok);
    }
    for stanza in &stanzas {
        assert_eq!(scratch.await_delivered(&stanza.instance, 1_000), ids(0..1_000));
    }
    for stanza in &stanzas {
        let (millis, _) = host.exit(&stanza.instance);
        assert!(millis < 3_000, "{millis} ms");
    }
    let (threads, _) = host.process();
    assert_eq!(threads, [], "all threads are joined");
    assert!(host.finish());
}

#[test]
fn every_host_from_1_8_on_is_served_by_what_it_has() {
    for version in [HostVersion::V1_8, HostVersion::V2_0, HostVersion::V5_1] {
        let scratch = Scratch::new();
        let mut host = HostProcess::start(&Setup { version, ..library() });
        init_ok(&mut host, &scratch.stanza("a", 0));
        assert_eq!(host.flush("a", "audit", records(0..10)).code, FlushCode::Ok);
        // A second stanza on the same spool cannot be.
        let (code, log) = host.init(&scratch.stanza("a", 0));
        assert!(code <= 0);
        // Only a host that has shown its age is spoken to.
        assert_eq!(log.is_empty(), version != HostVersion::V5_1, "{log:?}");
        host.exit("a");
        assert!(host.finish());
    }
}

#[test]
fn a_flush_stays_within_its_stack_the_first_time_and_later() {
    for (stack, workers) in [(24 << 10, 0), (24 << 10, 4), (4 << 10, 0)] {
        let scratch = Scratch::new();
        let mut host = HostProcess::start(&Setup { stack, ..library() });
        init_ok(&mut host, &scratch.stanza("a", workers));
        let mut deepest = (0, 0);
        for nth in 0..40 {
            let flushed = host.flush("a", "audit", records(nth * 10..(nth + 1) * 10));
            assert_eq!(flushed.code, FlushCode::Ok);
            assert!(
                flushed.stack <= STACK_BUDGET,
                "flush {nth} used {} bytes",
                flushed.stack
            );
            if nth == 0 {
                deepest.0 = flushed.stack;
            }
            deepest.1 = deepest.1.max(flushed.stack);
        }
        // For `--nocapture`.
        println!(
            "stack of {stack}, {workers} workers: first {} bytes, at most {} bytes",
            deepest.0, deepest.1
        );
        // A closed queue, a refused pointer: the other ways through.
        host.send(&Command::FlushNulls { instance: "a".into() });
        assert!(matches!(
            host.reply(|reply| matches!(reply, Reply::Nulls { .. })),
            Reply::Nulls {
                codes: [FlushCode::Retry, FlushCode::Ok | FlushCode::Retry]
            }
        ));
    }
}

#[test]
fn chunks_that_wait_together_are_synced_together() {
    let scratch = Scratch::new();
    let report = scratch.path("report");
    let mut program = Process::new(Artefact::Steps.path());
    program.arg("-").arg(&report).arg(Artefact::Host.path());
    let mut host = HostProcess::start_by(program, &library());
    let mut stanza = scratch.stanza("a", 8);
    stanza.properties.push(("Shipper".into(), "external".into()));
    stanza
        .properties
        .retain(|(name, _)| ["Id", "SPOOL", "Shipper"].contains(&name.as_str()));
    init_ok(&mut host, &stanza);
    let flushes: Vec<_> = (0..400)
        .map(|nth| host.send_flush("a", "audit", records(nth..nth + 1)))
        .collect();
    for flush in flushes {
        assert_eq!(host.answer(flush).code, FlushCode::Ok);
    }
    host.exit("a");
    assert!(host.finish());
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let syncs = report["steps"]["segment-sync"].as_u64().unwrap();
    assert!(
        (1..300).contains(&syncs),
        "{syncs} syncs for 400 chunks from 8 workers"
    );
}

#[test]
fn malformed_chunks_are_kept_and_never_answered_with_error() {
    let scratch = Scratch::new();
    let mut host = HostProcess::start(&library());
    init_ok(&mut host, &scratch.stanza("a", 0));
    let chunks: [&[u8]; 6] = [
        b"",
        b"\xc1",
        b"not msgpack at all",
        &[0xff; 5_000],
        b"\xdd\xff\xff\xff\xff",
        &[0x91; 9_000],
    ];
    for chunk in chunks {
        let flushed = host.flush("a", "audit", Chunk::Bytes(chunk.to_vec()));
        assert_eq!(
            flushed.code,
            FlushCode::Ok,
            "quarantined, and durable as that: {chunk:02x?}"
        );
    }
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 3), ids(0..3));
}

#[test]
fn what_concerns_the_spool_fails_init_with_the_reason_and_leaves_nothing_running() {
    let scratch = Scratch::new();
    let open = scratch.path("open-to-all");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let mut host = HostProcess::start(&library());
    let mut refused = |name: &str, value: &str, reasons: &[&str]| {
        let mut stanza = scratch.stanza("a", 0);
        stanza.properties.retain(|(is, _)| !is.eq_ignore_ascii_case(name));
        stanza.properties.push((name.to_owned(), value.to_owned()));
        let (code, log) = host.init(&stanza);
        assert!(code <= 0);
        let said = log.join("\n");
        for reason in reasons {
            assert!(said.contains(reason), "no {reason:?} in: {said}");
        }
    };
    refused("Spool", "relative/path", &["relative/path", "/"]);
    refused("Spool", open.to_str().unwrap(), &["open-to-all"]);
    refused("Excluded_Categories", "iam,atuh", &["atuh", "auth"]);
    refused("Destination", "fiel", &["fiel", "file"]);
    refused("Id", "Not An Id", &["Not An Id"]);
    let (threads, _) = host.process();
    assert_eq!(threads, []);
    init_ok(&mut host, &scratch.stanza("a", 0));
    let (code, log) = host.init(&scratch.stanza("a", 0));
    assert!(code <= 0, "two stanzas on one spool");
    assert!(log.join("\n").contains("Id"), "{log:?}");
    assert_eq!(
        host.flush("a", "audit", records(0..3)).code,
        FlushCode::Ok,
        "the first one goes on"
    );
    host.exit("a");
    assert!(host.finish());
}

#[test]
fn threads_are_named_and_leave_signals_to_the_host() {
    let scratch = Scratch::new();
    let mut host = HostProcess::start(&library());
    init_ok(&mut host, &scratch.stanza("a", 0));
    host.flush("a", "audit", records(0..3));
    let (threads, _) = host.process();
    assert!(threads.iter().any(|(name, _)| name == "aship-a"), "{threads:?}");
    assert!(threads.len() >= 2, "a shipper beside it: {threads:?}");
    let bit = |signal: i32| 1_u64 << (signal - 1);
    for (name, blocked) in &threads {
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL] {
            assert_eq!(blocked & bit(fault), 0, "{name} blocks {fault}");
        }
        for signal in [
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGHUP,
            libc::SIGCHLD,
            libc::SIGALRM,
            libc::SIGUSR1,
            libc::SIGPIPE,
        ] {
            assert_ne!(blocked & bit(signal), 0, "{name} does not block {signal}");
        }
    }
    // Every thread beside the host's own (one here) is one of ours by its name.
    let all = fs::read_dir(format!("/proc/{}/task", host.pid()))
        .unwrap()
        .count();
    assert_eq!(all, threads.len() + 1);
}

#[test]
fn with_closed_streams_no_descriptor_of_ours_is_a_standard_one_or_survives_an_exec() {
    let scratch = Scratch::new();
    let mut host = HostProcess::start(&Setup {
        streams: Streams::Closed,
        ..library()
    });
    init_ok(&mut host, &scratch.stanza("a", 0));
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    scratch.await_delivered("a", 3);
    let (_, fds) = host.process();
    let ours: Vec<_> = fds
        .iter()
        .filter(|(_, target, _)| target.starts_with(scratch.text("").as_str()))
        .collect();
    assert!(!ours.is_empty());
    for (number, target, close_on_exec) in &fds {
        if *number < 3 {
            assert_eq!(target, "/dev/null");
        }
        assert!(*close_on_exec, "{number} {target}");
    }
    host.exit("a");
    let (_, after) = host.process();
    let left: Vec<_> = after
        .iter()
        .filter(|(_, target, _)| target.starts_with(scratch.text("").as_str()))
        .collect();
    assert_eq!(left, Vec::<&(i32, String, bool)>::new());
}

#[test]
fn as_a_daemon_it_works_and_keeps_its_modes() {
    let scratch = Scratch::new();
    let mut host = HostProcess::start(&Setup {
        daemon: true,
        ..library()
    });
    init_ok(&mut host, &scratch.stanza("a", 1));
    assert_eq!(host.flush("a", "audit", records(0..3)).code, FlushCode::Ok);
    assert_eq!(scratch.await_delivered("a", 3), ids(0..3));
    let mut looked = 0;
    let mut folders = vec![scratch.path("spool-a")];
    while let Some(folder) = folders.pop() {
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // The status is replaced each second; what is gone again was looked at under its next name.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(
                    metadata.permissions().mode() & 0o7777,
                    0o600,
                    "{}",
                    path.display()
                );
                looked += 1;
            }
        }
    }
    assert!(looked >= 3, "{looked} files");
    let (_, fds) = host.process();
    for (number, target, _) in fds.iter().filter(|(number, ..)| (1..3).contains(number)) {
        assert_eq!(target, "/dev/null", "{number}");
    }
    host.exit("a");
}

#[test]
fn nothing_is_ever_written_to_the_hosts_streams() {
    let scratch = Scratch::new();
    let captured = scratch.path("captured");
    let mut host = HostProcess::start(&Setup {
        streams: Streams::Captured(captured.clone()),
        ..library()
    });
    let stanza = scratch.stanza("a", 0);
    init_ok(&mut host, &stanza);
    assert!(host.init(&stanza).0 <= 0);
    host.flush("a", "audit", records(0..3));
    host.flush("a", "audit", Chunk::Bytes(b"\xc1 not msgpack".to_vec()));
    host.reload(std::slice::from_ref(&stanza));
    host.exit("a");
    assert!(host.finish());
    assert_eq!(fs::read_to_string(captured).unwrap(), "");
}

/// The release library, built with a feature that makes the named place panic and nothing else.
#[test]
fn no_panic_leaves_an_export_or_ends_the_host() {
    let panicking = |place: &str, scratch: &Scratch| {
        let mut program = Process::new(Artefact::Host.path());
        program.env("AUDITSHIP_PANIC", place);
        let setup = Setup {
            streams: Streams::Captured(scratch.path("captured")),
            // A panic unwinds on the flush's stack, which no real host has room for: that is why nothing there panics.
            stack: 1 << 20,
            ..setup(Artefact::PanickingLibrary.path())
        };
        HostProcess::start_by(program, &setup)
    };
    for place in [
        "PreRegister",
        "Register",
        "Init",
        "FlushCtx",
        "accept",
        "ExitCtx",
        "Unregister",
    ] {
        let scratch = Scratch::new();
        let mut host = panicking(place, &scratch);
        let stanza = scratch.stanza("a", 1);
        let (code, _) = host.init(&stanza);
        assert_eq!(code > 0, place != "Init", "{place}: {code}");
        if code > 0 {
            let expected = if ["FlushCtx", "accept"].contains(&place) {
                FlushCode::Retry
            } else {
                FlushCode::Ok
            };
            for nth in 0..3 {
                let flushed = host.flush("a", "audit", records(nth..nth + 1));
                assert_eq!(flushed.code, expected, "{place}");
                assert!(flushed.micros < 500_000, "{place}: {} us", flushed.micros);
            }
            let (_, threads) = host.exit("a");
            assert!(threads.is_empty(), "{place}: {threads:?}");
        }
        assert!(host.finish(), "{place}");
        assert_eq!(
            fs::read_to_string(scratch.path("captured")).unwrap(),
            "",
            "{place}"
        );
    }
}

#[test]
fn a_host_that_cannot_end_one_instance_ends_them_all() {
    let scratch = Scratch::new();
    let mut host = HostProcess::start(&Setup {
        version: HostVersion::V1_8,
        ..library()
    });
    for id in ["a", "b"] {
        init_ok(&mut host, &scratch.stanza(id, 0));
        assert_eq!(host.flush(id, "audit", records(0..3)).code, FlushCode::Ok);
    }
    host.send(&Command::ExitAll);
    match host.reply(|reply| matches!(reply, Reply::ExitAll { .. })) {
        Reply::ExitAll { code: 1, threads } => assert!(threads.is_empty(), "{threads:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        host.flush("a", "audit", records(3..6)).code,
        FlushCode::Retry,
        "nobody is there any more"
    );
    host.exit("a");
}

#[test]
fn a_full_spool_answers_retry_at_once_and_takes_again_when_there_is_room() {
    let scratch = Scratch::new();
    let receiver = Hanging::start();
    let mut host = HostProcess::start(&library());
    let mut full = scratch.stanza("a", 2);
    full.properties
        .retain(|(name, _)| ["Id", "SPOOL"].contains(&name.as_str()));
    full.properties.push(("Max_Bytes".into(), "16MiB".into()));
    // One destination, whose kind changes: another one would leave the first as the one that lags.
    full.properties.push(("Destination_Id".into(), "main".into()));
    let mut stuck = full.clone();
    stuck.properties.push(("Destination".into(), "http".into()));
    stuck.properties.push(("Url".into(), receiver.url.clone()));
    init_ok(&mut host, &stuck);
    // Text that no compression makes small: the digits of a generator.
    let mut state = 1_u64;
    let mut chunk = |nth: u32| {
        let text: String = (0..60_000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                format!("{:016x}", state)
            })
            .collect();
        let lines = format!("{{\"event\":{{\"id\":\"{nth:08}\"}},\"text\":\"{text}\"}}\n");
        Chunk::Ndjson {
            lines,
            layout: auditship_testkit::chunk::Layout::V2,
            seconds: 1_767_225_600,
        }
    };
    let mut accepted = 0;
    let refused = loop {
        let one = chunk(accepted);
        match host.flush("a", "audit", one.clone()).code {
            FlushCode::Ok => accepted += 1,
            FlushCode::Retry => break one,
            FlushCode::Error => panic!("a chunk is lost"),
        }
        assert!(accepted < 60, "16 MiB were full long ago");
    };
    for _ in 0..20 {
        let flushed = host.flush("a", "audit", refused.clone());
        assert_eq!(flushed.code, FlushCode::Retry);
        assert!(flushed.micros < 500_000, "{} us", flushed.micros);
    }
    // The receiver is given up for a directory; what was accepted goes there, and makes room.
    let target = scratch.text("records-a");
    for (name, value) in [
        ("Destination", "file"),
        ("Path", &target),
        ("Compression", "none"),
        ("Batch_Max_Age", "1s"),
    ] {
        full.properties.push((name.into(), value.into()));
    }
    let (_, inits) = host.reload(std::slice::from_ref(&full));
    assert!(matches!(&inits[..], [Reply::Init { code: 1, .. }]), "{inits:?}");
    await_until("room", || {
        (host.flush("a", "audit", refused.clone()).code == FlushCode::Ok).then_some(())
    });
    assert_eq!(
        scratch.await_delivered("a", accepted as usize + 1),
        ids(0..accepted + 1)
    );
    host.exit("a");
}

#[test]
fn a_killed_host_finds_everything_that_was_acknowledged() {
    let scratch = Scratch::new();
    let stanza = scratch.stanza("a", 2);
    let mut host = HostProcess::start(&library());
    init_ok(&mut host, &stanza);
    let first: Vec<_> = (0..10)
        .map(|nth| host.send_flush("a", "audit", records(nth * 10..(nth + 1) * 10)))
        .collect();
    for flush in first {
        assert_eq!(host.answer(flush).code, FlushCode::Ok);
    }
    host.kill();
    drop(host);
    let mut host = HostProcess::start(&library());
    init_ok(&mut host, &stanza);
    // As a host does after a crash: what it has no answer for, and some of what it has.
    assert_eq!(host.flush("a", "audit", records(90..120)).code, FlushCode::Ok);
    assert_eq!(
        scratch.await_delivered("a", 120),
        ids(0..120),
        "none lost, none twice"
    );
    host.exit("a");
}
