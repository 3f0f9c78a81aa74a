//! One line of the log. Pure, but for the thread's name.

use std::fmt::{Display, Write};

use crate::time::Timestamp;

/// Bytes of the longest line, its newline included.
pub(super) const MAX_LEN: usize = 4096;
/// What stands at the end of a line that was cut.
const CUT: &str = "…";

/// A line in the making.
pub(super) struct Line(String);

impl Line {
    pub(super) fn new(at: Timestamp, level: &str, message: &str) -> Self {
        let mut line = Self(String::with_capacity(256));
        // Writing into a string cannot fail; whatever a value's own Display refuses is left out.
        let _ = write!(line.0, "{} {level} {} ", at.to_rfc3339(), thread_name());
        escape(message, &mut line.0);
        line
    }

    /// Adds ` key=value`; a value that is empty or has blanks, quotes or `=` stands in quotes.
    pub(super) fn field(&mut self, key: &str, value: &dyn Display) {
        let mut text = String::new();
        let _ = write!(text, "{value}");
        let plain = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | '='));
        self.0.push(' ');
        escape(key, &mut self.0);
        if !text.is_empty() && text.chars().all(plain) {
            let _ = write!(self.0, "={text}");
        } else {
            let quotable = text.replace('\\', "\\\\").replace('"', "\\\"");
            self.0.push_str("=\"");
            escape(&quotable, &mut self.0);
            self.0.push('"');
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.0.len() >= MAX_LEN {
            let end = self.0.floor_char_boundary(MAX_LEN - 1 - CUT.len());
            self.0.truncate(end);
            self.0.push_str(CUT);
        }
        self.0.push('\n');
        self.0.into_bytes()
    }
}

/// Nothing that a terminal or a line reader would act on gets through.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
}

/// The kernel's name of this thread. Asking the standard library would leave a thread-local with a destructor behind,
/// which must not happen in a library that a host may unload.
fn thread_name() -> String {
    let name = rustix::thread::name().unwrap_or_default();
    let mut text = String::new();
    escape(&name.to_string_lossy().replace(' ', "_"), &mut text);
    if text.is_empty() { "-".to_owned() } else { text }
}
