//! A storage that promises to sync and does not: what the tests for power cuts must catch.

use std::io;
use std::sync::Arc;

use auditship::spool::storage::{Access, DirEntry, FileIdentity, LockGuard, Space, Storage, StorageFile};

/// Swallows every sync.
pub(crate) struct Unsynced<S>(pub(crate) S);

struct UnsyncedFile(Arc<dyn StorageFile>);

fn unsynced(file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
    Arc::new(UnsyncedFile(file))
}

impl<S: Storage> Storage for Unsynced<S> {
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        self.0.open(path, access).map(unsynced)
    }

    fn create_new(&self, path: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.create_new(path).map(unsynced)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.0.create_dir(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.link_new(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.0.list(path)
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.0.try_lock(path)
    }

    fn is_locked(&self, path: &str) -> io::Result<bool> {
        self.0.is_locked(path)
    }

    fn space(&self) -> io::Result<Space> {
        self.0.space()
    }
}

impl StorageFile for UnsyncedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        self.0.identity()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
