//! The library and the programs as cargo builds them, in a place where nothing replaces them.
//!
//! # Why not simply `target/release`
//! * `cargo test` leaves the library only beside its own executables; what lies in `target/debug` or `target/release`
//!   may be of last week.
//! * A `cdylib` of a workspace has no hash in its file name. Two sets of features, or two checkouts that share a target
//!   directory, overwrite each other's, and cargo then calls the foreign file fresh. (So the variant that panics is
//!   another package, testkit/panicking.)
//! * While tests run, somebody may build again and replace the file under them.
//!
//! So all is built into a directory of its own, named after this workspace's path; what cargo reports in its
//! messages is taken and nothing is guessed; the file must be newer than every source that cargo's dep-info names; and
//! it is copied, under a lock, to a name that has its content in it.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// What can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Artefact {
    /// The release library, as it is installed.
    Library,
    /// The release library, built so that its exports panic when `AUDITSHIP_PANIC` names them.
    PanickingLibrary,
    /// The release binary `auditship`.
    Binary,
    /// The host driver `auditship-host`.
    Host,
    /// What `make demo` runs, `auditship-demo`.
    Demo,
    /// The tracer `auditship-steps`.
    Steps,
}

/// Why there is no artefact.
#[derive(Debug)]
#[non_exhaustive]
pub enum ArtefactError {
    /// cargo could not be run, or a file not read or copied.
    Io(PathBuf, io::Error),
    /// cargo failed; its diagnostics went to standard error.
    Build(String),
    /// cargo built, but reported no file for the artefact.
    Missing(String),
    /// The file is older than one of its sources, even after a second build.
    Stale {
        /// The file.
        artefact: PathBuf,
        /// The newer source.
        source: PathBuf,
    },
}

impl fmt::Display for ArtefactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Build(what) => write!(f, "`{what}` failed: see its messages above"),
            Self::Missing(what) => write!(f, "`{what}` reported no file"),
            Self::Stale { artefact, source } => {
                write!(
                    f,
                    "{} is older than its source {}",
                    artefact.display(),
                    source.display()
                )
            }
        }
    }
}

impl std::error::Error for ArtefactError {}

impl Artefact {
    /// The file, built on the first call in this process.
    ///
    /// # Panics
    /// When it cannot be built: a test that needs it cannot go on.
    pub fn path(self) -> &'static Path {
        static PATHS: [OnceLock<PathBuf>; 6] = [const { OnceLock::new() }; 6];
        PATHS[self as usize].get_or_init(|| match self.build() {
            Ok(path) => path,
            Err(why) => panic!("{self:?}: {why}"),
        })
    }

    /// Builds it (cargo does nothing when it is fresh) and copies it to its stable place.
    ///
    /// # Errors
    /// See [`ArtefactError`].
    pub fn build(self) -> Result<PathBuf, ArtefactError> {
        let home = home()?;
        fs::create_dir_all(&home).map_err(|why| ArtefactError::Io(home.clone(), why))?;
        let lock = home.join("lock");
        let guard = File::create(&lock).and_then(|file| file.lock().map(|()| file));
        let _guard = guard.map_err(|why| ArtefactError::Io(lock, why))?;

        let mut built = self.run_cargo(&home)?;
        if newer_source(&built)?.is_some() {
            // A source was saved while it was compiled.
            built = self.run_cargo(&home)?;
        }
        if let Some(source) = newer_source(&built)? {
            return Err(ArtefactError::Stale {
                artefact: built,
                source,
            });
        }
        keep(&built, &home.join("kept"))
    }

    fn arguments(self) -> Vec<&'static str> {
        let (package, target) = match self {
            Self::Library => ("out_auditship", None),
            Self::PanickingLibrary => ("auditship-panicking", None),
            Self::Binary => ("auditship", Some("auditship")),
            Self::Host => ("auditship-testkit", Some("auditship-host")),
            Self::Demo => ("auditship-testkit", Some("auditship-demo")),
            Self::Steps => ("auditship-testkit", Some("auditship-steps")),
        };
        let mut arguments = vec!["--release", "--package", package];
        match target {
            Some(binary) => arguments.extend(["--bin", binary]),
            None => arguments.push("--lib"),
        }
        arguments
    }

    fn run_cargo(self, home: &Path) -> Result<PathBuf, ArtefactError> {
        let mut command = cargo();
        command
            .arg("build")
            .args(self.arguments())
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(home)
            // What the run of a test sets for itself must not reach the build of a product.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let told = format!("{command:?}");
        let output = command
            .output()
            .map_err(|why| ArtefactError::Io(PathBuf::from("cargo"), why))?;
        if !output.status.success() {
            return Err(ArtefactError::Build(told));
        }
        let manifest = workspace().join(match self {
            Self::Library => "Cargo.toml",
            Self::PanickingLibrary => "testkit/panicking/Cargo.toml",
            Self::Binary => "shipper/Cargo.toml",
            Self::Host | Self::Demo | Self::Steps => "testkit/Cargo.toml",
        });
        output
            .stdout
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .filter(|message| message["reason"] == "compiler-artifact")
            .filter(|message| {
                message["manifest_path"]
                    .as_str()
                    .is_some_and(|path| Path::new(path) == manifest)
            })
            .find_map(|message| self.file_of(&message))
            .ok_or(ArtefactError::Missing(told))
    }

    fn file_of(self, message: &Value) -> Option<PathBuf> {
        let path = match self {
            Self::Library | Self::PanickingLibrary => message["filenames"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .find(|path| path.ends_with(".so"))?,
            Self::Binary | Self::Host | Self::Demo | Self::Steps => message["executable"].as_str()?,
        };
        Some(PathBuf::from(path))
    }
}

/// The directory with the workspace's Cargo.toml: the one of the test that runs, as cargo says, and not the one in which
/// this crate was compiled. Checkouts that share a target directory share compiled crates as well.
pub fn workspace() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let is_root = |folder: &&Path| {
            fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|manifest| manifest.lines().any(|line| line == "[workspace]"))
        };
        let root = package.ancestors().find(is_root);
        root.map_or_else(|| package.clone(), Path::to_owned)
    })
}

/// The target directory of this workspace's artefacts.
fn home() -> Result<PathBuf, ArtefactError> {
    let mut hasher = DefaultHasher::new();
    workspace().hash(&mut hasher);
    Ok(target_directory()?
        .join("testkit")
        .join(format!("{:016x}", hasher.finish())))
}

fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace());
    command
}

/// Where this workspace is built.
pub(crate) fn target_directory() -> Result<PathBuf, ArtefactError> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let output = command
        .output()
        .map_err(|why| ArtefactError::Io(PathBuf::from("cargo"), why))?;
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| ArtefactError::Missing(format!("{command:?}")))
}

/// A source of `artefact`, by cargo's dep-info beside it, that is newer than it.
fn newer_source(artefact: &Path) -> Result<Option<PathBuf>, ArtefactError> {
    let changed = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .map_err(|why| ArtefactError::Io(path.to_owned(), why))
    };
    let built = changed(artefact)?;
    let info = artefact.with_extension("d");
    let text = fs::read_to_string(&info).map_err(|why| ArtefactError::Io(info, why))?;
    for source in sources(&text) {
        // A source that is gone was renamed or removed since: cargo would have built again if it mattered.
        if changed(&source).is_ok_and(|changed| changed > built) {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

/// The paths on the right of a dep-info file's rule; a blank inside a path is escaped by a backslash.
fn sources(text: &str) -> Vec<PathBuf> {
    let Some((_, right)) = text.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    right
        .replace("\\ ", "\0")
        .split_whitespace()
        .map(|path| PathBuf::from(path.replace('\0', " ")))
        .collect()
}

/// Copies `built` into a directory below `kept` that is named by its content.
fn keep(built: &Path, kept: &Path) -> Result<PathBuf, ArtefactError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| ArtefactError::Io(path, why)
    };
    let bytes = fs::read(built).map_err(failed(built))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let directory = kept.join(format!("{:016x}", hasher.finish()));
    let copy = directory.join(built.file_name().unwrap_or_default());
    if !copy.exists() {
        fs::create_dir_all(&directory).map_err(failed(&directory))?;
        let half = directory.join(format!("half.{}", std::process::id()));
        fs::copy(built, &half).map_err(failed(&half))?;
        fs::rename(&half, &copy).map_err(failed(&copy))?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_names_the_sources_with_blanks() {
        let text = "/t/lib.so: /w/build.rs /w/a\\ b/lib.rs\n\n/w/build.rs:\n";
        assert_eq!(
            sources(text),
            [PathBuf::from("/w/build.rs"), PathBuf::from("/w/a b/lib.rs")]
        );
    }

    #[test]
    fn an_artefact_older_than_a_source_is_found() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        fs::write(at("source.rs"), "").unwrap();
        fs::write(at("x.so"), "1").unwrap();
        fs::write(at("x.d"), format!("x.so: {}\n", at("source.rs").display())).unwrap();
        let modified = |name: &str| fs::metadata(at(name)).unwrap().modified().unwrap();
        let newer = modified("x.so") + std::time::Duration::from_secs(1);
        File::options()
            .append(true)
            .open(at("x.so"))
            .unwrap()
            .set_modified(newer)
            .unwrap();
        assert_eq!(newer_source(&at("x.so")).unwrap(), None);
        let source = File::options().append(true).open(at("source.rs")).unwrap();
        source
            .set_modified(newer + std::time::Duration::from_secs(1))
            .unwrap();
        assert_eq!(newer_source(&at("x.so")).unwrap(), Some(at("source.rs")));
    }

    #[test]
    fn a_copy_is_named_by_its_content_and_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let built = scratch.path().join("lib.so");
        fs::write(&built, "one").unwrap();
        let one = keep(&built, &scratch.path().join("kept")).unwrap();
        fs::write(&built, "two").unwrap();
        let two = keep(&built, &scratch.path().join("kept")).unwrap();
        assert_ne!(one, two);
        assert_eq!(fs::read(one).unwrap(), b"one");
        assert_eq!(fs::read(two).unwrap(), b"two");
    }
}
