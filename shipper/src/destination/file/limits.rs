//! What one object may hold.

use crate::destination::{Format, Limits};

/// One at a time: a local directory has no round trip to hide, and so objects appear in the order of the spool.
pub(super) fn limits(format: Format) -> Limits {
    Limits::of_body(format, 1)
}
