//! Where a key stands, so that every message can say it.

use std::fmt;
use std::sync::Arc;

/// A file and a line in it, or a source that has no lines (a stanza that the host has already read).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    source: Arc<str>,
    line: Option<u32>,
}

impl Place {
    /// The whole of `source`: a file's path, or words such as `[OUTPUT] auditship`.
    pub fn of(source: &str) -> Self {
        Self {
            source: Arc::from(source),
            line: None,
        }
    }

    /// A line of the same source, counted from 1.
    pub fn line(&self, line: u32) -> Self {
        Self {
            source: Arc::clone(&self.source),
            line: Some(line),
        }
    }

    /// The file's path, or the words for what it is.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The line, counted from 1; `None` for the whole of the source.
    pub fn line_number(&self) -> Option<u32> {
        self.line
    }
}

/// `FILE:LINE`, which terminals and editors make a link of.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

/// Turns byte offsets into line numbers.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    place: Place,
}

impl<'a> Lines<'a> {
    /// The lines of `text`, which is all of `place`.
    pub(crate) fn of(text: &'a str, place: Place) -> Self {
        Self { text, place }
    }

    /// The line that holds the byte at `offset`.
    pub(crate) fn at(&self, offset: usize) -> Place {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let newlines = before.iter().filter(|&&byte| byte == b'\n').count();
        self.place.line(u32::try_from(newlines + 1).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_belongs_to_its_line() {
        let lines = Lines::of("a\nbc\n", Place::of("x.toml"));
        let at = |offset| lines.at(offset).to_string();
        assert_eq!(
            [at(0), at(1), at(2), at(4)],
            ["x.toml:1", "x.toml:1", "x.toml:2", "x.toml:2"]
        );
        assert_eq!(at(5), "x.toml:3");
        assert_eq!(at(500), "x.toml:3");
    }
}
