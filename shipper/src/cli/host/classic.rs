//! Fluent Bit's classic format, with the rules of its own reader: sections begin in the first column, properties are
//! indented all alike, a key ends at the first space, `@INCLUDE` and `@SET` stand in the first column.

use std::path::Path;

use super::{Fault, Files, HostConfig, HostProperty, HostSection, SectionKind, expand};
use crate::config::nearest::nearest;
use crate::config::{Environment, Place};

/// Reads `file` and what it includes.
pub(in crate::cli) fn read(file: &Path, environment: &Environment) -> HostConfig {
    let mut reader = Reader {
        files: Files::beside(file),
        config: HostConfig::default(),
        set: Vec::new(),
    };
    reader.file(file, &Place::of(&file.display().to_string()));
    let Reader { mut config, set, .. } = reader;
    expand(&mut config, &set, environment);
    config
}

/// The sections that are looked at, as they are called.
const KINDS: [(&str, SectionKind); 4] = [
    ("SERVICE", SectionKind::Service),
    ("INPUT", SectionKind::Input),
    ("FILTER", SectionKind::Filter),
    ("OUTPUT", SectionKind::Output),
];

struct Reader {
    files: Files,
    config: HostConfig,
    set: Vec<(String, String)>,
}

/// What the lines of one file share.
#[derive(Default)]
struct State<'a> {
    /// The white space that every property begins with, once one was seen.
    indent: Option<&'a str>,
    /// Whether a `[SECTION]` was seen: an included file's properties do not go into the including one's section.
    section: bool,
    /// Inside a `[group]`, whose keys are not the section's.
    group: bool,
}

impl Reader {
    fn file(&mut self, file: &Path, asked_at: &Place) {
        match self.files.text(file) {
            Ok(text) => self.lines(&text, &Place::of(&file.display().to_string())),
            Err(reason) => {
                let reason = if asked_at.line_number().is_some() {
                    format!("{} {reason}", file.display())
                } else {
                    reason
                };
                self.fault(asked_at, reason);
            }
        }
    }

    fn fault(&mut self, place: &Place, reason: impl Into<String>) {
        let (place, reason) = (place.clone(), reason.into());
        self.config.faults.push(Fault { place, reason });
    }

    fn lines(&mut self, text: &str, whole: &Place) {
        let mut state = State::default();
        for (number, line) in (1..).zip(text.lines()) {
            let place = whole.line(number);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(pattern) = include(line) {
                let included = self.files.included(pattern);
                if included.is_empty() {
                    self.fault(&place, format!("no file matches `{pattern}`"));
                }
                for file in included {
                    self.file(&file, &place);
                }
            } else if let Some(setting) = line.strip_prefix('@') {
                self.meta(setting, &place);
            } else if line.starts_with('[') {
                self.section(line, &place, &mut state);
            } else {
                self.property(line, &place, &mut state);
            }
        }
    }

    fn meta(&mut self, setting: &str, place: &Place) {
        let setting = setting.trim();
        let is_set = setting
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("set "));
        match (is_set, setting.get(4..).and_then(|rest| rest.split_once('='))) {
            (true, Some((name, value))) => self.set.push((name.trim().to_owned(), value.trim().to_owned())),
            (true, None) => self.fault(place, "write `@SET NAME=VALUE`"),
            (false, _) => {}
        }
    }

    fn section(&mut self, line: &str, place: &Place, state: &mut State<'_>) {
        let Some(end) = line.find(']') else {
            return self.fault(place, "a section's name ends with `]`");
        };
        let name = line[1..end].to_ascii_uppercase();
        let known = KINDS.iter().find(|(known, _)| *known == name);
        if known.is_none()
            && let Some(meant) = nearest(&name, KINDS.iter().map(|(known, _)| *known))
        {
            let reason = format!(
                "`[{name}]` is read over by Fluent Bit, with all that is in it; did you mean `[{meant}]`?"
            );
            self.fault(place, reason);
        }
        let kind = known.map_or(SectionKind::Other, |(_, kind)| *kind);
        (state.section, state.group) = (true, false);
        self.config.sections.push(HostSection {
            kind,
            place: place.clone(),
            properties: Vec::new(),
        });
    }

    fn property<'a>(&mut self, line: &'a str, place: &Place, state: &mut State<'a>) {
        let text = line.trim_start_matches([' ', '\t']);
        let written = &line[..line.len() - text.len()];
        if text.is_empty() {
            return;
        }
        let indent = match state.indent {
            Some(indent) => indent,
            None if written.is_empty() => {
                return self.fault(place, "a property must be indented, as by four spaces");
            }
            None => {
                state.indent = Some(written);
                written
            }
        };
        let deeper = written.strip_prefix(indent);
        match deeper {
            Some("") => state.group = false,
            Some(deeper) if deeper.len() == indent.len() => {}
            _ => {
                let reason = "is not indented like the properties before it, which Fluent Bit refuses";
                return self.fault(place, reason);
            }
        }
        if text.starts_with('#') {
            return;
        }
        if text.starts_with('[') {
            state.group = true;
            return;
        }
        // Fluent Bit looks for a space: a tab after the key makes it part of the key.
        let Some((key, value)) = text.split_once(' ') else {
            let reason = if text.contains('\t') {
                format!("`{text}`: write a space, not a tab, after the key")
            } else {
                format!("`{text}` has no value")
            };
            return self.fault(place, reason);
        };
        let value = value.trim();
        if value.is_empty() {
            return self.fault(place, format!("`{key}` has no value"));
        }
        if !state.section {
            return self.fault(place, format!("`{key}` stands before any section"));
        }
        if state.group {
            return;
        }
        if let Some(section) = self.config.sections.last_mut() {
            section.properties.push(HostProperty {
                key: key.to_owned(),
                value: value.to_owned(),
                unset: Vec::new(),
                place: place.clone(),
            });
        }
    }
}

fn include(line: &str) -> Option<&str> {
    let word = line.get(..9)?;
    word.eq_ignore_ascii_case("@INCLUDE ").then(|| line[9..].trim())
}
