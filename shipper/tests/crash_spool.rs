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
use std::sync::Arc;

use auditship::seal::verify;
use auditship::spool::count::Tally;
use auditship::spool::storage::Storage;
use auditship::spool::storage::sim::SimStorage;
use auditship::spool::{AppendError, SpoolError, Writer};
use auditship::time::Timestamp;
use support::cut::{Cut, Cutting};
use support::feed::{Given, Holdings, Size, Source, WITH_ID, event_id, open};
use support::unsynced::Unsynced;

/// How many chunks the workload hands over.
const CHUNKS: u64 = 16;

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

fn reopen(disk: &SimStorage) {
    // Any error: the disk is dead, and `check` opens it again.
    let _: Result<_, SpoolError> = open(Arc::new(disk.clone()), Size::SMALL, 3);
}

fn assert_kept(storage: &Arc<dyn Storage>, writer: &Writer, promised: &Promised, cut: &Cut) -> Holdings {
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

fn check(disk: SimStorage, promised: &Promised, cut: &Cut) {
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
        check,
    };
    let looked = cutting.run();
    println!("{} images of {} cuts", looked.images, looked.changes);
    assert!(looked.changes > 60, "{looked:?}");
}

/// The test above can fail: the same workload on a storage that does not sync.
#[test]
fn without_sync_the_same_checks_find_losses() {
    let cutting = Cutting {
        seeds: 1,
        workload: |disk: &SimStorage, promised: &mut Promised| {
            work(Arc::new(Unsynced(disk.clone())), promised);
        },
        reopen,
        check,
    };
    let looked = std::panic::catch_unwind(|| cutting.run());
    assert!(looked.is_err(), "{looked:?}");
}
