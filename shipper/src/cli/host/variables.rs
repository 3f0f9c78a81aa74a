//! `${NAME}` and `${NAME:-default}` in the host's values. Pure.

use crate::config::Environment;

/// The value with its variables replaced, and the names of those that have no value: the host makes nothing of them.
///
/// What the file sets itself (`@SET`, `env:`) comes before the environment.
pub(super) fn expand(
    value: &str,
    set: &[(String, String)],
    environment: &Environment,
) -> (String, Vec<String>) {
    let (mut expanded, mut unset) = (String::new(), Vec::new());
    let mut rest = value;
    while let Some((before, variable, after)) = next_variable(rest) {
        expanded.push_str(before);
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let of_file = set
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        let found = of_file.or_else(|| environment.var(name));
        match (
            found.filter(|found| default.is_none() || !found.is_empty()),
            default,
        ) {
            (Some(found), _) => expanded.push_str(found),
            (None, Some(default)) => expanded.push_str(default),
            (None, None) => unset.push(name.to_owned()),
        }
        rest = after;
    }
    expanded.push_str(rest);
    (expanded, unset)
}

/// Splits `a${NAME}b` into `a`, `NAME` and `b`.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once("${")?;
    let (name, after) = from.split_once('}')?;
    (!name.is_empty()).then_some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_from_the_file_first() {
        let set = [("DIR".to_owned(), "/file".to_owned())];
        let environment = Environment::from([("DIR", "/env"), ("HOME", "/root"), ("EMPTY", "")]);
        for (value, expected, unset) in [
            ("plain", "plain", vec![]),
            ("${DIR}/a${HOME}", "/file/a/root", vec![]),
            ("${NONE}/x", "/x", vec!["NONE"]),
            ("${NONE:-/d}/x", "/d/x", vec![]),
            ("${EMPTY:-/d}/x", "/d/x", vec![]),
            ("${EMPTY}/x", "/x", vec![]),
            ("${DIR", "${DIR", vec![]),
            ("${}x", "${}x", vec![]),
            ("$DIR", "$DIR", vec![]),
        ] {
            let unset: Vec<String> = unset.into_iter().map(str::to_owned).collect();
            assert_eq!(
                expand(value, &set, &environment),
                (expected.to_owned(), unset),
                "{value}"
            );
        }
    }
}
