//! wip
pub mod backoff;
mod filter;
mod gather;
pub mod guard;
mod journal;
mod lane;
pub mod pack;
mod rows;
pub mod search;
mod source;
pub use filter::*;
pub use journal::*;
pub use lane::*;
pub use source::*;
