//! A stanza's properties, read through the host.
//!
//! The host looks a name up in any case, expands `${NAME}`, and gives null for what the stanza does not have. It cannot
//! list what the user wrote. Names that the host keeps for itself (Match, Host, Retry_Limit, Workers, tls...)
//! never reach a plugin, so none of ours is one of them.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_void};
use std::ptr::NonNull;

use crate::fluent_bit_sys::plugin_api;

/// The properties of the output instance that is being initialised.
#[derive(Debug)]
pub(crate) struct Properties {
    api: NonNull<plugin_api>,
    output_instance: *mut c_void,
    /// Names whose value is not UTF-8.
    unreadable: RefCell<Vec<String>>,
}

impl Properties {
    /// The properties of `output_instance`.
    ///
    /// # Safety
    /// `api` and `output_instance` are what the host gave to an Init which has not returned before this is dropped.
    pub(crate) unsafe fn new(api: NonNull<plugin_api>, output_instance: *mut c_void) -> Self {
        Self {
            api,
            output_instance,
            unreadable: RefCell::new(Vec::new()),
        }
    }

    /// The value of `name`, if the stanza has it.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let key = CString::new(name).ok()?;
        // SAFETY: `api` is valid (see `new`); only its first member is read, which every host has.
        let lookup = unsafe { (*self.api.as_ptr()).output_get_property }?;
        // SAFETY: the arguments are as the host's contract has them.
        let value = unsafe { lookup(key.as_ptr(), self.output_instance) };
        if value.is_null() {
            return None;
        }
        // SAFETY: a value is NUL-terminated, and stays until the host is called again; it is copied here.
        match unsafe { CStr::from_ptr(value) }.to_str() {
            Ok(value) => Some(value.to_owned()),
            Err(_) => {
                self.unreadable.borrow_mut().push(name.to_owned());
                None
            }
        }
    }

    /// An error that names the values which could not be read, if there were any.
    pub(crate) fn check(&self) -> Result<(), String> {
        let unreadable = self.unreadable.borrow();
        if unreadable.is_empty() {
            return Ok(());
        }
        Err(format!(
            "the value of {} is not UTF-8. Write it in UTF-8, or name a file with Config_File",
            unreadable.join(", ")
        ))
    }
}
