//! Waking threads up without losing a call: a counter that waiters have seen, or not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something may have changed.
#[derive(Debug, Default)]
pub(super) struct Signal {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    /// How many calls there were. To be taken before looking at what a call may be about.
    pub(super) fn seen(&self) -> u64 {
        *self.lock()
    }

    /// Calls everybody. Never waits for more than another caller's increment.
    pub(super) fn call(&self) {
        let mut count = self.lock();
        *count = count.wrapping_add(1);
        drop(count);
        self.changed.notify_all();
    }

    /// Returns when there was a call after `seen`, or after `patience`.
    pub(super) fn wait(&self, seen: u64, patience: Duration) {
        let unchanged = |count: &mut u64| *count == seen;
        // A poisoned counter is still a counter.
        let _ = self.changed.wait_timeout_while(self.lock(), patience, unchanged);
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
