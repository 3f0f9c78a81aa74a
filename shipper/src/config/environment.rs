//! The process' environment and the name of its host, read once and handed on as an argument.
//!
//! The host may change its environment on another thread at any time, so nothing else in this crate reads it.

use std::collections::BTreeMap;
use std::fmt;

/// A snapshot of environment variables and the host's name. Values that are not UTF-8 are left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    hostname: Option<String>,
}

impl Environment {
    /// The variables of this process as they are now. Call it once, at the start.
    pub fn of_process() -> Self {
        let variables: Self = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        // What uname(2) says, in the process' own UTS namespace.
        match std::fs::read_to_string("/proc/sys/kernel/hostname") {
            Ok(name) => variables.with_hostname(name.trim_end()),
            Err(_) => variables,
        }
    }

    /// The same on a host of this name.
    #[must_use]
    pub fn with_hostname(mut self, name: &str) -> Self {
        self.hostname = Some(name.to_owned()).filter(|name| !name.is_empty());
        self
    }

    /// The name of the host, as the kernel has it; `None` when it cannot be had.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref()
    }

    /// No variables at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The value of `name`; `None` when it is not set or not UTF-8.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of `name` when it is set and not empty, which is how most programs treat such variables.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.var(name).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            hostname: None,
        }
    }
}

impl<'a, const N: usize> From<[(&'a str, &'a str); N]> for Environment {
    fn from(variables: [(&'a str, &'a str); N]) -> Self {
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_out_of_the_debug_form() {
        let environment = Environment::from([("TOKEN", "hunter2"), ("EMPTY", "")]);
        assert_eq!(format!("{environment:?}"), r#"{"EMPTY", "TOKEN"}"#);
        assert_eq!(environment.var("TOKEN"), Some("hunter2"));
        assert_eq!(environment.var("EMPTY"), Some(""));
        assert_eq!(environment.filled("EMPTY"), None);
        assert_eq!(environment.var("ABSENT"), None);
    }
}
