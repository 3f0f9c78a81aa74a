//! Waiting for a word to change, in as little stack as a system call needs.
//!
//! Both calls may return for no reason or fail (a signal, a word that has changed already): whoever waits looks at the
//! word again, so nothing is reported.

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps until `word` is woken, at most for `patience`, unless its value is not `expected`.
pub(crate) fn wait(word: &AtomicU32, expected: u32, patience: Option<Duration>) {
    let limit = patience.map(|patience| libc::timespec {
        tv_sec: libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(patience.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `word` and `limit` (null: without end) are live for the call; FUTEX_WAIT only reads them.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            limit,
        );
    }
}

/// Wakes one sleeper of `word`.
pub(crate) fn wake(word: &AtomicU32) {
    wake_address(ptr::from_ref(word));
}

/// Wakes one sleeper of the word at `address`, which need not be a word any more.
pub(crate) fn wake_address(address: *const AtomicU32) {
    // SAFETY: FUTEX_WAKE with the private flag takes the address as a name and does not read memory there.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            address,
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        );
    }
}
