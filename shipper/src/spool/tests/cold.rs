//! Opening a spool of 10 GB reads its end, not all of it.
//!
//! An eighth of the real sizes (window, segments, what may be read), and the worst case in them: records so small that the
//! tables are nearly all of a segment, and a last segment that is nearly full and has no index.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::draft::TableEntry;
use super::super::format::{HeadSlot, Previous, SegmentHeader};
use super::super::identity::Key;
use super::super::storage::fs::FsStorage;
use super::super::storage::{DirEntry, FileIdentity, LockGuard, Space, StorageFile};
use super::*;

const SCALE: u64 = 8;
const SEGMENT: u64 = WriterOptions::DEFAULT_SEGMENT_BYTES / SCALE;
const WINDOW: usize = 1_000_000 / SCALE as usize;
const MAY_READ: u64 = (64 << 20) / SCALE;
const RECORDS: usize = 6_250;

/// A directory that counts what is read.
struct Counting {
    inner: FsStorage,
    read: Arc<AtomicU64>,
    opened: Arc<AtomicU64>,
}

struct CountingFile {
    inner: Arc<dyn StorageFile>,
    read: Arc<AtomicU64>,
}

impl Counting {
    fn file(&self, inner: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let read = Arc::clone(&self.read);
        Arc::new(CountingFile { inner, read })
    }
}

impl Storage for Counting {
    fn open(&self, path: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        self.inner.open(path, access).map(|file| self.file(file))
    }

    fn create_new(&self, path: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.inner.create_new(path).map(|file| self.file(file))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.link_new(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.inner.list(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.inner.sync_dir(path)
    }

    fn try_lock(&self, path: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.inner.try_lock(path)
    }

    fn is_locked(&self, path: &str) -> io::Result<bool> {
        self.inner.is_locked(path)
    }

    fn space(&self) -> io::Result<Space> {
        self.inner.space()
    }
}

impl StorageFile for CountingFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        self.inner.identity()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read_at(offset, buf)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, bytes)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
}

fn options() -> WriterOptions {
    let mut options = WriterOptions::new("test", MACHINE);
    options.codec = Codec::None;
    options.segment_bytes = SEGMENT;
    options.window = WINDOW;
    options.max_bytes = Some(100 << 30);
    options
}

/// Keys and contents of `RECORDS` records of three bytes.
fn tiny(from: u64) -> Draft {
    let mut draft = Draft::default();
    for number in from..from + RECORDS as u64 {
        let mut key = [7; 16];
        key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        draft.payload.extend_from_slice(b"{}\n");
        draft.contents.push([0; 32]);
        draft.table.push(TableEntry {
            len: 3,
            added: 0,
            flags: TableEntry::HAS_ID,
            time: NOW,
            key: Key(key),
            categories: 0,
            id_hash: number + 1,
        });
    }
    draft.tally.received = RECORDS as u64;
    draft.tally.spooled = RECORDS as u64;
    draft
}

/// Old segments, 10 GB of them, that are nothing but a header and a hole.
fn old_segments(storage: &dyn Storage, slot: &HeadSlot) {
    const LEN: u64 = 32 << 20;
    const COUNT: u64 = 320;
    for number in 0..COUNT {
        let previous = number.checked_sub(1).map(|number| Previous::new(number, LEN, 0));
        let mut bytes = Vec::new();
        SegmentHeader::new(slot.spool, slot.epoch, number, number * 100_000, previous, NOW)
            .encode(&mut bytes);
        let file = storage.create_new(&super::super::segment::path(number)).unwrap();
        file.write_at(0, &bytes).unwrap();
        file.set_len(LEN).unwrap();
    }
    let mut bytes = Vec::new();
    let slot = HeadSlot {
        generation: 100,
        segment: COUNT - 1,
        next_seq: COUNT * 100_000,
        offset: LEN,
        ..slot.clone()
    };
    slot.encode(&mut bytes);
    storage
        .open("head", Access::ReadWrite)
        .unwrap()
        .write_at(0, &bytes)
        .unwrap();
}

#[test]
fn opening_reads_the_end_of_the_spool_only() {
    let folder = tempfile::tempdir().unwrap();
    let open = |storage: Arc<dyn Storage>| {
        let clock = Arc::new(ManualClock::at(NOW));
        Writer::open(storage, options(), clock, Arc::new(SeededRandom::new(1))).unwrap()
    };
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::open(folder.path()).unwrap());
    drop(open(Arc::clone(&storage)));
    let slot = super::super::head::read_slot(&*storage).unwrap().unwrap();
    old_segments(&*storage, &slot);

    let (mut writer, _) = open(Arc::clone(&storage));
    for number in 0..29 {
        writer.append(&tiny(number * RECORDS as u64), NOW).unwrap();
        writer.sync().unwrap();
    }
    let (next, totals) = (writer.next().seq, writer.totals());
    drop(writer);
    let names = storage.list("segments").unwrap();
    let size: u64 = names.iter().map(|entry| entry.len).sum();
    assert!(size > 10_000_000_000, "{size}");

    let (read, opened) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counting = Counting {
        inner: FsStorage::open(folder.path()).unwrap(),
        read: Arc::clone(&read),
        opened: Arc::clone(&opened),
    };
    let (mut writer, report) = open(Arc::new(counting));
    let (read, opened) = (read.load(Ordering::Relaxed), opened.load(Ordering::Relaxed));
    assert_eq!(report.damaged, Vec::<String>::new());
    assert!(read <= MAY_READ, "{read} bytes read");
    assert!(
        read > WINDOW as u64 * 24,
        "{read} bytes cannot be the whole window"
    );
    assert!(opened < 40, "{opened} files opened");
    assert_eq!((writer.next().seq, writer.totals()), (next, totals));
    assert_eq!(writer.window().len(), WINDOW);
}
