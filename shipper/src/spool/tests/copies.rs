//! What tells a spool from a copy of it, and that a copy is counted whatever fails.

use super::super::cursor;
use super::super::format::Meta;
use super::super::meta;
use super::super::storage::fs::FsStorage;
use super::super::storage::sim::Crash;
use super::super::{Evidence, Provenance, provenance};
use super::*;

const OTHER_MACHINE: &[u8] = b"machine-2";

fn copied(copies: u64, evidence: Evidence) -> Provenance {
    Provenance {
        copies,
        evidence: Some(evidence),
    }
}

fn known(rig: &Rig) -> Provenance {
    provenance(&rig.disk, &rig.options.machine_id).unwrap()
}

/// As after `cp -a`.
fn copy_of(rig: &Rig) -> Rig {
    Rig {
        disk: rig.disk.copy(),
        ..rig.crashed(Crash::Kill, 11)
    }
}

#[test]
fn a_copy_on_another_machine_is_told_once() {
    let mut rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    let (spool, epoch) = (feed.writer.spool_id(), feed.epoch());
    drop(feed);
    rig.options.machine_id = OTHER_MACHINE.to_vec();
    let (feed, report) = rig.try_open().unwrap();
    assert_eq!(report.copied, Some(Evidence::OtherMachine));
    assert_eq!(report.spool, spool);
    assert_ne!(report.epoch, epoch);
    drop(feed);
    let notes = rig.read_all().notes;
    assert!(
        notes.iter().any(|note| note.contains("another machine")),
        "{notes:?}"
    );
    assert_eq!(rig.try_open().unwrap().1.copied, None);
    assert_eq!(known(&rig), copied(1, Evidence::OtherMachine));
}

#[test]
fn a_copy_on_the_same_machine_is_told_and_the_original_is_not() {
    let rig = Rig::new();
    rig.open().put_and_sync(&event("a"));
    let copy = copy_of(&rig);
    assert_eq!(rig.try_open().unwrap().1.copied, None);
    assert_eq!(known(&rig), Provenance::default());
    assert_eq!(copy.try_open().unwrap().1.copied, Some(Evidence::OtherFile));
    assert_eq!(copy.try_open().unwrap().1.copied, None);
    // A copy of the copy is one more.
    let second = copy_of(&copy);
    assert_eq!(
        known(&second),
        copied(2, Evidence::OtherFile),
        "before it was opened"
    );
    drop(second.open());
    assert_eq!(known(&second), copied(2, Evidence::OtherFile));
    assert_eq!(known(&copy), copied(1, Evidence::OtherFile));
}

#[test]
fn a_directory_copied_by_cp_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("spool"), folder.path().join("copy"));
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(&from).unwrap());
    let rig = Rig::new();
    let open = |storage: &Arc<dyn Storage>| {
        let (clock, random) = (rig.clock.clone(), rig.random.clone());
        let opened = Writer::open(Arc::clone(storage), rig.options.clone(), clock, random);
        opened.unwrap().1.copied
    };
    assert_eq!((open(&storage), open(&storage)), (None, None));
    let done = std::process::Command::new("cp")
        .arg("-a")
        .args([&from, &to])
        .status();
    assert!(done.unwrap().success());
    let copy: Arc<dyn Storage> = Arc::new(FsStorage::open(&to).unwrap());
    assert_eq!((open(&copy), open(&copy)), (Some(Evidence::OtherFile), None));
    assert_eq!(open(&storage), None);
    // Moved to another name it is what it was.
    let moved = folder.path().join("moved");
    std::fs::rename(&from, &moved).unwrap();
    assert_eq!(
        open(&(Arc::new(FsStorage::open(&moved).unwrap()) as Arc<dyn Storage>)),
        None
    );
}

#[test]
fn a_meta_without_a_home_is_accepted_and_completed() {
    let rig = Rig::new();
    drop(rig.open());
    let older = || {
        let meta = Meta::decode(&rig.bytes(meta::PATH)).unwrap();
        let mut bytes = Vec::new();
        Meta { home: None, ..meta }.encode(&mut bytes);
        super::super::storage::write_atomic(&rig.disk, meta::PATH, &bytes).unwrap();
        bytes.len()
    };
    let len = older();
    assert_eq!(meta::settle(&rig.disk, MACHINE), Ok(Provenance::default()));
    assert_eq!(rig.bytes(meta::PATH).len(), len, "whoever ships leaves it alone");
    assert_eq!(rig.try_open().unwrap().1.copied, None);
    assert!(rig.bytes(meta::PATH).len() > len);
    assert_eq!(
        copy_of(&rig).try_open().unwrap().1.copied,
        Some(Evidence::OtherFile)
    );
    older();
    assert_eq!(
        provenance(&rig.disk, OTHER_MACHINE),
        Ok(copied(1, Evidence::OtherMachine))
    );
}

#[test]
fn whoever_ships_first_counts_a_copy_too() {
    let rig = Rig::new();
    drop(rig.open());
    let copy = copy_of(&rig);
    assert_eq!(
        meta::settle(&copy.disk, MACHINE),
        Ok(copied(1, Evidence::OtherFile))
    );
    assert_eq!(
        meta::settle(&copy.disk, MACHINE),
        Ok(copied(1, Evidence::OtherFile))
    );
    assert_eq!(copy.try_open().unwrap().1.copied, None);
    assert_eq!(known(&copy_of(&copy)), copied(2, Evidence::OtherFile));
    // A disk that takes nothing: it is found, and found again.
    let copy = copy_of(&rig);
    copy.disk.fail_after_changes(0);
    assert_eq!(
        meta::settle(&copy.disk, MACHINE),
        Ok(copied(1, Evidence::OtherFile))
    );
    copy.disk.heal();
    assert_eq!(copy.try_open().unwrap().1.copied, Some(Evidence::OtherFile));
}

#[test]
fn a_lost_meta_forgets_no_copy_that_was_let_send() {
    let rig = Rig::new();
    let feed = rig.open();
    let mut cursor = Cursor::open_or_create(rig.storage(), "a", feed.writer.spool_id(), 0).unwrap();
    let state = State {
        copy: 4,
        ..cursor.state().clone()
    };
    cursor.commit(state).unwrap();
    drop(feed);
    rig.disk.remove(meta::PATH).unwrap();
    assert_eq!(known(&rig).copies, 4);
    assert!(rig.try_open().unwrap().1.meta_restored.is_some());
    assert_eq!(known(&rig).copies, 4);
    assert_eq!(known(&copy_of(&rig)).copies, 5);
}

/// Killed at every change of the disk, under every kind of crash, by either of the two: at the next opening the copy is
/// counted, and no cursor was let send.
#[test]
fn a_copy_is_counted_wherever_its_first_opening_is_cut() {
    let rig = Rig::new();
    let mut feed = rig.open();
    feed.put_and_sync(&event("a"));
    rig.commit_cursor(&feed, "a", 1);
    drop(feed);
    let first_opening = |copy: &Rig, ships: bool| {
        if ships {
            let _ = meta::settle(&copy.disk, MACHINE);
        }
        drop(copy.try_open());
    };
    let mut cuts = 0;
    for ships in [false, true] {
        for changes in 0.. {
            let copy = copy_of(&rig);
            copy.disk.fail_after_changes(changes);
            first_opening(&copy, ships);
            let is_over = !copy.disk.is_dead();
            for crash in Crash::ALL {
                for seed in 0..if crash.is_random() { 5 } else { 1 } {
                    let left = copy.crashed(crash, seed);
                    assert_eq!(known(&left).copies, 1, "{changes} {crash:?} {seed}");
                    first_opening(&left, ships);
                    assert_eq!(
                        known(&left),
                        copied(1, Evidence::OtherFile),
                        "{changes} {crash:?} {seed}"
                    );
                    let cursor = cursor::peek(&left.disk, "a").unwrap().unwrap();
                    assert_eq!(cursor.state.copy, 0);
                    cuts += 1;
                }
            }
            if is_over {
                break;
            }
        }
    }
    assert!(cuts > 200, "{cuts}");
}
