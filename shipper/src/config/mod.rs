//! One validated `Config`, from a TOML file or from a stanza of the host's configuration.

pub mod environment;
pub mod quantity;

pub use environment::Environment;
pub use quantity::{Age, ByteSize, Share};
