//! The spool's directory as it is now: who may read it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::finding::Finding;
use crate::config::Place;

/// What is wrong with an existing directory, or with the place where one is to be made.
pub(super) fn check(path: &Path, place: &Place) -> Option<Finding> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => {
            Some(Finding::error(place, format!("{shown} is not a directory")))
        }
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            let others = mode & 0o077;
            (others != 0).then(|| {
                let message = format!(
                    "{shown} has mode {mode:04o}, so others than its owner may read audit records: `chmod 700 {shown}`"
                );
                Finding::error(place, message)
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match path.parent() {
            Some(parent) if !parent.exists() => Some(Finding::warning(
                place,
                format!("{} does not exist yet: it will be created", parent.display()),
            )),
            _ => None,
        },
        Err(error) => Some(Finding::warning(
            place,
            format!("{shown} cannot be looked at: {error}"),
        )),
    }
}
