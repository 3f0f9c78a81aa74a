//! Which call fails, and when the process is dead. Pure.

use std::collections::BTreeMap;
use std::io;

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the method of its name")]
#[expect(clippy::exhaustive_enums, reason = "tests choose among all of them")]
pub enum Op {
    Open,
    CreateNew,
    CreateDir,
    Rename,
    LinkNew,
    Remove,
    List,
    SyncDir,
    TryLock,
    IsLocked,
    Space,
    Len,
    Identity,
    ReadAt,
    WriteAt,
    Allocate,
    SetLen,
    SyncData,
}

impl Op {
    /// Whether the disk may be another one after such a call.
    pub fn is_change(self) -> bool {
        !matches!(
            self,
            Self::Open
                | Self::List
                | Self::IsLocked
                | Self::Space
                | Self::Len
                | Self::Identity
                | Self::ReadAt
        )
    }
}

/// One call, as a rule of [`fail_when`](super::SimStorage::fail_when) sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// How many calls there were, this one included.
    pub number: u64,
    /// What it is.
    pub op: Op,
    /// The path: of the file when it was opened, the first one of two.
    pub path: &'a str,
}

type Rule = Box<dyn FnMut(&Call<'_>) -> Option<io::ErrorKind> + Send>;

/// The counters, and what is to fail.
#[derive(Default)]
pub(super) struct Faults {
    calls: u64,
    changes: u64,
    last_call: Option<u64>,
    last_change: Option<u64>,
    dead: bool,
    single: BTreeMap<u64, io::ErrorKind>,
    rules: Vec<Rule>,
}

impl Faults {
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn die_after_calls(&mut self, calls: u64) {
        self.last_call = Some(self.calls.saturating_add(calls));
    }

    pub(super) fn die_after_changes(&mut self, changes: u64) {
        self.last_change = Some(self.changes.saturating_add(changes));
    }

    pub(super) fn fail_call(&mut self, number: u64, kind: io::ErrorKind) {
        self.single.insert(self.calls.saturating_add(number), kind);
    }

    pub(super) fn add_rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn heal(&mut self) {
        *self = Self {
            calls: self.calls,
            changes: self.changes,
            ..Self::default()
        };
    }

    /// Counts a call; the error with which it must fail.
    pub(super) fn next(&mut self, op: Op, path: &str) -> Option<io::Error> {
        self.calls += 1;
        self.changes += u64::from(op.is_change());
        self.dead |= self.last_call.is_some_and(|last| self.calls > last);
        self.dead |= self.last_change.is_some_and(|last| self.changes > last);
        if self.dead {
            return Some(io::Error::other("the simulated process is dead"));
        }
        let number = self.calls;
        let call = Call { number, op, path };
        let by_rule = self.rules.iter_mut().find_map(|rule| rule(&call));
        self.single.remove(&number).or(by_rule).map(io::Error::from)
    }
}
