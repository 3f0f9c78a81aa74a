//! The brake on dead letters: how many records may be dead-lettered within a minute. Pure.
//!
//! Explicit verdicts dead-letter their record, but a destination that suddenly rejects a large share of what it is given
//! is more likely misconfigured than right, so above the share the destination is held instead. Records stay pending
//! then: the brake never loses anything, it only decides which of two safe places a record waits in.

use std::time::Duration;

use crate::time::Monotonic;

/// Dead letters and settled records of the last minute, in steps of a second.
#[derive(Clone, Debug)]
pub struct Guard {
    parts_per_million: u32,
    seconds: [Second; WINDOW],
    /// Dead letters since anything was stored, however long that is ago.
    run: u64,
    granted: bool,
}

/// The window, in seconds.
const WINDOW: usize = 60;

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    /// Which second of the clock this is, so that old ones need not be swept.
    number: u64,
    dead: u64,
    settled: u64,
}

impl Guard {
    /// So many dead letters a minute are never too many, as long as anything is stored between: with few records a share says
    /// nothing.
    pub const FLOOR: u64 = 10;

    /// A guard that allows `parts_per_million` of the records settled within a minute to be dead letters.
    pub fn new(parts_per_million: u32) -> Self {
        Self {
            parts_per_million,
            seconds: [Second::default(); WINDOW],
            run: 0,
            granted: false,
        }
    }

    /// Whether `dead` of `settled` further records may become dead letters now.
    pub fn allows(&self, now: Monotonic, dead: u64, settled: u64) -> bool {
        if dead == 0 || self.granted {
            return true;
        }
        let (dead_before, settled_before) = self.sums(now);
        let run = match settled > dead {
            true => dead,
            false => self.run.saturating_add(dead),
        };
        let dead = dead.saturating_add(dead_before);
        let settled = settled.saturating_add(settled_before);
        dead.max(run) <= Self::FLOOR
            || u128::from(dead) * 1_000_000 <= u128::from(settled) * u128::from(self.parts_per_million)
    }

    /// Counts `dead` dead letters among `settled` records (which include them).
    pub fn count(&mut self, now: Monotonic, dead: u64, settled: u64) {
        let number = second(now);
        let slot = &mut self.seconds[slot(number)];
        if slot.number != number {
            *slot = Second {
                number,
                ..Second::default()
            };
        }
        slot.dead = slot.dead.saturating_add(dead);
        slot.settled = slot.settled.saturating_add(settled);
        self.run = match settled > dead {
            true => dead,
            false => self.run.saturating_add(dead),
        };
    }

    /// A person has seen the hold and resumed: what is rejected next may be dead-lettered, however much it is, until
    /// [`Guard::revoke`].
    pub fn grant(&mut self) {
        self.granted = true;
    }

    /// Ends a grant; the minute starts anew, so that what the person allowed is not held against what follows.
    pub fn revoke(&mut self) {
        if self.granted {
            self.granted = false;
            self.seconds = [Second::default(); WINDOW];
            self.run = 0;
        }
    }

    fn sums(&self, now: Monotonic) -> (u64, u64) {
        let oldest = second(now).saturating_sub(WINDOW as u64 - 1);
        let inside = self.seconds.iter().filter(|second| second.number >= oldest);
        inside.fold((0, 0), |(dead, settled), second| {
            (dead + second.dead, settled + second.settled)
        })
    }
}

/// Seconds are counted from one, so that an unused slot (number zero) holds nothing of any window's.
fn second(now: Monotonic) -> u64 {
    now.since(Monotonic(0)).as_secs() + 1
}

fn slot(number: u64) -> usize {
    usize::try_from(number % WINDOW as u64).unwrap_or(0)
}

/// How long after the last dead letter the window is empty again.
pub const EMPTY_AFTER: Duration = Duration::from_secs(WINDOW as u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_few_a_minute_are_too_many_where_nothing_is_stored_for_long() {
        let mut guard = Guard::new(10_000);
        for number in 0..Guard::FLOOR {
            assert!(guard.allows(at(120 * number), 1, 1));
            guard.count(at(120 * number), 1, 1);
        }
        assert!(!guard.allows(at(86_400), 1, 1));
        guard.count(at(86_401), 0, 1);
        assert!(guard.allows(at(90_000), 1, 1));
    }

    #[test]
    fn one_percent_of_a_minute_and_not_one_more() {
        let mut guard = Guard::new(10_000);
        guard.count(at(0), 0, 1_980);
        assert!(guard.allows(at(59), 20, 20));
        assert!(!guard.allows(at(59), 21, 21));
    }

    #[test]
    fn a_few_are_always_allowed() {
        let guard = Guard::new(10_000);
        assert!(guard.allows(at(0), Guard::FLOOR, Guard::FLOOR));
        assert!(!guard.allows(at(0), Guard::FLOOR + 1, Guard::FLOOR + 1));
    }

    #[test]
    fn a_minute_later_the_past_is_forgotten() {
        let mut guard = Guard::new(10_000);
        guard.count(at(7), Guard::FLOOR, Guard::FLOOR);
        guard.count(at(7), 0, 1);
        assert!(!guard.allows(at(66), 1, 1));
        assert!(guard.allows(at(7).plus(EMPTY_AFTER), 1, 1));
        guard.count(at(67), 1, 1);
        assert!(
            guard.allows(at(67), Guard::FLOOR - 1, Guard::FLOOR - 1),
            "the reused slot starts anew"
        );
    }

    #[test]
    fn a_person_may_allow_one_batch() {
        let mut guard = Guard::new(0);
        assert!(!guard.allows(at(0), 500, 500));
        guard.grant();
        assert!(guard.allows(at(0), 500, 500));
        guard.count(at(0), 500, 500);
        guard.revoke();
        assert!(guard.allows(at(0), Guard::FLOOR, Guard::FLOOR));
        assert!(!guard.allows(at(0), 500, 500));
    }
}
