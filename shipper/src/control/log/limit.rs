//! Once a minute for each kind of message. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Monotonic;

/// How long a kind is quiet after it was said.
pub(super) const QUIET: Duration = Duration::from_secs(60);
/// How many kinds are remembered; the one that was said longest ago is forgotten first.
pub(super) const MAX_KINDS: usize = 256;

/// When each kind was said last.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    // An ordered map: it draws no random state, and has a bounded size anyway.
    said: BTreeMap<String, Said>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    at: Monotonic,
    suppressed: u64,
}

/// Whether a message is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It is; so many of its kind were not, since the last one that was.
    Say { suppressed: u64 },
    /// It is not.
    Suppress,
}

impl Limiter {
    pub(super) fn rule(&mut self, kind: &str, now: Monotonic) -> Ruling {
        if let Some(said) = self.said.get_mut(kind) {
            if now.since(said.at) < QUIET {
                said.suppressed = said.suppressed.saturating_add(1);
                return Ruling::Suppress;
            }
            let suppressed = said.suppressed;
            *said = Said {
                at: now,
                suppressed: 0,
            };
            return Ruling::Say { suppressed };
        }
        if self.said.len() >= MAX_KINDS {
            let oldest = self.said.iter().min_by_key(|(_, said)| said.at);
            if let Some(oldest) = oldest.map(|(kind, _)| kind.clone()) {
                self.said.remove(&oldest);
            }
        }
        self.said.insert(
            kind.to_owned(),
            Said {
                at: now,
                suppressed: 0,
            },
        );
        Ruling::Say { suppressed: 0 }
    }
}
