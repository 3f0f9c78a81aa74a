//! The segment files that this opening writes: making one, closing it, cutting what is void.
//!
//! A segment gets its name when its header (and what was adopted into it) is synced. The folder is synced before
//! anything in it can count. A number is never used twice, whatever became of the file.
//!
//! A segment that is given up is void by what the next header says, not by its removal. Between the two a crash makes it
//! an unsynced tail like any other, which recovery adopts: so what is in it is cut off where it cannot be removed.

use std::io;
use std::sync::Arc;

use crate::spool::error::IoFailure;
use crate::spool::format::{Index, IndexEntry, Previous, SegmentHeader};
use crate::spool::head::Head;
use crate::spool::identity::SpoolId;
use crate::spool::recovery::Adopted;
use crate::spool::segment::{self, FOLDER};
use crate::spool::storage::{Access, Storage, StorageFile};
use crate::time::Timestamp;

/// How much of adopted blocks is copied at once.
const COPY: u64 = 1 << 20;

/// The segment that is being written.
pub(super) struct Current {
    pub(super) file: Arc<dyn StorageFile>,
    pub(super) path: String,
    pub(super) header: SegmentHeader,
    /// Its blocks, unsynced ones included.
    blocks: Vec<IndexEntry>,
    /// How large its index block becomes, about.
    index_len: u64,
}

/// Bytes of the index blocks beside their entries.
const INDEX_FRAME: u64 = 1024;

impl Current {
    fn new(file: Arc<dyn StorageFile>, path: String, header: SegmentHeader) -> Self {
        Self {
            file,
            path,
            header,
            blocks: Vec::new(),
            index_len: INDEX_FRAME,
        }
    }

    pub(super) fn blocks(&self) -> &[IndexEntry] {
        &self.blocks
    }

    /// Notes further blocks.
    pub(super) fn extend(&mut self, blocks: impl Iterator<Item = IndexEntry>) {
        for block in blocks {
            self.index_len += Index::len_of(&block);
            self.blocks.push(block);
        }
    }
}

/// Where this opening is among the segments.
pub(super) struct Files {
    pub(super) current: Option<Current>,
    /// The last segment that was closed: what the next header names.
    pub(super) previous: Option<Previous>,
    next_number: u64,
    /// What was given up and could not be removed.
    left_over: Vec<String>,
}

/// More than so many left over files are left to the next opening.
const MAX_LEFT_OVER: usize = 256;

impl Files {
    pub(super) fn new(previous: Option<Previous>, next_number: u64) -> Self {
        Self {
            current: None,
            previous,
            next_number,
            left_over: Vec::new(),
        }
    }

    /// Removes a file that means nothing, durably; one that cannot be removed now is tried again.
    pub(super) fn remove(&mut self, storage: &dyn Storage, path: String) -> bool {
        let removed = remove_durably(storage, &path);
        if !removed && self.left_over.len() < MAX_LEFT_OVER {
            self.left_over.push(path);
        }
        removed
    }

    /// Tries again to remove what could not be removed. Whether nothing is left over.
    pub(super) fn remove_left_over(&mut self, storage: &dyn Storage) -> bool {
        while let Some(path) = self.left_over.last() {
            if !remove_durably(storage, path) {
                return false;
            }
            self.left_over.pop();
        }
        true
    }

    /// About how large the current segment's index block becomes, with `more` blocks.
    pub(super) fn index_len(&self, more: &[IndexEntry]) -> u64 {
        let present = self
            .current
            .as_ref()
            .map_or(INDEX_FRAME, |current| current.index_len);
        present + more.iter().map(Index::len_of).sum::<u64>()
    }

    /// Makes the next segment, which goes on from `at`, and writes to it from now on. Gives where its first block begins.
    pub(super) fn create(
        &mut self,
        storage: &dyn Storage,
        spool: SpoolId,
        at: &Head,
        now: Timestamp,
        adopted: Option<&Adopted>,
    ) -> Result<u64, IoFailure> {
        let number = self.next_number;
        self.next_number += 1;
        let mut header = SegmentHeader::new(spool, at.epoch, number, at.next_seq, self.previous, now);
        header.chain = at.chain;
        header.totals = at.totals;
        let temporary = format!("{FOLDER}/{number:016x}.tmp");
        let path = segment::path(number);
        let made = make(storage, &temporary, &path, &header, adopted);
        let (file, len) = match made {
            Ok(made) => made,
            Err(failure) => {
                self.remove(storage, temporary);
                self.remove(storage, path);
                return Err(failure);
            }
        };
        let mut current = Current::new(file, path, header);
        if let Some(adopted) = adopted {
            let shift = |block: &IndexEntry| IndexEntry {
                offset: block.offset - adopted.from.offset + SegmentHeader::LEN as u64,
                ..*block
            };
            current.extend(adopted.blocks.iter().map(shift));
        }
        self.current = Some(current);
        Ok(len)
    }

    /// Ends the current segment at `end`; `index` is where its index block begins, 0 without one.
    pub(super) fn close(&mut self, end: u64, index: u64) -> Option<Current> {
        let current = self.current.take()?;
        self.previous = Some(Previous::new(current.header.number, end, index));
        Some(current)
    }

    /// Gives up the current segment, in which nothing was ever synced: it is void for whoever finds it.
    pub(super) fn abandon(&mut self, storage: &dyn Storage) {
        if let Some(current) = self.current.take()
            && !self.remove(storage, current.path)
        {
            let _ = current.file.set_len(SegmentHeader::LEN as u64);
        }
    }
}

fn remove_durably(storage: &dyn Storage, path: &str) -> bool {
    match storage.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return false,
        Ok(()) | Err(_) => {}
    }
    storage.sync_dir(FOLDER).is_ok()
}

fn make(
    storage: &dyn Storage,
    temporary: &str,
    path: &str,
    header: &SegmentHeader,
    adopted: Option<&Adopted>,
) -> Result<(Arc<dyn StorageFile>, u64), IoFailure> {
    let failed = |action: &'static str| move |error: io::Error| IoFailure::new(action, temporary, &error);
    match storage.remove(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove")(error)),
        Ok(()) | Err(_) => {}
    }
    let file = storage.create_new(temporary).map_err(failed("create"))?;
    let mut bytes = Vec::with_capacity(SegmentHeader::LEN);
    header.encode(&mut bytes);
    file.write_at(0, &bytes).map_err(failed("write"))?;
    let mut len = bytes.len() as u64;
    if let Some(adopted) = adopted {
        len += copy(storage, adopted, &*file, len)?;
    }
    file.sync_data().map_err(failed("sync"))?;
    storage.rename(temporary, path).map_err(failed("rename"))?;
    storage
        .sync_dir(FOLDER)
        .map_err(|error| IoFailure::new("sync", FOLDER, &error))?;
    Ok((file, len))
}

fn copy(
    storage: &dyn Storage,
    adopted: &Adopted,
    to: &dyn StorageFile,
    mut at: u64,
) -> Result<u64, IoFailure> {
    let path = segment::path(adopted.from.segment);
    let failed = |action: &'static str| {
        let path = &path;
        move |error: io::Error| IoFailure::new(action, path, &error)
    };
    let from = storage.open(&path, Access::Read).map_err(failed("open"))?;
    copy_range(&*from, adopted.from.offset, adopted.to, |bytes| {
        to.write_at(at, bytes)?;
        at += bytes.len() as u64;
        Ok(())
    })
    .map_err(failed("copy blocks of"))?;
    Ok(adopted.to - adopted.from.offset)
}

/// Hands the bytes of `file` from `from` to `to` over in pieces.
pub(super) fn copy_range(
    file: &dyn StorageFile,
    mut from: u64,
    to: u64,
    mut put: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; usize::try_from(COPY.min(to.saturating_sub(from))).unwrap_or(0)];
    while from < to {
        let wanted = usize::try_from((to - from).min(COPY)).unwrap_or(0);
        let have = file.read_at(from, &mut piece[..wanted])?;
        if have < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        put(&piece[..have])?;
        from += have as u64;
    }
    Ok(())
}
