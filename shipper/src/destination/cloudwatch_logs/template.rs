//! Names of groups and streams with placeholders, filled in once when the configuration is read. Pure.
//!
//! `{hostname}` is the name of this host, `{env:NAME}` an environment variable, for what only the environment knows (an
//! instance id, a role). `${hostname}` and `${env:NAME}` mean the same; but in a stanza Fluent Bit itself replaces what
//! stands after a `$`, by a variable of that name or by nothing, so there the form without it is to be used.

use std::fmt;

use crate::config::Environment;

/// Why a template cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TemplateError {
    /// A `{` without its `}`.
    Unclosed,
    /// A placeholder that does not exist.
    Unknown(String),
    /// The host has no name.
    NoHostname,
    /// An environment variable that is not set, or empty.
    NotSet(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("a `{` has no `}`"),
            Self::Unknown(name) => write!(
                f,
                "there is no placeholder `{{{name}}}`; there are `{{hostname}}` and `{{env:NAME}}`"
            ),
            Self::NoHostname => f.write_str("this host has no name: write one in place of `{hostname}`"),
            Self::NotSet(name) => write!(f, "the environment variable {name} is not set, or empty"),
        }
    }
}

/// `template` with its placeholders filled in.
pub(super) fn fill(template: &str, environment: &Environment) -> Result<String, TemplateError> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
        filled.push_str(before.strip_suffix('$').unwrap_or(before));
        let value = match name.split_once(':') {
            None if name == "hostname" => environment.hostname().ok_or(TemplateError::NoHostname)?,
            Some(("env", name)) => environment
                .filled(name)
                .ok_or_else(|| TemplateError::NotSet(name.to_owned()))?,
            _ => return Err(TemplateError::Unknown(name.to_owned())),
        };
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// `template`, which can be filled in, with `*` for each placeholder: what it is on any host, as policies say it.
pub(super) fn anywhere(template: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before.strip_suffix('$').unwrap_or(before));
        filled.push('*');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in() {
        let environment = Environment::from([("INSTANCE", "i-0abc"), ("EMPTY", "")]).with_hostname("web-1");
        let fill = |template| fill(template, &environment);
        for (template, filled) in [
            ("plain", "plain"),
            ("{hostname}", "web-1"),
            ("/audit/${hostname}.x", "/audit/web-1.x"),
            ("{env:INSTANCE}-{hostname}-${env:INSTANCE}", "i-0abc-web-1-i-0abc"),
            ("a$b}", "a$b}"),
        ] {
            assert_eq!(fill(template).as_deref(), Ok(filled), "{template}");
        }
        for (template, widened) in [
            ("plain", "plain"),
            ("/audit/${hostname}.x", "/audit/*.x"),
            ("{env:INSTANCE}-{hostname}", "*-*"),
        ] {
            assert_eq!(anywhere(template), widened);
        }
        assert_eq!(fill("a{hostname"), Err(TemplateError::Unclosed));
        assert_eq!(
            fill("{hostnam}"),
            Err(TemplateError::Unknown(String::from("hostnam")))
        );
        assert_eq!(
            fill("{env:EMPTY}"),
            Err(TemplateError::NotSet(String::from("EMPTY")))
        );
        let nameless = Environment::empty();
        assert_eq!(
            super::fill("{hostname}", &nameless),
            Err(TemplateError::NoHostname)
        );
    }
}
