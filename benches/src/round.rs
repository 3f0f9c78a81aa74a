//! One round of a benchmark: shipping a whole spool, and what it took.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auditship::config::Config;
use auditship::control::log::Log;
use auditship::deliver::Drained;
use auditship::instance::{open_directory, start_shipper};
use auditship::time::SystemClock;
use rustix::time::{ClockId, clock_gettime};

use crate::backlog;

const PATIENCE: Duration = Duration::from_secs(300);

/// What a round took: by the clock, and of the processor (the receiver's share included, on both sides).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain measure")]
pub struct Took {
    /// By the clock.
    pub wall: Duration,
    /// Of the processor.
    pub processor: Duration,
}

impl Took {
    /// Measures `work`.
    ///
    /// # Errors
    /// What `work` gives.
    pub fn by(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Self, Box<dyn Error>> {
        let (since, processor) = (Instant::now(), processor_time());
        work()?;
        Ok(Self {
            wall: since.elapsed(),
            processor: processor_time().saturating_sub(processor),
        })
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

/// The least of `rounds`, in seconds.
pub fn best(rounds: &[Took], of: impl Fn(&Took) -> Duration) -> f64 {
    rounds
        .iter()
        .map(|took| of(took).as_secs_f64())
        .fold(f64::INFINITY, f64::min)
}

/// Our way, from opening the spool until everything is settled.
///
/// # Errors
/// When not everything is delivered.
pub fn ship(config: &Config) -> Result<(), Box<dyn Error>> {
    let storage = open_directory(&config.spool.path)?;
    let outside = backlog::outside();
    let log = Log::new(Arc::clone(&storage), Arc::new(SystemClock::new()));
    let shipper = start_shipper(storage, config, &outside, log)?;
    let drained = shipper.drain(PATIENCE);
    shipper.stop(Duration::from_secs(1));
    match drained {
        Drained::Everything => Ok(()),
        Drained::TimeUp => Err("not everything was shipped".into()),
    }
}
