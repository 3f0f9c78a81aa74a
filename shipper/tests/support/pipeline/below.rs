//! A folder of a disk as a storage of its own, so that the spool and the directory of a `file` destination die together.

use std::io;
use std::sync::Arc;

use auditship::spool::storage::sim::SimStorage;
use auditship::spool::storage::{Access, DirEntry, LockGuard, Space, Storage, StorageFile};

/// Everything below a folder.
#[derive(Clone)]
pub(crate) struct Below {
    disk: SimStorage,
    folder: &'static str,
}

impl Below {
    pub(crate) fn new(disk: &SimStorage, folder: &'static str) -> Self {
        let disk = disk.clone();
        Self { disk, folder }
    }

    fn path(&self, path: &str) -> String {
        if path.is_empty() {
            self.folder.to_owned()
        } else {
            format!("{}/{path}", self.folder)
        }
    }
}

impl Storage for Below {
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        self.disk.open(&self.path(path), access)
    }

    fn create_new(&self, path: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.disk.create_new(&self.path(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.disk.create_dir(&self.path(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.path(from), &self.path(to))
    }

    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.link_new(&self.path(from), &self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(&self.path(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.disk.list(&self.path(path))
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.disk.sync_dir(&self.path(path))
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.disk.try_lock(&self.path(path))
    }

    fn is_locked(&self, path: &str) -> io::Result<bool> {
        self.disk.is_locked(&self.path(path))
    }

    fn space(&self) -> io::Result<Space> {
        self.disk.space()
    }
}
