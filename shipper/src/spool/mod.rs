//! The durable log between whoever hands records over and whoever ships them.
//!
//! # In scope
//! Writing ([`Writer`]), reading ([`Reader`]), where each destination is ([`cursor`]), the bytes ([`mod@format`]), the disk
//! ([`storage`]).
//!
//! # Out of scope
//! What a record is ([`crate::ingest`]); what becomes of it ([`crate::deliver`]).
//!
//! # The rooms
//! ```text
//! ingest ─ draft ─► writer ─► segment files ─► reader ─► deliver
//!                   window      head            scan
//!                   space       recovery
//! ```
//! Data that a caller was told is durable is before the [`Head`]; everything after it may vanish. A segment file is
//! written by one opening of the spool only, and never again after one of its syncs has failed; see `recovery` for why.

mod block;
pub mod count;
pub mod cursor;
pub mod dead_letter;
pub mod draft;
mod error;
mod extent;
pub mod format;
mod head;
pub mod identity;
mod keys;
pub(crate) mod meta;
pub mod names;
pub mod quarantine;
mod reader;
mod recovery;
mod scan;
pub(crate) mod segment;
pub mod storage;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub use block::{Block, Position, QuarantineFacts};
pub use error::{AppendError, FullCause, IoFailure, SpoolError};
pub use format::Evidence;
pub use head::{Head, read_head};
pub use meta::{Provenance, provenance};
pub use reader::{Kinds, ReadStep, Reader};
pub use window::Window;
pub use writer::{Maintenance, OnFull, OpenReport, Writer, WriterOptions};
