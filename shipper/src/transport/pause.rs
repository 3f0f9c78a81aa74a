//! Waiting inside of a sending, until the time is up or nothing more is to be sent.
//!
//! # Invariants
//! 1. An interruption is for good: it ends a wait that begins after it too, so that none can be missed.
//!
//! Waits on the sending thread; interrupted from any other.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Waited {
    /// The time is up.
    Enough,
    /// Nothing more is to be sent.
    Interrupted,
}

/// Something to wait by; tests move a clock instead.
pub trait Pause: Send + Sync {
    /// Waits for `time`, or until it is interrupted.
    fn wait(&self, time: Duration) -> Waited;

    /// Ends what waits, now and from now on.
    fn interrupt(&self);
}

/// Really waits.
#[derive(Debug, Default)]
pub struct RealPause {
    interrupted: Mutex<bool>,
    called: Condvar,
}

impl Pause for RealPause {
    fn wait(&self, time: Duration) -> Waited {
        let interrupted = self.interrupted.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .called
            .wait_timeout_while(interrupted, time, |interrupted| !*interrupted);
        let (interrupted, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match *interrupted {
            true => Waited::Interrupted,
            false => Waited::Enough,
        }
    }

    fn interrupt(&self) {
        *self.interrupted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.called.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_interruption_ends_the_wait_that_is_and_all_that_come() {
        let pause = Arc::new(RealPause::default());
        assert_eq!(pause.wait(Duration::from_millis(1)), Waited::Enough);
        let waiting = std::thread::spawn({
            let pause = pause.clone();
            // Far longer than any test may take: it ends by the interruption or not at all.
            move || pause.wait(Duration::from_secs(86_400))
        });
        pause.interrupt();
        assert_eq!(waiting.join().unwrap(), Waited::Interrupted);
        assert_eq!(pause.wait(Duration::from_secs(86_400)), Waited::Interrupted);
    }
}
