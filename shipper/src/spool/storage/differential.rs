//! The simulated disk and a real directory answer every sequence of operations alike.

use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::fs::FsStorage;
use super::sim::SimStorage;
use super::{Access, LockGuard, Storage, StorageFile};

const PATHS: [&str; 8] = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "a/x"];

/// One operation on the path, or the open file, of a number.
#[derive(Clone, Debug)]
enum Step {
    Open(usize, bool),
    Create(usize),
    CreateDir(usize),
    Rename(usize, usize),
    Link(usize, usize),
    Remove(usize),
    List(usize),
    SyncDir(usize),
    Lock(usize),
    Unlock,
    IsLocked(usize),
    Close(usize),
    Len(usize),
    Read(usize, u64, usize),
    Write(usize, u64, usize),
    Allocate(usize, u64),
    SetLen(usize, u64),
    Sync(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    let file = || 0..4usize;
    prop_oneof![
        1 => (path(), any::<bool>()).prop_map(|(path, write)| Step::Open(path, write)),
        3 => path().prop_map(Step::Create),
        2 => path().prop_map(Step::CreateDir),
        1 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => path().prop_map(Step::Remove),
        1 => path().prop_map(Step::List),
        1 => path().prop_map(Step::SyncDir),
        1 => path().prop_map(Step::Lock),
        1 => Just(Step::Unlock),
        1 => path().prop_map(Step::IsLocked),
        1 => file().prop_map(Step::Close),
        1 => file().prop_map(Step::Len),
        1 => (file(), 0..9000u64, 0..5000usize).prop_map(|(file, at, len)| Step::Read(file, at, len)),
        4 => (file(), 0..9000u64, 0..5000usize).prop_map(|(file, at, len)| Step::Write(file, at, len)),
        1 => (file(), 0..9000u64).prop_map(|(file, len)| Step::Allocate(file, len)),
        1 => (file(), 0..9000u64).prop_map(|(file, len)| Step::SetLen(file, len)),
        1 => file().prop_map(Step::Sync),
    ]
}

/// A storage with what a program holds open on it.
struct Program {
    storage: Box<dyn Storage>,
    files: Vec<Arc<dyn StorageFile>>,
    locks: Vec<Box<dyn LockGuard>>,
}

impl Program {
    fn new(storage: impl Storage + 'static) -> Self {
        let storage = Box::new(storage);
        let (files, locks) = (Vec::new(), Vec::new());
        Self {
            storage,
            files,
            locks,
        }
    }

    /// The file of a number, counted from the one opened last.
    fn file(&self, number: usize) -> io::Result<&dyn StorageFile> {
        let file = self.files.iter().rev().nth(number);
        file.map(|file| &**file)
            .ok_or_else(|| io::Error::other("no such file"))
    }

    /// Runs a step; all that can be seen of it.
    fn run(&mut self, step: &Step) -> io::Result<String> {
        let storage = &self.storage;
        match *step {
            Step::Open(path, write) => {
                let access = if write { Access::ReadWrite } else { Access::Read };
                let file = storage.open(PATHS[path], access)?;
                self.files.push(file);
            }
            Step::Create(path) => {
                let file = storage.create_new(PATHS[path])?;
                self.files.push(file);
            }
            Step::CreateDir(path) => storage.create_dir(PATHS[path])?,
            // Linux has another word for this than for other folders in the way.
            Step::Rename(from, to) if PATHS[from].starts_with(&format!("{}/", PATHS[to])) => {}
            Step::Rename(from, to) => {
                // Not for folders.
                storage.open(PATHS[from], Access::Read)?;
                storage.rename(PATHS[from], PATHS[to])?;
            }
            Step::Link(from, to) => storage.link_new(PATHS[from], PATHS[to])?,
            Step::Remove(path) => storage.remove(PATHS[path])?,
            Step::List(path) => {
                let mut entries = storage.list(PATHS[path])?;
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(format!("{entries:?}"));
            }
            Step::SyncDir(path) => storage.sync_dir(PATHS[path])?,
            Step::Lock(path) => {
                let guard = storage.try_lock(PATHS[path])?;
                let had = guard.is_some();
                self.locks.extend(guard);
                return Ok(format!("{had}"));
            }
            Step::Unlock => drop(self.locks.pop()),
            Step::IsLocked(path) => return Ok(format!("{}", storage.is_locked(PATHS[path])?)),
            Step::Close(number) if number < self.files.len() => drop(self.files.remove(number)),
            Step::Close(_) => {}
            Step::Len(file) => return Ok(format!("{}", self.file(file)?.len()?)),
            Step::Read(file, at, len) => {
                let mut buf = vec![1; len];
                let read = self.file(file)?.read_at(at, &mut buf)?;
                return Ok(format!("{read} {}", blake3::hash(&buf)));
            }
            Step::Write(file, at, len) => {
                let fill = u8::try_from(at % 251).unwrap_or(0) + 1;
                self.file(file)?.write_at(at, &vec![fill; len])?;
            }
            Step::Allocate(file, len) => self.file(file)?.allocate(len)?,
            Step::SetLen(file, len) => self.file(file)?.set_len(len)?,
            Step::Sync(file) => self.file(file)?.sync_data()?,
        }
        Ok(String::new())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_answer_alike(steps in prop::collection::vec(step(), 1..80)) {
        let directory = tempfile::tempdir().unwrap();
        let mut real = Program::new(FsStorage::open(directory.path()).unwrap());
        let mut simulated = Program::new(SimStorage::new());
        for step in &steps {
            let [expected, found] = [&mut real, &mut simulated].map(|program| {
                // Without the operating system's words; `kind` also tells errors that have no stable name.
                program.run(step).map_err(|error| format!("{:?}", error.kind()))
            });
            prop_assert_eq!(&expected, &found, "at {:?}", step);
        }
    }
}
