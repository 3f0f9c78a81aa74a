//! Bytes as hexadecimal digits, for people and for headers. Pure.

use std::fmt::{self, Display};

/// Shows `bytes` as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> impl Display + '_ {
    fmt::from_fn(move |f| bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")))
}
