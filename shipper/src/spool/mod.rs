//! The durable log between whoever hands records over and whoever ships them.

pub mod count;
pub mod cursor;
pub mod dead_letter;
pub mod draft;
pub mod identity;
pub mod names;
pub mod storage;
