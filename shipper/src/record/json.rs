//! A line of JSON as a record: validated and copied as it came, order, number texts and white space included. Pure.
//!
//! Only three things change: keys that repeat and an outermost `auditship` are renamed as in [`super::encode`], a surrogate
//! that lacks its other half becomes `\ufffd` (and the record counts as repaired), and a value that is no object is wrapped as
//! `{"message": value}`.
//!
//! Invariants: the recursion is bounded by `max_depth`. What was scanned is copied in runs, so `out` holds everything up to `copied`.

use super::collect::{Collector, unescaped};
use super::fault::Fault;
use super::path::Watch;
use super::text;

/// One line on its way to the output.
#[derive(Debug)]
pub(super) struct Scanner<'a, 'i> {
    line: &'i [u8],
    at: usize,
    copied: usize,
    out: &'a mut Vec<u8>,
    max_depth: usize,
    collector: Collector<'a>,
}

impl<'a, 'i> Scanner<'a, 'i> {
    /// `line` is UTF-8.
    pub(super) fn new(
        line: &'i str,
        out: &'a mut Vec<u8>,
        max_depth: usize,
        collector: Collector<'a>,
    ) -> Self {
        Self {
            line: line.as_bytes(),
            at: 0,
            copied: 0,
            out,
            max_depth,
            collector,
        }
    }

    /// Scans the whole line.
    pub(super) fn record(mut self) -> Result<super::Meta, Fault> {
        self.white_space();
        self.copied = self.at;
        if self.peek() == Some(b'{') {
            self.object(1, Watch::START)?;
            self.copy();
        } else {
            self.collector.meta.members = 1;
            self.out.extend_from_slice(b"{\"message\":");
            self.value(1, Watch::NOWHERE)?;
            self.copy();
            self.out.push(b'}');
        }
        self.white_space();
        if self.at < self.line.len() {
            return Err(self.expected("the end of the line"));
        }
        Ok(self.collector.meta)
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> Fault {
        Fault::NotJson {
            column: self.at + 1,
            expected,
        }
    }

    /// Takes `byte`, or says what was expected.
    #[inline]
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Brings the output up to where the scan is.
    #[inline]
    fn copy(&mut self) {
        self.out.extend_from_slice(&self.line[self.copied..self.at]);
        self.copied = self.at;
    }

    fn descend(&self, depth: usize) -> Result<(), Fault> {
        if depth > self.max_depth {
            return Err(Fault::TooDeep { max: self.max_depth });
        }
        Ok(())
    }

    fn value(&mut self, depth: usize, watch: Watch) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(depth + 1, watch),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.expected("a value")),
        }
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), Fault> {
        if !self.line[self.at..].starts_with(literal) {
            return Err(self.expected("a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from {
            return Err(self.expected("a digit"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.descend(depth)?;
        self.at += 1;
        self.white_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.white_space();
            self.value(depth, Watch::NOWHERE)?;
            self.white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.expected("`,` or `]`")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, depth: usize, watch: Watch) -> Result<(), Fault> {
        self.descend(depth)?;
        self.at += 1;
        self.white_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mark = self.collector.names.open();
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in quotes"));
            }
            self.at += 1;
            self.copy();
            let start = self.out.len();
            self.rest_of_string()?;
            // All but the closing quote, so that the name can grow.
            self.at -= 1;
            self.copy();
            let canonical = canonical(&self.out[start..]);
            let (fields, below) = self
                .collector
                .key(mark, watch, self.out, start, canonical.as_deref());
            self.at += 1;
            self.white_space();
            self.take(b':', "`:`")?;
            self.white_space();
            if fields.is_empty() {
                self.value(depth, below)?;
            } else {
                self.copy();
                let start = self.out.len();
                self.value(depth, below)?;
                self.copy();
                self.collector.value(fields, self.out, start);
            }
            self.white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("`,` or `}`")),
            }
        }
        self.collector.names.close(mark, self.out);
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.rest_of_string()
    }

    /// From behind the opening quote to behind the closing one.
    #[inline]
    fn rest_of_string(&mut self) -> Result<(), Fault> {
        loop {
            self.at += text::plain_run(&self.line[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.expected("a control character to be escaped")),
                None => return Err(self.expected("the end of a string")),
            }
        }
    }

    #[cold]
    fn escape(&mut self) -> Result<(), Fault> {
        match self.line.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match (self.unit(self.at)?, self.unit(self.at + 6)) {
                (0xd800..=0xdbff, Ok(0xdc00..=0xdfff)) => self.at += 12,
                (0xd800..=0xdfff, _) => {
                    self.copy();
                    self.out.extend_from_slice(b"\\ufffd");
                    self.at += 6;
                    self.copied = self.at;
                    self.collector.meta.repaired = true;
                }
                _ => self.at += 6,
            },
            _ => {
                self.at += 1;
                return Err(self.expected("an escape"));
            }
        }
        Ok(())
    }

    /// The UTF-16 unit that the escape `\uXXXX` at `at` stands for.
    fn unit(&self, at: usize) -> Result<u16, Fault> {
        let digits = match self.line.get(at..) {
            Some([b'\\', b'u', a, b, c, d, ..]) => [a, b, c, d],
            _ => return Err(self.expected("four hexadecimal digits")),
        };
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(**digit).to_digit(16);
            match digit.and_then(|digit| u16::try_from(digit).ok()) {
                Some(digit) => Ok(unit << 4 | digit),
                None => Err(self.expected("four hexadecimal digits")),
            }
        })
    }
}

/// The key with the shortest escapes, when it has any.
fn canonical(key: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', key)?;
    let text = unescaped(key)?;
    let mut canonical = Vec::with_capacity(text.len());
    text::escape(&text, &mut canonical);
    Some(canonical)
}
