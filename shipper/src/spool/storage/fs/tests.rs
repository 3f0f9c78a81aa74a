//! What only a real directory can show; the rest is in [`crate::spool::storage::contract`].

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;
use crate::spool::storage::contract;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

fn directory() -> (TempDir, FsStorage) {
    let directory = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(directory.path()).unwrap();
    (directory, storage)
}

#[test]
fn the_contract_holds() {
    let (_directory, storage) = directory();
    contract::check_all(&storage);
}

/// Set in a child of the test below: where it is to work.
const CHILD: &str = "AUDITSHIP_TEST_UMASK_CHILD";

/// The umask belongs to the process, so each is tried in a process of its own.
#[test]
fn what_is_created_is_private_under_any_umask() {
    if let Some(path) = std::env::var_os(CHILD) {
        return what_is_created_is_private(Path::new(&path));
    }
    for umask in ["000", "277"] {
        let (directory, _) = directory();
        let name = "spool::storage::fs::tests::what_is_created_is_private_under_any_umask";
        let status = std::process::Command::new("sh")
            .args(["-c", "umask $1; exec \"$2\" --exact \"$3\"", "sh", umask])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(CHILD, directory.path())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "umask {umask}");
    }
}

fn what_is_created_is_private(directory: &Path) {
    let root = directory.join("spool");
    let storage = FsStorage::create(&root).unwrap();
    storage.create_dir("a/b").unwrap();
    storage.create_new("a/b/c").unwrap();
    storage.try_lock("lock").unwrap().unwrap();
    let folders = [mode(&root), mode(&root.join("a")), mode(&root.join("a/b"))];
    assert_eq!(folders, [0o700; 3]);
    let files = [mode(&root.join("a/b/c")), mode(&root.join("lock"))];
    assert_eq!(files, [0o600; 2]);
}

#[test]
fn what_exists_keeps_its_mode() {
    let (directory, storage) = directory();
    storage.create_dir("a").unwrap();
    storage.try_lock("lock").unwrap().unwrap();
    let [root, folder, file] = ["", "a", "lock"].map(|name| directory.path().join(name));
    for (path, mode) in [(&root, 0o750), (&folder, 0o750), (&file, 0o640)] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
    let storage = FsStorage::create(&root).unwrap();
    storage.create_dir("a/b").unwrap();
    storage.try_lock("lock").unwrap().unwrap();
    assert_eq!([mode(&root), mode(&folder), mode(&file)], [0o750, 0o750, 0o640]);
}

#[test]
fn no_link_below_the_root_is_followed() {
    let (directory, storage) = directory();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("file"), "x").unwrap();
    symlink(elsewhere.path(), directory.path().join("folder")).unwrap();
    symlink(elsewhere.path().join("file"), directory.path().join("file")).unwrap();
    symlink(elsewhere.path().join("new"), directory.path().join("new")).unwrap();
    assert!(storage.open("folder/file", Access::Read).is_err());
    assert!(storage.open("file", Access::Read).is_err());
    assert!(storage.create_new("new").is_err());
    assert!(storage.create_dir("folder").is_err());
    assert!(storage.list("folder").is_err());
    assert!(storage.try_lock("new").is_err());
    assert_eq!(storage.list("").unwrap(), []);
    assert!(!elsewhere.path().join("new").exists());
    // The root itself may be one.
    let link = elsewhere.path().join("root");
    symlink(directory.path(), &link).unwrap();
    FsStorage::open(&link).unwrap().create_new("through").unwrap();
    assert!(directory.path().join("through").exists());
}

#[test]
fn a_pipe_is_neither_opened_nor_waited_for() {
    let (directory, storage) = directory();
    let path = directory.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, FILE_MODE, 0).unwrap();
    let error = storage.open("pipe", Access::Read).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn root_gives_files_to_the_owner_of_the_directory() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give files away");
        return;
    }
    let (directory, _) = directory();
    std::os::unix::fs::chown(directory.path(), Some(12_345), Some(23_456)).unwrap();
    let storage = FsStorage::open(directory.path()).unwrap();
    storage.create_dir("a").unwrap();
    storage.create_new("a/b").unwrap();
    storage.try_lock("lock").unwrap().unwrap();
    for name in ["a", "a/b", "lock"] {
        let metadata = directory.path().join(name).metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 23_456), "{name}");
    }
}

#[test]
fn a_look_at_a_lock_never_defeats_an_attempt() {
    let (_directory, storage) = directory();
    drop(storage.try_lock("lock").unwrap());
    let (stop, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    storage.is_locked("lock").unwrap();
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut had = 0;
        let mut attempts = 0;
        while attempts < 3_000 || looks.load(Ordering::Relaxed) < 3_000 {
            had += usize::from(storage.try_lock("lock").unwrap().is_some());
            attempts += 1;
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(had, attempts);
    });
}

#[test]
fn a_spool_demands_an_absolute_private_writable_directory() {
    let (directory, _) = directory();
    let path = directory.path().to_path_buf();
    let relative = check_private(Path::new("var/spool"));
    assert!(matches!(relative, Err(RootError::Relative { .. })));
    assert_eq!(check_private(&path.join("not yet")), Ok(()));

    for exposed in [0o701, 0o704, 0o710, 0o750, 0o770, 0o777] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(exposed)).unwrap();
        let found = check_private(&path);
        let expected = RootError::Exposed {
            path: path.clone(),
            mode: exposed,
        };
        assert_eq!(found, Err(expected));
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(check_private(&path), Ok(()));
    std::fs::write(path.join("file"), "").unwrap();
    let file = check_private(&path.join("file"));
    assert!(matches!(file, Err(RootError::NotADirectory { .. })));
}

#[test]
fn descriptors_are_close_on_exec_and_above_those_of_the_host() {
    let (_directory, storage) = directory();
    let file = storage
        .in_parent("a", |dir, name| storage.create_file(dir, name))
        .unwrap()
        .into_fd();
    let folder = storage
        .in_folder("", |dir| storage.open_folder(dir, "."))
        .unwrap();
    for fd in [&file, &folder, &storage.root] {
        assert!(fd.as_raw_fd() >= descriptor::FIRST);
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

/// In a process of its own: where other tests close files meanwhile, a number below the limit becomes free again.
#[test]
fn a_file_never_has_a_low_number_not_even_for_a_moment() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "spool::storage::fs::tests::low_numbers_alone"])
        .args(["--ignored", "--test-threads", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test above, alone"]
fn low_numbers_alone() {
    // The first three numbers are taken in this process, so a higher limit stands in for them.
    let (directory, storage) = directory();
    let first = 200;
    let path = directory.path().join("a");
    let given = Cell::new(0);
    let fd = descriptor::open_from(first, &storage.root, || {
        let fd = rustix::fs::open(&path, OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC, FILE_MODE)?;
        given.set(fd.as_raw_fd());
        Ok(fd)
    });
    assert!(given.get() >= first);
    assert_eq!(fd.unwrap().as_raw_fd(), given.get());
    let moved = descriptor::at_least(first, rustix::io::dup(&storage.root).unwrap()).unwrap();
    assert!(moved.as_raw_fd() >= first);
    let flags = rustix::io::fcntl_getfd(&moved).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}
