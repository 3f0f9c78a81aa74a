//! What a lane writes: its cursor, and dead letters. Two seams, so that both can fail, or lie, in a test.

use std::sync::Arc;

use crate::spool::cursor::{Cursor, CursorError, State};
use crate::spool::dead_letter::{self, DeadLetter, DeadLetterError};
use crate::spool::identity::Epoch;
use crate::spool::storage::Storage;

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

/// The dead letters of one destination.
pub trait DeadLetters: Send {
    /// Makes all of `letters` durable. The letter of the same record from before is replaced.
    ///
    /// # Errors
    /// [`DeadLetterError`]: any of them may be there.
    fn put_all(&mut self, letters: &[DeadLetter]) -> Result<(), DeadLetterError>;

    /// Removes a record's letter; one that is not there is no error.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    fn remove(&mut self, epoch: Epoch, seq: u64) -> Result<(), DeadLetterError>;

    /// Every letter there is, in order.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    fn list(&mut self) -> Result<Vec<(Epoch, u64)>, DeadLetterError>;

    /// A record's letter; `None` when there is none.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    fn load(&mut self, epoch: Epoch, seq: u64) -> Result<Option<DeadLetter>, DeadLetterError>;
}

/// The dead letters in the spool's directory.
pub struct StoredLetters {
    storage: Arc<dyn Storage>,
    destination: String,
}

impl StoredLetters {
    /// Those of `destination`.
    pub fn new(storage: Arc<dyn Storage>, destination: &str) -> Self {
        Self {
            storage,
            destination: destination.to_owned(),
        }
    }
}

impl DeadLetters for StoredLetters {
    fn put_all(&mut self, letters: &[DeadLetter]) -> Result<(), DeadLetterError> {
        dead_letter::put_all(&*self.storage, &self.destination, letters)
    }

    fn remove(&mut self, epoch: Epoch, seq: u64) -> Result<(), DeadLetterError> {
        dead_letter::remove(&*self.storage, &self.destination, epoch, seq).map(|_| ())
    }

    fn list(&mut self) -> Result<Vec<(Epoch, u64)>, DeadLetterError> {
        let letters = dead_letter::list(&*self.storage, &self.destination)?;
        Ok(letters.map(|letter| (letter.epoch, letter.seq)).collect())
    }

    fn load(&mut self, epoch: Epoch, seq: u64) -> Result<Option<DeadLetter>, DeadLetterError> {
        dead_letter::show(&*self.storage, &self.destination, epoch, seq)
    }
}
