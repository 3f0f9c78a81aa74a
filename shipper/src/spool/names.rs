//! Names of files that are made of a destination's id. Pure.

use std::fmt;

/// Bytes of the longest id: leaves room for every suffix in a name of 255 bytes.
pub const MAX_ID_LEN: usize = 128;

/// Whether `id` can be a part of a path: 1 to [`MAX_ID_LEN`] bytes of `[a-zA-Z0-9._-]`, no dot in front.
///
/// # Errors
/// [`BadName`] when it cannot.
pub fn check_id(id: &str) -> Result<(), BadName> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if id.is_empty() || id.len() > MAX_ID_LEN || id.starts_with('.') || !id.bytes().all(allowed) {
        return Err(BadName { id: id.to_owned() });
    }
    Ok(())
}

/// An id that cannot be a file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadName {
    /// The id.
    pub id: String,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} cannot be a destination's id: use 1 to {MAX_ID_LEN} of a-z, A-Z, 0-9, '-', '_' and '.', no '.' in front",
            self.id
        )
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["a", "s3-eu.1", "Main_2", &"x".repeat(MAX_ID_LEN)] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(MAX_ID_LEN + 1),
        ] {
            assert_eq!(check_id(bad), Err(BadName { id: bad.to_owned() }), "{bad}");
        }
    }
}
