//! What tests and the demo need around the product: its artefacts, and a host that drives the plugin as Fluent Bit does.
//!
//! # In scope
//! * [`artefacts`]: builds the release library and the binary through cargo, and proves that they are of this build;
//! * [`audit`]: synthetic audit records, the same for the same seed;
//! * [`chunk`]: records as the chunks that a host hands over;
//! * [`host`]: the host's side of the binary interface;
//! * [`protocol`] and [`process`]: the program `auditship-host`, which runs [`host`] in a process of its own that can be
//!   told what to do, watched and killed;
//! * [`receiver`]: a strict HTTP receiver, its certificates, and a proxy before it;
//! * [`servers`]: real object stores, where they are installed;
//! * [`steps`]: a process that is killed at a named step, as "before the third write to a segment".
//!
//! Unsafe code is in [`host`] and [`steps::trace`] only, which play the two sides that a plugin stands between.
//!
//! # Out of scope
//! Nothing here is part of the product, and the product knows nothing of it: there are no test hooks in it.

pub mod artefacts;
pub mod audit;
pub mod chunk;
pub mod host;
pub mod process;
pub mod protocol;
pub mod receiver;
pub mod servers;
pub mod steps;
