//! wip
pub mod backoff;
pub mod guard;
pub mod pack;
pub mod search;
