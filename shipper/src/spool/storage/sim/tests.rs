//! Each fault and each kind of crash does what it says, and nothing else.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::*;
use crate::spool::storage::{contract, read_small, write_atomic};

fn put(disk: &SimStorage, path: &str, bytes: &[u8]) -> Arc<dyn StorageFile> {
    let file = disk.create_new(path).unwrap();
    file.write_at(0, bytes).unwrap();
    file
}

fn content(disk: &SimStorage, path: &str) -> Option<Vec<u8>> {
    read_small(disk, path, 1 << 20).unwrap()
}

/// A disk with a durable file `old` (1024 times `o`), of which the second half is now `n` and 1024 more `n` follow,
/// unsynced; and with an unsynced, synced-content file `fresh`.
fn workload() -> SimStorage {
    let disk = SimStorage::new();
    let file = put(&disk, "old", &[b'o'; 1024]);
    file.sync_data().unwrap();
    disk.sync_dir("").unwrap();
    file.write_at(512, &[b'n'; 1536]).unwrap();
    put(&disk, "fresh", b"fresh").sync_data().unwrap();
    disk
}

fn pieces(parts: &[(u8, usize)]) -> Option<Vec<u8>> {
    let parts = parts.iter();
    Some(parts.flat_map(|(byte, times)| vec![*byte; *times]).collect())
}

fn outcomes<T: Ord>(crash: Crash, look: impl Fn(&SimStorage) -> T) -> BTreeSet<T> {
    let disk = workload();
    (0..500).map(|seed| look(&disk.crash(crash, seed))).collect()
}

#[test]
fn the_contract_holds() {
    contract::check_all(&SimStorage::new());
}

#[test]
fn a_kill_keeps_all_and_makes_nothing_durable() {
    let killed = workload().crash(Crash::Kill, 0);
    assert_eq!(content(&killed, "old"), pieces(&[(b'o', 512), (b'n', 1536)]));
    assert!(content(&killed, "fresh").is_some());
    let cut = killed.crash(Crash::NothingUnsynced, 0);
    assert_eq!(content(&cut, "old"), pieces(&[(b'o', 1024)]));
    assert!(content(&cut, "fresh").is_none());
}

#[test]
fn nothing_unsynced_loses_even_synced_data_without_a_name() {
    let cut = workload().crash(Crash::NothingUnsynced, 0);
    assert_eq!(content(&cut, "old"), pieces(&[(b'o', 1024)]));
    assert_eq!(content(&cut, "fresh"), None);
}

#[test]
fn everything_is_durable_after_everything() {
    let cut = workload().crash(Crash::Everything, 0);
    let again = cut.crash(Crash::NothingUnsynced, 0);
    assert_eq!(content(&again, "old"), pieces(&[(b'o', 512), (b'n', 1536)]));
    assert_eq!(content(&again, "fresh"), Some(b"fresh".to_vec()));
}

#[test]
fn a_prefix_cuts_writes_anywhere_and_keeps_the_order() {
    let look = |disk: &SimStorage| (content(disk, "old").unwrap(), content(disk, "fresh"));
    let found = outcomes(Crash::Prefix, look);
    let mut torn = BTreeSet::new();
    for (old, fresh) in &found {
        let new = old.iter().filter(|byte| **byte == b'n').count();
        assert_eq!(old[512..512 + new], vec![b'n'; new], "one piece, from its start");
        assert!(
            fresh.is_none() || new == 1536,
            "what came later is there only with all before it"
        );
        torn.insert(new);
    }
    assert!(torn.len() > 50 && torn.contains(&0) && torn.contains(&1536));
    assert!(found.iter().any(|(_, fresh)| fresh.is_some()));
}

#[test]
fn the_order_of_changes_outlives_a_kill() {
    let disk = SimStorage::new();
    put(&disk, "before", b"x").sync_data().unwrap();
    let killed = disk.crash(Crash::Kill, 0);
    put(&killed, "after", b"x").sync_data().unwrap();
    let found: BTreeSet<_> = (0..100)
        .map(|seed| {
            let cut = killed.crash(Crash::Prefix, seed);
            ["before", "after"].map(|name| content(&cut, name).is_some())
        })
        .collect();
    assert_eq!(
        found,
        BTreeSet::from([[false, false], [true, false], [true, true]])
    );
}

#[test]
fn sectors_are_each_old_or_new_and_sizes_and_names_by_themselves() {
    let look = |disk: &SimStorage| (content(disk, "old").unwrap(), content(disk, "fresh").is_some());
    let found = outcomes(Crash::Sectors, look);
    let mut shapes = BTreeSet::new();
    for (old, fresh) in &found {
        assert!(old.len() == 1024 || old.len() == 2048);
        let sectors: Vec<u8> = old.chunks(512).map(|sector| sector[0]).collect();
        assert!(
            old.chunks(512)
                .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
        );
        assert_eq!(sectors[0], b'o', "nobody wrote there");
        shapes.insert((sectors, *fresh));
    }
    // (old or new) of one sector at the short size, of three at the long one, with and without the fresh name.
    assert_eq!(shapes.len(), (2 + 8) * 2);
}

#[test]
fn sizes_without_data_grow_with_zeros() {
    let cut = workload().crash(Crash::SizesWithoutData, 0);
    assert_eq!(content(&cut, "old"), pieces(&[(b'o', 1024), (0, 1024)]));
    assert_eq!(content(&cut, "fresh"), Some(b"fresh".to_vec()));
}

#[test]
fn names_without_data_give_a_renamed_file_its_synced_content() {
    let disk = workload();
    put(&disk, "temporary", b"never synced");
    disk.rename("temporary", "old").unwrap();
    let cut = disk.crash(Crash::NamesWithoutData, 0);
    assert_eq!(content(&cut, "old"), Some(Vec::new()));
    assert_eq!(content(&cut, "temporary"), None);
    assert_eq!(content(&cut, "fresh"), Some(b"fresh".to_vec()));
}

#[test]
fn names_mix_freely_until_they_are_synced() {
    let disk = workload();
    disk.rename("old", "moved").unwrap();
    let look = |seed| {
        let cut = disk.crash(Crash::NamesInAnyMixture, seed);
        ["old", "moved", "fresh"].map(|name| content(&cut, name).is_some())
    };
    let found: BTreeSet<[bool; 3]> = (0..500).map(look).collect();
    assert_eq!(found.len(), 8);
    disk.sync_dir("").unwrap();
    assert!((0..500).all(|seed| {
        let cut = disk.crash(Crash::NamesInAnyMixture, seed);
        content(&cut, "old").is_none() && content(&cut, "moved").is_some()
    }));
}

#[test]
fn a_synced_file_below_an_unsynced_folder_may_vanish() {
    let disk = SimStorage::new();
    disk.create_dir("a/b").unwrap();
    put(&disk, "a/b/c", b"x").sync_data().unwrap();
    disk.sync_dir("a/b").unwrap();
    disk.sync_dir("a").unwrap();
    assert!(disk.crash(Crash::NothingUnsynced, 0).list("a").is_err());
    disk.sync_dir("").unwrap();
    let cut = disk.crash(Crash::NothingUnsynced, 0);
    assert_eq!(content(&cut, "a/b/c"), Some(b"x".to_vec()));
}

#[test]
fn what_is_synced_survives_every_crash() {
    let disk = workload();
    disk.open("old", Access::ReadWrite).unwrap().sync_data().unwrap();
    disk.sync_dir("").unwrap();
    for crash in Crash::ALL {
        for seed in 0..50 {
            let cut = disk.crash(crash, seed);
            assert_eq!(
                content(&cut, "old"),
                pieces(&[(b'o', 512), (b'n', 1536)]),
                "{crash:?}"
            );
            assert_eq!(content(&cut, "fresh"), Some(b"fresh".to_vec()), "{crash:?}");
        }
    }
}

#[test]
fn a_failed_sync_loses_for_good_what_it_was_to_sync() {
    let disk = SimStorage::new();
    let file = put(&disk, "a", b"lost");
    disk.sync_dir("").unwrap();
    disk.fail_call(1, ErrorKind::Other);
    assert!(file.sync_data().is_err());
    assert_eq!(content(&disk, "a"), Some(b"lost".to_vec()), "still visible");
    file.write_at(4, b"kept").unwrap();
    file.sync_data().unwrap();
    for crash in [Crash::NothingUnsynced, Crash::Everything, Crash::Sectors] {
        let cut = disk.crash(crash, 1);
        assert_eq!(content(&cut, "a"), Some(b"\0\0\0\0kept".to_vec()), "{crash:?}");
    }
    assert_eq!(
        content(&disk.crash(Crash::Kill, 0), "a"),
        Some(b"lostkept".to_vec())
    );
}

#[test]
fn a_dead_process_changes_nothing_more() {
    let disk = SimStorage::new();
    let file = put(&disk, "a", b"1");
    let (calls, changes) = (disk.calls(), disk.changes());
    assert_eq!((calls, changes), (2, 2));
    disk.fail_after(1);
    file.write_at(0, b"2").unwrap();
    assert!(!disk.is_dead());
    assert!(file.write_at(0, b"3").is_err());
    assert!(disk.is_dead());
    assert!(file.sync_data().is_err() && disk.remove("a").is_err() && disk.open("a", Access::Read).is_err());
    let killed = disk.crash(Crash::Kill, 0);
    assert_eq!(content(&killed, "a"), Some(b"2".to_vec()));
    assert_eq!(content(&disk.crash(Crash::NothingUnsynced, 0), "a"), None);

    killed.fail_after_changes(1);
    assert!(
        (0..10).all(|_| content(&killed, "a").is_some()),
        "reads do not count"
    );
    killed.remove("a").unwrap();
    assert!(killed.create_new("b").is_err());
    killed.heal();
    killed.create_new("b").unwrap();
}

#[test]
fn one_call_fails_and_the_next_works() {
    let disk = SimStorage::new();
    let file = put(&disk, "a", b"old");
    disk.fail_call(2, ErrorKind::StorageFull);
    file.write_at(0, b"new").unwrap();
    let error = file.write_at(3, b"tail").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(
        content(&disk, "a"),
        Some(b"newta".to_vec()),
        "any part may be written"
    );
    disk.fail_when(|call| (call.op == Op::Rename && call.path == "a").then_some(ErrorKind::Other));
    assert!(disk.rename("a", "b").is_err());
    disk.link_new("a", "b").unwrap();
    disk.heal();
    disk.rename("a", "c").unwrap();
}

#[test]
fn a_full_disk_refuses_new_blocks_and_nothing_else() {
    let disk = SimStorage::new();
    disk.set_budget(Some(3 * 4096));
    let reserved = disk.create_new("reserved").unwrap();
    reserved.allocate(2 * 4096).unwrap();
    let file = put(&disk, "a", &[1; 4000]);
    assert_eq!(disk.space().unwrap().available, 0);
    let error = file.write_at(4000, &[2; 200]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 4096, "what fitted is written");
    assert_eq!(
        reserved.allocate(3 * 4096).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    reserved.write_at(0, &[3; 2 * 4096]).unwrap();
    reserved.set_len(4096).unwrap();
    file.write_at(4096, &[2; 100]).unwrap();
    disk.remove("reserved").unwrap();
    assert_eq!(disk.space().unwrap().available, 0, "still open");
    drop(reserved);
    assert_eq!(disk.space().unwrap().available, 4096);
    let cut = disk.crash(Crash::Everything, 0);
    assert_eq!(cut.space().unwrap().available, 4096);
}

#[test]
fn a_crash_frees_locks_and_shares_nothing() {
    let disk = workload();
    let guard = disk.try_lock("lock").unwrap().unwrap();
    assert!(disk.clone().try_lock("lock").unwrap().is_none());
    let killed = disk.crash(Crash::Kill, 0);
    let _other = killed.try_lock("lock").unwrap().unwrap();
    drop(guard);
    assert!(killed.is_locked("lock").unwrap());
    assert!(!disk.is_locked("lock").unwrap());
    killed.remove("old").unwrap();
    assert!(content(&disk, "old").is_some());
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let disk = workload();
    for crash in Crash::ALL {
        let images: BTreeSet<_> = (0..100)
            .map(|seed| {
                let [once, twice] = [0, 1].map(|_| content(&disk.crash(crash, seed), "old"));
                assert_eq!(once, twice);
                (once, content(&disk.crash(crash, seed), "fresh"))
            })
            .collect();
        assert_eq!(images.len() > 1, crash.is_random(), "{crash:?}");
    }
}

#[test]
fn what_was_put_atomically_is_the_old_or_the_new_content_after_any_crash_and_the_new_one_once_it_is_said() {
    for crash in Crash::ALL {
        for changes in 0.. {
            let disk = SimStorage::new();
            write_atomic(&disk, "a", b"old").unwrap();
            disk.fail_after_changes(changes);
            let written = write_atomic(&disk, "a", b"the new content");
            let found = read_small(&disk.crash(crash, changes), "a", 100)
                .unwrap()
                .unwrap();
            let is_new = found == b"the new content";
            assert!(is_new || found == b"old", "{crash:?} after {changes}: {found:?}");
            assert!(
                is_new || written.is_err(),
                "{crash:?} after {changes}: not durable"
            );
            if written.is_ok() {
                break;
            }
        }
    }
}
