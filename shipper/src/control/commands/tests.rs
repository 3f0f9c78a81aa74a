use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use super::*;
use crate::control::WRITER_LOCK;
use crate::random::{OsRandom, SeededRandom};
use crate::spool::identity::Epoch;
use crate::spool::storage::fs::FsStorage;
use crate::spool::storage::read_small;
use crate::spool::storage::sim::{Crash, SimStorage};

const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);

fn release(destination: &str) -> Command {
    Command::Release {
        destination: destination.to_owned(),
        copy: 0,
    }
}

fn done(message: &str) -> Outcome {
    Outcome::Done {
        message: message.to_owned(),
    }
}

fn give(storage: &dyn Storage, random: &dyn Random, command: &Command) -> Ticket {
    submit(storage, random, NOW, "tester", command).unwrap()
}

#[test]
fn a_command_is_a_file_that_says_what_it_means() {
    let storage = SimStorage::new();
    let random = SeededRandom::new(1);
    let which = Letters::These(vec![LetterId {
        epoch: Epoch(0x1f),
        seq: 42,
    }]);
    let command = Command::DeadLetterRetry {
        destination: "s3-eu".to_owned(),
        which,
    };
    let ticket = give(&storage, &random, &command);
    assert_eq!(ticket.number, 1);
    let text = read_small(&storage, "control/commands/00000000000000000001.json", 1 << 20);
    let expected = format!(
        r#"{{
  "version": 1,
  "nonce": "{:016x}",
  "at": "2026-01-01T00:00:00.000000000Z",
  "by": "tester",
  "role": "shipper",
  "command": {{
    "do": "dead_letter_retry",
    "destination": "s3-eu",
    "which": {{
      "these": [
        {{
          "epoch": "000000000000001f",
          "seq": 42
        }}
      ]
    }}
  }}
}}
"#,
        ticket.nonce
    );
    assert_eq!(String::from_utf8(text.unwrap().unwrap()).unwrap(), expected);
    assert_eq!(
        storage.list(COMMANDS).unwrap().len(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn every_command_comes_to_its_role_as_it_was_given() {
    let storage = SimStorage::new();
    let random = SeededRandom::new(2);
    let destination = "d".to_owned();
    let place = BlockPlace {
        segment: 1,
        offset: 2,
    };
    let shipper = [
        Command::DeadLetterRetry {
            destination: destination.clone(),
            which: Letters::All,
        },
        Command::DeadLetterDiscard {
            destination: destination.clone(),
            which: Letters::All,
            reason: "known".into(),
        },
        release("d"),
        Command::Remove {
            destination: destination.clone(),
        },
        Command::Replay {
            destination,
            from: 1,
            to: 2,
        },
    ];
    let writer = [
        Command::QuarantineRetry {
            which: QuarantinedBlocks::These(vec![place]),
        },
        Command::QuarantineRetry {
            which: QuarantinedBlocks::All,
        },
        Command::QuarantineDiscard {
            which: QuarantinedBlocks::All,
        },
        Command::Reclaim,
        Command::Note {
            text: "so it is".to_owned(),
        },
    ];
    for command in shipper.iter().chain(&writer) {
        give(&storage, &random, command);
    }
    let given = |role| {
        due(&storage, role, NOW)
            .unwrap()
            .into_iter()
            .map(|due| due.command)
            .collect::<Vec<_>>()
    };
    assert_eq!(given(Role::Shipper), shipper);
    assert_eq!(given(Role::Writer), writer);
    assert!(shipper.iter().all(|command| command.destination() == Some("d")));
    assert_eq!(Role::Writer.lock(), WRITER_LOCK);
}

#[test]
fn an_answered_command_is_not_given_out_again() {
    let storage = SimStorage::new();
    let random = SeededRandom::new(3);
    let first = give(&storage, &random, &release("a"));
    let second = give(&storage, &random, &release("b"));
    assert_eq!(answer_to(&storage, &first), Ok(None));
    answer(&storage, &second, NOW, done("released")).unwrap();
    let left: Vec<Ticket> = due(&storage, Role::Shipper, NOW)
        .unwrap()
        .iter()
        .map(|due| due.ticket)
        .collect();
    assert_eq!(left, [first]);
    assert_eq!(answer_to(&storage, &second), Ok(Some(done("released"))));
    // Nobody takes the answer to another command for its own.
    let stranger = Ticket { nonce: 1, ..second };
    assert_eq!(answer_to(&storage, &stranger), Ok(None));
}

#[test]
fn what_is_no_command_is_refused_with_the_reason() {
    let storage = SimStorage::new();
    let random = SeededRandom::new(4);
    let good = give(&storage, &random, &release("a"));
    let text = String::from_utf8(
        read_small(&storage, &path(COMMANDS, 1), 1 << 20)
            .unwrap()
            .unwrap(),
    )
    .unwrap();
    let put = |number: u64, content: &str| {
        storage
            .create_new(&path(COMMANDS, number))
            .unwrap()
            .write_at(0, content.as_bytes())
            .unwrap();
    };
    put(2, "junk");
    put(3, &text.replace("\"release\"", "\"dance\""));
    put(4, &text.replace("\"version\": 1", "\"version\": 2"));
    put(
        5,
        &text
            .replace("\"version\": 1", "\"version\": 2")
            .replace("shipper", "captain"),
    );
    // Of the other role, and newer than this version knows: none of our business.
    put(
        6,
        &text
            .replace("\"release\"", "\"dance\"")
            .replace("shipper", "writer"),
    );
    storage.create_new(&format!("{COMMANDS}/7.json")).unwrap();
    storage.create_dir(&path(COMMANDS, 8)).unwrap();
    let due_now = due(&storage, Role::Shipper, NOW).unwrap();
    assert_eq!(due_now.iter().map(|due| due.ticket).collect::<Vec<_>>(), [good]);
    let refused = |number: u64, nonce: u64| match answer_to(&storage, &Ticket { number, nonce }) {
        Ok(Some(Outcome::Refused { message })) => message,
        other => panic!("{number}: {other:?}"),
    };
    assert!(refused(2, 0).contains("is not a control file of auditship"));
    assert!(refused(3, good.nonce).contains("dance"), "the asker gets to know");
    assert!(refused(4, 0).contains("format 2"));
    assert!(refused(5, 0).contains("format 2"));
    assert!(!numbers(&storage, ANSWERS).unwrap().contains(&6));
}

#[test]
fn old_answers_go_and_their_numbers_do_not_come_back() {
    let storage = SimStorage::new();
    let random = SeededRandom::new(5);
    let count = KEEP as u64 + 20;
    for number in 1..=count {
        let ticket = give(&storage, &random, &release("a"));
        assert_eq!(ticket.number, number);
        answer(&storage, &ticket, NOW, done("")).unwrap();
    }
    let kept: BTreeSet<u64> = (21..=count).collect();
    assert_eq!(numbers(&storage, ANSWERS).unwrap(), kept);
    assert_eq!(numbers(&storage, COMMANDS).unwrap(), kept);
    assert_eq!(due(&storage, Role::Shipper, NOW), Ok(Vec::new()));
}

#[test]
fn commands_that_nobody_does_are_bounded() {
    let storage = SimStorage::new();
    let random = SeededRandom::new(6);
    super::super::prepare(&storage).unwrap();
    for number in 1..MAX_WAITING as u64 {
        storage.create_new(&path(COMMANDS, number)).unwrap();
    }
    give(&storage, &random, &release("a"));
    let refused = submit(&storage, &random, NOW, "tester", &release("a"));
    assert_eq!(refused, Err(ControlError::TooMany { waiting: MAX_WAITING }));
}

/// Done once, whatever the cut: what was given stays given, what was answered stays answered, also while old ones go.
#[test]
fn no_crash_gives_out_a_command_that_was_answered() {
    for cut in 0..40 {
        let storage = SimStorage::new();
        let random = SeededRandom::new(7);
        let old: Vec<Ticket> = (0..3).map(|_| give(&storage, &random, &release("a"))).collect();
        for ticket in &old {
            answer(&storage, ticket, NOW, done("old")).unwrap();
        }
        storage.fail_after_changes(cut);
        let given = submit(&storage, &random, NOW, "tester", &release("b"));
        let answered = given
            .clone()
            .and_then(|ticket| answer(&storage, &ticket, NOW, done("new")));
        let pruned = prune(&storage, 1);
        for crash in Crash::ALL {
            for seed in 0..8 {
                let left = storage.crash(crash, seed);
                let due = due(&left, Role::Shipper, NOW).unwrap();
                assert!(
                    due.iter().all(|due| due.command == release("b")),
                    "cut {cut} {crash:?}: {due:?}"
                );
                match (&given, &answered) {
                    (Ok(ticket), Ok(())) => {
                        assert!(due.is_empty());
                        assert_eq!(answer_to(&left, ticket), Ok(Some(done("new"))));
                    }
                    (Ok(ticket), Err(_)) => {
                        let answer = answer_to(&left, ticket).unwrap();
                        assert!(due.iter().any(|due| due.ticket == *ticket) || answer == Some(done("new")));
                    }
                    (Err(_), _) => {}
                }
                let next = give(&left, &SeededRandom::new(8), &release("c"));
                assert!(
                    old.iter().all(|old| old.number < next.number),
                    "a number came back"
                );
            }
        }
        if pruned.is_ok() {
            assert!(cut > 10);
        }
    }
}

fn submit_many(storage: &dyn Storage, by: &str, count: u64) {
    for from in 0..count {
        let destination = by.to_owned();
        let command = Command::Replay {
            destination,
            from,
            to: from + 1,
        };
        submit(storage, &OsRandom::new(), NOW, by, &command).unwrap();
    }
}

/// Checks that each of `givers` gave `count` commands, all of them there, each giver's in its own order.
fn all_are_there(storage: &dyn Storage, givers: usize, count: u64) {
    let mut by_giver: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let due = due(storage, Role::Shipper, NOW).unwrap();
    for one in &due {
        match &one.command {
            Command::Replay { from, .. } => by_giver.entry(one.by.clone()).or_default().push(*from),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(by_giver.len(), givers);
    assert!(
        by_giver
            .values()
            .all(|given| *given == (0..count).collect::<Vec<_>>()),
        "{by_giver:?}"
    );
    let total = givers as u64 * count;
    assert_eq!(numbers(storage, COMMANDS).unwrap(), (1..=total).collect());
}

#[test]
fn threads_that_give_commands_at_once_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for giver in 0..3 {
            let storage = Arc::clone(&storage);
            scope.spawn(move || submit_many(&*storage, &format!("t{giver}"), 20));
        }
    });
    all_are_there(&*storage, 3, 20);
}

const GIVER: &str = "AUDITSHIP_TEST_GIVER";
const FOLDER: &str = "AUDITSHIP_TEST_FOLDER";

/// Not a test of its own: what each process of the next one does.
#[test]
fn a_process_that_gives_commands() {
    if let (Ok(giver), Ok(folder)) = (std::env::var(GIVER), std::env::var(FOLDER)) {
        submit_many(&FsStorage::open(folder).unwrap(), &giver, 20);
    }
}

#[test]
fn processes_that_give_commands_at_once_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::create(folder.path()).unwrap();
    let children: Vec<_> = ["p1", "p2", "p3"]
        .iter()
        .map(|giver| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "control::commands::tests::a_process_that_gives_commands",
                ])
                .env(GIVER, giver)
                .env(FOLDER, folder.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    all_are_there(&storage, 3, 20);
}
