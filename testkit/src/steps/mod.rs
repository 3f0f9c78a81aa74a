//! Dying at a named step: a process is killed right before or right after the n-th call of a kind, as "before the third
//! write to a segment".
//!
//! # In scope
//! The names of steps; the program `auditship-steps`, which runs another program under the kernel's tracer and kills it
//! there, or counts the steps of a whole run.
//!
//! # Out of scope
//! Crashes of the machine: what was written but not synced stays here (the product's simulated storage loses it).
//!
//! # Why a tracer
//! The product has no hook for it, and a preloaded library would not see the calls that are made without the C library.
//! The tracer stops the process at the system call itself, so that it works on what is shipped, and on a real host. Only
//! calls that can be steps are stopped at, by a seccomp filter; everything else runs at full speed.

pub mod trace;

use std::fmt;
use std::str::FromStr;

/// What a call is about, told by the path of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Place {
    /// A segment of the spool.
    Segment,
    /// The index of a removed segment.
    Index,
    /// The published position.
    Head,
    /// A destination's cursor.
    Cursor,
    /// A dead letter.
    DeadLetter,
    /// A torn tail, kept aside.
    Quarantine,
    /// Status, desired state, commands and answers.
    Control,
    /// The spool's other files: meta, locks, reserve, log.
    Spool,
    /// A directory.
    Directory,
    /// A connection.
    Socket,
    /// Any other file: at a `file` destination, its objects.
    Object,
}

/// What is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Bytes are written or sent.
    Write,
    /// Bytes are made durable.
    Sync,
    /// A size is set or space reserved.
    Resize,
    /// A name replaces another.
    Rename,
    /// A name is added.
    Link,
    /// A name is removed.
    Unlink,
}

/// A kind of step, written `segment-write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Step {
    /// Where.
    pub place: Place,
    /// What.
    pub call: Call,
}

/// On which side of the call the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Moment {
    /// The call is not made.
    Before,
    /// The call is made; what it returns is not seen any more.
    After,
}

/// Where a process dies, written `segment-write:3:before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct KillAt {
    /// The kind of step.
    pub step: Step,
    /// Which of its kind, from 1.
    pub nth: u64,
    /// Before or after it.
    pub moment: Moment,
}

const PLACES: [(Place, &str); 11] = [
    (Place::Segment, "segment"),
    (Place::Index, "index"),
    (Place::Head, "head"),
    (Place::Cursor, "cursor"),
    (Place::DeadLetter, "dead_letter"),
    (Place::Quarantine, "quarantine"),
    (Place::Control, "control"),
    (Place::Spool, "spool"),
    (Place::Directory, "directory"),
    (Place::Socket, "socket"),
    (Place::Object, "object"),
];

const CALLS: [(Call, &str); 6] = [
    (Call::Write, "write"),
    (Call::Sync, "sync"),
    (Call::Resize, "resize"),
    (Call::Rename, "rename"),
    (Call::Link, "link"),
    (Call::Unlink, "unlink"),
];

const MOMENTS: [(Moment, &str); 2] = [(Moment::Before, "before"), (Moment::After, "after")];

fn name_of<T: PartialEq + Copy>(names: &[(T, &'static str)], wanted: T) -> &'static str {
    names
        .iter()
        .find(|(is, _)| *is == wanted)
        .map_or("", |(_, name)| name)
}

fn named<T: PartialEq + Copy>(names: &[(T, &'static str)], wanted: &str) -> Result<T, UnknownStep> {
    names
        .iter()
        .find(|(_, name)| *name == wanted)
        .map(|(is, _)| *is)
        .ok_or_else(|| UnknownStep(wanted.to_owned()))
}

impl Place {
    /// Of the file at `path` as the kernel names it; none for what is no file of ours (pipes, devices).
    pub fn of(path: &str) -> Option<Self> {
        if path.starts_with("socket:") {
            return Some(Self::Socket);
        }
        if !path.starts_with('/') || path.starts_with("/dev/") || path.starts_with("/proc/") {
            return None;
        }
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let inside = |directory: &str| parents.split('/').any(|part| part == directory);
        Some(if inside("dead-letters") {
            Self::DeadLetter
        } else if inside("quarantine") {
            Self::Quarantine
        } else if inside("control") {
            Self::Control
        } else if inside("segments") && name.contains(".idx") {
            Self::Index
        } else if inside("segments") {
            Self::Segment
        } else if inside("cursors") {
            Self::Cursor
        } else if name == "head" {
            Self::Head
        } else if name == "spool.meta"
            || name == "reserve"
            || name.starts_with("auditship.log")
            || name.ends_with(".lock")
        {
            Self::Spool
        } else {
            Self::Object
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}",
            name_of(&PLACES, self.place),
            name_of(&CALLS, self.call)
        )
    }
}

impl FromStr for Step {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let (place, call) = text.split_once('-').ok_or_else(|| UnknownStep(text.to_owned()))?;
        Ok(Self {
            place: named(&PLACES, place)?,
            call: named(&CALLS, call)?,
        })
    }
}

impl fmt::Display for KillAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.step, self.nth, name_of(&MOMENTS, self.moment))
    }
}

impl FromStr for KillAt {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let unknown = || UnknownStep(text.to_owned());
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or_else(unknown);
        Ok(Self {
            step: part()?.parse()?,
            nth: part()?.parse().map_err(|_| unknown())?,
            moment: named(&MOMENTS, part()?)?,
        })
    }
}

/// A text that names no step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownStep(pub String);

impl fmt::Display for UnknownStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no step: write for example segment-write:3:before",
            self.0
        )
    }
}

impl std::error::Error for UnknownStep {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for (place, _) in PLACES {
            for (call, _) in CALLS {
                for (moment, _) in MOMENTS {
                    let at = KillAt {
                        step: Step { place, call },
                        nth: 3,
                        moment,
                    };
                    assert_eq!(at.to_string().parse(), Ok(at));
                }
            }
        }
        assert_eq!(
            "segment-write:x:before".parse::<KillAt>(),
            Err(UnknownStep("segment-write:x:before".into()))
        );
        assert_eq!(
            "segment-write:1:during".parse::<KillAt>(),
            Err(UnknownStep("during".into()))
        );
    }

    #[test]
    fn places_by_the_paths_of_a_spool() {
        let place = |path| Place::of(path);
        assert_eq!(place("/s/a/segments/0000000000000000.seg"), Some(Place::Segment));
        assert_eq!(place("/s/a/segments/0000000000000000.idx"), Some(Place::Index));
        assert_eq!(place("/s/a/head"), Some(Place::Head));
        assert_eq!(place("/s/a/cursors/siem.cur"), Some(Place::Cursor));
        assert_eq!(place("/s/a/dead-letters/siem/1-2.json"), Some(Place::DeadLetter));
        assert_eq!(place("/s/a/control/status.writer.json"), Some(Place::Control));
        assert_eq!(place("/s/a/writer.lock"), Some(Place::Spool));
        assert_eq!(place("/srv/audit/2026/01/01/00/x.ndjson.gz"), Some(Place::Object));
        assert_eq!(place("socket:[12345]"), Some(Place::Socket));
        assert_eq!(place("pipe:[12345]"), None);
        assert_eq!(place("/dev/null"), None);
    }
}
