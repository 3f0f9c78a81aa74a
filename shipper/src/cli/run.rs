//! `auditship run`: the daemon that drains a spool which somebody else fills.
//!
//! # How it can be stopped
//! At any instant. SIGTERM and SIGINT give it until the deadline to send what there is; nothing needs that, the rest is sent
//! by whoever comes next. SIGHUP reads the configuration again: one that cannot be used is said and leaves
//! everything as it is.
//!
//! Threads: this one, which waits for signals; the shipper's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::exclusion::ExclusionFlags;
use super::exit::{Exit, Failure};
use super::{message, outside};
use crate::config::quantity::Age;
use crate::config::{Config, Environment, ShipperMode, Strictness};
use crate::control::log::Log;
use crate::deliver::{Drained, Lanes, Shipper};
use crate::instance::start_shipper;
use crate::spool::storage::Storage;
use crate::spool::storage::fs::{FsStorage, check_private};
use crate::spool::{Reader, SpoolError};
use crate::time::{Clock as _, SystemClock};

/// How often it is looked whether the plugin has made the spool, and whether another signal came while draining.
const LOOK: Duration = Duration::from_millis(200);
/// How long requests on their way may take when lanes change.
const PATIENCE: Duration = Duration::from_secs(2);
/// What requests get that are on their way at the deadline: they had time before it.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Drain a spool that the Fluent Bit plugin fills with `Shipper external`.
///
/// Runs until SIGTERM or SIGINT, then sends what there is for at most --deadline. SIGHUP reads the configuration again.
/// Categories that are excluded here are filtered at every destination and counted.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// The TOML configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// How long to go on sending after SIGTERM or SIGINT; what is left stays in the spool
    #[arg(long, value_name = "AGE", default_value = "4s")]
    deadline: Age,
    #[command(flatten)]
    exclusion: ExclusionFlags,
}

impl Run {
    pub(super) fn run(&self, environment: &Environment) -> Result<Exit, Failure> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
            .map_err(|error| Failure::Spool(format!("signals cannot be handled: {error}")))?;
        let mut config = self.load(environment, Strictness::Strict)?;
        let Some(storage) = self.wait_for_spool(&mut config, environment, &mut signals)? else {
            return Ok(Exit::Done);
        };
        let log = Log::new(Arc::clone(&storage), Arc::new(SystemClock::new()));
        let shipper = start_shipper(storage, &config, &outside::of("auditship run", environment), log)
            .map_err(|error| Failure::Spool(format!("{}: {error}", config.spool.path.display())))?;
        message(format_args!(
            "shipping {} to {}",
            config.spool.path.display(),
            names(&config)
        ));
        for signal in signals.forever() {
            if signal == SIGHUP {
                self.reload(&mut config, &shipper, environment);
            } else {
                break;
            }
        }
        self.drain(&shipper, &mut signals);
        shipper.stop(LAST_CALL);
        Ok(Exit::Done)
    }

    /// The configuration, with the flags.
    fn load(&self, environment: &Environment, strictness: Strictness) -> Result<Config, Failure> {
        let mut config = Config::from_toml(&self.config, environment, strictness)?;
        config.exclusion = self.exclusion.after(config.exclusion);
        // Whatever the plugin is told: this process ships, and what the plugin spooled is filtered here.
        config.shipper = ShipperMode::External;
        Ok(config)
    }

    /// The spool, as soon as there is one; `None` when a signal ends the waiting.
    fn wait_for_spool(
        &self,
        config: &mut Config,
        environment: &Environment,
        signals: &mut Signals,
    ) -> Result<Option<Arc<dyn Storage>>, Failure> {
        let mut said = false;
        loop {
            let path = &config.spool.path;
            check_private(path).map_err(|error| Failure::Spool(error.to_string()))?;
            if let Some(storage) = spool_at(config)? {
                return Ok(Some(storage));
            }
            if !said {
                message(format_args!(
                    "{}: waiting until the plugin makes the spool",
                    path.display()
                ));
                said = true;
            }
            outside::pause(LOOK);
            for signal in signals.pending() {
                if signal != SIGHUP {
                    return Ok(None);
                }
                match self.load(environment, Strictness::Strict) {
                    Ok(next) => *config = next,
                    Err(failure) => message(format_args!("not reloaded: {failure}")),
                }
                said = false;
            }
        }
    }

    fn reload(&self, config: &mut Config, shipper: &Shipper, environment: &Environment) {
        let next = match self.load(environment, Strictness::HoldBlocks) {
            Ok(next) => next,
            Err(failure) => return message(format_args!("not reloaded: {failure}")),
        };
        if next.spool.path != config.spool.path || next.spool.id != config.spool.id {
            return message(format_args!(
                "not reloaded: the spool is now {} (`{}`); restart to ship another one",
                next.spool.path.display(),
                next.spool.id
            ));
        }
        match shipper.reload(Lanes::of(&next), PATIENCE) {
            Ok(()) => message(format_args!("reloaded: shipping to {}", names(&next))),
            Err(error) => message(format_args!("reloaded in part: {error}")),
        }
        for held in &next.held {
            message(format_args!("held: {}", held.error));
        }
        *config = next;
    }

    /// Sends what there is until the deadline or a second signal.
    fn drain(&self, shipper: &Shipper, signals: &mut Signals) {
        let clock = SystemClock::new();
        let end = clock.monotonic().plus(self.deadline.0);
        loop {
            let left = end.since(clock.monotonic());
            if shipper.drain(left.min(LOOK)) == Drained::Everything {
                return message("everything is delivered");
            }
            if left.is_zero() || signals.pending().any(|signal| signal != SIGHUP) {
                return message("ended before everything was delivered; the rest waits in the spool");
            }
        }
    }
}

/// The storage of the spool that `config` names; `None` while there is none.
fn spool_at(config: &Config) -> Result<Option<Arc<dyn Storage>>, Failure> {
    let path = &config.spool.path;
    let storage: Arc<dyn Storage> = match FsStorage::open(path) {
        Ok(storage) => Arc::new(storage),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(super::spool::file_failure(path, &error)),
    };
    match Reader::open(Arc::clone(&storage)) {
        Ok(_) => Ok(Some(storage)),
        // Made, but not yet with a spool in it.
        Err(SpoolError::NotASpool { .. }) => Ok(None),
        Err(error) => Err(Failure::Spool(format!("{}: {error}", path.display()))),
    }
}

fn names(config: &Config) -> String {
    let destinations = config.destinations.iter();
    let all: Vec<&str> = destinations.map(|destination| destination.id.as_str()).collect();
    if all.is_empty() {
        "no destination".to_owned()
    } else {
        all.join(", ")
    }
}
