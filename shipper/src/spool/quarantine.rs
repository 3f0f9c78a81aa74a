//! The folder `quarantine/`: what a crash tore off, and undecodable input that outlives its segment.
//!
//! # In scope
//! A quarantine block stays in the log until its segment goes. Then it is *carried* here, byte for byte, unless somebody
//! has looked after it: got records out of it, or discarded it.
//!
//! | name | content |
//! |---|---|
//! | `%016x-%x.tail` | bytes that a crash tore off: segment, offset |
//! | `%016x-%x.block` | a carried block: where it stood in the log |
//! | `%016x-%x.done` | nothing: the block at that place of the log need not be carried |
//!
//! # Invariants
//! 1. A block is carried, durably, before its segment is removed. Its name says where it stood, so carrying it again after
//!    a crash gives the same file: a block is in one place or, for a moment, in both as one.
//! 2. A `.done` file is made after what was done is durable. Without it, after a crash between the two, the block is
//!    carried although it need not be; nothing is ever lost by a missing or late file.
//!
//! Written by the writer's thread; read by any thread of any process without a lock.

use std::io;

use super::block::{Block, Position};
use super::error::SpoolError;
use super::format::{BlockHeader, MAX_HEADER};
use super::identity::SpoolId;
use super::storage::{Access, EntryKind, Storage};

/// The folder.
pub(crate) const FOLDER: &str = "quarantine";

/// What a file in the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// What a crash tore off.
    Tail,
    /// A carried block.
    Block,
    /// The block in the log has been looked after.
    Done,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Tail, Self::Block, Self::Done];

    fn suffix(self) -> &'static str {
        match self {
            Self::Tail => "tail",
            Self::Block => "block",
            Self::Done => "done",
        }
    }

    /// The path of the file of this sort about what stood at `place`.
    pub(crate) fn path(self, place: Position) -> String {
        format!("{FOLDER}/{}", self.name(place))
    }

    fn name(self, place: Position) -> String {
        format!("{:016x}-{:x}.{}", place.segment, place.offset, self.suffix())
    }
}

/// One file of the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) sort: Sort,
    pub(crate) place: Position,
    pub(crate) len: u64,
}

/// What is in the folder, oldest place first; no folder, nothing. Names of another form are not ours.
pub(crate) fn list(storage: &dyn Storage) -> io::Result<Vec<Listed>> {
    let entries = match storage.list(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let files = entries.into_iter().filter(|entry| entry.kind == EntryKind::File);
    let mut listed: Vec<Listed> = files
        .filter_map(|entry| {
            let (sort, place) = parse(&entry.name)?;
            Some(Listed {
                sort,
                place,
                len: entry.len,
            })
        })
        .collect();
    listed.sort_unstable_by_key(|file| file.place);
    Ok(listed)
}

fn parse(name: &str) -> Option<(Sort, Position)> {
    let (stem, suffix) = name.split_once('.')?;
    let sort = Sort::ALL.into_iter().find(|sort| sort.suffix() == suffix)?;
    let (segment, offset) = stem.split_once('-')?;
    let place = Position {
        segment: u64::from_str_radix(segment, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
    };
    (sort.name(place) == name).then_some((sort, place))
}

/// The carried blocks of `spool`, oldest first. Calls `each` with one at a time; those that are damaged are passed over.
///
/// # Errors
/// [`SpoolError::Io`].
pub fn carried(
    storage: &dyn Storage,
    spool: SpoolId,
    mut each: impl FnMut(&Block),
) -> Result<(), SpoolError> {
    let listed = list(storage).map_err(|error| SpoolError::io("list", FOLDER, &error))?;
    for file in listed.iter().filter(|file| file.sort == Sort::Block) {
        if let Some(block) = carried_at(storage, spool, file.place)? {
            each(&block);
        }
    }
    Ok(())
}

/// The block that stood at `place`, when it was carried and is whole.
///
/// # Errors
/// [`SpoolError::Io`].
pub fn carried_at(
    storage: &dyn Storage,
    spool: SpoolId,
    place: Position,
) -> Result<Option<Block>, SpoolError> {
    let path = Sort::Block.path(place);
    let failed = |error: io::Error| SpoolError::io("read", &path, &error);
    let file = match storage.open(&path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mut bytes = vec![0; MAX_HEADER];
    let have = file.read_at(0, &mut bytes).map_err(failed)?;
    // How much there is to read is for the header to say, which has a checksum, and not for the file's length alone.
    let Ok((header, header_len)) = BlockHeader::decode(&bytes[..have]) else {
        return Ok(None);
    };
    let whole = header.sections_len().saturating_add(header_len as u64);
    if file.len().map_err(failed)? < whole {
        return Ok(None);
    }
    bytes.resize(usize::try_from(whole).unwrap_or(usize::MAX), 0);
    let have = file.read_at(0, &mut bytes).map_err(failed)?;
    Ok(Block::decode(&bytes[..have], spool, place).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::storage::fs::FsStorage;

    /// It would not fit into memory.
    #[test]
    fn a_file_that_is_no_block_is_passed_over_however_long_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FsStorage::open(folder.path()).unwrap();
        storage.create_dir(FOLDER).unwrap();
        let place = Position {
            segment: 1,
            offset: 4096,
        };
        let file = std::fs::File::create(folder.path().join(Sort::Block.path(place))).unwrap();
        file.set_len(1 << 42).unwrap();
        let spool = SpoolId([7; 16]);
        assert_eq!(
            carried_at(&storage, spool, place).map(|block| block.is_some()),
            Ok(false)
        );
    }

    #[test]
    fn names_read_back_and_others_are_not_ours() {
        let place = Position {
            segment: 0x1f,
            offset: 4096,
        };
        for sort in Sort::ALL {
            assert_eq!(parse(&sort.name(place)), Some((sort, place)));
        }
        assert_eq!(Sort::Block.path(place), "quarantine/000000000000001f-1000.block");
        for other in [
            "000000000000001f-1000.block.tmp",
            "1f-1000.block",
            "000000000000001f-01000.block",
            "000000000000001f.block",
            "000000000000001f-1000.txt",
            "000000000000001F-1000.tail",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
