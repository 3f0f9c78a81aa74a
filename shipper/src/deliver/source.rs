//! The spool as a lane reads it: record by record, without gaps in the numbers.
//!
//! Invariant: what [`Source::peek`] gives begins exactly at the position, and after [`Source::advance`] the position is
//! its end. A number that cannot be read is given as lost, never passed over.

use std::fmt;

use crate::destination::Record;
use crate::spool::cursor::{Disposition, Hint};
use crate::time::Timestamp;

/// A reader of the spool's records.
pub trait Source: Send {
    /// Goes to the record `seq`. `hint` is where it was last seen.
    ///
    /// # Errors
    /// [`SourceError`]; the position is unknown then.
    fn seek(&mut self, seq: u64, hint: Hint) -> Result<(), SourceError>;

    /// What is at the position. The same until [`Source::advance`] or [`Source::seek`], but for [`Next::End`].
    ///
    /// # Errors
    /// [`SourceError`]; the position is as before.
    fn peek(&mut self) -> Result<Next<'_>, SourceError>;

    /// Passes over what [`Source::peek`] gave last.
    fn advance(&mut self);

    /// Where the block of the position lies.
    fn hint(&self) -> Hint;
}

/// What a [`Source`] has next.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the lane must treat all of them")]
pub enum Next<'a> {
    /// A record, and when the spool got it.
    Record(Record<'a>, Timestamp),
    /// The records up to (not including) `to` are gone: [`Disposition::Damaged`] or [`Disposition::Dropped`].
    Lost {
        /// The first number that is not lost.
        to: u64,
        /// How.
        how: Disposition,
    },
    /// Nothing that is synced.
    End,
}

/// The spool cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceError {
    /// What happened, where, and what to do.
    pub reason: String,
}

impl SourceError {
    /// An error with its text.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for SourceError {}
