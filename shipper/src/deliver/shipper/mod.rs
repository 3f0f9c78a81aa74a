//! The threads that run the lanes of one spool, and the one that listens to orders.
//!
//! # In scope
//! Holding `shipper.lock`; workers for each destination; waking them ([`Shipper::nudge`], and by the published head);
//! desired state and commands; the status each second; stopping and reloading.
//!
//! # Out of scope
//! What a lane decides ([`super::lane`]), writing the spool.
//!
//! # Invariants
//! 1. There is one shipper for a spool, by `shipper.lock`, held until every lane has ended or is fenced off.
//! 2. [`Shipper::nudge`] never waits for a lane, a disk or a network.
//! 3. [`Shipper::stop`] waits for hanging requests at most as long as it is told, then leaves them behind a fence
//!    ([`runner`]). Nothing in it is needed for safety. A disk that hangs is waited for: whoever holds a lane's lock may
//!    be in a call to it, and the writer beside it waits for the same disk.
//!
//! Threads: `aship-<id>` (and `aship-1-<id>`... where several requests may be on their way), `aship-control`.

mod gate;
mod lanes;
mod orders;
mod report;
mod runner;
mod signal;
mod spawn;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use self::gate::Gate;
pub use self::lanes::{LaneConfig, LaneRoute, Lanes, Start, Target};
use self::runner::Runner;
use self::signal::Signal;
pub use self::spawn::{PlainSpawner, Spawner};
use crate::control::desired::{self, Desired};
use crate::control::log::{Level, Log};
use crate::control::status::{DestinationStatus, Program};
use crate::control::{self, SHIPPER_LOCK};
use crate::deliver::Activity;
use crate::random::Random;
use crate::spool::identity::SpoolId;
use crate::spool::storage::{LockGuard, Storage};
use crate::spool::{Provenance, Reader, SpoolError, cursor, meta, read_head};
use crate::time::{Clock, Monotonic};

/// A worker's stack: TLS handshakes and compression are the deepest things it does.
const THREAD_STACK: usize = 512 * 1024;
/// How often the head is looked at: what another process wrote is seen after at most this.
const LOOK: Duration = Duration::from_millis(200);
/// How often orders are read and the status is written.
const REPORT: Duration = Duration::from_secs(1);

/// What a shipper takes from outside.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever starts a shipper")]
pub struct Surroundings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Nonces and jitter.
    pub random: Arc<dyn Random>,
    /// Makes its threads.
    pub spawner: Arc<dyn Spawner>,
    /// Who we are, for the status.
    pub program: Program,
    /// The instance's id, for the status.
    pub instance: String,
    /// What differs from machine to machine, as the writer has it: tells a copied spool.
    pub machine_id: Vec<u8>,
}

/// Why a shipper cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// The spool.
    Spool(SpoolError),
    /// Another shipper, in this process or any other, has the spool.
    Locked,
    /// The directory.
    Storage {
        /// What was being done.
        action: &'static str,
        /// The system's words.
        message: String,
    },
    /// The system gives no thread.
    Thread {
        /// The system's words.
        message: String,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spool(error) => write!(f, "{error}"),
            Self::Locked => write!(
                f,
                "another shipper has the spool ({SHIPPER_LOCK} is held): a plugin with `Shipper embedded`, or another \
                 `auditship run`; stop it, or give this one its own spool"
            ),
            Self::Storage { action, message } => {
                write!(f, "cannot {action} in the spool directory: {message}")
            }
            Self::Thread { message } => write!(f, "the system gives no thread: {message}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What of the spool is left after [`Shipper::drain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two cases")]
pub enum Drained {
    /// Every destination has settled all there is.
    Everything,
    /// Time was up first; it stays in the spool.
    TimeUp,
}

/// What all threads of a shipper share.
struct Shared {
    storage: Arc<dyn Storage>,
    spool: SpoolId,
    /// Whether the spool is a copy, as it was when the lock was taken.
    provenance: Provenance,
    around: Surroundings,
    log: Log,
    /// Who is alive.
    gate: Arc<Gate>,
    /// Called when a lane has nothing to do for now.
    progress: Signal,
    /// Called to end the control thread.
    control: Signal,
    stopping: AtomicBool,
    /// The runners are being exchanged: whoever looks for one now would not find it.
    reloading: AtomicBool,
    runners: Mutex<Vec<Arc<Runner>>>,
    /// Held by whoever changes which destinations there are, on disk or among the runners.
    exchange: Mutex<()>,
}

impl Shared {
    fn runners(&self) -> MutexGuard<'_, Vec<Arc<Runner>>> {
        self.runners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running shipper. Dropping it stops it without patience.
pub struct Shipper {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    control: Option<JoinHandle<()>>,
    /// Released last.
    lock: Option<Box<dyn LockGuard>>,
}

impl Shipper {
    /// Starts to ship the spool in `storage`, which must exist.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(
        storage: Arc<dyn Storage>,
        lanes: Lanes,
        around: Surroundings,
        log: Log,
    ) -> Result<Self, StartError> {
        let spool = Reader::open(Arc::clone(&storage))
            .map_err(StartError::Spool)?
            .spool_id();
        control::prepare(&*storage).map_err(|error| StartError::Storage {
            action: "make the control folders",
            message: error.to_string(),
        })?;
        let lock = storage
            .try_lock(SHIPPER_LOCK)
            .map_err(|error| StartError::Storage {
                action: "lock shipper.lock",
                message: error.to_string(),
            })?
            .ok_or(StartError::Locked)?;
        let provenance = meta::settle(&*storage, &around.machine_id).map_err(StartError::Spool)?;
        let shared = Arc::new(Shared {
            storage,
            spool,
            provenance,
            around,
            log,
            gate: Arc::default(),
            progress: Signal::default(),
            control: Signal::default(),
            stopping: AtomicBool::new(false),
            reloading: AtomicBool::new(false),
            runners: Mutex::default(),
            exchange: Mutex::default(),
        });
        let mut shipper = Self {
            shared,
            workers: Mutex::default(),
            control: None,
            lock: Some(lock),
        };
        shipper.serve(shipper.with_held(lanes), Vec::new())?;
        let shared = Arc::clone(&shipper.shared);
        let body = Box::new(move || listen(&shared));
        let handle = shipper
            .shared
            .around
            .spawner
            .spawn("aship-control", THREAD_STACK, body);
        shipper.control = Some(handle.map_err(|error| StartError::Thread {
            message: error.to_string(),
        })?);
        Ok(shipper)
    }

    /// The head moved. Never waits.
    pub fn nudge(&self) {
        for runner in self.shared.runners().iter() {
            runner.signal.call();
        }
    }

    /// Sends what there is without waiting for more, until everything is settled or `patience` is up. New records go at
    /// once from then on.
    pub fn drain(&self, patience: Duration) -> Drained {
        let runners = self.shared.runners().clone();
        for runner in &runners {
            runner.drain();
        }
        let clock = &self.shared.around.clock;
        let end = clock.monotonic().plus(patience);
        loop {
            let seen = self.shared.progress.seen();
            if runners.iter().all(|runner| runner.is_drained()) {
                return Drained::Everything;
            }
            let left = end.since(clock.monotonic());
            if left.is_zero() {
                return Drained::TimeUp;
            }
            self.shared.progress.wait(seen, left);
        }
    }

    /// What each destination does now.
    pub fn statuses(&self) -> Vec<DestinationStatus> {
        report::statuses(&self.shared)
    }

    /// Serves other lanes from now on. One whose configuration is what it was goes on undisturbed, with what it has on its
    /// way; one that is new, changed or gone is begun anew or ended, and its cursor stays. Requests of those that end get
    /// `patience`, then they are left behind, and asked again from the journal.
    ///
    /// # Errors
    /// [`StartError::Thread`]: the destinations for which there was no thread are not served.
    pub fn reload(&self, lanes: Lanes, patience: Duration) -> Result<(), StartError> {
        let _exchange = self
            .shared
            .exchange
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.shared.reloading.store(true, Ordering::SeqCst);
        let lanes = self.with_held(lanes);
        let goes_on = |runner: &Arc<Runner>| lanes.iter().any(|lane| runner.config.goes_on_as(lane));
        let (kept, gone) = std::mem::take(&mut *self.shared.runners())
            .into_iter()
            .partition(goes_on);
        self.dismiss(gone, patience);
        let served = self.serve(lanes, kept);
        self.shared.reloading.store(false, Ordering::SeqCst);
        // What came in meanwhile woke nobody.
        self.nudge();
        served
    }

    /// Stops. Requests on their way get `patience`, then they are left behind the fence.
    pub fn stop(mut self, patience: Duration) {
        self.finish(patience);
    }

    /// Serves `lanes` in their order; of those that have a runner among `kept` that one goes on.
    fn serve(&self, lanes: Vec<LaneConfig>, mut kept: Vec<Arc<Runner>>) -> Result<(), StartError> {
        let desired = desired::read(&*self.shared.storage).unwrap_or_else(|error| {
            self.shared
                .log
                .error("the desired state cannot be read", &[("reason", &error)]);
            Desired::default()
        });
        let mut begun = Vec::new();
        for config in lanes {
            if let Some(at) = kept.iter().position(|runner| runner.config.id == config.id) {
                self.shared.runners().push(kept.swap_remove(at));
                continue;
            }
            let (state, generation) = desired.of(&config.id, config.initial);
            let activity = match state {
                desired::DesiredState::Active => Activity::Active,
                desired::DesiredState::Inactive => Activity::Paused,
            };
            let runner = Runner::new(config, Arc::clone(&self.shared), activity, generation);
            runner.ensure_cursor();
            self.shared.runners().push(Arc::clone(&runner));
            begun.push(runner);
        }
        // Every one is known before any is served, and stays known where there is no thread for it.
        for runner in begun {
            let started = runner.start();
            let handles = started.map_err(|error| StartError::Thread {
                message: error.to_string(),
            })?;
            self.workers().extend(handles);
        }
        Ok(())
    }

    /// Where the configuration does not tell which destinations there are, those that the spool knows are held.
    fn with_held(&self, lanes: Lanes) -> Vec<LaneConfig> {
        let Lanes { mut lanes, held } = lanes;
        if let Some(reason) = held {
            let known = cursor::peek_all(&*self.shared.storage).unwrap_or_default();
            for (id, _) in known {
                if !lanes.iter().any(|lane| lane.id == id) {
                    lanes.push(LaneConfig::held(&id, reason.clone()));
                }
            }
        }
        lanes
    }

    /// Ends lanes.
    fn dismiss(&self, runners: Vec<Arc<Runner>>, patience: Duration) {
        for runner in &runners {
            runner.stop();
        }
        let clock = &*self.shared.around.clock;
        let end = clock.monotonic().plus(patience);
        for runner in &runners {
            runner.gate.wait_empty(clock, end.since(clock.monotonic()));
        }
        for runner in &runners {
            runner.end();
        }
        // One that is not finished goes on, or hangs in a request; then it ends by itself, behind the fence.
        let mut workers = self.workers();
        let (finished, alive): (Vec<_>, Vec<_>) = workers.drain(..).partition(JoinHandle::is_finished);
        *workers = alive;
        drop(workers);
        for handle in finished {
            let _ = handle.join();
        }
    }

    fn finish(&mut self, patience: Duration) {
        if self.lock.is_none() {
            return;
        }
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.control.call();
        let runners = std::mem::take(&mut *self.shared.runners());
        self.dismiss(runners, patience);
        if let Some(control) = self.control.take() {
            let _ = control.join();
        }
        self.lock = None;
    }

    fn workers(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.finish(Duration::ZERO);
    }
}

impl fmt::Debug for Shipper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shipper")
            .field("spool", &self.shared.spool)
            .finish_non_exhaustive()
    }
}

/// The control thread's life.
fn listen(shared: &Arc<Shared>) {
    let clock = &*shared.around.clock;
    let mut head = None;
    let mut due = Monotonic(0);
    let mut letters = report::LetterCounts::default();
    loop {
        let seen = shared.control.seen();
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let round = catch_unwind(AssertUnwindSafe(|| {
            // A head that cannot be read is the lanes' trouble, and said there.
            if let Ok(now) = read_head(&*shared.storage)
                && now != head
            {
                head = now;
                for runner in shared.runners().iter() {
                    runner.signal.call();
                }
            }
            if clock.monotonic() >= due && !shared.reloading.load(Ordering::SeqCst) {
                due = clock.monotonic().plus(REPORT);
                orders::follow(shared);
                report::publish(shared, &mut letters);
            }
        }));
        if round.is_err() {
            let message = "the control thread met a defect of auditship, please report it";
            shared.log.once_a_minute("control", Level::Error, message, &[]);
        }
        shared.control.wait(seen, LOOK);
    }
}
