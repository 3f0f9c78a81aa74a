//! The hand-off between the host's threads and an instance's own thread: pointer and length go one way, an answer
//! comes back.
//!
//! # In scope
//! A queue of waiting flushes, its closing, and the waiting itself. Nothing is copied.
//!
//! # Out of scope
//! What becomes of a chunk ([`crate::instance`]).
//!
//! # Threads
//! [`Handoff::offer`] runs on any number of the host's threads, inside a coroutine whose stack may be 4 KiB without a
//! guard page. So it does not allocate, format, index, log or touch a thread-local, and waits by a bare futex call (a
//! `Condvar` would do, but its frames are std's to choose). [`Handoff::take`] and [`Handoff::close`] run on the
//! instance's thread, one at a time; [`Handoff::open`] and [`Handoff::ring`] on any.
//!
//! # Invariants
//! 1. A [`Ticket`] lives on the stack of the flush that waits for it, and `offer` returns only after the ticket's
//!    answer is set. So a ticket in the queue or in a [`Batch`] is alive, and with it the host's buffer.
//! 2. Whoever has taken a ticket out answers it exactly once, as the last thing done to it: [`Batch::settle`], or the
//!    batch's destructor with [`Answer::Retry`] when the thread panics. No reference into the buffer outlives that,
//!    because the slices that a batch gives out borrow from the batch.
//! 3. "Closed" is a value of the queue's head, not a flag beside it: a flush either gets into the queue before the
//!    closing swap, and is drained by it, or sees the queue closed. There is no moment in which a ticket is put where
//!    nobody will look.
//! 4. No wake-up is lost: the instance thread reads the bell before it looks at the queue and sleeps only while the
//!    bell still has that value; a flush rings after it has queued. The flush itself sleeps only while its answer is
//!    unset.
//!
//! # Memory order
//! A push is a release, a take an acquire of the same word; pushes by other threads in between are read-modify-writes
//! and so continue the release sequence: the taker sees every ticket of the list. Setting the answer is a release,
//! reading it an acquire: all reads of the buffer happen before the flush returns. The head holds an exposed address,
//! not a pointer: a ticket may be queued at the address of an earlier one while a slow pusher still compares with that
//! address. The comparison then succeeds and is right, since a pusher never follows the address.
//!
//! # Waking what is gone
//! After the answer is set, the flush may return before it is woken, and its stack be reused. The wake-up then goes to
//! an address at which nobody of ours waits. The kernel does not read it, and a waiter of someone else's at the same
//! address sees a spurious wake-up, which futex(2) tells every waiter to expect.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::futex;

/// What a flush is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The chunk is durable: the host may forget it.
    Accepted,
    /// The host keeps the chunk and offers it again.
    Retry,
}

/// No answer yet. Not a variant of [`Answer`]: nobody but the waiting loop knows it.
const WAITING: u32 = 0;
const ACCEPTED: u32 = 1;
const RETRY: u32 = 2;

/// The head of an open queue without tickets.
const EMPTY: usize = 0;
/// The head of a closed queue. No ticket has this address: they are aligned to 8.
const CLOSED: usize = 1;

/// One waiting flush, on its own stack.
#[repr(align(8))]
struct Ticket {
    bytes: *const [u8],
    tag: *const CStr,
    /// Address of the ticket queued before this one, or [`EMPTY`]. Written by its flush before the push and by the
    /// instance thread after the take; never by both.
    next: AtomicUsize,
    answer: AtomicU32,
}

/// The queue of one instance.
pub(crate) struct Handoff {
    /// Address of the ticket queued last, [`EMPTY`] or [`CLOSED`].
    head: AtomicUsize,
    /// Counts reasons for the instance thread to look up.
    bell: AtomicU32,
}

impl Handoff {
    /// A queue that answers [`Answer::Retry`] until it is opened.
    pub(crate) const fn closed() -> Self {
        Self {
            head: AtomicUsize::new(CLOSED),
            bell: AtomicU32::new(0),
        }
    }

    /// Lets flushes in. Without effect on an open queue.
    pub(crate) fn open(&self) {
        let _already_open = self
            .head
            .compare_exchange(CLOSED, EMPTY, Ordering::Release, Ordering::Relaxed);
    }

    /// Offers a chunk and waits until the instance thread has given it back.
    pub(crate) fn offer(&self, bytes: &[u8], tag: &CStr) -> Answer {
        let ticket = Ticket {
            bytes: ptr::from_ref(bytes),
            tag: ptr::from_ref(tag),
            next: AtomicUsize::new(EMPTY),
            answer: AtomicU32::new(WAITING),
        };
        let address = ptr::from_ref(&ticket).expose_provenance();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == CLOSED {
                return Answer::Retry;
            }
            ticket.next.store(head, Ordering::Relaxed);
            match self
                .head
                .compare_exchange_weak(head, address, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        self.ring();
        loop {
            match ticket.answer.load(Ordering::Acquire) {
                WAITING => futex::wait(&ticket.answer, WAITING, None),
                ACCEPTED => return Answer::Accepted,
                _ => return Answer::Retry,
            }
        }
    }

    /// Makes the instance thread's [`Handoff::take`] return.
    pub(crate) fn ring(&self) {
        self.bell.fetch_add(1, Ordering::Release);
        futex::wake(&self.bell);
    }

    /// All waiting flushes, oldest first; none after `patience`, a [`Handoff::ring`], or at any time for no reason.
    pub(crate) fn take(&self, patience: Duration) -> Batch<'_> {
        let bell = self.bell.load(Ordering::Acquire);
        let batch = self.take_now();
        if !batch.is_empty() {
            return batch;
        }
        futex::wait(&self.bell, bell, Some(patience));
        self.take_now()
    }

    fn take_now(&self) -> Batch<'_> {
        let mut head = self.head.load(Ordering::Relaxed);
        while head != EMPTY && head != CLOSED {
            match self
                .head
                .compare_exchange_weak(head, EMPTY, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Batch::of(head),
                Err(now) => head = now,
            }
        }
        Batch::of(EMPTY)
    }

    /// Answers every waiting and, until [`Handoff::open`], every later flush with [`Answer::Retry`].
    pub(crate) fn close(&self) {
        match self.head.swap(CLOSED, Ordering::Acquire) {
            CLOSED => {}
            head => drop(Batch::of(head)),
        }
    }
}

/// Flushes taken out of the queue, oldest first. Dropping it tells those that are left to retry.
pub(crate) struct Batch<'a> {
    first: usize,
    queue: PhantomData<&'a Handoff>,
}

impl Batch<'_> {
    /// The list that ends, newest first, in the ticket at `newest`: turned round.
    fn of(newest: usize) -> Self {
        let mut batch = Self {
            first: EMPTY,
            queue: PhantomData,
        };
        let mut at = newest;
        while at != EMPTY {
            let ticket = batch.ticket(at);
            let older = ticket.next.load(Ordering::Relaxed);
            ticket.next.store(batch.first, Ordering::Relaxed);
            batch.first = at;
            at = older;
        }
        batch
    }

    /// Whether no flush waits in here.
    pub(crate) fn is_empty(&self) -> bool {
        self.first == EMPTY
    }

    /// The chunks, oldest first.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Offered<'_>> {
        let mut at = self.first;
        std::iter::from_fn(move || {
            if at == EMPTY {
                return None;
            }
            let ticket = self.ticket(at);
            at = ticket.next.load(Ordering::Relaxed);
            // SAFETY: both came from references in `offer`, which does not return before the ticket is answered; it is
            // answered only by `settle` or `drop`, which need the batch that this item borrows.
            let (bytes, tag) = unsafe { (&*ticket.bytes, &*ticket.tag) };
            Some(Offered { bytes, tag })
        })
    }

    /// Answers the chunks in their order, and those for which there is no answer with [`Answer::Retry`].
    pub(crate) fn settle(mut self, answers: impl IntoIterator<Item = Answer>) {
        for answer in answers {
            if self.is_empty() {
                break;
            }
            self.answer_first(answer);
        }
    }

    fn answer_first(&mut self, answer: Answer) {
        let ticket = self.ticket(self.first);
        let next = ticket.next.load(Ordering::Relaxed);
        let address = ptr::from_ref(&ticket.answer);
        ticket.answer.store(
            match answer {
                Answer::Accepted => ACCEPTED,
                Answer::Retry => RETRY,
            },
            Ordering::Release,
        );
        // From here on the ticket may be gone; only its address is used.
        self.first = next;
        futex::wake_address(address);
    }

    /// The ticket at `address`, which is one of this batch's (or, in `of`, about to be).
    fn ticket(&self, address: usize) -> &Ticket {
        // SAFETY: the address was exposed by `offer` from a live ticket, whose flush stays in `offer` until the ticket
        // is answered; tickets of a batch are not answered yet. All fields that are written are atomics.
        unsafe { &*ptr::with_exposed_provenance::<Ticket>(address) }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        while !self.is_empty() {
            self.answer_first(Answer::Retry);
        }
    }
}

/// One chunk as the host gave it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered<'a> {
    /// msgpack values, one after another.
    pub(crate) bytes: &'a [u8],
    /// The chunk's tag; the host promises no encoding.
    pub(crate) tag: &'a CStr,
}

#[cfg(test)]
impl Handoff {
    /// How often the bell was rung.
    pub(crate) fn bell_count(&self) -> u32 {
        self.bell.load(Ordering::Acquire)
    }
}

#[cfg(test)]
#[path = "handoff_tests.rs"]
mod tests;
