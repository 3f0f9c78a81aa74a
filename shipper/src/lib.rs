//! auditship gets audit records off a host and into the place where auditors look, and can prove that it did.
//!
//! # In scope
//! * decoding what a log agent hands over ([`record`]), category exclusion ([`exclude`]), and turning both into
//!   durable blocks ([`ingest`], [`spool`]);
//! * a hash chain over those blocks ([`seal`]);
//! * delivery to destinations, each with its choice of records ([`selection`]) and a verdict for every single one
//!   ([`deliver`], [`destination`], [`transport`]);
//! * the directory as the interface to a running instance ([`control`]), configuration ([`config`]).
//!
//! # Out of scope
//! The Fluent Bit ABI (the root package of this workspace), log processing, metrics and traces, an asynchronous runtime.
//!
//! # Invariants that span rooms
//! 1. Data flows one way: chunk → [`record`] → [`ingest`] → [`spool`] → [`deliver`] → [`destination`] → [`transport`].
//! 2. Time, randomness, storage and network enter as arguments or through a small trait ([`time::Clock`],
//!    [`spool::storage::Storage`], [`transport::Transport`]), so that each can fail in a test at every call.
//! 3. The process may die between any two instructions; no shutdown step is needed for safety.
#![forbid(unsafe_code)]

pub mod config;
pub mod control;
pub mod credentials;
pub mod deliver;
pub mod destination;
pub mod exclude;
mod hex;
pub mod ingest;
pub mod instance;
pub mod random;
pub mod record;
pub mod seal;
pub mod secret;
pub mod selection;
pub mod spool;
mod stamp;
pub mod time;
pub mod transport;

#[cfg(feature = "cli")]
pub mod cli;
