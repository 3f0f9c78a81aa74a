//! Whether a file is still the one that was read: its inode counts too, since secrets are often replaced by renaming.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// What tells a file's versions apart without reading it: inode, length, time of its last change. Take it before the file
/// is read, so that a change in between shows at the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(u64, u64, Option<SystemTime>)>);

impl Stamp {
    /// The stamp of the file at `path` as it is now, or that there is none.
    pub(crate) fn of(path: &Path) -> Self {
        let found = std::fs::metadata(path).ok();
        Self(found.map(|found| (found.ino(), found.len(), found.modified().ok())))
    }
}
