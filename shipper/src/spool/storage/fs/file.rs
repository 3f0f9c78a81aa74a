//! One open file: `pread`, `pwrite`, `fallocate`, `ftruncate`, `fdatasync`, each repeated until done.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;

use rustix::fs::{Advice, AtFlags, FallocateFlags, StatxFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::spool::storage::{FileIdentity, StorageFile};

/// An open regular file.
#[derive(Debug)]
pub(super) struct FsFile {
    fd: OwnedFd,
}

impl FsFile {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl StorageFile for FsFile {
    fn len(&self) -> io::Result<u64> {
        let stat = retry_on_intr(|| rustix::fs::fstat(&self.fd))?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        let wanted = StatxFlags::INO | StatxFlags::BTIME;
        match retry_on_intr(|| rustix::fs::statx(&self.fd, "", AtFlags::EMPTY_PATH, wanted)) {
            Ok(stat) => Ok(FileIdentity {
                inode: stat.stx_ino,
                born: match StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME) {
                    true => nanoseconds(stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec),
                    false => 0,
                },
            }),
            // An old kernel, or a sandbox.
            Err(Errno::NOSYS | Errno::PERM) => Ok(FileIdentity {
                inode: rustix::fs::fstat(&self.fd)?.st_ino,
                born: 0,
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let rest = &mut buf[done..];
            match retry_on_intr(|| rustix::io::pread(&self.fd, &mut *rest, offset + done as u64))? {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }

    fn will_read(&self, offset: u64, len: u64) {
        // To the kernel no length is up to the end.
        if let Some(len) = NonZeroU64::new(len) {
            let _ = rustix::fs::fadvise(&self.fd, offset, Some(len), Advice::WillNeed);
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match retry_on_intr(|| rustix::io::pwrite(&self.fd, &bytes[done..], offset + done as u64))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => done += written,
            }
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match retry_on_intr(|| rustix::fs::fallocate(&self.fd, FallocateFlags::empty(), 0, len)) {
            Ok(()) => Ok(()),
            // A filesystem that cannot reserve: what is behind the end is written, which is the next best thing.
            Err(Errno::OPNOTSUPP) => {
                let zeros = vec![0; 64 << 10];
                let mut end = self.len()?;
                while end < len {
                    let step = (len - end).min(zeros.len() as u64);
                    self.write_at(end, &zeros[..usize::try_from(step).unwrap_or(zeros.len())])?;
                    end += step;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.fd, len))?)
    }

    fn sync_data(&self) -> io::Result<()> {
        // Not repeated when interrupted: EINTR from a network filesystem says as little about the data as any other error.
        Ok(rustix::fs::fdatasync(&self.fd)?)
    }
}

fn nanoseconds(seconds: i64, nanoseconds: u32) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds.into())
}
