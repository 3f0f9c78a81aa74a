//! What a check found.

use std::fmt;

use crate::config::{ConfigError, ConfigErrors, Place};

/// One thing to know about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) place: Place,
    pub(super) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It will not start, or records can be lost.
    Error,
    /// It works, but hardly as it was meant.
    Warning,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Finding {
    pub(super) fn error(place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: place.clone(),
            message: message.into(),
        }
    }

    pub(super) fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }

    pub(super) fn all_of(errors: &ConfigErrors) -> impl Iterator<Item = Self> + '_ {
        errors.iter().map(Self::from)
    }
}

impl From<&ConfigError> for Finding {
    fn from(error: &ConfigError) -> Self {
        Self::error(&error.place, error.problem.to_string())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.severity.name(), self.message)
    }
}
