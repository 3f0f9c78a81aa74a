//! What is wrong with a configuration, in words that say where and what to do.

use std::fmt;

use super::nearest::nearest;
use super::place::Place;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// What is wrong and what to do. No value of a secret is in it.
    pub problem: Problem,
}

/// The kinds of things that can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read: the reason.
    Unreadable(String),
    /// The text is not what the format asks for: the parser's words.
    Syntax(String),
    /// A key that nobody reads.
    UnknownKey {
        /// As it was written.
        key: String,
        /// The table that it stands in, as `[spool]`.
        section: String,
        /// The known key that was probably meant.
        nearest: Option<String>,
        /// All keys that are known there.
        known: Vec<String>,
    },
    /// A key that must be there and is not.
    Missing {
        /// The key.
        key: String,
        /// The table that it belongs to.
        section: String,
        /// What it is for, or an example.
        hint: String,
    },
    /// A value that does not do.
    Value {
        /// The key.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Something that only shows when several keys are seen together.
    Conflict(String),
}

impl ConfigError {
    /// A problem at a place.
    pub fn new(place: &Place, problem: Problem) -> Self {
        Self {
            place: place.clone(),
            problem,
        }
    }

    /// A value of `key` that does not do.
    pub fn value(place: &Place, key: &str, reason: impl Into<String>) -> Self {
        let (key, reason) = (key.to_owned(), reason.into());
        Self::new(place, Problem::Value { key, reason })
    }

    pub(crate) fn unknown_key(place: &Place, key: &str, section: &str, known: &[&str]) -> Self {
        Self::new(
            place,
            Problem::UnknownKey {
                key: key.to_owned(),
                section: section.to_owned(),
                nearest: nearest(key, known.iter().copied()).map(str::to_owned),
                known: known.iter().map(|&known| known.to_owned()).collect(),
            },
        )
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Self::Syntax(reason) => f.write_str(reason),
            Self::UnknownKey {
                key,
                section,
                nearest,
                known,
            } => {
                write!(f, "unknown key `{key}` in {section}; ")?;
                match nearest {
                    Some(nearest) => write!(f, "did you mean `{nearest}`?"),
                    None => write!(f, "known there: {}", known.join(", ")),
                }
            }
            Self::Missing { key, section, hint } => write!(f, "`{key}` is missing in {section}: {hint}"),
            Self::Value { key, reason } => write!(f, "`{key}`: {reason}"),
            Self::Conflict(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// All of `errors`, by their lines; `Ok` when there are none.
    ///
    /// # Errors
    /// When there is at least one.
    pub fn of(mut errors: Vec<ConfigError>) -> Result<(), Self> {
        errors.sort_by_key(|error| error.place.line_number());
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }

    /// The errors, by their lines.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// One a line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}
