//! What is known of the host: its age, whether it is reloading, and its log.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::fluent_bit_sys::{LEVEL_ERROR, plugin_api, plugin_log_api};

/// No PreRegister yet: a host older than 2.1, or none.
const SILENT: u8 = 0;
const FIRST_START: u8 = 1;
const HOT_RELOAD: u8 = 2;

/// What the last PreRegister said. The only state that is set before a host forks, and it survives that.
static SAID: AtomicU8 = AtomicU8::new(SILENT);

/// Why an instance is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartKind {
    /// With the host: whatever is wrong is an error, so that the administrator sees it now.
    First,
    /// In a running host, which a failing Init would end: only what concerns the spool is an error.
    HotReload,
}

/// Notes a call of FLBPluginPreRegister.
pub(crate) fn pre_registered(hot_reloading: i32) {
    let said = if hot_reloading == 0 {
        FIRST_START
    } else {
        HOT_RELOAD
    };
    SAID.store(said, Ordering::Relaxed);
}

/// Why an Init is called now.
pub(crate) fn start_kind() -> StartKind {
    if SAID.load(Ordering::Relaxed) == HOT_RELOAD {
        StartKind::HotReload
    } else {
        StartKind::First
    }
}

/// Writes `text` to the host's log, if the host has shown that it has one for us. Older hosts only say that Init failed.
///
/// # Safety
/// `api` is the host's, and the calling thread is the host's.
pub(crate) unsafe fn log_error(api: NonNull<plugin_api>, text: &str) {
    if SAID.load(Ordering::Relaxed) == SILENT {
        return;
    }
    let Ok(text) = CString::new(text.replace('\0', " ")) else {
        return;
    };
    let api: *const plugin_log_api = api.as_ptr().cast();
    // SAFETY: a host that has called PreRegister is 2.1 or newer, whose structure has the member.
    if let Some(print) = unsafe { (*api).log_print } {
        // SAFETY: a format with one string, and that string; without file and line, as the host itself calls it.
        unsafe {
            print(
                LEVEL_ERROR,
                ptr::null(),
                0,
                c"[output:auditship] %s".as_ptr(),
                text.as_ptr(),
            )
        };
    }
}
