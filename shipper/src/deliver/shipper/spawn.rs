//! How threads are made. A host that is only visited has rules for its threads (which signals they block), and only the
//! plugin may use the unsafe code that this takes; so the maker is an argument.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Makes threads.
pub trait Spawner: Send + Sync {
    /// Starts `body` on a new thread called `name` (at most 15 bytes are seen) with a stack of `stack` bytes.
    ///
    /// # Errors
    /// When the system gives no thread.
    fn spawn(
        &self,
        name: &str,
        stack: usize,
        body: Box<dyn FnOnce() + Send + 'static>,
    ) -> io::Result<JoinHandle<()>>;
}

/// Threads as the standard library makes them.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "nothing to configure")]
pub struct PlainSpawner;

impl Spawner for PlainSpawner {
    fn spawn(
        &self,
        name: &str,
        stack: usize,
        body: Box<dyn FnOnce() + Send + 'static>,
    ) -> io::Result<JoinHandle<()>> {
        Builder::new().name(name.to_owned()).stack_size(stack).spawn(body)
    }
}
