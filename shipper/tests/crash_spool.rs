//! The spool, cut at every change it makes to the disk, under every kind of crash.
//!
//! Promised after each: what was acknowledged is there, as it was, under its own number; a source that hands over again
//! what was not acknowledged, and some of what was, doubles nothing that has an id; both sums balance; the chain holds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it skips and counts, and panics where it cannot go on"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::ErrorKind;
use std::sync::Arc;

use auditship::seal::verify;
use auditship::spool::count::Tally;
use auditship::spool::storage::Storage;
use auditship::spool::storage::sim::{Crash, SimStorage};
use auditship::spool::{AppendError, SpoolError, Writer};
use auditship::time::Timestamp;
use support::cut::{Again, Cut, Cutting};
use support::feed::{Given, Holdings, Size, Source, WITH_ID, event_id, open};
use support::unsynced::Unsynced;

/// How many chunks the workload hands over.
const CHUNKS: u64 = 16;
/// How often something is tried on a disk of which a few calls fail.
const TRIES: usize = 8;

/// What a source was promised.
#[derive(Default)]
struct Promised {
    acknowledged: Vec<Given>,
}

impl Promised {
    fn has(&self, chunk: u64) -> bool {
        self.acknowledged.iter().any(|given| given.chunk == chunk)
    }

    fn totals(&self) -> Tally {
        let mut totals = Tally::default();
        self.acknowledged
            .iter()
            .for_each(|given| totals.add(&given.tally));
        totals
    }
}

/// Hands over `chunks`, a few to each sync.
fn pump(
    writer: &mut Writer,
    chunks: impl Iterator<Item = u64>,
    promised: &mut Promised,
) -> Result<(), AppendError> {
    let mut source = Source::new();
    let mut waiting = Vec::new();
    for number in chunks {
        waiting.push(source.hand_over(writer, number)?);
        if number % 3 != 1 {
            writer.sync()?;
            promised.acknowledged.append(&mut waiting);
            writer.maintain(Timestamp(i64::try_from(number).unwrap_or(0)));
        }
    }
    writer.sync()?;
    promised.acknowledged.append(&mut waiting);
    Ok(())
}

/// Two openings, with small segments, so that several are sealed.
fn workload(disk: &SimStorage, promised: &mut Promised) {
    work(Arc::new(disk.clone()), promised);
}

fn work(storage: Arc<dyn Storage>, promised: &mut Promised) {
    let half = CHUNKS / 2;
    for (seed, chunks) in [(1, 0..half), (2, half..CHUNKS)] {
        let Ok((mut writer, _)) = open(Arc::clone(&storage), Size::SMALL, seed) else {
            return;
        };
        if pump(&mut writer, chunks, promised).is_err() || writer.note("half of the work is done").is_err() {
            return;
        }
    }
}

/// As [`work`], for a disk that fails now and then under a process that lives: what is refused is handed over again, as
/// the host does.
fn work_on(disk: &SimStorage, promised: &mut Promised) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    for (seed, first) in [(1, 0), (2, CHUNKS / 2)] {
        let mut opened = (0..TRIES).filter_map(|_| open(Arc::clone(&storage), Size::SMALL, seed).ok());
        let (mut writer, _) = opened.next().unwrap();
        for first in (first..first + CHUNKS / 2).step_by(2) {
            let mut tries = 0..TRIES;
            while pump(&mut writer, first..first + 2, promised).is_err() {
                assert!(
                    tries.next().is_some(),
                    "a few failures cannot refuse a chunk for ever"
                );
            }
        }
    }
}

fn reopen(disk: &SimStorage) {
    // Any error: the disk is dead, and `check` opens it again.
    let _: Result<_, SpoolError> = open(Arc::new(disk.clone()), Size::SMALL, 3);
}

fn assert_kept(
    storage: &Arc<dyn Storage>,
    writer: &Writer,
    promised: &Promised,
    cut: &dyn Display,
) -> Holdings {
    let holdings = Holdings::read(Arc::clone(storage)).unwrap_or_else(|error| panic!("{error}: {cut}"));
    assert_eq!(holdings.lost, [], "{cut}");
    for given in &promised.acknowledged {
        for (id, line) in &given.records {
            let found = holdings.records.get(id);
            assert_eq!(found, Some(line), "{id:?} of chunk {}: {cut}", given.chunk);
        }
    }
    let doubled: BTreeMap<_, _> = holdings.ids.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}: {cut}");
    assert!(holdings.totals.balances(), "{:?}: {cut}", holdings.totals);
    assert_eq!(holdings.totals.spooled, holdings.records.len() as u64, "{cut}");
    assert_eq!(writer.totals(), holdings.totals, "{cut}");
    let at_least = promised.totals();
    assert!(holdings.totals.received >= at_least.received, "{cut}");
    assert!(
        holdings.totals.undecodable_bytes >= at_least.undecodable_bytes,
        "{cut}"
    );
    let verified = verify(Arc::clone(storage)).unwrap_or_else(|error| panic!("{error}: {cut}"));
    assert_eq!(verified.breaks, [], "{cut}");
    assert_eq!(verified.chain, writer.head().chain, "{cut}");
    assert_eq!(verified.records, holdings.records.len() as u64, "{cut}");
    holdings
}

fn check(disk: SimStorage, promised: &Promised, cut: &dyn Display) {
    let storage: Arc<dyn Storage> = Arc::new(disk);
    let opened = open(Arc::clone(&storage), Size::SMALL, 4);
    let (mut writer, report) = opened.unwrap_or_else(|error| panic!("{error}: {cut}"));
    assert_eq!(report.damaged, [""; 0], "a crash is no damage: {cut}");
    let before = assert_kept(&storage, &writer, promised, cut);

    // As the host does: what was not acknowledged, and every fourth of what was.
    let again = (0..CHUNKS).filter(|number| !promised.has(*number) || number % 4 == 0);
    let mut later = Promised::default();
    let received = 4 * again.clone().count() as u64;
    pump(&mut writer, again, &mut later).unwrap_or_else(|error| panic!("{error}: {cut}"));
    let after = assert_kept(&storage, &writer, &later, cut);
    assert!(
        before
            .records
            .iter()
            .all(|(id, line)| after.records.get(id) == Some(line)),
        "{cut}"
    );
    assert_eq!(after.totals.received, before.totals.received + received, "{cut}");
    let expected = (0..CHUNKS).flat_map(|number| (0..WITH_ID).map(move |place| event_id(number, place)));
    assert_eq!(
        after.ids,
        expected.map(|id| (id, 1)).collect::<BTreeMap<_, _>>(),
        "{cut}"
    );
}

#[test]
fn everything_acknowledged_survives_every_crash_at_every_change() {
    let cutting = Cutting {
        seeds: 3,
        workload,
        reopen,
        check: |disk, promised: &Promised, cut: &Cut| check(disk, promised, cut),
        again: Again::Everywhere,
    };
    let looked = cutting.run();
    println!("{} images of {} cuts", looked.images, looked.changes);
    assert!(looked.changes > 60, "{looked:?}");
}

/// An error is no crash: the process goes on with what it knows, and must not know too much. Above all after a sync that
/// failed, which has silently lost what it was to sync; and when what would have tidied up fails as well.
#[test]
fn calls_that_fail_alone_or_in_a_row_cost_nothing() {
    let whole = SimStorage::new();
    work_on(&whole, &mut Promised::default());
    println!("{} calls", whole.calls());
    for number in 1..=whole.calls() {
        for (row, kind) in [
            (1, ErrorKind::Other),
            (1, ErrorKind::StorageFull),
            (6, ErrorKind::Other),
        ] {
            let (disk, mut promised) = (SimStorage::new(), Promised::default());
            for failing in number..number + row {
                disk.fail_call(failing, kind);
            }
            work_on(&disk, &mut promised);
            assert!((0..CHUNKS).all(|chunk| promised.has(chunk)));
            for crash in [
                Crash::Kill,
                Crash::NothingUnsynced,
                Crash::Everything,
                Crash::Sectors,
            ] {
                let context = format!("{row} calls from {number} failed with {kind:?}, then {crash:?}");
                check(disk.crash(crash, number), &promised, &context);
            }
        }
    }
}

/// The first test can fail: the same workload on a storage that does not sync.
#[test]
fn without_sync_the_same_checks_find_losses() {
    let cutting = Cutting {
        seeds: 1,
        workload: |disk: &SimStorage, promised: &mut Promised| {
            work(Arc::new(Unsynced(disk.clone())), promised);
        },
        reopen,
        check: |disk, promised: &Promised, cut: &Cut| check(disk, promised, cut),
        again: Again::Everywhere,
    };
    let looked = std::panic::catch_unwind(|| cutting.run());
    assert!(looked.is_err(), "{looked:?}");
}
