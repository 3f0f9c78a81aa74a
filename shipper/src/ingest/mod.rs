//! From one chunk to one [`Draft`](crate::spool::draft::Draft): decode ► exclude ► key ► JSON once.

use crate::spool::identity::Key;

/// The last records' keys, as ingest sees them. The spool keeps them over restarts.
pub trait KeyWindow {
    /// Asks for a record with an event id, and enters it when it is not a duplicate.
    fn see(&mut self, key: Key, id_hash: u64) -> Seen;

    /// Enters the key of a record without an event id; such records are never duplicates.
    fn enter(&mut self, key: Key);
}

/// What the window knows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "ingest must treat all of them")]
pub enum Seen {
    /// Neither the key nor the id: now entered.
    New,
    /// The key: same id, same content. Not entered again.
    Duplicate,
    /// The id with other content: now entered.
    Conflict,
}
