//! Every single byte flipped, every truncation, of every file of a small spool.
//!
//! After each, whoever reads it, with or without opening it for writing first, must see either what was there, or that
//! something is missing and which numbers; never another record, never a panic. Records that vanish without a word are
//! allowed only above the head and every cursor: nobody was ever promised those. And damage costs no more than the block
//! that it hits.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it skips and counts, and panics where it cannot go on"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use auditship::seal::verify;
use auditship::spool::cursor::{Cursor, Disposition, State, peek};
use auditship::spool::identity::RecordId;
use auditship::spool::storage::sim::{Crash, SimStorage};
use auditship::spool::storage::{Access, EntryKind, Storage};
use auditship::spool::{Kinds, ReadStep, Reader, read_head};
use support::feed::{Holdings, Size, Source, open};

/// The chunk whose append was never synced.
const UNSYNCED: u64 = 8;
/// The destinations, and how many records each has.
const CURSORS: [(&str, u64); 2] = [("behind", 9), ("ahead", 20)];
/// Files that hold nothing.
const EMPTY: [&str; 3] = ["reserve", "writer.lock", "shipper.lock"];

/// Damage to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Flip { at: u64 },
    Cut { len: u64 },
}

impl Damage {
    fn do_to(self, disk: &SimStorage, path: &str) {
        let file = disk.open(path, Access::ReadWrite).unwrap();
        match self {
            Self::Flip { at } => {
                // One bit or several, any of them.
                let mask = u8::try_from(at.wrapping_mul(37) % 255).unwrap_or(0) + 1;
                let mut byte = [0];
                file.read_at(at, &mut byte).unwrap();
                file.write_at(at, &[byte[0] ^ mask]).unwrap();
            }
            Self::Cut { len } => file.set_len(len).unwrap(),
        }
    }

    /// Whether a block from `start` to `end` of the same file was hit.
    fn hits(self, start: u64, end: u64) -> bool {
        match self {
            Self::Flip { at } => (start..end).contains(&at),
            Self::Cut { len } => len < end,
        }
    }
}

/// A block's place and records.
struct Extent {
    path: String,
    start: u64,
    end: u64,
    seqs: BTreeSet<u64>,
}

/// The spool before any damage.
struct Sound {
    disk: SimStorage,
    holdings: Holdings,
    /// Above everything published: may be kept or cut.
    unsynced: BTreeMap<RecordId, Vec<u8>>,
    extents: Vec<Extent>,
    next_seq: u64,
    chain: [u8; 32],
}

/// How often each came out.
#[derive(Default)]
struct Outcomes {
    harmless: u64,
    named: u64,
    refused: u64,
    cut: u64,
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            harmless,
            named,
            refused,
            cut,
        } = self;
        write!(
            f,
            "{harmless} harmless, {named} named, {refused} refused, {cut} cut above the head"
        )
    }
}

fn sound() -> Sound {
    let disk = SimStorage::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (mut writer, _) = open(Arc::clone(&storage), Size::SMALL, 1).unwrap();
    let mut source = Source::new();
    for number in 0..UNSYNCED {
        source.hand_over(&mut writer, number).unwrap();
        writer.sync().unwrap();
        writer.maintain(auditship::time::Timestamp(0));
    }
    for (destination, delivered) in CURSORS {
        let spool = writer.spool_id();
        let mut cursor = Cursor::open_or_create(Arc::clone(&storage), destination, spool, 0).unwrap();
        for upto in [delivered / 2, delivered] {
            let mut state: State = cursor.state().clone();
            let more = upto - state.committed;
            state.pass(more, Disposition::Delivered).unwrap();
            cursor.commit(state).unwrap();
        }
    }
    let unsynced = source.hand_over(&mut writer, UNSYNCED).unwrap();
    let (next_seq, chain) = (writer.head().next_seq, writer.head().chain);
    drop(writer);
    Sound {
        holdings: Holdings::read(Arc::clone(&storage)).unwrap(),
        unsynced: unsynced.records.into_iter().collect(),
        extents: extents(&disk),
        next_seq,
        chain,
        disk: disk.crash(Crash::Kill, 0),
    }
}

/// Where all published blocks stand.
fn extents(disk: &SimStorage) -> Vec<Extent> {
    let mut reader = Reader::open(Arc::new(disk.clone()))
        .unwrap()
        .with_kinds(Kinds::ALL);
    let path = |segment: u64| format!("segments/{segment:016x}.seg");
    let mut extents = Vec::new();
    while let ReadStep::Block(block) = reader.next().unwrap() {
        let header = &block.header;
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let start = block.position.offset;
        extents.push(Extent {
            path: path(block.position.segment),
            start,
            end: start + bytes.len() as u64 + header.sections_len(),
            seqs: (header.first_seq..header.end_seq()).collect(),
        });
    }
    extents
}

/// Every file below `folder`, with its size.
fn files(disk: &SimStorage, folder: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in disk.list(folder).unwrap() {
        let path = format!(
            "{folder}{}{}",
            if folder.is_empty() { "" } else { "/" },
            entry.name
        );
        match entry.kind {
            EntryKind::File => found.push((path, entry.len)),
            EntryKind::Folder => found.extend(files(disk, &path)),
        }
    }
    found.sort();
    found
}

impl Sound {
    /// Judges what is left of the spool after damage to `path`.
    fn judge(&self, path: &str, damage: Damage, outcomes: &mut Outcomes) {
        let disk = self.disk.crash(Crash::Kill, 0);
        damage.do_to(&disk, path);
        let context = format!("{damage:?} of {path}");
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());

        let by_reader = Holdings::read(Arc::clone(&storage));
        let refused = by_reader.is_err();
        if let Ok(holdings) = &by_reader {
            // A reader goes no further than the head that it finds; the next writer mends that.
            let head = read_head(&*storage).unwrap();
            let published = head.map_or(0, |head| head.next_seq);
            self.compare(holdings, published, path, damage, &context);
        }
        self.look_offline(&storage, path, &context);

        match open(Arc::clone(&storage), Size::SMALL, 2) {
            Err(error) => {
                assert!(may_refuse(path), "{context}: {error}");
                outcomes.refused += 1;
            }
            Ok((mut writer, _)) => {
                assert!(!refused || may_refuse(path), "{context}: {:?}", by_reader.err());
                let holdings = Holdings::read(Arc::clone(&storage)).unwrap();
                let missing = self.compare(&holdings, self.next_seq, path, damage, &context);
                let cut = self.unsynced.keys().any(|id| !holdings.records.contains_key(id));
                match (missing, cut) {
                    (true, _) => outcomes.named += 1,
                    (false, true) => outcomes.cut += 1,
                    (false, false) => outcomes.harmless += 1,
                }
                // The spool goes on, and gives no number twice.
                let given = Source::new().hand_over(&mut writer, 99).unwrap();
                writer.sync().unwrap();
                let after = Holdings::read(storage).unwrap();
                for (id, line) in &given.records {
                    assert_eq!(after.records.get(id), Some(line), "{context}");
                    assert!(!self.holdings.records.contains_key(id), "{context}: {id:?} again");
                }
            }
        }
    }

    /// The verifier, on the spool as the damage left it.
    fn look_offline(&self, storage: &Arc<dyn Storage>, path: &str, context: &str) {
        let verified = verify(Arc::clone(storage)).unwrap_or_else(|error| panic!("{context}: {error}"));
        let all = self.holdings.records.len() as u64;
        let behind = verified.to_seq < self.next_seq;
        let silent = verified.is_whole() && (verified.records < all || verified.chain != self.chain);
        // One slot of the head is the publication before the last; that the log went on from there, no file says.
        assert!(
            !silent || path == "head" && behind && verified.records > 0,
            "{context}: {verified:?}"
        );
    }

    /// Panics unless `holdings` is what was there below the number `upto`, but for named losses. Whether there are any.
    fn compare(&self, holdings: &Holdings, upto: u64, path: &str, damage: Damage, context: &str) -> bool {
        for (id, line) in &holdings.records {
            let before = self.holdings.records.get(id).or_else(|| self.unsynced.get(id));
            assert_eq!(before, Some(line), "{context}: {id:?}");
        }
        let missing: BTreeSet<u64> = self
            .holdings
            .records
            .keys()
            .filter(|id| id.seq < upto && !holdings.records.contains_key(id))
            .map(|id| id.seq)
            .collect();
        let is_named = |seq: u64| {
            holdings.lost.iter().any(|step| match step {
                ReadStep::Damaged { first_seq, count, .. } => {
                    (*first_seq..first_seq.saturating_add(*count)).contains(&seq)
                }
                _ => false,
            })
        };
        for seq in &missing {
            assert!(
                is_named(*seq),
                "{context}: {seq} is missing without a word: {:?}",
                holdings.lost
            );
        }
        let hit = self.extents.iter();
        let hit = hit.filter(|extent| extent.path == path && damage.hits(extent.start, extent.end));
        let hit: BTreeSet<u64> = hit.flat_map(|extent| extent.seqs.iter().copied()).collect();
        assert!(missing.is_subset(&hit), "{context}: {missing:?} were not hit");
        !missing.is_empty()
    }
}

/// What may keep a spool from being opened: nothing.
fn may_refuse(_path: &str) -> bool {
    false
}

/// Damages every file in every place, or at every length.
fn damage_everything(what: impl Fn(u64) -> Damage) {
    let sound = sound();
    let mut outcomes = Outcomes::default();
    for (path, len) in files(&sound.disk, "") {
        // Cursors, which are long, have their own tests.
        if !path.starts_with("cursors/") && !EMPTY.contains(&path.as_str()) {
            println!("{path}: {len} bytes");
            (0..len).for_each(|at| sound.judge(&path, what(at), &mut outcomes));
        }
    }
    println!("{outcomes}");
    let Outcomes {
        harmless, named, cut, ..
    } = outcomes;
    assert!(harmless > 0 && named > 0 && cut > 0, "{outcomes}");
}

#[test]
fn no_byte_of_a_spool_lies_unnoticed() {
    damage_everything(|at| Damage::Flip { at });
}

#[test]
fn no_length_of_a_spool_lies_unnoticed() {
    damage_everything(|len| Damage::Cut { len });
}

/// A cursor falls back to the commit before, or refuses: never anything that was not committed.
#[test]
fn no_byte_and_no_length_of_a_cursor_lies_unnoticed() {
    let sound = sound();
    for (destination, delivered) in CURSORS {
        let path = &format!("cursors/{destination}.cur");
        let disk = sound.disk.crash(Crash::Kill, 0);
        let file = disk.open(path, Access::ReadWrite).unwrap();
        let len = file.len().unwrap();
        let mut fallen_back = 0;
        let mut look = |context: &dyn fmt::Debug| {
            let Ok(peeked) = peek(&disk, destination) else {
                return;
            };
            let committed = peeked.unwrap().state.committed;
            assert!(
                [delivered, delivered / 2].contains(&committed),
                "{context:?}: {committed}"
            );
            fallen_back += u64::from(committed != delivered);
        };
        for at in 0..len {
            let flip = Damage::Flip { at };
            flip.do_to(&disk, path);
            look(&flip);
            flip.do_to(&disk, path);
        }
        for len in (0..len).rev() {
            let cut = Damage::Cut { len };
            cut.do_to(&disk, path);
            look(&cut);
        }
        assert!(fallen_back > 0, "no flip of {path} made a difference");
    }
}

/// The writer asks cursors what may be removed and what may be cut: damage to one must not make it bolder.
#[test]
fn a_damaged_cursor_costs_no_record() {
    let sound = sound();
    let mut outcomes = Outcomes::default();
    for (path, len) in files(&sound.disk, "cursors") {
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        let file = sound.disk.open(&path, Access::Read).unwrap();
        file.read_at(0, &mut bytes).unwrap();
        let used = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
        for (at, _) in used {
            let at = at as u64;
            sound.judge(&path, Damage::Flip { at }, &mut outcomes);
            sound.judge(&path, Damage::Cut { len: at }, &mut outcomes);
        }
    }
    assert_eq!((outcomes.named, outcomes.refused), (0, 0), "{outcomes}");
    assert_eq!(sound.next_seq, sound.holdings.records.len() as u64);
}
