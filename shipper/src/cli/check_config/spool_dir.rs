//! The spool's directory as it is now: whether it may hold a spool, and who else may read it.

use std::path::Path;

use super::finding::Finding;
use crate::config::Place;
use crate::spool::storage::fs::{RootError, check_private};

/// What is wrong with the directory, or with the place where it is to be made.
pub(super) fn check(path: &Path, place: &Place) -> Option<Finding> {
    match check_private(path) {
        Ok(()) => {
            let above = path.parent().filter(|above| !above.exists())?;
            let message = format!(
                "{} does not exist here; it must before auditship starts, which makes only the spool's own directory in it",
                above.display()
            );
            Some(Finding::warning(place, message))
        }
        // Whoever checks need not be the user that the service runs as.
        Err(error @ (RootError::Unwritable { .. } | RootError::Io { .. })) => {
            Some(Finding::warning(place, error.to_string()))
        }
        Err(error) => Some(Finding::error(place, error.to_string())),
    }
}
