//! The files and folders of the simulated disk: what is visible, what is durable, what is pending between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::fault::Faults;
use crate::spool::storage::{FileIdentity, name_of, parent, parts};

/// Which file or folder, whatever its names are.
pub(super) type Id = u64;
/// Bytes that are allocated together.
const BLOCK: u64 = 4096;
/// The root folder.
const ROOT: Id = 0;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(Id),
    Folder(Id),
}

/// A change of one file's content.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { at: u64, bytes: Vec<u8> },
    SetLen(u64),
}

/// A change with its place in the order of all changes of the disk.
#[derive(Clone, Debug)]
pub(super) struct Pending<T> {
    pub(super) stamp: u64,
    pub(super) change: T,
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// Shared with other images of the disk until it is changed.
    pub(super) base: Arc<Vec<u8>>,
    pub(super) pending: Vec<Pending<Change>>,
    pub(super) visible: Arc<Vec<u8>>,
    /// Numbers of the blocks that the file has.
    pub(super) blocks: BTreeSet<u64>,
    /// The disk's age when the file was made, and which copy of the disk this is.
    pub(super) born: i64,
    /// Open handles and locks: as long as there is one, the blocks stay.
    pub(super) handles: usize,
}

pub(super) type Names = BTreeMap<String, Node>;

#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) base: Names,
    /// One name got this meaning, or lost any.
    pub(super) pending: Vec<Pending<(String, Option<Node>)>>,
    pub(super) visible: Names,
}

pub(super) struct Disk {
    pub(super) files: BTreeMap<Id, File>,
    pub(super) folders: BTreeMap<Id, Folder>,
    pub(super) locks: BTreeSet<Id>,
    pub(super) faults: Faults,
    pub(super) budget: Option<u64>,
    next_id: Id,
    pub(super) stamp: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self::of(BTreeMap::new(), BTreeMap::from([(ROOT, Folder::default())]), 0)
    }
}

impl Disk {
    /// A disk with these contents, the newest change of which has `stamp`, and neither locks nor faults nor a limit.
    pub(super) fn of(files: BTreeMap<Id, File>, folders: BTreeMap<Id, Folder>, stamp: u64) -> Self {
        let highest = files.keys().chain(folders.keys()).max();
        let next_id = highest.map_or(ROOT, |id| id + 1);
        let mut disk = Self {
            files,
            folders,
            locks: BTreeSet::new(),
            faults: Faults::default(),
            budget: None,
            next_id,
            stamp,
        };
        for file in disk.files.values_mut() {
            file.handles = 0;
        }
        let ids: Vec<Id> = disk.files.keys().copied().collect();
        ids.into_iter().for_each(|id| disk.collect(id));
        disk
    }

    // ---- names

    fn folder(&self, path: &str) -> io::Result<Id> {
        parts(path)?.try_fold(ROOT, |id, part| match self.folders[&id].visible.get(part) {
            Some(Node::Folder(below)) => Ok(*below),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    /// The folder that holds `path`, the last part, and what that stands for.
    fn find<'a>(&self, path: &'a str) -> io::Result<(Id, &'a str, Option<Node>)> {
        let name = name_of(path)?;
        let folder = self.folder(parent(path))?;
        Ok((folder, name, self.folders[&folder].visible.get(name).copied()))
    }

    pub(super) fn find_file(&self, path: &str) -> io::Result<Id> {
        match self.find(path)?.2 {
            Some(Node::File(id)) => Ok(id),
            Some(Node::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn names(&self, path: &str) -> io::Result<Names> {
        let folder = self.folder(path)?;
        Ok(self.folders[&folder].visible.clone())
    }

    /// Gives a name a meaning. Changes that belong to one call have one stamp.
    fn set_name(&mut self, folder: Id, name: &str, node: Option<Node>) {
        let stamp = self.stamp;
        let Some(folder) = self.folders.get_mut(&folder) else {
            return;
        };
        folder.pending.push(Pending {
            stamp,
            change: (name.to_owned(), node),
        });
        match node {
            Some(node) => folder.visible.insert(name.to_owned(), node),
            None => folder.visible.remove(name),
        };
    }

    fn new_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(super) fn create_file(&mut self, path: &str) -> io::Result<Id> {
        let (folder, name, taken) = self.find(path)?;
        if taken.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.new_id();
        self.stamp += 1;
        let file = File {
            born: i64::try_from(self.stamp).unwrap_or(i64::MAX),
            ..File::default()
        };
        self.files.insert(id, file);
        self.set_name(folder, name, Some(Node::File(id)));
        Ok(id)
    }

    pub(super) fn identity(&self, id: Id) -> FileIdentity {
        let born = self.files.get(&id).map_or(0, |file| file.born);
        FileIdentity { inode: id, born }
    }

    /// Makes this the disk that all files were copied to.
    pub(super) fn be_a_copy(&mut self) {
        for file in self.files.values_mut() {
            file.born += 1 << 32;
        }
    }

    pub(super) fn create_dir(&mut self, path: &str) -> io::Result<()> {
        name_of(path)?;
        let mut folder = ROOT;
        for part in parts(path)? {
            folder = match self.folders[&folder].visible.get(part) {
                Some(Node::Folder(id)) => *id,
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {
                    let id = self.new_id();
                    self.folders.insert(id, Folder::default());
                    self.stamp += 1;
                    self.set_name(folder, part, Some(Node::Folder(id)));
                    id
                }
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        name_of(to)?;
        let (from_folder, from_name, node) = self.find(from)?;
        let (to_folder, to_name, replaced) = self.find(to)?;
        let Some(node) = node else {
            return Err(io::ErrorKind::NotFound.into());
        };
        match (node, replaced) {
            (Node::Folder(_), _) => return Err(io::ErrorKind::InvalidInput.into()),
            (Node::File(_), Some(Node::Folder(_))) => return Err(io::ErrorKind::IsADirectory.into()),
            (Node::File(_), Some(Node::File(_)) | None) => {}
        }
        if replaced == Some(node) {
            return Ok(());
        }
        self.stamp += 1;
        self.set_name(from_folder, from_name, None);
        self.set_name(to_folder, to_name, Some(node));
        if let Some(Node::File(id)) = replaced {
            self.collect(id);
        }
        Ok(())
    }

    pub(super) fn link_new(&mut self, from: &str, to: &str) -> io::Result<()> {
        name_of(to)?;
        let (_, _, node) = self.find(from)?;
        let (folder, name, taken) = self.find(to)?;
        let Some(node) = node else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if taken.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if matches!(node, Node::Folder(_)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.stamp += 1;
        self.set_name(folder, name, Some(node));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        let id = self.find_file(path)?;
        let (folder, name, _) = self.find(path)?;
        self.stamp += 1;
        self.set_name(folder, name, None);
        self.collect(id);
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &str) -> io::Result<()> {
        let id = self.folder(path)?;
        let Some(folder) = self.folders.get_mut(&id) else {
            return Ok(());
        };
        let before = std::mem::replace(&mut folder.base, folder.visible.clone());
        let pending = std::mem::take(&mut folder.pending);
        let named = before.into_values();
        for node in named.chain(pending.into_iter().filter_map(|pending| pending.change.1)) {
            if let Node::File(id) = node {
                self.collect(id);
            }
        }
        Ok(())
    }

    // ---- blocks

    pub(super) fn hold(&mut self, id: Id) {
        self.file_mut(id).handles += 1;
    }

    pub(super) fn release(&mut self, id: Id) {
        let file = self.file_mut(id);
        file.handles = file.handles.saturating_sub(1);
        self.collect(id);
    }

    /// Frees the blocks of a file that neither a name nor a handle leads to, and the file itself when no crash could
    /// bring it back.
    fn collect(&mut self, id: Id) {
        let node = Node::File(id);
        if self.files.get(&id).is_none_or(|file| file.handles > 0) {
            return;
        }
        let visible = |folder: &Folder| folder.visible.values().any(|named| *named == node);
        if self.folders.values().any(visible) {
            return;
        }
        let durable = |folder: &Folder| {
            let pending = folder.pending.iter();
            let mut pending = pending.filter_map(|pending| pending.change.1);
            folder.base.values().any(|named| *named == node) || pending.any(|named| named == node)
        };
        if self.folders.values().any(durable) {
            self.file_mut(id).blocks.clear();
        } else {
            self.files.remove(&id);
        }
    }

    /// Bytes of all blocks in use.
    pub(super) fn used(&self) -> u64 {
        let blocks: usize = self.files.values().map(|file| file.blocks.len()).sum();
        blocks as u64 * BLOCK
    }

    /// Gives a file the blocks from `at` on; up to which byte there was room.
    fn reserve(&mut self, id: Id, at: u64, end: u64) -> u64 {
        let mut free = self
            .budget
            .map_or(u64::MAX, |budget| budget.saturating_sub(self.used()) / BLOCK);
        let blocks = &mut self.file_mut(id).blocks;
        for block in at / BLOCK..end.div_ceil(BLOCK) {
            if !blocks.contains(&block) {
                if free == 0 {
                    return at.max(block * BLOCK);
                }
                free -= 1;
                blocks.insert(block);
            }
        }
        end
    }

    // ---- content

    fn file_mut(&mut self, id: Id) -> &mut File {
        self.files.entry(id).or_default()
    }

    pub(super) fn len(&self, id: Id) -> u64 {
        self.files.get(&id).map_or(0, |file| file.visible.len() as u64)
    }

    pub(super) fn read(&self, id: Id, offset: u64, buf: &mut [u8]) -> usize {
        let content = self
            .files
            .get(&id)
            .map_or(&[][..], |file| file.visible.as_slice());
        let rest = usize::try_from(offset).ok().and_then(|at| content.get(at..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        len
    }

    pub(super) fn write(&mut self, id: Id, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = at + bytes.len() as u64;
        let fits = self.reserve(id, at, end);
        let part = &bytes[..index(fits - at)];
        if !part.is_empty() {
            let bytes = part.to_vec();
            self.change(id, Change::Write { at, bytes });
        }
        if fits < end {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn allocate(&mut self, id: Id, len: u64) -> io::Result<()> {
        if self.reserve(id, 0, len) < len {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.len(id) < len {
            self.change(id, Change::SetLen(len));
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, id: Id, len: u64) {
        if self.len(id) != len {
            self.change(id, Change::SetLen(len));
            self.file_mut(id)
                .blocks
                .retain(|block| *block < len.div_ceil(BLOCK));
        }
    }

    fn change(&mut self, id: Id, change: Change) {
        self.stamp += 1;
        let stamp = self.stamp;
        let file = self.file_mut(id);
        change.apply(Arc::make_mut(&mut file.visible));
        file.pending.push(Pending { stamp, change });
    }

    pub(super) fn sync_data(&mut self, id: Id) {
        let file = self.file_mut(id);
        for pending in file.pending.drain(..) {
            pending.change.apply(Arc::make_mut(&mut file.base));
        }
    }

    /// What a failed sync does: the changes stay visible and will never be durable.
    pub(super) fn forget_pending(&mut self, id: Id) {
        self.file_mut(id).pending.clear();
    }
}

impl Change {
    /// Makes the change in a content.
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let (from, to) = (index(*at), index(*at) + bytes.len());
                if content.len() < to {
                    content.resize(to, 0);
                }
                content[from..to].copy_from_slice(bytes);
            }
            Self::SetLen(len) => content.resize(index(*len), 0),
        }
    }
}

/// A position as an index: every content is in memory.
pub(super) fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
