//! From the keys of a [`Document`] to a [`Config`] that the rest of the crate takes without checking again. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::de::{fields_of, read};
use super::document::{Concerns, Document, Misplaced, missing};
use super::error::{ConfigError, ConfigErrors, Problem};
use super::kind;
use super::quantity::{Age, Share};
use super::raw;
use super::section::Section;
use super::{
    BatchConfig, Config, DestinationConfig, Environment, HeldDestination, InitialState, MaxBytes, OnFull,
    Place, RecordKeys, ShipperMode, SpoolConfig, Strictness,
};
use crate::destination::{Compression, KindConfig, Limits};
use crate::exclude::Exclusion;
use crate::selection::Selection;
use crate::spool::WriterOptions;

/// The longest id: it becomes the name of files.
const MAX_ID: usize = 64;

/// Makes a `Config` of a document, or says everything that is wrong with it.
pub(crate) fn validate(
    document: Document,
    environment: &Environment,
    strictness: Strictness,
) -> Result<Config, ConfigErrors> {
    let mut problems = Problems::default();
    for Misplaced { error, concerns } in document.errors {
        match concerns {
            Concerns::Spool => problems.of_spool.push(error),
            Concerns::Destinations => problems.of_destinations.push(error),
        }
    }

    let top = problems.keep(read::<raw::Top>(&document.top));
    let spool = problems.keep(spool(&document.spool));
    let exclusion = problems.keep(exclusion(&document.exclude));
    let record = top.as_ref().map(|top| record_keys(&document.top, top));
    let record = record.and_then(|record| problems.keep(record));
    let mode = match top.and_then(|top| top.shipper) {
        Some(raw::Shipper::External) => ShipperMode::External,
        Some(raw::Shipper::Embedded) | None => ShipperMode::Embedded,
    };

    let (mut destinations, mut held) = (Vec::new(), Vec::new());
    for (id, result) in all_destinations(document.destinations, environment) {
        match result {
            Ok(destination) => destinations.push(destination),
            Err(error) => held.push(HeldDestination { id, error }),
        }
    }

    let Problems {
        mut of_spool,
        of_destinations,
    } = problems;
    match strictness {
        Strictness::Strict => {
            of_spool.extend(of_destinations);
            of_spool.extend(
                held.drain(..)
                    .flat_map(|held| held.error.iter().cloned().collect::<Vec<_>>()),
            );
        }
        Strictness::HoldBlocks => of_spool.extend(of_destinations),
        // What cannot be laid at one destination's door holds them all: nobody can say which it was meant for.
        Strictness::HoldDestinations => {
            if let Err(error) = ConfigErrors::of(of_destinations) {
                held.extend(destinations.drain(..).map(|destination| HeldDestination {
                    id: Some(destination.id),
                    error: error.clone(),
                }));
                if held.is_empty() {
                    held.push(HeldDestination { id: None, error });
                }
            }
        }
    }
    ConfigErrors::of(of_spool)?;
    // Each of these left an error behind if it is absent, so this point is not reached without them.
    let (Some(spool), Some(exclusion), Some(record)) = (spool, exclusion, record) else {
        let place = &document.top.place;
        return Err(ConfigError::new(place, Problem::Unreadable("no reason was given".to_owned())).into());
    };
    let mut config = Config {
        spool,
        exclusion,
        record,
        shipper: mode,
        destinations,
        held,
    };
    if config.destinations.is_empty() && config.held.is_empty() && mode == ShipperMode::Embedded {
        config
            .destinations
            .push(default_destination(&config.spool, &document.spool)?);
    }
    Ok(config)
}

#[derive(Default)]
struct Problems {
    of_spool: Vec<ConfigError>,
    of_destinations: Vec<ConfigError>,
}

impl Problems {
    /// The value; or `None`, and the error is remembered as one that stops the start.
    fn keep<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.of_spool.push(error)).ok()
    }
}

fn spool(section: &Section) -> Result<SpoolConfig, ConfigError> {
    let raw: raw::Spool = read(section)?;
    let Some(path) = raw.path else {
        let (key, hint) = match section.name.as_str() {
            "the stanza" => (
                "Spool",
                "the spool's directory, as `Spool /var/lib/auditship/audit`",
            ),
            _ => (
                "path",
                "the spool's directory, as `path = \"/var/lib/auditship/audit\"`",
            ),
        };
        return Err(missing(section, key, hint));
    };
    let id = raw.id.unwrap_or_else(|| SpoolConfig::DEFAULT_ID.to_owned());
    check_id(&id).map_err(|reason| section.refuse("id", reason))?;
    Ok(SpoolConfig {
        path: absolute(&path).map_err(|reason| section.refuse("path", reason))?,
        id,
        max_bytes: match raw.max_bytes {
            None => MaxBytes::default(),
            Some(raw::MaxBytes::Share(share)) if share == Share::ZERO => {
                return Err(section.refuse("max_bytes", "0% leaves no room for any record"));
            }
            Some(raw::MaxBytes::Share(share)) => MaxBytes::Share(share),
            Some(raw::MaxBytes::Size(size)) if size < SpoolConfig::LEAST_MAX_BYTES => {
                let reason = format!(
                    "{size} is too small for a spool: at least {}",
                    SpoolConfig::LEAST_MAX_BYTES
                );
                return Err(section.refuse("max_bytes", reason));
            }
            Some(raw::MaxBytes::Size(size)) => MaxBytes::Size(size),
        },
        retain: raw
            .retain
            .map_or(SpoolConfig::DEFAULT_RETAIN, |Age(retain)| retain),
        on_full: match raw.on_full {
            Some(raw::OnFull::DropOldest) => OnFull::DropOldest,
            Some(raw::OnFull::Refuse) | None => OnFull::Refuse,
        },
        compression: match raw.compression {
            Some(raw::Compression::None) => Compression::None,
            Some(raw::Compression::Gzip) => Compression::Gzip,
            Some(raw::Compression::Zstd) | None => Compression::Zstd,
        },
    })
}

fn exclusion(section: &Section) -> Result<Exclusion, ConfigError> {
    let raw: raw::Exclude = read(section)?;
    let names = raw.categories.unwrap_or_default();
    Exclusion::from_names(names.iter().map(String::as_str))
        .map_err(|error| section.refuse("categories", error.to_string()))
}

fn record_keys(section: &Section, top: &raw::Top) -> Result<RecordKeys, ConfigError> {
    let path = |key: &str, written: &Option<String>, default: &str| match written.as_deref() {
        None => Ok(default.to_owned()),
        Some(path) if path.split('.').any(str::is_empty) => {
            let reason = format!("`{path}` is not a path of names with dots between, as `{default}`");
            Err(section.refuse(key, reason))
        }
        Some(path) => Ok(path.to_owned()),
    };
    Ok(RecordKeys {
        id: path("id_key", &top.id_key, RecordKeys::ID)?,
        time: path("time_key", &top.time_key, RecordKeys::TIME)?,
        category: path("category_key", &top.category_key, RecordKeys::CATEGORY)?,
    })
}

type Outcome = Result<DestinationConfig, ConfigErrors>;

/// Every destination with its id, as far as it has a usable one. Of those that share an id none is used: which one the
/// cursor of that name belongs to cannot be told.
fn all_destinations(sections: Vec<Section>, environment: &Environment) -> Vec<(Option<String>, Outcome)> {
    let mut bearers: BTreeMap<String, Vec<(usize, Place)>> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, section) in sections.into_iter().enumerate() {
        let written = section.text("id").map(str::to_owned);
        let place = section.place_of("id").clone();
        let outcome = destination(section, environment);
        let id = match &outcome {
            Ok(destination) => Some(destination.id.clone()),
            Err(_) => written,
        };
        if let Some(id) = &id {
            bearers.entry(id.clone()).or_default().push((at, place.clone()));
        }
        all.push((id, place, outcome));
    }
    let one = |(at, (id, place, outcome)): (usize, (Option<String>, Place, Outcome))| {
        let Some(id) = id else {
            return (None, outcome);
        };
        let twin = bearers[&id].iter().find(|(other, _)| *other != at);
        let outcome = match twin {
            Some((_, twin)) => Err(repeated(&id, &place, twin).into()),
            None => outcome,
        };
        (check_id(&id).is_ok().then_some(id), outcome)
    };
    all.into_iter().enumerate().map(one).collect()
}

fn repeated(id: &str, place: &Place, twin: &Place) -> ConfigError {
    let problem = format!("there is another destination `{id}` at {twin}: each needs an id of its own");
    ConfigError::new(place, Problem::Conflict(problem))
}

fn destination(mut section: Section, environment: &Environment) -> Outcome {
    let of_stanza = section.name.starts_with("a stanza");
    let mut errors = Vec::new();
    let kind = match section.text("type") {
        Some(kind) => kind.to_ascii_lowercase(),
        None if of_stanza => kind::DEFAULT.to_owned(),
        None => {
            return Err(missing(
                &section,
                "type",
                &format!("one of {}", KindConfig::KINDS.join(", ")),
            )
            .into());
        }
    };
    let mut common = section.split(fields_of::<raw::Destination>());
    let Some(own_keys) = KindConfig::keys(&kind) else {
        return Err(common.refuse("type", kind::unknown(&kind)).into());
    };
    if !of_stanza {
        section.name = format!("[[destination]] of type {kind}");
        common.name.clone_from(&section.name);
    }
    let known: Vec<&str> = fields_of::<raw::Destination>()
        .iter()
        .chain(&own_keys)
        .copied()
        .filter(|key| !of_stanza || *key != "name")
        .collect();
    errors.extend(section.unknown_keys(&known));
    let own = section.split(&own_keys);

    let raw = read::<raw::Destination>(&common)
        .map_err(|error| errors.push(error))
        .ok();
    let parts = raw.and_then(|raw| {
        let id = id_of(&common, &raw, &kind)
            .map_err(|error| errors.push(error))
            .ok();
        let batch = batch(&common, &raw).map_err(|error| errors.push(error)).ok();
        Some((raw, id?, batch?))
    });
    let kind = kind::read(&kind, &own, environment)
        .map_err(|error| errors.push(error))
        .ok();
    ConfigErrors::of(errors)?;
    let (Some((raw, id, batch)), Some(kind)) = (parts, kind) else {
        let problem = Problem::Unreadable("no reason was given".to_owned());
        return Err(ConfigError::new(&common.place, problem).into());
    };
    Ok(DestinationConfig {
        id,
        kind,
        name: raw.name,
        description: raw.description,
        tags: raw.tags.unwrap_or_default(),
        initial_state: match raw.initial_state {
            Some(raw::InitialState::Inactive) => InitialState::Inactive,
            Some(raw::InitialState::Active) | None => InitialState::Active,
        },
        selection: Selection::new(raw.include, raw.exclude),
        batch,
        dead_letter_rate: raw
            .dead_letter_rate
            .unwrap_or(DestinationConfig::DEFAULT_DEAD_LETTER_RATE),
    })
}

/// In TOML an id is given; a stanza has one destination, whose id is its kind unless it says otherwise.
fn id_of(section: &Section, raw: &raw::Destination, kind: &str) -> Result<String, ConfigError> {
    let id = match &raw.id {
        Some(id) => id.clone(),
        None if section.name.starts_with("a stanza") => kind.replace('_', "-"),
        None => {
            let hint = "a name that stays the same, as `id = \"archive\"`: what was delivered is remembered under it";
            return Err(missing(section, "id", hint));
        }
    };
    check_id(&id).map_err(|reason| section.refuse("id", reason))?;
    Ok(id)
}

fn batch(section: &Section, raw: &raw::Destination) -> Result<BatchConfig, ConfigError> {
    if let Some(records) = raw.batch_max_records
        && !(1..=Limits::MAX_RECORDS).contains(&records)
    {
        let reason = format!("{records} is not a number from 1 to {}", Limits::MAX_RECORDS);
        return Err(section.refuse("batch_max_records", reason));
    }
    if let Some(size) = raw.batch_max_bytes
        && size < BatchConfig::LEAST_MAX_BYTES
    {
        let reason = format!(
            "{size} is too small for a batch: at least {}",
            BatchConfig::LEAST_MAX_BYTES
        );
        return Err(section.refuse("batch_max_bytes", reason));
    }
    Ok(BatchConfig {
        max_bytes: raw.batch_max_bytes.map(|size| size.0),
        max_records: raw.batch_max_records,
        max_age: raw.batch_max_age.map(|Age(age)| age),
    })
}

/// Objects in a folder of the spool: what a configuration without a destination means.
fn default_destination(spool: &SpoolConfig, section: &Section) -> Outcome {
    let own = kind::local_directory(&spool.path.join("delivered"), &section.place);
    let kind = kind::read(kind::DEFAULT, &own, &Environment::empty())?;
    Ok(DestinationConfig::new(kind::DEFAULT, kind))
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return Err(format!(
            "`{}` is relative, and the host's working directory may change: write the whole path from `/`",
            path.display()
        ));
    }
    Ok(path)
}

/// Whether `id` can be the name of a spool or a destination.
pub(crate) fn check_id(id: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.is_empty() || !id.bytes().all(allowed) {
        return Err(format!(
            "`{id}` is not an id: use the letters a to z, digits and `-`"
        ));
    }
    if id.len() > MAX_ID {
        return Err(format!("`{id}` is longer than {MAX_ID} characters"));
    }
    Ok(())
}

impl Default for RecordKeys {
    fn default() -> Self {
        Self {
            id: Self::ID.to_owned(),
            time: Self::TIME.to_owned(),
            category: Self::CATEGORY.to_owned(),
        }
    }
}

impl SpoolConfig {
    /// The id of a spool that is given none.
    pub const DEFAULT_ID: &'static str = "auditship";
    /// How long delivered records are kept when nothing else is said.
    pub const DEFAULT_RETAIN: Duration = WriterOptions::DEFAULT_RETAIN;
}
