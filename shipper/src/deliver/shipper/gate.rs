//! Counts the workers that are alive.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::time::Clock;

/// How many are inside.
#[derive(Debug, Default)]
pub(super) struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

/// One that is inside, until it is dropped.
pub(super) struct Pass(Arc<Gate>);

impl Gate {
    pub(super) fn enter(self: &Arc<Self>) -> Pass {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Pass(Arc::clone(self))
    }

    /// Returns when nobody is inside, or when `patience` is up.
    pub(super) fn wait_empty(&self, clock: &dyn Clock, patience: Duration) {
        let end = clock.monotonic().plus(patience);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        while *inside > 0 {
            let left = end.since(clock.monotonic());
            if left.is_zero() {
                return;
            }
            (inside, _) = self
                .left
                .wait_timeout(inside, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.0.inside.lock().unwrap_or_else(PoisonError::into_inner);
        *inside = inside.saturating_sub(1);
        drop(inside);
        self.0.left.notify_all();
    }
}
