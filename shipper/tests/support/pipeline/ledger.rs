//! What can be seen from outside, and the equations of the accounting.

use std::collections::{BTreeMap, BTreeSet};

use auditship::spool::cursor;
use auditship::spool::dead_letter;
use auditship::spool::storage::{Access, EntryKind, Storage};

use super::chunks::{FILTERED, POISON};
use super::{Below, FILE, HTTP, LATE, Process, World};
use crate::support::feed::Holdings;

/// Lines, and how often each is there.
pub(crate) type Lines = BTreeMap<String, usize>;

/// What was sent on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Everything once.
    Once,
    /// Some of it again: replays.
    Again,
}

impl World {
    /// What the directory of a `file` lane holds. Whatever has an object's name is whole.
    pub(crate) fn objects(&self, folder: &'static str) -> Lines {
        let mut lines = Lines::new();
        collect(&Below::new(&self.disk, folder), "", &mut lines);
        lines
    }

    /// What the lane `id` has brought to its destination.
    pub(crate) fn arrived(&self, id: &str) -> Lines {
        match id {
            HTTP => self.receiver.lines(),
            FILE => self.objects("out"),
            _ => self.objects("late"),
        }
    }

    /// The sequence numbers that the lane `id` has dead letters of.
    pub(crate) fn letters(&self, id: &str) -> BTreeSet<u64> {
        match dead_letter::list(&*self.spool(), id) {
            Ok(letters) => letters.map(|letter| letter.seq).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Everything in the spool.
    pub(crate) fn holdings(&self) -> Holdings {
        Holdings::read(self.spool()).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn collect(storage: &Below, folder: &str, lines: &mut Lines) {
    for entry in storage.list(folder).unwrap_or_default() {
        let path = if folder.is_empty() {
            entry.name.clone()
        } else {
            format!("{folder}/{}", entry.name)
        };
        match entry.kind {
            EntryKind::Folder if entry.name == ".tmp" => {}
            EntryKind::Folder => collect(storage, &path, lines),
            EntryKind::File => {
                let mut bytes = vec![0; usize::try_from(entry.len).expect("small")];
                let file = storage.open(&path, Access::Read).expect("it is listed");
                file.read_at(0, &mut bytes).expect("it can be read");
                assert_eq!(bytes.last(), Some(&b'\n'), "{path} is whole");
                for line in text(bytes).lines() {
                    serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON");
                    *lines.entry(line.to_owned()).or_default() += 1;
                }
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Says which lines differ, not what both sides are.
fn assert_same(found: &Lines, wanted: &Lines, what: &str) {
    let differ = |line: &&String| found.get(*line) != wanted.get(*line);
    let lines: BTreeSet<&String> = found.keys().chain(wanted.keys()).filter(differ).collect();
    let times = |lines: &Lines, line| lines.get(line).copied().unwrap_or(0);
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| format!("{} for {} times {line}", times(found, line), times(wanted, line)))
        .collect();
    assert!(lines.is_empty(), "{what}: {lines:#?}");
}

impl Process {
    /// Both equations (`received = excluded + duplicate + spooled`, and for each destination `spooled = settled + pending`),
    /// in memory and on disk, and that nothing counts as delivered or dead-lettered that is not there.
    pub(crate) fn audit(&self, world: &World) {
        let writer = self.intake.writer();
        let (totals, head) = (writer.totals(), writer.head().next_seq);
        assert!(totals.balances(), "{totals:?}");
        assert_eq!(totals.spooled, head, "each spooled record has a number");
        for running in &self.lanes {
            let id = running.id;
            let counts = running.lane.snapshot().counts;
            let inside = counts.inside().expect("no overflow");
            assert_eq!(inside + running.lane.pending(head), head, "{id}: {counts:?}");
            if !world.disk.is_dead() {
                let peeked = cursor::peek(&*world.spool(), id).unwrap_or_else(|error| panic!("{error}"));
                let state = peeked.unwrap_or_else(|| panic!("{id} has a cursor")).state;
                let committed = state.totals();
                let inside = committed.inside().expect("no overflow");
                assert_eq!(inside + state.pending(head), head, "{id} on disk: {committed:?}");
                let letters = world.letters(id).len() as u64;
                assert!(
                    committed.dead_lettered <= letters,
                    "{id}: {letters} letters, {committed:?}"
                );
            }
            if id == HTTP {
                let stored = world.receiver.count();
                assert!(
                    counts.delivered <= stored,
                    "{id}: {stored} are stored, {counts:?}"
                );
            }
        }
    }

    /// What must be true when all is drained, and nothing was damaged or dropped.
    pub(crate) fn judge(&self, world: &World, sent: Sent) -> Holdings {
        self.audit(world);
        let arrived = |id: &str| {
            let mut lines = world.arrived(id);
            if sent == Sent::Again {
                lines.values_mut().for_each(|times| *times = 1);
            }
            lines
        };
        let refused = |line: &str| line.contains(POISON) && !world.receiver.is_cured();
        let holdings = world.holdings();
        assert_eq!(holdings.lost, [], "nothing is missing in the spool");
        assert!(holdings.totals.balances(), "{:?}", holdings.totals);
        assert_eq!(holdings.totals, self.intake.writer().totals());
        let spooled: Lines = holdings
            .records
            .values()
            .map(|line| (text(line.clone()), 1))
            .collect();
        assert_eq!(
            spooled.len(),
            holdings.records.len(),
            "no two records are the same line"
        );

        assert_same(&arrived(FILE), &spooled, "each record once in the directory");
        assert_eq!(world.letters(FILE), BTreeSet::new());
        let counts = self.lane(FILE).snapshot().counts;
        assert_eq!(counts.delivered, spooled.len() as u64);
        assert_eq!((counts.redelivered, counts.dead_lettered), (0, 0), "{counts:?}");

        let poison: BTreeSet<u64> = holdings
            .records
            .iter()
            .filter(|(_, line)| refused(&text(line.to_vec())))
            .map(|(id, _)| id.seq)
            .collect();
        let (filtered, wanted): (Lines, Lines) =
            spooled.into_iter().partition(|(line, _)| line.contains(FILTERED));
        let wanted: Lines = wanted.into_iter().filter(|(line, _)| !refused(line)).collect();
        let delivered = wanted.len() as u64;
        assert_same(&arrived(HTTP), &wanted, "each record once at the receiver");
        assert_eq!(
            world.letters(HTTP),
            poison,
            "each refused record has a dead letter"
        );
        let counts = self.lane(HTTP).snapshot().counts;
        assert_eq!(counts.delivered, delivered);
        assert_eq!(counts.dead_lettered, poison.len() as u64);
        assert_eq!(counts.filtered, filtered.len() as u64);
        // `redelivered` may say more: a batch with poison in it that is refused, after a sending whose answer was lost, goes
        // out again in parts, and nobody can know that nothing of it was stored.
        holdings
    }

    /// Whether the late lane was begun.
    pub(crate) fn has_late(&self) -> bool {
        self.lanes.iter().any(|running| running.id == LATE)
    }
}
