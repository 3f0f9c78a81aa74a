//! What an instance of this process takes from outside: clock, randomness, environment, signals.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::exit::Failure;
use crate::config::Environment;
use crate::instance::{Outside, Program, machine_id};
use crate::random::OsRandom;
use crate::time::SystemClock;

/// For an instance that calls itself `name`.
pub(super) fn of(name: &str, environment: &Environment) -> Outside {
    Outside {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(OsRandom::new()),
        environment: environment.clone(),
        machine_id: machine_id(),
        program: Program {
            name: name.to_owned(),
            pid: std::process::id(),
        },
    }
}

/// A flag that SIGINT and SIGTERM raise. A second one ends the process at once, which loses nothing either.
pub(super) fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let second =
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag));
        second
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .map_err(|error| Failure::Spool(format!("signals cannot be handled: {error}")))?;
    }
    Ok(flag)
}

/// Waits a little for what another process does.
#[expect(
    clippy::disallowed_methods,
    reason = "another process gives no event to wait for"
)]
pub(super) fn pause(little: Duration) {
    std::thread::sleep(little);
}
