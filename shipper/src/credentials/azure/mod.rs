//! Azure: tokens of Entra ID ([`entra`]), requests that are signed with an account's key, and ones that carry a shared access
//! signature.
//!
//! # Invariants
//! 1. A key or a signature that lies in a file is read at each sending: a rotated one counts from the next request on.
//! 2. Neither is in a `Debug` form, an error or a reason, also when the service says it back.

mod dated;
pub mod entra;
mod sas;
mod shared_key;

pub use dated::Dated;
pub use sas::{SasTerm, SasTransport, sas_problem};
pub(crate) use shared_key::http_date;
pub use shared_key::{SharedKey, key_problem};
