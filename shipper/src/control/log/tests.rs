use std::io::ErrorKind;
use std::time::Duration;

use super::*;
use crate::spool::storage::fs::FsStorage;
use crate::spool::storage::read_small;
use crate::spool::storage::sim::{Op, SimStorage};
use crate::time::{ManualClock, Timestamp};

fn log() -> (Log, SimStorage, Arc<ManualClock>) {
    let storage = SimStorage::new();
    let clock = Arc::new(ManualClock::at(Timestamp(1_767_225_600_000_000_000)));
    let log = Log::new(Arc::new(storage.clone()), Arc::clone(&clock) as Arc<dyn Clock>);
    (log, storage, clock)
}

fn text(storage: &dyn Storage, path: &str) -> String {
    String::from_utf8(read_small(storage, path, 2 << 20).unwrap().unwrap_or_default()).unwrap()
}

/// What follows the thread's name, of each line.
fn messages(storage: &dyn Storage) -> Vec<String> {
    let after_thread = |line: &str| line.splitn(4, ' ').nth(3).unwrap().to_owned();
    text(storage, FILE).lines().map(after_thread).collect()
}

#[test]
fn a_line_has_time_level_thread_message_and_fields() {
    let (log, storage, _) = log();
    let logging = std::thread::Builder::new().name("aship-lane main".to_owned());
    let handle =
        logging.spawn(move || log.warn("batch refused", &[("destination", &"s3-eu"), ("status", &403)]));
    handle.unwrap().join().unwrap();
    assert_eq!(
        text(&storage, FILE),
        "2026-01-01T00:00:00.000000000Z WARN aship-lane_main batch refused destination=s3-eu status=403\n"
    );
}

#[test]
fn one_message_is_one_line_whatever_is_in_it() {
    let (log, storage, _) = log();
    log.info(
        "a\nb",
        &[
            ("reason", &"two\nlines \"quoted\" \\ \u{1b}[31m\u{2028}"),
            ("empty", &""),
            ("pair", &"a=b"),
        ],
    );
    let expected = r#"a\nb reason="two\nlines \"quoted\" \\ \u{1b}[31m\u{2028}" empty="" pair="a=b""#;
    assert_eq!(messages(&storage), [expected]);
    log.error("long", &[("body", &"ä".repeat(10_000))]);
    let text = text(&storage, FILE);
    let long = text.lines().nth(1).unwrap();
    assert!(long.ends_with("ä…") && long.len() < line::MAX_LEN && long.len() > line::MAX_LEN - 8);
}

#[test]
fn two_files_of_a_mebibyte_at_most() {
    let (log, storage, _) = log();
    let filler = "x".repeat(4000);
    for number in 0..600 {
        log.info("filling up", &[("number", &number), ("filler", &filler)]);
    }
    let (new, old) = (text(&storage, FILE), text(&storage, OLD_FILE));
    assert!(new.len() as u64 <= MAX_LEN && old.len() as u64 <= MAX_LEN);
    assert!(old.len() as u64 > MAX_LEN - 5000);
    let numbers: Vec<u32> = (old + &new)
        .lines()
        .map(|line| {
            line.split("number=")
                .nth(1)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "no line is lost in between"
    );
    assert_eq!(numbers.last(), Some(&599));
    assert_eq!(log.lost(), 0);
}

#[test]
fn a_file_that_someone_took_away_is_made_again() {
    let (log, storage, _) = log();
    log.info("one", &[]);
    storage.rename(FILE, "elsewhere").unwrap();
    log.info("two", &[]);
    assert_eq!(messages(&storage), ["two"]);
}

#[test]
fn once_a_minute_for_each_kind() {
    let (log, storage, clock) = log();
    let say = |kind: &str| log.once_a_minute(kind, Level::Error, "spool full", &[("kind", &kind)]);
    for _ in 0..3 {
        say("full");
        say("auth main");
    }
    clock.advance(Duration::from_secs(59));
    // The wall clock may jump either way; only the other one counts.
    clock.set_wall(Timestamp(0));
    say("full");
    assert_eq!(messages(&storage).len(), 2);
    clock.advance(Duration::from_secs(1));
    say("full");
    say("full");
    say("auth main");
    let expected = [
        "spool full kind=full",
        r#"spool full kind="auth main""#,
        "spool full kind=full suppressed=3",
        r#"spool full kind="auth main" suppressed=2"#,
    ];
    assert_eq!(messages(&storage), expected);
}

#[test]
fn the_kinds_that_are_remembered_are_bounded() {
    let mut limiter = Limiter::default();
    let at = |second: u64| crate::time::Monotonic(second * 1_000_000);
    for number in 0..limit::MAX_KINDS as u64 {
        assert_eq!(
            limiter.rule(&number.to_string(), at(number)),
            Ruling::Say { suppressed: 0 }
        );
    }
    assert_eq!(limiter.rule("one more", at(1000)), Ruling::Say { suppressed: 0 });
    assert_eq!(limiter.rule("1", at(1000)), Ruling::Suppress, "still remembered");
    assert_eq!(
        limiter.rule("0", at(1000)),
        Ruling::Say { suppressed: 0 },
        "the oldest was forgotten"
    );
}

#[test]
fn what_cannot_be_written_is_counted_and_said_later() {
    let (log, storage, _) = log();
    log.info("before", &[]);
    storage.set_budget(Some(0));
    storage.fail_when(|call| (call.op == Op::WriteAt).then_some(ErrorKind::StorageFull));
    log.info("lost", &[]);
    log.info("lost too", &[]);
    assert_eq!(log.lost(), 2);
    storage.heal();
    storage.set_budget(None);
    log.info("after", &[]);
    log.info("as ever", &[]);
    let text = text(&storage, FILE);
    assert!(text.contains(" after lines_lost_before=2\n"), "{text}");
    assert!(text.ends_with(" as ever\n"), "{text}");
    assert_eq!(log.lost(), 2);
}

#[test]
fn a_line_that_was_cut_by_a_full_disk_does_not_run_into_the_next() {
    let (log, storage, _) = log();
    log.info("before", &[]);
    let mut armed = true;
    // The simulated disk writes the first half of a write that fails.
    storage.fail_when(move |call| {
        let fails = call.op == Op::WriteAt && std::mem::take(&mut armed);
        fails.then_some(ErrorKind::StorageFull)
    });
    log.info("cut", &[]);
    log.info("after", &[]);
    let text = text(&storage, FILE);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[2].starts_with("2026-") && lines[2].ends_with(" after lines_lost_before=1"),
        "{text}"
    );
}

#[test]
fn no_failing_call_stops_the_next_line() {
    let (clean, storage, _) = log();
    for _ in 0..4 {
        clean.info("line", &[]);
    }
    let calls = storage.calls();
    for failing in 1..=calls {
        let (log, storage, _) = log();
        storage.fail_call(failing, ErrorKind::Other);
        for _ in 0..4 {
            log.info("line", &[]);
        }
        let written = text(&storage, FILE).matches(" line").count() as u64;
        assert!(
            written + log.lost() >= 4 && written >= 3,
            "call {failing}: {written} written"
        );
    }
}

#[test]
fn a_lock_that_is_held_costs_a_line_and_no_time() {
    let (log, storage, _) = log();
    log.info("before", &[]);
    let held = storage.try_lock(LOCK).unwrap().unwrap();
    log.info("lost", &[]);
    assert_eq!(log.lost(), 1);
    drop(held);
    log.info("after", &[]);
    assert_eq!(messages(&storage), ["before", "after lines_lost_before=1"]);
}

#[test]
fn threads_and_handles_do_not_write_over_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(folder.path()).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp(0)));
    // Two logs, as of two processes, each used by two threads.
    let logs = [0, 1].map(|_| Log::new(Arc::clone(&storage), Arc::clone(&clock)));
    std::thread::scope(|scope| {
        for (writer, log) in logs.iter().cycle().take(4).enumerate() {
            scope.spawn(move || {
                for number in 0..100 {
                    log.info("line", &[("writer", &writer), ("number", &number)]);
                }
            });
        }
    });
    let text = text(&*storage, FILE);
    let lost: u64 = logs.iter().map(Log::lost).sum();
    assert_eq!(text.lines().count() as u64 + lost, 400);
    assert!(
        text.lines()
            .all(|line| line.starts_with("1970-") && line.contains(" line writer=")),
        "{text}"
    );
    let unique: std::collections::BTreeSet<&str> = text.lines().collect();
    assert_eq!(unique.len(), text.lines().count());
}
