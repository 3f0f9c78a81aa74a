//! What one request may hold.

use crate::destination::{Format, Limits};

/// A receiver's own limit is unknown until it answers 413, which halves the batch. One at a time: most receivers keep what
/// they get in the order in which it comes.
pub(super) fn limits(format: Format) -> Limits {
    Limits::of_body(format, 1)
}
