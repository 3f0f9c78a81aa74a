//! The first thread of an instance: made from a host thread, without leaving a trace on that.
//!
//! `std::thread` runs its spawn hooks on the parent, which gives the parent a thread-local with a destructor. The host
//! may unmap the library before that thread ends, so this one thread is made with `pthread_create`. Threads that it
//! starts in turn use `std::thread` and inherit its signal mask.
//!
//! Signals: all blocked, so that the host's handlers run on the host's threads, except SIGSEGV, SIGBUS, SIGFPE and
//! SIGILL. Those are raised by the thread itself; blocked, they would end the process without the host's crash handler.

use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// What every name of a thread of ours starts with.
pub(crate) const NAME_PREFIX: &str = "aship-";

/// The longest name of a thread on Linux, without its NUL.
const NAME_MAX: usize = 15;

type Job = Box<dyn FnOnce() + Send>;

/// A running thread. Dropping it detaches it.
#[derive(Debug)]
pub(crate) struct Thread(libc::pthread_t);

impl Thread {
    /// Starts `job` on a thread named `aship-` and `name`, cut to what Linux takes, with a stack of `stack` bytes.
    ///
    /// # Errors
    /// Of `pthread_create`: too many threads, or no memory for the stack.
    pub(crate) fn spawn(name: &str, stack: usize, job: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let name: String = NAME_PREFIX.chars().chain(name.chars()).collect();
        let mut text = [0_u8; NAME_MAX + 1];
        let kept = name.len().min(NAME_MAX);
        text[..kept].copy_from_slice(&name.as_bytes()[..kept]);

        let job: Job = Box::new(move || {
            if let Ok(name) = CStr::from_bytes_until_nul(&text) {
                // SAFETY: names the calling thread; `name` is NUL-terminated and at most 16 bytes. A failure leaves
                // the inherited name.
                unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
            }
            job();
        });
        let argument: *mut Job = Box::into_raw(Box::new(job));

        let blocked = Blocked::all_but_faults();
        let made = create(stack, argument);
        drop(blocked);
        if made.is_err() {
            // SAFETY: no thread was made, so nobody else has the box.
            drop(unsafe { Box::from_raw(argument) });
        }
        made
    }

    /// Waits for the thread's end.
    pub(crate) fn join(self) {
        // SAFETY: the thread is ours, was not joined (this takes `self`) and not detached (`ManuallyDrop` below); we are not
        // it, since it never holds its own `Thread`.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
        let _joined = std::mem::ManuallyDrop::new(self);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: not joined: `join` does not run this.
        unsafe { libc::pthread_detach(self.0) };
    }
}

fn create(stack: usize, argument: *mut Job) -> io::Result<Thread> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the attributes are initialised before use and destroyed after; `run` takes the box that `argument` is,
    // once, if and only if the thread is made; `thread` is written if the result is 0.
    unsafe {
        check(libc::pthread_attr_init(attributes.as_mut_ptr()))?;
        let made = check(libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack)).and_then(|()| {
            check(libc::pthread_create(
                thread.as_mut_ptr(),
                attributes.as_ptr(),
                run,
                argument.cast(),
            ))
        });
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        made.map(|()| Thread(thread.assume_init()))
    }
}

fn check(code: c_int) -> io::Result<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code))
    }
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` made the pointer from a box of this type and gave it to this thread alone.
    let job = unsafe { Box::from_raw(argument.cast::<Job>()) };
    // The job has its own way to deal with panics; this only keeps one from leaving Rust.
    let _panicked = catch_unwind(AssertUnwindSafe(job));
    ptr::null_mut()
}

/// The calling thread's signals, blocked until this is dropped.
struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    fn all_but_faults() -> Self {
        let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigfillset` initialises the mask, `pthread_sigmask` with valid arguments (it has no other failure)
        // the previous one.
        unsafe {
            libc::sigfillset(mask.as_mut_ptr());
            for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL] {
                libc::sigdelset(mask.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), before.as_mut_ptr());
            Self {
                before: before.assume_init(),
            }
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: restores the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}
