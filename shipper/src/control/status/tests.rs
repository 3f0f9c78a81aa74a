use super::*;
use crate::control::desired::DesiredState;
use crate::control::{SHIPPER_LOCK, WRITER_LOCK};
use crate::spool::count::Tally;
use crate::spool::cursor::{Counts, Cursor, Disposition, Entry, Hold, HoldKind};
use crate::spool::dead_letter::DeadLetter;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::spool::storage::Access;
use crate::spool::storage::sim::{Crash, SimStorage};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);
const SPOOL: SpoolId = SpoolId([0xab; 16]);

fn ago(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 - seconds * 1_000_000_000)
}

fn writer() -> WriterStatus {
    WriterStatus {
        at: ago(1),
        program: Program::default(),
        instance: "main".to_owned(),
        spool: SPOOL,
        epoch: Epoch(7),
        head: Head {
            segment: 1,
            offset: 4096,
            next_seq: 100,
        },
        totals: Tally::default(),
        space: DiskSpace::default(),
        intake: Intake::Open,
        last_received: None,
        undecodable: None,
        last_error: None,
    }
}

fn destination(id: &str) -> DestinationStatus {
    DestinationStatus {
        id: id.to_owned(),
        kind: "http".to_owned(),
        committed: 90,
        backlog: Backlog {
            pending: 10,
            oldest: Some(ago(30)),
            stuck_since: None,
        },
        ..DestinationStatus::default()
    }
}

fn shipper(destinations: Vec<DestinationStatus>) -> ShipperStatus {
    ShipperStatus {
        at: ago(1),
        program: Program::default(),
        instance: "main".to_owned(),
        spool: SPOOL,
        destinations,
    }
}

fn fault(message: &str) -> Fault {
    Fault {
        class: "unavailable".to_owned(),
        at: ago(5),
        message: message.to_owned(),
        hint: String::new(),
    }
}

fn head(next_seq: u64) -> spool::Head {
    spool::Head {
        next_seq,
        ..spool::Head::empty(Epoch(7))
    }
}

fn role_of<S>(life: Life, snapshot: Option<S>) -> RoleView<S> {
    RoleView {
        life,
        snapshot,
        problem: None,
    }
}

/// Both run, and `change` is what is not well.
fn health(change: impl FnOnce(&mut Sources)) -> Health {
    let mut sources = Sources {
        writer: role_of(Life::Running, Some(writer())),
        shipper: role_of(Life::Running, Some(shipper(vec![destination("a")]))),
        cursors: Vec::new(),
        desired: desired::Desired::default(),
        letters: Vec::new(),
        head: None,
        problems: Vec::new(),
    };
    change(&mut sources);
    merge(sources, NOW).health
}

fn alarms(change: impl FnOnce(&mut Sources)) -> Vec<Alarm> {
    match health(change) {
        Health::Green => Vec::new(),
        Health::Red { alarms } => alarms,
    }
}

fn set_destination(sources: &mut Sources, change: impl FnOnce(&mut DestinationStatus)) {
    change(&mut sources.shipper.snapshot.as_mut().unwrap().destinations[0]);
}

/// A snapshot is a second old, or as old as a kill; the head is written with every sync.
#[test]
fn the_sums_are_those_of_the_log_itself() {
    let mut head = head(103);
    (head.totals.received, head.totals.spooled) = (110, 103);
    let sources = Sources {
        writer: role_of(Life::Stopped, Some(writer())),
        shipper: role_of(Life::Stopped, None),
        cursors: Vec::new(),
        desired: desired::Desired::default(),
        letters: Vec::new(),
        head: Some(head),
        problems: Vec::new(),
    };
    let status = merge(sources, NOW);
    let totals = status.writer.snapshot.expect("a snapshot").totals;
    assert_eq!((totals.received, totals.spooled), (110, 103));
}

#[test]
fn green_when_things_move_and_when_somebody_paused_them() {
    assert_eq!(health(|_| {}), Health::Green);
    let stuck = |status: &mut DestinationStatus| status.backlog.stuck_since = Some(ago(1000));
    assert_eq!(
        health(|sources| set_destination(sources, |status| {
            stuck(status);
            status.activity = Activity::Paused;
        })),
        Health::Green
    );
    assert_eq!(
        health(|sources| set_destination(sources, |status| status.backlog.stuck_since = Some(ago(120)))),
        Health::Green,
        "not yet"
    );
    assert_eq!(
        health(|sources| set_destination(sources, |status| {
            stuck(status);
            status.backlog.pending = 0;
        })),
        Health::Green,
        "nothing to send"
    );
    // Nothing runs, and nothing waits.
    assert_eq!(
        health(|sources| {
            sources.shipper = role_of(Life::Stopped, None);
            sources.writer.life = Life::Stopped;
        }),
        Health::Green
    );
}

#[test]
fn red_when_nothing_moves() {
    let found = alarms(|sources| {
        set_destination(sources, |status| {
            status.backlog.stuck_since = Some(ago(121));
            status.last_error = Some(fault("connection refused"));
            status.activity = Activity::Active;
        });
    });
    let expected = Alarm::Stuck {
        destination: "a".to_owned(),
        since: ago(121),
        reason: "connection refused".to_owned(),
    };
    assert_eq!(found, [expected]);
    let found = alarms(|sources| {
        set_destination(sources, |status| {
            status.backlog.stuck_since = Some(ago(121));
            let reason = "503".to_owned();
            status.activity = Activity::BackingOff {
                until: ago(-9),
                reason,
            };
        });
    });
    assert!(
        matches!(&found[..], [Alarm::Stuck { reason, .. }] if reason == "503"),
        "{found:?}"
    );
    let found = alarms(|sources| {
        sources.shipper.life = Life::Stopped;
    });
    assert_eq!(found, [Alarm::NoShipper { pending: 10 }]);
    assert!(
        found[0]
            .to_string()
            .contains("10 records wait and no shipper runs")
    );
}

#[test]
fn red_when_records_wait_for_what_is_no_longer_configured() {
    let found = |settled| {
        alarms(|sources| {
            let peek = cursor::Peek {
                destination: "old".to_owned(),
                spool: SPOOL,
                state: cursor::State::starting_at(settled),
            };
            sources.cursors.push(("old".to_owned(), Ok(peek)));
            sources.head = Some(head(10));
        })
    };
    let expected = Alarm::Unconfigured {
        destination: "old".to_owned(),
        pending: 6,
    };
    assert_eq!(found(4), [expected]);
    assert_eq!(found(10), []);
}

#[test]
fn red_when_held_full_undecodable_or_silent() {
    let hold = Activity::Held {
        kind: HoldKind::Auth,
        since: ago(3),
        reason: "403: renew the token".to_owned(),
    };
    let found = alarms(|sources| set_destination(sources, |status| status.activity = hold));
    assert_eq!(found[0].to_string(), "a is held: 403: renew the token");
    let found = alarms(|sources| {
        let reason = "no space left".to_owned();
        sources.writer.snapshot.as_mut().unwrap().intake = Intake::Refusing {
            since: ago(9),
            reason,
        };
    });
    assert!(matches!(&found[..], [Alarm::SpoolFull { .. }]), "{found:?}");
    let found = alarms(|sources| {
        sources.writer.snapshot.as_mut().unwrap().undecodable = Some(fault("not msgpack"));
    });
    assert!(matches!(&found[..], [Alarm::Undecodable { .. }]), "{found:?}");
    for (age, silent) in [(30, false), (31, true)] {
        let found = alarms(|sources| sources.writer.snapshot.as_mut().unwrap().at = ago(age));
        let expected = Alarm::Silent {
            role: Role::Writer,
            since: Some(ago(age)),
        };
        assert_eq!(found == [expected], silent, "{age}: {found:?}");
    }
    let found = alarms(|sources| sources.shipper.snapshot = None);
    assert_eq!(
        found,
        [Alarm::Silent {
            role: Role::Shipper,
            since: None
        }]
    );
    // A writer that is gone cannot be full.
    let found = alarms(|sources| {
        sources.writer.life = Life::Stopped;
        sources.writer.snapshot.as_mut().unwrap().undecodable = Some(fault("not msgpack"));
    });
    assert_eq!(found, []);
}

#[test]
fn alive_is_who_holds_the_lock_not_who_wrote_a_file() {
    let storage = SimStorage::new();
    publish(&storage, &writer()).unwrap();
    publish(&storage, &shipper(vec![])).unwrap();
    let life = |storage: &SimStorage| {
        let status = read(storage, NOW, None);
        (status.writer.life, status.shipper.life)
    };
    assert_eq!(life(&storage), (Life::Stopped, Life::Stopped));
    let held = storage.try_lock(WRITER_LOCK).unwrap();
    assert_eq!(life(&storage), (Life::Running, Life::Stopped));
    let shipper = storage.try_lock(SHIPPER_LOCK).unwrap();
    assert_eq!(life(&storage), (Life::Running, Life::Running));
    drop((held, shipper));
    assert_eq!(life(&storage), (Life::Stopped, Life::Stopped));
}

#[test]
fn without_a_shipper_the_cursors_are_asked() {
    let storage = SimStorage::new();
    publish(&storage, &writer()).unwrap();
    let mut stale = destination("known");
    stale.in_flight = 3;
    stale.backlog.stuck_since = Some(ago(500));
    publish(&storage, &shipper(vec![stale])).unwrap();
    for id in ["known", "unnamed"] {
        let mut cursor = Cursor::open_or_create(Arc::new(storage.clone()), id, SPOOL, 20).unwrap();
        let mut state = cursor.state().clone();
        state.pass(30, Disposition::Delivered).unwrap();
        state.entries.push(Entry::new(50, 4, NOW));
        state.entries[0].settled.settle(1, Disposition::Filtered);
        state.desired = 1;
        state.hold =
            (id == "unnamed").then(|| Hold::new(HoldKind::Config, "no such bucket", ago(9), [0; 16]));
        cursor.commit(state).unwrap();
    }
    desired::set(&storage, "known", DesiredState::Inactive, NOW).unwrap();
    let letter = DeadLetter {
        id: RecordId {
            spool: SPOOL,
            epoch: Epoch(1),
            seq: 2,
        },
        key: Key([0; 16]),
        time: NOW,
        code: String::new(),
        reason: String::new(),
        at: NOW,
        attempts: 1,
        record: b"{}".to_vec(),
    };
    dead_letter::put(&storage, "known", &letter).unwrap();
    let status = read(&storage, NOW, None);
    let [known, unnamed] = &status.destinations[..] else {
        panic!("{:?}", status.destinations);
    };
    assert_eq!(
        (known.status.id.as_str(), known.status.kind.as_str()),
        ("known", "http")
    );
    assert_eq!(known.status.activity, Activity::Paused);
    assert!(known.is_applied());
    assert_eq!(
        (known.status.committed, known.pending(), known.status.in_flight),
        (50, 49, 0)
    );
    assert_eq!(known.status.dead_letters.count, 1);
    let expected = Counts {
        skipped_before_start: 20,
        delivered: 30,
        filtered: 1,
        ..Counts::default()
    };
    assert_eq!(known.status.counts, expected);
    assert!(matches!(&unnamed.status.activity, Activity::Held { reason, .. } if reason == "no such bucket"));
    // The log itself knows better than the last snapshot.
    assert_eq!(
        read(&storage, NOW, Some(head(200))).destinations[0].pending(),
        149
    );
    assert!(
        matches!(&status.health, Health::Red { alarms } if alarms.len() == 2),
        "{:?}",
        status.health
    );
}

#[test]
fn a_running_shipper_is_believed() {
    let storage = SimStorage::new();
    let _held = storage.try_lock(SHIPPER_LOCK).unwrap();
    Cursor::open_or_create(Arc::new(storage.clone()), "a", SPOOL, 5).unwrap();
    publish(&storage, &shipper(vec![destination("a")])).unwrap();
    desired::set(&storage, "a", DesiredState::Inactive, NOW).unwrap();
    let status = read(&storage, NOW, Some(head(100)));
    let view = &status.destinations[0];
    assert_eq!((view.status.committed, view.seen_by), (90, Vantage::Shipper));
    assert_eq!(view.status.activity, Activity::Active, "not applied yet");
    assert!(!view.is_applied());
    assert_eq!(view.oldest_undelivered_seconds, Some(30));
}

#[test]
fn junk_in_any_file_is_said_and_nothing_else_is_lost() {
    let storage = SimStorage::new();
    publish(&storage, &writer()).unwrap();
    publish(&storage, &shipper(vec![destination("a")])).unwrap();
    Cursor::open_or_create(Arc::new(storage.clone()), "b", SPOOL, 0).unwrap();
    let junk = |path: &str| {
        let file = storage
            .open(path, Access::ReadWrite)
            .or_else(|_| storage.create_new(path))
            .unwrap();
        file.set_len(0).unwrap();
        file.write_at(0, b"{\"version\":1").unwrap();
    };
    for (number, path) in [SHIPPER_FILE, "control/desired.json", "cursors/b.cur"]
        .into_iter()
        .enumerate()
    {
        junk(path);
        let status = read(&storage, NOW, None);
        assert_eq!(status.problems.len(), number + 1, "{:?}", status.problems);
        assert!(
            status.problems.iter().any(|problem| problem.contains(path)),
            "{:?}",
            status.problems
        );
        assert!(status.writer.snapshot.is_some());
    }
}

/// A power cut may leave an empty snapshot, never one that reads as something else; a kill leaves the one before.
#[test]
fn a_snapshot_is_whole_or_no_snapshot() {
    for cut in 0..8 {
        let storage = SimStorage::new();
        publish(&storage, &writer()).unwrap();
        storage.fail_after_changes(cut);
        let next = WriterStatus { at: NOW, ..writer() };
        let _ = publish(&storage, &next);
        let after_kill = read(&storage.crash(Crash::Kill, 0), NOW, None)
            .writer
            .snapshot
            .unwrap();
        assert!(after_kill == writer() || after_kill == next);
        for crash in Crash::ALL {
            for seed in 0..6 {
                let left = storage.crash(crash, seed);
                if let Some(found) = read(&left, NOW, None).writer.snapshot {
                    assert!(found == writer() || found == next);
                }
                publish(&left, &next).unwrap();
                assert_eq!(read(&left, NOW, None).writer.snapshot, Some(next.clone()));
            }
        }
    }
}

#[test]
fn versions_understand_each_other() {
    let storage = SimStorage::new();
    storage.create_dir("control").unwrap();
    let sparse = r#"{"version":1,"at":"2026-01-01T00:00:00Z","instance":"main","new":{"a":1},
        "spool":"abababababababababababababababab",
        "destinations":[{"id":"a","activity":{"state":"paused","why":"?"},"counts":{"delivered":3,"enchanted":4}}]}"#;
    storage
        .create_new(SHIPPER_FILE)
        .unwrap()
        .write_at(0, sparse.as_bytes())
        .unwrap();
    let status = read(&storage, NOW, None);
    assert!(status.problems.is_empty(), "{:?}", status.problems);
    assert_eq!(status.destinations[0].status.counts.delivered, 3);
    let _ = storage.remove(SHIPPER_FILE);
    let newer = sparse.replace("\"version\":1", "\"version\":9");
    storage
        .create_new(SHIPPER_FILE)
        .unwrap()
        .write_at(0, newer.as_bytes())
        .unwrap();
    let status = read(&storage, NOW, None);
    assert!(status.problems[0].contains("format 9"), "{:?}", status.problems);
}

#[test]
fn the_json_form_has_what_a_monitor_asks_for() {
    let storage = SimStorage::new();
    let _held = (
        storage.try_lock(WRITER_LOCK).unwrap(),
        storage.try_lock(SHIPPER_LOCK).unwrap(),
    );
    publish(&storage, &writer()).unwrap();
    let mut held = destination("a");
    held.activity = Activity::Held {
        kind: HoldKind::Auth,
        since: ago(3),
        reason: "renew".to_owned(),
    };
    publish(&storage, &shipper(vec![held])).unwrap();
    let json = serde_json::to_value(read(&storage, NOW, None)).unwrap();
    let at = |pointer: &str| {
        json.pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} in {json:#}"))
            .clone()
    };
    assert_eq!(at("/health/colour"), "red");
    assert_eq!(at("/health/alarms/0/alarm"), "held");
    assert_eq!(at("/writer/life"), "running");
    assert_eq!(at("/writer/snapshot/epoch"), "0000000000000007");
    assert_eq!(at("/writer/snapshot/head/next_seq"), 100);
    assert_eq!(at("/writer/snapshot/intake/state"), "open");
    assert_eq!(at("/destinations/0/activity/state"), "held");
    assert_eq!(at("/destinations/0/activity/kind"), "auth");
    assert_eq!(at("/destinations/0/backlog/pending"), 10);
    assert_eq!(at("/destinations/0/oldest_undelivered_seconds"), 30);
    assert_eq!(at("/destinations/0/seen_by"), "shipper");
}
