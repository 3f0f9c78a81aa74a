//! Which stream: by its name in the account of the keys, or by its ARN in any. Pure.

use std::fmt;

use crate::destination::config::ConfigError;

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Of the account that the keys belong to.
    Named(String),
    /// Of any account.
    Arn {
        arn: String,
        region: String,
        account: String,
        name: String,
    },
}

const MAX_NAME: usize = 128;

impl Stream {
    pub(super) fn named(name: String) -> Result<Self, ConfigError> {
        match problem(&name) {
            Some(problem) => Err(ConfigError::invalid("stream", problem)),
            None => Ok(Self::Named(name)),
        }
    }

    /// `arn:aws:kinesis:REGION:123456789012:stream/NAME`.
    pub(super) fn arn(arn: String) -> Result<Self, ConfigError> {
        let invalid = |problem: String| Err(ConfigError::invalid("stream_arn", problem));
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "kinesis", region, account, resource] = parts[..] else {
            return invalid(unlike(&arn));
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let Some(name) = resource.strip_prefix("stream/") else {
            return invalid(unlike(&arn));
        };
        if !partition.starts_with("aws") || region.is_empty() || !is_account {
            return invalid(unlike(&arn));
        }
        if let Some(problem) = problem(name) {
            return invalid(problem);
        }
        Ok(Self::Arn {
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
            arn,
        })
    }

    /// Member and value that name it in a request.
    pub(super) fn member(&self) -> (&'static str, &str) {
        match self {
            Self::Named(name) => ("StreamName", name),
            Self::Arn { arn, .. } => ("StreamARN", arn),
        }
    }

    /// What a stream of another account needs beside what the identity is allowed.
    pub(super) fn elsewhere(&self) -> &'static str {
        match self {
            Self::Named(_) => "",
            Self::Arn { .. } => "; for a stream of another account in the stream's resource policy too",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Arn { account, name, .. } => write!(f, "{name} of account {account}"),
        }
    }
}

fn unlike(arn: &str) -> String {
    format!("{arn:?} is no stream's ARN: write it as arn:aws:kinesis:REGION:123456789012:stream/NAME")
}

fn problem(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Some(format!(
            "has {} bytes, but a stream's name has 1 to {MAX_NAME}",
            name.len()
        ));
    }
    let allowed = |found: &char| found.is_ascii_alphanumeric() || "_.-".contains(*found);
    let found = name.chars().find(|found| !allowed(found))?;
    Some(format!(
        "{name:?} has {found:?} in it: a stream's name has letters, digits and `_ . -` only"
    ))
}
