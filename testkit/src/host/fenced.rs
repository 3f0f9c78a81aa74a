//! A value whose last byte is the last of a page, with a page behind it that cannot be touched.

use std::io;
use std::mem::{align_of, size_of};
use std::ptr;

/// Owns the value and both pages.
#[derive(Debug)]
pub(super) struct Fenced<T: Copy> {
    pages: *mut u8,
    value: *mut T,
}

/// The size of a page. 64 KiB is a multiple of every page size in use.
pub(super) const PAGE: usize = 1 << 16;

impl<T: Copy> Fenced<T> {
    /// Places `value`.
    ///
    /// # Errors
    /// No memory.
    pub(super) fn new(value: T) -> io::Result<Self> {
        const { assert!(size_of::<T>() < PAGE && size_of::<T>().is_multiple_of(align_of::<T>())) };
        let pages = map(2 * PAGE)?;
        // SAFETY: both addresses are inside the mapping; the value's is aligned, since a page is and the size is a
        // multiple of the alignment.
        unsafe {
            protect(pages.add(PAGE), PAGE)?;
            let at = pages.add(PAGE - size_of::<T>()).cast::<T>();
            at.write(value);
            Ok(Self { pages, value: at })
        }
    }

    /// The value's address, for the plugin.
    pub(super) fn as_ptr(&self) -> *mut T {
        self.value
    }

    /// The value now.
    pub(super) fn read(&self) -> T {
        // SAFETY: written in `new`; the plugin writes only during its calls, which this does not overlap.
        unsafe { self.value.read() }
    }
}

impl<T: Copy> Drop for Fenced<T> {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, and nobody uses it any more.
        unsafe { unmap(self.pages, 2 * PAGE) };
    }
}

/// Fresh zeroed memory, page-aligned.
pub(super) fn map(bytes: usize) -> io::Result<*mut u8> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: asks for new memory at no particular place.
    let at = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(at.cast())
}

/// Makes pages untouchable.
///
/// # Safety
/// They are the caller's, and hold nothing.
pub(super) unsafe fn protect(at: *mut u8, bytes: usize) -> io::Result<()> {
    // SAFETY: by the contract above.
    match unsafe { libc::mprotect(at.cast(), bytes, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives pages back.
///
/// # Safety
/// They came from [`map`] with the same size, and nothing of them is used again.
pub(super) unsafe fn unmap(at: *mut u8, bytes: usize) {
    // SAFETY: by the contract above.
    unsafe { libc::munmap(at.cast(), bytes) };
}
