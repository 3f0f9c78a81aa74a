//! What `--to` means, and where the records wait.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::cli::spool::file_failure;
use crate::config::stanza::Property;
use crate::config::{Config, Environment, Place, Strictness};
use crate::spool::cursor;
use crate::spool::storage::Storage;

/// `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, as token=env:TOKEN".to_owned()),
    }
}

/// The configuration of a spool with the one destination `to`.
pub(super) fn config(
    to: &str,
    with: &[(String, String)],
    spool: Option<&Path>,
    environment: &Environment,
) -> Result<Config, Failure> {
    let place = Place::of("the command line");
    let directory_path;
    let property = |key: &str, value: &str| Property {
        key: key.to_owned(),
        value: value.to_owned(),
        place: place.clone(),
    };
    let (target, destination) = if let Some(bucket) = bucket(to) {
        (to.to_owned(), bucket)
    } else if is_url(to) {
        (to.to_owned(), vec![("destination", "http"), ("url", to)])
    } else {
        directory_path = text(&directory(to)?)?;
        let destination = vec![("destination", "file"), ("path", directory_path.as_str())];
        (directory_path.clone(), destination)
    };
    let identity = identity(&target, with);
    let spool = match spool {
        Some(path) => std::path::absolute(path).map_err(|error| file_failure(path, &error))?,
        None => default_spool(&identity, environment)?,
    };
    let kind = destination.first().map_or("", |(_, kind)| kind).replace('_', "-");
    let mut properties = vec![
        property("spool", &text(&spool)?),
        property("id", "ship"),
        property("destination_id", &format!("{kind}-{}", &identity[..8])),
    ];
    properties.extend(destination.iter().map(|(key, value)| property(key, value)));
    properties.extend(with.iter().map(|(key, value)| property(key, value)));
    Ok(Config::from_properties(
        &properties,
        &place,
        environment,
        Strictness::Strict,
    )?)
}

/// Tells one target from another: what is at one is not at the other.
fn identity(target: &str, with: &[(String, String)]) -> String {
    let mut place = target.to_owned();
    for key in ["endpoint", "prefix"] {
        let given = with.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        place.extend(given.map(|(_, value)| format!("\n{key}={value}")));
    }
    blake3::hash(place.as_bytes()).to_hex().to_string()
}

/// Refuses a spool from which records went to another target: it knows them, so they would never go to this one.
pub(super) fn check_alone(storage: &dyn Storage, config: &Config) -> Result<(), Failure> {
    let spool = config.spool.path.display();
    let cursors = cursor::peek_all(storage).map_err(|error| Failure::Spool(format!("{spool}: {error}")))?;
    let ours = |id: &str| config.destinations.iter().any(|destination| destination.id == id);
    match cursors.iter().find(|(id, _)| !ours(id)) {
        Some((other, _)) => Err(Failure::Config(format!(
            "{spool} is the spool of another target (`{other}`), and what came in for that would not go to this one: give \
             this one a spool of its own with --spool DIR"
        ))),
        None => Ok(()),
    }
}

/// The keys of an object store: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `azblob://ACCOUNT/CONTAINER/PREFIX`.
fn bucket(to: &str) -> Option<Vec<(&'static str, &str)>> {
    if let Some(place) = to.strip_prefix("azblob://") {
        let (account, rest) = place.split_once('/').unwrap_or((place, ""));
        let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        return Some(vec![
            ("destination", "azure_blob"),
            ("account_name", account),
            ("container_name", container),
            ("prefix", prefix),
        ]);
    }
    let kinds = [("s3://", "s3"), ("gs://", "gcs")];
    let (kind, place) = kinds
        .iter()
        .find_map(|(scheme, kind)| Some((*kind, to.strip_prefix(scheme)?)))?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    Some(vec![
        ("destination", kind),
        ("bucket", bucket),
        ("prefix", prefix),
    ])
}

/// The directory that `to` means.
fn directory(to: &str) -> Result<PathBuf, Failure> {
    let wrong = |what: &str| Failure::Config(format!("--to {to}: {what}"));
    if to.is_empty() {
        return Err(Failure::Config("--to: give a directory or a URL".to_owned()));
    }
    if !to.starts_with(['/', '.']) && to.contains("://") {
        return Err(wrong(
            "only s3://, gs://, azblob://, http:// and https:// are known; begin with / or ./ if it is a directory",
        ));
    }
    let path = std::path::absolute(to).map_err(|error| wrong(&error.to_string()))?;
    // Without a slash at its end, which makes no other directory of it.
    let path: PathBuf = path.components().collect();
    if path.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(wrong(
            "is not a directory: records are written into files of a directory",
        ));
    }
    Ok(path)
}

fn is_url(to: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        to.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

fn text(path: &Path) -> Result<String, Failure> {
    let wrong = || Failure::Config(format!("{} is not UTF-8: give another directory", path.display()));
    path.to_str().map(str::to_owned).ok_or_else(wrong)
}

/// One spool for each target, so that what waits for one never goes to another.
fn default_spool(identity: &str, environment: &Environment) -> Result<PathBuf, Failure> {
    let absolute = |name| {
        environment
            .filled(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let Some(state) = state else {
        return Err(Failure::Config(
            "there is no $HOME to keep a spool in: give one with --spool DIR".to_owned(),
        ));
    };
    Ok(state.join("auditship").join(format!("ship-{}", &identity[..12])))
}

/// Makes the folders above the spool, for the owner only.
pub(super) fn make_room(spool: &Path) -> Result<(), Failure> {
    let Some(above) = spool.parent() else {
        return Ok(());
    };
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(above);
    made.map_err(|error: io::Error| file_failure(above, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_its_own_spool() {
        let environment = Environment::from([("HOME", "/home/a"), ("XDG_STATE_HOME", "relative")]);
        let spool = |to: &str, with: &[(&str, &str)]| {
            let with: Vec<_> = with
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            config(to, &with, None, &environment)
                .expect("a target")
                .spool
                .path
        };
        let one = spool("/srv/audit", &[]);
        assert!(one.starts_with("/home/a/.local/state/auditship"), "{one:?}");
        assert_eq!(one, spool("/srv/audit/", &[("compression", "zstd")]));
        assert_ne!(one, spool("/srv/other", &[]));
        let at = |endpoint| {
            spool(
                "s3://bucket",
                &[("region", "eu-central-1"), ("endpoint", endpoint)],
            )
        };
        assert_eq!(at("https://a.example"), at("https://a.example"));
        assert_ne!(at("https://a.example"), at("https://b.example"));
        let environment = Environment::from([("HOME", "/home/a"), ("XDG_STATE_HOME", "/state")]);
        assert!(
            default_spool(&identity("/srv/audit", &[]), &environment)
                .expect("a state")
                .starts_with("/state/auditship")
        );
        assert_eq!(
            default_spool(&identity("/x", &[]), &Environment::empty()).map_err(|failure| failure.code()),
            Err(3)
        );
    }

    #[test]
    fn a_directory_a_url_or_a_bucket() {
        let environment = Environment::from([("HOME", "/home/a"), ("TOKEN", "t")]);
        let kind = |to: &str, with: &[(&str, &str)]| {
            let with: Vec<_> = with
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            let config = config(to, &with, None, &environment).map_err(|failure| failure.to_string())?;
            let [only] = config.destinations.as_slice() else {
                return Err("not one destination".to_owned());
            };
            let (name, _) = only.id.rsplit_once('-').unwrap_or_default();
            Ok((config.spool.id, name.to_owned(), only.kind.kind()))
        };
        let ok = |kind: &'static str| Ok(("ship".to_owned(), kind.replace('_', "-"), kind));
        assert_eq!(kind("/srv/audit", &[("compression", "zstd")]), ok("file"));
        assert_eq!(kind("relative", &[]), ok("file"));
        assert_eq!(kind("s3://bucket/a/b", &[("region", "eu-central-1")]), ok("s3"));
        assert_eq!(kind("s3://bucket", &[("region", "eu-central-1")]), ok("s3"));
        assert_eq!(kind("gs://bucket/a", &[]), ok("gcs"));
        let sas = [("sas_token", "sv=1&sig=x")];
        assert_eq!(kind("azblob://acct/audit/a/b", &sas), ok("azure_blob"));
        assert!(kind("azblob://acct", &sas).is_err(), "no container");
        assert!(
            kind("s3://b", &[("region", "eu-central-1")]).is_err(),
            "no name of a bucket"
        );
        assert_eq!(
            kind(
                "https://c.example.com/a",
                &[("auth", "bearer"), ("token", "env:TOKEN")]
            ),
            ok("http")
        );
        assert_eq!(
            kind("https://c.example.com/a", &[("tokn", "x")])
                .expect_err("misspelt")
                .split("; known")
                .next(),
            Some(
                "the command line: unknown key `tokn` in a stanza with `Destination http`; did you mean `token`?"
            )
        );
        assert!(
            kind("http://c.example.com/a", &[]).is_err(),
            "plaintext to another host"
        );
    }

    #[test]
    fn what_is_neither_is_said() {
        let environment = Environment::from([("HOME", "/home/a")]);
        let refused = |to: &str| config(to, &[], None, &environment).map_err(|failure| failure.to_string());
        for (to, says) in [
            ("", "--to: give a directory or a URL"),
            (
                "ftp://bucket/a",
                "--to ftp://bucket/a: only s3://, gs://, azblob://, http:// and https:// are known; begin with / or ./ if it is a directory",
            ),
            (
                "/proc/self/exe",
                "--to /proc/self/exe: is not a directory: records are written into files of a directory",
            ),
        ] {
            assert_eq!(refused(to).err().as_deref(), Some(says));
        }
        assert!(refused("./ftp://bucket/a").is_ok(), "a directory, however odd");
    }
}
