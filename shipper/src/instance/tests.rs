//! An intake on a simulated disk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::quantity::ByteSize;
use crate::config::{MaxBytes, SpoolConfig, Strictness};
use crate::control::commands::{self, Command, Outcome, QuarantinedBlocks};
use crate::random::SeededRandom;
use crate::spool::cursor::Cursor;
use crate::spool::draft::SourceFormat;
use crate::spool::storage::Storage as _;
use crate::spool::storage::sim::{Crash, Op, SimStorage};
use crate::spool::{AppendError, Block, Kinds, ReadStep, Reader};
use crate::time::{ManualClock, Timestamp};

struct Bench {
    disk: SimStorage,
    clock: Arc<ManualClock>,
    outside: Outside,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000)));
        let outside = Outside {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(SeededRandom::new(7)),
            environment: Environment::empty(),
            machine_id: b"this machine".to_vec(),
            program: Program {
                name: "test".to_owned(),
                pid: 1,
            },
        };
        let text = "[spool]\npath = \"/unused\"\nid = \"audit\"\nmax_bytes = \"64MiB\"\n[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"/elsewhere\"\n";
        let config = Config::from_toml_text(text, "test.toml", &Environment::empty(), Strictness::Strict)
            .expect("a valid configuration");
        Self {
            disk: SimStorage::new(),
            clock,
            outside,
            config,
        }
    }

    fn intake(&self) -> Intake {
        let spool = SpoolConfig {
            id: "audit".to_owned(),
            ..self.config.spool.clone()
        };
        let options = writer_options(&spool, 1 << 40, &self.outside.machine_id);
        Intake::open(
            Arc::new(self.disk.clone()),
            options,
            &ingest_settings(&self.config),
            &self.outside,
            &self.outside.program,
        )
        .expect("the disk works")
    }

    /// Gives a command; what it was answered when it was done.
    fn order(&self, intake: &mut Intake, command: &Command) -> String {
        let seed = SeededRandom::new(u64::try_from(self.clock.wall().0).expect("after 1970"));
        let submitted = commands::submit(&self.disk, &seed, self.clock.wall(), "test", command);
        let ticket = submitted.expect("room for a command");
        self.clock.advance(Duration::from_secs(2));
        intake.tick();
        match commands::answer_to(&self.disk, &ticket).expect("readable") {
            Some(Outcome::Done { message }) => message,
            other => panic!("{other:?}"),
        }
    }

    fn blocks(&self) -> Vec<Arc<Block>> {
        let mut reader = Reader::open(Arc::new(self.disk.clone()))
            .expect("a spool")
            .with_kinds(Kinds::CONTENT);
        let mut blocks = Vec::new();
        loop {
            match reader.next().expect("readable") {
                ReadStep::Block(block) => blocks.push(block),
                ReadStep::AtHead => return blocks,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Of each block in quarantine, how many records retries got out of it.
    fn quarantined(&self) -> Vec<u64> {
        let listed = quarantine::list(Arc::new(self.disk.clone())).expect("readable");
        listed.iter().map(|block| block.recovered).collect()
    }

    fn lines(&self) -> Vec<String> {
        let blocks = self.blocks();
        let lines = blocks.iter().flat_map(|block| {
            block
                .records()
                .map(|(_, _, json)| json.to_vec())
                .collect::<Vec<_>>()
        });
        lines
            .map(|json| String::from_utf8(json).expect("JSON is UTF-8"))
            .collect()
    }
}

fn lines(bytes: &[u8]) -> Chunk<'_> {
    Chunk {
        source: SourceFormat::Ndjson,
        bytes,
        origin: "test",
        received_at: Timestamp(1_700_000_000_000_000_000),
    }
}

#[test]
fn what_is_accepted_survives_a_crash_that_loses_all_that_was_not_synced() {
    let mut bench = Bench::new();
    let mut intake = bench.intake();
    let (answers, moved) = intake.accept(&[lines(b"{\"a\":1}\n{\"a\":2}\n"), lines(b"{\"a\":3}\n")]);
    assert_eq!((answers, moved), (vec![Answer::Accepted; 2], true));
    drop(intake);
    bench.disk = bench.disk.crash(Crash::NothingUnsynced, 1);
    drop(bench.intake());
    let lines = bench.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].starts_with("{\"a\":3,\"@timestamp\":"), "{}", lines[2]);
}

#[test]
fn a_failed_sync_refuses_every_chunk_that_waited_for_it_and_nothing_of_them_comes_back() {
    let bench = Bench::new();
    let mut intake = bench.intake();
    assert_eq!(intake.accept(&[lines(b"{\"a\":0}\n")]).0, vec![Answer::Accepted]);
    let mut struck = false;
    bench.disk.fail_when(move |call| {
        let strike = call.op == Op::SyncData && !struck;
        struck |= strike;
        strike.then_some(io::ErrorKind::Other)
    });
    let (answers, moved) = intake.accept(&[lines(b"{\"event\":{\"id\":\"x\"}}\n"), lines(b"{\"a\":2}\n")]);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Answer::Refused(AppendError::Io(_)))),
        "{answers:?}"
    );
    assert!(!moved);
    bench.disk.heal();
    // Handed over again, as the host does: the record with an id must not be taken for a duplicate of the void one.
    let (answers, _) = intake.accept(&[lines(b"{\"event\":{\"id\":\"x\"}}\n"), lines(b"{\"a\":2}\n")]);
    assert_eq!(answers, vec![Answer::Accepted; 2]);
    assert_eq!(bench.lines().len(), 3);
}

#[test]
fn a_chunk_of_several_drafts_is_refused_as_a_whole() {
    let bench = Bench::new();
    let mut intake = bench.intake();
    let big = format!("{{\"text\":\"{}\"}}\n", "x".repeat(3 << 20)).repeat(8);
    let mut writes = 0;
    bench.disk.fail_when(move |call| {
        let write = call.op == Op::WriteAt && call.path.starts_with("segments/");
        writes += u32::from(write);
        // The header of the segment, the first draft, and then no more room.
        (write && writes >= 3).then_some(io::ErrorKind::StorageFull)
    });
    let (answers, _) = intake.accept(&[lines(big.as_bytes())]);
    assert!(matches!(answers[..], [Answer::Refused(_)]), "{answers:?}");
    bench.disk.heal();
    assert_eq!(bench.lines(), Vec::<String>::new());
    assert_eq!(intake.accept(&[lines(big.as_bytes())]).0, vec![Answer::Accepted]);
    assert_eq!(bench.lines().len(), 8);
    assert!(intake.writer().totals().balances());
}

#[test]
fn a_refused_chunk_is_not_there_when_the_disk_did_not_let_its_segment_be_removed() {
    let bench = Bench::new();
    let mut intake = bench.intake();
    let big = format!("{{\"text\":\"{}\"}}\n", "x".repeat(3 << 20)).repeat(8);
    let mut writes = 0;
    bench.disk.fail_when(move |call| {
        writes += u32::from(call.op == Op::WriteAt && call.path.starts_with("segments/"));
        // The header of the segment and the first draft; then the disk does nothing any more.
        (writes >= 3 && call.op.is_change()).then_some(io::ErrorKind::Other)
    });
    let (answers, _) = intake.accept(&[lines(big.as_bytes())]);
    assert!(matches!(answers[..], [Answer::Refused(_)]), "{answers:?}");
    bench.disk.heal();
    assert_eq!(intake.accept(&[lines(big.as_bytes())]).0, vec![Answer::Accepted]);
    assert_eq!(bench.lines().len(), 8);
    assert!(intake.writer().totals().balances());
}

#[test]
fn what_cannot_be_decoded_is_kept_and_a_retry_finds_the_events_behind_the_damage() {
    let bench = Bench::new();
    let mut intake = bench.intake();
    // [EventTime, {"n": 1}], a byte that is no msgpack, [EventTime, {"n": 2}].
    let event = |n: u8| [&[0x92, 0xd7, 0x00, 0, 0, 0, 1, 0, 0, 0, 0, 0x81, 0xa1, b'n', n][..]].concat();
    let bytes = [event(1), vec![0xc1], event(2)].concat();
    let chunk = Chunk {
        source: SourceFormat::FluentBit,
        bytes: &bytes,
        ..lines(b"")
    };
    assert_eq!(intake.accept(&[chunk]).0, vec![Answer::Accepted]);
    assert_eq!(bench.lines().len(), 1);

    let retry = Command::QuarantineRetry {
        which: QuarantinedBlocks::All,
    };
    assert_eq!(
        bench.order(&mut intake, &retry),
        "1 blocks tried, 1 records recovered"
    );
    let lines = bench.lines();
    assert!(lines[1].starts_with("{\"n\":2,"), "{lines:?}");
    let listed = quarantine::list(Arc::new(bench.disk.clone())).expect("readable");
    assert_eq!(
        listed
            .iter()
            .map(|block| (block.len, block.recovered))
            .collect::<Vec<_>>(),
        [(16, 1)]
    );
    let totals = intake.writer().totals();
    assert_eq!(
        (
            totals.received,
            totals.undecodable_regions,
            totals.undecodable_bytes
        ),
        (2, 1, 16)
    );
}

/// Two chunks with an event behind damage, and then all that is in the log is delivered and removed.
fn carried(bench: &Bench, intake: &mut Intake) {
    let event = |n: u8| [0x92, 0xd7, 0x00, 0, 0, 0, 1, 0, 0, 0, 0, 0x81, 0xa1, b'n', n];
    for n in [1, 2] {
        let bytes = [&[0xc1][..], &event(n)].concat();
        let chunk = Chunk {
            source: SourceFormat::FluentBit,
            bytes: &bytes,
            ..lines(b"")
        };
        assert_eq!(intake.accept(&[chunk]).0, vec![Answer::Accepted]);
    }
    let spool = intake.writer().spool_id();
    let cursor = Cursor::open_or_create(Arc::new(bench.disk.clone()), "archive", spool, 0).expect("a cursor");
    assert_eq!(cursor.state().committed, 0);
    // The first seals; without a record in it what it seals is settled.
    bench.order(intake, &Command::Reclaim);
    assert_eq!(intake.accept(&[lines(b"{}")]).0, vec![Answer::Accepted]);
    bench.order(intake, &Command::Reclaim);
    let blocks = bench.blocks();
    assert!(
        blocks.iter().all(|block| block.quarantine().is_none()),
        "{blocks:?}"
    );
    assert_eq!(bench.quarantined(), [0, 0]);
}

#[test]
fn a_retry_gets_records_out_of_what_has_outlived_its_segment() {
    let bench = Bench::new();
    let mut intake = bench.intake();
    carried(&bench, &mut intake);
    let retry = Command::QuarantineRetry {
        which: QuarantinedBlocks::All,
    };
    assert_eq!(
        bench.order(&mut intake, &retry),
        "2 blocks tried, 2 records recovered"
    );
    assert_eq!(bench.lines().len(), 3);
    assert_eq!(bench.quarantined(), [0; 0], "and it is not kept any longer");
    assert_eq!(
        bench.order(&mut intake, &retry),
        "0 blocks tried, 0 records recovered"
    );
}

#[test]
fn a_discard_removes_what_it_names_and_leaves_a_note_also_when_the_spool_is_full() {
    let mut bench = Bench::new();
    let mut intake = bench.intake();
    carried(&bench, &mut intake);
    let listed = quarantine::list(Arc::new(bench.disk.clone())).expect("readable");
    drop(intake);
    bench.config.spool.max_bytes = MaxBytes::Size(ByteSize(1));
    let mut intake = bench.intake();
    assert!(matches!(
        intake.accept(&[lines(b"{}")]).0[..],
        [Answer::Refused(AppendError::Full { .. })]
    ));
    let discard = Command::QuarantineDiscard {
        which: QuarantinedBlocks::These(vec![listed[0].place]),
    };
    assert_eq!(
        bench.order(&mut intake, &discard),
        "1 blocks of 16 bytes discarded"
    );
    assert_eq!(bench.quarantined(), [0]);
    let discard = Command::QuarantineDiscard {
        which: QuarantinedBlocks::All,
    };
    assert_eq!(
        bench.order(&mut intake, &discard),
        "1 blocks of 16 bytes discarded"
    );
    assert_eq!(bench.quarantined(), [0; 0]);
    let notes: Vec<String> = bench.blocks().iter().filter_map(|block| block.note()).collect();
    let discarded = notes
        .iter()
        .filter(|note| note.starts_with("quarantine discarded: segment 0 offset "));
    assert_eq!(discarded.count(), 2, "{notes:?}");
}

#[test]
fn a_discard_that_a_crash_cuts_anywhere_is_done_when_it_is_given_out_again() {
    for changes in 0.. {
        let bench = Bench::new();
        let mut intake = bench.intake();
        carried(&bench, &mut intake);
        let discard = Command::QuarantineDiscard {
            which: QuarantinedBlocks::All,
        };
        let random = SeededRandom::new(4);
        commands::submit(&bench.disk, &random, bench.clock.wall(), "test", &discard).expect("room");
        bench.clock.advance(Duration::from_secs(2));
        bench.disk.fail_after_changes(changes);
        intake.tick();
        let reached = bench.disk.is_dead();
        drop(intake);
        for crash in Crash::ALL {
            let bench = Bench {
                disk: bench.disk.crash(crash, changes),
                ..Bench::new()
            };
            let mut intake = bench.intake();
            intake.tick();
            assert_eq!(bench.quarantined(), [0; 0], "{crash:?} after {changes}");
            let listed = bench.disk.list("quarantine").expect("a folder");
            let blocks = listed.iter().filter(|entry| entry.name.ends_with(".block"));
            assert_eq!(blocks.count(), 0, "{crash:?} after {changes}");
        }
        if !reached {
            assert!(changes > 5, "{changes} are too few to say something");
            break;
        }
    }
}
