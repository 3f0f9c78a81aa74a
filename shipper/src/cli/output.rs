//! Standard output: data only, whole lines, and no panic when nobody reads any more.

use std::fmt::Display;
use std::io::{self, Write};

/// Where data goes. Every method fails with `BrokenPipe` once the reader is gone; the command then just ends.
pub(super) struct Output<'a>(&'a mut dyn Write);

impl<'a> Output<'a> {
    pub(super) fn to(writer: &'a mut dyn Write) -> Self {
        Self(writer)
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.0, "{line}")
    }

    /// Writes bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Writes a value as indented JSON.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> io::Result<()> {
        self.line(format_args!("{value:#}"))
    }

    /// Writes a value as JSON on one line.
    pub(super) fn json_line(&mut self, value: &serde_json::Value) -> io::Result<()> {
        self.line(format_args!("{value}"))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
