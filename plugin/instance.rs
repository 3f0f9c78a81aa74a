//! One output instance: the thread that takes chunks from the host's flushes to the spool.
//!
//! # In scope
//! Starting and stopping the thread; waking for chunks and for housekeeping; what happens when the thread panics.
//!
//! # Out of scope
//! What accepting a chunk means ([`Intake`], implemented by [`crate::compose`]); the queue ([`crate::handoff`]).
//!
//! # Invariants
//! 1. The intake is opened, used and dropped on the instance thread alone, which has the stack and the signal mask for
//!    it. Init only waits for the outcome of the first opening.
//! 2. A flush is never left without an answer: between a panic and the next successful opening the queue is closed,
//!    and the batch at hand is answered by its destructor. The intake that panicked is dropped, never used again.
//! 3. An `Instance` lives to the end of the process. A flush that has just been answered may still be on its way out
//!    of the queue when the host calls Exit; what it touches then is the queue's bell. It costs some hundred bytes for
//!    each stanza and reload, and makes every order of the host's calls sound.
//!
//! # Crash safety
//! There is no state here that a restart needs: a chunk without an answer is still the host's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auditship::time::{Clock, Monotonic};

use crate::guest;
use crate::handoff::{Answer, Handoff, Offered};
use crate::threads::Thread;

/// How often the intake gets a tick while nothing else happens.
const TICK: Duration = Duration::from_millis(200);
/// How long the senders of an intake that panicked may go on, before they are abandoned.
const SENDERS: Duration = Duration::from_secs(1);
/// From the first to the longest pause before the intake is opened again after a panic.
const REOPEN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Stack of an instance thread: decoding is bounded in depth, compression keeps its tables on the heap.
const STACK: usize = 1 << 20;

/// What the instance thread does with chunks.
pub(crate) trait Intake {
    /// Makes `chunks` durable together, and sets the answer of each, which comes as [`Answer::Retry`]. Returns at once
    /// when there is no room.
    fn accept(&mut self, chunks: &[Offered<'_>], answers: &mut [Answer]);

    /// Housekeeping. Called about five times a second, never while chunks wait.
    fn tick(&mut self);

    /// An earlier intake panicked: `why`.
    fn restarted(&mut self, why: &str);

    /// Ends everything that was started, senders after at most `patience`.
    fn stop(self: Box<Self>, patience: Duration);
}

/// Opens an intake. Called on the instance thread: once at the start, again after each panic.
pub(crate) type Open = Box<dyn FnMut() -> Result<Box<dyn Intake>, String> + Send>;

/// See the module.
pub(crate) struct Instance {
    handoff: Handoff,
    stopping: AtomicBool,
    /// What the senders get at the stop.
    patience: Mutex<Duration>,
    thread: Mutex<Option<Thread>>,
}

impl Instance {
    /// Starts the thread of the instance `name` and waits until its intake is open.
    ///
    /// # Errors
    /// What `open` or the system says; the thread has ended then.
    pub(crate) fn start(name: &str, clock: Arc<dyn Clock>, mut open: Open) -> Result<&'static Self, String> {
        let instance: &'static Self = Box::leak(Box::new(Self {
            handoff: Handoff::closed(),
            stopping: AtomicBool::new(false),
            patience: Mutex::new(Duration::ZERO),
            thread: Mutex::new(None),
        }));
        let opened = Arc::new(Outcome::default());
        let told = Arc::clone(&opened);
        let thread = Thread::spawn(name, STACK, move || {
            let first = catch_unwind(AssertUnwindSafe(&mut open)).unwrap_or_else(|payload| {
                Err(format!("a defect in auditship: {}", guest::panic_text(payload)))
            });
            match first {
                Ok(intake) => {
                    instance.handoff.open();
                    told.set(Ok(()));
                    instance.run(&*clock, intake, &mut open);
                }
                Err(why) => told.set(Err(why)),
            }
        })
        .map_err(|why| {
            format!("no thread for this output: {why}. Raise the limit on threads or free memory")
        })?;
        match opened.wait() {
            Ok(()) => {
                *lock(&instance.thread) = Some(thread);
                Ok(instance)
            }
            Err(why) => {
                thread.join();
                Err(why)
            }
        }
    }

    /// The queue into which flushes go.
    pub(crate) fn handoff(&self) -> &Handoff {
        &self.handoff
    }

    /// Ends the instance: waiting and later flushes are told to retry, senders get `patience`, and the thread is joined.
    /// Without effect when called again.
    pub(crate) fn stop(&self, patience: Duration) {
        *lock(&self.patience) = patience;
        self.stopping.store(true, Ordering::Release);
        self.handoff.ring();
        if let Some(thread) = lock(&self.thread).take() {
            thread.join();
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The thread's life after the first opening.
    fn run(&self, clock: &dyn Clock, first: Box<dyn Intake>, open: &mut Open) {
        let mut current = Some(first);
        while let Some(mut intake) = current.take() {
            let why = match catch_unwind(AssertUnwindSafe(|| self.serve(clock, &mut *intake))) {
                Ok(()) => {
                    self.handoff.close();
                    let patience = *lock(&self.patience);
                    let _panicked = catch_unwind(AssertUnwindSafe(|| intake.stop(patience)));
                    return;
                }
                Err(payload) => guest::panic_text(payload),
            };
            self.handoff.close();
            let _panicked_again = catch_unwind(AssertUnwindSafe(|| intake.stop(SENDERS)));
            current = self.reopen(clock, open, &why);
        }
        self.handoff.close();
    }

    /// Takes chunks and ticks until the instance is stopped.
    fn serve(&self, clock: &dyn Clock, intake: &mut dyn Intake) {
        let mut answers = Vec::new();
        let mut ticked = clock.monotonic();
        while !self.is_stopping() {
            let batch = self.handoff.take(TICK);
            if !batch.is_empty() {
                let chunks: Vec<Offered<'_>> = batch.chunks().collect();
                answers.clear();
                answers.resize(chunks.len(), Answer::Retry);
                intake.accept(&chunks, &mut answers);
                drop(chunks);
                batch.settle(answers.iter().copied());
            }
            let now = clock.monotonic();
            if now.since(ticked) >= TICK {
                intake.tick();
                ticked = now;
            }
        }
    }

    /// A new intake after a panic, with growing pauses between the attempts; none when the instance is stopped before.
    fn reopen(&self, clock: &dyn Clock, open: &mut Open, why: &str) -> Option<Box<dyn Intake>> {
        let mut pause = REOPEN.0;
        loop {
            self.rest(clock, pause);
            if self.is_stopping() {
                return None;
            }
            let opened = catch_unwind(AssertUnwindSafe(|| {
                let mut intake = open().ok()?;
                intake.restarted(why);
                Some(intake)
            }));
            if let Ok(Some(intake)) = opened {
                self.handoff.open();
                return Some(intake);
            }
            pause = pause.saturating_mul(2).min(REOPEN.1);
        }
    }

    /// Waits for `pause` or the stop. Flushes do not ring meanwhile: the queue is closed.
    fn rest(&self, clock: &dyn Clock, pause: Duration) {
        let until: Monotonic = clock.monotonic().plus(pause);
        loop {
            let left = until.since(clock.monotonic());
            if left.is_zero() || self.is_stopping() {
                return;
            }
            drop(self.handoff.take(left));
        }
    }
}

/// The outcome of the first opening, on its way from the instance thread to Init. (A channel would leave a
/// thread-local with a destructor on the host's thread.)
#[derive(Default)]
struct Outcome {
    value: Mutex<Option<Result<(), String>>>,
    set: Condvar,
}

impl Outcome {
    fn set(&self, value: Result<(), String>) {
        *lock(&self.value) = Some(value);
        self.set.notify_one();
    }

    fn wait(&self) -> Result<(), String> {
        let mut value = lock(&self.value);
        loop {
            if let Some(value) = value.take() {
                return value;
            }
            value = self.set.wait(value).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
