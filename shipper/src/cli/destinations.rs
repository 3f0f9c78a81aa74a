//! Which destinations a command is about: those of a configuration of either kind, or one of them.

use std::path::PathBuf;

use clap::Args;

use super::check_config::{self, Rest};
use super::exit::{Exit, Failure};
use crate::config::nearest::nearest;
use crate::config::{DestinationConfig, Environment};

/// The configuration as an option: TOML, or a configuration of Fluent Bit with auditship stanzas.
#[derive(Args, Debug)]
pub(super) struct ConfigOption {
    /// The configuration: auditship's TOML, or a fluent-bit.conf or .yaml with auditship stanzas
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// The destinations that a command is about.
pub(super) struct Chosen {
    pub(super) destinations: Vec<DestinationConfig>,
    /// Whether others could not be read; of no interest to a command about one of them.
    rest: Rest,
}

impl Chosen {
    /// How a command ends that all of them went well with: what could not be read is said, and did not go well.
    pub(super) fn exit(&self) -> Exit {
        match self.rest {
            Rest::Sound => Exit::Done,
            Rest::Broken => Exit::Unsound,
        }
    }
}

impl ConfigOption {
    /// Every destination of the configuration; only `id` when it is given.
    pub(super) fn destinations(
        &self,
        id: Option<&str>,
        environment: &Environment,
    ) -> Result<Chosen, Failure> {
        let (configs, rest) = check_config::configs(&self.config, environment)?;
        let all: Vec<DestinationConfig> = configs
            .into_iter()
            .flat_map(|config| config.destinations)
            .collect();
        let Some(id) = id else {
            return Ok(Chosen {
                destinations: all,
                rest,
            });
        };
        let ids: Vec<&str> = all.iter().map(|destination| destination.id.as_str()).collect();
        if !ids.contains(&id) {
            let help = match nearest(id, ids.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("it has {}", ids.join(", ")),
            };
            let file = self.config.display();
            return Err(Failure::Config(format!("{file}: no destination `{id}`; {help}")));
        }
        let destinations = all.into_iter().filter(|destination| destination.id == id);
        Ok(Chosen {
            destinations: destinations.collect(),
            rest: Rest::Sound,
        })
    }
}
