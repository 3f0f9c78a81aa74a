//! One open file of the simulated disk. It holds the file, not the name: a rename or removal does not disturb it.

use std::io;

use super::disk::{Disk, Id};
use super::fault::Op;
use super::{Access, SimStorage};
use crate::spool::storage::{FileIdentity, StorageFile};

/// An open file.
pub(super) struct SimFile {
    storage: SimStorage,
    id: Id,
    /// The name under which it was opened, for the rules of [`SimStorage::fail_when`].
    path: String,
    access: Access,
}

impl SimFile {
    pub(super) fn new(storage: SimStorage, id: Id, path: String, access: Access) -> Self {
        Self {
            storage,
            id,
            path,
            access,
        }
    }

    /// What writing through a descriptor opened for reading gives on Linux.
    fn writable(&self, otherwise: rustix::io::Errno) -> io::Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::Read => Err(otherwise.into()),
        }
    }

    fn call<T>(&self, op: Op, run: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        self.storage.call(op, &self.path, run)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.storage.disk().release(self.id);
    }
}

impl StorageFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.call(Op::Len, |disk| Ok(disk.len(self.id)))
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        self.call(Op::Identity, |disk| Ok(disk.identity(self.id)))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.call(Op::ReadAt, |disk| Ok(disk.read(self.id, offset, buf)))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.writable(rustix::io::Errno::BADF)?;
        let mut disk = self.storage.disk();
        let died = disk.faults.is_dead();
        match disk.faults.next(Op::WriteAt, &self.path) {
            None => disk.write(self.id, offset, bytes),
            Some(error) => {
                // A dead process writes nothing; a live one is told of a failure after any part.
                if !died && !disk.faults.is_dead() {
                    disk.write(self.id, offset, &bytes[..bytes.len() / 2])?;
                }
                Err(error)
            }
        }
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        self.writable(rustix::io::Errno::BADF)?;
        self.call(Op::Allocate, |disk| disk.allocate(self.id, len))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable(rustix::io::Errno::INVAL)?;
        self.call(Op::SetLen, |disk| {
            disk.set_len(self.id, len);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.storage.disk();
        match disk.faults.next(Op::SyncData, &self.path) {
            None => {
                disk.sync_data(self.id);
                Ok(())
            }
            Some(error) => {
                if !disk.faults.is_dead() {
                    disk.forget_pending(self.id);
                }
                Err(error)
            }
        }
    }
}
