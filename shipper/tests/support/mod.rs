//! What the crash, damage and power-cut tests share.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod cut;
pub(crate) mod feed;
pub(crate) mod pipeline;
pub(crate) mod unsynced;
