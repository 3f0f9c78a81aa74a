//! From the configuration to what each destination's lane is told.

use std::sync::Arc;

use crate::config::{BatchConfig, Config, DestinationConfig, InitialState, ShipperMode};
use crate::control::desired::DesiredState;
use crate::deliver::backoff::Policy;
use crate::deliver::pack::Batching;
use crate::deliver::{Configured, RecordFilter, Settings};
use crate::destination::{self, Destination, Format};
use crate::exclude::Exclusion;
use crate::transport::Transport;

/// What a shipper serves.
#[derive(Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever starts a shipper")]
pub struct Lanes {
    /// The destinations, by id once each.
    pub lanes: Vec<LaneConfig>,
    /// Why none can be served, if the configuration cannot even tell which there are: all that the spool knows are held.
    pub held: Option<String>,
}

/// One destination.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever starts a shipper")]
pub struct LaneConfig {
    /// Its cursor has this name.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Whether it ships before anybody paused or resumed it.
    pub initial: DesiredState,
    /// Where a destination begins that is new to the spool.
    pub start: Start,
    /// Where records go.
    pub target: Target,
    /// What it was made of, to be compared at a reload; without it every reload begins it anew.
    pub made_of: Option<Arc<(DestinationConfig, Exclusion)>>,
}

/// Where a destination begins that is new to the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two cases")]
pub enum Start {
    /// With the oldest record that is still there.
    Earliest,
    /// With the next record that comes in.
    Latest,
}

/// Where records go.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "three cases")]
pub enum Target {
    /// There.
    Route(LaneRoute),
    /// Nowhere yet: what the configuration names is not there, as a key file that is mounted late. Records are kept for
    /// it, and it is tried again.
    Awaited {
        /// What is wrong, and what to do.
        reason: String,
        /// Tries again; gives the reason if that fails.
        build: Arc<dyn Fn() -> Result<LaneRoute, String> + Send + Sync>,
    },
    /// Nowhere: the configuration is wrong. Records are kept for it.
    Held {
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// How records get where they go.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever starts a shipper")]
pub struct LaneRoute {
    /// What the lane is told.
    pub settings: Settings,
    /// Sends its requests.
    pub transport: Arc<dyn Transport>,
}

impl Lanes {
    /// What `config` says. A destination that cannot be built is held with the reason.
    pub fn of(config: &Config) -> Self {
        let exclusion = exclusion_of(config);
        let mut lanes: Vec<LaneConfig> = config
            .destinations
            .iter()
            .map(|one| LaneConfig::of(one, exclusion))
            .collect();
        let mut held = None;
        for broken in &config.held {
            let reason = broken.error.to_string();
            match &broken.id {
                // Two that share an id are one lane, which sends nothing.
                Some(id) if lanes.iter().any(|lane| lane.id == *id) => {}
                Some(id) => lanes.push(LaneConfig::held(id, reason)),
                None => held = Some(reason),
            }
        }
        Self { lanes, held }
    }
}

impl LaneConfig {
    /// A destination that waits for its configuration to be put right.
    pub fn held(id: &str, reason: String) -> Self {
        Self {
            id: id.to_owned(),
            name: None,
            initial: DesiredState::Active,
            start: Start::Earliest,
            target: Target::Held { reason },
            made_of: None,
        }
    }

    /// Whether a lane of this configuration may go on where `next` is asked for.
    pub(super) fn goes_on_as(&self, next: &Self) -> bool {
        self.made_of.is_some() && self.made_of == next.made_of
    }

    fn of(config: &DestinationConfig, exclusion: Exclusion) -> Self {
        let filter: Arc<dyn RecordFilter> = Arc::new(Configured {
            exclusion,
            selection: config.selection.clone(),
        });
        let target = match LaneRoute::build(config, &filter) {
            Ok(route) => Target::Route(route),
            Err(reason) => Target::Awaited {
                reason,
                build: {
                    let config = config.clone();
                    Arc::new(move || LaneRoute::build(&config, &filter))
                },
            },
        };
        Self {
            id: config.id.clone(),
            name: config.name.clone(),
            initial: match config.initial_state {
                InitialState::Active => DesiredState::Active,
                InitialState::Inactive => DesiredState::Inactive,
            },
            start: Start::Earliest,
            target,
            made_of: Some(Arc::new((config.clone(), exclusion))),
        }
    }
}

impl LaneRoute {
    fn build(config: &DestinationConfig, filter: &Arc<dyn RecordFilter>) -> Result<Self, String> {
        let route = destination::build(&config.kind).map_err(|error| error.to_string())?;
        Ok(Self {
            settings: Settings {
                batching: batching_of(&config.batch, &*route.destination),
                destination: route.destination,
                filter: Arc::clone(filter),
                dead_letter_rate: config.dead_letter_rate.per_million(),
                retry: Policy::RETRY,
                probe: Policy::PROBE,
            },
            transport: route.transport,
        })
    }
}

/// Where ingest is another's, what is excluded is in the spool, and is filtered here.
fn exclusion_of(config: &Config) -> Exclusion {
    match config.shipper {
        ShipperMode::External => config.exclusion,
        ShipperMode::Embedded => Exclusion::NOTHING,
    }
}

/// Destinations that take several requests at once and no request of an API's own take objects, for which a longer wait pays.
fn batching_of(config: &BatchConfig, destination: &dyn Destination) -> Batching {
    let default = if destination.limits().in_flight > 1 && destination.body().0 != Format::Native {
        Batching::OBJECTS
    } else {
        Batching::STREAM
    };
    Batching {
        bytes: config.max_bytes.unwrap_or(default.bytes),
        records: config.max_records.unwrap_or(default.records),
        age: config.max_age.unwrap_or(default.age),
    }
}
