//! From the spool to the destinations: what is sent when, what an answer means, and what is done about it.
//!
//! # In scope
//! Batches ([`pack`]), the journal's use, retries ([`backoff`]), the search for a refused record ([`search`]), holds, dead
//! letters ([`guard`]), pause and resume, replays; the threads that do it.
//!
//! # Out of scope
//! What bytes mean ([`crate::destination`]), sockets ([`crate::transport`]), the files behind cursors and dead letters
//! ([`crate::spool`]).
//!
//! # The rooms
//! ```text
//! spool ─► source ─► gather (pack, filter) ─► lane ─► worker ─► transport
//!                                  search, guard │ ▲       answers │
//!                                   cursor ◄─────┘ └───────────────┘
//! ```
//! Everything left of the worker is pure of threads, sockets and clocks; [`Lane`] is the place where a batch's whole life
//! can be read. Its module says why each step is crash-safe.
//!
//! # Invariants
//! 1. One destination never touches another: each has its own lane, cursor, reader and threads.
//! 2. Memory does not grow with the backlog: a batch for each request on its way, the one that is filled, and one block.

pub mod backoff;
mod filter;
mod gather;
pub mod guard;
mod journal;
mod lane;
pub mod pack;
mod rows;
pub mod search;
mod shipper;
mod source;
mod spool;
#[cfg(test)]
mod testing;

pub use filter::{Configured, Decision, RecordFilter, ShipAll};
pub use journal::{DeadLetters, Journal, StoredLetters};
pub use lane::{
    Action, Activity, Class, Condition, Lane, LaneError, Now, Ports, Released, Reply, Settings, Snapshot,
    Ticket, Trouble,
};
pub use shipper::{
    Drained, LaneConfig, LaneRoute, Lanes, PlainSpawner, Shipper, Spawner, Start, StartError, Surroundings,
    Target,
};
pub use source::{Next, Source, SourceError};
pub use spool::SpoolSource;
