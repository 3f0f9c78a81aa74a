//! The Fluent Bit output plugin: the symbols that the host looks up, and nothing else.
//!
//! # In scope
//! The binary interface: pointers in, status codes out, no panic across. Of what is shipped this crate is the only one with
//! unsafe code.
//!
//! # Out of scope
//! Everything that auditship does ([`auditship`]).
//!
//! # The host's order of calls
//! PreRegister (hosts from 2.1 on) and Register once for each load; Init for each stanza, on the engine's thread;
//! FlushCtx for each chunk, on the engine's thread or several workers, inside a coroutine; ExitCtx for each stanza at
//! the end. A hot reload loads anew and calls PreRegister(1) and Register while the old instances still run, then
//! ExitCtx for all old ones, then Init for the new ones. With `Daemon On` the host forks after Register: nothing is
//! made there that a fork would split (no thread, descriptor, lock, path, random state).
//!
//! # Invariants
//! 1. No panic leaves an export.
//! 2. FlushCtx answers OK or RETRY, never ERROR, upon which the host would drop the chunk.
//! 3. FlushCtx does nothing on the host's stack but the hand-off (see `handoff`).
//! 4. Of the host's structures only members are touched that the host is known to have.
#![deny(unsafe_op_in_unsafe_fn)]

mod compose;
mod futex;
mod guest;
mod handoff;
mod host;
mod instance;
mod properties;
mod threads;

#[cfg(feature = "bindgen")]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the declaration of an interface, not all of which is used"
)]
mod fluent_bit_sys {
    include!(concat!(env!("OUT_DIR"), "/fluent_bit_sys.rs"));
}
#[cfg(not(feature = "bindgen"))]
#[rustfmt::skip]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the declaration of an interface, not all of which is used"
)]
mod fluent_bit_sys;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;

use fluent_bit_sys::{
    DONE, FAILED, FLUSH_OK, FLUSH_RETRY, KIND_OUTPUT, PROXY_C, REGISTERED, output_plugin, plugin_definition,
};
use handoff::Answer;
use instance::Instance;

/// Before Register, on hosts that can reload: 1 when this load is for a reload.
#[unsafe(no_mangle)]
pub extern "C" fn FLBPluginPreRegister(hot_reloading: c_int) -> c_int {
    guest::export(REGISTERED, || {
        deliberate_panic("PreRegister");
        host::pre_registered(hot_reloading);
        REGISTERED
    })
}

/// Says what this plugin is.
///
/// # Safety
/// `definition` is null or the host's definition, at least as long as `plugin_definition`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginRegister(definition: *mut plugin_definition) -> c_int {
    guest::export(REGISTERED, || {
        if let Some(definition) = NonNull::new(definition) {
            let at = definition.as_ptr();
            // SAFETY: by the contract above. Members are written one by one, so that what a newer host has behind them
            // keeps its zeros. The strings are the host's to free, hence the C allocator's.
            unsafe {
                (*at).type_ = KIND_OUTPUT;
                (*at).proxy = PROXY_C;
                (*at).flags = 0;
                (*at).name = libc::strdup(c"auditship".as_ptr());
                (*at).description =
                    libc::strdup(c"Ships audit records and proves that every one arrived".as_ptr());
            }
        }
        deliberate_panic("Register");
        REGISTERED
    })
}

/// Starts one stanza's instance.
///
/// # Safety
/// `plugin` is null or the host's structure for this stanza, with `api` and `context` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginInit(plugin: *mut output_plugin) -> c_int {
    guest::export(FAILED, || {
        guest::reserve_standard_fds();
        deliberate_panic("Init");
        let Some(plugin) = NonNull::new(plugin) else {
            return FAILED;
        };
        // SAFETY: by the contract above.
        let plugin = unsafe { plugin.as_ref() };
        let (Some(api), Some(context)) = (NonNull::new(plugin.api), NonNull::new(plugin.context)) else {
            return FAILED;
        };
        // SAFETY: both are the host's, and this Init outlives the properties.
        let properties = unsafe { properties::Properties::new(api, plugin.output_instance) };
        match compose::start(&properties, host::start_kind()) {
            Ok(instance) => {
                // SAFETY: by the contract above; the member is ours to set.
                unsafe {
                    (*context.as_ptr()).remote_context = std::ptr::from_ref(instance).cast_mut().cast()
                };
                DONE
            }
            Err(why) => {
                // SAFETY: `api` is the host's, and this is the engine's thread.
                unsafe { host::log_error(api, &why) };
                FAILED
            }
        }
    })
}

/// Takes one chunk: OK when it is durable, else RETRY.
///
/// # Safety
/// `context` is what Init set, or null; `data` has `length` bytes and `tag` ends with NUL, both until this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginFlushCtx(
    context: *mut c_void,
    data: *const c_void,
    length: usize,
    tag: *const c_char,
) -> c_int {
    // Not `guest::export`: setting the hook has no place on this stack. There is nothing in here that panics.
    let answer = catch_unwind(AssertUnwindSafe(|| {
        deliberate_panic("FlushCtx");
        if context.is_null() || length > isize::MAX.cast_unsigned() {
            return Answer::Retry;
        }
        let bytes = if data.is_null() {
            &[]
        } else {
            // SAFETY: by the contract above; the length was checked.
            unsafe { slice::from_raw_parts(data.cast::<u8>(), length) }
        };
        let tag = if tag.is_null() {
            c""
        } else {
            // SAFETY: by the contract above.
            unsafe { CStr::from_ptr(tag) }
        };
        // SAFETY: Init set it from a `&'static Instance`.
        let instance = unsafe { &*context.cast::<Instance>() };
        instance.handoff().offer(bytes, tag)
    }));
    match answer {
        Ok(Answer::Accepted) => FLUSH_OK,
        Ok(Answer::Retry) | Err(_) => FLUSH_RETRY,
    }
}

/// Ends one stanza's instance and joins its thread.
///
/// # Safety
/// `context` is what Init set, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginExitCtx(context: *mut c_void) -> c_int {
    guest::export(DONE, || {
        if !context.is_null() {
            // SAFETY: Init set it from a `&'static Instance`.
            compose::stop(unsafe { &*context.cast::<Instance>() });
        }
        deliberate_panic("ExitCtx");
        DONE
    })
}

/// Ends every instance: for a host that does not know ExitCtx.
#[unsafe(no_mangle)]
pub extern "C" fn FLBPluginExit() -> c_int {
    guest::export(DONE, || {
        compose::stop_all();
        deliberate_panic("Exit");
        DONE
    })
}

/// Before the library is unloaded. The two strings of `definition` stay: older hosts free the name after this call, so
/// freeing it here as well would be a double free; some dozen bytes a reload are the cost.
#[unsafe(no_mangle)]
pub extern "C" fn FLBPluginUnregister(_definition: *mut plugin_definition) {
    guest::export((), || deliberate_panic("Unregister"));
}

/// Panics if AUDITSHIP_PANIC is `place`. Only in builds with the feature `_panic`, which tests make to show that no
/// export lets a panic out.
#[cfg(feature = "_panic")]
fn deliberate_panic(place: &str) {
    let asked = std::env::var("AUDITSHIP_PANIC");
    assert!(asked.as_deref() != Ok(place), "a deliberate panic in {place}");
}

#[cfg(not(feature = "_panic"))]
#[inline(always)]
fn deliberate_panic(_place: &str) {}
