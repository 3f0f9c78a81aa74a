//! Which spool a command is about, and opening it to look.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::exit::Failure;
use crate::config::nearest::nearest;
use crate::config::{Config, Environment, HeldDestination, Strictness};
use crate::control::status::{self, Status};
use crate::spool::storage::Storage;
use crate::spool::storage::fs::FsStorage;
use crate::time::{Clock as _, SystemClock};

/// The spool as an argument of its own: `status DIR`.
#[derive(Args, Debug)]
pub(super) struct SpoolArgument {
    /// The spool's directory
    #[arg(
        value_name = "SPOOL",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    spool: Option<PathBuf>,
    /// A TOML configuration that names the spool
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The spool as an option: `pause DESTINATION --spool DIR`.
#[derive(Args, Debug)]
pub(super) struct SpoolOption {
    /// The spool's directory
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    spool: Option<PathBuf>,
    /// A TOML configuration that names the spool
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl SpoolArgument {
    pub(super) fn open(&self, environment: &Environment) -> Result<Opened, Failure> {
        Opened::named(self.spool.as_deref(), self.config.as_deref(), environment)
    }
}

impl SpoolOption {
    /// Whether the configuration has a destination `id`; nothing when none was named.
    pub(super) fn configures(&self, id: &str, environment: &Environment) -> Result<Option<bool>, Failure> {
        let Some(file) = &self.config else {
            return Ok(None);
        };
        let config = Config::from_toml(file, environment, Strictness::HoldDestinations)?;
        // One whose keys are wrong is configured all the same; one without a usable id may be this one.
        let sound = config.destinations.iter().any(|destination| destination.id == id);
        let held = |held: &HeldDestination| held.id.as_deref().is_none_or(|held| held == id);
        Ok(Some(sound || config.held.iter().any(held)))
    }

    pub(super) fn open(&self, environment: &Environment) -> Result<Opened, Failure> {
        Opened::named(self.spool.as_deref(), self.config.as_deref(), environment)
    }
}

/// An existing spool, opened without its locks.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) storage: Arc<dyn Storage>,
}

impl Opened {
    fn named(
        spool: Option<&Path>,
        config: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        match (spool, config) {
            (Some(path), _) => Self::at(path),
            // Only the path is wanted: a mistake in a destination must not hide its status.
            (None, Some(file)) => {
                let config = Config::from_toml(file, environment, Strictness::HoldDestinations)?;
                Self::at(&config.spool.path)
            }
            // clap asks for one of them.
            (None, None) => Err(Failure::Config(
                "say which spool: --spool DIR or --config FILE".to_owned(),
            )),
        }
    }

    /// The spool at `path`.
    pub(super) fn at(path: &Path) -> Result<Self, Failure> {
        let storage = FsStorage::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => {
                Failure::Spool(format!("{}: not a spool: a spool is a directory", path.display()))
            }
            io::ErrorKind::PermissionDenied => Failure::Spool(format!(
                "{}: {error}; only a spool's owner may look into it: run this as that user",
                path.display()
            )),
            _ => file_failure(path, &error),
        })?;
        let opened = Self {
            path: path.to_owned(),
            storage: Arc::new(storage),
        };
        crate::spool::Reader::open(Arc::clone(&opened.storage)).map_err(|error| opened.failure(&error))?;
        Ok(opened)
    }

    /// A failure that names the spool.
    pub(super) fn failure(&self, error: &dyn std::error::Error) -> Failure {
        Failure::Spool(format!("{}: {error}", self.path.display()))
    }

    /// What runs, how far it is, and what is wrong.
    pub(super) fn status(&self) -> Status {
        // A head that cannot be read is said by whatever reads records.
        let head = crate::spool::read_head(&*self.storage).ok().flatten();
        status::read(&*self.storage, SystemClock::new().wall(), head)
    }

    /// Whether the spool has such a destination; else the nearest name and all of them.
    pub(super) fn check_destination(&self, status: &Status, id: &str) -> Result<(), Failure> {
        let known = status.destinations.iter().map(|view| view.status.id.as_str());
        if known.clone().any(|known| known == id) {
            return Ok(());
        }
        let all: Vec<&str> = known.clone().collect();
        let help = match (nearest(id, known), all.as_slice()) {
            (_, []) => "it has had none yet".to_owned(),
            (Some(nearest), all) => format!("did you mean `{nearest}`? It has {}", all.join(", ")),
            (None, all) => format!("it has {}", all.join(", ")),
        };
        Err(Failure::Spool(format!(
            "{}: no destination `{id}`; {help}",
            self.path.display()
        )))
    }
}

/// An I/O error about a file, for a person.
pub(super) fn file_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::Spool(format!("{}: {error}", path.display()))
}
