//! From a stanza to a running instance: the properties become a configuration, and the product's own parts the
//! [`Intake`] of an instance thread.
//!
//! # Threads
//! [`start`] runs on the host's engine thread and reads the properties there, since nobody else may ask the host for
//! them. Everything after that happens on the instance thread, which other threads inherit their signal mask from.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::ingest::Chunk;
use auditship::instance::{self, Outside, Program};
use auditship::random::OsRandom;
use auditship::spool::draft::SourceFormat;
use auditship::time::{Clock, Monotonic, SystemClock};

use crate::handoff::{Answer, Offered};
use crate::host::StartKind;
use crate::instance::{Instance, Intake};
use crate::properties::Properties;

/// Every instance that was started, for hosts that end them all at once.
static INSTANCES: Mutex<Vec<&'static Instance>> = Mutex::new(Vec::new());

/// What the senders of all instances that end together get, before they are abandoned. The host ends instances one after
/// another; a reload has three seconds in all.
const SENDERS: Duration = Duration::from_secs(2);

/// What the senders of each instance get when those of others have used up [`SENDERS`]: enough for a receiver that answers.
const AT_LEAST: Duration = Duration::from_millis(200);

/// When the host began to end instances; none once it has started one again.
static ENDING: Mutex<Option<Monotonic>> = Mutex::new(None);

/// The clock of every instance. Made by the first Init.
static CLOCK: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock::new()));

/// Starts the instance of one stanza.
///
/// # Errors
/// What is wrong, where, and what to do, for the host's log.
pub(crate) fn start(properties: &Properties, kind: StartKind) -> Result<&'static Instance, String> {
    let environment = Environment::of_process();
    let strictness = match kind {
        StartKind::First => Strictness::Strict,
        StartKind::HotReload => Strictness::HoldDestinations,
    };
    let loaded = Config::from_stanza(&|name| properties.value(name), &environment, strictness);
    properties.check()?;
    let config = loaded.map_err(|errors| errors.to_string())?;
    let clock = Arc::clone(&CLOCK);
    let outside = Outside {
        clock: Arc::clone(&clock),
        random: Arc::new(OsRandom::new()),
        environment,
        machine_id: instance::machine_id(),
        program: Program {
            name: "fluent-bit plugin".to_owned(),
            pid: std::process::id(),
        },
    };
    let name = config.spool.id.clone();
    let open = move || {
        let instance = instance::Instance::start(&config, &outside).map_err(|why| why.to_string())?;
        let clock = Arc::clone(&outside.clock);
        Ok(Box::new(Spooling { instance, clock }) as Box<dyn Intake>)
    };
    let instance = Instance::start(&name, clock, Box::new(open))?;
    *lock(&ENDING) = None;
    lock(&INSTANCES).push(instance);
    Ok(instance)
}

/// Stops `instance`, whose senders get what is left of [`SENDERS`], or [`AT_LEAST`].
pub(crate) fn stop(instance: &Instance) {
    let now = CLOCK.monotonic();
    let began = *lock(&ENDING).get_or_insert(now);
    let left = SENDERS.saturating_sub(now.since(began));
    instance.stop(left.max(AT_LEAST));
}

/// Stops every instance that still runs.
pub(crate) fn stop_all() {
    let instances = std::mem::take(&mut *lock(&INSTANCES));
    instances.into_iter().for_each(stop);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The spool and its shipper, as an instance thread uses them.
struct Spooling {
    instance: instance::Instance,
    clock: Arc<dyn Clock>,
}

impl Intake for Spooling {
    fn accept(&mut self, chunks: &[Offered<'_>], answers: &mut [Answer]) {
        crate::deliberate_panic("accept");
        let received_at = self.clock.wall();
        let origins: Vec<_> = chunks.iter().map(|chunk| chunk.tag.to_string_lossy()).collect();
        let chunks: Vec<Chunk<'_>> = chunks
            .iter()
            .zip(&origins)
            .map(|(chunk, origin)| Chunk {
                source: SourceFormat::FluentBit,
                bytes: chunk.bytes,
                origin,
                received_at,
            })
            .collect();
        let given = self.instance.accept(&chunks);
        for (answer, given) in answers.iter_mut().zip(given) {
            *answer = match given {
                instance::Answer::Accepted => Answer::Accepted,
                // Why is in the instance's status and log.
                instance::Answer::Refused(_) => Answer::Retry,
            };
        }
    }

    fn tick(&mut self) {
        self.instance.tick();
    }

    fn restarted(&mut self, why: &str) {
        let log = self.instance.intake().log();
        log.error(
            "the instance thread panicked and was started again",
            &[("panic", &why)],
        );
    }

    fn stop(self: Box<Self>, patience: Duration) {
        self.instance.stop(patience);
    }
}
