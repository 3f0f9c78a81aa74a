//! One destination's lane and the threads that run it.
//!
//! # Invariants
//! 1. The lane is under one lock. A worker holds it while it polls and while it tells an answer, never while it sends; so
//!    another worker may send at the same time, and a hanging receiver holds nothing.
//! 2. *The fence.* Taking the lane out of its lock ends it. A worker that comes back from a hanging request finds its
//!    lane gone, or another in its place (the incarnation tells), and can touch neither cursor nor spool.
//! 3. A lane that fails or panics is dropped, and another is opened from disk after a wait. Nothing in memory matters.
//! 4. A destination that cannot be built yet is tried again on its own thread: a disk that hangs below a key file delays
//!    nobody else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::gate::Gate;
use super::lanes::{LaneConfig, LaneRoute, Start, Target};
use super::signal::Signal;
use super::{Shared, THREAD_STACK};
use crate::control::desired::DesiredState;
use crate::deliver::backoff::Policy;
use crate::deliver::journal::StoredLetters;
use crate::deliver::lane::{Action, Activity, Lane, LaneError, Now, Ports, Settings, Ticket};
use crate::deliver::source::{Next, Source, SourceError};
use crate::deliver::spool::SpoolSource;
use crate::spool::cursor::{self, Cursor, Disposition, State};
use crate::spool::read_head;
use crate::spool::storage::Storage;
use crate::time::{Monotonic, Timestamp};
use crate::transport::{SendError, Transport};

/// Waits before a failed lane is opened again: short, as it is our own disk, and not for long.
const REOPEN: Policy = Policy::REOPEN;
/// The longest a worker sleeps without looking.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One destination.
pub(super) struct Runner {
    pub(super) config: LaneConfig,
    pub(super) shared: Arc<Shared>,
    /// Its own workers that are alive.
    pub(super) gate: Arc<Gate>,
    route: OnceLock<LaneRoute>,
    cell: Mutex<Cell>,
    pub(super) signal: Signal,
    pub(super) requests: AtomicU64,
    /// Since when it is served.
    pub(super) since: Timestamp,
}

/// What the lock protects.
pub(super) struct Cell {
    pub(super) lane: Option<Lane>,
    /// Counts the lanes that were opened, so that an answer reaches only the lane that asked.
    incarnation: u64,
    life: Life,
    pub(super) fault: Option<Broken>,
    failures: u32,
    pub(super) wish: Wish,
}

/// What went wrong with the lane itself.
#[derive(Clone)]
pub(super) struct Broken {
    pub(super) at: Timestamp,
    pub(super) since: Timestamp,
    pub(super) reason: String,
    pub(super) until: Monotonic,
}

/// What is wanted of the lane, whichever it is.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    activity: Activity,
    generation: u64,
    draining: Draining,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Draining {
    No,
    Yes,
}

/// Whether workers go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// No more requests; answers still count.
    Stopping,
    /// The fence is up.
    Ended,
}

/// What a worker does next.
enum Turn {
    Send {
        incarnation: u64,
        ticket: Ticket,
        request: Box<http::Request<Vec<u8>>>,
    },
    Wait(Duration),
    End,
}

impl Runner {
    pub(super) fn new(
        config: LaneConfig,
        shared: Arc<Shared>,
        activity: Activity,
        generation: u64,
    ) -> Arc<Self> {
        let route = match &config.target {
            Target::Route(route) => OnceLock::from(route.clone()),
            Target::Awaited { .. } | Target::Held { .. } => OnceLock::new(),
        };
        Arc::new(Self {
            since: shared.around.clock.wall(),
            gate: Arc::default(),
            route,
            config,
            shared,
            cell: Mutex::new(Cell {
                lane: None,
                incarnation: 0,
                life: Life::Running,
                fault: None,
                failures: 0,
                wish: Wish {
                    activity,
                    generation,
                    draining: Draining::No,
                },
            }),
            signal: Signal::default(),
            requests: AtomicU64::new(0),
        })
    }

    /// Where its records go, once that can be said.
    pub(super) fn route(&self) -> Option<&LaneRoute> {
        self.route.get()
    }

    /// Why there is no route, by `fault` if it was tried again.
    pub(super) fn held<'a>(&'a self, fault: Option<&'a Broken>) -> Option<&'a str> {
        match &self.config.target {
            Target::Route(_) => None,
            Target::Awaited { .. } if self.route().is_some() => None,
            Target::Awaited { reason, .. } => Some(fault.map_or(reason, |fault| &fault.reason)),
            Target::Held { reason } => Some(reason),
        }
    }

    /// The cell, whatever happened to other threads: a panic inside a turn is caught inside it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// When the system gives no thread; those that were started end with [`Runner::end`].
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
        let workers = match &self.config.target {
            Target::Route(route) => route.workers(),
            Target::Awaited { .. } => 1,
            Target::Held { .. } => 0,
        };
        (0..workers).map(|number| self.spawn(number)).collect()
    }

    fn spawn(self: &Arc<Self>, number: usize) -> std::io::Result<std::thread::JoinHandle<()>> {
        let name = thread_name(&self.config.id, number);
        let runner = Arc::clone(self);
        let alive = (self.shared.gate.enter(), self.gate.enter());
        let body = Box::new(move || {
            runner.work();
            drop(alive);
        });
        self.shared.around.spawner.spawn(&name, THREAD_STACK, body)
    }

    /// Makes the cursor of a destination that is new to the spool now, so that records are kept for it from now on.
    pub(super) fn ensure_cursor(&self) {
        if let Err(error) = open_cursor(&self.shared, &self.config) {
            let fields: [(&str, &dyn std::fmt::Display); 2] =
                [("destination", &self.config.id), ("reason", &error)];
            self.shared.log.error("the cursor cannot be opened", &fields);
        }
    }

    /// Gives an order to the lane; `None` when there is none at the moment, or when it is over.
    pub(super) fn with_lane<T>(
        &self,
        order: impl FnOnce(&mut Lane) -> Result<Option<T>, LaneError>,
    ) -> Option<T> {
        let mut cell = self.lock();
        let lane = cell.lane.as_mut()?;
        let reply = match guarded(|| order(lane)) {
            Ok(reply) => reply,
            Err(reason) => {
                let now = Now::of(&*self.shared.around.clock);
                self.broke(&mut cell, reason, now);
                None
            }
        };
        drop(cell);
        self.signal.call();
        reply
    }

    /// Switches the destination, as the desired state of `generation` says.
    pub(super) fn desire(&self, state: DesiredState, generation: u64) {
        let activity = match state {
            DesiredState::Active => Activity::Active,
            DesiredState::Inactive => Activity::Paused,
        };
        let mut cell = self.lock();
        if (cell.wish.activity, cell.wish.generation) == (activity, generation) {
            return;
        }
        cell.wish.activity = activity;
        cell.wish.generation = generation;
        if let Some(lane) = &mut cell.lane {
            lane.desire(activity, generation);
        }
        cell.hurry();
        drop(cell);
        self.signal.call();
    }

    /// From now on what there is goes at once.
    pub(super) fn drain(&self) {
        let mut cell = self.lock();
        cell.wish.draining = Draining::Yes;
        if let Some(lane) = &mut cell.lane {
            lane.drain();
        }
        drop(cell);
        self.signal.call();
    }

    /// Whether nothing is left to send. A destination without a route has whatever there is left.
    pub(super) fn is_drained(&self) -> bool {
        self.lock().lane.as_ref().is_some_and(Lane::is_drained)
    }

    /// No further request; workers end when they have told their last answer.
    pub(super) fn stop(&self) {
        let mut cell = self.lock();
        if cell.life == Life::Running {
            cell.life = Life::Stopping;
        }
        drop(cell);
        if let Some(route) = self.route() {
            route.transport.interrupt();
        }
        self.signal.call();
    }

    /// Puts the fence up.
    pub(super) fn end(&self) {
        let mut cell = self.lock();
        cell.life = Life::Ended;
        cell.lane = None;
        drop(cell);
        self.signal.call();
    }

    /// A destination that cannot be built yet is tried at once.
    pub(super) fn hurry(&self) {
        self.lock().hurry();
        self.signal.call();
    }

    /// A worker's life.
    fn work(self: &Arc<Self>) {
        let Some(LaneRoute { settings, transport }) = self.await_route() else {
            return;
        };
        loop {
            let seen = self.signal.seen();
            match self.turn(settings) {
                Turn::End => return,
                Turn::Wait(patience) => self.signal.wait(seen, patience),
                Turn::Send {
                    incarnation,
                    ticket,
                    request,
                } => {
                    // There may be more to send, for another worker.
                    self.signal.call();
                    let result = send(&**transport, &request);
                    self.requests.fetch_add(1, Ordering::Relaxed);
                    self.told(incarnation, ticket, result);
                }
            }
        }
    }

    /// The route, as soon as it can be built; `None` when the end comes first.
    fn await_route(self: &Arc<Self>) -> Option<&LaneRoute> {
        let Target::Awaited { build, .. } = &self.config.target else {
            return self.route();
        };
        while self.route().is_none() {
            let seen = self.signal.seen();
            let now = Now::of(&*self.shared.around.clock);
            let (life, until) = {
                let cell = self.lock();
                (cell.life, cell.fault.as_ref().map(|fault| fault.until))
            };
            if life != Life::Running {
                return None;
            }
            if let Some(until) = until.filter(|until| now.monotonic < *until) {
                self.signal
                    .wait(seen, until.since(now.monotonic).min(LONGEST_WAIT));
                continue;
            }
            match guarded(|| Ok(build())).and_then(|built| built) {
                Ok(route) => self.found(route),
                Err(reason) => self.missed(reason, now),
            }
        }
        self.route()
    }

    /// The route can be built now: as many workers as it may have requests on their way.
    fn found(self: &Arc<Self>, route: LaneRoute) {
        self.lock().recovered();
        let workers = route.workers();
        if self.route.set(route).is_err() {
            return;
        }
        let fields: [(&str, &dyn std::fmt::Display); 1] = [("destination", &self.config.id)];
        self.shared
            .log
            .info("what the destination is made of is there now", &fields);
        for number in 1..workers {
            // The gate waits for it; with fewer workers it is slower, and goes on.
            if let Err(error) = self.spawn(number) {
                let fields: [(&str, &dyn std::fmt::Display); 2] =
                    [("destination", &self.config.id), ("reason", &error)];
                self.shared.log.error("the system gives no thread", &fields);
            }
        }
    }

    fn missed(&self, reason: String, now: Now) {
        let mut cell = self.lock();
        let wait = Policy::PROBE.wait(cell.failures, None, &*self.shared.around.random);
        cell.failures = cell.failures.saturating_add(1);
        cell.fault = Some(Broken {
            at: now.wall,
            since: self.since,
            reason,
            until: now.monotonic.plus(wait),
        });
    }

    /// Asks the lane what to do, opening one where there is none.
    fn turn(self: &Arc<Self>, settings: &Settings) -> Turn {
        let mut cell = self.lock();
        let now = Now::of(&*self.shared.around.clock);
        if cell.life != Life::Running {
            if let (Life::Stopping, Some(lane)) = (cell.life, &mut cell.lane) {
                // What is settled need not be asked again; without it nothing would be wrong either.
                let _ = guarded(|| lane.commit());
            }
            return Turn::End;
        }
        if cell.lane.is_none() {
            if let Some(fault) = &cell.fault
                && now.monotonic < fault.until
            {
                return Turn::Wait(fault.until.since(now.monotonic).min(LONGEST_WAIT));
            }
            let wish = cell.wish;
            match guarded(|| self.open(settings, wish)) {
                Ok(lane) => {
                    cell.lane = Some(lane);
                    cell.incarnation += 1;
                }
                Err(reason) => return self.broke(&mut cell, reason, now),
            }
        }
        let Some(lane) = &mut cell.lane else {
            return Turn::Wait(LONGEST_WAIT);
        };
        match guarded(|| lane.poll(now)) {
            Ok(Action::Send { ticket, request }) => {
                cell.recovered();
                Turn::Send {
                    incarnation: cell.incarnation,
                    ticket,
                    request,
                }
            }
            Ok(Action::Wait(until)) => {
                cell.recovered();
                drop(cell);
                self.shared.progress.call();
                let patience = until.map_or(LONGEST_WAIT, |until| until.since(now.monotonic));
                Turn::Wait(patience.clamp(Duration::from_millis(1), LONGEST_WAIT))
            }
            Err(reason) => self.broke(&mut cell, reason, now),
        }
    }

    /// Tells the lane that asked what came of its request.
    fn told(&self, incarnation: u64, ticket: Ticket, result: Result<http::Response<Vec<u8>>, SendError>) {
        let mut cell = self.lock();
        if cell.life == Life::Ended || cell.incarnation != incarnation {
            return;
        }
        let now = Now::of(&*self.shared.around.clock);
        if let Some(lane) = &mut cell.lane {
            let told = guarded(|| {
                lane.complete(ticket, result, now);
                Ok(())
            });
            if let Err(reason) = told {
                let _ = self.broke(&mut cell, reason, now);
            }
        }
        drop(cell);
        self.signal.call();
    }

    /// The lane is over; another one is opened later.
    fn broke(&self, cell: &mut Cell, reason: String, now: Now) -> Turn {
        cell.lane = None;
        let wait = REOPEN.wait(cell.failures, None, &*self.shared.around.random);
        cell.failures = cell.failures.saturating_add(1);
        let kind = format!("lane {}", self.config.id);
        self.shared.log.once_a_minute(
            &kind,
            crate::control::log::Level::Error,
            "delivery stopped and starts again from its journal",
            &[("destination", &self.config.id), ("reason", &reason)],
        );
        let since = cell.fault.as_ref().map_or(now.wall, |fault| fault.since);
        cell.fault = Some(Broken {
            at: now.wall,
            since,
            reason,
            until: now.monotonic.plus(wait),
        });
        Turn::Wait(wait.max(Duration::from_millis(1)))
    }

    fn open(&self, settings: &Settings, wish: Wish) -> Result<Lane, LaneError> {
        let storage = &self.shared.storage;
        let cursor = open_cursor(&self.shared, &self.config)?;
        let source = SpoolSource::open(Arc::clone(storage)).map_err(SourceError::new)?;
        let further = Arc::clone(storage);
        let ports = Ports {
            spool: self.shared.spool,
            provenance: self.shared.provenance,
            source: Box::new(source),
            further_source: Box::new(move || {
                let source = SpoolSource::open(Arc::clone(&further)).map_err(SourceError::new)?;
                Ok(Box::new(source) as Box<dyn Source>)
            }),
            journal: Box::new(cursor),
            dead_letters: Box::new(StoredLetters::new(Arc::clone(storage), &self.config.id)),
            random: Arc::clone(&self.shared.around.random),
        };
        let mut lane = Lane::open(settings.clone(), ports, wish.activity)?;
        lane.desire(wish.activity, wish.generation);
        if wish.draining == Draining::Yes {
            lane.drain();
        }
        Ok(lane)
    }
}

impl LaneRoute {
    /// How many requests may be on their way.
    fn workers(&self) -> usize {
        usize::from(self.settings.destination.limits().in_flight).clamp(1, State::MAX_ENTRIES)
    }
}

impl Cell {
    /// What went wrong is tried again without further waiting.
    fn hurry(&mut self) {
        if let Some(fault) = &mut self.fault {
            fault.until = Monotonic(0);
        }
    }

    fn recovered(&mut self) {
        self.fault = None;
        self.failures = 0;
    }
}

/// Opens or makes a destination's cursor. A new one begins where its configuration says, and in a copied spool as the
/// others stand: it may send if one of them was let.
fn open_cursor(shared: &Shared, config: &LaneConfig) -> Result<Cursor, LaneError> {
    let storage = &shared.storage;
    let copies = shared.provenance.copies;
    let (start, copy) = match cursor::peek(&**storage, &config.id) {
        Ok(None) => {
            let others = cursor::peek_all(&**storage)?;
            let mut others = others.iter().filter_map(|(_, peek)| peek.as_ref().ok());
            let let_send = others.any(|other| other.spool == shared.spool && other.state.copy >= copies);
            (
                first_record(storage, config.start)?,
                if let_send { copies } else { 0 },
            )
        }
        // It has a place already, or an error that opening says.
        Ok(Some(_)) | Err(_) => (0, 0),
    };
    let mut cursor = Cursor::open_or_create(Arc::clone(storage), &config.id, shared.spool, start)?;
    if copy > 0 {
        let state = State {
            copy,
            ..cursor.state().clone()
        };
        cursor.commit(state)?;
    }
    Ok(cursor)
}

/// Where a destination begins that is new to the spool.
fn first_record(storage: &Arc<dyn Storage>, start: Start) -> Result<u64, LaneError> {
    match start {
        Start::Earliest => {
            let mut source = SpoolSource::open(Arc::clone(storage)).map_err(SourceError::new)?;
            Ok(match source.peek()? {
                // What retention has removed was there before the destination.
                Next::Lost {
                    to,
                    how: Disposition::Dropped,
                } => to,
                _ => 0,
            })
        }
        Start::Latest => {
            let head = read_head(&**storage).map_err(SourceError::new)?;
            Ok(head.map_or(0, |head| head.next_seq))
        }
    }
}

/// Runs a part of the lane's work; a panic in it is an error like another.
fn guarded<T>(work: impl FnOnce() -> Result<T, LaneError>) -> Result<T, String> {
    // What was half done is dropped with the lane.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(format!(
            "a defect of auditship, please report it: {}",
            words(&*panic)
        )),
    }
}

fn send(
    transport: &dyn Transport,
    request: &http::Request<Vec<u8>>,
) -> Result<http::Response<Vec<u8>>, SendError> {
    catch_unwind(AssertUnwindSafe(|| transport.send(request))).unwrap_or_else(|panic| {
        Err(SendError::Unanswered {
            reason: format!("a defect of auditship, please report it: {}", words(&*panic)),
        })
    })
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}

/// At most 15 bytes are seen by the system; the worker's number comes before what is cut.
fn thread_name(id: &str, number: usize) -> String {
    match number {
        0 => format!("aship-{id}"),
        number => format!("aship-{number}-{id}"),
    }
}
