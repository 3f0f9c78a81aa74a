//! How bad an outcome is, in the API's words. Pure.

use crate::destination::config::ConfigError;

/// The severities by their names.
const NAMES: [&str; 9] = [
    "DEFAULT",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
];

/// A severity for each value of `event.outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Severities {
    success: &'static str,
    failure: &'static str,
    /// `unknown`, any other, or none.
    unknown: &'static str,
}

impl Default for Severities {
    /// What an auditor should see at a glance is what failed.
    fn default() -> Self {
        Self {
            success: "INFO",
            failure: "WARNING",
            unknown: "DEFAULT",
        }
    }
}

impl Severities {
    /// From outcomes and names.
    pub(super) fn parse(pairs: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut severities = Self::default();
        for (outcome, name) in pairs {
            let Some(name) = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
                let problem = format!("`{name}` is no severity; there are {}", NAMES.join(", "));
                return Err(ConfigError::invalid("severity", problem));
            };
            match outcome.as_str() {
                "success" => severities.success = name,
                "failure" => severities.failure = name,
                "unknown" => severities.unknown = name,
                _ => {
                    let problem =
                        format!("`{outcome}` is no outcome; use `success`, `failure` and `unknown`");
                    return Err(ConfigError::invalid("severity", problem));
                }
            }
        }
        Ok(severities)
    }

    /// That of a record, by the inside of its `event.outcome`.
    pub(super) fn of(self, outcome: Option<&[u8]>) -> &'static str {
        match outcome {
            Some(b"success") => self.success,
            Some(b"failure") => self.failure,
            _ => self.unknown,
        }
    }
}
