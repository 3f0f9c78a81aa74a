//! What a lane writes: its cursor, and dead letters. Two seams, so that both can fail, or lie, in a test.

use std::io;

use crate::destination::Record;
use crate::spool::cursor::{Cursor, CursorError, State};
use crate::spool::identity::Epoch;
use crate::time::Timestamp;

use super::rows::Rows;

/// Where a lane's state is committed.
pub trait Journal: Send {
    /// What was committed last.
    fn state(&self) -> &State;

    /// Makes `state` durable, or fails; after a failure either may be found by the next opening.
    ///
    /// # Errors
    /// [`CursorError`].
    fn commit(&mut self, state: State) -> Result<(), CursorError>;
}

impl Journal for Cursor {
    fn state(&self) -> &State {
        Self::state(self)
    }

    fn commit(&mut self, state: State) -> Result<(), CursorError> {
        Self::commit(self, state)
    }
}

/// Why a record becomes a dead letter.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by the lane, read by its store")]
pub struct Death<'a> {
    /// The destination's own code, or ours.
    pub code: &'a str,
    /// For a person.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
    /// How many requests the record was in.
    pub attempts: u32,
}

/// The dead letters of one destination.
pub trait DeadLetters: Send {
    /// Makes `record` a dead letter, durably. The same record again replaces it.
    ///
    /// # Errors
    /// Whatever the storage gives; nothing is known then.
    fn put(&mut self, record: &Record<'_>, death: &Death<'_>) -> io::Result<()>;

    /// Removes a record's dead letter; one that is not there is no error.
    ///
    /// # Errors
    /// Whatever the storage gives.
    fn remove(&mut self, epoch: Epoch, seq: u64) -> io::Result<()>;

    /// Every dead letter there is, in order.
    ///
    /// # Errors
    /// Whatever the storage gives.
    fn list(&mut self) -> io::Result<Vec<(Epoch, u64)>>;

    /// The records of dead letters, each at its place in `ids`; those that are no longer there are left out.
    ///
    /// # Errors
    /// Whatever the storage gives.
    fn load(&mut self, ids: &[(Epoch, u64)]) -> io::Result<Letters>;
}

/// Records of dead letters.
#[derive(Debug, Default)]
pub struct Letters(pub(super) Rows);

impl Letters {
    /// Adds the record whose place in the list of ids is `place`; places are added in order.
    pub fn push(&mut self, place: u32, record: &Record<'_>) {
        self.0.push(place, record);
    }
}
