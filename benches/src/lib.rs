//! What the benchmarks share: a receiver that costs as little as one can, and a filled spool.

pub mod backlog;
pub mod round;
pub mod sink;
