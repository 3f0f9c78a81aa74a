//! One suite of small named checks that every [`Storage`] must pass, run by each implementation's tests.

use std::io::ErrorKind;

use super::{Access, EntryKind, FileIdentity, Storage, create_dir_durable, read_small, write_atomic};

/// A check, run in the folder that it is given.
type Check = fn(&dyn Storage, &str);

/// Runs every check, each in a folder of its own.
pub(crate) fn check_all(storage: &dyn Storage) {
    let checks: [(&str, Check); 12] = [
        ("paths", paths_stay_below_the_root),
        ("creation", a_file_is_created_once),
        ("access", an_access_is_kept_to),
        ("reading", reading_ends_with_the_file),
        ("sizes", cut_bytes_read_as_zeros_when_the_file_grows_again),
        ("identity", a_file_is_told_from_its_copy),
        ("allocation", allocation_grows_with_zeros_and_never_cuts),
        ("renaming", renaming_replaces_and_leaves_open_files_alone),
        ("linking", linking_never_replaces),
        ("folders", folders_are_made_with_those_above),
        ("locks", a_lock_has_one_holder),
        ("atomic", atomic_writes_replace_whole),
    ];
    for (folder, check) in checks {
        storage.create_dir(folder).unwrap();
        check(storage, folder);
    }
    let space = storage.space().unwrap();
    assert!(space.available <= space.total && space.total > 0, "{space:?}");
}

fn kind<T>(result: std::io::Result<T>) -> ErrorKind {
    result.err().map_or(ErrorKind::Other, |error| error.kind())
}

fn names(storage: &dyn Storage, path: &str) -> Vec<String> {
    let mut names: Vec<String> = storage
        .list(path)
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    names.sort();
    names
}

fn content(storage: &dyn Storage, path: &str) -> Vec<u8> {
    read_small(storage, path, 1 << 20).unwrap().unwrap()
}

fn paths_stay_below_the_root(storage: &dyn Storage, at: &str) {
    for path in ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "nul\0"] {
        let expected = ErrorKind::InvalidInput;
        assert_eq!(kind(storage.open(path, Access::Read)), expected, "open {path:?}");
        assert_eq!(kind(storage.create_new(path)), expected, "create_new {path:?}");
        assert_eq!(kind(storage.create_dir(path)), expected, "create_dir {path:?}");
        assert_eq!(kind(storage.remove(path)), expected, "remove {path:?}");
        assert_eq!(kind(storage.try_lock(path)), expected, "try_lock {path:?}");
    }
    assert_eq!(kind(storage.list("..")), ErrorKind::InvalidInput);
    assert_eq!(kind(storage.sync_dir("/")), ErrorKind::InvalidInput);
    assert!(storage.list("").unwrap().iter().any(|entry| entry.name == at));
    storage.sync_dir("").unwrap();
}

fn a_file_is_created_once(storage: &dyn Storage, at: &str) {
    let path = &format!("{at}/a");
    assert_eq!(kind(storage.open(path, Access::Read)), ErrorKind::NotFound);
    assert_eq!(kind(storage.remove(path)), ErrorKind::NotFound);
    let file = storage.create_new(path).unwrap();
    assert!(file.is_empty().unwrap());
    assert_eq!(kind(storage.create_new(path)), ErrorKind::AlreadyExists);
    assert_eq!(kind(storage.create_new(at)), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(storage.create_new(&format!("{path}/b"))),
        ErrorKind::NotADirectory
    );
    assert_eq!(
        kind(storage.create_new(&format!("{at}/no/b"))),
        ErrorKind::NotFound
    );
    assert_eq!(kind(storage.open(at, Access::Read)), ErrorKind::IsADirectory);
    assert_eq!(kind(storage.open(at, Access::ReadWrite)), ErrorKind::IsADirectory);
    file.sync_data().unwrap();
    storage.sync_dir(at).unwrap();
    storage.remove(path).unwrap();
    file.write_at(0, b"removed, and still open").unwrap();
    assert_eq!(file.len().unwrap(), 23);
    assert!(names(storage, at).is_empty());
}

fn an_access_is_kept_to(storage: &dyn Storage, at: &str) {
    let path = &format!("{at}/a");
    storage.create_new(path).unwrap().write_at(0, b"abc").unwrap();
    let file = storage.open(path, Access::Read).unwrap();
    assert!(file.write_at(0, b"x").is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.allocate(10).is_err());
    file.sync_data().unwrap();
    assert_eq!(content(storage, path), b"abc");
    let file = storage.open(path, Access::ReadWrite).unwrap();
    file.write_at(1, b"x").unwrap();
    assert_eq!(content(storage, path), b"axc");
}

fn reading_ends_with_the_file(storage: &dyn Storage, at: &str) {
    let file = storage.create_new(&format!("{at}/a")).unwrap();
    file.write_at(3, b"defg").unwrap();
    let mut buf = [9; 8];
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 7);
    assert_eq!(&buf, b"\0\0\0defg\x09");
    assert_eq!(file.read_at(5, &mut buf[..1]).unwrap(), 1);
    assert_eq!(buf[0], b'f');
    assert_eq!(file.read_at(7, &mut buf).unwrap(), 0);
    assert_eq!(file.read_at(1 << 40, &mut buf).unwrap(), 0);
    assert_eq!(file.read_at(0, &mut []).unwrap(), 0);
    file.write_at(100, b"").unwrap();
    for (offset, len) in [(0, 7), (3, 0), (5, 100), (1 << 40, 1), (u64::MAX, u64::MAX)] {
        file.will_read(offset, len);
    }
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 7);
    assert_eq!(file.len().unwrap(), 7);
}

fn cut_bytes_read_as_zeros_when_the_file_grows_again(storage: &dyn Storage, at: &str) {
    let path = &format!("{at}/a");
    let file = storage.create_new(path).unwrap();
    file.write_at(0, b"abcdef").unwrap();
    file.set_len(2).unwrap();
    file.set_len(5).unwrap();
    assert_eq!(content(storage, path), b"ab\0\0\0");
}

fn a_file_is_told_from_its_copy(storage: &dyn Storage, at: &str) {
    let (path, other) = (&format!("{at}/a"), &format!("{at}/b"));
    let file = storage.create_new(path).unwrap();
    let identity = file.identity().unwrap();
    assert_ne!(identity, FileIdentity::UNKNOWN);
    file.write_at(0, b"abc").unwrap();
    file.set_len(1).unwrap();
    storage.rename(path, other).unwrap();
    drop(file);
    let again = storage.open(other, Access::Read).unwrap().identity().unwrap();
    assert_eq!(again, identity);
    assert!(!again.differs_from(&identity));
    let copy = storage.create_new(path).unwrap().identity().unwrap();
    assert!(copy.differs_from(&identity) && identity.differs_from(&copy));
}

fn allocation_grows_with_zeros_and_never_cuts(storage: &dyn Storage, at: &str) {
    let path = &format!("{at}/a");
    let file = storage.create_new(path).unwrap();
    file.allocate(0).unwrap();
    assert!(file.is_empty().unwrap());
    file.write_at(0, b"abc").unwrap();
    file.allocate(5).unwrap();
    assert_eq!(content(storage, path), b"abc\0\0");
    file.allocate(1).unwrap();
    assert_eq!(content(storage, path), b"abc\0\0");
}

fn renaming_replaces_and_leaves_open_files_alone(storage: &dyn Storage, at: &str) {
    let (a, b) = (&format!("{at}/a"), &format!("{at}/b"));
    storage.create_new(a).unwrap().write_at(0, b"new").unwrap();
    let old = storage.create_new(b).unwrap();
    old.write_at(0, b"old").unwrap();
    storage.rename(a, b).unwrap();
    assert_eq!(content(storage, b), b"new");
    assert_eq!(names(storage, at), ["b"]);
    let mut buf = [0; 3];
    assert_eq!((old.read_at(0, &mut buf).unwrap(), &buf), (3, b"old"));
    assert_eq!(kind(storage.rename(a, b)), ErrorKind::NotFound);
    storage.create_dir(&format!("{at}/folder")).unwrap();
    assert_eq!(
        kind(storage.rename(b, &format!("{at}/folder"))),
        ErrorKind::IsADirectory
    );
    storage.link_new(b, a).unwrap();
    storage.rename(a, b).unwrap();
    assert_eq!(
        names(storage, at),
        ["a", "b", "folder"],
        "two names of one file stay"
    );
}

fn linking_never_replaces(storage: &dyn Storage, at: &str) {
    let (a, b) = (&format!("{at}/a"), &format!("{at}/b"));
    storage.create_new(a).unwrap().write_at(0, b"one").unwrap();
    storage.link_new(a, b).unwrap();
    assert_eq!(kind(storage.link_new(a, b)), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(storage.link_new(&format!("{at}/none"), &format!("{at}/c"))),
        ErrorKind::NotFound
    );
    storage
        .open(b, Access::ReadWrite)
        .unwrap()
        .write_at(0, b"two")
        .unwrap();
    assert_eq!(content(storage, a), b"two");
    storage.remove(a).unwrap();
    assert_eq!(content(storage, b), b"two");
}

fn folders_are_made_with_those_above(storage: &dyn Storage, at: &str) {
    let deep = &format!("{at}/x/y/z");
    create_dir_durable(storage, deep).unwrap();
    create_dir_durable(storage, deep).unwrap();
    storage.create_new(&format!("{at}/x/file")).unwrap();
    let mut entries = storage.list(&format!("{at}/x")).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.kind))
        .collect();
    assert_eq!(kinds, [("file", EntryKind::File), ("y", EntryKind::Folder)]);
    assert_eq!(
        kind(storage.create_dir(&format!("{at}/x/file"))),
        ErrorKind::NotADirectory
    );
    assert_eq!(
        kind(storage.create_dir(&format!("{at}/x/file/w"))),
        ErrorKind::NotADirectory
    );
    assert_eq!(kind(storage.remove(deep)), ErrorKind::IsADirectory);
    assert_eq!(kind(storage.list(&format!("{at}/none"))), ErrorKind::NotFound);
    assert_eq!(kind(storage.sync_dir(&format!("{at}/none"))), ErrorKind::NotFound);
    assert_eq!(
        kind(storage.list(&format!("{at}/x/file"))),
        ErrorKind::NotADirectory
    );
}

fn a_lock_has_one_holder(storage: &dyn Storage, at: &str) {
    let path = &format!("{at}/lock");
    assert!(!storage.is_locked(path).unwrap());
    assert!(names(storage, at).is_empty(), "asking creates nothing");
    let guard = storage.try_lock(path).unwrap().unwrap();
    assert!(storage.is_locked(path).unwrap());
    assert!(storage.try_lock(path).unwrap().is_none());
    assert!(
        storage.is_locked(path).unwrap(),
        "a refused attempt frees nothing"
    );
    drop(guard);
    assert!(!storage.is_locked(path).unwrap());
    assert!(storage.try_lock(path).unwrap().is_some());
}

fn atomic_writes_replace_whole(storage: &dyn Storage, at: &str) {
    let path = &format!("{at}/a");
    assert_eq!(read_small(storage, path, 10).unwrap(), None);
    write_atomic(storage, path, b"a long one").unwrap();
    // What an interrupted call may leave behind.
    storage
        .create_new(&format!("{path}.tmp"))
        .unwrap()
        .write_at(0, b"rest")
        .unwrap();
    write_atomic(storage, path, b"short").unwrap();
    assert_eq!(content(storage, path), b"short");
    assert_eq!(names(storage, at), ["a"]);
    assert_eq!(kind(read_small(storage, path, 4)), ErrorKind::InvalidData);
}
