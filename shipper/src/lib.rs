//! auditship gets audit records off a host and into the place where auditors look, and can prove that it did.
//!
//! # In scope
//! * decoding what a log agent hands over ([`record`]), category exclusion ([`exclude`]), and turning both into
//!   durable blocks ([`ingest`], [`spool`]);
//! * a hash chain over those blocks ([`seal`]);
//! * delivery to destinations, each with its choice of records ([`selection`]) and a verdict for every single one
//!   ([`deliver`], [`destination`], [`transport`]), and who we are there ([`credentials`], [`secret`]);
//! * a writer and its shipper put together ([`instance`]), the directory as the interface to what runs ([`control`]),
//!   configuration ([`config`]), and with the feature `cli` the binary's commands (`cli`);
//! * what the tests replace: [`time`], [`random`], and the traits of storage and network.
//!
//! # Out of scope
//! The Fluent Bit ABI (the root package of this workspace), log processing, metrics and traces, an asynchronous runtime.
//!
//! # Invariants that span rooms
//! 1. Data flows one way: chunk → [`record`] → [`ingest`] → [`spool`] → [`deliver`] → [`destination`] → [`transport`].
//! 2. Time, randomness, storage and network enter as arguments or through a small trait ([`time::Clock`],
//!    [`spool::storage::Storage`], [`transport::Transport`]), so that each can fail in a test at every call.
//! 3. The process may die between any two instructions; no shutdown step is needed for safety.
//!
//! # Example
//! Records are appended to a spool, durably, and shipped to a directory:
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//!
//! use auditship::config::{Config, Environment, Strictness};
//! use auditship::ingest::Chunk;
//! use auditship::instance::{Answer, Instance, Outside, Program, machine_id};
//! use auditship::{random::OsRandom, spool::draft::SourceFormat, time::SystemClock};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let outside = Outside {
//!     clock: Arc::new(SystemClock::new()),
//!     random: Arc::new(OsRandom::new()),
//!     environment: Environment::of_process(),
//!     machine_id: machine_id(),
//!     program: Program { name: "example".to_owned(), pid: std::process::id() },
//! };
//! let toml = "[spool]\npath = '/var/lib/a'\n[[destination]]\nid = 'archive'\ntype = 'file'\npath = '/srv/a'";
//! let config = Config::from_toml_text(toml, "a.toml", &outside.environment, Strictness::Strict)?;
//! let mut instance = Instance::start(&config, &outside)?;
//! let chunk = Chunk {
//!     source: SourceFormat::Ndjson,
//!     bytes: b"{\"event\":{\"id\":\"1\",\"category\":[\"file\"]}}\n",
//!     origin: "example",
//!     received_at: outside.clock.wall(),
//! };
//! for answer in instance.accept(&[chunk]) {
//!     assert_eq!(answer, Answer::Accepted); // on disk and synced
//! }
//! if let Some(shipper) = instance.shipper() {
//!     shipper.drain(Duration::from_secs(10)); // what is not delivered by then stays in the spool
//! }
//! instance.stop(Duration::from_secs(1));
//! # Ok(())
//! # }
//! ```
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
