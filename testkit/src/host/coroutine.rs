//! A stack beside the thread's own, on which a flush runs, as in the host.
//!
//! The lowest page is untouchable. The rest is painted before each call; the lowest byte that has lost its paint tells
//! how deep the call went, counted from the frame that made it.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use super::fenced::{PAGE, map, protect, unmap};

/// A flush's entry point.
pub(super) type Flush = unsafe extern "C" fn(*mut c_void, *const c_void, usize, *const c_char) -> c_int;

const PAINT: u8 = 0xa5;

/// A stack of a given size.
pub struct Coroutine {
    pages: *mut u8,
    /// Usable bytes above the guard.
    size: usize,
}

// SAFETY: the stack is memory like any other; nothing runs on it while no call is made, and a call borrows it.
unsafe impl Send for Coroutine {}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// What came of a call on a coroutine's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flushed {
    /// The returned value.
    pub code: c_int,
    /// Bytes of stack below the caller's frame that were written to.
    pub stack: usize,
}

/// A call that waits to be made on the other stack.
struct Call {
    flush: Flush,
    context: *mut c_void,
    data: *const c_void,
    length: usize,
    tag: *const c_char,
    code: c_int,
    /// An address in the frame that makes the call.
    caller: usize,
}

thread_local! {
    /// The call that [`enter`] makes. (`makecontext` hands over integers only.)
    static CALL: Cell<*mut Call> = const { Cell::new(ptr::null_mut()) };
}

impl Coroutine {
    /// A stack of `size` bytes, rounded up to 16.
    ///
    /// # Errors
    /// No memory.
    pub fn new(size: usize) -> io::Result<Self> {
        let size = size.next_multiple_of(16);
        let pages = map(PAGE + size.next_multiple_of(PAGE))?;
        // SAFETY: the first page of the fresh mapping.
        unsafe { protect(pages, PAGE)? };
        Ok(Self { pages, size })
    }

    fn bottom(&self) -> *mut u8 {
        // SAFETY: inside the mapping: behind the guard page.
        unsafe { self.pages.add(PAGE) }
    }

    /// Calls `flush` on this stack.
    ///
    /// # Safety
    /// The arguments are what `flush` asks for.
    pub(super) unsafe fn call(
        &mut self,
        flush: Flush,
        context: *mut c_void,
        data: &[u8],
        tag: *const c_char,
    ) -> Flushed {
        let mut call = Call {
            flush,
            context,
            data: data.as_ptr().cast(),
            length: data.len(),
            tag,
            code: 0,
            caller: 0,
        };
        let mut here = MaybeUninit::<libc::ucontext_t>::uninit();
        let mut there = MaybeUninit::<libc::ucontext_t>::uninit();
        CALL.set(&raw mut call);
        // SAFETY: the stack is ours and nothing runs on it; `getcontext` initialises `there`; `enter` ends by returning,
        // upon which the thread goes on in `here` (`uc_link`), which outlives that since this frame waits for it.
        unsafe {
            ptr::write_bytes(self.bottom(), PAINT, self.size);
            assert_eq!(libc::getcontext(there.as_mut_ptr()), 0, "getcontext");
            let context = there.assume_init_mut();
            context.uc_stack.ss_sp = self.bottom().cast();
            context.uc_stack.ss_size = self.size;
            context.uc_link = here.as_mut_ptr();
            libc::makecontext(there.as_mut_ptr(), enter, 0);
            assert_eq!(
                libc::swapcontext(here.as_mut_ptr(), there.as_ptr()),
                0,
                "swapcontext"
            );
        }
        Flushed {
            code: call.code,
            stack: call.caller - self.lowest_touched(),
        }
    }

    fn lowest_touched(&self) -> usize {
        // SAFETY: the whole range is mapped and initialised by the paint, and nothing runs on it.
        let stack = unsafe { std::slice::from_raw_parts(self.bottom(), self.size) };
        let untouched = stack.iter().take_while(|&&byte| byte == PAINT).count();
        self.bottom().addr() + untouched
    }
}

/// The first frame of the other stack.
extern "C" fn enter() {
    let call = CALL.get();
    let marker = 0_u8;
    // SAFETY: set by `call`, whose frame lives until this returns; the flush's arguments are right by its contract.
    unsafe {
        (*call).caller = (&raw const marker).addr();
        (*call).code = ((*call).flush)((*call).context, (*call).data, (*call).length, (*call).tag);
    }
    std::hint::black_box(&marker);
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; no call is running, since a call borrows the coroutine.
        unsafe { unmap(self.pages, PAGE + self.size.next_multiple_of(PAGE)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a byte at every hundredth byte of as many as the length says, and gives it back.
    unsafe extern "C" fn uses_as_told(
        _: *mut c_void,
        _: *const c_void,
        length: usize,
        _: *const c_char,
    ) -> c_int {
        #[inline(never)]
        fn deep(left: usize) -> u8 {
            let frame = std::hint::black_box([1_u8; 100]);
            if left > 100 {
                frame[0] ^ deep(left - 100)
            } else {
                frame[1]
            }
        }
        std::hint::black_box(deep(length));
        7
    }

    #[test]
    fn the_high_water_mark_follows_the_use() {
        let mut coroutine = Coroutine::new(64 << 10).unwrap();
        let mut used = |bytes: usize| {
            let data = vec![0; bytes];
            // SAFETY: the function looks at nothing but the length.
            let flushed = unsafe { coroutine.call(uses_as_told, ptr::null_mut(), &data, ptr::null()) };
            assert_eq!(flushed.code, 7);
            flushed.stack
        };
        let (little, much, little_again) = (used(100), used(20_000), used(100));
        assert!((100..2_000).contains(&little), "{little}");
        assert!((20_000..60_000).contains(&much), "{much}");
        assert_eq!(little, little_again, "painted anew");
    }
}
