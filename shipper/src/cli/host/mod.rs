//! Fluent Bit's own configuration files, read for their keys and places: classic (`fluent-bit.conf`) and YAML.
//!
//! # In scope
//! What [`super::check_config`] needs: sections with their properties in order, includes followed, variables expanded.
//! Where Fluent Bit itself would refuse the file, the fault says so at its line.
//!
//! # Out of scope
//! What the host's own plugins make of their properties.

pub(super) mod classic;
mod glob;
mod variables;
pub(super) mod yaml;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::config::{Environment, Place};

/// The host's configuration, includes and all.
#[derive(Debug, Default)]
pub(super) struct HostConfig {
    pub(super) sections: Vec<HostSection>,
    pub(super) faults: Vec<Fault>,
}

/// Something for which Fluent Bit would not start, or that it reads over in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) reason: String,
}

/// One `[SECTION]`, or one entry of a `pipeline`.
#[derive(Clone, Debug)]
pub(super) struct HostSection {
    pub(super) kind: SectionKind,
    pub(super) place: Place,
    pub(super) properties: Vec<HostProperty>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionKind {
    Service,
    Input,
    Filter,
    Output,
    Other,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostProperty {
    /// As it was written.
    pub(super) key: String,
    /// With its variables expanded.
    pub(super) value: String,
    /// Variables of the value that have no value here.
    pub(super) unset: Vec<String>,
    pub(super) place: Place,
}

impl HostSection {
    pub(super) fn property(&self, key: &str) -> Option<&HostProperty> {
        self.properties
            .iter()
            .find(|property| property.key.eq_ignore_ascii_case(key))
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.property(key).map(|property| property.value.as_str())
    }
}

/// The files that one configuration is made of.
struct Files {
    /// The folder of the first file: where the host looks for relative includes.
    root: PathBuf,
    read: Vec<PathBuf>,
}

/// More than Fluent Bit itself reads are not read here either.
const MAX_FILES: usize = 1_000;
const MAX_FILE_BYTES: u64 = 32 << 20;

impl Files {
    fn beside(file: &Path) -> Self {
        let root = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self {
            root: root.unwrap_or(Path::new(".")).to_owned(),
            read: Vec::new(),
        }
    }

    /// The files that an include means: those that match where it has a `*`.
    fn included(&self, pattern: &str) -> Vec<PathBuf> {
        let path = self.root.join(pattern);
        if pattern.contains('*') {
            glob::matching(&path)
        } else {
            vec![path]
        }
    }

    fn text(&mut self, file: &Path) -> Result<String, String> {
        let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
        let same = std::fs::canonicalize(file).map_err(unreadable)?;
        if self.read.contains(&same) {
            return Err("is included twice, which Fluent Bit refuses".to_owned());
        }
        if self.read.len() >= MAX_FILES {
            return Err(format!("is one of more than {MAX_FILES} files"));
        }
        let size = std::fs::metadata(&same).map_err(unreadable)?.len();
        if size > MAX_FILE_BYTES {
            return Err(format!("has {size} bytes, more than any configuration"));
        }
        let text = std::fs::read_to_string(&same).map_err(unreadable)?;
        self.read.push(same);
        Ok(text)
    }
}

/// Expands the variables of every property once all of them are known.
fn expand(config: &mut HostConfig, set: &[(String, String)], environment: &Environment) {
    for property in config
        .sections
        .iter_mut()
        .flat_map(|section| &mut section.properties)
    {
        let (value, unset) = variables::expand(&property.value, set, environment);
        property.value = value;
        property.unset = unset;
    }
}
