//! A template with one hole for a record's JSON, as it stands in a configuration: `{"data": {{{ log_message }}}}`. Pure.
//!
//! # Invariants
//! 1. A template whose result would not be JSON is refused when it is read, with the place: it is tried with an object and
//!    with a text in the hole, which together fit only where a value may stand.

use super::config::ConfigError;

/// What is written for the record.
const HOLE: &str = "{{{ log_message }}}";

/// What stands before and after the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

impl Around {
    /// Of a template, without what JSON has no use for: a record stays on one line.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let (before, after) = split(text)?;
        Ok(Self {
            before: compact(before),
            after: compact(after),
        })
    }

    /// Bytes that it costs each record.
    pub(super) fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// In so many words, for a fingerprint; nothing without a template.
    pub(super) fn shown(&self) -> Option<String> {
        let both = [&self.before[..], HOLE.as_bytes(), &self.after].concat();
        (self.len() > 0).then(|| String::from_utf8_lossy(&both).into_owned())
    }
}

/// The error of a template.
pub(super) fn invalid(problem: &str) -> ConfigError {
    ConfigError::invalid("envelope", problem)
}

/// What stands before and after the hole of a template whose result is JSON.
pub(super) fn split(text: &str) -> Result<(&str, &str), ConfigError> {
    let (before, after) = halves(text)?;
    for with in ["{}", "\"\""] {
        let filled = [before, with, after].concat();
        serde_json::from_str::<serde::de::IgnoredAny>(&filled).map_err(|error| {
            // Where the hole is longer or shorter than what stands for it, the column is that before it, or none.
            let line = error.line();
            let written = before.lines().count().max(1);
            let place = match line < written || error.column() <= before.lines().last().unwrap_or("").len() {
                true => format!("line {line}, column {}", error.column()),
                false => String::from("at the hole or after it"),
            };
            invalid(&format!(
                "with a record in the hole it is not JSON ({place}): the hole stands for a whole value, without quotes"
            ))
        })?;
    }
    Ok((before, after))
}

fn halves(text: &str) -> Result<(&str, &str), ConfigError> {
    let missing = || {
        invalid(&format!(
            "has no hole for the record: write `{HOLE}` where it goes"
        ))
    };
    let (before, rest) = text.split_once("{{{").ok_or_else(missing)?;
    let (name, after) = rest.split_once("}}}").ok_or_else(missing)?;
    if name.trim() != "log_message" {
        let line = before.lines().count().max(1);
        return Err(invalid(&format!(
            "line {line}: `{{{{{{{}}}}}}}` is no hole that is known: write `{HOLE}`",
            name.escape_debug()
        )));
    }
    if after.contains("{{{") {
        return Err(invalid("has more than one hole: a record goes into one place"));
    }
    Ok((before, after))
}

/// A part of a JSON text that begins and ends outside of its texts, without blanks between its values.
fn compact(part: &str) -> Vec<u8> {
    let (mut kept, mut is_text, mut is_escaped) = (Vec::new(), false, false);
    for byte in part.bytes() {
        if is_text || !byte.is_ascii_whitespace() {
            kept.push(byte);
        }
        match (byte, is_escaped) {
            (b'"', false) => is_text = !is_text,
            (b'\\', false) => {
                is_escaped = is_text;
                continue;
            }
            _ => {}
        }
        is_escaped = false;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_one_line_with_its_texts_untouched() {
        let text = "{\n  \"a b\": [ 1, \"x \\\" \\\\\" ],\r\n\t\"data\" : {{{log_message}}} ,\n \"é \": \" } \"\n}\n";
        let around = Around::parse(text).unwrap();
        let filled = [&around.before[..], b"{\"n\":1}", &around.after].concat();
        assert_eq!(
            String::from_utf8(filled).unwrap(),
            "{\"a b\":[1,\"x \\\" \\\\\"],\"data\":{\"n\":1},\"é \":\" } \"}"
        );
    }
}
