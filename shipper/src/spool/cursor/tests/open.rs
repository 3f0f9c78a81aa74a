//! Opening, refusing, and reading beside a committing owner.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::slot;
use super::*;
use crate::spool::storage::fs::FsStorage;
use crate::spool::storage::{FileIdentity, sim};

#[test]
fn a_new_cursor_counts_what_was_before_it() {
    let storage = SimStorage::new();
    let cursor = Cursor::open_or_create(Arc::new(storage.clone()), "main", SPOOL, 70).unwrap();
    assert_eq!(cursor.state().committed, 70);
    assert_eq!(cursor.state().totals().skipped_before_start, 70);
    assert_eq!(cursor.state().pending(100), 30);
    // The start of an existing one is what it was.
    assert_eq!(open(&storage).unwrap().state(), cursor.state());
}

#[test]
fn a_copied_cursor_is_refused() {
    let storage = SimStorage::new();
    open(&storage).unwrap();
    let here = SpoolId([1; 16]);
    let opened = Cursor::open_or_create(Arc::new(storage.clone()), "main", here, 0);
    let expected = CursorError::OtherSpool {
        path: "cursors/main.cur".to_owned(),
        expected: here,
        found: SPOOL,
    };
    assert_eq!(opened.err(), Some(expected));
    storage.link_new("cursors/main.cur", "cursors/copy.cur").unwrap();
    let opened = Cursor::open_or_create(Arc::new(storage.clone()), "copy", SPOOL, 0);
    let renamed = CursorError::OtherDestination {
        path: "cursors/copy.cur".to_owned(),
        found: "main".to_owned(),
    };
    assert_eq!(opened.err(), Some(renamed.clone()));
    let peeked = peek_all(&storage).unwrap();
    assert_eq!(peeked[0], ("copy".to_owned(), Err(renamed)));
    assert!(peeked[1].1.is_ok());
}

#[test]
fn a_newer_version_is_refused_even_beside_a_slot_of_ours() {
    let storage = SimStorage::new();
    open(&storage).unwrap();
    let mut newer = vec![0; 64];
    newer[..8].copy_from_slice(b"ashipcur");
    newer[8..10].copy_from_slice(&2_u16.to_le_bytes());
    let crc = crc32c::crc32c(&newer[..60]);
    newer[60..].copy_from_slice(&crc.to_le_bytes());
    let file = storage.open("cursors/main.cur", Access::ReadWrite).unwrap();
    file.write_at(slot::LEN as u64, &newer).unwrap();
    let refused = CursorError::NewerVersion {
        path: "cursors/main.cur".to_owned(),
        ours: 1,
        theirs: 2,
    };
    assert_eq!(open(&storage).err(), Some(refused.clone()));
    let text = refused.to_string();
    assert!(text.contains("format 2") && text.contains("format 1"), "{text}");
}

#[test]
fn names_that_are_no_cursor_are_passed_over() {
    let storage = SimStorage::new();
    assert_eq!(peek_all(&storage).unwrap(), []);
    open(&storage).unwrap();
    for junk in ["main.cur.tmp", "notes.txt", ".cur", "..cur", "a b.cur"] {
        storage.create_new(&format!("cursors/{junk}")).unwrap();
    }
    storage.create_dir("cursors/folder.cur").unwrap();
    let all = peek_all(&storage).unwrap();
    assert_eq!(
        all.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        ["main"]
    );
    for bad in ["../main", "a/b", ""] {
        let opened = Cursor::open_or_create(Arc::new(storage.clone()), bad, SPOOL, 0);
        assert!(matches!(opened, Err(CursorError::BadName(_))), "{bad}");
    }
}

#[test]
fn an_unsound_state_is_not_written() {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    let changes = storage.changes();
    let unsound = State {
        committed: 1,
        ..State::default()
    };
    assert_eq!(
        cursor.commit(unsound),
        Err(CursorError::Unsound(Unsound::CountsDisagree))
    );
    assert_eq!(storage.changes(), changes);
    assert_eq!(cursor.commit(State::starting_at(3)), Ok(()));
}

#[test]
fn a_full_disk_stops_no_commit() {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    storage.set_budget(Some(0));
    assert_eq!(
        storage
            .create_new("x")
            .unwrap()
            .write_at(0, b"x")
            .unwrap_err()
            .kind(),
        ErrorKind::StorageFull
    );
    for _ in 0..4 {
        cursor.commit(largest_state()).unwrap();
    }
    drop(cursor);
    let mut cursor = open(&storage).unwrap();
    assert_eq!(without_generation(cursor.state()), largest_state());
    cursor.commit(State::starting_at(9)).unwrap();
    assert_eq!(open(&storage).unwrap().state().committed, 9);
}

#[test]
fn removing_gives_up_the_position() {
    let storage = SimStorage::new();
    open(&storage).unwrap().commit(State::starting_at(3)).unwrap();
    assert_eq!(remove(&storage, "main"), Ok(true));
    assert_eq!(remove(&storage, "main"), Ok(false));
    assert_eq!(peek(&storage, "main"), Ok(None));
    assert_eq!(open(&storage).unwrap().state().committed, 0);
}

#[test]
fn a_peek_for_removal_is_durable() {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    // Killed between write and sync: visible, but not durable.
    storage.fail_after_changes(1);
    cursor.commit(State::starting_at(8)).unwrap_err();
    let storage = storage.crash(sim::Crash::Kill, 0);
    let committed = |peeked: Vec<Peeked>| peeked[0].1.clone().unwrap().state.committed;
    assert_eq!(committed(peek_all(&storage).unwrap()), 8);
    let lost = storage.crash(sim::Crash::NothingUnsynced, 0);
    assert_eq!(committed(peek_all(&lost).unwrap()), 0, "a peek promises nothing");
    assert_eq!(committed(peek_all_durable(&storage).unwrap()), 8);
    let kept = storage.crash(sim::Crash::NothingUnsynced, 0);
    assert_eq!(committed(peek_all(&kept).unwrap()), 8);
}

#[test]
fn readers_beside_a_committing_owner_see_whole_states_that_never_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(folder.path()).unwrap());
    let mut cursor = Cursor::open_or_create(Arc::clone(&storage), "main", SPOOL, 0).unwrap();
    let done = AtomicBool::new(false);
    let mut reads = 0_u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=150 {
                // Long and short ones in turn, so that a slot that is read across two commits would be noticed.
                let state = if number % 2 == 0 {
                    largest_state()
                } else {
                    State::default()
                };
                let counts = Counts {
                    replayed: number,
                    ..state.counts
                };
                cursor.commit(State { counts, ..state }).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let state = peek(&*storage, "main").unwrap().unwrap().state;
            assert!(state.generation >= last, "{} after {last}", state.generation);
            assert_eq!(state.counts.replayed + 1, state.generation);
            assert_eq!(
                state.entries.is_empty(),
                state.counts.replayed % 2 == 1 || state.generation == 1
            );
            last = state.generation;
            reads += 1;
        }
    });
    assert!(reads > 0);
}

/// A file whose owner commits while it is read: each read sees the image whose turn it is, the last one for ever.
struct Changing {
    images: Vec<Vec<u8>>,
    reads: AtomicUsize,
}

impl StorageFile for Changing {
    fn len(&self) -> io::Result<u64> {
        Ok(slot::FILE_LEN)
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        Ok(FileIdentity::UNKNOWN)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let turn = self
            .reads
            .fetch_add(1, Ordering::SeqCst)
            .min(self.images.len() - 1);
        let from = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.images[turn][from..from + buf.len()]);
        Ok(buf.len())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// The images of a file after each of `commits` commits: the first is the one that creates it, in slot A.
fn images(commits: usize) -> Vec<Vec<u8>> {
    let storage = SimStorage::new();
    let mut cursor = open(&storage).unwrap();
    let image = || {
        let file = storage.open("cursors/main.cur", Access::Read).unwrap();
        let mut image = vec![0; 2 * slot::LEN];
        file.read_at(0, &mut image).unwrap();
        image
    };
    let mut images = vec![image()];
    while images.len() < commits {
        cursor.commit(State::starting_at(images.len() as u64)).unwrap();
        images.push(image());
    }
    images
}

#[test]
fn a_slow_reader_does_not_go_back() {
    let [_, second, third, mut fourth] = images(4).try_into().unwrap();
    // The fourth commit is under way: slot B, which had the second, is torn.
    fourth[slot::LEN + 100] ^= 0xff;
    // Slot A is read when it still has the first state, slot B when it has none: but the second was there before, and
    // the third is now.
    let file = Changing {
        images: vec![second.clone(), second, fourth],
        reads: AtomicUsize::new(0),
    };
    let found = peek::newest(&file, "p").unwrap().peek.state;
    assert_eq!(found.generation, 3);
    // Both slots torn at first, as each is written when its turn comes.
    let torn = |mut image: Vec<u8>| {
        image[100] ^= 0xff;
        image[slot::LEN + 100] ^= 0xff;
        image
    };
    let file = Changing {
        images: vec![
            torn(third.clone()),
            torn(third.clone()),
            torn(third.clone()),
            torn(third.clone()),
            third,
        ],
        reads: AtomicUsize::new(0),
    };
    let found = peek::newest(&file, "p").unwrap().peek.state;
    assert_eq!(found.generation, 3);
}
