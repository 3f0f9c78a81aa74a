use super::*;
use crate::spool::storage::fs::FsStorage;
use crate::spool::storage::sim::{Crash, Op, SimStorage};
use crate::spool::storage::{Access, read_small};

fn put(name: &str, body: &[u8]) -> Request<Vec<u8>> {
    Request::put(format!("/{name}"))
        .header(header::IF_NONE_MATCH, "*")
        .body(body.to_vec())
        .unwrap()
}

fn transport(disk: &SimStorage) -> FileTransport {
    let disk = disk.clone();
    FileTransport::new(move || Ok(Arc::new(disk.clone())))
}

fn status(transport: &FileTransport, request: &Request<Vec<u8>>) -> u16 {
    transport.send(request).unwrap().status().as_u16()
}

fn content(disk: &dyn Storage, name: &str) -> Option<Vec<u8>> {
    read_small(disk, name, 1 << 20).unwrap()
}

/// Names below `folder`, with their paths, `.tmp` left out.
fn objects(disk: &dyn Storage, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in disk.list(folder).unwrap() {
        let path = [folder, &entry.name].join("/").trim_start_matches('/').to_owned();
        match entry.kind {
            EntryKind::Folder if path == TEMPORARY => {}
            EntryKind::Folder => found.extend(objects(disk, &path)),
            EntryKind::File => found.push(path),
        }
    }
    found.sort();
    found
}

fn leftovers(disk: &dyn Storage) -> Vec<String> {
    let entries = disk.list(TEMPORARY).unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| name != "lock")
        .collect()
}

#[test]
fn an_object_is_created_once_and_never_replaced() {
    let disk = SimStorage::new();
    let transport = transport(&disk);
    assert_eq!(status(&transport, &put("2026/01/a", b"first")), 201);
    assert_eq!(status(&transport, &put("2026/01/a", b"second")), 412);
    assert_eq!(status(&transport, &put("b", b"")), 201);
    assert_eq!(content(&disk, "2026/01/a"), Some(b"first".to_vec()));
    assert_eq!(content(&disk, "b"), Some(Vec::new()));
    assert_eq!(leftovers(&disk), [""; 0]);
}

#[test]
fn what_is_no_creation_of_an_object_is_refused() {
    let disk = SimStorage::new();
    let transport = transport(&disk);
    let mut replace = put("a", b"x");
    replace.headers_mut().remove(header::IF_NONE_MATCH);
    assert_eq!(status(&transport, &replace), 400);
    let mut post = put("a", b"x");
    *post.method_mut() = Method::POST;
    assert_eq!(status(&transport, &post), 405);
    let names = [
        "", "..", "../a", "a/../b", ".", "a/./b", ".tmp/a", ".hidden", "a//b", "a/", "/a", "a%2fb", "a%00",
        "a:b", "a?b", "a~",
    ];
    for name in names {
        assert_eq!(status(&transport, &put(name, b"x")), 400, "{name}");
    }
    assert_eq!(objects(&disk, ""), [""; 0]);
}

/// The steps of one request, each of which may be the last one: every call is counted, then each is made the last.
fn calls(of: impl Fn(&SimStorage) -> u16) -> u64 {
    let disk = SimStorage::new();
    assert_eq!(of(&disk), 201);
    disk.calls()
}

#[test]
fn a_crash_at_any_call_leaves_the_object_whole_or_absent_and_201_means_durable() {
    const NAME: &str = "2026/01/02/object";
    let body = vec![b'x'; 3000];
    let run = |disk: &SimStorage| {
        let transport = transport(disk);
        let first = status(&transport, &put("2026/01/02/before", b"y"));
        if first == 201 {
            status(&transport, &put(NAME, &body))
        } else {
            first
        }
    };
    let all = calls(run);
    assert!(all > 10, "{all} calls");
    let mut acknowledged = 0;
    let mut absent = 0;
    for last in 0..=all {
        for crash in Crash::ALL {
            for seed in 0..if crash.is_random() { 8 } else { 1 } {
                let disk = SimStorage::new();
                disk.fail_after(last);
                let said = run(&disk);
                let after = disk.crash(crash, seed);
                let found = content(&after, NAME);
                let case = format!("{last} calls, {crash:?} {seed}, answer {said}");
                match &found {
                    Some(found) => assert_eq!(found, &body, "{case}: a part of the object"),
                    None => absent += 1,
                }
                if said == 201 {
                    acknowledged += 1;
                    assert!(found.is_some(), "{case}: acknowledged and lost");
                }
                // The same batch again, after the restart: there, once, and nothing else lies about.
                let again = transport(&after);
                let said = status(&again, &put(NAME, &body));
                assert_eq!(said, if found.is_some() { 412 } else { 201 }, "{case}");
                let durable = after.crash(Crash::NothingUnsynced, 0);
                assert_eq!(
                    content(&durable, NAME).as_ref(),
                    Some(&body),
                    "{case}: the second answer is not durable"
                );
                assert_eq!(leftovers(&after), [""; 0], "{case}");
                let strange = |name: &String| name != NAME && name != "2026/01/02/before";
                assert!(!objects(&after, "").iter().any(strange), "{case}");
            }
        }
    }
    assert!(
        acknowledged > 0 && absent > 0,
        "{acknowledged} acknowledged, {absent} absent"
    );
}

#[test]
fn a_failure_of_any_call_is_answered_and_the_next_attempt_succeeds() {
    let body = b"content".to_vec();
    let all = calls(|disk| status(&transport(disk), &put("2026/a", &body)));
    for number in 1..=all {
        let disk = SimStorage::new();
        let transport = transport(&disk);
        disk.fail_call(number, io::ErrorKind::Other);
        let first = status(&transport, &put("2026/a", &body));
        assert!(matches!(first, 201 | 503 | 500), "call {number}: {first}");
        // Only the removal of the temporary file may fail unseen.
        if first == 201 {
            assert_eq!(leftovers(&disk).len(), 1, "call {number}");
        }
        let second = status(&transport, &put("2026/a", &body));
        assert_eq!(
            second,
            if content(&disk, "2026/a").is_some() && first != 503 {
                412
            } else {
                201
            },
            "call {number}: {first}"
        );
        assert_eq!(
            content(&disk.crash(Crash::NothingUnsynced, 0), "2026/a"),
            Some(body.clone()),
            "call {number}"
        );
    }
}

#[test]
fn a_failure_after_the_name_was_given_is_not_said_to_have_left_nothing() {
    let disk = SimStorage::new();
    let transport = transport(&disk);
    assert_eq!(status(&transport, &put("2026/a", b"x")), 201);
    disk.fail_when(|call| (call.op == Op::SyncDir && call.path == "2026").then_some(io::ErrorKind::Other));
    assert_eq!(status(&transport, &put("2026/b", b"x")), 500);
    disk.heal();
    assert_eq!(status(&transport, &put("2026/b", b"x")), 412);
}

#[test]
fn a_full_disk_is_507_gives_back_what_it_took_and_recovers() {
    let disk = SimStorage::new();
    let transport = transport(&disk);
    assert_eq!(status(&transport, &put("a", b"x")), 201);
    disk.set_budget(Some(64 * 1024));
    assert_eq!(status(&transport, &put("b", &vec![0; 256 * 1024])), 507);
    assert_eq!(leftovers(&disk), [""; 0]);
    assert_eq!(status(&transport, &put("c", b"small")), 201);
    disk.set_budget(None);
    assert_eq!(status(&transport, &put("b", &vec![0; 256 * 1024])), 201);
}

#[test]
fn errors_of_the_system_keep_their_meaning() {
    for (kind, expected) in [
        (io::ErrorKind::StorageFull, 507),
        (io::ErrorKind::QuotaExceeded, 507),
        (io::ErrorKind::PermissionDenied, 403),
        (io::ErrorKind::ReadOnlyFilesystem, 403),
        (io::ErrorKind::Other, 503),
    ] {
        let disk = SimStorage::new();
        let transport = transport(&disk);
        assert_eq!(status(&transport, &put("a", b"x")), 201);
        disk.fail_when(move |call| (call.op == Op::CreateNew).then_some(kind));
        assert_eq!(status(&transport, &put("b", b"x")), expected, "{kind:?}");
    }
    let missing = FileTransport::new(|| Err(io::ErrorKind::NotFound.into()));
    assert_eq!(status(&missing, &put("a", b"x")), 404);
    let denied = FileTransport::new(|| Err(io::ErrorKind::PermissionDenied.into()));
    assert_eq!(status(&denied, &put("a", b"x")), 403);
}

#[test]
fn leftovers_are_swept_unless_another_process_may_be_writing_them() {
    let disk = SimStorage::new();
    let other = transport(&disk);
    assert_eq!(status(&other, &put("a", b"x")), 201);
    disk.create_new(".tmp/abandoned").unwrap();
    assert_eq!(status(&transport(&disk), &put("b", b"x")), 201);
    assert_eq!(leftovers(&disk), ["abandoned"], "the other one holds the lock");
    drop(other);
    assert_eq!(status(&transport(&disk), &put("c", b"x")), 201);
    assert_eq!(leftovers(&disk), [""; 0]);
}

#[test]
fn an_attempt_whose_temporary_file_is_swept_stores_nothing_and_succeeds_next_time() {
    let disk = SimStorage::new();
    let slow = transport(&disk);
    assert_eq!(status(&slow, &put("a", b"x")), 201);
    let name = temporary_name("2026/b");
    let broom = disk.crash(Crash::Everything, 0);
    drop(broom);
    let swept = disk.clone();
    let path = name.clone();
    // Between the write and the link, as another process would do it.
    let hook = Hooked {
        disk: disk.clone(),
        before_link: Box::new(move || swept.remove(&path).unwrap()),
    };
    let hooked: Arc<dyn Storage> = Arc::new(hook);
    let racing = FileTransport::new(move || Ok(hooked.clone()));
    assert_eq!(status(&racing, &put("2026/b", b"x")), 503);
    assert_eq!(content(&disk, "2026/b"), None);
    assert_eq!(status(&slow, &put("2026/b", b"x")), 201);
}

/// A storage that does something before each link.
struct Hooked {
    disk: SimStorage,
    before_link: Box<dyn Fn() + Send + Sync>,
}

impl Storage for Hooked {
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn storage::StorageFile>> {
        self.disk.open(path, access)
    }
    fn create_new(&self, path: &str) -> io::Result<Arc<dyn storage::StorageFile>> {
        self.disk.create_new(path)
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        (self.before_link)();
        self.disk.link_new(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<storage::DirEntry>> {
        self.disk.list(path)
    }
    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.disk.try_lock(path)
    }
    fn is_locked(&self, path: &str) -> io::Result<bool> {
        self.disk.is_locked(path)
    }
    fn space(&self) -> io::Result<storage::Space> {
        self.disk.space()
    }
}

#[test]
fn a_probe_leaves_nothing() {
    let disk = SimStorage::new();
    let transport = transport(&disk);
    let probe = || {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::OPTIONS;
        request
    };
    assert_eq!(status(&transport, &probe()), 204);
    assert_eq!(objects(&disk, ""), [""; 0]);
    assert_eq!(leftovers(&disk), [""; 0]);
    disk.fail_when(|call| (call.op == Op::SyncData).then_some(io::ErrorKind::StorageFull));
    assert_eq!(status(&transport, &probe()), 507);
}

#[test]
fn a_real_directory_is_created_when_its_parent_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let there = path.clone();
    let transport = FileTransport::new(move || Ok(Arc::new(FsStorage::create(&there)?)));
    assert_eq!(status(&transport, &put("2026/01/a.ndjson", b"{}\n")), 201);
    assert_eq!(status(&transport, &put("2026/01/a.ndjson", b"{}\n")), 412);
    assert_eq!(std::fs::read(path.join("2026/01/a.ndjson")).unwrap(), b"{}\n");
    let there = folder.path().join("none/out");
    let orphan = FileTransport::new(move || Ok(Arc::new(FsStorage::create(&there)?)));
    assert_eq!(status(&orphan, &put("a", b"x")), 404);
}
