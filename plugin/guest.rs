//! How to behave in somebody else's process: its standard streams, its panics, its descriptors.
//!
//! # Panics
//! A Rust library that is loaded as a `cdylib` has its own copy of the standard library, and so its own panic hook: the
//! one set here is seen by no other Rust plugin of the host, and whatever panics in this copy is ours. The hook writes
//! nothing (the default one writes to descriptor 2, which may be any file of the host's by then): it keeps message and
//! place for whoever catches the panic. In this crate's own tests, which share a copy with the test harness, it acts on
//! threads of ours only.
//!
//! # Descriptors
//! After `Daemon On` the host runs with descriptors 1 and 2 closed, and still writes its log to 2. The next file or
//! socket that anything in the process opens gets the number 1 or 2, and the log goes into it. [`reserve_standard_fds`]
//! puts `/dev/null` there, before we open anything: all descriptors of ours are 3 or higher then, whichever library
//! opens them, and the host's log harms nobody.

use std::any::Any;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

use crate::threads::NAME_PREFIX;

/// Message and place of the last panic, put by the hook.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs the body of an export, and gives `otherwise` when it panics.
pub(crate) fn export<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    set_panic_hook();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        let _text = panic_text(payload);
        otherwise
    })
}

/// What a caught panic said, and where.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let kept = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
    let text = kept.unwrap_or_else(|| message(&*payload).to_owned());
    // A payload may panic in its own destructor.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    text
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

/// Sets the panic hook, once for the life of the process. Nothing of it is undone or split by a fork.
pub(crate) fn set_panic_hook() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if cfg!(test) && !is_ours() {
                before(info);
            } else {
                keep(info);
            }
        }));
    });
}

fn keep(info: &PanicHookInfo<'_>) {
    let text = match info.location() {
        Some(at) => format!("{} ({}:{})", message(info.payload()), at.file(), at.line()),
        None => message(info.payload()).to_owned(),
    };
    *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// Whether the calling thread has a name that only ours have. (Asking `std::thread` would leave a thread-local with a
/// destructor on a host thread.)
fn is_ours() -> bool {
    let mut name: [c_char; 16] = [0; 16];
    // SAFETY: the buffer has the 16 bytes that a name needs at most.
    let code = unsafe { libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr(), name.len()) };
    code == 0
        && name
            .iter()
            .zip(NAME_PREFIX.bytes())
            .all(|(&is, should)| is.cast_unsigned() == should)
}

/// Opens `/dev/null` (close-on-exec) at each of the descriptors 0, 1 and 2 that is closed, for the life of the process.
pub(crate) fn reserve_standard_fds() {
    loop {
        // SAFETY: opens a constant path.
        let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        if fd > libc::STDERR_FILENO {
            // SAFETY: made above and known to nobody else.
            unsafe { libc::close(fd) };
        }
        // Negative: no /dev/null in this root; then every opening of ours has to look after itself, and does not.
        if !(0..=libc::STDERR_FILENO).contains(&fd) {
            return;
        }
    }
}
