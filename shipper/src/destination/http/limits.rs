//! What one request may hold.

use crate::destination::hole::Around;
use crate::destination::{Format, Limits};

/// A receiver's own limit is unknown until it answers 413, which halves the batch. One at a time: most receivers keep what
/// they get in the order in which it comes.
pub(super) fn limits(format: Format, around: &Around) -> Limits {
    let limits = Limits::of_body(format, 1);
    let template = u32::try_from(around.len()).unwrap_or(u32::MAX);
    Limits {
        overhead: limits.overhead.saturating_add(template),
        ..limits
    }
}
