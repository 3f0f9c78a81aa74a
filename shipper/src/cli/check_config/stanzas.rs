//! Our `[OUTPUT]` stanzas in the host's configuration: what each says, and what they must not say together.

use super::finding::Finding;
use super::spool_dir;
use crate::cli::host::{HostConfig, HostProperty, HostSection, SectionKind};
use crate::config::stanza::{self, Property};
use crate::config::{Config, Environment, Strictness, nearest::nearest};

/// Keys of an output that the host reads itself and that belong into a stanza of ours.
const OF_THE_HOST: [&str; 8] = [
    "name",
    "match",
    "match_regex",
    "alias",
    "log_level",
    "log_suppress_interval",
    "retry_limit",
    "workers",
];

/// Keys that the host takes for its own network, so that they never reach a plugin, and what to write instead.
const TAKEN: [(&str, &str); 3] = [
    ("host", "an `http` destination is addressed by `Url`"),
    ("port", "an `http` destination is addressed by `Url`"),
    (
        "ipv6",
        "`Url` may name an IPv6 address, as `https://[2001:db8::1]/`",
    ),
];

/// A stanza and what it comes to.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    pub(super) section: &'a HostSection,
    /// `None` when it cannot be used, or cannot be told here.
    pub(super) config: Option<Config>,
}

/// Whether a section is an output of ours.
pub(super) fn is_ours(section: &HostSection) -> bool {
    let name = section.value("name").unwrap_or_default();
    section.kind == SectionKind::Output
        && name
            .split("://")
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("auditship"))
}

/// Checks every stanza of ours, and all of them together.
pub(super) fn check<'a>(
    host: &'a HostConfig,
    environment: &Environment,
    findings: &mut Vec<Finding>,
) -> Vec<Checked<'a>> {
    let ours: Vec<&HostSection> = host.sections.iter().filter(|section| is_ours(section)).collect();
    let reloads = host.sections.iter().any(|section| {
        section.kind == SectionKind::Service && section.value("hot_reload").is_some_and(is_on)
    });
    let checked: Vec<Checked<'a>> = ours
        .into_iter()
        .map(|section| {
            keys(section, findings);
            retries(section, findings);
            workers(section, reloads, findings);
            let config = config(section, environment, findings);
            Checked { section, config }
        })
        .collect();
    together(&checked, findings);
    checked
}

/// Misspelt keys, and those that the host keeps for itself.
fn keys(section: &HostSection, findings: &mut Vec<Finding>) {
    let ours = stanza::keys();
    for property in &section.properties {
        let key = property.key.to_ascii_lowercase();
        if ours.contains(&key.as_str()) || OF_THE_HOST.contains(&key.as_str()) {
            continue;
        }
        findings.push(match taken(&key, &property.value) {
            Some(finding) => finding.at(property),
            None => {
                let known = ours.iter().copied().chain(OF_THE_HOST);
                let help = match nearest(&key, known) {
                    Some(nearest) => format!("did you mean `{}`?", title(nearest)),
                    None => "neither auditship nor Fluent Bit has such a key".to_owned(),
                };
                Finding::error(&property.place, format!("unknown key `{}`; {help}", property.key))
            }
        });
    }
}

enum Taken {
    Error(String),
    Warning(String),
}

impl Taken {
    fn at(self, property: &HostProperty) -> Finding {
        match self {
            Self::Error(message) => Finding::error(&property.place, format!("`{}` {message}", property.key)),
            Self::Warning(message) => {
                Finding::warning(&property.place, format!("`{}` {message}", property.key))
            }
        }
    }
}

/// Whether the host takes `value` as yes.
pub(super) fn is_on(value: &str) -> bool {
    ["on", "true", "yes"].contains(&value.to_ascii_lowercase().as_str())
}

/// What the host makes of a key that never reaches a plugin; `None` when it is no such key.
fn taken(key: &str, value: &str) -> Option<Taken> {
    if let Some((_, instead)) = TAKEN.iter().find(|(name, _)| *name == key) {
        return Some(Taken::Warning(format!(
            "is read by Fluent Bit and never reaches auditship: {instead}"
        )));
    }
    match key {
        "storage.total_limit_size" => Some(Taken::Error(
            "makes Fluent Bit drop its oldest chunks while the spool is full: leave it out, and bound the spool with \
             `Max_Bytes`"
                .to_owned(),
        )),
        "tls" if is_on(value) => Some(Taken::Error(
            "stops Fluent Bit, which knows no TLS of a plugin's: an `https://` URL is all that auditship needs".to_owned(),
        )),
        _ if key.starts_with("tls") => Some(Taken::Warning(
            "is read by Fluent Bit and never reaches auditship: use an `https://` URL with `Ca_File`, `Cert_File`, \
             `Key_File`"
                .to_owned(),
        )),
        _ if key.starts_with("net.") => {
            Some(Taken::Warning("is for Fluent Bit's own connections and has no effect on auditship".to_owned()))
        }
        _ if key.starts_with("oauth2") => {
            Some(Taken::Warning("is read by Fluent Bit and never reaches auditship".to_owned()))
        }
        _ => None,
    }
}

/// Whether the host offers a chunk again until it is taken.
fn retries(section: &HostSection, findings: &mut Vec<Finding>) {
    const LOSES: &str = "Fluent Bit drops a chunk that was refused twice, as when the spool is full";
    match section.property("retry_limit") {
        None => findings.push(Finding::error(
            &section.place,
            format!("without `Retry_Limit no_limits` {LOSES}"),
        )),
        Some(limit) => {
            let endless = ["no_limits", "false", "off"].contains(&limit.value.to_ascii_lowercase().as_str());
            if !endless && limit.unset.is_empty() {
                let message = format!(
                    "`Retry_Limit {}`: {LOSES}; write `Retry_Limit no_limits`",
                    limit.value
                );
                findings.push(Finding::error(
                    &limit.place,
                    message.replace("was refused twice", "is refused so often"),
                ));
            }
        }
    }
}

/// Whether the host goes on while records are synced, and lives on when it is reloaded: Fluent Bit 5.1.1 at least starts
/// the workers of an external plugin twice, stop one set of them, and the other reads what a reload has freed.
fn workers(section: &HostSection, reloads: bool, findings: &mut Vec<Finding>) {
    let workers = section.property("workers");
    if reloads {
        if let Some(workers) = workers.filter(|workers| workers.value != "0") {
            let message = format!(
                "`Workers {}` with `Hot_Reload On`: Fluent Bit (5.1.1 at least) crashes soon after a hot reload when an external \
                 plugin has workers; leave out one of the two",
                workers.value
            );
            findings.push(Finding::warning(&workers.place, message));
        }
        return;
    }
    const STANDS: &str = "every input and output of Fluent Bit stands still while records are synced to disk";
    match workers {
        None => findings.push(Finding::warning(
            &section.place,
            format!("without `Workers 1` {STANDS}"),
        )),
        Some(workers)
            if workers.unset.is_empty() && !workers.value.parse::<u32>().is_ok_and(|number| number > 0) =>
        {
            let message = format!("`Workers {}`: {STANDS}; write `Workers 1`", workers.value);
            findings.push(Finding::warning(&workers.place, message));
        }
        Some(_) => {}
    }
}

/// What the stanza comes to, with everything that is wrong with its values.
fn config(section: &HostSection, environment: &Environment, findings: &mut Vec<Finding>) -> Option<Config> {
    let known = stanza::keys();
    let ours = || {
        let all = section.properties.iter();
        all.filter(|property| known.contains(&property.key.to_ascii_lowercase().as_str()))
    };
    let unset: Vec<&str> = ours()
        .flat_map(|property| &property.unset)
        .map(String::as_str)
        .collect();
    if !unset.is_empty() {
        let names: Vec<String> = unset.iter().map(|name| format!("`${{{name}}}`")).collect();
        let message = format!(
            "{} not set in this environment, so the values of this stanza were not checked: set what the service has",
            match names.as_slice() {
                [one] => format!("{one} is"),
                several => format!("{} are", several.join(", ")),
            }
        );
        findings.push(Finding::warning(&section.place, message));
        return None;
    }
    let properties: Vec<Property> = ours()
        .map(|property| Property {
            key: property.key.clone(),
            value: property.value.clone(),
            place: property.place.clone(),
        })
        .collect();
    match Config::from_properties(&properties, &section.place, environment, Strictness::Strict) {
        Ok(config) => {
            findings.extend(spool_dir::check(&config.spool.path, place_of_spool(section)));
            Some(config)
        }
        Err(errors) => {
            findings.extend(Finding::all_of(&errors));
            None
        }
    }
}

fn place_of_spool(section: &HostSection) -> &crate::config::Place {
    section
        .property("spool")
        .map_or(&section.place, |property| &property.place)
}

/// Several stanzas must not share an id or a spool.
fn together(checked: &[Checked<'_>], findings: &mut Vec<Finding>) {
    const FIXES: &str = "give each stanza an `Id` and a `Spool` of its own, or write one stanza whose `Config_File` has \
                         several [[destination]] tables";
    if checked.len() < 2 {
        return;
    }
    let mut nameless = checked
        .iter()
        .map(|checked| checked.section)
        .filter(|section| section.property("id").is_none() && section.property("config_file").is_none());
    if let (Some(first), Some(second)) = (nameless.next(), nameless.next()) {
        let message = format!(
            "has no `Id`, and neither has the stanza at {}: {FIXES}",
            first.place
        );
        findings.push(Finding::error(&second.place, message));
    }
    for (number, later) in checked.iter().enumerate() {
        let Some(config) = &later.config else { continue };
        for (earlier, other) in checked[..number]
            .iter()
            .filter_map(|earlier| Some((earlier.section, earlier.config.as_ref()?)))
        {
            let both_named = later.section.property("id").is_some() && earlier.property("id").is_some();
            if config.spool.id == other.spool.id && both_named {
                let place = later
                    .section
                    .property("id")
                    .map_or(&later.section.place, |id| &id.place);
                let message = format!(
                    "`Id {}` is that of the stanza at {} too: {FIXES}",
                    config.spool.id, earlier.place
                );
                findings.push(Finding::error(place, message));
            } else if config.spool.path == other.spool.path {
                let message = format!(
                    "`Spool {}` is that of the stanza at {} too, and a spool has one writer: {FIXES}",
                    config.spool.path.display(),
                    earlier.place
                );
                findings.push(Finding::error(place_of_spool(later.section), message));
            }
        }
    }
}

/// `batch_max_age` as stanzas are usually written: `Batch_Max_Age`.
fn title(key: &str) -> String {
    let words = key.split('_').map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    });
    words.collect::<Vec<_>>().join("_")
}
