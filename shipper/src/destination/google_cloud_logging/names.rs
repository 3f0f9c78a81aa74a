//! Names of logs and ids of projects. Pure.

/// What a name begins with, whose log it is.
const PARENTS: [&str; 4] = ["projects", "organizations", "folders", "billingAccounts"];

/// Whether `id` can be a project's: `audit-project`, or `example.com:audit-project` of old.
pub(super) fn is_project(id: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
    (1..=100).contains(&id.len())
        && id.bytes().all(is_part)
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.ends_with(|last: char| last.is_ascii_alphanumeric())
}

/// The log `id` of `project`, as a request has it.
pub(super) fn of_project(project: &str, id: &str) -> Result<String, String> {
    Ok(format!("projects/{project}/logs/{}", log_id(id)?))
}

/// A full name, `projects/PROJECT/logs/LOG`, as a request has it.
pub(super) fn full(name: &str) -> Result<String, String> {
    let shape =
        || format!("{name:?} is no log name: write `projects/PROJECT/logs/LOG` (or organizations, folders)");
    let (parent, rest) = name.split_once('/').ok_or_else(shape)?;
    let (owner, id) = rest.split_once("/logs/").ok_or_else(shape)?;
    if parent == "billingAccounts" {
        return Err(String::from(
            "of a billing account is written by Google's services only: name a project's, folder's or organization's",
        ));
    }
    if !PARENTS.contains(&parent) || !is_project(owner) {
        return Err(shape());
    }
    // As it stands in a request already, or as a person would write it.
    let id = id.replace("%2F", "/").replace("%2f", "/");
    Ok(format!("{parent}/{owner}/logs/{}", log_id(&id)?))
}

/// Whether `name` is meant as a full one.
pub(super) fn is_full(name: &str) -> bool {
    PARENTS.iter().any(|parent| {
        name.strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with('/'))
    }) && name.contains("/logs/")
}

/// The id of a log: fewer than 512 letters, digits and `/_-.`; slashes are encoded.
fn log_id(id: &str) -> Result<String, String> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte);
    if let Some(other) = id.chars().find(|found| !u8::try_from(*found).is_ok_and(is_part)) {
        return Err(format!(
            "{id:?} cannot be a log's: it has {other:?} in it; use letters, digits and `/_-.`"
        ));
    }
    if id.is_empty() || id.len() >= 512 {
        return Err(format!("has {} characters: a log's name has 1 to 511", id.len()));
    }
    Ok(id.replace('/', "%2F"))
}
